"""Tables of vials and spheres through ``calc``: sizes of the TheraSphere package insert, 2500 Bq per glass sphere, T½ 64.1 h (ICRP-107).

W33, W34, the table of spheres by day, the second week, and tables across the clock changes of New York and London, hours counted by hand on
UTC instants: 2026-11-01 and 2027-03-14 in New York, 2026-10-25 and 2027-03-28 in London.
"""

from __future__ import annotations

import math

import pytest

from published.answers import codes, results

SIZES = (3, 5, 7, 10, 15, 20)
PRINTED = 5.1e-4
EXACT = 1e-12


def left(hours: float) -> float:
    return math.exp(-math.log(2.0) * hours / 64.1)


def test_w33_vials_seventy_hours_after_calibration():
    answer = results("vial-table", product="glass", elapsed_h=[70])
    held = [answer[f"{size}gbq.70h.held_gbq"] for size in SIZES]
    assert held == pytest.approx([1.407, 2.345, 3.284, 4.691, 7.036, 9.382], abs=PRINTED)


def test_w34_what_must_be_ordered_for_2_4_gigabecquerel():
    """Sunday 7 June 2026 12:00 in New York is 16:00 UTC; Wednesday 14:00 UTC is 70 h later: 5.116 GBq at calibration, so the vial of 5."""
    answer = results("vial-glass", delivered_gbq=2.4, treatment_at="2026-06-10T14:00:00Z", residual_fraction=0.0)
    assert answer["week1_calibration_gbq"] == pytest.approx(5.116, abs=PRINTED)
    answer = results("vial-order", product="glass", delivered_gbq=2.4, treatment_at="2026-06-10T14:00:00Z", residual_fraction=0.0)
    assert answer["vial1.size_gbq"] == 5.0
    assert answer["vial1.at_treatment_gbq"] == pytest.approx(2.345, abs=PRINTED)
    assert answer["delivered_gbq"] / 2.4 == pytest.approx(5.0 / 5.116, abs=1e-4)


BQ_PER_SPHERE = (2500, 1929, 1488, 1148, 885, 683, 527, 406, 314, 242, 187, 144, 111)
MILLIONS = (0.80, 1.04, 1.34, 1.74, 2.26, 2.93, 3.80, 4.92, 6.38, 8.27, 10.72, 13.90, 18.01)


def test_spheres_for_two_gigabecquerel_by_day():
    answer = results("sphere-table", product="glass", activity_gbq=2.0, days_after_calibration=list(range(13)))
    assert [answer[f"day{day}.bq_per_sphere"] for day in range(13)] == pytest.approx(list(BQ_PER_SPHERE), abs=0.51)
    assert [answer[f"day{day}.spheres"] / 1e6 for day in range(13)] == pytest.approx(list(MILLIONS), abs=5.1e-3)


def test_the_second_week_has_six_times_the_spheres():
    answer = results("sphere-table", product="glass", activity_gbq=2.0, days_after_calibration=[3, 10])
    assert answer["second_week_ratio"] == pytest.approx(6.15, abs=5e-3)
    assert answer["day10.spheres"] / answer["day3.spheres"] == pytest.approx(6.15, abs=5e-3)


def test_w19_resin_three_days_before_calibration():
    """60 million in 3 GBq at calibration; three days before, 50 · 2^(72/64.1) = 108.9 Bq each: 27.5 million."""
    answer = results("sphere-table", product="resin", activity_gbq=3.0, days_after_calibration=[0], days_before_calibration=[3])
    assert answer["day0.spheres"] == pytest.approx(60e6, rel=EXACT)
    assert answer["day-3.bq_per_sphere"] == pytest.approx(108.92, abs=5e-3)
    assert answer["day-3.spheres"] == pytest.approx(3e9 / (50.0 / left(72.0)), rel=EXACT)


@pytest.mark.parametrize(
    ("calibrated", "treatment", "hours"),
    [
        # both in summer time: 18 Oct 16:00 UTC to 21 Oct 09:00 UTC
        ("2026-10-18T12:00:00-04:00", "2026-10-21T10:00:00+01:00", 65),
        # London back on 25 Oct: 25 Oct 16:00 UTC to 28 Oct 10:00 UTC, and the week before
        ("2026-10-25T12:00:00-04:00", "2026-10-28T10:00:00+00:00", 66),
        ("2026-10-18T12:00:00-04:00", "2026-10-28T10:00:00+00:00", 234),
        # New York back on 1 Nov: 1 Nov 17:00 UTC to 4 Nov 10:00 UTC, and the week before from 16:00 UTC
        ("2026-11-01T12:00:00-05:00", "2026-11-04T10:00:00+00:00", 65),
        ("2026-10-25T12:00:00-04:00", "2026-11-04T10:00:00+00:00", 234),
        # New York ahead on 14 Mar: 14 Mar 16:00 UTC to 17 Mar 10:00 UTC, and the week before from 17:00 UTC
        ("2027-03-14T12:00:00-04:00", "2027-03-17T10:00:00+00:00", 66),
        ("2027-03-07T12:00:00-05:00", "2027-03-17T10:00:00+00:00", 233),
        # London ahead on 28 Mar: 28 Mar 16:00 UTC to 31 Mar 09:00 UTC, and the week before
        ("2027-03-28T12:00:00-04:00", "2027-03-31T10:00:00+01:00", 65),
        ("2027-03-21T12:00:00-04:00", "2027-03-31T10:00:00+01:00", 233),
    ],
)
def test_a_table_across_the_clock_changes(calibrated, treatment, hours):
    answer = results("vial-table", product="glass", calibrated_at=calibrated, treatment_at=treatment)
    assert [answer[f"{size}gbq.{hours}h.held_gbq"] for size in SIZES] == pytest.approx(
        [size * left(hours) for size in SIZES], rel=EXACT
    )


@pytest.mark.parametrize(
    ("treatment", "week1", "week2"),
    [
        ("2026-10-28T10:00:00+00:00", 66, 234),
        ("2026-11-04T10:00:00+00:00", 65, 234),
        ("2027-03-17T10:00:00+00:00", 66, 233),
        ("2027-03-31T10:00:00+01:00", 65, 233),
    ],
)
def test_the_calibration_clock_finds_its_own_summer_time(treatment, week1, week2):
    answer = results("vial-glass", delivered_gbq=1.0, treatment_at=treatment, residual_fraction=0.0)
    assert answer["week1_calibration_gbq"] == pytest.approx(1.0 / left(week1), rel=EXACT)
    assert answer["week2_calibration_gbq"] == pytest.approx(1.0 / left(week2), rel=EXACT)
    assert "vials.unverified" in codes("vial-glass", delivered_gbq=1.0, treatment_at=treatment)


@pytest.mark.parametrize(("product", "delivered", "percent"), [("glass", 2.4, 6.3), ("resin", 1.6, 6.3), ("ho166", 6.0, 14.4)])
def test_six_hours_of_a_wrong_time_zone_or_a_delay(product, delivered, percent):
    answer = results(
        "vial-schedule", product=product, delivered_gbq=delivered, treatment_at="2026-11-04T10:00:00Z", from_h=0, to_h=6, step_h=6
    )
    assert answer["percent_lost_in_six_hours"] == pytest.approx(percent, abs=0.05)
    first, last = answer["rows"]
    assert 100.0 * (1.0 - last["vials_gbq"][0] / first["vials_gbq"][0]) == pytest.approx(percent, abs=0.05)


def test_drescher_residual_of_holmium():
    """Median 4.3 % of 12 treatments (Drescher et al. 2021): 6 GBq delivered are 6.27 GBq ordered."""
    answer = results("vial-order", product="ho166", delivered_gbq=6.0, treatment_at="2026-11-04T10:00:00Z")
    assert answer["needed_gbq"] == pytest.approx(6.0 / (1.0 - 0.043), rel=EXACT)

"""Decay table, spheres and vials of the fact sheet (clinical.md 1.2, 2.2): W19, W33, W34, W51.

Oracle: ``2^(−t/T½)`` worked out outside the package; 2500 Bq per glass sphere and 50 Bq per resin sphere as published.
"""

from __future__ import annotations

import pytest

from published.answers import results

TABLE = {
    "Y-90": {
        -24: 1.2963,
        -12: 1.1386,
        1: 0.9892,
        2: 0.9786,
        6: 0.9372,
        12: 0.8783,
        24: 0.7714,
        48: 0.5951,
        96: 0.3541,
        168: 0.1626,
        288: 0.0444,
    },
    "Ho-166": {
        -24: 1.8603,
        -12: 1.3639,
        1: 0.9745,
        2: 0.9496,
        6: 0.8563,
        12: 0.7332,
        24: 0.5376,
        48: 0.2890,
        96: 0.0835,
        168: 0.0130,
    },
}
PRINTED = 5.1e-5


@pytest.mark.parametrize(("nuclide", "hours"), [(n, h) for n, row in TABLE.items() for h in row])
def test_decay_factors(nuclide, hours):
    answer = results("decay", nuclide=nuclide, amount_gbq=1.0, elapsed_h=hours)
    assert answer["decay_factor"] == pytest.approx(TABLE[nuclide][hours], abs=PRINTED)


def test_w33_vials_seventy_hours_after_calibration():
    held = [results("decay", nuclide="Y-90", amount_gbq=size, elapsed_h=70.0)["amount_gbq"] for size in (3, 5, 7, 10, 15, 20)]
    assert held == pytest.approx([1.407, 2.345, 3.284, 4.691, 7.036, 9.382], abs=5.1e-4)


def test_w34_what_must_be_ordered_for_2_4_gigabecquerel():
    assert results("decay", nuclide="Y-90", amount_gbq=2.4, elapsed_h=-70.0)["amount_gbq"] == pytest.approx(5.116, abs=5e-4)


@pytest.mark.parametrize(("product", "millions"), [("glass", 1.2), ("resin", 60.0)])
def test_w19_spheres_in_three_gigabecquerel(product, millions):
    assert results("spheres", product=product, activity_gbq=3.0)["spheres"] == pytest.approx(millions * 1e6, rel=1e-12)


@pytest.mark.parametrize(("day", "bq", "millions"), [(0, 2500, 0.80), (3, 1148, 1.74), (7, 406, 4.92), (12, 111, 18.01)])
def test_glass_spheres_for_two_gigabecquerel_by_day(day, bq, millions):
    answer = results("spheres", product="glass", activity_gbq=2.0, elapsed_h=24.0 * day)
    assert answer["bq_per_sphere"] == pytest.approx(bq, abs=0.51)
    assert answer["spheres"] / 1e6 == pytest.approx(millions, abs=5.1e-3)


@pytest.mark.parametrize(("nuclide", "rate", "days"), [("Y-90", 1.0814, 8.9), ("Ho-166", 2.5864, 3.7)])
def test_w51_initial_dose_rate(nuclide, rate, days):
    answer = results("dose-rate", nuclide=nuclide, dose_gy=100.0)
    assert answer["initial_dose_rate_gy_per_h"] == pytest.approx(rate, abs=5.1e-5)
    assert answer["time_to_90_percent_h"] / 24.0 == pytest.approx(days, abs=0.05)


@pytest.mark.parametrize(("nuclide", "percent"), [("Y-90", 6.3), ("Ho-166", 14.4)])
def test_six_hours_of_a_wrong_time_zone(nuclide, percent):
    case = {"nuclide": nuclide, "amount_gbq": 1.0, "from_at": "2026-03-01T12:00:00-05:00"}
    right = results("decay", **case, to_at="2026-03-04T15:00:00+01:00")["amount_gbq"]
    slip = results("decay", **case, to_at="2026-03-04T21:00:00+01:00")["amount_gbq"]
    assert 100.0 * (1.0 - slip / right) == pytest.approx(percent, abs=0.05)

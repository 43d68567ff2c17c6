"""Orders, tables, schedules and courses through ``calc``: hand-worked answers, uncertainty, and input that cannot be meant."""

from __future__ import annotations

import math

import pytest

from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, UnsupportedInput
from opensirt.workflow.calc import calc, calc_example

ORDER = {"product": "resin", "treatment_at": "2026-11-04T10:00:00+00:00", "delivered_gbq": 1.6}
EXACT = 1e-12


def codes(answer) -> set[str]:
    return {finding["code"] for finding in answer["findings"]}


def test_resin_by_hand():
    """1.6/(1 − 0.0301) = 1.6497 GBq drawn of 3 GBq, 33.0 million spheres of 50 Bq."""
    answer = calc("vial-order", ORDER)
    assert answer["result"]["dispensed_gbq"] == pytest.approx(1.6 / 0.9699, rel=EXACT)
    assert answer["result"]["spheres"] == pytest.approx(1.6 / 0.9699 / 50e-9, rel=EXACT)
    assert answer["result"]["number_of_vials"] == 1
    assert answer["result"]["device"]["brand"] == "SIR-Spheres"
    assert {"vials.unverified", "order.calibration_hour_assumed"} <= codes(answer)


def test_an_uncertain_residual_reaches_what_is_delivered():
    """σ(1 − R)/(1 − R) = 0.02/0.95."""
    answer = calc("vial-order", ORDER | {"residual_fraction": {"value": 0.05, "standard_uncertainty": 0.02}})
    relative = answer["contributions"]["delivered_gbq"]["residual_fraction"] / answer["result"]["delivered_gbq"]
    assert abs(relative) == pytest.approx(0.02 / 0.95, rel=1e-6)
    assert "vials.residual_unverified" not in codes(answer)


def test_glass_content_carries_the_half_life():
    """dA/A = ln 2 · t/T½ · dT/T: 65 h, 64.1 ± 0.06 h."""
    answer = calc("vial-order", ORDER | {"product": "glass", "delivered_gbq": 2.4})
    key = "vial1.at_treatment_gbq"
    relative = answer["contributions"][key]["half_life"] / answer["result"][key]
    assert relative == pytest.approx(math.log(2.0) * 65.0 / 64.1 * 0.06 / 64.1, rel=1e-6)


def test_the_calendar_of_the_site():
    calendar = {
        "resin": {"delivery_weekdays": ["wednesday"], "calibration_time": "18:00", "calibration_time_zone": "Europe/London"}
    }
    answer = calc("vial-order", ORDER | {"calendar": calendar})
    assert answer["result"]["vial1.at_treatment_gbq"] == pytest.approx(3.0 * 2.0 ** (8.0 / 64.1), rel=EXACT)
    assert "order.calibration_hour_assumed" not in codes(answer)
    with pytest.raises(InvalidValue, match="funday"):
        calc("vial-order", ORDER | {"calendar": {"resin": {"delivery_weekdays": ["funday"]}}})


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"limits_product": "glass"}, InconsistentInput, "not exchangeable"),
        ({"product": "gold"}, UnsupportedInput, "gold"),
        ({"delivered_gbq": None}, InvalidValue, "exactly one"),
        ({"injections": {"right": {"delivered_gbq": 1.0}}}, InvalidValue, "exactly one"),
        ({"delivered_gbq": None, "injections": {"right": {"delivered_gbq": -1.0}}}, InvalidValue, "injection right"),
        (
            {"delivered_gbq": None, "injections": {"right": {"delivered_gbq": 1.0, "at": "2026-11-04T10:00"}}},
            InvalidValue,
            "time zone",
        ),
        ({"spheres": "many"}, InvalidValue, "spheres"),
        ({"largest_number_of_vials": 2.5}, InvalidValue, "largest_number_of_vials"),
        ({"largest_number_of_vials": 4}, InvalidValue, "1 to 3"),
        ({"treatment_at": "2026-11-04T10:00:00"}, InvalidValue, "treatment_at"),
        ({"calibrated_at": "2026-11-09T10:00:00Z"}, InvalidValue, "before the vial's calibration"),
        ({"calibrated_at": "2026-11-02T10:00:00Z"}, InvalidValue, "expiry"),
        ({"delivered_gbq": 60.0}, InvalidValue, "vials of resin"),
        (
            {"site_time_zone": "Mars/Olympus", "calendar": {"resin": {"delivery_weekdays": ["monday"]}}},
            InvalidValue,
            "Mars/Olympus",
        ),
        ({"site_time_zone": "Mars/Olympus"}, InvalidValue, "Mars/Olympus"),
    ],
)
def test_orders_that_cannot_be_meant(change, error, match):
    with pytest.raises(error, match=match):
        calc("vial-order", ORDER | change)


def test_an_uncertain_plan_reaches_what_is_needed_and_not_what_is_drawn():
    """What is drawn is decided once the plan stands; what the plan needs is as uncertain as the plan."""
    injections = {name: {"delivered_gbq": {"value": 0.8, "relative_uncertainty": 0.1}} for name in ("right", "left")}
    payload = {key: value for key, value in ORDER.items() if key != "delivered_gbq"} | {
        "injections": injections,
        "residual_fraction": 0.02,
    }
    answer = calc("vial-order", payload)
    assert answer["contributions"]["right.needed_gbq"] == {"delivered_gbq.right": pytest.approx(0.08 / 0.98, rel=1e-6)}
    assert "right.dispensed_gbq" not in answer["contributions"]


def test_a_slip_of_unit_in_an_injection_is_a_finding():
    payload = {key: value for key, value in ORDER.items() if key != "delivered_gbq"}
    answer = calc("vial-order", payload | {"injections": {"right": {"delivered_gbq": 1.6}, "left": {"delivered_gbq": 0.001}}})
    assert "calc.unusual_value" in codes(answer)


@pytest.mark.parametrize("name", ["", "right", "liver"])
def test_one_injection_needs_no_name(name):
    answer = calc("vial-schedule", ORDER | {"gy_per_gbq": {"tumour": {name: 40.0}}, "from_h": 0, "to_h": 0})["result"]
    assert answer["rows"][0]["doses_gy"]["tumour"] == pytest.approx(64.0)


def test_the_schedule_by_hand():
    """Resin, six hours: 2^(−6/64.1); dose of 40 Gy/GBq."""
    answer = calc("vial-schedule", ORDER | {"gy_per_gbq": {"tumour": {"": 40.0}}, "from_h": -6, "to_h": 6, "step_h": 6})["result"]
    assert [row["delay_h"] for row in answer["rows"]] == [-6.0, 0.0, 6.0]
    assert [row["doses_gy"]["tumour"] for row in answer["rows"]] == pytest.approx(
        [64.0 * 2.0 ** (-h / 64.1) for h in (-6, 0, 6)], rel=EXACT
    )
    assert answer["earliest"] < "2026-11-04T10:00" < answer["latest"] < answer["latest_redrawn"]


@pytest.mark.parametrize(
    "change",
    [
        {"from_h": 2.0, "to_h": 1.0},
        {"step_h": 1e-6},
        {"gy_per_gbq": {"tumour": {"left": 1.0, "right": 1.0}}},
        {"gy_per_gbq": {"tumour": {"": "many"}}},
    ],
)
def test_schedules_that_cannot_be_meant(change):
    with pytest.raises(InvalidValue):
        calc("vial-schedule", ORDER | change)


@pytest.mark.parametrize(
    "payload",
    [
        {"product": "glass"},
        {"product": "glass", "calibrated_at": "2026-11-01T12:00:00-05:00"},
        {
            "product": "glass",
            "elapsed_h": [1],
            "calibrated_at": "2026-11-01T12:00:00-05:00",
            "treatment_at": "2026-11-04T10:00:00Z",
        },
        {"product": "glass", "calibrated_at": "2026-11-01T12:00:00-05:00", "treatment_at": "2026-11-01T11:00:00-05:00"},
        {"product": "glass", "calibrated_at": "2026-11-01T12:00:00-05:00", "treatment_at": "2026-11-14T11:00:00-05:00"},
        {"product": "ho166", "elapsed_h": [1]},
    ],
)
def test_tables_that_cannot_be_meant(payload):
    with pytest.raises(InvalidValue):
        calc("vial-table", payload)


def test_a_table_of_resin():
    answer = calc("vial-table", {"product": "resin", "elapsed_h": [0, 24]})["result"]
    assert answer["3gbq.24h.held_gbq"] == pytest.approx(3.0 * 2.0 ** (-24.0 / 64.1), rel=EXACT)


def test_a_sphere_table_without_days():
    with pytest.raises(InvalidValue, match="at least one day"):
        calc("sphere-table", {"product": "glass", "activity_gbq": 2.0})


def test_a_course_by_hand():
    answer = calc("course-sums", calc_example("course-sums"))
    assert answer["result"]["Y-90.delivered_gbq"] == pytest.approx(3.6)
    assert answer["result"]["normal_liver.Y-90.dose_gy"] == pytest.approx(46.0)
    assert answer["result"]["treated_fraction"] == pytest.approx(1700.0 / 1750.0)
    assert answer["result"]["intervals_days"] == [pytest.approx(35.0 + 1.0 / 24.0)]


def test_a_course_of_two_nuclides_adds_no_dose():
    example = calc_example("course-sums")
    second = example["sessions"]["second"] | {"product": "ho166"}
    answer = calc("course-sums", example | {"sessions": example["sessions"] | {"second": second}})
    assert answer["result"]["normal_liver.Y-90.dose_gy"] == pytest.approx(32.0)
    assert answer["result"]["normal_liver.Ho-166.dose_gy"] == pytest.approx(14.0)
    assert not any(key.endswith("bed_gy") for key in answer["result"])
    assert "course.mixed_nuclides" in codes(answer)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "bilobar"},
        {"kind": "whole liver in one session"},
        {"liver_volume_ml": 0.0},
        {"sessions": {"first": {"at": "2026-10-07T10:00:00", "product": "glass", "delivered_gbq": {"r": 1.0}}}},
        {"sessions": {"first": {"at": "2026-10-07T10:00:00Z", "product": "glass"}}},
        {
            "sessions": {
                "first": {
                    "at": "2026-10-07T10:00:00Z",
                    "product": "glass",
                    "delivered_gbq": {"r": 1.0},
                    "treated_volume_ml": {"l": 1.0},
                }
            }
        },
    ],
)
def test_courses_that_cannot_be_meant(change):
    with pytest.raises(InvalidValue):
        calc("course-sums", calc_example("course-sums") | change)


def test_spheres_of_resin_before_its_calibration():
    """A day before calibration a sphere of 50 Bq carries 50 · 2^(24/64.1) = 64.8 Bq: 1.6 GBq are 24.7 million spheres."""
    result = calc("spheres", {"product": "resin", "activity_gbq": 1.6, "elapsed_h": -24.0})["result"]
    assert result["bq_per_sphere"] == pytest.approx(50.0 * 2.0 ** (24.0 / 64.1), rel=EXACT)
    assert result["spheres"] == pytest.approx(1.6e9 / (50.0 * 2.0 ** (24.0 / 64.1)), rel=EXACT)


@pytest.mark.parametrize(("product", "hours"), [("glass", -1.0), ("ho166", -1.0), ("resin", -97.0)])
def test_spheres_before_the_product_is_used(product, hours):
    with pytest.raises(InvalidValue, match="before calibration"):
        calc("spheres", {"product": product, "activity_gbq": 1.6, "elapsed_h": hours})


def test_injections_a_month_apart():
    """Fri 4 Dec 2026 11:00 UTC is 114 h (or 282 h) after a Sunday 17:00 UTC: no vial holds more than its size."""
    example = calc_example("vial-order")
    left = example["injections"]["left"] | {"at": "2026-12-04T11:00:00+00:00"}
    result = calc("vial-order", example | {"injections": example["injections"] | {"left": left}})["result"]
    for vial in result["vials"]:
        assert 0.0 < vial["at_treatment_gbq"] < vial["size_gbq"]
        assert result[f"vial{vial['number']}.at_treatment_gbq"] == pytest.approx(vial["at_treatment_gbq"], rel=EXACT)
        assert 0.0 < vial["days_after_calibration"] <= 12.0

"""The resin rules as the van Roekel thesis prints them (p. 30): body surface (W7, W23, W25), reductions for lung shunt, and their edges.

Oracle: printed numbers, else the printed formula worked by hand; each line says which.
"""

from __future__ import annotations

import math

import pytest

from opensirt.vocabulary.errors import InvalidValue
from opensirt.workflow.calc import calc
from published.answers import codes, results

PRINTED = 5e-5
"""Half of the last printed digit."""
EXACT = 1e-12

W25 = {
    "height_cm": 170.0,
    "weight_kg": 70.0,
    "tumour_volume_ml": 300.0,
    "liver_volume_ml": 1800.0,
    "lung_shunt_fraction": 0.05,
}
LOBE = {
    "height_cm": 170.0,
    "weight_kg": 70.0,
    "lobe_tumour_volume_ml": 200.0,
    "lobe_volume_ml": 1100.0,
    "liver_volume_ml": 1800.0,
    "lung_shunt_fraction": 0.05,
}


def test_w25_activity_by_body_surface():
    answer = results("bsa", **W25)
    assert answer["body_surface_m2"] == pytest.approx(1.8097, abs=PRINTED)
    assert answer["activity_gbq"] == pytest.approx(1.7764, abs=PRINTED)
    assert answer["shunt_factor"] == 1.0


def test_w25_from_metres_and_from_normal_liver():
    """Denominator is the whole liver: 300 mL tumour + 1500 mL normal."""
    case = {key: value for key, value in W25.items() if key not in ("height_cm", "liver_volume_ml")}
    answer = results("bsa", **case, height_m=1.70, normal_volume_ml=1500.0)
    assert answer["activity_gbq"] == pytest.approx(1.7764, abs=PRINTED)
    wrong = 1.8097 - 0.2 + 300.0 / 1500.0
    assert abs(answer["activity_gbq"] - wrong) > 0.03, "tumour over normal liver is the slip this guards against"


def test_w23_the_printed_coefficient():
    """0.20247 · 1.75^0.725 · 70^0.425 = 1.848 (printed coefficient 0.2024)."""
    answer = results("bsa", **(W25 | {"height_cm": 175.0}))
    assert answer["body_surface_m2"] == pytest.approx(1.848, abs=5e-4)
    assert answer["body_surface_m2"] == pytest.approx(0.20247 * 1.75**0.725 * 70.0**0.425, rel=2e-5), (
        "coefficient printed to 5 digits"
    )


def test_w7_du_bois_and_mosteller_hardly_differ():
    """Mosteller √(175 · 70 / 3600) = 1.8447; less than 0.5 % from Du Bois."""
    mosteller = math.sqrt(175.0 * 70.0 / 3600.0)
    assert mosteller == pytest.approx(1.8447, abs=PRINTED)
    assert results("bsa", **(W25 | {"height_cm": 175.0}))["body_surface_m2"] == pytest.approx(mosteller, rel=5e-3)


@pytest.mark.parametrize(
    ("shunt", "factor"),
    [(0.05, 1.0), (0.10, 1.0), (0.1000001, 0.8), (0.12, 0.8), (0.15, 0.8), (0.1500001, 0.6), (0.18, 0.6), (0.20, 0.6)],
)
@pytest.mark.parametrize(("model", "case"), [("bsa", W25), ("bsa-modified", LOBE)])
def test_lung_shunt_steps(model, case, shunt, factor):
    answer = results(model, **(case | {"lung_shunt_fraction": shunt}))
    assert answer["shunt_factor"] == factor
    assert answer["activity_gbq"] == pytest.approx(answer["unreduced_gbq"] * factor, rel=EXACT)
    assert answer["unreduced_gbq"] == pytest.approx(results(model, **case)["unreduced_gbq"], rel=EXACT)
    found = codes(model, **(case | {"lung_shunt_fraction": shunt}))
    assert ("resin_shunt.on_the_edge" in found) is (shunt in (0.10, 0.15, 0.20))


@pytest.mark.parametrize(("model", "case"), [("bsa", W25), ("bsa-modified", LOBE)])
def test_above_twenty_percent_none_is_given(model, case):
    answer = results(model, **(case | {"lung_shunt_fraction": 0.2000001}))
    assert answer["activity_gbq"] is None
    assert "activity.none" in codes(model, **(case | {"lung_shunt_fraction": 0.2000001}))


def test_lobar_form_by_hand():
    """(1.8097 − 0.2 + 200/1100) · 1100/1800 = 1.0948; marked unverified."""
    assert results("bsa-modified", **LOBE)["activity_gbq"] == pytest.approx((1.80971 - 0.2 + 2.0 / 11.0) * 11.0 / 18.0, abs=PRINTED)
    assert "bsa_modified.unverified" in codes("bsa-modified", **LOBE)


def test_a_lobe_that_is_the_whole_liver():
    case = {key: value for key, value in W25.items() if key != "tumour_volume_ml"}
    whole = results("bsa-modified", **case, lobe_tumour_volume_ml=300.0, lobe_volume_ml=1800.0)
    assert whole["activity_gbq"] == pytest.approx(results("bsa", **W25)["activity_gbq"], rel=EXACT)


@pytest.mark.parametrize(
    ("tumour_ml", "expected"), [(0.0, 2.0), (450.0, 2.0), (451.0, 2.5), (900.0, 2.5), (901.0, 3.0), (1800.0, 3.0)]
)
def test_empirical_steps(tumour_ml, expected):
    """Up to 25 % of 1800 mL (450 mL) 2.0, up to 50 % (900 mL) 2.5, above 3.0 GBq; unverified, for comparison only."""
    assert results("empirical", tumour_volume_ml=tumour_ml, liver_volume_ml=1800.0)["activity_gbq"] == expected
    answer = calc("empirical", {"tumour_volume_ml": tumour_ml, "liver_volume_ml": 1800.0})
    assert "empirical.retrospective_only" in {finding["code"] for finding in answer["findings"]}
    assert {constant["mark"] for constant in answer["constants"]} == {"unverified"}


@pytest.mark.parametrize(
    ("model", "payload"),
    [
        ("bsa", W25 | {"tumour_volume_ml": 1900.0}),
        ("bsa", W25 | {"normal_volume_ml": 1500.0}),
        ("bsa", W25 | {"height_m": 1.7}),
        ("bsa", W25 | {"height_cm": 1.7}),
        ("bsa-modified", LOBE | {"lobe_volume_ml": 1900.0}),
        ("bsa-modified", LOBE | {"lobe_tumour_volume_ml": 1200.0}),
        ("empirical", {"tumour_volume_ml": 1900.0, "liver_volume_ml": 1800.0}),
        ("empirical", {"tumour_volume_ml": -1.0, "liver_volume_ml": 1800.0}),
    ],
)
def test_what_cannot_be_is_refused(model, payload):
    with pytest.raises(InvalidValue):
        calc(model, payload)


def test_a_person_outside_of_the_rule_is_flagged():
    assert "bsa.outside_adult_range" in codes("bsa", **(W25 | {"height_cm": 140.0, "weight_kg": 38.0}))
    assert "bsa.outside_adult_range" not in codes("bsa", **W25)

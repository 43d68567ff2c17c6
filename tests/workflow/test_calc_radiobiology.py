"""Formulas of radiobiology from outside: what is refused, what is found, what is correlated. Numbers of tables: ``tests/published``."""

from __future__ import annotations

import math

import pytest

from opensirt.vocabulary.errors import InvalidValue, OpensirtError, UnsupportedInput
from opensirt.workflow.calc import calc

LIVER = {"alpha_beta_gy": 2.5, "repair_half_time_h": 2.5}
BED = {"dose_gy": 60.0, "nuclide": "Y-90", **LIVER}
TCP = {"eud_gy": 200.0, "gamma50": 1.0, "d50_gy": 292.0}


def codes(name: str, payload: dict) -> set[str]:
    return {finding["code"] for finding in calc(name, payload)["findings"]}


@pytest.mark.parametrize(
    ("name", "payload", "says"),
    [
        ("bed", {"dose_gy": 60.0, **LIVER}, "nuclide and half_life_h"),
        ("bed", {"dose_gy": 60.0, "nuclide": "Y-90", "repair_half_time_h": 2.5}, "alpha_beta_gy is missing"),
        ("bed", {"dose_gy": 60.0, "nuclide": "Y-90", "alpha_beta_gy": 2.5}, "repair_half_time_h is missing"),
        ("bed", BED | {"dose_gy": -1.0}, "dose_gy"),
        ("bed", BED | {"alpha_beta_gy": 0.0}, "alpha_beta_gy"),
        ("bed", BED | {"nuclide": "Lu-177"}, "Lu-177 without an effective half-life"),
        ("bed", BED | {"nuclide": "I-131", "half_life_h": 192.5}, "I-131 without an effective half-life"),
        ("dose-from-bed", {"bed_gy": 60.0, "nuclide": "Lu-177", **LIVER}, "state effective_half_life_h, or biological_half_life_h"),
        ("dose-time", {"nuclide": "I-131", "dose_fraction": 0.9}, "I-131 without an effective half-life"),
        ("bed", BED | {"nuclide": "Lu-177", "effective_half_life_h": 160.0}, "clearance only shortens"),
        ("bed", BED | {"nuclide": "Lu-177", "effective_half_life_h": 70.0, "biological_half_life_h": 125.0}, "either follows"),
        ("cumulative-bed", {"sessions": {"a": {"dose_gy": 40.0, "nuclide": "Lu-177"}}, **LIVER}, "without an effective"),
        ("bed", BED | {"tissue": "spleen"}, "spleen"),
        ("dose-time", {"nuclide": "Y-90", "dose_fraction": 1.0}, "dose_fraction"),
        ("eud", {"doses_gy": [1, 2], "volumes_ml": [1], "exponent": 1.0}, "voxels"),
        ("eud", {"doses_gy": [1, 2], "exponent": 0.0}, "exponent"),
        ("eud", {"doses_gy": [1, -2], "exponent": 1.0}, "doses_gy"),
        ("eubed", {"doses_gy": [1, 2], "nuclide": "Y-90", "tissue": "liver-2.75"}, "alpha_per_gy is missing"),
        ("tcp-logistic", TCP | {"parameters": "glass-dose-292"}, "exactly one"),
        ("tcp-logistic", {"eud_gy": 200.0, "gamma50": 1.0}, "exactly one"),
        ("tcp-logistic", {"eud_gy": 200.0, "d50_gy": 292.0}, "gamma50 is missing"),
        ("tcp-logistic", {"eud_gy": 200.0, "gamma50": 1.0, "parameters": "resin-liver-52"}, "resin-liver-52"),
        ("tcp-logistic", TCP | {"indication": "GBM"}, "GBM"),
        ("tcp-poisson", {"eubed_gy": 441.0, "alpha_per_gy": 0.036}, "clonogen_number is missing"),
        ("cumulative-bed", {"sessions": {"a": {"dose_gy": 40.0}}, **LIVER}, "session 'a'"),
        ("cumulative-bed", {"sessions": {"a": {"dose_gy": 40.0, "nuclide": "Y-90", "fraction_gy": 2.0}}, **LIVER}, "session 'a'"),
        ("cumulative-bed", {"sessions": {"a": {"dose": 40.0, "nuclide": "Y-90"}}, **LIVER}, "did you mean dose_gy"),
        ("sphere-density", {"product": "glass", "activity_gbq": 1.0}, "volume_ml"),
        ("sphere-density", {"product": "glass", "activity_gbq": 1.0, "volume_ml": 5.0, "mean_dose_gy": 3.0}, "mean_dose_gy"),
        ("sphere-density", {"product": "glass", "activity_gbq": 1.0, "volume_ml": 5.0, "dose_constant": "50"}, "dose_constant"),
        ("sphere-tail", {"product": "glass", "mean_dose_gy": 120.0, "spheres_per_ml": 1e3, "elapsed_h": 24.0}, "elapsed_h"),
        ("sphere-tail", {"product": "glass", "mean_dose_gy": 120.0, "cluster_number": 500.0}, "clusters per mL"),
        ("sphere-tail", {"product": "glass", "mean_dose_gy": 120.0, "cluster_number": 0.5}, "clusters"),
        ("sphere-tail", {"product": "clay", "mean_dose_gy": 120.0}, "clay"),
    ],
)
def test_what_is_refused(name, payload, says):
    with pytest.raises(OpensirtError) as error:
        calc(name, payload)
    assert says in str(error.value)


def test_effective_and_biological_half_life_say_the_same():
    """1/T_eff = 1/159.528 + 1/124.72 h⁻¹: 70.0 h; G = 2.5/(2.5 + 70) and BED = 40 (1 + 40 G/2.5) = 62.07 Gy, by hand."""
    case = {"dose_gy": 40.0, "nuclide": "Lu-177", **LIVER}
    biological = 1.0 / (1.0 / 70.0 - 1.0 / 159.528)
    by_effective = calc("bed", case | {"effective_half_life_h": 70.0})["result"]
    by_biological = calc("bed", case | {"biological_half_life_h": biological})["result"]
    assert by_effective["bed_gy"] == pytest.approx(40.0 * (1.0 + 40.0 / 2.5 * 2.5 / 72.5), rel=1e-12)
    assert by_biological["bed_gy"] == pytest.approx(by_effective["bed_gy"], rel=1e-9)


def test_an_effective_half_life_of_spheres_is_a_finding():
    assert "radiobiology.clearance_of_spheres" in codes("bed", BED | {"effective_half_life_h": 50.0})


def test_an_indication_without_parameters_is_refused():
    with pytest.raises(UnsupportedInput, match="NET"):
        calc("ntcp-logistic", {"eud_gy": 40.0, "gamma50": 1.0, "parameters": "resin-liver-52", "indication": "NET"})


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (BED | {"half_life_h": 60.0}, "radiobiology.half_life_differs"),
        (BED | {"biological_half_life_h": 100.0}, "radiobiology.clearance_of_spheres"),
        (BED | {"nuclide": "Ho-166", "repair_half_time_h": 30.0}, "radiobiology.slow_repair"),
        (BED | {"alpha_beta_gy": 60.0}, "calc.unusual_value"),
        ({"dose_gy": 60.0, "nuclide": "Y-90", "tissue": "liver-2.5"}, "radiobiology.unverified"),
    ],
)
def test_what_is_to_be_weighed(payload, code):
    assert code in codes("bed", payload)


def test_a_plain_case_finds_nothing():
    assert codes("bed", BED) == set()
    assert codes("bed", {"dose_gy": 60.0, "nuclide": "Y-90", "tissue": "liver-2.75"}) == set()


def test_a_stated_parameter_replaces_that_of_the_tissue():
    mixed = calc(
        "bed", {"dose_gy": 60.0, "nuclide": "Y-90", "tissue": "tumour-10", "alpha_beta_gy": 2.5, "repair_half_time_h": 2.5}
    )
    assert mixed["result"] == calc("bed", BED)["result"]
    assert {constant["key"] for constant in mixed["constants"]} == {"Y-90.half_life_h"}


def test_other_fractions_carry_their_own_key():
    answer = calc("bed", BED | {"fraction_gy": 3.0})["result"]
    assert answer["eqd3_gy"] == pytest.approx(answer["bed_gy"] / (1.0 + 3.0 / 2.5), rel=1e-12)
    assert "eqd2_gy" not in answer


def test_effective_half_life_is_that_of_decay_and_clearance():
    """With T_b = T_p the half-life halves: G = 2.5 / (2.5 + 50)."""
    payload = {"dose_gy": 10.0, "half_life_h": 100.0, "biological_half_life_h": 100.0, **LIVER}
    assert calc("bed", payload)["result"]["repair_factor"] == pytest.approx(2.5 / 52.5, rel=1e-12)


def test_sessions_share_their_parameters_and_not_their_doses():
    """α/β errs alike for both sessions and adds up; their doses are independent."""
    dose = {"value": 40.0, "standard_uncertainty": 4.0}
    sessions = {name: {"dose_gy": dose, "nuclide": "Y-90"} for name in ("one", "two")}
    both = calc("cumulative-bed", {"sessions": sessions, "tissue": "liver-2.75"})
    single = calc("bed", {"dose_gy": dose, "nuclide": "Y-90", "tissue": "liver-2.75"})
    shares, alone = both["contributions"]["bed_gy"], single["contributions"]["bed_gy"]
    assert both["result"]["bed_gy"] == pytest.approx(2.0 * single["result"]["bed_gy"], rel=1e-12)
    for key in ("alpha_beta.liver", "repair_half_time.normal", "half_life"):
        assert shares[key] == pytest.approx(2.0 * alone[key], rel=1e-6)
    assert shares["dose_gy.one"] == shares["dose_gy.two"] == pytest.approx(alone["dose_gy"], rel=1e-6)


def test_sessions_of_one_rate_are_not_told_to_differ():
    sessions = {name: {"dose_gy": 40.0, "nuclide": "Y-90"} for name in ("one", "two")}
    assert codes("cumulative-bed", {"sessions": sessions, **LIVER}) == {"radiobiology.no_cumulative_limit"}


def test_the_spread_of_d50_reaches_the_probability():
    """dP/d ln D50 = −4 γ50 P (1 − P): at D50, −γ50 · u(D50)/D50."""
    answer = calc(
        "tcp-logistic", {"eud_gy": 292.0, "gamma50": 1.5, "parameters": "glass-dose-292", "product": "glass", "indication": "HCC"}
    )
    spread = (292.0 - 250.0) / math.sqrt(12.0)
    assert answer["contributions"]["tcp"]["d50.glass_dose"] == pytest.approx(-1.5 * spread / 292.0, rel=1e-5)


def test_spread_of_activity_per_sphere_reaches_the_number():
    answer = calc("sphere-density", {"product": "glass", "activity_gbq": 1.0, "volume_ml": 500.0})
    assert answer["result"]["spheres_per_ml"] == pytest.approx(1e9 / 500.0 / 2500.0, rel=1e-12)
    assert answer["contributions"]["spheres_per_ml"]["activity_per_sphere"] == pytest.approx(-800.0 * 360.0 / 2500.0, rel=1e-6)


def test_an_empty_list_is_refused():
    with pytest.raises(InvalidValue):
        calc("eubed-from-beds", {"beds_gy": [], "alpha_per_gy": 0.1})

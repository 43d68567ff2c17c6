"""Activity formulas of ``calc`` from outside: inverse of several injections, comparison of all models, lung limit, residual; what is refused."""

from __future__ import annotations

import json
import math

import pytest

from opensirt.radioembolisation.dosimetry.models.catalogue import MODELS as ACTIVITY_MODELS
from opensirt.vocabulary.errors import InvalidValue, PlanInfeasible, UnsupportedInput
from opensirt.workflow.calc import calc, calc_example
from published.answers import codes, results

EXACT = 1e-12
SOLVED = 1e-9
"""A linear system of two or three unknowns."""

RIGHT = {"lung_shunt_fraction": 0.05, "counts": {"tumour.T1": 400, "normal_liver": 600}}
LEFT = {"lung_shunt_fraction": 0.03, "counts": {"tumour.T2": 250, "normal_liver": 500}}
MASS = {"tumour.T1": 0.12, "tumour.T2": 0.05, "normal_liver": 1.4, "lungs": 1.0}
BOTH = {"nuclide": "Y-90", "dose_constant": "49.67", "mass_kg": MASS}


def goal(injection: dict, compartment: str, gy: float) -> dict:
    return injection | {"goal_compartment": compartment, "goal_gy": gy}


def test_one_injection_by_hand():
    """150 Gy to 0.12 kg that holds 40 % of 95 %: 150 · 0.12 / (49.67 · 0.95 · 0.4) = 0.95366 GBq."""
    answer = results(
        "multi-compartment-activity", **BOTH | {"mass_kg": {"tumour.T1": 0.12}}, injections={"r": goal(RIGHT, "tumour.T1", 150.0)}
    )
    assert answer["r.delivered_gbq"] == pytest.approx(150.0 * 0.12 / (49.67 * 0.95 * 0.4), rel=EXACT)
    assert answer["tumour.T1.dose_gy"] == pytest.approx(150.0, rel=EXACT)


def test_two_goals_on_shared_liver_and_back():
    """T1 150 Gy from the right; normal liver 30 Gy from both: the left gives what the right leaves."""
    injections = {"right": goal(RIGHT, "tumour.T1", 150.0), "left": goal(LEFT, "normal_liver", 45.0)}
    answer = results("multi-compartment-activity", **BOTH, injections=injections)
    right = 150.0 * 0.12 / (49.67 * 0.95 * 0.4)
    left = (45.0 - 49.67 * right * 0.95 * 0.6 / 1.4) / (49.67 * 0.97 * (500 / 750) / 1.4)
    assert answer["right.delivered_gbq"] == pytest.approx(right, rel=SOLVED)
    assert answer["left.delivered_gbq"] == pytest.approx(left, rel=SOLVED)
    given = {
        "right": RIGHT | {"delivered_gbq": answer["right.delivered_gbq"]},
        "left": LEFT | {"delivered_gbq": answer["left.delivered_gbq"]},
    }
    forward = results("count-partition", **BOTH, injections=given)
    assert forward["tumour.T1.dose_gy"] == pytest.approx(150.0, rel=SOLVED)
    assert forward["normal_liver.dose_gy"] == pytest.approx(45.0, rel=SOLVED)


def test_a_given_activity_counts_before_the_goal():
    injections = {"right": goal(RIGHT, "normal_liver", 30.0), "left": LEFT | {"delivered_gbq": 0.8}}
    answer = results("multi-compartment-activity", **BOTH, injections=injections)
    assert answer["left.delivered_gbq"] == 0.8
    assert answer["normal_liver.dose_gy"] == pytest.approx(30.0, rel=SOLVED)


def test_goals_that_cannot_be_met_or_do_not_decide():
    too_low = {"right": goal(RIGHT, "normal_liver", 5.0), "left": LEFT | {"delivered_gbq": 2.0}}
    with pytest.raises(PlanInfeasible, match="right"):
        calc("multi-compartment-activity", BOTH | {"injections": too_low})
    same = {"right": goal(RIGHT, "normal_liver", 40.0), "left": goal(LEFT, "normal_liver", 40.0)}
    with pytest.raises(InvalidValue, match="do not determine"):
        calc("multi-compartment-activity", BOTH | {"injections": same})
    elsewhere = {"right": goal(RIGHT, "tumour.T2", 40.0), "left": LEFT | {"delivered_gbq": 0.5}}
    with pytest.raises(InvalidValue, match="receives nothing"):
        calc("multi-compartment-activity", BOTH | {"injections": elsewhere})


@pytest.mark.parametrize(
    "injections",
    [
        {"right": RIGHT | {"delivered_gbq": 1.0}},
        {"right": RIGHT},
        {"right": goal(RIGHT, "tumour.T1", 150.0) | {"delivered_gbq": 1.0}},
        {"right": RIGHT | {"goal_gy": 150.0}},
        {"right": goal(RIGHT, "tumour.T9", 150.0)},
        {"right": goal(RIGHT | {"counts": {"tumour.T1": 0, "normal_liver": 0}}, "tumour.T1", 150.0)},
    ],
)
def test_injections_that_say_too_much_or_too_little(injections):
    with pytest.raises(InvalidValue):
        calc("multi-compartment-activity", BOTH | {"injections": injections})


def test_uncertainty_of_a_solved_activity():
    uncertain = RIGHT | {"lung_shunt_fraction": {"value": 0.05, "standard_uncertainty": 0.01}}
    answer = calc(
        "multi-compartment-activity",
        BOTH | {"injections": {"r": goal(uncertain, "tumour.T1", 150.0)}, "mass_kg": {"tumour.T1": 0.12}},
    )
    gbq = answer["result"]["r.delivered_gbq"]
    assert answer["contributions"]["r.delivered_gbq"]["lung_shunt_fraction.r"] / gbq == pytest.approx(0.01 / 0.95, rel=1e-5)


def test_lung_limit_activity():
    """30 Gy · 1 kg / (49.67 · 0.1) = 6.0399 GBq; without a shunt there is no bound, and that is an error and not infinity."""
    case = {"nuclide": "Y-90", "dose_constant": "49.67", "lung_limit_gy": 30.0, "lung_mass_kg": 1.0}
    assert results("lung-limit-activity", **case, lung_shunt_fraction=0.1)["delivered_gbq"] == pytest.approx(6.0399, abs=5e-5)
    with pytest.raises(InvalidValue, match="no bound"):
        calc("lung-limit-activity", case | {"lung_shunt_fraction": 0.0})


def test_dispensed_from_delivered():
    """W2: 2.3041 GBq delivered, a tenth stays behind: 2.560 dispensed, 0.256 left."""
    answer = results("dispensed-activity", delivered_gbq=2.3041, residual_fraction=0.1)
    assert answer["dispensed_gbq"] == pytest.approx(2.560, abs=5e-4)
    assert answer["dispensed_gbq"] - answer["residual_gbq"] == pytest.approx(2.3041, rel=EXACT)
    with pytest.raises(InvalidValue, match=r"0\.1 for 10 %"):
        calc("dispensed-activity", {"delivered_gbq": 2.3, "residual_fraction": 10})


def test_every_activity_model_stands_in_the_comparison():
    answer = calc("model-comparison", calc_example("model-comparison"))
    result = answer["result"]
    answered = {key.removesuffix(".activity_gbq") for key in result if key.endswith(".activity_gbq")}
    assert answered | set(result["no_activity"]) == set(ACTIVITY_MODELS)
    assert set(result["no_activity"]) == {"ho166-scout"}
    json.dumps(answer, allow_nan=False)
    values = [result[f"{key}.activity_gbq"] for key in answered]
    assert result["largest_to_smallest_ratio"] == pytest.approx(max(values) / min(values), rel=EXACT)
    for explained in result["against_reference"]:
        factors = math.prod(reason["factor"] for reason in explained["reasons"])
        assert factors == pytest.approx(explained["ratio"], rel=EXACT)
        assert explained["ratio"] == pytest.approx(
            result[f"{explained['of']}.activity_gbq"] / result["partition.activity_gbq"], rel=EXACT
        )


def test_one_formula_and_the_comparison_agree():
    """The same patient through each formula of its own."""
    result = results("model-comparison", **calc_example("model-comparison") | {"dose_constant": "49.67", "density_g_per_ml": 1.05})
    alone = results(
        "partition-activity",
        nuclide="Y-90",
        dose_constant="49.67",
        tumour_mass_kg=0.315,
        normal_mass_kg=0.945,
        tumour_to_normal=4.0,
        lung_shunt_fraction=0.06,
        lung_mass_kg=1.0,
        tumour_target_gy=120.0,
        normal_limit_gy=40.0,
        lung_limit_gy=30.0,
    )
    assert result["partition.activity_gbq"] == pytest.approx(
        min(value for key, value in alone.items() if key.endswith("activity_gbq")), rel=EXACT
    )
    surface = results("bsa", height_cm=172, weight_kg=75, tumour_volume_ml=350, normal_volume_ml=1500, lung_shunt_fraction=0.06)
    assert result["bsa.activity_gbq"] == pytest.approx(surface["activity_gbq"], rel=EXACT)
    mean = results(
        "mird-activity",
        nuclide="Y-90",
        dose_constant="49.67",
        dose_gy=80.0,
        perfused_mass_kg=1.26,
        lung_shunt_fraction=0.06,
        residual_fraction=0.02,
        lung_mass_kg=1.0,
    )
    assert result["mird.activity_gbq"] == pytest.approx(mean["dispensed_gbq"], rel=EXACT)


def test_what_is_missing_is_told_by_model():
    result = results(
        "model-comparison",
        product="glass",
        tumour_volume_ml=300.0,
        normal_volume_ml=900.0,
        lung_shunt_fraction=0.05,
        perfused_target_gy=120.0,
    )
    assert "mird.activity_gbq" in result
    assert "tumour_to_normal" in result["no_activity"]["partition"]
    assert "height_cm" in result["no_activity"]["bsa"]
    assert "compartments" in result["no_activity"]["multi-compartment"]


def test_nothing_to_compare_is_an_error():
    with pytest.raises(InvalidValue, match="no model has an activity"):
        calc("model-comparison", {"product": "glass"})
    with pytest.raises(UnsupportedInput, match="partition"):
        calc("model-comparison", calc_example("model-comparison") | {"reference": "oracle"})
    with pytest.raises(UnsupportedInput):
        calc("model-comparison", calc_example("model-comparison") | {"product": "beads"})


def test_a_ratio_below_one_and_segmentectomy_are_findings():
    example = calc_example("model-comparison")
    assert "perfusion.low_uptake" in codes("model-comparison", **example | {"tumour_to_normal": 0.8})
    alone = {key: value for key, value in example.items() if key not in ("tumour_to_normal", "compartments")}
    assert "perfusion.no_normal_liver" in codes("model-comparison", **alone | {"normal_volume_ml": 0.0})
    with pytest.raises(InvalidValue, match="tumour_to_normal"):
        calc("model-comparison", example | {"tumour_to_normal": math.inf})


@pytest.mark.parametrize(
    "case",
    [
        {"activity_ratio": 1.0, "tumour_to_normal": 5.0, "artery_shunt_fraction": 0.1},
        {"activity_ratio": 1.0, "artery_shunt_fraction": 0.1, "lung_shunt_fraction": 0.05},
        {"activity_ratio": 1.0},
        {"artery_shunt_fraction": 0.1},
        {"activity_ratio": 0.0, "artery_shunt_fraction": 0.1},
    ],
)
def test_predictive_partition_asks_for_one_of_each(case):
    payload = {"nuclide": "Y-90", "tumour_dose_gy": 120.0, "tumour_mass_kg": 0.3, "normal_mass_kg": 1.5} | case
    with pytest.raises(InvalidValue):
        calc("predictive-partition-activity", payload)


@pytest.mark.parametrize("model", ["predictive-partition-activity", "ho166-scout-activity"])
def test_published_constant_where_none_is_stated(model):
    payload = {key: value for key, value in calc_example(model).items() if key != "dose_constant"}
    constants = {constant["key"] for constant in calc(model, payload)["constants"]}
    assert constants & {"Y-90.dose_constant.50", "Ho-166.dose_constant.15.87"}

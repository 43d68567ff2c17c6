"""Limits, eligibility, lung dose over treatments and late effects through ``calc``."""

from __future__ import annotations

import pytest

from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, OpensirtError, UnitError
from opensirt.workflow.calc import calc, calc_example

ROUNDING = 1e-9


def codes(answer) -> set[str]:
    return {finding["code"] for finding in answer["findings"]}


def test_bilirubin_in_either_unit_gives_the_same_limit():
    base = {"product": "glass", "indication": "HCC", "setting": "unilobar", "pretreated": "no"}
    for mg_per_dl, gy in ((1.0, 90.0), (1.1, 50.0), (1.2, 50.0)):
        for given in ({"bilirubin_mg_per_dl": mg_per_dl}, {"bilirubin_umol_per_l": mg_per_dl * 17.1}):
            assert calc("limits", base | given)["result"]["normal_liver_limit_gy"] == gy
    with pytest.raises(InconsistentInput):
        calc("limits", base | {"bilirubin_mg_per_dl": 1.0, "bilirubin_umol_per_l": 17.1})


def test_earlier_sessions_reach_the_limits():
    payload = {"product": "glass", "indication": "NET", "setting": "unilobar", "bilirubin_mg_per_dl": 0.8, "pretreated": "no"}
    assert calc("limits", payload)["result"]["normal_liver_limit_gy"] == 90.0
    answer = calc("limits", payload | {"earlier_sessions": {"right": {"lung_gy": 31.0}}})
    assert answer["result"]["lungs_limit_gy"] == pytest.approx(19.0, rel=ROUNDING)
    assert answer["result"]["normal_liver_limit_gy"] == 50.0  # treated before, whatever was stated


@pytest.mark.parametrize(
    "wrong",
    [
        {"product": "gold"},
        {"child_pugh": "D"},
        {"albi_grade": 4},
        {"albi_grade": 1.5},
        {"pretreated": "perhaps"},
        {"reserve_fraction": 45},
        {"earlier_treatment": "no", "earlier_sessions": {"right": {"lung_gy": 1.0}}},
        {"earlier_treatment": "yes"},
        {"earlier_sessions": {"right": {"lung": 1.0}}},
        {"earlier_sessions": {"right": {"lung_gy": 50.0}}},
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(OpensirtError):
        calc("limits", calc_example("limits") | wrong)


@pytest.mark.parametrize(
    ("now", "before", "total", "expected"),
    [
        (12.0, 9.0, 21.0, set()),
        (30.5, 9.0, 39.5, {"dose.lung_above_limit"}),
        (25.0, 26.0, 51.0, {"dose.lung_above_cumulative_limit"}),
        (31.0, 20.0, 51.0, {"dose.lung_above_limit", "dose.lung_above_cumulative_limit"}),
    ],
)
def test_lung_dose_over_all_treatments(now, before, total, expected):
    answer = calc("lung-cumulative", {"lung_gy": now, "earlier_sessions": {"first": {"lung_gy": before}}})
    result = answer["result"]
    assert result["lung_cumulative_gy"] == pytest.approx(total, rel=ROUNDING)
    assert result["left_after_gy"] == pytest.approx(50.0 - total, rel=ROUNDING)
    assert result["left_before_gy"] == pytest.approx(50.0 - before, rel=ROUNDING)
    assert result["sum_is_complete"] is True
    assert codes(answer) == expected


def test_lung_dose_with_uncertainty_and_with_a_session_unknown():
    answer = calc(
        "lung-cumulative",
        {"lung_gy": {"value": 12.0, "standard_uncertainty": 2.0}, "earlier_sessions": {"a": {"lung_gy": 9.0}, "b": {}}},
    )
    assert answer["contributions"]["lung_cumulative_gy"]["lung_gy"] == pytest.approx(2.0, rel=1e-6)
    assert answer["contributions"]["left_after_gy"]["lung_gy"] == pytest.approx(-2.0, rel=1e-6)
    assert answer["result"]["sum_is_complete"] is False
    assert codes(answer) == {"lung.earlier_not_known"}
    assert "lung.earlier_not_stated" in codes(calc("lung-cumulative", {"lung_gy": 12.0}))
    assert codes(calc("lung-cumulative", {"lung_gy": 12.0, "earlier_treatment": "no"})) == set()


def state_of(answer, key: str) -> str:
    return next(row["state"] for row in answer["result"]["criteria"] if row["key"] == key)


def test_the_least_that_can_be_stated_about_eligibility_leaves_the_rest_open():
    ask = ("portal_hypertension", "active_hepatitis", "gastrointestinal_deposition")
    answer = calc("eligibility", dict.fromkeys(ask, "unknown"))
    assert answer["result"]["not_known"] == len(answer["result"]["criteria"]) == 15
    answer = calc("eligibility", dict.fromkeys(ask, "yes"))
    assert (answer["result"]["absolute_met"], answer["result"]["not_known"]) == (3.0, 12.0)


def test_eligibility_by_hand():
    payload = calc_example("eligibility") | {
        "bilirubin_umol_per_l": 40.0,
        "platelets_per_nl": 45.0,
        "systemic_weeks_ago": 2.0,
        "alt_times_uln": 6.0,
        "life_expectancy_months": 2.0,
    }
    answer = calc("eligibility", payload)
    counts = {key: answer["result"][key] for key in ("absolute_met", "relative_met", "cautions_met", "not_known")}
    assert counts == {"absolute_met": 1.0, "relative_met": 3.0, "cautions_met": 1.0, "not_known": 0.0}
    assert state_of(answer, "life_expectancy_months") == "met"


def test_systemic_therapy_that_never_was():
    payload = calc_example("eligibility") | {"systemic_therapy": "never"}
    with pytest.raises(InconsistentInput):
        calc("eligibility", payload)
    del payload["systemic_weeks_ago"]
    assert state_of(calc("eligibility", payload), "systemic_weeks_ago") == "not met"
    assert state_of(calc("eligibility", payload | {"systemic_therapy": "unknown"}), "systemic_weeks_ago") == "not known"
    assert state_of(calc("eligibility", payload | {"systemic_therapy": "earlier"}), "systemic_weeks_ago") == "not known"


def test_spared_remnant_by_hand():
    # 1900 − 250 = 1650 mL normal liver; 1150 − 220 = 930 of it treated; 720 mL spared
    found = calc("spared-remnant", calc_example("spared-remnant"))["result"]
    assert found["spared_ml"] == pytest.approx(720.0, rel=ROUNDING)
    assert found["spared_fraction"] == pytest.approx(720.0 / 1650.0, rel=ROUNDING)
    assert found["standard_vauthey_ml"] == pytest.approx(1487.104, rel=ROUNDING)
    assert found["standard_urata_ml"] == pytest.approx(1273.56, rel=ROUNDING)
    with pytest.raises(InconsistentInput):
        calc("spared-remnant", calc_example("spared-remnant") | {"treated_ml": 2000.0})


def test_late_effects_add_the_doses_and_name_the_patients():
    answer = calc("late-effects", calc_example("late-effects"))
    assert answer["result"]["cumulative_normal_liver_gy"] == pytest.approx(46.0, rel=ROUNDING)
    seen = {row["key"]: row for row in answer["result"]["seen_late"]}
    assert (seen["ascites"]["percent"], seen["ascites"]["affected"], seen["ascites"]["patients"]) == (13.3, 2, 15)
    assert {"late.seen", "late.no_cumulative_limit"} <= codes(answer)
    whole = calc("late-effects", calc_example("late-effects") | {"extent": "whole"})
    assert {row["patients"] for row in whole["result"]["seen_late"]} == {39}
    with pytest.raises(InvalidValue):
        calc("late-effects", calc_example("late-effects") | {"extent": "half"})


@pytest.mark.parametrize("name", ["limits", "eligibility"])
@pytest.mark.parametrize("slip", [{"bilirubin_umol_per_l": 2.5}, {"bilirubin_mg_per_dl": 43.0}, {"bilirubin_umol_per_l": 1200.0}])
def test_a_bilirubin_in_the_other_unit_is_refused(name, slip):
    payload = {key: value for key, value in calc_example(name).items() if not key.startswith("bilirubin")}
    with pytest.raises(UnitError, match="bilirubin"):
        calc(name, payload | slip)


def test_eligibility_takes_the_names_of_the_patients_file():
    base = {key: "no" for key in ("portal_hypertension", "active_hepatitis", "gastrointestinal_deposition")}
    ours = {"leukocytes_per_nl": 1.0, "platelets_per_nl": 20.0, "inr": 3.0, "ast_times_uln": 9.0, "alt_times_uln": 9.0}
    names = ("leukocytes_1e9_per_l", "platelets_1e9_per_l", "inr_ratio", "ast_uln_ratio", "alt_uln_ratio")
    theirs = dict(zip(names, ours.values(), strict=True))
    one, other = calc("eligibility", base | ours), calc("eligibility", base | theirs)
    assert one["result"]["criteria"] == other["result"]["criteria"]
    assert one["result"]["not_known"] < calc("eligibility", base)["result"]["not_known"]
    with pytest.raises(InconsistentInput):
        calc("eligibility", base | ours | {"inr_ratio": 3.0})

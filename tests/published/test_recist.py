"""RECIST 1.1 (Eisenhauer et al. 2009), mRECIST, WHO, EASL, Choi and volumes: worked cases through ``calc`` (W49, W50).

Oracle: percentages by hand beside each case.
"""

from __future__ import annotations

import pytest

from opensirt.vocabulary.errors import OpensirtError
from published.answers import codes, results

TENTH = 0.05


def recist(baseline: float, nadir: float, current: float, **more) -> str:
    return results("recist", baseline_sum_mm=baseline, nadir_sum_mm=nadir, current_sum_mm=current, **more)["target_response"]


@pytest.mark.parametrize(
    ("current", "expected", "from_nadir", "from_baseline"),
    [(71, "SD", 18.3, -29.0), (72, "PD", 20.0, -28.0), (70, "PR", 16.7, -30.0)],
)
def test_w49_baseline_100_nadir_60(current: float, expected: str, from_nadir: float, from_baseline: float):
    answer = results("recist", baseline_sum_mm=100, nadir_sum_mm=60, current_sum_mm=current)
    assert answer["target_response"] == answer["overall_response"] == expected
    assert answer["change_from_nadir_percent"] == pytest.approx(from_nadir, abs=TENTH)
    assert answer["change_from_baseline_percent"] == pytest.approx(from_baseline, abs=TENTH)
    assert answer["change_from_nadir_mm"] == current - 60


def test_w50_twenty_per_cent_but_four_millimetres():
    assert recist(100, 20, 24) != "PD"
    assert recist(20, 20, 24) == "SD"
    assert "response.rise_below_5_mm" in codes("recist", baseline_sum_mm=20, nadir_sum_mm=20, current_sum_mm=24)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ((100, 100, 70), "PR"),
        ((100, 50, 60), "PD"),
        ((100, 50, 59), "PR"),
        ((100, 20, 24), "PR"),
        ((100, 20, 25), "PD"),
        ((100, 60, 72), "PD"),
        ((100, 60, 0), "CR"),
    ],
)
def test_baseline_nadir_current(case: tuple[float, float, float], expected: str):
    assert recist(*case) == expected


def test_nodes():
    """All else gone, a node of 9 mm left: complete; of 11 mm: partial."""
    assert recist(80, 40, 9, largest_node_mm=9) == "CR"
    assert recist(80, 40, 11, largest_node_mm=11) == "PR"
    with pytest.raises(OpensirtError):
        recist(80, 40, 9, largest_node_mm=12)


@pytest.mark.parametrize(
    ("target_case", "non_targets", "new", "overall"),
    [
        ((100, 60, 0), "CR", "none", "CR"),
        ((100, 60, 0), "none", "none", "CR"),
        ((100, 60, 0), "non-CR/non-PD", "none", "PR"),
        ((100, 60, 0), "NE", "none", "PR"),
        ((100, 100, 70), "NE", "none", "PR"),
        ((100, 100, 90), "non-CR/non-PD", "none", "SD"),
        ((100, 100, 70), "PD", "none", "PD"),
        ((100, 100, 70), "CR", "present", "PD"),
        ((100, 60, 72), "CR", "none", "PD"),
    ],
)
def test_overall(target_case: tuple[float, float, float], non_targets: str, new: str, overall: str):
    case = dict(zip(("baseline_sum_mm", "nadir_sum_mm", "current_sum_mm"), target_case, strict=True))
    answer = results("recist", **case, non_targets=non_targets, new_lesions=new)
    assert answer["overall_response"] == overall
    assert answer["overall_response_rule"].startswith("overall.")


def test_lesion_by_lesion_finds_the_nadir():
    """60 + 40 = 100; 40 + 20 = 60; 45 + 27 = 72 mm: exactly +20 % and +12 mm."""
    lesions = {
        "T1": {"organ": "liver", "baseline_mm": 60, "follow_up_mm": [40, 45]},
        "T2": {"organ": "liver", "baseline_mm": 40, "follow_up_mm": [20, 27]},
    }
    answer = results("recist-lesions", lesions=lesions)
    assert (answer["nadir_sum_mm"], answer["current_sum_mm"], answer["target_response"]) == (60.0, 72.0, "PD")
    lesions["T2"]["follow_up_mm"] = [20, 26]
    assert results("recist-lesions", lesions=lesions)["target_response"] == "SD"
    lesions["T2"]["follow_up_mm"] = [20, None]
    assert results("recist-lesions", lesions=lesions)["target_response"] == "NE"


def test_mrecist_counts_what_enhances():
    case = {"baseline_sum_mm": 100, "nadir_sum_mm": 100, "arterial_phase": "yes"}
    assert results("mrecist", **case, current_sum_mm=70)["target_response"] == "PR"
    assert results("mrecist", **case, current_sum_mm=71)["target_response"] == "SD"
    assert results("mrecist", **case, current_sum_mm=120)["target_response"] == "PD"
    assert results("mrecist", **case, current_sum_mm=0)["target_response"] == "CR"
    with pytest.raises(OpensirtError, match="arterial phase"):
        results("mrecist", **(case | {"arterial_phase": "no"}), current_sum_mm=70)
    lesion = {"T1": {"organ": "liver", "baseline_mm": 40, "follow_up_mm": [30], "enhances": "no"}}
    with pytest.raises(OpensirtError, match="cannot be a target"):
        results("recist-lesions", lesions=lesion, criterion="mrecist", arterial_phase="yes")


@pytest.mark.parametrize("model", ["who-response", "easl"])
@pytest.mark.parametrize(("current", "expected"), [(2000, "PR"), (2001, "SD"), (5000, "SD"), (5001, "PD"), (0, "CR")])
def test_areas(model: str, current: float, expected: str):
    """Of 4000 mm²: 50 % is 2000; +25 % is 5000 and not yet progression."""
    more = {"arterial_phase": "yes"} if model == "easl" else {}
    assert results(model, baseline_sum_mm2=4000, nadir_sum_mm2=4000, current_sum_mm2=current, **more)["target_response"] == expected


@pytest.mark.parametrize(("current", "expected"), [(343, "PR"), (343.1, "SD"), (1727.9, "SD"), (1728, "PD")])
def test_volumes(current: float, expected: str):
    """0.7³ = 0.343 and 1.2³ = 1.728 of 1000 mL."""
    assert results("volumetric-response", baseline_ml=1000, nadir_ml=1000, current_ml=current)["target_response"] == expected


@pytest.mark.parametrize(
    ("current_mm", "current_hu", "choi", "modified"),
    [
        (90, 100, "PR", "no PR"),
        (95, 85, "PR", "no PR"),
        (90, 85, "PR", "PR"),
        (110, 100, "PD", "no PR"),
        (110, 85, "PR", "no PR"),
        (95, 90, "SD", "no PR"),
    ],
)
def test_choi(current_mm: float, current_hu: float, choi: str, modified: str):
    case = {"baseline_sum_mm": 100, "nadir_sum_mm": 100, "current_sum_mm": current_mm, "baseline_hu": 100, "current_hu": current_hu}
    assert results("choi", **case)["target_response"] == choi
    assert results("modified-choi", **case)["target_response"] == modified


def test_uncertain_sums_near_a_boundary_are_open():
    case = {"baseline_sum_mm": 100, "nadir_sum_mm": 60}
    assert "calc.category_uncertain" in codes("recist", **case, current_sum_mm={"value": 71, "standard_uncertainty": 2})
    assert "calc.category_uncertain" not in codes("recist", **case, current_sum_mm={"value": 90, "standard_uncertainty": 2})


def test_patient_liver_and_treated_territory():
    """Treated 50 → 30 mm (−40 %), untreated 20 → 20; together 70 → 50 (−28.6 %); a new lesion in the untreated lobe."""
    lesions = {
        "T1": {"region": "treated", "organ": "liver", "baseline_mm": 50, "follow_up_mm": [30]},
        "T2": {"region": "untreated-liver", "organ": "liver", "baseline_mm": 20, "follow_up_mm": [20]},
    }

    def seen(answer: dict) -> tuple:
        return answer["overall"], answer["hepatic"], answer["treated_territory"]

    assert seen(results("response-scopes", lesions=lesions)) == ("SD", "SD", "PR")
    assert seen(results("response-scopes", lesions=lesions, regions={"untreated-liver": {"new_lesions": "present"}})) == (
        "PD",
        "PD",
        "PR",
    )
    del lesions["T1"]
    assert seen(results("response-scopes", lesions=lesions)) == ("SD", "SD", None)
    with pytest.raises(OpensirtError, match="region"):
        results("response-scopes", lesions={"T": {"organ": "liver", "baseline_mm": 50, "follow_up_mm": [30]}})

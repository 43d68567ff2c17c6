"""Questionnaires, diary, syndromes, grades and best response through ``calc``.

Oracle: the scoring rules worked by hand beside each case (EORTC manual, RECIST 1.1, WHO 2019).
"""

from __future__ import annotations

import pytest

from opensirt.vocabulary.errors import OpensirtError
from published.answers import codes, results

FOUR_DECIMALS = 5e-5


def c30(**answers: int) -> dict:
    return results("qlq-c30", answers={key.removeprefix("q"): value for key, value in answers.items()})


def test_c30_by_hand():
    assert c30(q1=1, q2=2, q3=2, q4=1, q5=1)["PF2"] == pytest.approx(86.6667, abs=FOUR_DECIMALS)
    assert c30(q21=2, q24=4)["EF"] == pytest.approx(33.3333, abs=FOUR_DECIMALS)
    assert c30(q29=5, q30=6)["QL2"] == 75.0
    assert "PF2" in c30(q1=1, q5=2)["missing_scales"]
    with pytest.raises(OpensirtError, match="item 1 holds 5"):
        c30(q1=5)
    with pytest.raises(OpensirtError, match="whole number"):
        c30(q1=1.5)


def test_c30_summary():
    """All items 1: functions 100, symptoms 0: summary 100. All items 4: 0."""
    for answer, summary in ((1, 100.0), (4, 0.0)):
        answers = {str(item): answer for item in range(1, 29)} | {"29": 4, "30": 4}
        assert results("qlq-c30", answers=answers)["summary"] == summary
    assert "summary" not in results("qlq-c30", answers={str(item): 1 for item in range(1, 28) if item != 8})


def test_ginet_keys():
    answers = {"39": 1, "40": 1, "46": 4}
    assert results("qlq-ginet21", answers=answers)["TR"] == 0.0
    assert results("qlq-ginet21", answers=answers, key="pre-2013")["TR"] == pytest.approx(33.3333, abs=FOUR_DECIMALS)
    assert results("qlq-ginet21", answers={"40": 4}, not_applicable=[39])["TR"] == 100.0
    assert "questionnaire.key_not_verified" in codes("qlq-ginet21", answers=answers)
    with pytest.raises(OpensirtError):
        results("qlq-ginet21", answers={"39": 1}, not_applicable=[39])
    with pytest.raises(OpensirtError):
        results("qlq-ginet21", answers={"31": 1}, not_applicable=[32])


def test_diary():
    before = {str(day): 4 for day in range(-7, 0)}
    halved = results("symptom-diary", before=before, after={"1": 2, "2": 2}, period_d=2)
    assert (halved["response"], halved["change_percent"], halved["durable_response"]) == ("partial", -50.0, True)
    assert results("symptom-diary", before=before, after={"1": 2}, period_d=4)["durable_response"] is False
    with pytest.raises(OpensirtError, match="3 valid days"):
        results("symptom-diary", before={"-1": 4, "-2": 4, "-3": 4}, after={"1": 2}, period_d=1)
    with pytest.raises(OpensirtError, match="days"):
        results("symptom-diary", before=before, after={"9": 2}, period_d=4)


@pytest.mark.parametrize(
    ("onset_h", "cause", "expected"),
    [
        ({"pain": 48, "fever": 48}, None, "PES"),
        ({"nausea": 20}, None, "none"),
        ({"pain": 144, "nausea": 144}, None, "PRS"),
        ({"fever": 480, "pain": 480}, "abscess", "adverse event"),
    ],
)
def test_post_embolisation(onset_h: dict[str, float], cause: str | None, expected: str):
    assert results("post-embolisation", onset_h=onset_h, other_cause=cause)["syndrome"] == expected


@pytest.mark.parametrize(
    ("ki67", "mitoses", "how", "expected"),
    [
        (2.9, 1, "well", "NET G1"),
        (3.0, 1, "well", "NET G2"),
        (20.0, 1, "well", "NET G2"),
        (20.1, 1, "well", "NET G3"),
        (1, 21, "well", "NET G3"),
    ]
    + [(70, 40, "poor", "NEC"), (70, 40, "mixed", "MiNEN")],
)
def test_who_2019(ki67: float, mitoses: float, how: str, expected: str):
    answer = results("neuroendocrine-grade", ki67_percent=ki67, mitotic_count_per_2mm2=mitoses, differentiation=how)
    assert (answer["grade"], answer["edition"]) == (expected, "WHO 2019")


def test_clavien_dindo():
    assert results("clavien-dindo", consequence="intervention")["grade"] == "IIIa"
    assert results("clavien-dindo", consequence="drugs")["is_major"] is False


def test_best_response():
    points = {"M1": {"days_from_baseline_d": 30, "response": "SD"}, "M3": {"days_from_baseline_d": 90, "response": "PD"}}
    assert results("best-response", time_points=points)["best_response"] == "PD"
    points["M1"]["days_from_baseline_d"] = 60
    answer = results("best-response", time_points=points)
    assert (answer["best_response"], answer["disease_control"], answer["objective_response"]) == ("SD", True, False)

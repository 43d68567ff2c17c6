"""Definitions each on their own, grades exhaustively against the rows as conditions."""

from __future__ import annotations

import itertools

import pytest

from opensirt.outcomes.reild import (
    Answer,
    Definition,
    LateSigns,
    LiverChange,
    LiverSigns,
    Treatment,
    candidates,
    late_hepatotoxicity,
    reild_grade,
)
from opensirt.outcomes.toxicity import Grade
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, UnitError

YES, NO, UNKNOWN = Answer.YES, Answer.NO, Answer.UNKNOWN
MG_DL = 17.1


def signs(
    days: float = 45.0, bilirubin: float = 60.0, clinical: Answer = YES, excluded: Answer = NO, ascites: Answer = YES
) -> LiverSigns:
    return LiverSigns(days, bilirubin, clinical, clinical, clinical, ascites, excluded, excluded)


def met(given: LiverSigns) -> dict[str, str]:
    return {each.definition.name: each.met.value for each in candidates(given)}


@pytest.mark.parametrize(
    ("days", "braat", "handbook", "sangro"),
    [
        (13.0, "no", "no", "no"),
        (14.0, "yes", "no", "yes"),
        (60.0, "yes", "no", "yes"),
        (61.0, "yes", "yes", "yes"),
        (90.0, "yes", "yes", "yes"),
        (91.0, "yes", "yes", "no"),
        (121.0, "yes", "yes", "no"),
        (122.0, "no", "yes", "no"),
        (182.0, "no", "yes", "no"),
        (183.0, "no", "no", "no"),
    ],
)
def test_windows(days: float, braat: str, handbook: str, sangro: str):
    """Months of 30.4375 days: 2, 4 and 6 months are 60.9, 121.75 and 182.6 days."""
    assert met(signs(days)) == {"BRAAT": braat, "HANDBOOK": handbook, "SANGRO": sangro, "DECOMPENSATION": "yes"}


@pytest.mark.parametrize(("mg_dl", "sangro", "decompensation"), [(2.99, "no", "no"), (3.0, "no", "yes"), (3.01, "yes", "yes")])
def test_three_milligrams(mg_dl: float, sangro: str, decompensation: str):
    found = met(signs(bilirubin=round(mg_dl * MG_DL, 6)))
    assert (found["SANGRO"], found["DECOMPENSATION"]) == (sangro, decompensation)


@pytest.mark.parametrize("part", range(6))
@pytest.mark.parametrize("answer", [UNKNOWN, NO])
def test_every_part_of_the_definition_counts(part: int, answer: Answer):
    parts = [YES, YES, YES, YES, NO, NO]
    parts[part] = answer if part < 4 or answer is UNKNOWN else YES
    found = met(LiverSigns(45.0, 60.0, *parts))
    assert found["BRAAT"] == ("unknown" if answer is UNKNOWN else "no")


def test_an_unknown_part_is_named():
    braat = candidates(signs(ascites=UNKNOWN))[0]
    assert (braat.definition, braat.met, braat.unknown) == (Definition.BRAAT, UNKNOWN, ("ascites",))


def by_conditions(enzymes: int, others: int, treatment: str) -> int | None:
    if treatment != "none":
        return {"non-invasive": 3, "invasive": 4, "fatal": 5}[treatment] if enzymes + others else None
    if others or enzymes > 1:
        return 2
    return enzymes


@pytest.mark.parametrize(
    ("enzymes", "others", "treatment"), list(itertools.product(range(5), range(5), [each.value for each in Treatment]))
)
def test_every_grade(enzymes: int, others: int, treatment: str):
    change, expected = LiverChange(Grade(enzymes), Grade(others)), by_conditions(enzymes, others, treatment)
    if expected is None:
        with pytest.raises(InconsistentInput):
            reild_grade(change, Treatment(treatment), YES)
        return
    answer = reild_grade(change, Treatment(treatment), YES)
    assert int(answer.category) == expected
    assert answer.rule.row == f"reild.{expected}"
    assert ("reild.severe" in {finding.code for finding in answer.findings}) == (expected >= 3)


@pytest.mark.parametrize(("diagnosed", "told"), [(YES, False), (NO, True), (UNKNOWN, True)])
def test_severe_grades_ask_for_a_diagnosis(diagnosed: Answer, told: bool):
    answer = reild_grade(LiverChange(Grade.ONE, Grade.TWO), Treatment.INVASIVE, diagnosed)
    assert ("reild.not_diagnosed" in {finding.code for finding in answer.findings}) == told


@pytest.mark.parametrize(
    ("days", "decompensation", "disciplines", "expected"),
    [(182.0, YES, 2, NO), (183.0, YES, 2, YES), (183.0, YES, 1, UNKNOWN), (400.0, UNKNOWN, 2, UNKNOWN), (400.0, NO, 3, NO)],
)
def test_late_hepatotoxicity(days: float, decompensation: Answer, disciplines: int, expected: Answer):
    assert late_hepatotoxicity(LateSigns(days, decompensation, disciplines)) is expected


def test_signs_that_cannot_be():
    with pytest.raises(InvalidValue):
        signs(days=-1.0)
    with pytest.raises(UnitError):
        signs(bilirubin=1.2)

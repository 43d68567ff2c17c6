"""The decision table, every combination, against the rules written anew as conditions."""

from __future__ import annotations

import itertools

import pytest

from opensirt.outcomes.overall_response import (
    OVERALL_TABLE,
    NewLesion,
    NonTargetResponse,
    OverallResponse,
    overall_response,
)
from opensirt.outcomes.response import TargetResponse
from opensirt.vocabulary.errors import MissingInput, UnsupportedInput

TARGETS = ("CR", "PR", "SD", "PD", "NE", "none")
OTHERS = ("none", "CR", "non-CR/non-PD", "NE", "PD")
NEW = ("none", "present")
EVERY = list(itertools.product(TARGETS, OTHERS, NEW))


def by_conditions(target: str, other: str, new: str) -> str | None:
    """The oracle, from the text of RECIST 1.1 (tables 1 and 2), with no table in it."""
    if "PD" in (target, other) or new == "present":
        return "PD"
    if target == "none":
        return None if other == "none" else other
    if target == "CR" and other in ("non-CR/non-PD", "NE"):
        return "PR"
    return target


@pytest.mark.parametrize(("target", "other", "new"), EVERY)
def test_every_combination(target: str, other: str, new: str):
    expected = by_conditions(target, other, new)
    arguments = TargetResponse(target), NonTargetResponse(other), NewLesion(new)
    if expected is None:
        with pytest.raises(MissingInput):
            overall_response(*arguments)
        return
    answer = overall_response(*arguments)
    assert answer.category.value == expected
    (row,) = [row for row in OVERALL_TABLE if row.rule == answer.rule]
    assert row.fits(*arguments)


def test_no_row_is_dead():
    fired = set()
    for target, other, new in EVERY:
        if by_conditions(target, other, new) is not None:
            fired.add(overall_response(TargetResponse(target), NonTargetResponse(other), NewLesion(new)).rule.row)
    assert fired == {row.rule.row for row in OVERALL_TABLE}


@pytest.mark.parametrize(("target", "other"), list(itertools.product(TARGETS, OTHERS)))
def test_a_new_lesion_never_betters_a_response(target: str, other: str):
    order = ["CR", "PR", "SD", "non-CR/non-PD", "NE", "PD"]
    if (target, other) == ("none", "none"):
        return
    without, with_new = (
        overall_response(TargetResponse(target), NonTargetResponse(other), NewLesion(new)).category.value for new in NEW
    )
    assert order.index(without) <= order.index(with_new)


def test_modified_choi_has_no_overall_response():
    with pytest.raises(UnsupportedInput):
        overall_response(TargetResponse.NO_PR, NonTargetResponse.NONE, NewLesion.NONE)


def test_progression_by_others_alone_asks_for_a_second_reader():
    answer = overall_response(TargetResponse.PR, NonTargetResponse.PD, NewLesion.NONE)
    assert [finding.code for finding in answer.findings] == ["response.progression_by_other_lesions"]


def test_what_was_not_evaluated_is_said():
    answer = overall_response(TargetResponse.SD, NonTargetResponse.NE, NewLesion.NONE)
    assert [finding.code for finding in answer.findings] == ["response.other_lesions_not_evaluated"]


@pytest.mark.parametrize("category", OverallResponse)
def test_rates_count_what_their_names_say(category: OverallResponse):
    assert category.is_objective_response == (category.value in ("CR", "PR"))
    assert category.is_disease_control == (category.value in ("CR", "PR", "SD"))

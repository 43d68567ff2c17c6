"""Patient, liver and treated territory from one scan; the best of several."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.outcomes.lesions import LesionKind, TargetCourse
from opensirt.outcomes.overall_response import NonTargetResponse, OverallResponse
from opensirt.outcomes.response_scopes import (
    Assessed,
    PlacedTarget,
    Region,
    Scope,
    TimePoint,
    best_overall_response,
    joined_non_targets,
    response_in,
)
from opensirt.vocabulary.errors import InvalidValue, MissingInput

N = NonTargetResponse


def target(name: str, region: Region, before: int, now: int) -> PlacedTarget:
    return PlacedTarget(TargetCourse(name, name, LesionKind.OTHER, Fraction(before), (Fraction(now),)), region)


def seen(point: TimePoint) -> dict[str, str]:
    return {scope.name: response_in(scope, point).category.value for scope in Scope}


SHRINKING = (target("treated", Region.TREATED, 50, 30), target("untreated", Region.UNTREATED_LIVER, 20, 20))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Region.TREATED, ("PD", "PD", "PD")),
        (Region.UNTREATED_LIVER, ("PD", "PD", "PR")),
        (Region.ELSEWHERE, ("PD", "SD", "PR")),
    ],
)
def test_a_new_lesion_counts_where_it_is(where: Region, expected: tuple[str, str, str]):
    """Treated 50 → 30: −40 %; liver 70 → 50: −28.6 %, stable."""
    found = seen(TimePoint(SHRINKING, new_lesions=frozenset({where})))
    assert (found["OVERALL"], found["HEPATIC"], found["TREATED_TERRITORY"]) == expected


def test_progression_of_untreated_liver_spares_the_treated():
    point = TimePoint((target("treated", Region.TREATED, 50, 30), target("untreated", Region.UNTREATED_LIVER, 20, 60)))
    assert seen(point) == {"OVERALL": "PD", "HEPATIC": "PD", "TREATED_TERRITORY": "PR"}


def test_other_lesions_by_region():
    point = TimePoint(SHRINKING, ((Region.TREATED, N.CR), (Region.ELSEWHERE, N.PD)))
    assert seen(point) == {"OVERALL": "PD", "HEPATIC": "SD", "TREATED_TERRITORY": "PR"}


def test_a_scope_without_lesions_has_no_response():
    with pytest.raises(MissingInput):
        response_in(Scope.TREATED_TERRITORY, TimePoint((SHRINKING[1],)))


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([], N.NONE),
        ([N.CR, N.NONE], N.CR),
        ([N.CR, N.NON_CR_NON_PD], N.NON_CR_NON_PD),
        ([N.CR, N.NE], N.NE),
        ([N.NE, N.PD], N.PD),
    ],
)
def test_groups_of_other_lesions(groups: list[NonTargetResponse], expected: NonTargetResponse):
    assert joined_non_targets(groups) is expected


def best(*points: tuple[float, str], shortest: float = 42.0) -> str:
    return str(best_overall_response([Assessed(day, OverallResponse(name)) for day, name in points], shortest).category.value)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (((90, "SD"), (180, "PR")), "PR"),
        (((90, "PR"), (180, "CR"), (270, "PD")), "CR"),
        (((41, "SD"),), "NE"),
        (((42, "SD"),), "SD"),
        (((30, "SD"), (90, "PD")), "PD"),
        (((60, "SD"), (90, "PD")), "SD"),
        (((90, "PD"), (180, "PR")), "PD"),
        (((90, "NE"),), "NE"),
        (((90, "NE"), (180, "SD")), "SD"),
        (((90, "non-CR/non-PD"),), "non-CR/non-PD"),
    ],
)
def test_best(points: tuple[tuple[float, str], ...], expected: str):
    assert best(*points) == expected
    assert best(*reversed(points)) == expected


def test_a_protocol_may_ask_for_a_longer_stability():
    assert best((60, "SD")) == "SD"
    assert best((60, "SD"), shortest=84.0) == "NE"


def test_a_response_after_progression_is_said():
    found = best_overall_response([Assessed(90.0, OverallResponse.PD), Assessed(180.0, OverallResponse.PR)])
    assert [finding.code for finding in found.findings] == ["response.after_progression"]


@pytest.mark.parametrize("days", [(-1.0,), (90.0, 90.0), (float("nan"),)])
def test_time_points_that_cannot_be(days: tuple[float, ...]):
    with pytest.raises(InvalidValue):
        best_overall_response([Assessed(day, OverallResponse.SD) for day in days])
    with pytest.raises(MissingInput):
        best_overall_response([])


@given(st.lists(st.sampled_from(["CR", "PR", "SD"]), min_size=1, max_size=6))
def test_without_progression_the_best_is_the_best(names: list[str]):
    assert best(*((90.0 * (n + 1), name) for n, name in enumerate(names))) == min(names, key=["CR", "PR", "SD"].index)

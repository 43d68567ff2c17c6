"""Lesion by lesion: the nadir is found, the order of lesions does not matter, and the rules for targets are told."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.outcomes.lesions import LesionKind, TargetCourse, require_enhancing, response_of_targets
from opensirt.outcomes.response import MRECIST, WHO
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, MissingInput

OTHER, NODE = LesionKind.OTHER, LesionKind.NODE


def course(name: str, baseline: int, *follow_up: int | None, kind: LesionKind = OTHER, organ: str = "") -> TargetCourse:
    scans = tuple(None if mm is None else Fraction(mm) for mm in follow_up)
    return TargetCourse(name, organ or name, kind, Fraction(baseline), scans)


def category(*targets: TargetCourse) -> str:
    return str(response_of_targets(targets)[0].category.value)


def codes(*targets: TargetCourse) -> set[str]:
    return {finding.code for finding in response_of_targets(targets)[0].findings}


def test_the_nadir_is_an_earlier_scan_and_never_the_present_one():
    """100 → 60 → 72 mm is progression; 100 → 60 → 60 is not; the first follow-up is compared with the baseline."""
    assert category(course("a", 60, 40, 46), course("b", 40, 20, 26)) == "PD"
    assert category(course("a", 60, 40, 40), course("b", 40, 20, 20)) == "PR"
    assert category(course("a", 60, 72), course("b", 40, 48)) == "PD"


def test_an_incomplete_scan_is_no_nadir():
    """With b missing the scan sums to 20 mm; as a nadir it would make 60 mm a progression."""
    assert category(course("a", 60, 20, 40), course("b", 40, None, 20)) == "PR"


scan = st.lists(st.integers(0, 120), min_size=3, max_size=3)


@given(st.lists(st.tuples(st.integers(10, 100), scan), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_lesions_does_not_matter(lesions, random):
    targets = [course(f"T{n}", baseline, *scans) for n, (baseline, scans) in enumerate(lesions)]
    shuffled = list(targets)
    random.shuffle(shuffled)
    first, second = response_of_targets(targets), response_of_targets(shuffled)
    assert (first[0].category, first[0].rule, first[1]) == (second[0].category, second[0].rule, second[1])


@given(st.lists(st.tuples(st.integers(10, 100), scan), min_size=1, max_size=5))
def test_the_sums_against_plain_arithmetic(lesions):
    _, sums = response_of_targets([course(f"T{n}", baseline, *scans) for n, (baseline, scans) in enumerate(lesions)])
    totals = [sum(scans[k] for _, scans in lesions) for k in range(3)]
    baseline = sum(first for first, _ in lesions)
    assert sums is not None
    assert (sums.baseline.amount, sums.current.amount) == (baseline, totals[2])
    assert sums.nadir.amount == min(baseline, totals[0], totals[1])


@pytest.mark.parametrize(("node_mm", "expected"), [(9, "CR"), (10, "PR"), (11, "PR"), (0, "CR")])
def test_a_node_below_10_mm_is_normal(node_mm: int, expected: str):
    assert category(course("liver", 60, 0), course("node", 20, node_mm, kind=NODE)) == expected


def test_a_small_lesion_outside_of_nodes_is_not_normal():
    assert category(course("liver", 60, 3), course("node", 20, 9, kind=NODE)) == "PR"


def test_what_was_not_evaluated_makes_the_time_point_open():
    assert category(course("a", 60, 40), course("b", 40, None)) == "NE"
    assert "response.progression_despite_missing" in codes(course("a", 60, 130), course("b", 40, None))
    assert "response.progression_despite_missing" not in codes(course("a", 60, 40), course("b", 40, None))


def test_no_targets():
    judgement, sums = response_of_targets([])
    assert (judgement.category.value, sums) == ("none", None)


@pytest.mark.parametrize(
    ("targets", "code"),
    [
        ([course("a", 9, 9)], "response.target_too_small"),
        ([course("a", 14, 9, kind=NODE)], "response.target_too_small"),
        ([course(f"T{n}", 20, 20) for n in range(6)], "response.too_many_targets"),
        ([course(f"T{n}", 20, 20, organ="liver") for n in range(3)], "response.too_many_targets_in_organ"),
    ],
)
def test_what_may_not_be_a_target(targets: list[TargetCourse], code: str):
    assert code in codes(*targets)


def test_what_may_be_a_target():
    assert (
        codes(course("a", 10, 10), course("n", 15, 15, kind=NODE), *(course(f"T{n}", 20, 20, organ="liver") for n in range(2)))
        == set()
    )


def test_courses_that_do_not_fit():
    with pytest.raises(InconsistentInput):
        response_of_targets([course("a", 20, 20), course("b", 20, 20, 20)])
    with pytest.raises(InconsistentInput):
        response_of_targets([course("a", 20, 20), course("a", 20, 20)])
    with pytest.raises(InconsistentInput):
        response_of_targets([course("a", 20, 20)], WHO)
    with pytest.raises(MissingInput):
        response_of_targets([course("a", 20)])
    for diameters in ((0, 10), (20, -1)):
        with pytest.raises(InvalidValue):
            course("a", *diameters)


def test_mrecist_has_no_5_mm():
    assert response_of_targets([course("a", 20, 24)], MRECIST)[0].category.value == "PD"
    assert category(course("a", 20, 24)) == "SD"


def test_enhancement_needs_an_arterial_phase():
    with pytest.raises(MissingInput):
        require_enhancing((), False)
    with pytest.raises(InvalidValue, match="T2"):
        require_enhancing(("T2",), True)
    require_enhancing((), True)

"""Choi and modified Choi against the rules as conditions on whole percentages."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.outcomes.choi import Densities, choi_response, modified_choi_response
from opensirt.outcomes.response import Baseline, Current, Nadir, Quantity, Sums
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue

sizes = st.integers(1, 300)
densities = st.integers(1, 200)


def sums(baseline: int, nadir: int, current: int) -> Sums:
    return Sums(Quantity.DIAMETER, Baseline(Fraction(baseline)), Nadir(Fraction(nadir)), Current(Fraction(current)))


def hu(before: int, now: int) -> Densities:
    return Densities(Fraction(before), Fraction(now))


@given(sizes, sizes, st.integers(0, 300), densities, st.integers(-50, 200))
def test_every_case_against_whole_numbers(baseline: int, nadir: int, current: int, before: int, now: int):
    lowest = min(baseline, nadir)
    less_dense = 100 * (before - now) >= 15 * before
    smaller = 100 * (baseline - current) >= 10 * baseline
    larger = current > lowest and 100 * (current - lowest) >= 10 * lowest
    expected = "CR" if current == 0 else "PR" if less_dense else "PD" if larger else "PR" if smaller else "SD"
    modified = "CR" if current == 0 else "PR" if smaller and less_dense else "no PR"
    assert choi_response(sums(baseline, lowest, current), hu(before, now)).category.value == expected
    assert modified_choi_response(sums(baseline, lowest, current), hu(before, now)).category.value == modified


@pytest.mark.parametrize(
    ("current", "now", "row"),
    [
        (90, 100, "choi.pr.size"),
        (91, 85, "choi.pr.density"),
        (90, 85, "choi.pr.both"),
        (91, 86, "choi.sd"),
        (109, 86, "choi.sd"),
        (110, 86, "choi.pd"),
        (110, 85, "choi.pr.density"),
    ],
)
def test_rows_at_their_boundaries(current: int, now: int, row: str):
    assert choi_response(sums(100, 100, current), hu(100, now)).rule.row == row


def test_larger_but_less_dense_is_told():
    answer = choi_response(sums(100, 100, 120), hu(100, 60))
    assert [finding.code for finding in answer.findings] == ["response.larger_but_less_dense"]


def test_progression_by_modified_choi_is_not_invented():
    answer = modified_choi_response(sums(100, 100, 200), hu(100, 100))
    assert answer.category.value == "no PR"
    assert [finding.code for finding in answer.findings] == ["response.progression_not_defined"]


def test_a_density_without_meaning():
    for before in (0, -10):
        with pytest.raises(InvalidValue):
            hu(before, 20)
    with pytest.raises(InconsistentInput):
        choi_response(Sums(Quantity.VOLUME, Baseline(Fraction(1)), Nadir(Fraction(1)), Current(Fraction(1))), hu(50, 50))

"""Response of targets: boundaries to the last tenth of a millimetre against arithmetic in whole numbers, and what types refuse."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.outcomes.judgement import exactly
from opensirt.outcomes.response import (
    CRITERIA,
    EASL,
    MRECIST,
    RECIST,
    VOLUMETRIC,
    WHO,
    Baseline,
    Current,
    Nadir,
    Quantity,
    SizeCriterion,
    Sums,
    TargetResponse,
    target_response,
)
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue
from opensirt.vocabulary.provenance import Mark

tenths = st.integers(1, 3000)


def sums(criterion: SizeCriterion, baseline: object, nadir: object, current: object, nodes: bool = False) -> Sums:
    return Sums(
        criterion.quantity,
        Baseline(exactly(baseline)),
        Nadir(exactly(nadir)),
        Current(exactly(current)),
        nodes,  # type: ignore[arg-type]
    )


def category(criterion: SizeCriterion, baseline: object, nadir: object, current: object) -> str:
    return str(target_response(criterion, sums(criterion, baseline, nadir, current)).category.value)


def in_whole_numbers(key: str, baseline: int, nadir: int, current: int) -> str:
    """The oracle: tenths of the unit, integer arithmetic, written from the rules' percentages and not from the code's ratios."""
    if current == 0:
        return "CR"
    rise = current - nadir
    progression = {
        "recist": 100 * rise >= 20 * nadir and rise >= 50,
        "mrecist": rise > 0 and 100 * rise >= 20 * nadir,
        "who": 100 * rise > 25 * nadir,
        "easl": 100 * rise > 25 * nadir,
        "volumetric": rise > 0 and 1000 * rise >= 728 * nadir,
    }[key]
    fall_permille = {"recist": 300, "mrecist": 300, "who": 500, "easl": 500, "volumetric": 657}[key]
    if progression:
        return "PD"
    return "PR" if 1000 * (baseline - current) >= fall_permille * baseline else "SD"


@pytest.mark.parametrize("key", CRITERIA)
@given(tenths, st.integers(0, 3000), st.integers(0, 4000))
def test_every_criterion_against_whole_numbers(key: str, baseline: int, nadir: int, current: int):
    lowest = min(baseline, nadir)
    found = category(CRITERIA[key], Decimal(baseline) / 10, Decimal(lowest) / 10, Decimal(current) / 10)
    assert found == in_whole_numbers(key, baseline, lowest, current)


@pytest.mark.parametrize("key", CRITERIA)
@given(st.integers(1, 500), st.integers(1, 500))
def test_at_the_very_boundary(key: str, baseline: int, nadir: int):
    """Exactly at a threshold, and one millionth beside it."""
    criterion = CRITERIA[key]
    lowest = Fraction(min(baseline, nadir))
    grown, shrunk = criterion.progression_ratio * lowest, criterion.response_ratio * baseline
    step = Fraction(1, 10**6)
    rise_is_enough = grown - lowest >= criterion.progression_rise
    at = category(criterion, baseline, lowest, grown)
    assert (at == "PD") == (rise_is_enough and not criterion.progression_beyond)
    assert category(criterion, baseline, lowest, grown - step) != "PD" or not rise_is_enough
    assert (category(criterion, baseline, lowest, grown + step) == "PD") == (grown + step - lowest >= criterion.progression_rise)
    assert category(criterion, baseline, min(lowest, shrunk), shrunk) in ("PR", "PD")
    assert category(criterion, baseline, Fraction(baseline), shrunk) == "PR"
    assert category(criterion, baseline, Fraction(baseline), shrunk + step) == "SD"


@pytest.mark.parametrize("key", CRITERIA)
@given(tenths, tenths, st.integers(1, 4000), st.integers(1, 4000))
def test_a_larger_tumour_is_never_a_better_response(key: str, baseline: int, nadir: int, first: int, second: int):
    order = ["CR", "PR", "SD", "PD"]
    small, large = sorted((first, second))
    ranks = [order.index(category(CRITERIA[key], baseline, min(baseline, nadir), current)) for current in (small, large)]
    assert ranks[0] <= ranks[1]


@given(tenths, tenths, st.integers(0, 4000), st.integers(1, 9))
def test_ratios_do_not_depend_on_the_unit(baseline: int, nadir: int, current: int, factor: int):
    for criterion in (WHO, EASL, MRECIST, VOLUMETRIC):
        lowest = min(baseline, nadir)
        assert category(criterion, baseline, lowest, current) == category(
            criterion, factor * baseline, factor * lowest, factor * current
        )


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 400))
def test_volumes_of_spheres_are_recist_without_the_5_mm(baseline: int, nadir: int, current: int):
    lowest = min(baseline, nadir)
    cubes = [Fraction(each) ** 3 for each in (baseline, lowest, current)]
    assert category(VOLUMETRIC, *cubes) == category(MRECIST, baseline, lowest, current)


def test_binary_fractions_do_not_move_a_boundary():
    """0.1 + 0.2 style: 1.2 · 60.3 = 72.36 exactly; in binary 72.36/60.3 − 1 falls short of 0.2."""
    assert category(RECIST, 100.0, 60.3, 72.36) == "PD"
    assert 72.36 / 60.3 - 1.0 < 0.2
    assert category(RECIST, 100.1, 100.1, 70.07) == "PR"


def test_normal_nodes_are_a_complete_response_by_recist_only():
    left = target_response(RECIST, sums(RECIST, 60, 30, 9, nodes=True))
    assert (left.category, left.rule.row) == (TargetResponse.CR, "recist.cr")
    with pytest.raises(InconsistentInput):
        target_response(WHO, sums(WHO, 60, 30, 9, nodes=True))


def test_the_row_and_its_source_are_told():
    answer = target_response(RECIST, sums(RECIST, 100, 60, 72))
    assert answer.rule.row == "recist.pd"
    assert "5 mm" in answer.rule.says
    assert answer.basis.method == "RECIST 1.1"
    assert answer.basis.sources
    assert target_response(VOLUMETRIC, sums(VOLUMETRIC, 100, 60, 72)).rule.mark in (Mark.FOUND, Mark.DERIVED)
    assert target_response(WHO, sums(WHO, 100, 60, 0)).rule.mark is Mark.UNVERIFIED


@pytest.mark.parametrize(
    ("criterion", "case", "code"),
    [
        (RECIST, (100, 20, 24), "response.rise_below_5_mm"),
        (MRECIST, (100, 20, 24), "response.small_rise"),
        (RECIST, (100, 0, 8), "response.reappearance"),
        (WHO, (100, 60, 70), "response.convention"),
    ],
)
def test_what_a_person_must_weigh(criterion: SizeCriterion, case: tuple[int, int, int], code: str):
    assert code in {finding.code for finding in target_response(criterion, sums(criterion, *case)).findings}


def test_baseline_and_nadir_cannot_be_exchanged():
    one = Fraction(50)
    with pytest.raises(InvalidValue, match="Nadir in the place of a Baseline"):
        Sums(Quantity.DIAMETER, Nadir(one), Nadir(one), Current(one))  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="Baseline in the place of a Nadir"):
        Sums(Quantity.DIAMETER, Baseline(one), Baseline(one), Current(one))  # type: ignore[arg-type]
    with pytest.raises(InconsistentInput, match="exchanged"):
        sums(RECIST, 60, 100, 72)


@pytest.mark.parametrize("case", [(0, 0, 10), (10, -1, 10), (10, 10, -1)])
def test_sums_that_cannot_be(case: tuple[int, int, int]):
    with pytest.raises(InvalidValue):
        sums(RECIST, *case)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "ten", None, 1e13, 1e-10, -1e13, []])
def test_what_is_no_number(value: object):
    with pytest.raises(InvalidValue):
        exactly(value)  # type: ignore[arg-type]


def test_diameters_are_no_products():
    with pytest.raises(InconsistentInput, match="products"):
        target_response(WHO, sums(RECIST, 100, 60, 72))

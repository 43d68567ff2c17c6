"""ALBI and Child-Pugh against other arithmetic, at every boundary, and slips of unit."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.outcomes.liver_function import (
    CHILD_PUGH_VARIANTS,
    AlbiCoefficient,
    Ascites,
    ChildPughInputs,
    Encephalopathy,
    albi_grade,
    albi_score,
    albumin_g_per_l,
    bilirubin_mg_per_dl,
    bilirubin_umol_per_l,
    child_pugh,
)
from opensirt.vocabulary.errors import InvalidValue, UnitError

bilirubins = st.floats(2.0, 1000.0)
albumins = st.floats(10.0, 65.0)
SAME = 1e-12


@given(bilirubins, albumins)
def test_albi_by_natural_logarithm(bilirubin: float, albumin: float):
    expected = 0.66 * math.log(bilirubin) / math.log(10.0) - 0.085 * albumin
    assert albi_score(bilirubin, albumin) == pytest.approx(expected, abs=1e-10)


@given(bilirubins, bilirubins, albumins, albumins)
def test_a_lower_reserve_never_scores_better(b1: float, b2: float, a1: float, a2: float):
    (low_b, high_b), (low_a, high_a) = sorted((b1, b2)), sorted((a1, a2))
    better, worse = albi_score(low_b, high_a), albi_score(high_b, low_a)
    assert better <= worse
    assert albi_grade(better).category <= albi_grade(worse).category


@given(bilirubins, albumins)
def test_the_two_coefficients_differ_by_at_most_the_stated_margin(bilirubin: float, albumin: float):
    one, other = (albi_score(bilirubin, albumin, each) for each in AlbiCoefficient)
    assert one - other == pytest.approx(0.0002 * albumin, abs=1e-10)


@pytest.mark.parametrize(("score", "grade"), [(-2.61, 1), (-2.60, 1), (-2.5999, 2), (-1.39, 2), (-1.3899, 3), (0.0, 3), (-4.0, 1)])
def test_cuts(score: float, grade: int):
    assert int(albi_grade(score).category) == grade


@pytest.mark.parametrize(
    ("score", "near"), [(-2.611, False), (-2.609, True), (-2.591, True), (-2.589, False), (-1.395, True), (-1.0, False)]
)
def test_near_a_cut_is_a_finding(score: float, near: bool):
    assert ("albi.near_cut" in {finding.code for finding in albi_grade(score).findings}) == near


@pytest.mark.parametrize(("bilirubin", "albumin"), [(1.2, 35.0), (20.0, 3.5), (20.0, 350.0), (5000.0, 35.0)])
def test_another_unit_is_refused(bilirubin: float, albumin: float):
    with pytest.raises(UnitError):
        albi_score(bilirubin, albumin)


@pytest.mark.parametrize(("bilirubin", "albumin"), [(0.0, 35.0), (20.0, -1.0), (math.nan, 35.0)])
def test_what_is_no_value(bilirubin: float, albumin: float):
    with pytest.raises(InvalidValue):
        albi_score(bilirubin, albumin)


@given(st.floats(0.1, 60.0))
def test_conversions_go_back(mg_dl: float):
    assert bilirubin_mg_per_dl(bilirubin_umol_per_l(mg_dl)) == pytest.approx(mg_dl, rel=SAME)
    assert bilirubin_umol_per_l(1.0) == 17.1
    assert albumin_g_per_l(3.5) == 35.0


def by_conditions(bilirubin: float, albumin: float, inr: float, ascites: int, encephalopathy: int) -> int:
    """The SI table written out."""
    total = ascites + encephalopathy
    total += 1 if bilirubin < 34 else 2 if bilirubin <= 50 else 3
    total += 1 if albumin > 35 else 2 if albumin >= 28 else 3
    total += 1 if inr < 1.7 else 2 if inr <= 2.3 else 3
    return total


EDGES = list(itertools.product((33.9, 34, 50, 50.1), (35.1, 35, 28, 27.9), (1.69, 1.7, 2.3, 2.31), Ascites, Encephalopathy))


@pytest.mark.parametrize("start", range(0, len(EDGES), 64))
def test_every_edge_of_child_pugh(start: int):
    for bilirubin, albumin, inr, ascites, encephalopathy in EDGES[start : start + 64]:
        answer = child_pugh(ChildPughInputs(bilirubin, albumin, inr, ascites, encephalopathy))
        expected = by_conditions(bilirubin, albumin, inr, int(ascites), int(encephalopathy))
        assert answer.total == expected == sum(answer.points.values())
        assert answer.judgement.category.value == ("A" if expected < 7 else "B" if expected < 10 else "C")


@pytest.mark.parametrize(
    ("key", "inputs", "total"),
    [
        ("si", (51.0, 40.0, 1.0), 7),
        ("mg-dl", (51.0, 40.0, 1.0), 6),
        ("si", (20.0, 40.0, 2.25), 6),
        ("si-inr-2.2", (20.0, 40.0, 2.25), 7),
        ("si", (20.0, 29.0, 1.0), 6),
        ("si-albumin-30", (20.0, 29.0, 1.0), 7),
    ],
)
def test_variants_are_named_and_their_difference_is_told(key: str, inputs: tuple[float, float, float], total: int):
    answer = child_pugh(ChildPughInputs(*inputs, Ascites.NONE, Encephalopathy.NONE), CHILD_PUGH_VARIANTS[key])
    assert answer.total == total
    assert CHILD_PUGH_VARIANTS[key].name in answer.judgement.basis.method
    codes = {finding.code for finding in answer.judgement.findings}
    assert codes == {"child_pugh.without_cirrhosis", "child_pugh.variants_differ"}


@given(bilirubins, bilirubins, albumins, st.floats(0.7, 9.0))
def test_more_bilirubin_never_fewer_points(first: float, second: float, albumin: float, inr: float):
    totals = [
        child_pugh(ChildPughInputs(b, albumin, inr, Ascites.NONE, Encephalopathy.NONE)).total for b in sorted((first, second))
    ]
    assert totals[0] <= totals[1]

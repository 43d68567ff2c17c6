"""WHO 2019: every boundary, the higher of two counts, classes beside the grades; and Clavien-Dindo."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.outcomes.complications import Consequence, clavien_dindo
from opensirt.outcomes.tumour_grade import Differentiation, Proliferation, who_2019
from opensirt.vocabulary.errors import InvalidValue, MissingInput

WELL, POOR, MIXED = Differentiation.WELL, Differentiation.POOR, Differentiation.MIXED
KI67 = {"2.9": 1, "3.0": 2, "20.0": 2, "20.1": 3}
MITOSES = {"1.9": 1, "2": 2, "20": 2, "20.5": 3}


@pytest.mark.parametrize(("ki67", "mitoses"), list(itertools.product(KI67, MITOSES)))
def test_the_higher_of_two(ki67: str, mitoses: str):
    answer = who_2019(Proliferation(Fraction(ki67), Fraction(mitoses)), WELL)
    assert answer.category.value == f"NET G{max(KI67[ki67], MITOSES[mitoses])}"
    assert ("grade.counts_disagree" in {f.code for f in answer.findings}) == (KI67[ki67] != MITOSES[mitoses])


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 200))
def test_more_proliferation_never_a_lower_grade(first: int, second: int, mitoses: int):
    low, high = sorted((first, second))
    grades = [who_2019(Proliferation(Fraction(ki67), Fraction(mitoses)), WELL).category.value for ki67 in (low, high)]
    assert grades[0] <= grades[1]


def test_classes_beside_the_grades():
    fast = Proliferation(Fraction(70), Fraction(50))
    assert [who_2019(fast, each).category.value for each in (WELL, POOR, MIXED)] == ["NET G3", "NEC", "MiNEN"]
    slow = who_2019(Proliferation(Fraction(1), Fraction(0)), POOR)
    assert slow.category.value == "NEC"
    assert "grade.carcinoma_with_low_counts" in {f.code for f in slow.findings}


def test_one_count_alone_is_said():
    answer = who_2019(Proliferation(None, Fraction(1)), WELL)
    assert (answer.category.value, [f.code for f in answer.findings]) == ("NET G1", ["grade.one_count"])
    with pytest.raises(MissingInput):
        Proliferation(None, None)


@pytest.mark.parametrize("counts", [(Fraction(101), None), (Fraction(-1), None), (None, Fraction(-1))])
def test_counts_that_cannot_be(counts: tuple[Fraction | None, Fraction | None]):
    with pytest.raises(InvalidValue):
        Proliferation(*counts)


EXPECTED = {
    "none": "none",
    "deviation": "I",
    "drugs": "II",
    "intervention": "IIIa",
    "intervention-general-anaesthesia": "IIIb",
    "intensive-care-one-organ": "IVa",
    "intensive-care-several-organs": "IVb",
    "death": "V",
}


@pytest.mark.parametrize("consequence", Consequence)
def test_clavien_dindo(consequence: Consequence):
    grade = clavien_dindo([consequence]).category
    assert grade.value == EXPECTED[consequence.value]
    assert grade.is_major == (grade.value in ("IIIa", "IIIb", "IVa", "IVb", "V"))


@given(st.lists(st.sampled_from(list(Consequence)), max_size=6))
def test_the_worst_counts(consequences: list[Consequence]):
    order = list(EXPECTED.values())
    expected = max((order.index(EXPECTED[each.value]) for each in consequences), default=0)
    assert clavien_dindo(consequences).category.value == order[expected]

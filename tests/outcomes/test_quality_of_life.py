"""Questionnaire scores: vectors worked by hand, the half rule, ranges, and identities."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.outcomes.quality_of_life import (
    C30,
    GINET21,
    GINET21_BEFORE_2013,
    GINET21_KEYS,
    Direction,
    Questionnaire,
    Unanswered,
    scale_score,
    scores,
    summary_score,
)
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.provenance import Mark

FOUR_DECIMALS = 5e-5
QUESTIONNAIRES = (C30, *GINET21_KEYS.values())
by_scale = {scale.key: scale for scale in C30.scales}


def score(key: str, answers: list[int | None]) -> float | None:
    held = {item: answer for item, answer in zip(by_scale[key].items, answers, strict=True) if answer is not None}
    found = scale_score(by_scale[key], held)
    return None if found is None else float(found)


@pytest.mark.parametrize(
    ("key", "answers", "expected"),
    [
        ("PF2", [1, 2, 2, 1, 1], 86.6667),  # raw 1.4: 100 · (1 − 0.4/3)
        ("PF2", [1, None, 2, None, 1], 88.8889),  # raw 4/3
        ("PF2", [1, None, None, None, 2], None),  # 2 of 5
        ("EF", [2, None, None, 4], 33.3333),  # exactly half, raw 3
        ("FA", [2, 3, 2], 44.4444),
        ("QL2", [5, 6], 75.0),
        ("QL2", [7, 7], 100.0),
        ("NV", [1, 2], 16.6667),
    ],
)
def test_by_hand(key: str, answers: list[int | None], expected: float | None):
    found = score(key, answers)
    assert found == (None if expected is None else pytest.approx(expected, abs=FOUR_DECIMALS))


def full(questionnaire: Questionnaire, answer: int) -> dict[int, int]:
    return {item: min(answer, highest) for item, highest in questionnaire.highest.items()}


@pytest.mark.parametrize("questionnaire", QUESTIONNAIRES, ids=lambda q: f"{q.name} {q.version}")
def test_the_ends_of_every_scale(questionnaire: Questionnaire):
    lowest, highest = scores(questionnaire, full(questionnaire, 1)), scores(questionnaire, full(questionnaire, 7))
    for scale in questionnaire.scales:
        ends = (100, 0) if scale.direction is Direction.FUNCTIONAL else (0, 100)
        assert (lowest[scale.key], highest[scale.key]) == ends


@pytest.mark.parametrize(
    ("questionnaire", "items"), [(C30, range(1, 31)), (GINET21, range(31, 52)), (GINET21_BEFORE_2013, range(31, 52))]
)
def test_every_item_counts_once(questionnaire: Questionnaire, items: range):
    assert sorted(item for scale in questionnaire.scales for item in scale.items) == list(items)


answers = st.dictionaries(st.integers(1, 28), st.integers(1, 4))


@given(answers)
def test_scores_lie_between_0_and_100_and_need_half(given_answers: dict[int, int]):
    for scale in C30.scales:
        found = scale_score(scale, {item: answer for item, answer in given_answers.items() if item in scale.items})
        answered = sum(item in given_answers for item in scale.items)
        assert (found is None) == (answered < len(scale.items) / 2)
        assert found is None or 0 <= found <= 100


@given(answers, st.integers(1, 28))
def test_a_worse_answer_never_scores_better(given_answers: dict[int, int], item: int):
    (scale,) = [each for each in C30.scales if item in each.items]
    mild, severe = (scale_score(scale, given_answers | {item: answer}) for answer in (1, 4))
    if mild is not None and severe is not None:
        assert severe <= mild if scale.direction is Direction.FUNCTIONAL else severe >= mild


def test_the_summary_needs_all_thirteen():
    best = scores(C30, full(C30, 1))
    assert summary_score(best) == 100
    assert summary_score(best | {"DY": None}) is None
    assert summary_score(best | {"QL2": None, "FI": None}) == 100
    assert summary_score(best | {"PA": Fraction(65)}) == 95, "13 scales: one falls by 65, the mean by 5"


def test_not_applicable_is_missing_and_never_one():
    """Treatment scale 39, 40: one not applicable leaves the other; both leave nothing."""
    found = scores(GINET21, {39: Unanswered.NOT_APPLICABLE, 40: 4})
    assert found["TR"] == 100
    assert scores(GINET21, {39: Unanswered.NOT_APPLICABLE, 40: Unanswered.NOT_APPLICABLE})["TR"] is None


def test_both_keys_differ_by_item_46_alone():
    given_answers = {39: 1, 40: 1, 46: 4}
    assert scores(GINET21, given_answers)["TR"] == 0
    assert scores(GINET21, given_answers)["WG"] == 100
    assert scores(GINET21_BEFORE_2013, given_answers)["TR"] == Fraction(100, 3)
    assert "WG" not in scores(GINET21_BEFORE_2013, given_answers)
    assert GINET21.mark is Mark.UNVERIFIED


@pytest.mark.parametrize(
    ("questionnaire", "wrong"),
    [
        (C30, {1: 5}),
        (C30, {29: 8}),
        (C30, {1: 0}),
        (C30, {31: 1}),
        (C30, {1: True}),
        (C30, {8: Unanswered.NOT_APPLICABLE}),
        (GINET21, {30: 1}),
    ],
)
def test_what_the_form_does_not_offer(questionnaire: Questionnaire, wrong: dict):
    with pytest.raises(InvalidValue):
        scores(questionnaire, wrong)


def test_all_faults_at_once():
    with pytest.raises(InvalidValue) as error:
        scores(C30, {1: 5, 29: 9, 40: 1})
    assert all(part in str(error.value) for part in ("item 1 ", "item 29 ", "item 40 "))

"""Syndromes after embolisation and the symptom diary."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.outcomes.syndromes import Diary, Symptom, diary_response, durable_response, syndrome
from opensirt.vocabulary.errors import InvalidValue, MissingInput

PAIN, FEVER, NAUSEA, FATIGUE, ANOREXIA = Symptom.PAIN, Symptom.FEVER, Symptom.NAUSEA, Symptom.FATIGUE, Symptom.ANOREXIA
DAY_H = 24.0


@pytest.mark.parametrize(
    ("onset", "cause", "expected"),
    [
        ({PAIN: 48, FEVER: 48}, "", "PES"),
        ({PAIN: 72, FEVER: 72}, "", "PES"),
        ({PAIN: 72, FEVER: 72.5}, "", "PRS"),
        ({NAUSEA: 20}, "", "none"),
        ({PAIN: 6 * DAY_H, NAUSEA: 6 * DAY_H}, "", "PRS"),
        ({PAIN: 10, FATIGUE: 10}, "", "PRS"),
        ({FATIGUE: 10, ANOREXIA: 14 * DAY_H}, "", "PRS"),
        ({FEVER: 20 * DAY_H, PAIN: 20 * DAY_H}, "abscess", "adverse event"),
        ({FEVER: 20 * DAY_H, PAIN: 20 * DAY_H}, "", "adverse event"),
        ({PAIN: 10, FEVER: 10}, "cholecystitis", "adverse event"),
        ({}, "", "none"),
    ],
)
def test_rules(onset: dict[Symptom, float], cause: str, expected: str):
    assert syndrome(onset, cause).category.value == expected


def test_every_pair_of_symptoms_on_the_first_day():
    of_pes = {"pain", "fever", "nausea", "vomiting"}
    for one, other in itertools.combinations(Symptom, 2):
        expected = "PES" if {one.value, other.value} <= of_pes else "PRS"
        assert syndrome({one: 1.0, other: 1.0}).category.value == expected


def test_before_the_administration():
    with pytest.raises(InvalidValue):
        syndrome({PAIN: -1.0})


WEEK = (4, 4, 4, 4, 4, 4, 4)


@pytest.mark.parametrize(
    ("after", "escalated", "expected"),
    [
        ((0,) * 7, False, "complete"),
        ((0, 0, 0, 0, 0, 0, 4), False, "partial"),
        ((2, 2, 2, 2), False, "partial"),
        ((2, 2, 2, 3), False, "stable"),
        ((4, 4, 4, 4), False, "stable"),
        ((4, 4, 4, 5), False, "worse"),
        ((0,) * 7, True, "no response"),
        ((0, 0, 0, None, 0, 0, 0, 0), False, "partial"),
    ],
)
def test_diary_against_four_a_day(after: tuple[int | None, ...], escalated: bool, expected: str):
    assert diary_response(Diary(WEEK, after, escalated)).category.value == expected


def test_without_symptoms_there_is_no_response():
    assert diary_response(Diary((0,) * 7, (0,) * 7)).category.value == "not symptomatic"
    assert durable_response(Diary((0,) * 7, (0,) * 7)) is False


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((10,) * 7, (7, 7, 10, 10), True),  # 30 % on half of the days
        ((10,) * 7, (8, 7, 10, 10), False),
        ((10,) * 7, (7, None, 10, 10), False),  # an empty day is none with response
    ],
)
def test_durable_response(before: tuple[int, ...], after: tuple[int | None, ...], expected: bool):
    assert durable_response(Diary(before, after)) is expected


def test_four_valid_days_of_seven():
    assert Diary((9, 9, None, None, None, 2, 2, 2, 2), (1,)).baseline_mean == 2
    with pytest.raises(MissingInput, match="3 valid days"):
        Diary((9, 9, 9, 9, None, None, None, None, 2, 2, 2), (1,))
    with pytest.raises(MissingInput):
        Diary(WEEK, (None, None))
    with pytest.raises(InvalidValue):
        Diary(WEEK, (-1,))


def test_mostly_missing_is_said():
    assert [f.code for f in diary_response(Diary(WEEK, (4, None, None))).findings] == ["diary.mostly_missing"]
    assert diary_response(Diary(WEEK, (4, 4, None))).findings == ()


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30), st.integers(1, 20))
def test_fewer_symptoms_never_a_worse_answer(after: list[int], before: int):
    order = ["complete", "partial", "stable", "worse"]
    fewer = tuple(max(count - 1, 0) for count in after)
    ranks = [order.index(diary_response(Diary((before,) * 7, days)).category.value) for days in (fewer, tuple(after))]
    assert ranks[0] <= ranks[1]

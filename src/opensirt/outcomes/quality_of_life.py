"""Scores of EORTC questionnaires from item numbers: QLQ-C30 (version 3.0) and QLQ-GI.NET21. No wording is held: it is licensed.

A scale's raw score is the mean of the *answered* items and exists only if at least half are answered. Functional scales are
``100 · (1 − (raw − 1)/range)``, symptom and global scales ``100 · (raw − 1)/range``. An answer outside of its range is refused, never coerced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from opensirt.outcomes.judgement import Basis
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.provenance import Mark

QUALITY_VERSION = "1"
C30_SOURCE = "EORTC QLQ-C30 scoring manual, version 3.0"
SUMMARY_SOURCE = "Giesinger et al. 2016, QLQ-C30 summary score"
GINET21_SOURCE = "EORTC QLQ-GI.NET21; structure: Yadegarfar et al. 2013 (item map not verified)"
C30_BASIS = Basis("QLQ-C30 version 3.0", QUALITY_VERSION, (C30_SOURCE,))
MEANINGFUL_CHANGE_SCORE = 10.0
"""Points that are usually called a meaningful change (not verified; TELESTAR's responders are defined by it)."""


class Direction(Enum):
    """Which end of a scale is good."""

    FUNCTIONAL = "higher is better function"
    SYMPTOM = "higher is more of the symptom"
    GLOBAL = "higher is better health"


class Unanswered(Enum):
    """Why an item has no answer; neither is ever counted as 1."""

    MISSING = "missing"
    NOT_APPLICABLE = "not applicable"


Answer = int | Unanswered


@dataclass(frozen=True)
class Scale:
    """One scale of a questionnaire: its key, its items, the highest answer, its direction."""

    key: str
    name: str
    items: tuple[int, ...]
    highest: int
    direction: Direction


@dataclass(frozen=True)
class Questionnaire:
    """A versioned scoring key.

    Attributes
    ----------
    name, version : str
        Which questionnaire and which key.
    basis : Basis
        Literature.
    scales : tuple of Scale
        In the order of the manual.
    may_not_apply : frozenset of int
        Items that offer "not applicable".
    mark : Mark
        How far the item map can be trusted.
    """

    name: str
    version: str
    basis: Basis
    scales: tuple[Scale, ...]
    may_not_apply: frozenset[int] = frozenset()
    mark: Mark = Mark.FOUND

    @property
    def highest(self) -> dict[int, int]:
        """Highest answer of every item."""
        return {item: scale.highest for scale in self.scales for item in scale.items}


def _scales(direction: Direction, highest: int, rows: Mapping[str, tuple[str, tuple[int, ...]]]) -> tuple[Scale, ...]:
    return tuple(Scale(key, name, items, highest, direction) for key, (name, items) in rows.items())


C30 = Questionnaire(
    "QLQ-C30",
    "3.0",
    C30_BASIS,
    (
        *_scales(Direction.GLOBAL, 7, {"QL2": ("global health", (29, 30))}),
        *_scales(
            Direction.FUNCTIONAL,
            4,
            {
                "PF2": ("physical function", (1, 2, 3, 4, 5)),
                "RF2": ("role function", (6, 7)),
                "EF": ("emotional function", (21, 22, 23, 24)),
                "CF": ("cognitive function", (20, 25)),
                "SF": ("social function", (26, 27)),
            },
        ),
        *_scales(
            Direction.SYMPTOM,
            4,
            {
                "FA": ("fatigue", (10, 12, 18)),
                "NV": ("nausea and vomiting", (14, 15)),
                "PA": ("pain", (9, 19)),
                "DY": ("dyspnoea", (8,)),
                "SL": ("insomnia", (11,)),
                "AP": ("appetite loss", (13,)),
                "CO": ("constipation", (16,)),
                "DI": ("diarrhoea", (17,)),
                "FI": ("financial difficulties", (28,)),
            },
        ),
    ),
)


def _ginet(version: str, treatment: tuple[int, ...], more: Mapping[str, tuple[str, tuple[int, ...]]]) -> Questionnaire:
    rows = {
        "ED": ("endocrine", (31, 32, 33)),
        "GI": ("gastrointestinal", (34, 35, 36, 37, 38)),
        "TR": ("treatment", treatment),
        "SF21": ("social function", (42, 44, 49)),
        "DRW": ("disease-related worries", (41, 43, 47)),
        "MBP": ("muscle and bone pain", (48,)),
        "BI": ("body image, weight loss", (45,)),
        **more,
        "INF": ("information", (50,)),
        "SX": ("sexual function", (51,)),
    }
    basis = Basis(f"QLQ-GI.NET21, {version} key", QUALITY_VERSION, (GINET21_SOURCE,))
    return Questionnaire(
        "QLQ-GI.NET21", version, basis, _scales(Direction.SYMPTOM, 4, rows), frozenset({39, 40, 51}), Mark.UNVERIFIED
    )


GINET21 = _ginet("2013", (39, 40), {"WG": ("weight gain", (46,))})
GINET21_BEFORE_2013 = _ginet("pre-2013", (39, 40, 46), {})
GINET21_KEYS: dict[str, Questionnaire] = {each.version: each for each in (GINET21, GINET21_BEFORE_2013)}
NOT_IN_SUMMARY = ("QL2", "FI")


def require_answers(questionnaire: Questionnaire, answers: Mapping[int, Answer]) -> None:
    """Refuse answers that the questionnaire does not offer, all at once.

    Raises
    ------
    InvalidValue
        For an unknown item, an answer out of range, or "not applicable" where it is not offered.
    """
    highest = questionnaire.highest
    faults = []
    for item, answer in sorted(answers.items()):
        if item not in highest:
            faults.append(f"item {item} does not exist")
        elif answer is Unanswered.NOT_APPLICABLE and item not in questionnaire.may_not_apply:
            faults.append(f"item {item} does not offer 'not applicable'")
        elif not isinstance(answer, Unanswered) and (isinstance(answer, bool) or not 1 <= answer <= highest[item]):
            faults.append(f"item {item} holds {answer}, 1 to {highest[item]} is offered")
    if faults:
        raise InvalidValue("; ".join(faults), questionnaire.name, "check the form; leave out what was not answered")


def scale_score(scale: Scale, answers: Mapping[int, Answer]) -> Fraction | None:
    """Score of one scale, 0 to 100, exact; ``None`` where fewer than half of its items were answered.

    Parameters
    ----------
    scale : Scale
        Which items and which direction.
    answers : mapping of int to int or Unanswered
        By item number; an item left out is missing.
    """
    given = [
        answer for answer in (answers.get(item, Unanswered.MISSING) for item in scale.items) if not isinstance(answer, Unanswered)
    ]
    if 2 * len(given) < len(scale.items):
        return None
    share = (Fraction(sum(given), len(given)) - 1) / (scale.highest - 1)
    return 100 * (1 - share) if scale.direction is Direction.FUNCTIONAL else 100 * share


def scores(questionnaire: Questionnaire, answers: Mapping[int, Answer]) -> dict[str, Fraction | None]:
    """Score of every scale, ``None`` where it is missing.

    Raises
    ------
    InvalidValue
        For answers that the questionnaire does not offer.
    """
    require_answers(questionnaire, answers)
    return {scale.key: scale_score(scale, answers) for scale in questionnaire.scales}


def summary_score(by_scale: Mapping[str, Fraction | None]) -> Fraction | None:
    """Summary score of the QLQ-C30: mean of 13 scales, symptoms reversed; ``None`` unless all 13 exist.

    Parameters
    ----------
    by_scale : mapping of str to Fraction or None
        From :func:`scores` of the QLQ-C30.
    """
    total = Fraction(0)
    counted = [scale for scale in C30.scales if scale.key not in NOT_IN_SUMMARY]
    for scale in counted:
        score = by_scale.get(scale.key)
        if score is None:
            return None
        total += score if scale.direction is Direction.FUNCTIONAL else 100 - score
    return total / len(counted)

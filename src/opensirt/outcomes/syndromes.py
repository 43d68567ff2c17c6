"""Syndromes around the treatment: after embolisation and after radioembolisation (PES, PRS), and the carcinoid symptom diary.

PES: at least two of pain, fever (38 °C and more), nausea, vomiting, new or worse than at baseline, beginning within 72 hours, without another
cause. PRS: the same with fatigue and loss of appetite within 14 days. The diary compares daily counts with their mean before treatment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from opensirt.outcomes.checks import require_not_negative
from opensirt.outcomes.judgement import Basis, Judgement, Rule
from opensirt.vocabulary.errors import InvalidValue, MissingInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.provenance import Mark

SYNDROMES_VERSION = "1"
SYNDROME_SOURCE = "post-embolisation syndrome as in NICE HTG720 and reviews of radioembolisation"
TELESTAR_SOURCE = "TELESTAR, Kulke et al. 2017"
SYNDROME_BASIS = Basis("syndrome after embolisation", SYNDROMES_VERSION, (SYNDROME_SOURCE,))
DIARY_BASIS = Basis("carcinoid symptom diary", SYNDROMES_VERSION, (TELESTAR_SOURCE,))
PES_WITHIN_H = 72.0
PRS_WITHIN_H = 14.0 * 24.0
FEWEST_ITEMS = 2


class Symptom(Enum):
    """What is asked for after the treatment."""

    PAIN = "pain"
    FEVER = "fever"
    """38 °C and more."""
    NAUSEA = "nausea"
    VOMITING = "vomiting"
    FATIGUE = "fatigue"
    ANOREXIA = "anorexia"


PES_ITEMS = frozenset({Symptom.PAIN, Symptom.FEVER, Symptom.NAUSEA, Symptom.VOMITING})
PRS_ITEMS = frozenset(Symptom)


class Syndrome(Enum):
    """What the symptoms amount to."""

    NONE = "none"
    PES = "PES"
    PRS = "PRS"
    ADVERSE_EVENT = "adverse event"
    """Another cause was found, or the symptoms began late."""


def syndrome(onset_h: Mapping[Symptom, float], other_cause: str = "") -> Judgement[Syndrome]:
    """Whether symptoms make a syndrome after embolisation (PES) or radioembolisation (PRS).

    Parameters
    ----------
    onset_h : mapping of Symptom to float
        Symptoms that are new or worse than at baseline, with their onset after the administration, h.
    other_cause : str
        A cause that explains them (``"abscess"``), or empty.

    Returns
    -------
    Judgement
        PES goes before PRS.

    Raises
    ------
    InvalidValue
        For an onset before the administration.
    """
    for symptom, onset in onset_h.items():
        require_not_negative(onset, f"onset of {symptom.value}", "h")
    early = {symptom for symptom, onset in onset_h.items() if onset <= PES_WITHIN_H} & PES_ITEMS
    within = {symptom for symptom, onset in onset_h.items() if onset <= PRS_WITHIN_H} & PRS_ITEMS
    if not onset_h:
        return Judgement(Syndrome.NONE, Rule("syndrome.none", "no symptom is new or worse"), SYNDROME_BASIS)
    if other_cause:
        return Judgement(Syndrome.ADVERSE_EVENT, Rule("syndrome.other-cause", f"another cause: {other_cause}"), SYNDROME_BASIS)
    if len(early) >= FEWEST_ITEMS:
        return Judgement(
            Syndrome.PES, Rule("syndrome.pes", "two or more of pain, fever, nausea, vomiting within 72 hours"), SYNDROME_BASIS
        )
    if len(within) >= FEWEST_ITEMS:
        return Judgement(Syndrome.PRS, Rule("syndrome.prs", "two or more symptoms within 14 days"), SYNDROME_BASIS)
    if len(onset_h) >= FEWEST_ITEMS:
        return Judgement(Syndrome.ADVERSE_EVENT, Rule("syndrome.late", "symptoms began after 14 days"), SYNDROME_BASIS)
    return Judgement(Syndrome.NONE, Rule("syndrome.one", "fewer than two symptoms"), SYNDROME_BASIS)


BASELINE_D = 7
FEWEST_BASELINE_D = 4
RESPONSE_SHARE = Fraction(3, 10)
DURABLE_SHARE = Fraction(1, 2)
PARTIAL_SHARE = Fraction(1, 2)
COMPLETE_D = 7
SMALLEST_MEANINGFUL_CHANGE_PER_DAY = (0.62, 0.83)
"""Bowel movements a day that count as a meaningful change, by the spread of the counts (TELESTAR)."""


class DiaryResponse(Enum):
    """How a symptom changed."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    STABLE = "stable"
    WORSE = "worse"
    NO_RESPONSE = "no response"
    """Somatostatin analogues were escalated: whatever the counts say."""
    NOT_SYMPTOMATIC = "not symptomatic"
    """Nothing at baseline: not in the denominator."""


@dataclass(frozen=True)
class Diary:
    """Daily counts of one symptom (bowel movements, flushing episodes); ``None`` where the day was not filled in.

    Attributes
    ----------
    before : tuple of int or None
        Days before treatment, the last seven count.
    after : tuple of int or None
        Days of the period that is judged.
    analogue_escalated : bool
        Dose or frequency of somatostatin analogues was raised in the period.

    Raises
    ------
    InvalidValue
        For a negative count.
    MissingInput
        With fewer than four valid days of the last seven before treatment, or none after.
    """

    before: tuple[int | None, ...]
    after: tuple[int | None, ...]
    analogue_escalated: bool = False

    def __post_init__(self) -> None:
        if any(count is not None and count < 0 for count in (*self.before, *self.after)):
            raise InvalidValue("a negative count in the diary", "", "check the days")
        valid = len(_valid(self.before[-BASELINE_D:]))
        if valid < FEWEST_BASELINE_D:
            raise MissingInput(
                f"{valid} valid days of the last {BASELINE_D} before treatment",
                f"{FEWEST_BASELINE_D} are needed",
                "complete the diary",
            )
        if not _valid(self.after):
            raise MissingInput("no valid day after treatment", "", "complete the diary")

    @property
    def baseline_mean(self) -> Fraction:
        """Mean of the valid days among the last seven before treatment."""
        return _mean(self.before[-BASELINE_D:])

    @property
    def period_mean(self) -> Fraction:
        """Mean of the valid days of the period."""
        return _mean(self.after)

    @property
    def longest_run_without(self) -> int:
        """Longest run of days with a count of 0; a day that was not filled in ends it."""
        longest = run = 0
        for count in self.after:
            run = run + 1 if count == 0 else 0
            longest = max(longest, run)
        return longest


def _valid(days: Sequence[int | None]) -> list[int]:
    return [count for count in days if count is not None]


def _mean(days: Sequence[int | None]) -> Fraction:
    valid = _valid(days)
    return Fraction(sum(valid), len(valid))


def durable_response(diary: Diary) -> bool:
    """Whether the count was at least 30 % below the baseline on at least half of the days of the period (TELESTAR).

    A day that was not filled in counts as one without response.
    """
    bound = (1 - RESPONSE_SHARE) * diary.baseline_mean
    days = sum(1 for count in diary.after if count is not None and count <= bound)
    return diary.baseline_mean > 0 and Fraction(days, len(diary.after)) >= DURABLE_SHARE


def diary_response(diary: Diary) -> Judgement[DiaryResponse]:
    """How a symptom changed against the week before treatment.

    Returns
    -------
    Judgement
        Complete: a count of 0 on 7 days in a row or more; partial: mean at least 50 % lower; worse: mean above the baseline (a convention);
        escalated analogues are no response.
    """
    if diary.baseline_mean == 0:
        return _diary(DiaryResponse.NOT_SYMPTOMATIC, "nothing at baseline", diary)
    if diary.analogue_escalated:
        return _diary(DiaryResponse.NO_RESPONSE, "somatostatin analogues were escalated", diary)
    if diary.longest_run_without >= COMPLETE_D:
        return _diary(DiaryResponse.COMPLETE, "none on 7 days in a row", diary)
    if diary.period_mean <= (1 - PARTIAL_SHARE) * diary.baseline_mean:
        return _diary(DiaryResponse.PARTIAL, "mean at least 50 % below the baseline", diary)
    if diary.period_mean <= diary.baseline_mean:
        return _diary(DiaryResponse.STABLE, "mean between 50 % and 100 % of the baseline", diary)
    return _diary(DiaryResponse.WORSE, "mean above the baseline", diary, Mark.ASSUMED)


def _diary(category: DiaryResponse, says: str, diary: Diary, mark: Mark = Mark.FOUND) -> Judgement[DiaryResponse]:
    findings = []
    missing = sum(1 for count in diary.after if count is None)
    if missing > math.floor(len(diary.after) / 2):
        message = f"{missing} of {len(diary.after)} days were not filled in · the mean of the rest may not stand for the period · weigh it"
        findings.append(Finding("diary.mostly_missing", Severity.WARNING, message, "diary", TELESTAR_SOURCE))
    return Judgement(category, Rule(f"diary.{category.value.replace(' ', '-')}", says, mark), DIARY_BASIS, tuple(findings))

"""One time point seen three ways: the whole patient, the liver, the treated territory; and the best of several time points.

A new lesion in the untreated lobe is progression of the patient and of the liver, but not of what was treated. Each scope takes the lesions of its
regions and reads the same table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from opensirt.outcomes.judgement import Basis, Judgement, Rule
from opensirt.outcomes.lesions import TargetCourse, response_of_targets
from opensirt.outcomes.overall_response import NewLesion, NonTargetResponse, OverallResponse, overall_response
from opensirt.outcomes.response import RECIST, RECIST_SOURCE, SizeCriterion
from opensirt.vocabulary.errors import InvalidValue, MissingInput
from opensirt.vocabulary.findings import Finding, Severity

SCOPES_VERSION = "1"
SHORTEST_STABLE_D = 42.0
"""Stable disease counts from 6 weeks after the baseline on; a protocol may say otherwise."""
BEST_BASIS = Basis("best overall response, RECIST 1.1", SCOPES_VERSION, (RECIST_SOURCE,))


class Region(Enum):
    """Where a lesion lies with respect to the treatment."""

    TREATED = "treated territory"
    UNTREATED_LIVER = "untreated liver"
    ELSEWHERE = "outside of the liver"


class Scope(Enum):
    """What a response speaks of, with its regions."""

    OVERALL = frozenset(Region)
    HEPATIC = frozenset({Region.TREATED, Region.UNTREATED_LIVER})
    TREATED_TERRITORY = frozenset({Region.TREATED})


@dataclass(frozen=True)
class PlacedTarget:
    """A target and its region."""

    course: TargetCourse
    region: Region


@dataclass(frozen=True)
class TimePoint:
    """All that one scan shows.

    Attributes
    ----------
    targets : tuple of PlacedTarget
        With all scans up to this one.
    non_targets : tuple of (Region, NonTargetResponse)
        What the other lesions of each region did.
    new_lesions : frozenset of Region
        Where lesions appeared.
    """

    targets: tuple[PlacedTarget, ...]
    non_targets: tuple[tuple[Region, NonTargetResponse], ...] = ()
    new_lesions: frozenset[Region] = frozenset()


def joined_non_targets(responses: Iterable[NonTargetResponse]) -> NonTargetResponse:
    """Several groups of other lesions as one: progression of one is progression, all must be gone for CR, one open leaves all open."""
    seen = set(responses) - {NonTargetResponse.NONE}
    for first in (NonTargetResponse.PD, NonTargetResponse.NE, NonTargetResponse.NON_CR_NON_PD, NonTargetResponse.CR):
        if first in seen:
            return first
    return NonTargetResponse.NONE


def response_in(scope: Scope, point: TimePoint, criterion: SizeCriterion = RECIST) -> Judgement[OverallResponse]:
    """The response of one scope.

    Parameters
    ----------
    scope : Scope
        Patient, liver, or treated territory.
    point : TimePoint
        What the scan shows.
    criterion : SizeCriterion
        RECIST 1.1 or mRECIST.

    Raises
    ------
    MissingInput
        If the scope holds no lesion at all.
    """
    inside = scope.value
    target, _ = response_of_targets([each.course for each in point.targets if each.region in inside], criterion)
    others = joined_non_targets(response for region, response in point.non_targets if region in inside)
    new = NewLesion.PRESENT if point.new_lesions & inside else NewLesion.NONE
    overall = overall_response(target.category, others, new)
    return Judgement(overall.category, overall.rule, overall.basis, (*target.findings, *overall.findings))


@dataclass(frozen=True)
class Assessed:
    """The response of one time point and its distance from the baseline, d."""

    days_from_baseline: float
    response: OverallResponse


_BEST = {
    OverallResponse.CR: Rule("best.cr", "complete response at one time point before progression"),
    OverallResponse.PR: Rule("best.pr", "partial response at one time point before progression"),
    OverallResponse.SD: Rule("best.sd", "stable at or after the shortest interval from the baseline"),
    OverallResponse.NON_CR_NON_PD: Rule("best.non-cr-non-pd", "other lesions neither gone nor progressing"),
    OverallResponse.PD: Rule("best.pd", "progression, and no response and no lasting stability before it"),
    OverallResponse.NE: Rule("best.ne", "nothing evaluable, or stability too short"),
}


def best_overall_response(assessed: Sequence[Assessed], shortest_stable_d: float = SHORTEST_STABLE_D) -> Judgement[OverallResponse]:
    """The best response from baseline to the first progression, without confirmation.

    Parameters
    ----------
    assessed : sequence of Assessed
        In any order.
    shortest_stable_d : float
        From the baseline, d, before which stability does not count.

    Raises
    ------
    MissingInput
        If there is no time point.
    InvalidValue
        For a time point before the baseline or two at one time.
    """
    if not assessed:
        raise MissingInput("no time point", "", "add the response of at least one scan")
    ordered = sorted(assessed, key=lambda each: each.days_from_baseline)
    days = [each.days_from_baseline for each in ordered]
    if not all(day >= 0.0 for day in days) or len(set(days)) < len(days):
        raise InvalidValue(f"time points at {days} days", "each lies after the baseline and stands alone", "check the dates")
    until: list[Assessed] = []
    for each in ordered:
        until.append(each)
        if each.response is OverallResponse.PD:
            break
    counted = {
        each.response for each in until if each.response is not OverallResponse.SD or each.days_from_baseline >= shortest_stable_d
    }
    best = next(response for response in _BEST if response in (counted | {OverallResponse.NE}))
    return Judgement(best, _BEST[best], BEST_BASIS, _best_findings(ordered, until))


def _best_findings(ordered: Sequence[Assessed], until: Sequence[Assessed]) -> tuple[Finding, ...]:
    after = [each for each in ordered[len(until) :] if each.response.is_objective_response]
    if not after:
        return ()
    message = (
        f"{len(after)} responses after progression at {until[-1].days_from_baseline:g} days do not count · delayed response or an early misreading "
        "is possible · look at the scan again"
    )
    return (Finding("response.after_progression", Severity.WARNING, message, "best overall response", RECIST_SOURCE),)

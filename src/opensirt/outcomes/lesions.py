"""Lesion by lesion: what may be a target, the sums of each scan, and the nadir found from the scans rather than typed in.

RECIST 1.1: a target measures at least 10 mm (long axis), a lymph node at least 15 mm (short axis); at most 5 targets, at most 2 in an organ.
mRECIST: at least 10 mm of arterial enhancement, seen in an arterial phase.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from opensirt.outcomes.judgement import Judgement, Rule
from opensirt.outcomes.response import (
    NORMAL_NODE_MM,
    RECIST,
    RECIST_SOURCE,
    Baseline,
    Current,
    Nadir,
    Quantity,
    SizeCriterion,
    Sums,
    TargetResponse,
    target_response,
)
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, MissingInput
from opensirt.vocabulary.findings import Finding, Severity

LESIONS_VERSION = "1"
SMALLEST_TARGET_MM = Fraction(10)
SMALLEST_NODE_MM = Fraction(15)
MOST_TARGETS = 5
MOST_TARGETS_PER_ORGAN = 2
NOT_EVALUATED = Rule("target.ne", "a target was not evaluated")
NO_TARGETS = Rule("target.none", "there was no target lesion at baseline")


class LesionKind(Enum):
    """Where a lesion sits: a lymph node is measured by its short axis and has a normal size."""

    NODE = "node"
    OTHER = "other"


@dataclass(frozen=True)
class TargetCourse:
    """One target through all scans.

    Attributes
    ----------
    name, organ : str
        For people; the organ counts for the limit of two.
    kind : LesionKind
        Node or not.
    baseline_mm : Fraction
        Long axis (short axis of a node; enhancing part for mRECIST) before treatment, mm, exact.
    follow_up_mm : tuple of Fraction or None
        The same at each later scan; 0 for gone, ``None`` for not evaluated.

    Raises
    ------
    InvalidValue
        For a diameter that cannot be.
    """

    name: str
    organ: str
    kind: LesionKind
    baseline_mm: Fraction
    follow_up_mm: tuple[Fraction | None, ...]

    def __post_init__(self) -> None:
        if self.baseline_mm <= 0:
            raise InvalidValue(
                f"target {self.name} of {float(self.baseline_mm):g} mm at baseline", "", "a target is measured before treatment"
            )
        if any(each is not None and each < 0 for each in self.follow_up_mm):
            raise InvalidValue(
                f"target {self.name} has a negative diameter", "", "give 0 for gone and leave it empty for not evaluated"
            )


def response_of_targets(
    targets: Sequence[TargetCourse], criterion: SizeCriterion = RECIST
) -> tuple[Judgement[TargetResponse], Sums | None]:
    """What the targets did at the last scan, from all scans.

    The nadir is the smallest complete sum of baseline and earlier follow-ups; a scan with a target not evaluated is no nadir.

    Parameters
    ----------
    targets : sequence of TargetCourse
        In any order; empty where there were none at baseline.
    criterion : SizeCriterion
        RECIST or mRECIST: a criterion on diameters.

    Returns
    -------
    judgement : Judgement
        With findings on what may not be a target.
    sums : Sums or None
        ``None`` where a target was not evaluated or none exists.

    Raises
    ------
    InconsistentInput
        If the targets have different numbers of scans, two have one name, or the criterion takes no diameters.
    MissingInput
        If there is no follow-up.
    """
    if criterion.quantity not in (Quantity.DIAMETER, Quantity.ENHANCING_DIAMETER):
        raise InconsistentInput(
            "diameters lesion by lesion", f"{criterion.basis.method} needs {criterion.quantity.value}", "give its sums"
        )
    if not targets:
        return Judgement(TargetResponse.NONE, NO_TARGETS, criterion.basis), None
    _require_one_course(targets)
    findings = target_findings(targets)
    baseline = sum((each.baseline_mm for each in targets), Fraction(0))
    scans = [[each.follow_up_mm[index] for each in targets] for index in range(len(targets[0].follow_up_mm))]
    complete = [sum((mm for mm in scan if mm is not None), Fraction(0)) for scan in scans[:-1] if None not in scan]
    nadir = min([baseline, *complete])
    measured = [mm for mm in scans[-1] if mm is not None]
    now = sum(measured, Fraction(0))
    sums = Sums(criterion.quantity, Baseline(baseline), Nadir(nadir), Current(now), _only_normal_nodes(targets, criterion))
    if len(measured) < len(targets):
        return Judgement(TargetResponse.NE, NOT_EVALUATED, criterion.basis, (*findings, *_missing(criterion, sums))), None
    judgement = target_response(criterion, sums)
    return Judgement(judgement.category, judgement.rule, judgement.basis, (*findings, *judgement.findings)), sums


def _require_one_course(targets: Sequence[TargetCourse]) -> None:
    lengths = {len(each.follow_up_mm) for each in targets}
    if len(lengths) > 1:
        raise InconsistentInput(
            f"targets with {min(lengths)} and with {max(lengths)} follow-up scans",
            "a sum takes one scan of all",
            "mark what was not evaluated as such",
        )
    if lengths == {0}:
        raise MissingInput("no follow-up scan", "a response compares two scans", "add the scan to be judged")
    doubled = [name for name, count in Counter(each.name for each in targets).items() if count > 1]
    if doubled:
        raise InconsistentInput(
            f"two targets are called {', '.join(doubled)}", "one would be counted twice", "give each a name of its own"
        )


def _only_normal_nodes(targets: Sequence[TargetCourse], criterion: SizeCriterion) -> bool:
    """Whether all that is left are nodes below 10 mm; false where nothing is left, something is missing, or the criterion has no such rule."""
    last = [(each.kind, each.follow_up_mm[-1]) for each in targets]
    if criterion is not RECIST or any(mm is None for _, mm in last):
        return False
    normal = all(mm == 0 or (kind is LesionKind.NODE and mm is not None and mm < NORMAL_NODE_MM) for kind, mm in last)
    return normal and any(mm != 0 for _, mm in last)


def _missing(criterion: SizeCriterion, sums: Sums) -> tuple[Finding, ...]:
    if not criterion.progressed(sums):
        return ()
    message = (
        f"the targets that were evaluated sum to {float(sums.current.amount):g} mm and alone meet progression over {float(sums.nadir.amount):g} mm · "
        "the time point is NE because a target was not evaluated · a person decides whether it is progression"
    )
    return (Finding("response.progression_despite_missing", Severity.WARNING, message, "target lesions", RECIST_SOURCE),)


def target_findings(targets: Sequence[TargetCourse]) -> tuple[Finding, ...]:
    """What the rules for choosing targets say against these: too small, too many, too many in one organ."""
    found = []
    for each in targets:
        smallest = SMALLEST_NODE_MM if each.kind is LesionKind.NODE else SMALLEST_TARGET_MM
        if each.baseline_mm < smallest:
            axis = "short axis of a node" if each.kind is LesionKind.NODE else "long axis"
            message = (
                f"target {each.name} of {float(each.baseline_mm):g} mm at baseline is below the {float(smallest):g} mm ({axis}) of a measurable "
                "lesion · its change is within reading error · make it a non-target lesion"
            )
            found.append(Finding("response.target_too_small", Severity.WARNING, message, each.name, RECIST_SOURCE))
    if len(targets) > MOST_TARGETS:
        message = f"{len(targets)} targets, at most {MOST_TARGETS} are allowed · sums of other readers would differ · choose {MOST_TARGETS}"
        found.append(Finding("response.too_many_targets", Severity.WARNING, message, "target lesions", RECIST_SOURCE))
    for organ, count in sorted(Counter(each.organ for each in targets).items()):
        if count > MOST_TARGETS_PER_ORGAN:
            message = f"{count} targets in {organ}, at most {MOST_TARGETS_PER_ORGAN} are allowed in an organ · choose {MOST_TARGETS_PER_ORGAN}"
            found.append(Finding("response.too_many_targets_in_organ", Severity.WARNING, message, organ, RECIST_SOURCE))
    return tuple(found)


def require_enhancing(names_without_enhancement: Sequence[str], arterial_phase_acquired: bool) -> None:
    """Refuse mRECIST (or EASL) where enhancement could not be seen or was not there at baseline.

    Parameters
    ----------
    names_without_enhancement : sequence of str
        Lesions named as targets that did not enhance in the arterial phase at baseline.
    arterial_phase_acquired : bool
        Whether both scans have an arterial phase.

    Raises
    ------
    MissingInput
        Without an arterial phase.
    InvalidValue
        If a target did not enhance at baseline.
    """
    if not arterial_phase_acquired:
        raise MissingInput("no arterial phase", "viable tumour is what enhances in it", "acquire one, or use RECIST 1.1")
    if names_without_enhancement:
        raise InvalidValue(
            f"no arterial enhancement at baseline in {', '.join(names_without_enhancement)}",
            "it cannot be a target of mRECIST or EASL",
            "judge it as a non-target lesion or by RECIST 1.1",
        )

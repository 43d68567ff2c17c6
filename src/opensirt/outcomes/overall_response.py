"""Targets, other lesions and new lesions together: the overall response as a decision table.

The rows are data (:data:`OVERALL_TABLE`); the first that fits decides, and the answer names it. Eisenhauer et al. 2009, tables 1 and 2 (RECIST
1.1). mRECIST reads the same table with "persistence of enhancement" (IR/SD) for what is neither gone nor progressing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from opensirt.outcomes.judgement import Basis, Judgement, Rule
from opensirt.outcomes.response import RECIST_SOURCE, TargetResponse
from opensirt.vocabulary.errors import MissingInput, UnsupportedInput
from opensirt.vocabulary.findings import Finding, Severity

OVERALL_VERSION = "1"
OVERALL_BASIS = Basis("overall response, RECIST 1.1", OVERALL_VERSION, (RECIST_SOURCE,))


class NonTargetResponse(Enum):
    """What the other lesions did."""

    NONE = "none"
    """There were none at baseline."""
    CR = "CR"
    NON_CR_NON_PD = "non-CR/non-PD"
    NE = "NE"
    """Not all were evaluated."""
    PD = "PD"
    """Unequivocal progression."""


class NewLesion(Enum):
    """Whether a lesion appeared that was not there before."""

    NONE = "none"
    PRESENT = "present"


class OverallResponse(Enum):
    """The response of a time point."""

    CR = "CR"
    PR = "PR"
    SD = "SD"
    PD = "PD"
    NE = "NE"
    NON_CR_NON_PD = "non-CR/non-PD"
    """Without target lesions: neither gone nor progressing."""

    @property
    def is_objective_response(self) -> bool:
        """CR or PR."""
        return self in (OverallResponse.CR, OverallResponse.PR)

    @property
    def is_disease_control(self) -> bool:
        """CR, PR or SD."""
        return self.is_objective_response or self is OverallResponse.SD


@dataclass(frozen=True)
class OverallRow:
    """One row: which targets, other lesions and new lesions it covers, and what follows."""

    rule: Rule
    targets: frozenset[TargetResponse]
    non_targets: frozenset[NonTargetResponse]
    new_lesions: frozenset[NewLesion]
    overall: OverallResponse

    def fits(self, target: TargetResponse, non_target: NonTargetResponse, new_lesion: NewLesion) -> bool:
        """Whether the row covers this combination."""
        return target in self.targets and non_target in self.non_targets and new_lesion in self.new_lesions


_T = TargetResponse
_N = NonTargetResponse
_ANY_TARGET = frozenset({_T.CR, _T.PR, _T.SD, _T.PD, _T.NE, _T.NONE})
_ANY_OTHER = frozenset(_N)
_NOT_PROGRESSING = frozenset({_N.NONE, _N.CR, _N.NON_CR_NON_PD, _N.NE})
_NO_NEW = frozenset({NewLesion.NONE})


def _row(
    name: str,
    says: str,
    targets: frozenset[TargetResponse],
    non_targets: frozenset[NonTargetResponse],
    overall: OverallResponse,
    new_lesions: frozenset[NewLesion] = _NO_NEW,
) -> OverallRow:
    return OverallRow(Rule(f"overall.{name}", says), targets, non_targets, new_lesions, overall)


OVERALL_TABLE: tuple[OverallRow, ...] = (
    _row("new", "a new lesion is progression", _ANY_TARGET, _ANY_OTHER, OverallResponse.PD, frozenset({NewLesion.PRESENT})),
    _row("target-pd", "progression of the targets", frozenset({_T.PD}), _ANY_OTHER, OverallResponse.PD),
    _row("other-pd", "unequivocal progression of other lesions", _ANY_TARGET, frozenset({_N.PD}), OverallResponse.PD),
    _row("cr", "targets and other lesions gone", frozenset({_T.CR}), frozenset({_N.CR, _N.NONE}), OverallResponse.CR),
    _row("cr-rest", "targets gone, other lesions left", frozenset({_T.CR}), frozenset({_N.NON_CR_NON_PD}), OverallResponse.PR),
    _row("cr-ne", "targets gone, other lesions not evaluated", frozenset({_T.CR}), frozenset({_N.NE}), OverallResponse.PR),
    _row("pr", "targets respond, others do not progress", frozenset({_T.PR}), _NOT_PROGRESSING, OverallResponse.PR),
    _row("sd", "targets stable, others do not progress", frozenset({_T.SD}), _NOT_PROGRESSING, OverallResponse.SD),
    _row("ne", "targets not evaluated, others do not progress", frozenset({_T.NE}), _NOT_PROGRESSING, OverallResponse.NE),
    _row("only-others-cr", "no targets; all other lesions gone", frozenset({_T.NONE}), frozenset({_N.CR}), OverallResponse.CR),
    _row(
        "only-others-rest",
        "no targets; other lesions neither gone nor progressing",
        frozenset({_T.NONE}),
        frozenset({_N.NON_CR_NON_PD}),
        OverallResponse.NON_CR_NON_PD,
    ),
    _row("only-others-ne", "no targets; other lesions not evaluated", frozenset({_T.NONE}), frozenset({_N.NE}), OverallResponse.NE),
)


def overall_response(
    target: TargetResponse, non_target: NonTargetResponse, new_lesion: NewLesion, basis: Basis = OVERALL_BASIS
) -> Judgement[OverallResponse]:
    """The response of a time point.

    Parameters
    ----------
    target : TargetResponse
        What the targets did; ``NONE`` where there were none at baseline.
    non_target : NonTargetResponse
        What the other lesions did; ``NONE`` where there were none.
    new_lesion : NewLesion
        Whether an unequivocal new lesion appeared.
    basis : Basis
        Whose table it is said to be.

    Returns
    -------
    Judgement
        The overall response, the row that decided, findings.

    Raises
    ------
    MissingInput
        If there were neither targets nor other lesions nor a new one.
    UnsupportedInput
        For a target response of a criterion without progression (modified Choi).
    """
    if target is TargetResponse.NO_PR:
        raise UnsupportedInput(
            "a target response of 'no PR'", "its criterion knows no progression", "use RECIST 1.1, mRECIST, EASL or Choi"
        )
    for row in OVERALL_TABLE:
        if row.fits(target, non_target, new_lesion):
            return Judgement(row.overall, row.rule, basis, _findings(row, target, non_target))
    raise MissingInput(
        "no target, no other and no new lesion",
        "there is nothing whose response could be told",
        "state the lesions of the baseline",
    )


def _findings(row: OverallRow, target: TargetResponse, non_target: NonTargetResponse) -> tuple[Finding, ...]:
    source = RECIST_SOURCE
    found = []
    if row.rule.row == "overall.other-pd" and target in (TargetResponse.CR, TargetResponse.PR, TargetResponse.SD):
        message = (
            f"progression by other lesions alone while the targets are {target.value} · it must be unequivocal (RECIST 1.1), and an effusion or "
            "ascites needs cytology · have a second reader confirm it"
        )
        found.append(Finding("response.progression_by_other_lesions", Severity.WARNING, message, "non-target lesions", source))
    if row.rule.row != "overall.other-pd" and row.overall is not OverallResponse.PD and non_target is NonTargetResponse.NE:
        message = "not all other lesions were evaluated · progression among them cannot be excluded · complete the imaging"
        found.append(Finding("response.other_lesions_not_evaluated", Severity.NOTE, message, "non-target lesions", source))
    return tuple(found)

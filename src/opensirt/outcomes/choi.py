"""Choi and modified Choi: size together with enhancement on portal venous CT.

Choi: response by size (at least 10 % smaller) *or* density (at least 15 % lower); progression by size (at least 10 % larger) unless the
density responded. Modified Choi asks for both. For progression by the modified criteria no source was found: there is none here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from opensirt.outcomes.judgement import Basis, Judgement, Rule
from opensirt.outcomes.response import Quantity, Sums, TargetResponse
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.provenance import Mark

CHOI_VERSION = "1"
CHOI_SOURCE = "Choi et al. 2007"
MODIFIED_CHOI_SOURCE = "modified Choi criteria, Nathan et al. 2010"
SIZE_RESPONSE_RATIO = Fraction(9, 10)
SIZE_PROGRESSION_RATIO = Fraction(11, 10)
DENSITY_RESPONSE_RATIO = Fraction(85, 100)
CHOI_BASIS = Basis("Choi", CHOI_VERSION, (CHOI_SOURCE,))
MODIFIED_CHOI_BASIS = Basis("modified Choi", CHOI_VERSION, (MODIFIED_CHOI_SOURCE,))


@dataclass(frozen=True)
class Densities:
    """Mean CT number of the targets at baseline and now, HU, portal venous phase, exact.

    Raises
    ------
    InvalidValue
        For a baseline that is not above 0 HU: a relative change of it has no meaning.
    """

    baseline_hu: Fraction
    current_hu: Fraction

    def __post_init__(self) -> None:
        if self.baseline_hu <= 0:
            raise InvalidValue(
                f"a baseline density of {float(self.baseline_hu):g} HU",
                "a change in percent needs a density above 0 HU",
                "measure the enhancing tumour in the portal venous phase, or use a criterion of size",
            )

    @property
    def from_baseline_percent(self) -> float:
        """Change in percent; negative for a fall."""
        return float(100 * (self.current_hu - self.baseline_hu) / self.baseline_hu)

    @property
    def responded(self) -> bool:
        """At least 15 % lower than at baseline."""
        return self.current_hu <= DENSITY_RESPONSE_RATIO * self.baseline_hu


class _Row(Enum):
    GONE = Rule("choi.cr", "all targets gone", Mark.UNVERIFIED)
    SIZE = Rule("choi.pr.size", "size at least 10 % below the baseline")
    DENSITY = Rule("choi.pr.density", "density at least 15 % below the baseline")
    BOTH = Rule("choi.pr.both", "size at least 10 % and density at least 15 % below the baseline")
    PROGRESSION = Rule("choi.pd", "size at least 10 % above the nadir and no response by density")
    STABLE = Rule("choi.sd", "neither response nor progression")
    MODIFIED_BOTH = Rule("modified-choi.pr", "size at least 10 % and density at least 15 % below the baseline")
    MODIFIED_GONE = Rule("modified-choi.cr", "all targets gone", Mark.UNVERIFIED)
    MODIFIED_REST = Rule("modified-choi.no-pr", "size and density did not both respond")


def _require_diameters(sums: Sums) -> None:
    if sums.quantity is not Quantity.DIAMETER or sums.only_normal_nodes_left:
        raise InconsistentInput(
            f"{sums.quantity.value}", "Choi's criteria need the sum of diameters", "measure the longest diameters"
        )


def choi_response(sums: Sums, densities: Densities) -> Judgement[TargetResponse]:
    """Target response by Choi.

    Parameters
    ----------
    sums : Sums
        Of diameters. Response counts from the baseline, progression from the nadir.
    densities : Densities
        Mean CT numbers.

    Returns
    -------
    Judgement
        CR, PR, SD or PD with the row that decided.

    Raises
    ------
    InconsistentInput
        If the sums are not of diameters.
    """
    _require_diameters(sums)
    smaller = sums.current.amount <= SIZE_RESPONSE_RATIO * sums.baseline.amount
    larger = sums.current.amount > sums.nadir.amount and sums.current.amount >= SIZE_PROGRESSION_RATIO * sums.nadir.amount
    if sums.current.amount == 0:
        return Judgement(TargetResponse.CR, _Row.GONE.value, CHOI_BASIS)
    if densities.responded:
        row = _Row.BOTH if smaller else _Row.DENSITY
        return Judgement(TargetResponse.PR, row.value, CHOI_BASIS, _grew(sums, larger))
    if larger:
        return Judgement(TargetResponse.PD, _Row.PROGRESSION.value, CHOI_BASIS, _reference(sums))
    if smaller:
        return Judgement(TargetResponse.PR, _Row.SIZE.value, CHOI_BASIS)
    return Judgement(TargetResponse.SD, _Row.STABLE.value, CHOI_BASIS)


def modified_choi_response(sums: Sums, densities: Densities) -> Judgement[TargetResponse]:
    """Target response by modified Choi: CR, PR, or no PR; it has no sourced rule of progression.

    Parameters
    ----------
    sums : Sums
        Of diameters.
    densities : Densities
        Mean CT numbers.

    Raises
    ------
    InconsistentInput
        If the sums are not of diameters.
    """
    _require_diameters(sums)
    if sums.current.amount == 0:
        return Judgement(TargetResponse.CR, _Row.MODIFIED_GONE.value, MODIFIED_CHOI_BASIS)
    if densities.responded and sums.current.amount <= SIZE_RESPONSE_RATIO * sums.baseline.amount:
        return Judgement(TargetResponse.PR, _Row.MODIFIED_BOTH.value, MODIFIED_CHOI_BASIS)
    findings: tuple[Finding, ...] = ()
    if sums.current.amount > sums.nadir.amount:
        message = (
            f"the sum rose to {float(sums.current.amount):g} mm from {float(sums.nadir.amount):g} mm at its lowest · for progression by modified "
            "Choi no source was found and none is invented · judge progression by RECIST 1.1 or Choi"
        )
        findings = (Finding("response.progression_not_defined", Severity.WARNING, message, "modified-choi", MODIFIED_CHOI_SOURCE),)
    return Judgement(TargetResponse.NO_PR, _Row.MODIFIED_REST.value, MODIFIED_CHOI_BASIS, findings)


def _grew(sums: Sums, larger: bool) -> tuple[Finding, ...]:
    if not larger:
        return ()
    message = (
        f"the density responded while the sum grew to {float(sums.current.amount):g} mm from {float(sums.nadir.amount):g} mm · Choi calls it a "
        "response (necrosis or bleeding can swell a tumour) · look at the images"
    )
    return (Finding("response.larger_but_less_dense", Severity.WARNING, message, "choi", CHOI_SOURCE),)


def _reference(sums: Sums) -> tuple[Finding, ...]:
    if sums.current.amount >= SIZE_PROGRESSION_RATIO * sums.baseline.amount:
        return ()
    message = (
        f"progression from the nadir of {float(sums.nadir.amount):g} mm, not from the baseline of {float(sums.baseline.amount):g} mm · which of "
        "the two Choi's 10 % count from was not seen in the source; here it is the nadir · weigh it"
    )
    return (Finding("response.convention", Severity.NOTE, message, "choi", CHOI_SOURCE),)

"""What speaks against radioembolisation in a patient, as published; which of it is met, not met or not known. It decides nothing.

Absolute and relative contraindications after the van Roekel thesis (UMC Utrecht) p. 21, a caution after the EANM handbook. What is not known is
never taken as absent: it stands in the table as not known and is said in a finding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from opensirt.vocabulary.earlier import EarlierTreatments
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.limits import LUNG_CUMULATIVE, LUNG_SINGLE
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.provenance import Mark
from opensirt.vocabulary.reserve import is_below

ELIGIBILITY_VERSION = "1"
VAN_ROEKEL = "van Roekel thesis, UMC Utrecht, p. 21"
HANDBOOK = "EANM handbook on radioembolisation"


class Weight(Enum):
    """How much a criterion weighs in its source."""

    ABSOLUTE = "absolute contraindication"
    RELATIVE = "relative contraindication"
    CAUTION = "caution"


class State(Enum):
    """Whether a criterion holds for a patient."""

    MET = "met"
    NOT_MET = "not met"
    NOT_KNOWN = "not known"


class Sense(Enum):
    """How a fact is held against a criterion."""

    ABOVE = "above"
    BELOW = "below"
    PRESENT = "present"


@dataclass(frozen=True)
class Criterion:
    """One published reason not to treat.

    Attributes
    ----------
    key, name : str
        Stable name, and how people call it.
    weight : Weight
        Absolute, relative, or a caution.
    sense : Sense
        Met above or below the threshold, or where the thing is present.
    threshold : float
        In ``unit``; not used where presence decides. A value on the threshold does not meet it.
    unit : str
        Unit of the threshold and of the fact.
    source, mark
        Where it was read.
    note : str
        What the source leaves open.
    """

    key: str
    name: str
    weight: Weight
    sense: Sense
    threshold: float
    unit: str
    source: str
    mark: Mark = Mark.FOUND
    note: str = ""

    @property
    def says(self) -> str:
        """The rule in words, with its threshold."""
        return (
            self.name if self.sense is Sense.PRESENT else f"{self.name} {self.sense.value} {self.threshold:g} {self.unit}".strip()
        )


def _present(key: str, name: str, weight: Weight) -> Criterion:
    return Criterion(key, name, weight, Sense.PRESENT, 0.0, "", VAN_ROEKEL)


CRITERIA = (
    _present("portal_hypertension", "extensive untreated portal hypertension", Weight.ABSOLUTE),
    Criterion("life_expectancy_months", "life expectancy", Weight.ABSOLUTE, Sense.BELOW, 3.0, "months", VAN_ROEKEL),
    _present("active_hepatitis", "active hepatitis", Weight.ABSOLUTE),
    _present("gastrointestinal_deposition", "deposition in the gastrointestinal tract that cannot be corrected", Weight.ABSOLUTE),
    Criterion(
        "lung_gy", "lung dose of this treatment", Weight.ABSOLUTE, Sense.ABOVE, LUNG_SINGLE.value_gy, "Gy", LUNG_SINGLE.source
    ),
    Criterion(
        "lung_cumulative_gy", "lung dose of all treatments", Weight.ABSOLUTE, Sense.ABOVE, LUNG_CUMULATIVE.value_gy, "Gy",
        LUNG_CUMULATIVE.source,
    ),
    Criterion(
        "bilirubin_umol_per_l", "bilirubin", Weight.RELATIVE, Sense.ABOVE, 34.2, "µmol/L", VAN_ROEKEL, note="printed as 2 mg/dL as well"
    ),
    Criterion("leukocytes_1e9_per_l", "leukocytes", Weight.RELATIVE, Sense.BELOW, 2.0, "10⁹/L", VAN_ROEKEL),
    Criterion("platelets_1e9_per_l", "platelets", Weight.RELATIVE, Sense.BELOW, 50.0, "10⁹/L", VAN_ROEKEL),
    Criterion(
        "gfr_ml_per_min", "glomerular filtration rate", Weight.RELATIVE, Sense.BELOW, 35.0, "mL/min", VAN_ROEKEL,
        note="the unit was not read in the source; mL/min is assumed",
    ),
    Criterion("inr_ratio", "INR", Weight.RELATIVE, Sense.ABOVE, 1.5, "", VAN_ROEKEL),
    _present("antiangiogenics", "treatment with antiangiogenic drugs", Weight.RELATIVE),
    Criterion("systemic_weeks_ago", "time since systemic therapy", Weight.RELATIVE, Sense.BELOW, 4.0, "weeks", VAN_ROEKEL),
    Criterion("ast_uln_ratio", "AST", Weight.CAUTION, Sense.ABOVE, 5.0, "times the upper limit of normal", HANDBOOK),
    Criterion("alt_uln_ratio", "ALT", Weight.CAUTION, Sense.ABOVE, 5.0, "times the upper limit of normal", HANDBOOK),
)  # fmt: skip
"""Every criterion, in the order in which it is shown."""


@dataclass(frozen=True)
class EligibilityFacts:
    """What is known of a patient; ``None`` where it is not known.

    Attributes
    ----------
    portal_hypertension, active_hepatitis, gastrointestinal_deposition, antiangiogenics : bool or None
        Present or not; portal hypertension that is extensive and untreated, deposition that cannot be corrected.
    life_expectancy_months : float or None
        Months.
    lung_gy : Measured or None
        Mean lung dose of this treatment, Gy.
    earlier : EarlierTreatments or None
        Earlier treatments; an empty one says that there were none.
    bilirubin_umol_per_l : float or None
        Total bilirubin, µmol/L.
    leukocytes_1e9_per_l, platelets_1e9_per_l : float or None
        10⁹/L.
    gfr_ml_per_min : float or None
        Glomerular filtration rate, mL/min.
    inr_ratio : float or None
        International normalised ratio.
    systemic_weeks_ago : float or None
        Weeks since the last systemic therapy; infinite where there never was one.
    ast_uln_ratio, alt_uln_ratio : float or None
        Times the upper limit of normal.

    Raises
    ------
    InvalidValue
        For a number that cannot be.
    """

    portal_hypertension: bool | None = None
    life_expectancy_months: float | None = None
    active_hepatitis: bool | None = None
    gastrointestinal_deposition: bool | None = None
    lung_gy: Measured | None = None
    earlier: EarlierTreatments | None = None
    bilirubin_umol_per_l: float | None = None
    leukocytes_1e9_per_l: float | None = None
    platelets_1e9_per_l: float | None = None
    gfr_ml_per_min: float | None = None
    inr_ratio: float | None = None
    antiangiogenics: bool | None = None
    systemic_weeks_ago: float | None = None
    ast_uln_ratio: float | None = None
    alt_uln_ratio: float | None = None

    def __post_init__(self) -> None:
        for criterion in CRITERIA:
            value = getattr(self, criterion.key, None)
            if criterion.sense is Sense.PRESENT or value is None:
                continue
            number = value.value if isinstance(value, Measured) else value
            endless = criterion.key == "systemic_weeks_ago" and number == math.inf
            if not (0.0 <= number < math.inf or endless):
                raise InvalidValue(
                    f"{criterion.name} of {number} {criterion.unit}".strip(),
                    "",
                    "give a finite value of 0 or more, or leave it out",
                )


@dataclass(frozen=True)
class CriterionResult:
    """One row of the table: criterion, whether it holds, and the fact behind it in words (empty where not known)."""

    criterion: Criterion
    state: State
    stated: str


@dataclass(frozen=True)
class Eligibility:
    """Every criterion with its state, and what a person must weigh. Nothing is decided."""

    rows: tuple[CriterionResult, ...]
    findings: tuple[Finding, ...]

    def of(self, state: State) -> tuple[CriterionResult, ...]:
        """The rows in one state."""
        return tuple(row for row in self.rows if row.state is state)


def eligibility(facts: EligibilityFacts) -> Eligibility:
    """A patient's facts against every criterion.

    Parameters
    ----------
    facts : EligibilityFacts
        What is known.

    Returns
    -------
    Eligibility
        One row per :data:`CRITERIA`, in its order, and findings: an absolute contraindication that is met is critical, what is not known is
        said, and a lung dose whose 90 % interval reaches beyond its limit too.
    """
    rows = tuple(_row(criterion, facts) for criterion in CRITERIA)
    findings = [_met(row) for row in rows if row.state is State.MET]
    findings += _interval(facts)
    findings += _not_known(rows)
    return Eligibility(rows, tuple(findings))


def _row(criterion: Criterion, facts: EligibilityFacts) -> CriterionResult:
    if criterion.key == "lung_cumulative_gy":
        return _cumulative(criterion, facts)
    value = getattr(facts, criterion.key)
    if value is None:
        return CriterionResult(criterion, State.NOT_KNOWN, "")
    if isinstance(value, bool):
        return CriterionResult(criterion, State.MET if value else State.NOT_MET, "present" if value else "absent")
    number = value.value if isinstance(value, Measured) else float(value)
    return CriterionResult(criterion, _against(criterion, number), _words(number, criterion.unit))


def _words(number: float, unit: str) -> str:
    return "never" if math.isinf(number) else f"{number:.4g} {unit}".strip()


_HOLDS: dict[Sense, Callable[[float, float], bool]] = {
    Sense.ABOVE: lambda number, threshold: is_below(threshold, number),
    Sense.BELOW: is_below,
}


def _against(criterion: Criterion, number: float) -> State:
    return State.MET if _HOLDS[criterion.sense](number, criterion.threshold) else State.NOT_MET


def _cumulative(criterion: Criterion, facts: EligibilityFacts) -> CriterionResult:
    """Met as soon as what is known exceeds the limit; not met only where everything is known."""
    earlier = facts.earlier
    known = (facts.lung_gy.value if facts.lung_gy is not None else 0.0) + (earlier.lung.total_gy if earlier is not None else 0.0)
    complete = facts.lung_gy is not None and earlier is not None and not earlier.lung.unknown
    least = "" if complete else "at least "
    if _against(criterion, known) is State.MET:
        return CriterionResult(criterion, State.MET, f"{least}{_words(known, criterion.unit)}")
    if not complete:
        return CriterionResult(criterion, State.NOT_KNOWN, f"at least {_words(known, criterion.unit)}" if known > 0.0 else "")
    return CriterionResult(criterion, State.NOT_MET, _words(known, criterion.unit))


_SEVERITY = {Weight.ABSOLUTE: Severity.CRITICAL, Weight.RELATIVE: Severity.WARNING, Weight.CAUTION: Severity.WARNING}


def _met(row: CriterionResult) -> Finding:
    criterion = row.criterion
    message = f"{criterion.weight.value}: {criterion.says} ({row.stated}) · weigh it against the benefit and record the reason"
    if criterion.note:
        message += f" · {criterion.note}"
    return Finding(f"eligibility.{criterion.key}", _SEVERITY[criterion.weight], message, criterion.key, criterion.source)


def _interval(facts: EligibilityFacts) -> list[Finding]:
    if facts.lung_gy is None or not facts.lung_gy.contributions:
        return []
    dose = facts.lung_gy
    _, high = dose.lognormal_interval_90 if dose.value > 0.0 else dose.normal_interval_90
    given = facts.earlier.lung.total_gy if facts.earlier is not None else 0.0
    found = []
    for limit, before in ((LUNG_SINGLE, 0.0), (LUNG_CUMULATIVE, given)):
        if before + dose.value <= limit.value_gy < before + high:
            message = (
                f"{limit.name}: {before + dose.value:.3g} Gy lies below {limit.value_gy:g} Gy, the upper end of its 90 % interval, "
                f"{before + high:.3g} Gy, above it · lower the activity, or measure what makes it uncertain"
            )
            found.append(Finding("eligibility.lung_interval", Severity.WARNING, message, "lungs", limit.source))
    return found


def _not_known(rows: tuple[CriterionResult, ...]) -> list[Finding]:
    found = []
    for weight, severity in (
        (Weight.ABSOLUTE, Severity.WARNING),
        (Weight.RELATIVE, Severity.NOTE),
        (Weight.CAUTION, Severity.NOTE),
    ):
        names = [row.criterion.name for row in rows if row.state is State.NOT_KNOWN and row.criterion.weight is weight]
        if names:
            message = f"not known, and not taken as absent ({weight.value}): {', '.join(names)} · find out before treatment"
            found.append(Finding(f"eligibility.not_known_{weight.name.lower()}", severity, message))
    return found

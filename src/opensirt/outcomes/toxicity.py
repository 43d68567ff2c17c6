"""Laboratory toxicity by CTCAE v5.0 and, beside it, v4.03: grades of liver tests and blood counts, and what is new since baseline.

v5.0 grades a patient with an abnormal baseline by multiples of *that baseline*; v4.03 knows only multiples of the limit of normal. Series that
grade by v4.03 and by v5.0 are not comparable, so both are always given. "> 3 – 5" means above 3 and up to 5. The liver's own syndrome is in
:mod:`opensirt.outcomes.reild`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from fractions import Fraction

from opensirt.outcomes.judgement import Basis, Judgement, Rule
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, MissingInput
from opensirt.vocabulary.findings import Finding, Severity

TOXICITY_VERSION = "1"
CTCAE_5_SOURCE = "NCI CTCAE v5.0, 2017"
CTCAE_4_SOURCE = "NCI CTCAE v4.03, 2010"
CTCAE_5 = Basis("CTCAE v5.0", TOXICITY_VERSION, (CTCAE_5_SOURCE,))
CTCAE_4 = Basis("CTCAE v4.03", TOXICITY_VERSION, (CTCAE_4_SOURCE,))


class Grade(IntEnum):
    """Severity from 0 (no adverse event) to 4 (life-threatening); 5 is death and never follows from a laboratory value."""

    ZERO = 0
    ONE = 1
    TWO = 2
    THREE = 3
    FOUR = 4


@dataclass(frozen=True)
class Bands:
    """Multiples (or values) at which the grades begin.

    Attributes
    ----------
    above : tuple of Fraction
        Grade n lies beyond the n-th bound: above it where high is bad, below it where low is bad.
    from_first : bool
        The first bound itself already is grade 1 ("1.5 – 3").
    """

    above: tuple[Fraction, ...]
    from_first: bool = False

    def rising(self, value: Fraction) -> Grade:
        """Grade of a value where high is bad."""
        grade = sum(value > bound for bound in self.above)
        return Grade(1 if grade == 0 and self.from_first and value == self.above[0] else grade)

    def falling(self, value: Fraction) -> Grade:
        """Grade of a value where low is bad; the bounds fall."""
        return Grade(sum(value < bound for bound in self.above))


def _bands(*bounds: str, from_first: bool = False) -> Bands:
    return Bands(tuple(Fraction(bound) for bound in bounds), from_first)


@dataclass(frozen=True)
class LabTest:
    """One laboratory test as CTCAE grades it.

    Attributes
    ----------
    key, name : str
        For programs and for people.
    units : dict
        Unit → factor to the first (canonical) unit.
    plausible_limit : tuple of float
        Range in which a laboratory's limit of normal lies, canonical unit: outside, the unit is suspect.
    plausible_value : tuple of float
        Range of values seen in blood, canonical unit.
    by_limit : Bands or None
        Multiples of the upper limit of normal.
    by_baseline : Bands or None
        Multiples of an abnormal baseline (v5.0).
    by_value : Bands or None
        Values in the canonical unit; for falling tests the first bound is the lower limit of normal.
    """

    key: str
    name: str
    units: dict[str, Fraction]
    plausible_limit: tuple[float, float]
    plausible_value: tuple[float, float]
    by_limit: Bands | None = None
    by_baseline: Bands | None = None
    by_value: Bands | None = None

    @property
    def falls(self) -> bool:
        """Low is bad: the limit of normal is the lower one."""
        return self.key in ("albumin", "platelets", "neutrophils", "lymphocytes")


_TRANSAMINASE = _bands("1", "3", "5", "20"), _bands("1.5", "3", "5", "20", from_first=True)
_CHOLESTASIS = _bands("1", "2.5", "5", "20"), _bands("2", "2.5", "5", "20", from_first=True)
_ENZYME = {"U/L": Fraction(1)}
_COUNT = {"10^9/L": Fraction(1)}


class Lab(Enum):
    """The tests that are graded."""

    AST = LabTest("ast", "AST", _ENZYME, (10.0, 80.0), (3.0, 20000.0), *_TRANSAMINASE)
    ALT = LabTest("alt", "ALT", _ENZYME, (10.0, 80.0), (3.0, 20000.0), *_TRANSAMINASE)
    ALP = LabTest("alp", "alkaline phosphatase", _ENZYME, (60.0, 350.0), (5.0, 10000.0), *_CHOLESTASIS)
    GGT = LabTest("ggt", "gamma-GT", _ENZYME, (20.0, 120.0), (3.0, 10000.0), *_CHOLESTASIS)
    BILIRUBIN = LabTest(
        "bilirubin",
        "total bilirubin",
        {"umol/L": Fraction(1), "mg/dL": Fraction("17.1")},
        (12.0, 40.0),
        (2.0, 1000.0),
        _bands("1", "1.5", "3", "10"),
        _bands("1", "1.5", "3", "10"),
    )
    ALBUMIN = LabTest(
        "albumin", "albumin", {"g/L": Fraction(1), "g/dL": Fraction(10)}, (30.0, 42.0), (10.0, 65.0), by_value=_bands("30", "20")
    )
    INR = LabTest(
        "inr", "INR", {"1": Fraction(1)}, (1.0, 1.4), (0.5, 20.0), None, _bands("1", "1.5", "2.5"), _bands("1.2", "1.5", "2.5")
    )
    PLATELETS = LabTest("platelets", "platelets", _COUNT, (100.0, 200.0), (1.0, 2000.0), by_value=_bands("75", "50", "25"))
    NEUTROPHILS = LabTest("neutrophils", "neutrophils", _COUNT, (1.0, 3.0), (0.0, 200.0), by_value=_bands("1.5", "1", "0.5"))
    LYMPHOCYTES = LabTest("lymphocytes", "lymphocytes", _COUNT, (0.6, 2.0), (0.0, 500.0), by_value=_bands("0.8", "0.5", "0.2"))
    CREATININE = LabTest(
        "creatinine",
        "creatinine",
        {"umol/L": Fraction(1), "mg/dL": Fraction("88.4")},
        (50.0, 150.0),
        (10.0, 3000.0),
        _bands("1", "1.5", "3", "6"),
        _bands("1.5", "3"),
    )


_READ_IN_V4 = frozenset({Lab.AST, Lab.ALT, Lab.ALP, Lab.GGT, Lab.BILIRUBIN})
LABS: dict[str, Lab] = {lab.value.key: lab for lab in Lab}


@dataclass(frozen=True)
class LabReading:
    """A laboratory value with the limit of normal of that laboratory and the baseline, all in the test's canonical unit, exact.

    Attributes
    ----------
    lab : Lab
        Which test.
    value : Fraction
        What was measured.
    limit : Fraction or None
        Upper limit of normal, or the lower one where low is bad; INR needs none.
    baseline : Fraction or None
        Before treatment; ``None`` where unknown.
    anticoagulated : bool
        For INR: graded by multiples of the baseline.

    Raises
    ------
    InvalidValue
        For a value that cannot be.
    MissingInput
        Without the limit of normal, or an anticoagulated patient's INR without a baseline.
    """

    lab: Lab
    value: Fraction
    limit: Fraction | None
    baseline: Fraction | None
    anticoagulated: bool = False

    def __post_init__(self) -> None:
        name = self.lab.value.name
        for what, held in (("value", self.value), ("limit of normal", self.limit), ("baseline", self.baseline)):
            if held is not None and (held < 0 or (held == 0 and what != "value")):
                raise InvalidValue(f"{name}: {what} of {float(held):g}", "it must be above 0", "check the laboratory's report")
        if self.limit is None and self.lab is not Lab.INR:
            side = "lower" if self.lab.value.falls else "upper"
            raise MissingInput(f"{name}: no {side} limit of normal", "grades are counted from it", "state that laboratory's limit")
        if self.anticoagulated and self.lab is not Lab.INR:
            raise InconsistentInput(f"anticoagulation stated for {name}", "it changes the grade of INR alone", "leave it out")
        if self.anticoagulated and self.baseline is None:
            raise MissingInput(
                "INR on anticoagulation without a baseline", "it is graded by multiples of it", "state the INR before treatment"
            )

    @property
    def baseline_is_abnormal(self) -> bool:
        """Whether the baseline lies beyond the limit of normal."""
        if self.baseline is None or self.limit is None:
            return False
        return self.baseline < self.limit if self.lab.value.falls else self.baseline > self.limit

    @property
    def times_limit(self) -> float | None:
        """Value over the limit of normal."""
        return float(self.value / self.limit) if self.limit else None

    @property
    def times_baseline(self) -> float | None:
        """Value over the baseline."""
        return float(self.value / self.baseline) if self.baseline else None


def _by_limits(reading: LabReading, value: Fraction) -> tuple[Grade, str]:
    """Grade of a value by the limits of normal alone, and how it was found."""
    test = reading.lab.value
    if test.falls and test.by_value and reading.limit:
        if value >= reading.limit:
            return Grade.ZERO, "not below the lower limit of normal"
        return Grade(1 + test.by_value.falling(value)), "below the lower limit of normal, by value"
    if test.by_value:
        return test.by_value.rising(value), "by value"
    if test.by_limit is None or not reading.limit:
        raise MissingInput(f"{test.name}: no limit of normal", "", "state it")
    return test.by_limit.rising(value / reading.limit), "multiples of the upper limit of normal"


def grade_v4(reading: LabReading) -> Judgement[Grade]:
    """Grade by CTCAE v4.03: multiples of the limit of normal, whatever the baseline was.

    Notes
    -----
    The rows of the enzymes and of bilirubin were read; for the other tests those of v5.0 stand, and a finding says so.
    """
    grade, how = _by_limits(reading, reading.value)
    findings = list(unit_findings(reading))
    if reading.lab not in _READ_IN_V4:
        message = f"the rows of {reading.lab.value.name} in v4.03 were not read; those of v5.0 stand · use the grade by v5.0"
        findings.append(Finding("ctcae.row_not_verified", Severity.NOTE, message, reading.lab.value.key, CTCAE_4_SOURCE))
    return Judgement(grade, Rule(f"ctcae4.{reading.lab.value.key}.{int(grade)}", how), CTCAE_4, tuple(findings))


def grade_v5(reading: LabReading) -> Judgement[Grade]:
    """Grade by CTCAE v5.0: multiples of the baseline where the baseline was abnormal, else of the limit of normal.

    Parameters
    ----------
    reading : LabReading
        Value, limit and baseline.

    Returns
    -------
    Judgement
        Grade 0 to 4 with the row that decided; findings on units and on an unknown baseline.
    """
    test = reading.lab.value
    grade, how = _grade_v5(reading)
    findings = list(unit_findings(reading))
    if reading.baseline is None and test.by_baseline is not None:
        message = f"{test.name}: the baseline is unknown and was taken as normal · with an abnormal baseline v5.0 grades by multiples of it · state it"
        findings.append(Finding("ctcae.no_baseline", Severity.NOTE, message, test.key, CTCAE_5_SOURCE))
    if reading.lab is Lab.ALBUMIN and grade >= Grade.THREE:
        message = "albumin grade 3 by value; grade 4 is clinical (life-threatening) and follows from no laboratory value · judge it"
        findings.append(Finding("ctcae.grade_4_is_clinical", Severity.NOTE, message, test.key, CTCAE_5_SOURCE))
    return Judgement(grade, Rule(f"ctcae5.{test.key}.{int(grade)}", how), CTCAE_5, tuple(findings))


def _grade_v5(reading: LabReading) -> tuple[Grade, str]:
    test, baseline = reading.lab.value, reading.baseline
    if reading.lab is Lab.CREATININE:
        return _creatinine_v5(reading)
    relative = reading.anticoagulated if reading.lab is Lab.INR else reading.baseline_is_abnormal
    if relative and baseline is not None and test.by_baseline is not None:
        return test.by_baseline.rising(reading.value / baseline), "multiples of the abnormal baseline"
    return _by_limits(reading, reading.value)


def _creatinine_v5(reading: LabReading) -> tuple[Grade, str]:
    """The worse of multiples of the limit and of the baseline (> 1.5 grade 2, > 3 grade 3)."""
    by_limit, how = _by_limits(reading, reading.value)
    if reading.baseline is None or reading.lab.value.by_baseline is None:
        return by_limit, how
    beyond = int(reading.lab.value.by_baseline.rising(reading.value / reading.baseline))
    by_baseline = Grade(beyond + 1 if beyond else 0)
    return (by_baseline, "multiples of the baseline") if by_baseline > by_limit else (by_limit, how)


@dataclass(frozen=True)
class Shift:
    """Grade at baseline and now, by limits of normal, and the grade by v5.0: what a table of treatment-emergent toxicity counts.

    Attributes
    ----------
    baseline : Grade or None
        By the limits of normal; ``None`` where the baseline is unknown.
    now : Grade
        By the limits of normal (v4.03).
    now_v5 : Grade
        By v5.0.
    """

    baseline: Grade | None
    now: Grade
    now_v5: Grade

    @property
    def is_new(self) -> bool | None:
        """Whether the grade by limits is worse than at baseline; ``None`` where the baseline is unknown."""
        return None if self.baseline is None else self.now > self.baseline

    @property
    def new_grade(self) -> Grade | None:
        """The grade that a table of new toxicity shows: today's where it is worse than at baseline, else 0; ``None`` if unknown."""
        if self.baseline is None:
            return None
        return self.now if self.now > self.baseline else Grade.ZERO


def shift_from_baseline(reading: LabReading) -> Shift:
    """Grade at baseline against the grade now."""
    baseline = None if reading.baseline is None else _by_limits(reading, reading.baseline)[0]
    return Shift(baseline, grade_v4(reading).category, grade_v5(reading).category)


def unit_findings(reading: LabReading) -> tuple[Finding, ...]:
    """Findings where the value, the limit or the baseline looks like another unit."""
    test = reading.lab.value
    found = []
    canonical = next(iter(test.units))
    for what, held, (low, high) in (
        ("the limit of normal", reading.limit, test.plausible_limit),
        ("the value", reading.value, test.plausible_value),
        ("the baseline", reading.baseline, test.plausible_value),
    ):
        if held is None or low <= float(held) <= high:
            continue
        others = [unit for unit, factor in test.units.items() if unit != canonical and low <= float(held * factor) <= high]
        as_if = f"; it reads like {others[0]}" if others else ""
        message = (
            f"{test.name}: {what} of {float(held):g} {canonical} lies outside of {low:g} to {high:g}{as_if} · a slip of unit changes the grade · "
            "check that value, limit and baseline have one unit"
        )
        severity = Severity.CRITICAL if others else Severity.WARNING
        found.append(Finding("ctcae.unit_suspect", severity, message, test.key, CTCAE_5_SOURCE))
    return tuple(found)


def in_canonical_unit(lab: Lab, value: Fraction, unit: str) -> Fraction:
    """A value in the test's canonical unit.

    Raises
    ------
    InvalidValue
        For a unit in which the test is not known.
    """
    units = lab.value.units
    plain = unit.replace("\u00b5", "u").replace("\u03bc", "u")  # both signs for micro
    if plain not in units:
        raise InvalidValue(f"{lab.value.name} in {unit!r}", "", f"give it in {' or '.join(units)}")
    return value * units[plain]

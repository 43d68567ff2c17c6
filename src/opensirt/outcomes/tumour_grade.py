"""Grade of a neuroendocrine neoplasm from proliferation: WHO classification of 2019, and nothing re-mapped from older ones.

G1: Ki-67 below 3 % and fewer than 2 mitoses per 2 mm²; G2: 3–20 % or 2–20; G3: above 20 % or above 20, well differentiated. Where the two
disagree the higher counts. Poorly differentiated is NEC whatever the numbers; mixed tumours are MiNEN.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from opensirt.outcomes.judgement import Basis, Judgement, Rule
from opensirt.vocabulary.errors import InvalidValue, MissingInput
from opensirt.vocabulary.findings import Finding, Severity

GRADE_VERSION = "1"
WHO_2019_SOURCE = "WHO Classification of Tumours, 5th edition, Digestive System Tumours, 2019"
WHO_2019 = Basis("WHO 2019", GRADE_VERSION, (WHO_2019_SOURCE,))
SECOND_GRADE_KI67_PERCENT = Fraction(3)
THIRD_GRADE_KI67_PERCENT = Fraction(20)
SECOND_GRADE_MITOSES = Fraction(2)
THIRD_GRADE_MITOSES = Fraction(20)


class Differentiation(Enum):
    """How the cells look."""

    WELL = "well"
    POOR = "poor"
    MIXED = "mixed"
    """Neuroendocrine and non-neuroendocrine parts."""


class NeoplasmClass(Enum):
    """Class and grade together, as pathologists write them."""

    G1 = "NET G1"
    G2 = "NET G2"
    G3 = "NET G3"
    NEC = "NEC"
    MINEN = "MiNEN"


@dataclass(frozen=True)
class Proliferation:
    """What was counted.

    Attributes
    ----------
    ki67_percent : Fraction or None
        Share of stained nuclei in the hot spot, per cent, exact.
    mitoses_per_2mm2 : Fraction or None
        Mitoses per 2 mm², exact.

    Raises
    ------
    InvalidValue
        For values that cannot be.
    MissingInput
        If neither was counted.
    """

    ki67_percent: Fraction | None
    mitoses_per_2mm2: Fraction | None

    def __post_init__(self) -> None:
        if self.ki67_percent is None and self.mitoses_per_2mm2 is None:
            raise MissingInput("neither Ki-67 nor mitoses", "the grade follows from them", "ask the pathologist")
        if self.ki67_percent is not None and not 0 <= self.ki67_percent <= 100:
            raise InvalidValue(f"a Ki-67 of {float(self.ki67_percent):g} %", "", "give per cent, 0 to 100")
        if self.mitoses_per_2mm2 is not None and self.mitoses_per_2mm2 < 0:
            raise InvalidValue(f"{float(self.mitoses_per_2mm2):g} mitoses", "", "give the count per 2 mm²")


def _grade(value: Fraction | None, second: Fraction, third: Fraction) -> int | None:
    return None if value is None else 1 + (value >= second) + (value > third)


_GRADES = {1: NeoplasmClass.G1, 2: NeoplasmClass.G2, 3: NeoplasmClass.G3}


def who_2019(counts: Proliferation, differentiation: Differentiation) -> Judgement[NeoplasmClass]:
    """Class and grade by the WHO classification of 2019.

    Parameters
    ----------
    counts : Proliferation
        Ki-67 and mitoses.
    differentiation : Differentiation
        Well, poor or mixed.

    Returns
    -------
    Judgement
        NET G1 to G3, NEC or MiNEN with the row that decided.
    """
    by_ki67 = _grade(counts.ki67_percent, SECOND_GRADE_KI67_PERCENT, THIRD_GRADE_KI67_PERCENT)
    by_mitoses = _grade(counts.mitoses_per_2mm2, SECOND_GRADE_MITOSES, THIRD_GRADE_MITOSES)
    grade = max(each for each in (by_ki67, by_mitoses) if each is not None)
    findings = _findings(by_ki67, by_mitoses, grade, differentiation)
    if differentiation is Differentiation.MIXED:
        return Judgement(NeoplasmClass.MINEN, Rule("who2019.minen", "mixed neuroendocrine and other parts"), WHO_2019, findings)
    if differentiation is Differentiation.POOR:
        return Judgement(NeoplasmClass.NEC, Rule("who2019.nec", "poorly differentiated"), WHO_2019, findings)
    deciding = " and ".join(name for name, each in (("Ki-67", by_ki67), ("mitoses", by_mitoses)) if each == grade)
    return Judgement(_GRADES[grade], Rule(f"who2019.g{grade}", f"the higher of two grades, by {deciding}"), WHO_2019, findings)


def _findings(by_ki67: int | None, by_mitoses: int | None, grade: int, differentiation: Differentiation) -> tuple[Finding, ...]:
    found = []
    if None in (by_ki67, by_mitoses):
        missing = "Ki-67" if by_ki67 is None else "mitoses"
        message = f"{missing} was not counted · the grade rests on one of two counts and could be higher · ask the pathologist"
        found.append(Finding("grade.one_count", Severity.NOTE, message, "grade", WHO_2019_SOURCE))
    elif by_ki67 != by_mitoses:
        message = f"grade {by_ki67} by Ki-67, grade {by_mitoses} by mitoses · the higher counts"
        found.append(Finding("grade.counts_disagree", Severity.NOTE, message, "grade", WHO_2019_SOURCE))
    if differentiation is Differentiation.POOR and grade < 3:
        message = f"poorly differentiated with counts of grade {grade} · a carcinoma proliferates faster · have it reviewed"
        found.append(Finding("grade.carcinoma_with_low_counts", Severity.WARNING, message, "grade", WHO_2019_SOURCE))
    return tuple(found)

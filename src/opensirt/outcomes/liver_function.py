"""How well the liver works: ALBI and Child-Pugh, with exact conversions and what the printed variants change.

ALBI ``0.66 · log₁₀(bilirubin, µmol/L) − 0.085 · (albumin, g/L)``; grade 1 up to −2.60, grade 2 up to −1.39, grade 3 above. Johnson et al. 2015
print 0.0852 for the second coefficient; a patient within 0.01 of a cut can change grade by that alone. Child-Pugh adds five scores of 1 to 3.
MELD is absent: no source of its coefficients was read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction

from opensirt.outcomes.checks import require_positive
from opensirt.outcomes.judgement import Basis, Judgement, Rule, exactly
from opensirt.vocabulary.errors import InvalidValue, UnitError
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.provenance import Constant, Mark

LIVER_FUNCTION_VERSION = "1"
UMOL_L_PER_MG_DL = 17.1
"""Bilirubin: 1 mg/dL = 17.1 µmol/L, as the scores' literature rounds it."""
G_L_PER_G_DL = 10.0
"""Albumin: 1 g/dL = 10 g/L."""
ALBI_SOURCE = "Johnson et al. 2015"
CHILD_PUGH_SOURCE = "Pugh et al. 1973"
ALBI_FORMULA = "ALBI = 0.66 · log₁₀(bilirubin / µmol/L) − 0.085 · (albumin / g/L)"
ALBI_LOG = Constant("albi.bilirubin", 0.66, "1", ALBI_SOURCE)
ALBI_FIRST_CUT = -2.60
ALBI_SECOND_CUT = -1.39
ALBI_NEAR_SCORE = 0.01
"""Two coefficients in print differ by 0.0002 · 50 g/L = 0.01 at most."""
PLAUSIBLE_ALBUMIN_G_L = (10.0, 65.0)
PLAUSIBLE_BILIRUBIN_UMOL_L = (2.0, 1000.0)


class AlbiCoefficient(Enum):
    """Both printed coefficients of albumin."""

    ROUNDED = Constant("albi.albumin", -0.085, "L/g", f"{ALBI_SOURCE}, rounded as commonly printed")
    JOHNSON = Constant("albi.albumin", -0.0852, "L/g", ALBI_SOURCE)


class AlbiGrade(IntEnum):
    """Grade of the ALBI score: 1 best, 3 worst."""

    ONE = 1
    TWO = 2
    THREE = 3


_ALBI_RULES = {
    AlbiGrade.ONE: Rule("albi.1", "score at or below −2.60"),
    AlbiGrade.TWO: Rule("albi.2", "score above −2.60 and at or below −1.39"),
    AlbiGrade.THREE: Rule("albi.3", "score above −1.39"),
}


def bilirubin_umol_per_l(bilirubin_mg_per_dl: float) -> float:
    """Bilirubin in µmol/L from mg/dL: factor 17.1."""
    return require_positive(bilirubin_mg_per_dl, "bilirubin", "mg/dL") * UMOL_L_PER_MG_DL


def bilirubin_mg_per_dl(bilirubin_umol_per_l: float) -> float:
    """Bilirubin in mg/dL from µmol/L: factor 1/17.1."""
    return require_positive(bilirubin_umol_per_l, "bilirubin", "µmol/L") / UMOL_L_PER_MG_DL


def albumin_g_per_l(albumin_g_per_dl: float) -> float:
    """Albumin in g/L from g/dL: factor 10."""
    return require_positive(albumin_g_per_dl, "albumin", "g/dL") * G_L_PER_G_DL


def require_albumin_in_g_l(albumin_g_per_l: float) -> float:
    """An albumin that can be one in g/L.

    Raises
    ------
    UnitError
        For a value that reads like g/dL (below 10) or like mg/dL (above 65).
    """
    require_positive(albumin_g_per_l, "albumin", "g/L")
    low, high = PLAUSIBLE_ALBUMIN_G_L
    if not low <= albumin_g_per_l <= high:
        remedy = (
            f"give {albumin_g_per_l * G_L_PER_G_DL:g} g/L for {albumin_g_per_l:g} g/dL"
            if albumin_g_per_l < low
            else "give it in g/L"
        )
        raise UnitError(f"albumin of {albumin_g_per_l:g} g/L", f"a blood value lies between {low:g} and {high:g} g/L", remedy)
    return albumin_g_per_l


def require_bilirubin_in_umol_l(bilirubin_umol_per_l: float) -> float:
    """A bilirubin that can be one in µmol/L.

    Raises
    ------
    UnitError
        For a value that reads like mg/dL (below 2) or that nobody has (above 1000).
    """
    require_positive(bilirubin_umol_per_l, "bilirubin", "µmol/L")
    low, high = PLAUSIBLE_BILIRUBIN_UMOL_L
    if not low <= bilirubin_umol_per_l <= high:
        value = bilirubin_umol_per_l * UMOL_L_PER_MG_DL
        remedy = (
            f"give {value:.4g} µmol/L for {bilirubin_umol_per_l:g} mg/dL" if bilirubin_umol_per_l < low else "give it in µmol/L"
        )
        raise UnitError(
            f"bilirubin of {bilirubin_umol_per_l:g} µmol/L", f"a blood value lies between {low:g} and {high:g} µmol/L", remedy
        )
    return bilirubin_umol_per_l


def albi_score(
    bilirubin_umol_per_l: float, albumin_g_per_l: float, coefficient: AlbiCoefficient = AlbiCoefficient.ROUNDED
) -> float:
    """ALBI score; lower is better.

    Parameters
    ----------
    bilirubin_umol_per_l : float
        Total bilirubin, µmol/L.
    albumin_g_per_l : float
        Albumin, g/L.
    coefficient : AlbiCoefficient
        −0.085 or −0.0852.

    Raises
    ------
    UnitError
        For a value that is one in another unit.

    Notes
    -----
    Johnson et al. 2015. (20.52 µmol/L, 35 g/L) gives −2.109 with −0.085 and −2.116 with −0.0852.
    """
    bilirubin, albumin = require_bilirubin_in_umol_l(bilirubin_umol_per_l), require_albumin_in_g_l(albumin_g_per_l)
    return ALBI_LOG.value * math.log10(bilirubin) + coefficient.value.value * albumin


def albi_basis(coefficient: AlbiCoefficient) -> Basis:
    """The method with the coefficients it used."""
    return Basis("ALBI", LIVER_FUNCTION_VERSION, (ALBI_SOURCE,), (ALBI_LOG, coefficient.value))


def albi_grade(score: float, coefficient: AlbiCoefficient = AlbiCoefficient.ROUNDED) -> Judgement[AlbiGrade]:
    """Grade of an ALBI score, with a finding within 0.01 of a cut.

    Raises
    ------
    InvalidValue
        If the score is not finite.
    """
    if not math.isfinite(score):
        raise InvalidValue(f"an ALBI score of {score}", "", "compute it from bilirubin and albumin")
    grade = AlbiGrade.THREE
    if score <= ALBI_FIRST_CUT:
        grade = AlbiGrade.ONE
    elif score <= ALBI_SECOND_CUT:
        grade = AlbiGrade.TWO
    found = []
    for cut in (ALBI_FIRST_CUT, ALBI_SECOND_CUT):
        if abs(score - cut) <= ALBI_NEAR_SCORE:
            message = (
                f"ALBI {score:.4f} lies within {ALBI_NEAR_SCORE:g} of the cut at {cut:g} · the coefficients in print (0.085, 0.0852) or the "
                "rounding of a laboratory can change the grade · report the score beside the grade"
            )
            found.append(Finding("albi.near_cut", Severity.WARNING, message, "liver function", ALBI_SOURCE))
    return Judgement(grade, _ALBI_RULES[grade], albi_basis(coefficient), tuple(found))


class Ascites(IntEnum):
    """Ascites with its points."""

    NONE = 1
    MILD_OR_CONTROLLED = 2
    MODERATE_TO_SEVERE = 3


class Encephalopathy(IntEnum):
    """Encephalopathy (West Haven) with its points."""

    NONE = 1
    GRADE_1_2 = 2
    GRADE_3_4 = 3


class ChildPughClass(Enum):
    """A: 5–6 points, B: 7–9, C: 10–15."""

    A = "A"
    B = "B"
    C = "C"


@dataclass(frozen=True)
class ChildPughVariant:
    """One printed set of boundaries; points 2 lie from the low to the high boundary, both included.

    Attributes
    ----------
    name : str
        How it is called in results.
    bilirubin_umol_per_l, albumin_g_per_l, inr : tuple of Fraction
        Low and high boundary of two points.
    mark : Mark
        How far to trust it.
    """

    name: str
    bilirubin_umol_per_l: tuple[Fraction, Fraction]
    albumin_g_per_l: tuple[Fraction, Fraction]
    inr: tuple[Fraction, Fraction]
    mark: Mark = Mark.UNVERIFIED


def _pair(low: str, high: str) -> tuple[Fraction, Fraction]:
    return Fraction(Decimal(low)), Fraction(Decimal(high))


CHILD_PUGH_SI = ChildPughVariant("SI units (bilirubin 34 and 50 µmol/L)", _pair("34", "50"), _pair("28", "35"), _pair("1.7", "2.3"))
CHILD_PUGH_MG_DL = ChildPughVariant(
    "mg/dL (bilirubin 2 and 3 mg/dL = 34.2 and 51.3 µmol/L)",
    _pair("34.2", "51.3"),
    _pair("28", "35"),
    _pair("1.7", "2.3"),
    Mark.FOUND,
)
CHILD_PUGH_INR_2_2 = ChildPughVariant("SI units, INR up to 2.2", _pair("34", "50"), _pair("28", "35"), _pair("1.7", "2.2"))
CHILD_PUGH_ALBUMIN_30 = ChildPughVariant("SI units, albumin from 30 g/L", _pair("34", "50"), _pair("30", "35"), _pair("1.7", "2.3"))
CHILD_PUGH_VARIANTS: dict[str, ChildPughVariant] = {
    "si": CHILD_PUGH_SI,
    "mg-dl": CHILD_PUGH_MG_DL,
    "si-inr-2.2": CHILD_PUGH_INR_2_2,
    "si-albumin-30": CHILD_PUGH_ALBUMIN_30,
}


@dataclass(frozen=True)
class ChildPughInputs:
    """What Child-Pugh asks for.

    Attributes
    ----------
    bilirubin_umol_per_l : float
        Total bilirubin, µmol/L.
    albumin_g_per_l : float
        Albumin, g/L.
    inr_ratio : float
        International normalised ratio.
    ascites, encephalopathy
        By their points.

    Raises
    ------
    UnitError
        For a value that is one in another unit.
    """

    bilirubin_umol_per_l: float
    albumin_g_per_l: float
    inr_ratio: float
    ascites: Ascites
    encephalopathy: Encephalopathy

    def __post_init__(self) -> None:
        require_bilirubin_in_umol_l(self.bilirubin_umol_per_l)
        require_albumin_in_g_l(self.albumin_g_per_l)
        require_positive(self.inr_ratio, "INR", "")


@dataclass(frozen=True)
class ChildPugh:
    """Points of each item, their sum and the class with what decided.

    Attributes
    ----------
    points : dict
        Item → 1, 2 or 3.
    total : int
        5 to 15.
    judgement : Judgement
        Class A, B or C.
    """

    points: dict[str, int]
    total: int
    judgement: Judgement[ChildPughClass]


_CLASS_RULES = {
    ChildPughClass.A: Rule("child-pugh.a", "5 or 6 points"),
    ChildPughClass.B: Rule("child-pugh.b", "7 to 9 points"),
    ChildPughClass.C: Rule("child-pugh.c", "10 to 15 points"),
}


def _rising(value: float, bounds: tuple[Fraction, Fraction]) -> int:
    low, high = bounds
    return 1 + (exactly(value) >= low) + (exactly(value) > high)


def _points(inputs: ChildPughInputs, variant: ChildPughVariant) -> dict[str, int]:
    low, high = variant.albumin_g_per_l
    albumin = exactly(inputs.albumin_g_per_l)
    return {
        "bilirubin": _rising(inputs.bilirubin_umol_per_l, variant.bilirubin_umol_per_l),
        "albumin": 1 + (albumin <= high) + (albumin < low),
        "inr": _rising(inputs.inr_ratio, variant.inr),
        "ascites": int(inputs.ascites),
        "encephalopathy": int(inputs.encephalopathy),
    }


def _class(total: int) -> ChildPughClass:
    return ChildPughClass.A if total <= 6 else ChildPughClass.B if total <= 9 else ChildPughClass.C


def child_pugh(inputs: ChildPughInputs, variant: ChildPughVariant = CHILD_PUGH_SI) -> ChildPugh:
    """Child-Pugh points and class by one named variant, with a finding where another variant says otherwise.

    Parameters
    ----------
    inputs : ChildPughInputs
        Laboratory values and signs.
    variant : ChildPughVariant
        Boundaries to use.

    Returns
    -------
    ChildPugh
        Points by item, total, class.

    Notes
    -----
    Pugh et al. 1973. Made for cirrhosis; in metastases of a liver without cirrhosis it is shown and decides nothing.
    """
    points = _points(inputs, variant)
    total = sum(points.values())
    others = {other.name: sum(_points(inputs, other).values()) for other in CHILD_PUGH_VARIANTS.values() if other is not variant}
    found = [
        Finding(
            "child_pugh.without_cirrhosis",
            Severity.NOTE,
            "Child-Pugh was made for cirrhosis · in metastases of a liver without it the class is no measure of reserve · it decides nothing here",
            "liver function",
            CHILD_PUGH_SOURCE,
        )
    ]
    differing = {name: other for name, other in others.items() if other != total}
    if differing:
        said = "; ".join(f"{name}: {other} points, class {_class(other).value}" for name, other in differing.items())
        message = f"{total} points, class {_class(total).value}, by {variant.name}; printed variants differ · {said} · name the variant where it decides"
        severity = Severity.WARNING if any(_class(other) is not _class(total) for other in differing.values()) else Severity.NOTE
        found.append(Finding("child_pugh.variants_differ", severity, message, "liver function", CHILD_PUGH_SOURCE))
    rule = _CLASS_RULES[_class(total)]
    basis = Basis(f"Child-Pugh, {variant.name}", LIVER_FUNCTION_VERSION, (CHILD_PUGH_SOURCE,))
    return ChildPugh(points, total, Judgement(_class(total), rule, basis, tuple(found)))

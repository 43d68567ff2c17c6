"""What is stated about a patient's liver, and which conditions of a limit it meets. What is not stated meets none.

Whether a limit that asks for a good reserve may stand is decided by facts that a person states. Facts can only take it away where they speak
against it: a Child-Pugh class B does so, a class A alone does not make a good function.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from opensirt.vocabulary.errors import InvalidValue, UnitError, UnsupportedInput
from opensirt.vocabulary.offers import offer

CHILD_PUGH_CLASSES = ("A", "B", "C")
ALBI_GRADES = (1, 2, 3)
RELATIVE_CONTRAINDICATION_MG_PER_DL = 2.0
"""Bilirubin above which radioembolisation is relatively contraindicated (van Roekel thesis p. 21); no good function above it."""
_ROUNDING = 1e-9
"""A value within this relative distance of a boundary lies on it: unit conversion moves the last digits, and the boundary is not below itself."""


LEAST_BILIRUBIN_UMOL_PER_L, MOST_BILIRUBIN_UMOL_PER_L, MOST_BILIRUBIN_MG_PER_DL = 3.0, 1000.0, 30.0
"""Outside these a stated bilirubin is almost surely in the other unit: a convention of opensirt."""


def require_bilirubin_units(umol_per_l: float | None, mg_per_dl: float | None) -> None:
    """Refuse a stated bilirubin that reads like one in the other unit.

    Parameters
    ----------
    umol_per_l, mg_per_dl : float or None
        As stated, µmol/L and mg/dL; ``None`` where not stated.

    Raises
    ------
    UnitError
        Below 3 or above 1000 µmol/L, or above 30 mg/dL.
    """
    if umol_per_l is not None and not LEAST_BILIRUBIN_UMOL_PER_L <= umol_per_l <= MOST_BILIRUBIN_UMOL_PER_L:
        raise UnitError(
            f"a bilirubin of {umol_per_l:g} µmol/L",
            f"blood has {LEAST_BILIRUBIN_UMOL_PER_L:g} to {MOST_BILIRUBIN_UMOL_PER_L:g} µmol/L; less reads like mg/dL",
            f"state bilirubin_mg_per_dl if it is {umol_per_l:g} mg/dL",
        )
    if mg_per_dl is not None and mg_per_dl > MOST_BILIRUBIN_MG_PER_DL:
        raise UnitError(
            f"a bilirubin of {mg_per_dl:g} mg/dL",
            f"above {MOST_BILIRUBIN_MG_PER_DL:g} mg/dL it reads like µmol/L",
            f"state bilirubin_umol_per_l if it is {mg_per_dl:g} µmol/L",
        )


@dataclass(frozen=True)
class PatientReserve:
    """Facts about the liver that limits depend on; ``None`` where nobody stated one.

    Attributes
    ----------
    bilirubin_mg_per_dl : float or None
        Total bilirubin, mg/dL. A value in µmol/L given by mistake is 17 times higher and leads to the stricter limit.
    pretreated : bool or None
        Whether the liver was treated before: radioembolisation, or what the centre counts as heavy pretreatment.
    good_function : bool or None
        Whether a person judges the liver function good, not compromised. No source defines it.
    reserve_fraction : float or None
        Hepatic reserve: share of the normal liver that the treatment spares, 0 to 1.
    child_pugh : str
        ``"A"``, ``"B"``, ``"C"``; empty where not stated.
    albi_grade : int or None
        1, 2 or 3.

    Raises
    ------
    InvalidValue, UnsupportedInput
        For a fact that cannot be.
    """

    bilirubin_mg_per_dl: float | None = None
    pretreated: bool | None = None
    good_function: bool | None = None
    reserve_fraction: float | None = None
    child_pugh: str = ""
    albi_grade: int | None = None

    def __post_init__(self) -> None:
        if self.bilirubin_mg_per_dl is not None and not 0.0 < self.bilirubin_mg_per_dl < math.inf:
            raise InvalidValue(f"a bilirubin of {self.bilirubin_mg_per_dl} mg/dL", "", "give a finite value above 0, in mg/dL")
        if self.reserve_fraction is not None and not 0.0 <= self.reserve_fraction <= 1.0:
            raise InvalidValue(
                f"a hepatic reserve of {self.reserve_fraction}", "a fraction lies between 0 and 1", "give 0.3 for 30 %"
            )
        if self.child_pugh and self.child_pugh not in CHILD_PUGH_CLASSES:
            raise UnsupportedInput(f"a Child-Pugh class {self.child_pugh!r}", "", offer(self.child_pugh, CHILD_PUGH_CLASSES))
        if self.albi_grade is not None and self.albi_grade not in ALBI_GRADES:
            raise InvalidValue(f"an ALBI grade of {self.albi_grade}", "", "give 1, 2 or 3")

    @property
    def signs_against(self) -> tuple[str, ...]:
        """Stated facts that speak against a good function, in words. The cuts are a convention of opensirt; no source states them for limits."""
        signs = []
        if self.child_pugh in ("B", "C"):
            signs.append(f"Child-Pugh {self.child_pugh}")
        if self.albi_grade == ALBI_GRADES[-1]:
            signs.append(f"ALBI grade {self.albi_grade}")
        if self.bilirubin_mg_per_dl is not None and not is_below(
            self.bilirubin_mg_per_dl, RELATIVE_CONTRAINDICATION_MG_PER_DL * (1.0 + 2.0 * _ROUNDING)
        ):
            signs.append(f"bilirubin {self.bilirubin_mg_per_dl:g} mg/dL")
        return tuple(signs)


NOTHING_STATED = PatientReserve()


def is_below(value: float, boundary: float) -> bool:
    """Whether a value lies below a boundary, and not on it by rounding."""
    return value < boundary * (1.0 - _ROUNDING)


@dataclass(frozen=True)
class ReserveCondition:
    """What a limit or target asks of the liver before it may stand; nothing where all is left out.

    Attributes
    ----------
    bilirubin_below_mg_per_dl : float or None
        Bilirubin must be stated and lie below this, mg/dL.
    no_earlier_treatment : bool
        It must be stated that the liver was not treated before.
    good_function : bool
        A good function must be stated, and no stated fact speak against it.
    reserve_fraction_above : float or None
        The hepatic reserve must be stated and lie above this.
    """

    bilirubin_below_mg_per_dl: float | None = None
    no_earlier_treatment: bool = False
    good_function: bool = False
    reserve_fraction_above: float | None = None

    def asks_no_more_than(self, other: ReserveCondition) -> bool:
        """Whether every reserve that meets ``other`` meets this condition too."""
        return (
            (
                self.bilirubin_below_mg_per_dl is None
                or (
                    other.bilirubin_below_mg_per_dl is not None
                    and other.bilirubin_below_mg_per_dl <= self.bilirubin_below_mg_per_dl
                )
            )
            and (other.no_earlier_treatment or not self.no_earlier_treatment)
            and (other.good_function or not self.good_function)
            and (
                self.reserve_fraction_above is None
                or (other.reserve_fraction_above is not None and other.reserve_fraction_above >= self.reserve_fraction_above)
            )
        )


@dataclass(frozen=True)
class Unmet:
    """One part of a condition that does not hold.

    Attributes
    ----------
    part : str
        What was asked, in words.
    stated : str
        What was stated instead; empty where nothing was.
    """

    part: str
    stated: str = ""


def unmet(condition: ReserveCondition, reserve: PatientReserve, setting: ReserveCondition) -> tuple[Unmet, ...]:
    """The parts of a condition that do not hold; empty where it is met.

    Parameters
    ----------
    condition : ReserveCondition
        What a rule asks.
    reserve : PatientReserve
        What is stated about the patient; it goes before the setting.
    setting : ReserveCondition
        What the name of the setting states (``"bilirubin-low"``).
    """
    parts = (
        _bilirubin(condition, reserve, setting),
        _earlier(condition, reserve, setting),
        _function(condition, reserve, setting),
        _reserve(condition, reserve),
    )
    return tuple(part for part in parts if part is not None)


def _bilirubin(condition: ReserveCondition, reserve: PatientReserve, setting: ReserveCondition) -> Unmet | None:
    boundary = condition.bilirubin_below_mg_per_dl
    if boundary is None:
        return None
    asked = f"bilirubin below {boundary:g} mg/dL"
    if reserve.bilirubin_mg_per_dl is not None:
        return (
            None
            if is_below(reserve.bilirubin_mg_per_dl, boundary)
            else Unmet(asked, f"bilirubin {reserve.bilirubin_mg_per_dl:g} mg/dL")
        )
    named = setting.bilirubin_below_mg_per_dl
    return None if named is not None and named <= boundary else Unmet(asked)


def _earlier(condition: ReserveCondition, reserve: PatientReserve, setting: ReserveCondition) -> Unmet | None:
    if not condition.no_earlier_treatment:
        return None
    asked = "no earlier treatment of the liver"
    if reserve.pretreated is not None:
        return Unmet(asked, "treated before") if reserve.pretreated else None
    return None if setting.no_earlier_treatment else Unmet(asked)


def _function(condition: ReserveCondition, reserve: PatientReserve, setting: ReserveCondition) -> Unmet | None:
    if not condition.good_function:
        return None
    asked = "good liver function"
    if reserve.good_function is False:
        return Unmet(asked, "compromised function")
    if reserve.signs_against:
        return Unmet(asked, ", ".join(reserve.signs_against))
    return None if reserve.good_function or setting.good_function else Unmet(asked)


def _reserve(condition: ReserveCondition, reserve: PatientReserve) -> Unmet | None:
    boundary = condition.reserve_fraction_above
    if boundary is None:
        return None
    asked = f"hepatic reserve above {boundary:.0%}"
    if reserve.reserve_fraction is None:
        return Unmet(asked)
    return None if is_below(boundary, reserve.reserve_fraction) else Unmet(asked, f"hepatic reserve {reserve.reserve_fraction:.0%}")

"""Biologically effective dose of a decaying source whose damage is repaired, and the dose in 2 Gy fractions that equals it.

Activity decays with one half-life and stays where it is; sublethal damage is repaired with one half-time. Then the double integral of
Lea and Catcheside over dose rate and repair is ``G = T_rep / (T_rep + T½)`` and ``BED = D · (1 + D · G / (α/β))``. BED is computed voxel by
voxel *before* any mean is taken: it is convex in dose, so the BED of a mean dose is too low.

Sources: Lea and Catcheside 1942; Dale 1985; MIRDCalculation (mghro, GitHub) for the form with repair half-time.
"""

from __future__ import annotations

import math

import numpy as np

from opensirt.radioembolisation.dosimetry.models.checks import require_not_negative, require_positive
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.radiobiology import REFERENCE_FRACTION_GY
from opensirt.vocabulary.volumes import BedMap, DoseMap

NAME = "BED of a decaying source with mono-exponential repair"
VERSION = "1"
FORMULA = "BED = D · (1 + D · G / (α/β)),  G = T_rep / (T_rep + T½)"
EQD_FORMULA = "EQD2 = BED / (1 + 2 / (α/β))"
SOURCES = ("Dale 1985", "MIRDCalculation (mghro, GitHub)", "Cremonesi, Chiesa and Strigari 2014")

ACUTE_FACTOR = 1.0
"""Repair factor of one acute exposure: no damage is repaired while dose is given."""
PROTRACTED_FACTOR = 0.0
"""Repair factor of an endlessly protracted exposure: all sublethal damage is repaired, BED = D."""


def repair_factor(half_life_h: float, repair_half_time_h: float) -> float:
    """Lea–Catcheside factor ``G = T_rep / (T_rep + T½)`` of a complete decay, between 0 (protracted) and 1 (acute).

    Parameters
    ----------
    half_life_h : float
        Half-life with which the dose rate falls, h: the physical one for trapped microspheres.
    repair_half_time_h : float
        Half-time of repair, h.

    Raises
    ------
    InvalidValue
        If either is not finite and above 0.
    """
    require_positive(half_life_h, "half-life", "h")
    require_positive(repair_half_time_h, "repair half-time", "h")
    return repair_half_time_h / (repair_half_time_h + half_life_h)


def effective_half_life_h(physical_half_life_h: float, biological_half_life_h: float) -> float:
    """Half-life of what both decays and leaves, h: ``T_p T_b / (T_p + T_b)``. Not for microspheres, which stay.

    Raises
    ------
    InvalidValue
        If either is not finite and above 0.
    """
    require_positive(physical_half_life_h, "physical half-life", "h")
    require_positive(biological_half_life_h, "biological half-life", "h")
    return physical_half_life_h * biological_half_life_h / (physical_half_life_h + biological_half_life_h)


def _require(alpha_beta_gy: float, factor: float) -> None:
    require_positive(alpha_beta_gy, "α/β", "Gy")
    if not PROTRACTED_FACTOR <= factor <= ACUTE_FACTOR:
        raise InvalidValue(f"a repair factor of {factor}", "it lies between 0 (protracted) and 1 (acute)", "see repair_factor")


def bed_gy(dose_gy: float, alpha_beta_gy: float, factor: float) -> float:
    """BED of one dose, Gy; never below the dose itself.

    Parameters
    ----------
    dose_gy : float
        Absorbed dose after full decay, Gy.
    alpha_beta_gy : float
        α/β, Gy.
    factor : float
        Repair factor (:func:`repair_factor`, :data:`ACUTE_FACTOR`, :data:`PROTRACTED_FACTOR`).

    Raises
    ------
    InvalidValue
        For a negative dose, an α/β of 0 or less, a factor outside 0 to 1.
    """
    _require(alpha_beta_gy, factor)
    require_not_negative(dose_gy, "dose", "Gy")
    return dose_gy * (1.0 + dose_gy * factor / alpha_beta_gy)


def bed_map(dose: DoseMap, alpha_beta_gy: float, factor: float) -> BedMap:
    """BED of every voxel, Gy, for one tissue; one pass in single precision.

    Raises
    ------
    InvalidValue
        For an α/β of 0 or less, a factor outside 0 to 1, or a BED beyond single precision.
    """
    _require(alpha_beta_gy, factor)
    bed = dose.dose_gy * np.float32(factor / alpha_beta_gy)
    bed += np.float32(1.0)
    bed *= dose.dose_gy
    return BedMap(bed, dose.grid)


def dose_from_bed_gy(bed_gy: float, alpha_beta_gy: float, factor: float) -> float:
    """Dose whose BED is given, Gy: the positive root of ``D² G/(α/β) + D − BED``, without cancellation.

    Raises
    ------
    InvalidValue
        For a negative BED, an α/β of 0 or less, a factor outside 0 to 1.
    """
    _require(alpha_beta_gy, factor)
    require_not_negative(bed_gy, "BED", "Gy")
    return 2.0 * bed_gy / (1.0 + math.sqrt(1.0 + 4.0 * bed_gy * factor / alpha_beta_gy))


def eqd_gy(bed_gy: float, alpha_beta_gy: float, fraction_gy: float = REFERENCE_FRACTION_GY) -> float:
    """Total dose in fractions of ``fraction_gy`` (2 Gy: EQD2) with full repair between them that has this BED, Gy.

    Raises
    ------
    InvalidValue
        For a negative BED, an α/β or a fraction of 0 or less.
    """
    require_not_negative(bed_gy, "BED", "Gy")
    require_positive(alpha_beta_gy, "α/β", "Gy")
    require_positive(fraction_gy, "dose per fraction", "Gy")
    return bed_gy / (1.0 + fraction_gy / alpha_beta_gy)


def bed_from_eqd_gy(eqd_gy: float, alpha_beta_gy: float, fraction_gy: float = REFERENCE_FRACTION_GY) -> float:
    """BED of a total dose in fractions of ``fraction_gy`` with full repair between them, Gy: the inverse of :func:`eqd_gy`.

    Raises
    ------
    InvalidValue
        For a negative dose, an α/β or a fraction of 0 or less.
    """
    require_not_negative(eqd_gy, "dose in fractions", "Gy")
    require_positive(alpha_beta_gy, "α/β", "Gy")
    require_positive(fraction_gy, "dose per fraction", "Gy")
    return eqd_gy * (1.0 + fraction_gy / alpha_beta_gy)


def dose_rate_gy_per_h(dose_gy: float, half_life_h: float, elapsed_h: float = 0.0) -> float:
    """Dose rate at a time after administration, Gy/h: ``D · ln 2 / T½ · 2^(−t/T½)``.

    Raises
    ------
    InvalidValue
        For a negative dose or time, or a half-life of 0 or less.
    """
    require_not_negative(dose_gy, "dose", "Gy")
    require_positive(half_life_h, "half-life", "h")
    require_not_negative(elapsed_h, "time", "h")
    return dose_gy * math.log(2.0) / half_life_h * math.exp2(-elapsed_h / half_life_h)


def time_to_fraction_h(dose_fraction: float, half_life_h: float) -> float:
    """Time until a fraction of the final dose has been given, h: ``−T½ · log2(1 − f)``.

    Raises
    ------
    InvalidValue
        If the fraction is not from 0 to below 1 (all of the dose takes for ever), or the half-life is 0 or less.
    """
    if not 0.0 <= dose_fraction < 1.0:
        raise InvalidValue(
            f"a fraction of {dose_fraction} of the dose",
            "it must be from 0 to below 1: the whole takes for ever",
            "give 0.9 for 90 %",
        )
    require_positive(half_life_h, "half-life", "h")
    return -half_life_h * math.log2(1.0 - dose_fraction)

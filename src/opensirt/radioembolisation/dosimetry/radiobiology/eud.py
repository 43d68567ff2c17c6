"""Equivalent uniform doses: one number for an uneven dose, by a power mean or by the cells that survive.

``gEUD = (Σ v D^a)^(1/a)`` (Niemierko 1999) and ``EUBED = −(1/α) ln Σ v exp(−α BED)``: the uniform BED that leaves as many cells alive.
Every voxel counts. A cold voxel decides whether a tumour survives; leaving out voxels of zero dose would raise the result where it
must fall.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from opensirt.radioembolisation.dosimetry.dvh import dvh_of
from opensirt.radioembolisation.dosimetry.models.checks import require_positive
from opensirt.vocabulary.errors import InvalidValue

NAME = "equivalent uniform dose"
VERSION = "1"
GEUD_FORMULA = "gEUD = (Σ v D^a)^(1/a)"
EUBED_FORMULA = "EUBED = −(1/α) · ln Σ v · exp(−α · BED)"
SOURCES = ("Niemierko 1997, 1999", "O'Donoghue 1999", "J Nucl Med 2020;61:104")

_FEW_LOST = 0.5
"""Share of cells killed beyond the lowest BED below which the logarithm is taken of what is lost, not of what lives: exact for even doses."""

FloatArray = npt.NDArray[np.float64]


def geud_gy(dose_gy: FloatArray, weight: FloatArray, exponent: float) -> float:
    """Generalised equivalent uniform dose of doses with weights, Gy; that of :class:`~opensirt.radioembolisation.dosimetry.dvh.Dvh`.

    Parameters
    ----------
    dose_gy : ndarray, float64, shape (n,)
        Gy, not negative.
    weight : ndarray, float64, shape (n,)
        Volume or mass of each, above 0; only the shares matter.
    exponent : float
        a: 1 is the mean; the more negative, the nearer to the lowest dose; the larger, the nearer to the highest.

    Raises
    ------
    InvalidValue
        For arrays that do not match, a dose that is negative, an exponent of 0 or not finite.
    """
    return dvh_of("doses", dose_gy, weight).geud_gy(exponent)


def eubed_gy(bed_gy: FloatArray, weight: FloatArray, alpha_per_gy: float) -> float:
    """Uniform BED that leaves as many cells alive as an uneven one, Gy; between the lowest BED and the mean.

    Exponentials are taken of the excess over the lowest BED, so that none underflows together with its sum.

    Parameters
    ----------
    bed_gy : ndarray, float64, shape (n,)
        BED of each voxel, Gy, not negative.
    weight : ndarray, float64, shape (n,)
        Volume or mass of each, above 0; only the shares matter.
    alpha_per_gy : float
        α, 1/Gy.

    Raises
    ------
    InvalidValue
        For arrays that do not match or are empty, a BED that is negative or not finite, a weight or α that is not above 0.
    """
    require_positive(alpha_per_gy, "α", "1/Gy")
    if bed_gy.shape != weight.shape or bed_gy.ndim != 1 or bed_gy.size == 0:
        raise InvalidValue(f"BEDs of shape {bed_gy.shape} and weights of shape {weight.shape}", "", "give one weight per BED")
    lowest_gy, lightest = float(bed_gy.min()), float(weight.min())
    if not (lowest_gy >= 0.0 and lightest > 0.0 and np.isfinite(bed_gy).all() and np.isfinite(weight).all()):
        raise InvalidValue("a BED is negative or not finite, or a weight is not above 0", "", "check the dose and the structure")
    exponent = -alpha_per_gy * (bed_gy - lowest_gy)
    lost = -float(np.dot(weight, np.expm1(exponent))) / float(weight.sum())
    if lost < _FEW_LOST:
        return lowest_gy - math.log1p(-lost) / alpha_per_gy
    surviving = float(np.dot(weight, np.exp(exponent))) / float(weight.sum())
    return lowest_gy - math.log(surviving) / alpha_per_gy

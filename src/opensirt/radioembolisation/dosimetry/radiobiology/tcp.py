"""Probability of tumour control: logistic in the logarithm of a dose, or Poisson in the number of surviving clonogens.

Logistic (Niemierko): ``TCP = 1 / (1 + (D50/EUD)^(4 γ50))``. Poisson: ``TCP = exp(−N₀ exp(−α EUBED))``. No source read for SIRT states
γ50 or N₀: a person states them, or no probability is given.
"""

from __future__ import annotations

import math

from opensirt.radioembolisation.dosimetry.models.checks import require_not_negative, require_positive

LOGISTIC_NAME = "logistic response"
POISSON_NAME = "Poisson tumour control"
VERSION = "1"
LOGISTIC_FORMULA = "P = 1 / (1 + (D50 / EUD)^(4 · γ50))"
POISSON_FORMULA = "TCP = exp(−N₀ · exp(−α · EUBED))"
LOGISTIC_SOURCES = ("Niemierko 1999",)


def logistic_probability(eud_gy: float, d50_gy: float, gamma50: float) -> float:
    """Probability that rises with dose: ½ at ``d50_gy``, where it gains ``gamma50`` per relative change of dose.

    Parameters
    ----------
    eud_gy : float
        Equivalent uniform dose (or the mean, if D50 was found on means), Gy.
    d50_gy : float
        Dose of 50 %, Gy.
    gamma50 : float
        Normalised slope at D50: ``dP/d ln D``.

    Raises
    ------
    InvalidValue
        For a negative dose, or a D50 or slope of 0 or less.
    """
    require_not_negative(eud_gy, "equivalent uniform dose", "Gy")
    require_positive(d50_gy, "D50", "Gy")
    require_positive(gamma50, "γ50", "")
    if eud_gy == 0.0:
        return 0.0
    exponent = 4.0 * gamma50 * math.log(eud_gy / d50_gy)
    if exponent >= 0.0:
        return 1.0 / (1.0 + math.exp(-exponent))
    rise = math.exp(exponent)
    return rise / (1.0 + rise)


def poisson_probability(eubed_gy: float, clonogen_number: float, alpha_per_gy: float) -> float:
    """Probability that no clonogen survives, if survivors are Poisson distributed.

    Parameters
    ----------
    eubed_gy : float
        Uniform BED that leaves as many cells alive (:func:`~opensirt.radioembolisation.dosimetry.radiobiology.eud.eubed_gy`), Gy.
    clonogen_number : float
        Clonogens before treatment.
    alpha_per_gy : float
        α, 1/Gy.

    Raises
    ------
    InvalidValue
        For a negative BED, or a number or α of 0 or less.
    """
    require_not_negative(eubed_gy, "EUBED", "Gy")
    require_positive(clonogen_number, "number of clonogens", "")
    require_positive(alpha_per_gy, "α", "1/Gy")
    return math.exp(-clonogen_number * math.exp(-alpha_per_gy * eubed_gy))

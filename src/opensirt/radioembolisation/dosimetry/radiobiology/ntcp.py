"""Probability of harm to normal tissue: logistic in the logarithm of a dose (Niemierko), ``NTCP = 1 / (1 + (TD50/EUD)^(4 γ50))``.

The form of Lyman, Kutcher and Burman is not offered: no parameters of it were read for SIRT. No γ50 was read either: a person states it.
"""

from __future__ import annotations

from opensirt.radioembolisation.dosimetry.radiobiology.tcp import logistic_probability

NAME = "logistic toxicity"
VERSION = "1"
FORMULA = "NTCP = 1 / (1 + (TD50 / EUD)^(4 · γ50))"
SOURCES = ("Niemierko 1999",)


def ntcp(eud_gy: float, td50_gy: float, gamma50: float) -> float:
    """Probability of harm: ½ at ``td50_gy``.

    Parameters
    ----------
    eud_gy : float
        Equivalent uniform dose of the organ (its mean, if TD50 was found on means), Gy.
    td50_gy : float
        Dose of 50 %, Gy.
    gamma50 : float
        Normalised slope at TD50: ``dP/d ln D``.

    Raises
    ------
    InvalidValue
        For a negative dose, or a TD50 or slope of 0 or less.
    """
    return logistic_probability(eud_gy, td50_gy, gamma50)

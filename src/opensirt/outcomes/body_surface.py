"""Body surface area from height and weight: Du Bois and Mosteller.

``BSA = 0.007184 · h^0.725 · w^0.425`` with h in cm, or ``0.20247 · h^0.725 · w^0.425`` with h in m (Du Bois and Du Bois 1916; the second as
printed in the van Roekel thesis, p. 30): the same formula, for 100^0.725 = 28.18. ``BSA = √(h · w / 3600)`` with h in cm (Mosteller 1987).
"""

from __future__ import annotations

import math

from opensirt.outcomes.checks import require_positive
from opensirt.vocabulary.errors import InvalidValue

BODY_SURFACE_VERSION = "1"
DU_BOIS_CM_FACTOR = 0.007184
"""m² for height in cm and weight in kg."""
DU_BOIS_M_FACTOR = 0.20247
"""m² for height in m and weight in kg."""
DU_BOIS_HEIGHT_EXPONENT = 0.725
DU_BOIS_WEIGHT_EXPONENT = 0.425
MOSTELLER_FACTOR = 3600.0
DU_BOIS_SOURCE = "Du Bois and Du Bois 1916; van Roekel thesis p. 30"
MOSTELLER_SOURCE = "Mosteller 1987"
DU_BOIS_FORMULA = "BSA = 0.007184 · h^0.725 · w^0.425 (h in cm, w in kg)"
MOSTELLER_FORMULA = "BSA = √(h · w / 3600) (h in cm, w in kg)"

SHORTEST_CM = 30.0
TALLEST_CM = 280.0
HEAVIEST_KG = 650.0
"""Below, between and above which nobody has been measured: a number outside is a slip of unit, not a person."""


def _require_person(height_cm: float, weight_kg: float) -> None:
    require_positive(height_cm, "height", "cm")
    require_positive(weight_kg, "weight", "kg")
    if not SHORTEST_CM <= height_cm <= TALLEST_CM:
        raise InvalidValue(
            f"height of {height_cm:g} cm",
            f"nobody is outside of {SHORTEST_CM:g} to {TALLEST_CM:g} cm",
            "give the height in cm, 175 and not 1.75",
        )
    if weight_kg > HEAVIEST_KG:
        raise InvalidValue(
            f"weight of {weight_kg:g} kg", f"nobody weighs more than {HEAVIEST_KG:g} kg", "give the weight in kg, not in g or lb"
        )


def du_bois_m2(height_cm: float, weight_kg: float) -> float:
    """Body surface area after Du Bois, m².

    Parameters
    ----------
    height_cm : float
        Height, cm; 30 to 280.
    weight_kg : float
        Weight, kg; up to 650.

    Raises
    ------
    InvalidValue
        For a height or weight that no person has: a slip of unit.

    Notes
    -----
    Du Bois and Du Bois 1916. 175 cm and 70 kg give 1.848 m².
    """
    _require_person(height_cm, weight_kg)
    return float(DU_BOIS_CM_FACTOR * height_cm**DU_BOIS_HEIGHT_EXPONENT * weight_kg**DU_BOIS_WEIGHT_EXPONENT)


def du_bois_from_metres_m2(height_m: float, weight_kg: float) -> float:
    """Body surface area after Du Bois with the height in metres, as the resin formulas print it, m².

    Parameters
    ----------
    height_m : float
        Height, m; 0.3 to 2.8.
    weight_kg : float
        Weight, kg; up to 650.

    Raises
    ------
    InvalidValue
        For a height or weight that no person has: a slip of unit.

    Notes
    -----
    The printed factor 0.20247 is rounded: 1e-5 below 0.007184 · 100^0.725 relatively. Van Roekel thesis p. 30.
    """
    require_positive(height_m, "height", "m")
    if height_m > TALLEST_CM / 100.0:
        raise InvalidValue(f"height of {height_m:g} m", "nobody is that tall", "give the height in m, 1.75 and not 175")
    _require_person(height_m * 100.0, weight_kg)
    return float(DU_BOIS_M_FACTOR * height_m**DU_BOIS_HEIGHT_EXPONENT * weight_kg**DU_BOIS_WEIGHT_EXPONENT)


def mosteller_m2(height_cm: float, weight_kg: float) -> float:
    """Body surface area after Mosteller, m².

    Parameters
    ----------
    height_cm : float
        Height, cm; 30 to 280.
    weight_kg : float
        Weight, kg; up to 650.

    Raises
    ------
    InvalidValue
        For a height or weight that no person has: a slip of unit.

    Notes
    -----
    Mosteller 1987. 175 cm and 70 kg give 1.8447 m².
    """
    _require_person(height_cm, weight_kg)
    return math.sqrt(height_cm * weight_kg / MOSTELLER_FACTOR)

"""Count partition: each compartment holds activity in proportion to its counts, summed over injections.

``D_i = Σ_j K · A_j · (1 − L_j) · c_ij / Σ_i c_ij / m_i`` (EANM SOP, Chiesa et al. 2021): patient-relative calibration, local
deposition of the mean, permanent trapping. A_j is the activity delivered at position j.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opensirt.radioembolisation.dosimetry.models.checks import require_fraction, require_not_negative, require_positive
from opensirt.vocabulary.errors import InvalidValue

NAME = "count partition"
VERSION = "1"
FORMULA = "D_i = Σ_j K · A_j · (1 − L_j) · c_ij / Σ_i c_ij / m_i"
SOURCES = ("EANM SOP, Chiesa et al. 2021",)


@dataclass(frozen=True)
class InjectionCounts:
    """Counts of each compartment through one injection, and its lung shunt fraction."""

    counts: Mapping[str, float]
    lung_shunt_fraction: float

    def __post_init__(self) -> None:
        for name, value in self.counts.items():
            require_not_negative(value, f"counts of {name}", "counts")
        if "lungs" in self.counts:
            raise InvalidValue(
                "counts are given for the lungs",
                "what is shunted comes from the lung shunt fraction; it would count twice",
                "leave the lungs out of the counts",
            )
        require_fraction(self.lung_shunt_fraction, "lung shunt fraction")
        if sum(self.counts.values()) <= 0.0:
            raise InvalidValue(
                "an injection without counts", "no compartment holds any", "check the territory and the emission image"
            )


def activities_gbq(injections: Mapping[str, InjectionCounts], delivered_gbq: Mapping[str, float]) -> dict[str, float]:
    """Activity of each compartment, GBq, summed over injections; ``"lungs"`` holds what was shunted.

    Raises
    ------
    InvalidValue
        If activities and counts do not name the same injections.
    """
    missing = [name for name in injections if name not in delivered_gbq]
    unknown = [name for name in delivered_gbq if name not in injections]
    if missing or unknown:
        raise InvalidValue(
            f"activities are given for {sorted(delivered_gbq)}, counts for {sorted(injections)}",
            "every injection needs both",
            "name them alike",
        )
    held: dict[str, float] = {"lungs": 0.0}
    for name, injection in injections.items():
        activity = require_not_negative(delivered_gbq[name], f"activity of {name}", "GBq")
        shunted = activity * injection.lung_shunt_fraction
        held["lungs"] += shunted
        total = sum(injection.counts.values())
        for compartment, counts in injection.counts.items():
            held[compartment] = held.get(compartment, 0.0) + (activity - shunted) * counts / total
    return held


def doses_gy(
    injections: Mapping[str, InjectionCounts],
    delivered_gbq: Mapping[str, float],
    mass_kg: Mapping[str, float],
    gy_kg_per_gbq: float,
) -> dict[str, float]:
    """Mean dose of every compartment that has a mass, Gy.

    Parameters
    ----------
    injections : mapping
        Counts per injection.
    delivered_gbq : mapping
        Activity delivered per injection, GBq.
    mass_kg : mapping
        Mass per compartment, kg, ``"lungs"`` included where lung dose is wanted.
    gy_kg_per_gbq : float
        Dose constant.

    Raises
    ------
    InvalidValue
        If activities, counts and masses do not name the same injections and compartments.
    """
    held = activities_gbq(injections, delivered_gbq)
    unknown = [name for name in mass_kg if name not in held]
    if unknown:
        raise InvalidValue(
            f"a mass is given for {unknown}, which no injection's counts name",
            f"compartments with counts: {sorted(held)}",
            "name them alike; a compartment without uptake has counts of 0",
        )
    return {name: gy_kg_per_gbq * held[name] / require_positive(mass, f"mass of {name}", "kg") for name, mass in mass_kg.items()}

"""MIRD mono-compartment: the perfused volume is one vessel of uniform activity.

``D = K · A · (1 − L) · (1 − R) / m`` and its inverse ``A = D · m / (K · (1 − L) · (1 − R))`` with A dispensed, L the lung shunt fraction and
R the residual fraction (clinical.md 3.5). A mean over tumour and normal liver together: it says nothing of either.
"""

from __future__ import annotations

from dataclasses import dataclass

from opensirt.radioembolisation.dosimetry.models.checks import require_fraction, require_not_negative, require_positive

NAME = "MIRD mono-compartment"
VERSION = "1"
FORMULA = "D = K · A · (1 − L) · (1 − R) / m"
SOURCES = ("EANM procedure guideline 2022", "van Roekel thesis p. 30")


@dataclass(frozen=True)
class MonoInputs:
    """Mass of the perfused volume (kg), lung shunt fraction (0 to below 1), residual fraction (0 to below 1)."""

    perfused_mass_kg: float
    lung_shunt_fraction: float
    residual_fraction: float = 0.0

    def __post_init__(self) -> None:
        require_positive(self.perfused_mass_kg, "perfused mass", "kg")
        require_fraction(self.lung_shunt_fraction, "lung shunt fraction")
        require_fraction(self.residual_fraction, "residual fraction")


def dose_gy(inputs: MonoInputs, dispensed_gbq: float, gy_kg_per_gbq: float) -> float:
    """Mean dose of the perfused volume, Gy, for a dispensed activity in GBq."""
    require_not_negative(dispensed_gbq, "activity", "GBq")
    kept = (1.0 - inputs.lung_shunt_fraction) * (1.0 - inputs.residual_fraction)
    return gy_kg_per_gbq * dispensed_gbq * kept / inputs.perfused_mass_kg


def activity_gbq(inputs: MonoInputs, perfused_gy: float, gy_kg_per_gbq: float) -> float:
    """Activity to dispense, GBq, for a mean dose of the perfused volume in Gy."""
    kept = (1.0 - inputs.lung_shunt_fraction) * (1.0 - inputs.residual_fraction)
    require_not_negative(perfused_gy, "dose", "Gy")
    return perfused_gy * inputs.perfused_mass_kg / (gy_kg_per_gbq * kept)


def lung_dose_gy(delivered_gbq: float, lung_shunt_fraction: float, lung_mass_kg: float, gy_kg_per_gbq: float) -> float:
    """Mean lung dose, Gy: ``K · A · L / m_lung`` with the *delivered* activity (the residual never reaches the lung)."""
    require_not_negative(delivered_gbq, "activity", "GBq")
    require_positive(lung_mass_kg, "lung mass", "kg")
    require_fraction(lung_shunt_fraction, "lung shunt fraction")
    return gy_kg_per_gbq * delivered_gbq * lung_shunt_fraction / lung_mass_kg

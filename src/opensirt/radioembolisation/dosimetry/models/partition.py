"""Partition model: tumour, normal liver and lung, each of uniform activity.

``TN`` is the ratio of *concentrations*, ``(A_T/m_T)/(A_N/m_N)``. ``D_N = K·A·(1 − L)/(TN·m_T + m_N)``, ``D_T = TN·D_N``, ``D_L = K·A·L/m_L`` (van
Roekel thesis p. 30; clinical.md 3.6). A is the activity delivered. Where no normal liver is perfused (segmentectomy) all of
``A·(1 − L)`` is in the tumour.
"""

from __future__ import annotations

from dataclasses import dataclass

from opensirt.radioembolisation.dosimetry.models.checks import require_fraction, require_not_negative, require_positive
from opensirt.vocabulary.errors import InvalidValue

NAME = "partition"
VERSION = "1"
FORMULA = "D_N = K · A · (1 − L) / (TN · m_T + m_N);  D_T = TN · D_N"
SOURCES = ("van Roekel thesis p. 30", "EANM procedure guideline 2022")


@dataclass(frozen=True)
class PartitionInputs:
    """Masses of tumour and perfused normal liver (kg), TN concentration ratio, lung shunt fraction, lung mass (kg)."""

    tumour_mass_kg: float
    normal_mass_kg: float
    tumour_to_normal: float
    lung_shunt_fraction: float
    lung_mass_kg: float = 1.0

    def __post_init__(self) -> None:
        require_not_negative(self.tumour_mass_kg, "tumour mass", "kg")
        require_not_negative(self.normal_mass_kg, "normal liver mass", "kg")
        require_fraction(self.lung_shunt_fraction, "lung shunt fraction")
        require_positive(self.lung_mass_kg, "lung mass", "kg")
        if self.tumour_mass_kg + self.normal_mass_kg <= 0.0:
            raise InvalidValue("neither tumour nor normal liver is perfused", "both masses are 0 kg", "check the territory")
        if self.normal_mass_kg > 0.0:
            require_positive(self.tumour_to_normal, "tumour-to-normal ratio", "")


@dataclass(frozen=True)
class PartitionDoses:
    """Mean doses, Gy, and the activities behind them, GBq."""

    tumour_gy: float
    normal_gy: float
    lung_gy: float
    tumour_gbq: float
    normal_gbq: float
    lung_gbq: float


def doses(inputs: PartitionInputs, delivered_gbq: float, gy_kg_per_gbq: float) -> PartitionDoses:
    """Mean doses of tumour, normal liver and lung for a delivered activity in GBq."""
    require_not_negative(delivered_gbq, "activity", "GBq")
    lung = delivered_gbq * inputs.lung_shunt_fraction
    liver = delivered_gbq - lung
    lung_gy = gy_kg_per_gbq * lung / inputs.lung_mass_kg
    if inputs.normal_mass_kg == 0.0:
        return PartitionDoses(gy_kg_per_gbq * liver / inputs.tumour_mass_kg, 0.0, lung_gy, liver, 0.0, lung)
    weighted = inputs.tumour_to_normal * inputs.tumour_mass_kg + inputs.normal_mass_kg
    normal_gy = gy_kg_per_gbq * liver / weighted
    normal = normal_gy * inputs.normal_mass_kg / gy_kg_per_gbq
    tumour_gy = inputs.tumour_to_normal * normal_gy if inputs.tumour_mass_kg > 0.0 else 0.0
    return PartitionDoses(tumour_gy, normal_gy, lung_gy, liver - normal, normal, lung)


def activity_for_tumour_gbq(inputs: PartitionInputs, tumour_gy: float, gy_kg_per_gbq: float) -> float:
    """Activity to deliver, GBq, for a mean tumour dose in Gy."""
    require_positive(inputs.tumour_mass_kg, "tumour mass", "kg")
    return tumour_gy / doses(inputs, 1.0, gy_kg_per_gbq).tumour_gy


def activity_for_normal_gbq(inputs: PartitionInputs, normal_gy: float, gy_kg_per_gbq: float) -> float:
    """Activity to deliver, GBq, at which perfused normal liver receives ``normal_gy``."""
    require_positive(inputs.normal_mass_kg, "normal liver mass", "kg")
    return normal_gy / doses(inputs, 1.0, gy_kg_per_gbq).normal_gy


def activity_for_lung_gbq(inputs: PartitionInputs, lung_gy: float, gy_kg_per_gbq: float) -> float:
    """Activity to deliver, GBq, at which the lungs receive ``lung_gy``; infinite without a shunt."""
    if inputs.lung_shunt_fraction == 0.0:
        return float("inf")
    return lung_gy * inputs.lung_mass_kg / (gy_kg_per_gbq * inputs.lung_shunt_fraction)

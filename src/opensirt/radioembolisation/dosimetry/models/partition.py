"""Partition model: tumour, normal liver and lung, each of uniform activity.

``TN`` is the ratio of *concentrations*, ``(A_T/m_T)/(A_N/m_N)``. ``D_N = K·A·(1 − L)/(TN·m_T + m_N)``, ``D_T = TN·D_N``, ``D_L = K·A·L/m_L`` (van
Roekel thesis p. 30). A is the activity delivered. Where no normal liver is perfused (segmentectomy) all of
``A·(1 − L)`` is in the tumour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opensirt.radioembolisation.dosimetry.models.checks import require_fraction, require_not_negative, require_positive
from opensirt.radioembolisation.dosimetry.models.facts import LIVER_DENSITY, InjectionFacts, Unknown
from opensirt.radioembolisation.dosimetry.models.goals import Goal
from opensirt.radioembolisation.dosimetry.models.hepatic import inputs_of, kg, split, stated_shunt
from opensirt.radioembolisation.dosimetry.models.linear import Linear, activity_of, doses_of, missing_of, silence
from opensirt.radioembolisation.dosimetry.models.protocol import Missing, ModelDoses, Prescription
from opensirt.radioembolisation.dosimetry.models.validity import shunt_findings, uptake_findings
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.provenance import Constant

NAME = "partition"
VERSION = "1"
FORMULA = "D_N = K · A · (1 − L) / (TN · m_T + m_N);  D_T = TN · D_N"
SOURCES = ("van Roekel thesis p. 30", "EANM procedure guideline 2022")
KEY = "partition"
PUBLISHED_CONSTANTS = {"Y-90": "49.67", "Ho-166": "15.87"}
"""By nuclide, as the van Roekel thesis p. 30 prints them."""


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


def tumour_share(values: Mapping[str, float]) -> float:
    """Tumour's share of what reaches the liver, TN·m_T/(TN·m_T + m_N), from masses or volumes and the ratio of concentrations.

    1 without normal liver, 0 without tumour; the ratio is then not asked for.
    """
    tumour_kg, normal_kg = kg(values, "perfused_tumour_ml"), kg(values, "perfused_normal_ml")
    if normal_kg == 0.0 or tumour_kg == 0.0:
        return 1.0 if normal_kg == 0.0 else 0.0
    weighted = values["tumour_to_normal"] * tumour_kg
    return weighted / (weighted + normal_kg)


def needs_ratio(facts: InjectionFacts) -> bool:
    """Whether the tumour-to-normal ratio matters: both tumour and normal liver are perfused, or may be."""
    volumes = (facts.perfused_tumour_ml, facts.perfused_normal_ml)
    return not any(isinstance(each, Measured) and each.value == 0.0 for each in volumes)


@dataclass(frozen=True)
class Partition:
    """Tumour, normal liver and lungs; see :class:`~opensirt.radioembolisation.dosimetry.models.protocol.ActivityModel`."""

    key: str = KEY
    name: str = NAME
    version: str = VERSION
    formula: str = (
        "A = D_T · (TN · m_T + m_N) / (TN · K · (1 − L));  A = D_N · (TN · m_T + m_N) / (K · (1 − L));  A = D_L · m_L / (K · L)"
    )
    sources: tuple[str, ...] = SOURCES
    needs: tuple[str, ...] = ("perfused_tumour_ml", "perfused_normal_ml", "tumour_to_normal", "lung_shunt_fraction")

    def missing(self, facts: InjectionFacts) -> tuple[Missing, ...]:
        """Needs of which nothing is known; without normal liver or without tumour no ratio is needed."""
        return missing_of(facts, self.needs if needs_ratio(facts) else tuple(n for n in self.needs if n != "tumour_to_normal"))

    def validity(self, facts: InjectionFacts) -> tuple[Finding, ...]:
        """Ratio below 1.5, below 1 or infinite; resin above a shunt of 20 %."""
        if self.missing(facts):
            return shunt_findings(facts)
        ratio = facts.known("tumour_to_normal") if needs_ratio(facts) else Measured(1.0)
        judged = uptake_findings(ratio, facts.known("perfused_normal_ml")) if facts.known("perfused_tumour_ml").value > 0.0 else ()
        return (*judged, *shunt_findings(facts))

    def constants(self, facts: InjectionFacts) -> tuple[Constant, ...]:
        """The dose constant."""
        return (facts.dose_constant(PUBLISHED_CONSTANTS).gy_kg_per_gbq,)

    def activity(self, facts: InjectionFacts, goal: Goal) -> Prescription | Unknown:
        """Activity for a tumour target and limits on normal liver, perfused volume and lungs."""
        return silence(self.missing(facts)) if self.missing(facts) else activity_of(self._linear(facts), goal)

    def doses(self, facts: InjectionFacts, delivered_gbq: Measured) -> ModelDoses | Unknown:
        """Mean doses of every compartment."""
        return silence(self.missing(facts)) if self.missing(facts) else doses_of(self._linear(facts), delivered_gbq)

    def _linear(self, facts: InjectionFacts) -> Linear:
        names = self.needs if needs_ratio(facts) else tuple(n for n in self.needs if n != "tumour_to_normal")
        constant = facts.dose_constant(PUBLISHED_CONSTANTS)
        inputs = inputs_of(facts, constant, facts.density(LIVER_DENSITY), names)
        return split(self.key, inputs, tumour_share, stated_shunt)

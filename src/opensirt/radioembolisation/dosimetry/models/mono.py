"""MIRD mono-compartment: the perfused volume is one vessel of uniform activity.

``D = K · A · (1 − L) · (1 − R) / m`` and its inverse ``A = D · m / (K · (1 − L) · (1 − R))`` with A dispensed, L the lung shunt fraction and
R the residual fraction (EANM procedure guideline 2022). A mean over tumour and normal liver together: it says nothing of either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from opensirt.radioembolisation.dosimetry.models.checks import require_fraction, require_not_negative, require_positive
from opensirt.radioembolisation.dosimetry.models.facts import InjectionFacts, Unknown
from opensirt.radioembolisation.dosimetry.models.goals import Goal
from opensirt.radioembolisation.dosimetry.models.hepatic import NO_LUNG_MASS, constant_of, lung_gy_per_gbq, stated_shunt
from opensirt.radioembolisation.dosimetry.models.linear import Linear, PerGbq, activity_of, doses_of, missing_of, silence
from opensirt.radioembolisation.dosimetry.models.protocol import Missing, ModelDoses, Prescription
from opensirt.radioembolisation.dosimetry.models.validity import shunt_findings
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.provenance import Constant
from opensirt.vocabulary.units import G_PER_KG

NAME = "MIRD mono-compartment"
VERSION = "1"
FORMULA = "D = K · A · (1 − L) · (1 − R) / m"
SOURCES = ("EANM procedure guideline 2022", "van Roekel thesis p. 30")
KEY = "mird"
PUBLISHED_CONSTANTS = {"Y-90": "50", "Ho-166": "15.87"}
"""By nuclide: the package insert of glass and the van Roekel thesis p. 30 print 50; holmium 15.87."""
PUBLISHED_DENSITY = Constant(
    "mird.density_g_per_ml", 1.03, "g/mL", "Radulator (github.com/momomojo/Radulator); spread of the values in use", 0.0125
)
"""Density that the single-compartment calculators take for liver."""


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


def perfused_ml(facts: InjectionFacts) -> Measured | Unknown:
    """The perfused volume, mL: tumour and normal liver together where both are known, else as it was stated."""
    if facts.knows("perfused_tumour_ml", "perfused_normal_ml"):
        parts = {"tumour": facts.known("perfused_tumour_ml"), "normal": facts.known("perfused_normal_ml")}
        return propagate(lambda tumour, normal: tumour + normal, **parts)
    return facts.perfused_ml


@dataclass(frozen=True)
class Mono:
    """The perfused volume as one compartment; see :class:`~opensirt.radioembolisation.dosimetry.models.protocol.ActivityModel`."""

    key: str = KEY
    name: str = NAME
    version: str = VERSION
    formula: str = "A = D · m / (K · (1 − L) · (1 − R))"
    sources: tuple[str, ...] = SOURCES
    needs: tuple[str, ...] = ("perfused_ml", "lung_shunt_fraction")

    def missing(self, facts: InjectionFacts) -> tuple[Missing, ...]:
        """Needs of which nothing is known; the perfused volume may come from its parts."""
        volume = perfused_ml(facts)
        lacking = (Missing("perfused_ml", volume.reason),) if isinstance(volume, Unknown) else ()
        return (*lacking, *missing_of(facts, ("lung_shunt_fraction",)))

    def validity(self, facts: InjectionFacts) -> tuple[Finding, ...]:
        """Resin above a shunt of 20 %."""
        return shunt_findings(facts)

    def constants(self, facts: InjectionFacts) -> tuple[Constant, ...]:
        """Dose constant, and density where the model's own stands."""
        density = () if isinstance(facts.density_g_per_ml, Measured) else (PUBLISHED_DENSITY,)
        return (facts.dose_constant(PUBLISHED_CONSTANTS).gy_kg_per_gbq, *density)

    def activity(self, facts: InjectionFacts, goal: Goal) -> Prescription | Unknown:
        """Activity for the perfused mean; the residual is part of the published formula."""
        if self.missing(facts):
            return silence(self.missing(facts))
        found = activity_of(self._linear(facts), goal)
        if isinstance(found, Unknown):
            return found
        prescribed = propagate(lambda a, r: a / (1.0 - r), a=found.delivered_gbq, r=facts.residual_fraction)
        return replace(found, prescribed_gbq=prescribed)

    def doses(self, facts: InjectionFacts, delivered_gbq: Measured) -> ModelDoses | Unknown:
        """Mean of the perfused volume and of the lungs; nothing of tumour or normal liver."""
        return silence(self.missing(facts)) if self.missing(facts) else doses_of(self._linear(facts), delivered_gbq)

    def _linear(self, facts: InjectionFacts) -> Linear:
        volume = perfused_ml(facts)
        assert isinstance(volume, Measured)
        inputs = {
            "k": constant_of(facts.dose_constant(PUBLISHED_CONSTANTS)),
            "rho": facts.density(Measured(PUBLISHED_DENSITY.value, {"liver_density": PUBLISHED_DENSITY.standard_uncertainty})),
            "volume_ml": volume,
            "lung_shunt_fraction": facts.known("lung_shunt_fraction"),
        }
        together = "one compartment is a mean over tumour and normal liver and says nothing of either"
        silent = dict.fromkeys((StructureKind.TUMOUR, StructureKind.PERFUSED_NORMAL_LIVER, StructureKind.NORMAL_LIVER), together)
        gy: dict[StructureKind, PerGbq] = {StructureKind.TERRITORY: lambda **v: _perfused_gy_per_gbq(v)}
        if isinstance(facts.lung_mass_kg, Measured):
            inputs["lung_mass_kg"] = facts.lung_mass_kg
            gy[StructureKind.LUNGS] = lung_gy_per_gbq(stated_shunt)
        else:
            silent[StructureKind.LUNGS] = NO_LUNG_MASS
        held: dict[str, PerGbq] = {
            "perfused": lambda **v: 1.0 - v["lung_shunt_fraction"],
            "lungs": lambda **v: v["lung_shunt_fraction"],
        }
        return Linear(self.key, inputs, gy, silent, held, {})


def _perfused_gy_per_gbq(values: dict[str, float]) -> float:
    mass_kg = values["rho"] * values["volume_ml"] / G_PER_KG
    return dose_gy(MonoInputs(mass_kg, values["lung_shunt_fraction"]), 1.0, values["k"])

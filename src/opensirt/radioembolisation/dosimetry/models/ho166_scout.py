"""Holmium-166 with a scout dose of the same spheres: the scout's activity is therapy too.

``A_total = D · m / (15.87 · (1 − L))``, ``A = A_total − A_scout``; forward ``D = 15.87 · (A + A_scout) · (1 − L) / m`` (van Roekel thesis p. 30: A in MBq is
3780 per kg for 60 Gy, without a shunt; scout of 200 to 250 MBq, p. 29). m is the mass of the whole treated volume with its tumours. Every
dose holds the scout: lungs, perfused volume and whatever lies outside the liver.
"""

from __future__ import annotations

from dataclasses import dataclass

from opensirt.radioembolisation.dosimetry.models.checks import require_fraction, require_not_negative, require_positive
from opensirt.radioembolisation.dosimetry.models.facts import InjectionFacts, Unknown
from opensirt.radioembolisation.dosimetry.models.goals import Goal
from opensirt.radioembolisation.dosimetry.models.hepatic import NO_LUNG_MASS, constant_of, lung_gy_per_gbq
from opensirt.radioembolisation.dosimetry.models.linear import Linear, PerGbq, activity_of, doses_of, silence
from opensirt.radioembolisation.dosimetry.models.mono import perfused_ml
from opensirt.radioembolisation.dosimetry.models.protocol import Missing, ModelDoses, Prescription
from opensirt.radioembolisation.dosimetry.models.validity import product_findings
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import PlanInfeasible
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.provenance import Constant
from opensirt.vocabulary.units import G_PER_KG, MBQ_PER_GBQ

KEY = "ho166-scout"
NAME = "holmium-166 with scout dose"
VERSION = "1"
FORMULA = "A = D · m / (K · (1 − L)) − A_scout;  D = K · (A + A_scout) · (1 − L) / m"
SOURCES = ("van Roekel thesis p. 29, 30 and 125", "J Nucl Med 2016;57(suppl 2):199")
PUBLISHED_CONSTANTS = {"Ho-166": "15.87"}
PUBLISHED_DENSITY = Constant(
    "ho166_scout.density_g_per_ml",
    1.06,
    "g/mL",
    "Ho-166 practice, J Nucl Med 2016;57(suppl 2):199; spread of the values in use",
    0.0125,
)
SCOUT_RANGE_GBQ = (0.200, 0.250)
"""Scout activities in use, 200 to 250 MBq in 60 mg (van Roekel thesis p. 29)."""
TREATED = "the published formula knows one treated volume: a mean over tumour and normal liver"


@dataclass(frozen=True)
class ScoutInputs:
    """Treated mass (kg), lung shunt fraction (0 to below 1), scout activity (GBq), lung mass (kg)."""

    treated_mass_kg: float
    lung_shunt_fraction: float
    scout_gbq: float
    lung_mass_kg: float = 1.0

    def __post_init__(self) -> None:
        require_positive(self.treated_mass_kg, "treated mass", "kg")
        require_fraction(self.lung_shunt_fraction, "lung shunt fraction")
        require_not_negative(self.scout_gbq, "scout activity", "GBq")
        require_positive(self.lung_mass_kg, "lung mass", "kg")


def dose_gy(inputs: ScoutInputs, therapy_gbq: float, gy_kg_per_gbq: float) -> float:
    """Mean dose of the treated volume, Gy, from therapy and scout together."""
    require_not_negative(therapy_gbq, "activity", "GBq")
    total = therapy_gbq + inputs.scout_gbq
    return gy_kg_per_gbq * total * (1.0 - inputs.lung_shunt_fraction) / inputs.treated_mass_kg


def lung_dose_gy(inputs: ScoutInputs, therapy_gbq: float, gy_kg_per_gbq: float) -> float:
    """Mean lung dose, Gy, from therapy and scout together."""
    require_not_negative(therapy_gbq, "activity", "GBq")
    return gy_kg_per_gbq * (therapy_gbq + inputs.scout_gbq) * inputs.lung_shunt_fraction / inputs.lung_mass_kg


def activity_gbq(inputs: ScoutInputs, treated_gy: float, gy_kg_per_gbq: float) -> float:
    """Therapeutic activity, GBq, that brings the treated volume to a mean dose in Gy with the scout's dose counted.

    Raises
    ------
    PlanInfeasible
        If the scout alone gives more.
    """
    require_not_negative(treated_gy, "dose", "Gy")
    total = treated_gy * inputs.treated_mass_kg / (gy_kg_per_gbq * (1.0 - inputs.lung_shunt_fraction))
    if total < inputs.scout_gbq:
        raise PlanInfeasible(
            f"{treated_gy:g} Gy to {inputs.treated_mass_kg:g} kg",
            f"the scout of {inputs.scout_gbq:g} GBq alone gives {dose_gy(inputs, 0.0, gy_kg_per_gbq):.2f} Gy",
            "raise the goal, or give no therapy",
        )
    return total - inputs.scout_gbq


def scout_findings(scout_gbq: Measured) -> tuple[Finding, ...]:
    """A scout outside of what is in use, or none."""
    low, high = SCOUT_RANGE_GBQ
    if scout_gbq.value == 0.0:
        message = "no scout activity is counted · after a holmium scout its dose adds to every volume · state it, or 0 after MAA"
        return (Finding("ho166_scout.none", Severity.NOTE, message, "scout", SOURCES[0]),)
    if low <= scout_gbq.value <= high:
        return ()
    message = (
        f"a scout of {scout_gbq.value * MBQ_PER_GBQ:.0f} MBq lies outside {low * MBQ_PER_GBQ:.0f} to {high * MBQ_PER_GBQ:.0f} MBq · "
        "activity at its own administration is meant, in GBq · check it"
    )
    return (Finding("ho166_scout.unusual", Severity.WARNING, message, "scout", SOURCES[0]),)


@dataclass(frozen=True)
class HolmiumScout:
    """Treated volume as one; see :class:`~opensirt.radioembolisation.dosimetry.models.protocol.ActivityModel`."""

    key: str = KEY
    name: str = NAME
    version: str = VERSION
    formula: str = FORMULA
    sources: tuple[str, ...] = SOURCES
    needs: tuple[str, ...] = ("perfused_ml", "scout_gbq")

    def missing(self, facts: InjectionFacts) -> tuple[Missing, ...]:
        """The treated volume, and a nuclide that is holmium."""
        if facts.product.nuclide.name not in PUBLISHED_CONSTANTS:
            return (Missing("product", f"{facts.product.key} carries {facts.product.nuclide.name}, the model is holmium's alone"),)
        volume = perfused_ml(facts)
        return (Missing("perfused_ml", volume.reason),) if isinstance(volume, Unknown) else ()

    def validity(self, facts: InjectionFacts) -> tuple[Finding, ...]:
        """Product, scout activity, a shunt that nobody stated."""
        found = [*product_findings(facts, self.key, ("ho166",))]
        if self.missing(facts):
            return tuple(found)
        found += scout_findings(facts.scout_gbq)
        if isinstance(facts.lung_shunt_fraction, Unknown):
            message = "no lung shunt was stated: as in the published formula all activity counts as the liver's · its dose is an upper bound, the lungs' is not known"
            found.append(Finding("ho166_scout.no_shunt", Severity.WARNING, message, "lungs", SOURCES[0]))
        return tuple(found)

    def constants(self, facts: InjectionFacts) -> tuple[Constant, ...]:
        """Dose constant, and density where the model's own stands."""
        density = () if isinstance(facts.density_g_per_ml, Measured) else (PUBLISHED_DENSITY,)
        return (facts.dose_constant(PUBLISHED_CONSTANTS).gy_kg_per_gbq, *density)

    def activity(self, facts: InjectionFacts, goal: Goal) -> Prescription | Unknown:
        """Therapeutic activity for a mean of the treated volume, scout counted."""
        if self.missing(facts):
            return silence(self.missing(facts))
        return activity_of(self._linear(facts), goal, facts.scout_gbq)

    def doses(self, facts: InjectionFacts, delivered_gbq: Measured) -> ModelDoses | Unknown:
        """Mean doses of therapy and scout together."""
        if self.missing(facts):
            return silence(self.missing(facts))
        return doses_of(self._linear(facts), delivered_gbq, facts.scout_gbq)

    def _linear(self, facts: InjectionFacts) -> Linear:
        volume = perfused_ml(facts)
        assert isinstance(volume, Measured)
        shunt = facts.lung_shunt_fraction if isinstance(facts.lung_shunt_fraction, Measured) else Measured(0.0)
        inputs = {
            "k": constant_of(facts.dose_constant(PUBLISHED_CONSTANTS)),
            "rho": facts.density(Measured(PUBLISHED_DENSITY.value, {"liver_density": PUBLISHED_DENSITY.standard_uncertainty})),
            "volume_ml": volume,
            "lung_shunt_fraction": shunt,
        }
        silent = dict.fromkeys((StructureKind.TUMOUR, StructureKind.PERFUSED_NORMAL_LIVER, StructureKind.NORMAL_LIVER), TREATED)
        gy: dict[StructureKind, PerGbq] = {
            StructureKind.TERRITORY: lambda **v: v["k"] * (1.0 - v["lung_shunt_fraction"]) * G_PER_KG / (v["rho"] * v["volume_ml"])
        }
        if isinstance(facts.lung_shunt_fraction, Unknown):
            silent[StructureKind.LUNGS] = "the lung shunt is not known"
        elif isinstance(facts.lung_mass_kg, Unknown):
            silent[StructureKind.LUNGS] = NO_LUNG_MASS
        else:
            inputs["lung_mass_kg"] = facts.lung_mass_kg
            gy[StructureKind.LUNGS] = lung_gy_per_gbq(lambda v: v["lung_shunt_fraction"])
        held: dict[str, PerGbq] = {
            "perfused": lambda **v: 1.0 - v["lung_shunt_fraction"],
            "lungs": lambda **v: v["lung_shunt_fraction"],
        }
        return Linear(self.key, inputs, gy, silent, held, {})

"""Predictive partition of one artery: tumour target first, normal liver and lungs follow from two ratios of activities.

``A_T = D_T · m_T / K``, ``A_N = A_T / R``, ``A_L = A_T · TLSF / (1 − TLSF)``, ``A = A_T + A_N + A_L`` (Kao et al. 2013, doi
10.1007/s00270-013-0783-z, rearranged). R is the ratio of *activities* A_T/A_N, and ``TLSF = A_L/(A_T + A_L)`` the shunt of tumour and lungs alone:
neither is the tumour-to-normal ratio of concentrations nor the lung shunt fraction. Where R and TLSF were not measured in the artery's
territory they follow from those: ``R = TN · m_T / m_N``, ``TLSF = L / (L + (1 − L) · s)`` with s the tumour's share of the liver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opensirt.radioembolisation.dosimetry.models.checks import require_fraction, require_not_negative, require_positive
from opensirt.radioembolisation.dosimetry.models.facts import LIVER_DENSITY, InjectionFacts, Unknown
from opensirt.radioembolisation.dosimetry.models.goals import Goal
from opensirt.radioembolisation.dosimetry.models.hepatic import inputs_of, split, stated_shunt
from opensirt.radioembolisation.dosimetry.models.linear import Linear, activity_of, doses_of, missing_of, silence
from opensirt.radioembolisation.dosimetry.models.partition import tumour_share
from opensirt.radioembolisation.dosimetry.models.protocol import Missing, ModelDoses, Prescription
from opensirt.radioembolisation.dosimetry.models.validity import shunt_findings, uptake_findings
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.provenance import Constant

KEY = "predictive-partition"
NAME = "predictive partition (Kao)"
VERSION = "1"
FORMULA = "A = A_T + A_N + A_L;  A_T = D_T · m_T / K;  A_N = A_T / R;  A_L = A_T · TLSF / (1 − TLSF)"
SOURCES = ("Kao et al. 2013, doi 10.1007/s00270-013-0783-z",)
PUBLISHED_CONSTANTS = {"Y-90": "50", "Ho-166": "15.87"}
"""Kao et al. 2013 use 50 Gy·kg/GBq; the paper knows no holmium, for which the published constant stands."""


@dataclass(frozen=True)
class PredictiveInputs:
    """Tumour and normal mass (kg), ratio of activities A_T/A_N, TLSF (0 to below 1), lung mass (kg) of one artery's territory."""

    tumour_mass_kg: float
    normal_mass_kg: float
    activity_ratio: float
    artery_shunt_fraction: float
    lung_mass_kg: float = 1.0

    def __post_init__(self) -> None:
        require_positive(self.tumour_mass_kg, "tumour mass", "kg")
        require_not_negative(self.normal_mass_kg, "normal liver mass", "kg")
        require_fraction(self.artery_shunt_fraction, "TLSF")
        require_positive(self.lung_mass_kg, "lung mass", "kg")
        if self.normal_mass_kg > 0.0:
            require_positive(self.activity_ratio, "ratio of activities", "")


@dataclass(frozen=True)
class PredictiveDoses:
    """Mean doses (Gy) and activities (GBq) of one artery's territory and the lungs."""

    tumour_gy: float
    normal_gy: float
    lung_gy: float
    tumour_gbq: float
    normal_gbq: float
    lung_gbq: float

    @property
    def delivered_gbq(self) -> float:
        """All of them together."""
        return self.tumour_gbq + self.normal_gbq + self.lung_gbq


def for_tumour_dose(inputs: PredictiveInputs, tumour_gy: float, gy_kg_per_gbq: float) -> PredictiveDoses:
    """Activities and doses for a mean tumour dose in Gy.

    Raises
    ------
    InvalidValue
        For a negative dose.
    """
    require_not_negative(tumour_gy, "tumour dose", "Gy")
    energy_j = tumour_gy * inputs.tumour_mass_kg
    normal_j = energy_j / inputs.activity_ratio if inputs.normal_mass_kg > 0.0 else 0.0
    lung_j = energy_j * inputs.artery_shunt_fraction / (1.0 - inputs.artery_shunt_fraction)
    return PredictiveDoses(
        tumour_gy=tumour_gy,
        normal_gy=normal_j / inputs.normal_mass_kg if inputs.normal_mass_kg > 0.0 else 0.0,
        lung_gy=lung_j / inputs.lung_mass_kg,
        tumour_gbq=energy_j / gy_kg_per_gbq,
        normal_gbq=normal_j / gy_kg_per_gbq,
        lung_gbq=lung_j / gy_kg_per_gbq,
    )


def for_activity(inputs: PredictiveInputs, delivered_gbq: float, gy_kg_per_gbq: float) -> PredictiveDoses:
    """Activities and doses for a delivered activity in GBq: the forward form.

    Raises
    ------
    InvalidValue
        For a negative activity.
    """
    require_not_negative(delivered_gbq, "activity", "GBq")
    one_gray = for_tumour_dose(inputs, 1.0, gy_kg_per_gbq)
    return for_tumour_dose(inputs, delivered_gbq / one_gray.delivered_gbq, gy_kg_per_gbq)


def share_from_activity_ratio(values: Mapping[str, float]) -> float:
    """Tumour's share of what reaches the liver: R/(1 + R), or from the ratio of concentrations where R was not measured."""
    if "activity_ratio" not in values:
        return tumour_share(values)
    return values["activity_ratio"] / (1.0 + values["activity_ratio"])


def shunt_from_artery(share_fraction: float, artery_shunt_fraction: float) -> float:
    """Lung shunt fraction A_L/A that belongs to a TLSF, with the tumour's share of the liver's activity.

    ``L = t·s/(1 + t·s)`` with ``t = TLSF/(1 − TLSF)``.
    """
    held = artery_shunt_fraction / (1.0 - artery_shunt_fraction) * share_fraction
    return held / (1.0 + held)


def artery_shunt_from(share_fraction: float, lung_shunt_fraction: float) -> float:
    """TLSF that belongs to a lung shunt fraction: L / (L + (1 − L) · s)."""
    return lung_shunt_fraction / (lung_shunt_fraction + (1.0 - lung_shunt_fraction) * share_fraction)


def _shunt(values: Mapping[str, float]) -> float:
    if "artery_shunt_fraction" not in values:
        return stated_shunt(values)
    return shunt_from_artery(_share(values), values["artery_shunt_fraction"])


@dataclass(frozen=True)
class PredictivePartition:
    """One artery's territory; see :class:`~opensirt.radioembolisation.dosimetry.models.protocol.ActivityModel`."""

    key: str = KEY
    name: str = NAME
    version: str = VERSION
    formula: str = FORMULA
    sources: tuple[str, ...] = SOURCES
    needs: tuple[str, ...] = ("perfused_tumour_ml", "perfused_normal_ml", "activity_ratio", "artery_shunt_fraction")

    def _names(self, facts: InjectionFacts) -> tuple[str, ...]:
        normal = facts.perfused_normal_ml
        alone = isinstance(normal, Measured) and normal.value == 0.0
        ratio = () if alone else ("activity_ratio",) if facts.knows("activity_ratio") else ("tumour_to_normal",)
        shunt = "artery_shunt_fraction" if facts.knows("artery_shunt_fraction") else "lung_shunt_fraction"
        return ("perfused_tumour_ml", "perfused_normal_ml", *ratio, shunt)

    def missing(self, facts: InjectionFacts) -> tuple[Missing, ...]:
        """Needs of which nothing is known; R and TLSF may follow from the ratio of concentrations and the lung shunt fraction."""
        tumour = facts.perfused_tumour_ml
        if isinstance(tumour, Measured) and tumour.value == 0.0:
            return (Missing("perfused_tumour_ml", "no tumour is perfused, and the model starts from the tumour's dose"),)
        return missing_of(facts, self._names(facts))

    def validity(self, facts: InjectionFacts) -> tuple[Finding, ...]:
        """Low or infinite uptake ratio; resin above a shunt of 20 %."""
        judged: tuple[Finding, ...] = ()
        if not self.missing(facts) and "activity_ratio" not in self._names(facts):
            ratio = facts.tumour_to_normal if isinstance(facts.tumour_to_normal, Measured) else Measured(1.0)
            judged = uptake_findings(ratio, facts.known("perfused_normal_ml"))
        return (*judged, *shunt_findings(facts))

    def constants(self, facts: InjectionFacts) -> tuple[Constant, ...]:
        """The dose constant."""
        return (facts.dose_constant(PUBLISHED_CONSTANTS).gy_kg_per_gbq,)

    def activity(self, facts: InjectionFacts, goal: Goal) -> Prescription | Unknown:
        """Activity of this artery for a tumour target and limits."""
        return silence(self.missing(facts)) if self.missing(facts) else activity_of(self._linear(facts), goal)

    def doses(self, facts: InjectionFacts, delivered_gbq: Measured) -> ModelDoses | Unknown:
        """Mean doses of tumour, normal liver and lungs."""
        return silence(self.missing(facts)) if self.missing(facts) else doses_of(self._linear(facts), delivered_gbq)

    def _linear(self, facts: InjectionFacts) -> Linear:
        constant = facts.dose_constant(PUBLISHED_CONSTANTS)
        inputs = inputs_of(facts, constant, facts.density(LIVER_DENSITY), self._names(facts))
        return split(self.key, inputs, _share, _shunt)


def _share(values: Mapping[str, float]) -> float:
    return 1.0 if values["perfused_normal_ml"] == 0.0 else share_from_activity_ratio(values)

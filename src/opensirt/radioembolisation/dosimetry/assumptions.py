"""What sets activity models apart: each is one general formula under its own assumptions.

The general formula takes a basis (a dose to the liver, a body surface, steps of involvement), a dose constant, a density, volumes, the aims that it
reads, how activity is shared between tumour and normal liver, what it does about lung shunt, residual and scout. A model's own assumptions give
its own answer; assumptions of two models mixed give the answers in between, and so the reasons why they differ. It is an independent second way to every
model's activity, and a test holds both together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from enum import Enum

from opensirt.radioembolisation.dosimetry.models import (
    bsa,
    bsa_modified,
    empirical,
    ho166_scout,
    mono,
    multi_compartment,
    partition,
    predictive_partition,
)
from opensirt.radioembolisation.dosimetry.models.facts import LIVER_DENSITY, InjectionFacts, Unknown
from opensirt.radioembolisation.dosimetry.models.goals import VOLUME_NAMES, DoseAim
from opensirt.radioembolisation.dosimetry.models.protocol import Prescription
from opensirt.radioembolisation.dosimetry.models.resin_shunt import reduction_factor
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import UnsupportedInput
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.units import G_PER_KG


class Basis(Enum):
    """What an activity is derived from."""

    DOSE = "a dose to a mass of liver"
    BODY_SURFACE = "body surface and tumour involvement"
    LOBE_SURFACE = "body surface and involvement of the lobe, by the lobe's share of the liver"
    INVOLVEMENT = "three steps of tumour involvement"


class Uptake(Enum):
    """How activity is shared between tumour and normal liver."""

    UNIFORM = "tumour and normal liver alike"
    CONCENTRATION = "by the tumour-to-normal ratio"
    ACTIVITY = "by the ratio of activities R"
    COUNTS = "by the counts of each compartment"


class Shunt(Enum):
    """What is done about the activity that goes to the lungs."""

    IGNORED = "not corrected"
    FRACTION = "divided by 1 − L"
    ARTERY = "added through TLSF"
    STEPS = "lowered by steps of 0.8 and 0.6"


@dataclass(frozen=True)
class Unused:
    """An assumption that a model has no use for: in a comparison the other model's stands."""


UNUSED = Unused()


@dataclass(frozen=True)
class Volumes:
    """Perfused volume, and its tumour and normal parts, mL; a part that is not known is not a number and never used."""

    perfused_ml: float
    tumour_ml: float
    normal_ml: float
    origin: str


@dataclass(frozen=True)
class Assumptions:
    """The assumptions of one model, or a mixture of two models'."""

    basis: Basis
    aims: tuple[DoseAim, ...] | Unused
    uptake: Uptake | Unused
    shunt: Shunt
    gy_kg_per_gbq: float | Unused
    density_g_per_ml: float | Unused
    volumes: Volumes | Unused
    residual_fraction: float
    scout_gbq: float | Unused


LABELS = {
    "basis": "what the activity is derived from",
    "aims": "the compartment that the goal refers to",
    "uptake": "how activity is shared between tumour and normal liver",
    "shunt": "lung shunt",
    "gy_kg_per_gbq": "dose constant",
    "density_g_per_ml": "density that turns volume into mass",
    "volumes": "the volumes",
    "residual_fraction": "residual",
    "scout_gbq": "scout dose",
}
NAMES = tuple(field.name for field in fields(Assumptions))
_NOT_KNOWN = math.nan


def describe(name: str, value: object) -> str:
    """One assumption in words."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Volumes):
        return f"{value.origin} of {value.perfused_ml:.0f} mL"
    if isinstance(value, tuple):
        return " and ".join(f"{aim.dose_gy.value:g} Gy to {VOLUME_NAMES[aim.volume]}" for aim in value) or "no further aim"
    units = {
        "gy_kg_per_gbq": "Gy·kg/GBq",
        "density_g_per_ml": "g/mL",
        "scout_gbq": "GBq of scout counted",
        "residual_fraction": "of the activity left behind",
    }
    return f"{value:g} {units[name]}"


def assumptions_of(key: str, facts: InjectionFacts, answer: Prescription) -> Assumptions:
    """The assumptions under which the general formula gives a model's answer.

    Raises
    ------
    UnsupportedInput
        For a model that is not of the catalogue.
    """
    aims = tuple(bound.aim for bound in answer.bounds)
    if key in _RULES:
        basis, shunt = _RULES[key]
        return Assumptions(basis, UNUSED, UNUSED, shunt, UNUSED, UNUSED, UNUSED, 0.0, UNUSED)
    nuclide_constants = _CONSTANTS.get(key)
    if nuclide_constants is None:
        raise UnsupportedInput(
            f"no assumptions are known of the model {key!r}", "", f"choose one of {', '.join((*_RULES, *_CONSTANTS))}"
        )
    constant = facts.dose_constant(nuclide_constants).value
    density = facts.density(_DENSITIES.get(key, LIVER_DENSITY)).value
    return Assumptions(
        Basis.DOSE,
        aims,
        _uptake(key, facts),
        _shunt(key, facts),
        constant,
        density,
        _volumes(key, facts),
        facts.residual_fraction.value if key == mono.KEY else 0.0,
        facts.scout_gbq.value if key == ho166_scout.KEY else 0.0,
    )


_RULES = {
    empirical.KEY: (Basis.INVOLVEMENT, Shunt.IGNORED),
    bsa.KEY: (Basis.BODY_SURFACE, Shunt.STEPS),
    bsa_modified.KEY: (Basis.LOBE_SURFACE, Shunt.STEPS),
}
_CONSTANTS = {
    mono.KEY: mono.PUBLISHED_CONSTANTS,
    partition.KEY: partition.PUBLISHED_CONSTANTS,
    predictive_partition.KEY: predictive_partition.PUBLISHED_CONSTANTS,
    multi_compartment.KEY: multi_compartment.PUBLISHED_CONSTANTS,
    ho166_scout.KEY: ho166_scout.PUBLISHED_CONSTANTS,
}
_DENSITIES = {
    mono.KEY: Measured(mono.PUBLISHED_DENSITY.value),
    ho166_scout.KEY: Measured(ho166_scout.PUBLISHED_DENSITY.value),
}


def _uptake(key: str, facts: InjectionFacts) -> Uptake:
    if key in (mono.KEY, ho166_scout.KEY):
        return Uptake.UNIFORM
    if key == multi_compartment.KEY:
        return Uptake.COUNTS
    stated = key == predictive_partition.KEY and facts.knows("activity_ratio")
    return Uptake.ACTIVITY if stated else Uptake.CONCENTRATION


def _shunt(key: str, facts: InjectionFacts) -> Shunt:
    if key == predictive_partition.KEY and facts.knows("artery_shunt_fraction"):
        return Shunt.ARTERY
    return Shunt.FRACTION if facts.knows("lung_shunt_fraction") else Shunt.IGNORED


def _volumes(key: str, facts: InjectionFacts) -> Volumes:
    by_counts = _compartment_volumes(facts)
    if key == multi_compartment.KEY and by_counts is not None:
        return by_counts
    if facts.knows("perfused_tumour_ml", "perfused_normal_ml"):
        tumour, normal = facts.known("perfused_tumour_ml").value, facts.known("perfused_normal_ml").value
        same = by_counts is not None and math.isclose(by_counts.tumour_ml, tumour) and math.isclose(by_counts.normal_ml, normal)
        return by_counts if same and by_counts is not None else Volumes(tumour + normal, tumour, normal, "perfused volume")
    whole = facts.known("perfused_ml").value
    if by_counts is None:
        return Volumes(whole, _NOT_KNOWN, _NOT_KNOWN, "perfused volume")
    return Volumes(whole, by_counts.tumour_ml, by_counts.normal_ml, "perfused volume")


def _compartment_volumes(facts: InjectionFacts) -> Volumes | None:
    if isinstance(facts.compartments, Unknown):
        return None
    tumour = sum(c.volume_ml.value for c in facts.compartments.values() if c.kind is StructureKind.TUMOUR)
    normal = sum(c.volume_ml.value for c in facts.compartments.values() if c.kind in multi_compartment.NORMAL_KINDS)
    return Volumes(tumour + normal, tumour, normal, "compartments")


def prescribed_gbq(assumed: Assumptions, facts: InjectionFacts) -> float:
    """Activity to dispense by the general formula, GBq; not a number, infinite or 0 where these assumptions give none."""
    shares = _shares(assumed, facts)
    if assumed.basis is Basis.DOSE:
        delivered = _for_dose(assumed, facts, shares)
    else:
        delivered = _by_rule(assumed, facts) / _kept(assumed, facts, shares)
    if assumed.shunt is Shunt.STEPS:
        factor = reduction_factor(_value(facts, "lung_shunt_fraction"))
        delivered *= factor if isinstance(factor, float) else 0.0
    return delivered / (1.0 - assumed.residual_fraction)


def _by_rule(assumed: Assumptions, facts: InjectionFacts) -> float:
    tumour, normal = facts.known("liver_tumour_ml").value, facts.known("liver_normal_ml").value
    liver = tumour + normal
    if assumed.basis is Basis.INVOLVEMENT:
        return empirical.activity_gbq(tumour / liver)
    surface = bsa.body_surface(facts).value - bsa.OFFSET.value
    if assumed.basis is Basis.BODY_SURFACE:
        return surface + tumour / liver
    lobe_tumour, lobe_normal = facts.known("perfused_tumour_ml").value, facts.known("perfused_normal_ml").value
    lobe = lobe_tumour + lobe_normal
    return (surface + lobe_tumour / lobe) * lobe / liver


def _shares(assumed: Assumptions, facts: InjectionFacts) -> tuple[float, float]:
    """Of what reaches the liver: the tumour's share and normal liver's."""
    volumes = assumed.volumes
    if isinstance(volumes, Unused) or isinstance(assumed.uptake, Unused):
        return _NOT_KNOWN, _NOT_KNOWN
    tumour, normal = volumes.tumour_ml, volumes.normal_ml
    if assumed.uptake is Uptake.COUNTS and not isinstance(facts.compartments, Unknown):
        parts = facts.compartments.values()
        total = sum(c.counts.value for c in parts)
        return (
            sum(c.counts.value for c in parts if c.kind is StructureKind.TUMOUR) / total,
            sum(c.counts.value for c in parts if c.kind in multi_compartment.NORMAL_KINDS) / total,
        )
    weight = 1.0
    if normal > 0.0 and tumour > 0.0:
        if assumed.uptake is Uptake.CONCENTRATION:
            weight = _value(facts, "tumour_to_normal")
        if assumed.uptake is Uptake.ACTIVITY:
            weight = _value(facts, "activity_ratio") * normal / tumour
    share = _over(weight * tumour, weight * tumour + normal)
    return share, 1.0 - share


def _kept(assumed: Assumptions, facts: InjectionFacts, shares: tuple[float, float]) -> float:
    if assumed.shunt is Shunt.FRACTION:
        return 1.0 - _value(facts, "lung_shunt_fraction")
    return 1.0 - _lung_fraction(assumed, facts, shares) if assumed.shunt is Shunt.ARTERY else 1.0


def _lung_fraction(assumed: Assumptions, facts: InjectionFacts, shares: tuple[float, float]) -> float:
    if assumed.shunt is Shunt.ARTERY:
        return predictive_partition.shunt_from_artery(shares[0], _value(facts, "artery_shunt_fraction"))
    return _value(facts, "lung_shunt_fraction")


def _for_dose(assumed: Assumptions, facts: InjectionFacts, shares: tuple[float, float]) -> float:
    volumes, aims, constant, density = assumed.volumes, assumed.aims, assumed.gy_kg_per_gbq, assumed.density_g_per_ml
    if isinstance(volumes, Unused) or isinstance(aims, Unused) or isinstance(constant, Unused) or isinstance(density, Unused):
        return _NOT_KNOWN
    kept = constant * _kept(assumed, facts, shares) * G_PER_KG / density
    in_parts = volumes.tumour_ml + volumes.normal_ml
    parts = in_parts if assumed.uptake is Uptake.COUNTS else volumes.perfused_ml
    held = sum(shares) if assumed.uptake is Uptake.COUNTS else 1.0

    def gy_per_gbq(volume: StructureKind) -> float:
        if volume is StructureKind.TUMOUR:
            return _over(kept * shares[0], volumes.tumour_ml)
        if volume is StructureKind.PERFUSED_NORMAL_LIVER:
            return _over(kept * shares[1], volumes.normal_ml)
        if volume is StructureKind.NORMAL_LIVER:
            return _over(kept * shares[1], _value(facts, "liver_normal_ml"))
        if volume is StructureKind.LUNGS:
            return _over(constant * _lung_fraction(assumed, facts, shares), _value(facts, "lung_mass_kg"))
        return _over(kept * held, parts)

    bounds = [_least(aim, gy_per_gbq(aim.volume)) for aim in aims]
    if any(math.isnan(bound) for bound in bounds):
        return _NOT_KNOWN
    return min(bounds) - (0.0 if isinstance(assumed.scout_gbq, Unused) else assumed.scout_gbq)


def _value(facts: InjectionFacts, name: str) -> float:
    """A quantity, or not a number where a mixture asks for what neither model needed."""
    value = getattr(facts, name)
    return value.value if isinstance(value, Measured) else _NOT_KNOWN


def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator != 0.0 else _NOT_KNOWN


def _least(aim: DoseAim, gy_per_gbq: float) -> float:
    return math.inf if gy_per_gbq == 0.0 else aim.dose_gy.value / gy_per_gbq

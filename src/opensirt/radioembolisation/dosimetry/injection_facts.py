"""From the work-up to what the activity models ask for: volumes, uptake ratio, shunt and counts of one injection, or of all as one."""

from __future__ import annotations

from dataclasses import dataclass

from opensirt.radioembolisation.dosimetry.influence import Masses, injection_share
from opensirt.radioembolisation.dosimetry.models.facts import (
    NOT_STATED,
    CompartmentFacts,
    InjectionFacts,
    Quantity,
    Unknown,
)
from opensirt.radioembolisation.workup.compartments import Compartment, CompartmentUptake
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.measured import Measured, propagate, total
from opensirt.vocabulary.products import Product

ALL_AS_ONE = ""
"""In place of a territory: all of them taken as one injection."""


@dataclass(frozen=True)
class Person:
    """What the body-surface rules ask of the patient: height (cm) and weight (kg), or why they are not known."""

    height_cm: Quantity = NOT_STATED
    weight_kg: Quantity = NOT_STATED


NOBODY_MEASURED = Person()
NO_SCOUT = Measured(0.0)


def injection_facts(
    uptake: CompartmentUptake,
    territory: str,
    *,
    product: Product,
    masses: Masses,
    residual_fraction: Measured,
    person: Person = NOBODY_MEASURED,
    scout_gbq: Measured = NO_SCOUT,
) -> InjectionFacts:
    """What is known of one injection, with the work-up's correlations kept.

    Parameters
    ----------
    uptake : CompartmentUptake
        Recovered shares and volumes.
    territory : str
        Label of the injection's territory; :data:`ALL_AS_ONE` for the treatment as one.
    product : Product
        The microspheres.
    masses : Masses
        Density inside the liver, lung mass, dose constant: one for all models.
    residual_fraction : Measured
        Share of what is dispensed that stays behind.
    person : Person
        Height and weight.
    scout_gbq : Measured
        Therapeutic scout, GBq; 0 for MAA.

    Notes
    -----
    Lungs, extrahepatic organs and liver that nothing feeds receive the same share from each position, as in planning
    (:func:`~opensirt.radioembolisation.dosimetry.influence.injection_share`).
    """
    shares = {each.key: _share(uptake, each, territory) for each in uptake.compartments if each.kind is not StructureKind.OTHER}
    fed = [each for each in uptake.compartments if each.territory and territory in (ALL_AS_ONE, each.territory)]
    tumours = [each for each in fed if each.kind is StructureKind.TUMOUR]
    normal = [each for each in fed if each.kind is StructureKind.NORMAL_LIVER]
    lungs = uptake.of_kind(StructureKind.LUNGS)
    density = masses.liver_density
    return InjectionFacts(
        product=product,
        constant=masses.constant,
        density_g_per_ml=Measured(density.value, {"liver_density": density.standard_uncertainty}),
        perfused_tumour_ml=total([each.volume_ml for each in tumours]),
        perfused_normal_ml=total([each.volume_ml for each in normal]),
        liver_tumour_ml=total([each.volume_ml for each in uptake.of_kind(StructureKind.TUMOUR)]),
        liver_normal_ml=total([each.volume_ml for each in uptake.of_kind(StructureKind.NORMAL_LIVER)]),
        tumour_to_normal=_ratio(tumours, normal),
        lung_shunt_fraction=total([shares[each.key] for each in lungs])
        if lungs
        else Unknown("no lungs were found in the scout image"),
        lung_mass_kg=masses.lung_mass_kg,
        compartments=_compartments(uptake, shares, fed),
        height_cm=person.height_cm,
        weight_kg=person.weight_kg,
        residual_fraction=residual_fraction,
        scout_gbq=scout_gbq,
    )


def _share(uptake: CompartmentUptake, compartment: Compartment, territory: str) -> Measured:
    if territory == ALL_AS_ONE:
        return compartment.share
    return injection_share(uptake, compartment, territory, lambda each: each.share)


def _ratio(tumours: list[Compartment], normal: list[Compartment]) -> Quantity:
    """Ratio of concentrations, or why there is none."""
    if not tumours or not normal:
        return Unknown(f"no {'normal liver' if tumours else 'tumour'} is perfused, so that no ratio exists")
    held = {"tumour": total([each.share for each in tumours]), "normal": total([each.share for each in normal])}
    if min(each.value for each in held.values()) <= 0.0:
        values = ", ".join(f"{name} {each.value:.4g}" for name, each in held.items())
        return Unknown(f"shares of {values}: the ratio would be zero, negative or infinite")
    volumes = {
        "tumour_ml": total([each.volume_ml for each in tumours]),
        "normal_ml": total([each.volume_ml for each in normal]),
    }
    return propagate(lambda tumour, normal, tumour_ml, normal_ml: (tumour / tumour_ml) / (normal / normal_ml), **held, **volumes)


def _compartments(
    uptake: CompartmentUptake, shares: dict[str, Measured], fed: list[Compartment]
) -> dict[str, CompartmentFacts] | Unknown:
    """Counts and volumes of what this injection reaches; a share below 0 (noise) leaves the model without counts, for that reason."""
    kinds = {StructureKind.NORMAL_LIVER: StructureKind.PERFUSED_NORMAL_LIVER}
    found = {}
    for each in uptake.compartments:
        if each.kind in (StructureKind.LUNGS, StructureKind.OTHER) or (each.territory and each not in fed):
            continue
        if each.volume_ml.value <= 0.0:
            return Unknown(f"{each.key} has a volume of {each.volume_ml.value:g} mL")
        if shares[each.key].value < 0.0:
            return Unknown(f"{each.key} holds {shares[each.key].value:.4g} of the counts, below 0 by noise")
        unfed = not each.territory and each.kind is not StructureKind.EXTRAHEPATIC
        kind = StructureKind.OTHER if unfed else kinds.get(each.kind, each.kind)
        found[each.key] = CompartmentFacts(kind, shares[each.key], each.volume_ml)
    return found

"""Dose per GBq of each injection to each structure: what planning works with, by every model, with one correlated uncertainty budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from opensirt.radioembolisation.dosimetry.models import partition
from opensirt.radioembolisation.workup.compartments import Compartment, CompartmentUptake
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.nuclides import DoseConstant
from opensirt.vocabulary.provenance import Constant
from opensirt.vocabulary.units import G_PER_KG

INFLUENCE_VERSION = "1"


@attrs.frozen(eq=False)
class Influence:
    """Mean dose (Gy) of each structure per GBq delivered at each position: ``gy_per_gbq[structure][territory]``."""

    model: str
    version: str
    gy_per_gbq: Mapping[str, Mapping[str, Measured]]

    def structures(self) -> tuple[str, ...]:
        """Structures in the order in which they were computed."""
        return tuple(self.gy_per_gbq)


@attrs.frozen(eq=False)
class Masses:
    """What turns shares into doses: density inside the liver, lung mass, dose constant."""

    liver_density: Constant
    lung_mass_kg: Measured
    constant: DoseConstant

    @property
    def gy_kg_per_gbq(self) -> Measured:
        """The dose constant with its spread."""
        return Measured(self.constant.value, {"dose_constant": self.constant.gy_kg_per_gbq.standard_uncertainty})

    @property
    def kg_per_ml(self) -> Measured:
        """Density inside the liver, kg/mL."""
        value = self.liver_density.value / G_PER_KG
        return Measured(value, {"liver_density": self.liver_density.standard_uncertainty / G_PER_KG})


def territories_of(uptake: CompartmentUptake) -> tuple[str, ...]:
    """Labels of the territories that hold counts, in order."""
    return tuple(dict.fromkeys(c.territory for c in uptake.compartments if c.territory))


def injection_share(
    uptake: CompartmentUptake, compartment: Compartment, territory: str, pick: Callable[[Compartment], Measured]
) -> Measured:
    """Share of what is injected at a position that a compartment receives.

    Lungs, extrahepatic organs and liver that no territory feeds are attributed to all positions alike; a compartment inside a territory
    receives only from its own. Sums to 1 over all compartments for each position.
    """
    if compartment.territory not in ("", territory):
        return Measured(0.0)
    own = pick(compartment)
    if compartment.territory == "":
        return own
    common = [c for c in uptake.compartments if c.territory == "" and c.kind is not StructureKind.OTHER]
    inside = [c for c in uptake.compartments if c.territory == territory]

    def function(**values: float) -> float:
        left = 1.0 - sum(values[f"common{n}"] for n in range(len(common)))
        total = sum(values[f"inside{n}"] for n in range(len(inside)))
        return values["own"] * left / total

    inputs = {f"common{n}": pick(c) for n, c in enumerate(common)} | {f"inside{n}": pick(c) for n, c in enumerate(inside)}
    return propagate(_own_inside(function, inside.index(compartment)), **inputs)


def _own_inside(function: Callable[..., float], index: int) -> Callable[..., float]:
    return lambda **values: function(own=values[f"inside{index}"], **values)


def count_partition_influence(uptake: CompartmentUptake, masses: Masses, *, recovered: bool) -> Influence:
    """Count partition per GBq, from recovered shares or from those seen in the image.

    Keys: every tumour, ``"normal_liver.<territory>"``, ``"normal_liver"`` (whole), ``"territory.<territory>"`` (perfused volume, tumours
    included), ``"lungs"``, every extrahepatic organ.
    """
    pick: Callable[[Compartment], Measured] = (lambda c: c.share) if recovered else (lambda c: c.share_seen)
    result: dict[str, dict[str, Measured]] = {}
    for compartment in uptake.compartments:
        if compartment.kind is StructureKind.OTHER:
            continue
        result[compartment.key] = {t: _dose(uptake, compartment, t, masses, pick) for t in territories_of(uptake)}
    normal = [c for c in uptake.compartments if c.kind is StructureKind.NORMAL_LIVER]
    if normal:
        result["normal_liver"] = {t: _whole(result, normal, t) for t in territories_of(uptake)}
    for perfused in territories_of(uptake):
        inside = [c for c in uptake.compartments if c.territory == perfused]
        result[f"{StructureKind.TERRITORY.value}.{perfused}"] = {t: _whole(result, inside, t) for t in territories_of(uptake)}
    name = "count partition, recovered" if recovered else "count partition"
    return Influence(name, INFLUENCE_VERSION, result)


def _dose(
    uptake: CompartmentUptake, compartment: Compartment, territory: str, masses: Masses, pick: Callable[[Compartment], Measured]
) -> Measured:
    share = injection_share(uptake, compartment, territory, pick)
    if share.value == 0.0 and not share.contributions:
        return share
    if compartment.kind is StructureKind.LUNGS:
        return propagate(lambda k, f, m: k * f / m, k=masses.gy_kg_per_gbq, f=share, m=masses.lung_mass_kg)
    return propagate(
        lambda k, f, v, rho: k * f / (v * rho), k=masses.gy_kg_per_gbq, f=share, v=compartment.volume_ml, rho=masses.kg_per_ml
    )


def _whole(result: Mapping[str, Mapping[str, Measured]], normal: list[Compartment], territory: str) -> Measured:
    """Mass-weighted mean over pieces of the liver (one density: volumes weigh)."""
    inputs: dict[str, Measured] = {}
    for n, piece in enumerate(normal):
        inputs[f"d{n}"] = result[piece.key][territory]
        inputs[f"v{n}"] = piece.volume_ml
    count = len(normal)

    def mean(**values: float) -> float:
        return sum(values[f"d{n}"] * values[f"v{n}"] for n in range(count)) / sum(values[f"v{n}"] for n in range(count))

    return propagate(mean, **inputs)


def scaled(
    influence: Influence, model: str, factors: Mapping[str, Mapping[str, float]], relative: Mapping[str, float]
) -> Influence:
    """An influence multiplied by transport factors per structure and position, with the engine's relative uncertainty per structure.

    ``factors[structure][territory]`` is the ratio of the engine's mean to local deposition on the same activity; structures without a
    factor are left out.
    """
    result: dict[str, dict[str, Measured]] = {}
    for structure, row in factors.items():
        result[structure] = {}
        for territory, factor in row.items():
            base = influence.gy_per_gbq[structure][territory]
            moved = Measured(base.value * factor, {source: u * factor for source, u in base.contributions.items()})
            result[structure][territory] = moved.with_contribution("transport", moved.value * relative.get(structure, 0.0))
    return Influence(model, INFLUENCE_VERSION, result)


def total_dose(influence: Influence, structure: str, activities_gbq: Mapping[str, float]) -> Measured:
    """Dose of a structure for activities that are decided (exact), Gy: contributions of one source add over injections."""
    value = 0.0
    contributions: dict[str, float] = {}
    for territory, activity in activities_gbq.items():
        per_gbq = influence.gy_per_gbq[structure][territory]
        value += activity * per_gbq.value
        for source, u in per_gbq.contributions.items():
            contributions[source] = contributions.get(source, 0.0) + activity * u
    return Measured(value, contributions)


def partition_influence(uptake: CompartmentUptake, masses: Masses) -> Influence:
    """Partition model per GBq: one tumour compartment and one normal compartment per territory, and the lungs.

    Every tumour of a territory gets the same dose, that of the tumour compartment; a territory without tumour or without normal liver
    is treated as the model prescribes. Shares are the recovered ones.
    """
    result: dict[str, dict[str, Measured]] = {}
    territories = territories_of(uptake)
    for territory in territories:
        inside = [c for c in uptake.compartments if c.territory == territory]
        for compartment in inside:
            result[compartment.key] = {other: Measured(0.0) for other in territories}
            group = [c for c in inside if c.kind is compartment.kind]
            result[compartment.key][territory] = _group_dose(uptake, group, territory, masses)
    for lung in uptake.of_kind(StructureKind.LUNGS):
        result[lung.key] = {t: _dose(uptake, lung, t, masses, lambda c: c.share) for t in territories}
    return Influence(partition.NAME, partition.VERSION, result)


def _group_dose(uptake: CompartmentUptake, group: list[Compartment], territory: str, masses: Masses) -> Measured:
    """Mean dose of several compartments taken as one: their activity over their mass."""
    inputs: dict[str, Measured] = {"k": masses.gy_kg_per_gbq, "rho": masses.kg_per_ml}
    for n, compartment in enumerate(group):
        inputs[f"f{n}"] = injection_share(uptake, compartment, territory, lambda c: c.share)
        inputs[f"v{n}"] = compartment.volume_ml
    count = len(group)

    def mean(**values: float) -> float:
        held = sum(values[f"f{n}"] for n in range(count))
        return values["k"] * held / (values["rho"] * sum(values[f"v{n}"] for n in range(count)))

    return propagate(mean, **inputs)

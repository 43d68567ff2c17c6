"""Transport factors of the liver's compartments, free of voxels that two tissues share.

On the working grid a voxel across a lesion's edge holds both tissues. Local deposition read there by occupancy takes activity of the lesion for
normal liver's and the other way round, so the ratio of a kernel's mean to it comes out too high for lesions and too low for normal liver.
Here compartments are sharp on a finer grid, and even inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from opensirt.radioembolisation.dosimetry._fine_liver import REACH_MM, box_of, fine_liver, fine_masks
from opensirt.radioembolisation.dosimetry.influence import Influence, territories_of
from opensirt.radioembolisation.workup.compartments import CompartmentUptake, ScoutImage
from opensirt.radioembolisation.workup.regions import layout_of
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.measured import Measured

FINE_TRANSPORT_VERSION = "1"


def liver_groups(uptake: CompartmentUptake) -> dict[str, tuple[str, ...]]:
    """Compartments that make up each structure of the liver: itself, ``"normal_liver"`` whole, ``"territory.<label>"``."""
    groups: dict[str, tuple[str, ...]] = {
        c.key: (c.key,) for c in uptake.compartments if c.kind in (StructureKind.TUMOUR, StructureKind.NORMAL_LIVER)
    }
    normal = tuple(c.key for c in uptake.of_kind(StructureKind.NORMAL_LIVER))
    if normal:
        groups["normal_liver"] = normal
    for territory in territories_of(uptake):
        groups[f"{StructureKind.TERRITORY.value}.{territory}"] = tuple(
            c.key for c in uptake.compartments if c.territory == territory
        )
    return groups


@attrs.frozen
class FineTransport:
    """What a kernel does to the means of the liver's structures, per structure and injection.

    Attributes
    ----------
    factors : mapping
        Mean by the kernel over mean if energy stayed where it is emitted; 1 where an injection emits nothing in the structure.
    crossing_gy_per_gbq : mapping
        Mean dose of structures in which an injection emits nothing, from what it emits next to them, Gy/GBq.
    """

    factors: Mapping[str, Mapping[str, float]]
    crossing_gy_per_gbq: Mapping[str, Mapping[str, float]]


def fine_transport(
    image: ScoutImage, uptake: CompartmentUptake, base: Influence, groups: Mapping[str, Sequence[str]], nuclide: str
) -> FineTransport:
    """Transport between sharp compartments of the liver.

    Parameters
    ----------
    image, uptake
        The scout image and its compartments.
    base : Influence
        Means without transport (count partition or partition on recovered counts) of every compartment.
    groups : mapping of str to sequence of str
        Structure → its compartments (:func:`liver_groups`).
    nuclide : str
        Therapeutic nuclide.
    """
    layout = layout_of(image, 20.0)
    spacing = image.counts.grid.spacing_mm
    masks = fine_masks(layout, box_of(image.liver.fraction > 0, 2.0 * REACH_MM, spacing), spacing)
    factors: dict[str, dict[str, float]] = {key: {} for key in groups}
    crossing: dict[str, dict[str, float]] = {}
    for territory in territories_of(uptake):
        means = {key: base.gy_per_gbq[key][territory] for key in masks.inside}
        fine = fine_liver(masks, means, nuclide)
        even = {key: (float(mask.sum()), means[key].value) for key, (_, mask) in masks.inside.items()}
        for structure, keys in groups.items():
            voxels = sum(even[key][0] for key in keys)
            below = sum(even[key][0] * even[key][1] for key in keys)
            factors[structure][territory] = 1.0
            if below > 0.0:
                factors[structure][territory] = fine.mean_gy(keys) * voxels / below
            elif below == 0.0:
                crossing.setdefault(structure, {})[territory] = fine.mean_gy(keys)
    return FineTransport(factors, crossing)


def fine_transport_factors(
    image: ScoutImage, uptake: CompartmentUptake, base: Influence, groups: Mapping[str, Sequence[str]], nuclide: str
) -> dict[str, dict[str, float]]:
    """The factors of :func:`fine_transport` alone."""
    return {key: dict(row) for key, row in fine_transport(image, uptake, base, groups, nuclide).factors.items()}


def with_crossing(influence: Influence, crossing_gy_per_gbq: Mapping[str, Mapping[str, float]], relative: float) -> Influence:
    """An influence with dose that crosses from neighbours where an injection emits nothing.

    Parameters
    ----------
    influence : Influence
        Values there are 0.
    crossing_gy_per_gbq : mapping
        Of :func:`fine_transport`.
    relative : float
        Relative standard uncertainty, source ``"transport"``: contours a millimetre off move what crosses a surface by about a third.
    """
    rows = {key: dict(row) for key, row in influence.gy_per_gbq.items()}
    for key, row in crossing_gy_per_gbq.items():
        for territory, dose_gy in row.items():
            if key in rows and rows[key][territory].value == 0.0:
                rows[key][territory] = rows[key][territory].with_contribution("transport", dose_gy * relative)
                rows[key][territory] = Measured(dose_gy, rows[key][territory].contributions)
    return attrs.evolve(influence, gy_per_gbq=rows)

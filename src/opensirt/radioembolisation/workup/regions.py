"""The scout image with every structure on one grid, and the regions that it is divided into."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from opensirt.imaging.recovery import Region
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import MissingInput
from opensirt.vocabulary.geometry import require_same_grid
from opensirt.vocabulary.volumes import CountsMap, DensityMap, Occupancy

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

SMALLEST_ML = 0.5
"""Smaller compartments are left out: their counts cannot be told from their neighbours'."""
UNPERFUSED = "normal_liver.unperfused"
"""Key of the normal liver that lies in no territory."""
LUNG_RIM_MM = 6.0
"""Depth of lung whose density is not read: contour error (1 mm), half a diagonal of a 4 mm voxel, resolution of the CT."""


@attrs.frozen(eq=False)
class ScoutImage:
    """The emission image and every structure, as occupancies on one grid.

    ``lungs`` is ``None``-free: an empty tuple where no lung is known. ``liver`` holds the whole liver with its tumours.
    """

    counts: CountsMap
    density: DensityMap
    liver: Occupancy
    lungs: tuple[Occupancy, ...]
    tumours: tuple[Occupancy, ...]
    territories: tuple[Occupancy, ...]
    extrahepatic: tuple[Occupancy, ...]
    body: Occupancy

    def __attrs_post_init__(self) -> None:
        grid = self.counts.grid
        require_same_grid(grid, self.density.grid, "counts and density")
        for part in (self.liver, self.body, *self.lungs, *self.tumours, *self.territories, *self.extrahepatic):
            require_same_grid(grid, part.grid, f"counts and {part.structure.key}")
        if self.liver.volume_ml < SMALLEST_ML:
            raise MissingInput("the liver is empty on the working grid", self.liver.structure.key, "check the liver contour")


@attrs.frozen(eq=False)
class Layout:
    """Occupancies of all regions in one place, before blurring."""

    keys: tuple[str, ...]
    kinds: tuple[StructureKind, ...]
    labels: tuple[str, ...]
    territories: tuple[str, ...]
    maps: tuple[Float32Array, ...]
    tests: tuple[Float32Array, ...]

    def regions(self) -> tuple[Region, ...]:
        """Each map with the weights by which its counts are read."""
        return tuple(Region(key, occupancy, test) for key, occupancy, test in zip(self.keys, self.maps, self.tests, strict=True))


def host_territory(tumour: Occupancy, territories: tuple[Occupancy, ...]) -> str:
    """Label of the territory that holds at least half of a tumour's volume; empty where none does."""
    total = float(tumour.fraction.sum(dtype=np.float64))
    for territory in territories:
        common = float(np.sum(tumour.fraction * territory.fraction, dtype=np.float64))
        if total > 0.0 and common >= 0.5 * total:
            return territory.structure.label
    return ""


def lung_test(image: ScoutImage, lung: Float32Array, margin_mm: float) -> Float32Array:
    """Lung weights without the rim beside the liver into which the liver's counts spill; the whole lung where little is left."""
    spacing = image.counts.grid.spacing_mm
    box = _box(image.liver.fraction >= 0.5, np.ceil(margin_mm / spacing).astype(int) + 1)
    core = lung.copy()
    if box is not None:  # further away no voxel lies within the margin
        near = ndimage.distance_transform_edt(image.liver.fraction[box] < 0.5, sampling=spacing) <= margin_mm
        core[box][near] = 0.0
    return core if core.sum() > 0.2 * lung.sum() else lung


def _box(inside: npt.NDArray[np.bool_], pad: npt.NDArray[np.int_]) -> tuple[slice, ...] | None:
    """Slices of the box that holds what is inside and a pad of voxels around it; ``None`` where nothing is."""
    slices = []
    for axis, room in enumerate(pad):
        along = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        if not len(along):
            return None
        slices.append(slice(max(int(along[0]) - int(room), 0), int(along[-1]) + 1 + int(room)))
    return tuple(slices)


def _density_within(lung: Float32Array, image: ScoutImage) -> Float32Array:
    """Lung density; at the rim, where voxels are half chest wall, that of the nearest voxel deeper than :data:`LUNG_RIM_MM`."""
    spacing = image.counts.grid.spacing_mm
    density = image.density.g_per_ml
    box = _box(lung > 0.0, np.ones(3, dtype=int))
    if box is None:
        return density
    # outside of the box no voxel is lung: none is deeper for it, and none is asked for
    core = ndimage.distance_transform_edt(lung[box] >= 0.99, sampling=spacing) > LUNG_RIM_MM
    if not core.any():
        return density
    rim = (lung[box] > 0.0) & ~core
    nearest = ndimage.distance_transform_edt(~core, sampling=spacing, return_distances=False, return_indices=True)
    within = density.copy()
    part = density[box]
    within[box][rim] = part[tuple(index[rim] for index in nearest)]
    return within


def lung_density(image: ScoutImage) -> float:
    """Mean density of the lungs, g/mL, rim voxels (half chest wall) replaced by the lung beside them; 0 where there is no lung.

    A contour 1 mm too wide adds 4 % of volume, but 18 % of mass where the rim is taken at its own density.
    """
    held = volume = 0.0
    for lung in image.lungs:
        free = np.minimum(lung.fraction, np.maximum(np.float32(1.0) - image.liver.fraction, 0.0))
        held += float((free * _density_within(free, image)).sum(dtype=np.float64))
        volume += float(free.sum(dtype=np.float64))
    return held / volume if volume > 0.0 else 0.0


def layout_of(image: ScoutImage, lung_margin_mm: float) -> Layout:
    """Every compartment of at least :data:`SMALLEST_ML`; unfed liver of at least 1 % of the liver."""
    voxel_ml = image.counts.grid.voxel_volume_ml
    rows = []
    for row in _rows(image, lung_margin_mm):
        least_ml = 0.01 * image.liver.volume_ml if row[0] == UNPERFUSED else SMALLEST_ML
        if float(row[4].sum(dtype=np.float64)) * voxel_ml >= least_ml:
            rows.append(row)
    return Layout(*zip(*rows, strict=True))


def layout_like(image: ScoutImage, lung_margin_mm: float, known: Layout) -> Layout:
    """The same compartments as a known layout in an image with changed contours; one that vanished keeps its known map."""
    found = {row[0]: row for row in _rows(image, lung_margin_mm) if row[5].any()}
    rows = zip(known.keys, known.kinds, known.labels, known.territories, known.maps, known.tests, strict=True)
    return Layout(*zip(*(found.get(row[0], row) for row in rows), strict=True))


def _rows(image: ScoutImage, lung_margin_mm: float) -> list[tuple[str, StructureKind, str, str, Float32Array, Float32Array]]:
    one = np.float32(1.0)
    tumours = [np.minimum(t.fraction, one) for t in image.tumours]
    tumour_sum = np.minimum(np.sum(tumours, axis=0, dtype=np.float32), one) if tumours else np.zeros_like(image.liver.fraction)
    liver = np.maximum(image.liver.fraction, tumour_sum)
    normal = np.maximum(liver - tumour_sum, 0.0)
    rows: list[tuple[str, StructureKind, str, str, Float32Array, Float32Array]] = []
    for part, occupancy in zip(image.tumours, tumours, strict=True):
        host = host_territory(part, image.territories)
        rows.append((part.structure.key, StructureKind.TUMOUR, part.structure.label, host, occupancy, occupancy))
    left = normal.copy()
    for territory in image.territories:
        held = np.minimum(territory.fraction / np.maximum(liver, np.float32(1e-3)), one)
        piece = np.minimum(normal * held, left)
        left = left - piece
        label = territory.structure.label
        rows.append((f"normal_liver.{label}", StructureKind.NORMAL_LIVER, label, label, piece, piece))
    rows.append((UNPERFUSED, StructureKind.NORMAL_LIVER, "unperfused", "", left, left))
    taken = liver.copy()
    for lung in image.lungs:
        free = np.minimum(lung.fraction, np.maximum(one - taken, 0.0))
        inner = _density_within(free, image)
        mean = float((free * inner).sum(dtype=np.float64) / max(float(free.sum(dtype=np.float64)), 1e-9))
        weighted = free * inner / np.float32(mean)
        rows.append((lung.structure.key, StructureKind.LUNGS, "", "", weighted, lung_test(image, free, lung_margin_mm)))
        taken = taken + free
    for organ in image.extrahepatic:
        free = np.minimum(organ.fraction, np.maximum(one - taken, 0.0))
        rows.append((organ.structure.key, StructureKind.EXTRAHEPATIC, organ.structure.label, "", free, free))
        taken = taken + free
    rest = np.maximum(image.body.fraction - taken, 0.0)
    rows.append(("elsewhere", StructureKind.OTHER, "", "", rest, rest))
    return rows


def contour_moved(occupancy: Float32Array, spacing: FloatArray, by_mm: float) -> Float32Array:
    """A boundary moved outward by a fraction of a voxel: ``u + δ |∇u|`` within 0 and 1, gaining surface × δ of volume.

    What full voxels cannot take is given to those at the boundary, or the contour would move by less than was asked.
    """
    slope = np.sqrt(sum((g / s) ** 2 for g, s in zip(np.gradient(occupancy), spacing, strict=True))).astype(np.float32)
    wanted = by_mm * float(slope.sum(dtype=np.float64))
    factor = by_mm
    for _ in range(3):
        grown = np.clip(occupancy + np.float32(factor) * slope, 0.0, 1.0)
        gained = float((grown - occupancy).sum(dtype=np.float64))
        factor *= wanted / gained if gained > 0.0 else 1.0
    return np.asarray(np.clip(occupancy + np.float32(factor) * slope, 0.0, 1.0), dtype=np.float32)

"""The liver on a finer grid than the working grid: sharp compartments, and the dose that each gives with even uptake.

A voxel of the working grid across an edge holds two tissues and their mean dose; the low end of a tumour's histogram lies just there (5 % of the
volume of a lesion of 30 mm lie in its outer 0.25 mm). Here the edge is the level of occupancy that holds the compartment's volume.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from opensirt.radioembolisation.dosimetry._texture import kernel_transform
from opensirt.radioembolisation.transport.spread import SOFT_TISSUE_G_PER_ML
from opensirt.radioembolisation.transport.voxel_kernel import voxel_kernel
from opensirt.radioembolisation.workup.regions import Layout
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import MissingInput
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.threads import each
from opensirt.vocabulary.units import MM3_PER_ML

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Slices = tuple[slice, slice, slice]

FINE_MM = 2.0
"""Largest spacing of the finer grid."""
REACH_MM = 12.0
"""Reach of electrons in soft tissue: activity further away gives no dose."""


def box_of(inside: BoolArray, margin_mm: float, spacing: FloatArray) -> Slices:
    """The box of a mask that is not empty, with a margin, within the array."""
    found = ndimage.find_objects(inside.astype(np.int8))[0]
    reach = np.ceil(margin_mm / spacing).astype(int)
    cut = [slice(max(0, s.start - int(r)), min(n, s.stop + int(r))) for s, r, n in zip(found, reach, inside.shape, strict=True)]
    return cut[0], cut[1], cut[2]


def kernel_fraction(nuclide: str, spacing: FloatArray) -> FloatArray:
    """Voxel kernel of soft tissue at these spacings (k, j, i), mm."""
    k, j, i = (float(s) for s in spacing)
    return voxel_kernel(nuclide, (k, j, i), density_g_per_ml=SOFT_TISSUE_G_PER_ML).fraction


def convolved(volume: Float32Array, fraction: FloatArray) -> Float32Array:
    """Linear convolution with a symmetric kernel, cut to the volume's box."""
    shape = [int(fft.next_fast_len(n + k - 1, real=True)) for n, k in zip(volume.shape, fraction.shape, strict=True)]
    spread = fft.irfftn(fft.rfftn(volume, shape) * kernel_transform(fraction, shape), shape)
    return np.asarray(spread[tuple(slice(0, n) for n in volume.shape)], dtype=np.float32)


def sharp(occupancy: Float32Array, factors: Sequence[int]) -> BoolArray:
    """A mask on the finer grid that holds an occupancy's volume: linear interpolation, cut at the level that does."""
    wanted = round(float(occupancy.sum(dtype=np.float64)) * math.prod(factors))
    level = ndimage.zoom(occupancy, tuple(factors), order=1, mode="nearest", grid_mode=True)
    if wanted == 0:
        return np.zeros(level.shape, dtype=bool)
    least = np.partition(level.ravel(), -wanted)[-wanted]
    return np.asarray((level >= least) & (level > 0))


@attrs.frozen(eq=False)
class FineLiver:
    """Dose per compartment on the finer grid.

    Attributes
    ----------
    factors : tuple of int
        Finer voxels per voxel along (k, j, i).
    spacing : ndarray, shape (3,)
        Of the finer grid, mm.
    inside : mapping of str to (box, ndarray of bool)
        Each tumour.
    gy : mapping of str to (box, ndarray)
        Dose of each compartment; boxes are in finer voxels of the emission's box.
    """

    factors: tuple[int, int, int]
    spacing: FloatArray
    inside: Mapping[str, tuple[Slices, BoolArray]]
    gy: Mapping[str, tuple[Slices, Float32Array]]

    @property
    def voxel_ml(self) -> float:
        """Volume of a finer voxel."""
        return float(self.spacing.prod()) / MM3_PER_ML

    def read(self, name: str, box: Slices) -> Float32Array:
        """Dose of a compartment in a box, zero where it gives none."""
        result = np.zeros([s.stop - s.start for s in box], dtype=np.float32)
        own, values = self.gy[name]
        common = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, own, strict=True)]
        if all(c.start < c.stop for c in common):
            here = tuple(slice(c.start - b.start, c.stop - b.start) for c, b in zip(common, box, strict=True))
            there = tuple(slice(c.start - b.start, c.stop - b.start) for c, b in zip(common, own, strict=True))
            result[here] = values[there]
        return result


def _finer(box: Slices, factors: Sequence[int]) -> Slices:
    cut = [slice(s.start * f, s.stop * f) for s, f in zip(box, factors, strict=True)]
    return cut[0], cut[1], cut[2]


def fine_liver(layout: Layout, box: Slices, spacing: FloatArray, means: Mapping[str, Measured], nuclide: str) -> FineLiver:
    """Sharp compartments of the liver and the dose each gives.

    Parameters
    ----------
    layout : Layout
        Compartments on the working grid.
    box : tuple of slice
        Part of it that holds the liver with a margin.
    spacing : ndarray, shape (3,)
        mm along (k, j, i).
    means : mapping of str to Measured
        Mean dose of every compartment, Gy: stands for its activity per volume.
    nuclide : str
        For the kernel.

    Raises
    ------
    MissingInput
        If a mean is missing.
    """
    maps = {
        key: (kind, m[box])
        for key, kind, m in zip(layout.keys, layout.kinds, layout.maps, strict=True)
        if kind in (StructureKind.TUMOUR, StructureKind.NORMAL_LIVER) and m[box].any()
    }
    missing = sorted(set(maps) - set(means))
    if missing:
        raise MissingInput(f"no mean dose of {', '.join(missing)}", f"given are {', '.join(sorted(means))}", "give every mean")
    factors = tuple(max(1, math.ceil(float(s) / FINE_MM - 1e-6)) for s in spacing)
    fine_spacing = spacing / factors
    whole = sharp(np.minimum(np.sum([m for _, m in maps.values()], axis=0), np.float32(1.0)), factors)
    left, inside, sources = whole.copy(), {}, {}
    for key, (kind, occupancy) in maps.items():
        if kind is StructureKind.TUMOUR:
            near = box_of(occupancy > 0, REACH_MM, spacing)
            place, mask = _finer(near, factors), sharp(occupancy[near], factors)
            inside[key] = (place, mask)
            left[place] &= ~mask
            sources[key] = (place, mask)
    normal = {key: m for key, (kind, m) in maps.items() if kind is StructureKind.NORMAL_LIVER}
    if normal:
        shares = [ndimage.zoom(m, factors, order=1, mode="nearest", grid_mode=True) for m in normal.values()]
        first = np.argmax(shares, axis=0)
        for n, (key, occupancy) in enumerate(normal.items()):
            place = _finer(box_of(occupancy > 0, REACH_MM, spacing), factors)
            sources[key] = (place, (left & (first == n))[place])
    kernel = kernel_fraction(nuclide, fine_spacing)
    spread = each(lambda key: convolved(sources[key][1] * np.float32(max(means[key].value, 0.0)), kernel), sources)
    gy = {key: (sources[key][0], values) for key, values in zip(sources, spread, strict=True)}
    return FineLiver((factors[0], factors[1], factors[2]), fine_spacing, inside, gy)

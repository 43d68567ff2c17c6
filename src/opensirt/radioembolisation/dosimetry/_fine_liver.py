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
class FineMasks:
    """Sharp compartments of the liver on the finer grid.

    Attributes
    ----------
    factors : tuple of int
        Finer voxels per voxel along (k, j, i).
    spacing : ndarray, shape (3,)
        Of the finer grid, mm.
    inside : mapping of str to (box, ndarray of bool)
        Each compartment, in a box (finer voxels of the box that was asked for) that reaches as far as its dose.
    """

    factors: tuple[int, int, int]
    spacing: FloatArray
    inside: Mapping[str, tuple[Slices, BoolArray]]

    @property
    def voxel_ml(self) -> float:
        """Volume of a finer voxel."""
        return float(self.spacing.prod()) / MM3_PER_ML


@attrs.frozen(eq=False)
class FineLiver:
    """Dose per compartment on the finer grid: ``gy[compartment]`` is a box and the dose in it."""

    masks: FineMasks
    gy: Mapping[str, tuple[Slices, Float32Array]]

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

    def mean_gy(self, keys: Sequence[str]) -> float:
        """Mean dose of some compartments together, from all compartments; 0 for none."""
        held = count = 0.0
        for key in keys:
            box, mask = self.masks.inside[key]
            held += math.fsum(float(self.read(name, box)[mask].sum(dtype=np.float64)) for name in self.gy)
            count += float(np.count_nonzero(mask))
        return held / count if count else 0.0


def _finer(box: Slices, factors: Sequence[int]) -> Slices:
    cut = [slice(s.start * f, s.stop * f) for s, f in zip(box, factors, strict=True)]
    return cut[0], cut[1], cut[2]


def fine_masks(layout: Layout, box: Slices, spacing: FloatArray) -> FineMasks:
    """Sharp compartments of the liver: tumours first, normal liver takes what they leave of the whole.

    Parameters
    ----------
    layout : Layout
        Compartments on the working grid.
    box : tuple of slice
        Part of it that holds the liver with a margin.
    spacing : ndarray, shape (3,)
        mm along (k, j, i).
    """
    maps = {
        key: (kind, m[box])
        for key, kind, m in zip(layout.keys, layout.kinds, layout.maps, strict=True)
        if kind in (StructureKind.TUMOUR, StructureKind.NORMAL_LIVER) and m[box].any()
    }
    factors = tuple(max(1, math.ceil(float(s) / FINE_MM - 1e-6)) for s in spacing)
    left = sharp(np.minimum(np.sum([m for _, m in maps.values()], axis=0), np.float32(1.0)), factors)
    inside = {}
    for key, (kind, occupancy) in maps.items():
        if kind is StructureKind.TUMOUR:
            near = box_of(occupancy > 0, REACH_MM, spacing)
            place, mask = _finer(near, factors), sharp(occupancy[near], factors)
            inside[key] = (place, mask)
            left[place] &= ~mask
    normal = {key: m for key, (kind, m) in maps.items() if kind is StructureKind.NORMAL_LIVER}
    shares = [ndimage.zoom(m, factors, order=1, mode="nearest", grid_mode=True) for m in normal.values()]
    for n, (key, occupancy) in enumerate(normal.items()):
        place = _finer(box_of(occupancy > 0, REACH_MM, spacing), factors)
        own = left[place].copy()
        for other, share in enumerate(shares):
            if other != n:
                own &= (shares[n][place] > share[place]) if other < n else (shares[n][place] >= share[place])
        inside[key] = (place, own)
    return FineMasks((factors[0], factors[1], factors[2]), spacing / factors, inside)


def fine_liver(masks: FineMasks, means: Mapping[str, Measured], nuclide: str) -> FineLiver:
    """The dose that each compartment gives with even uptake, by the kernel of soft tissue.

    Parameters
    ----------
    masks : FineMasks
        Sharp compartments.
    means : mapping of str to Measured
        Mean dose of every compartment if all energy stayed where it is emitted, Gy: stands for its activity per volume.
    nuclide : str
        For the kernel.

    Raises
    ------
    MissingInput
        If a mean is missing.
    """
    missing = sorted(set(masks.inside) - set(means))
    if missing:
        raise MissingInput(f"no mean dose of {', '.join(missing)}", f"given are {', '.join(sorted(means))}", "give every mean")
    kernel = kernel_fraction(nuclide, masks.spacing)
    active = [key for key in masks.inside if means[key].value > 0.0]
    spread = each(lambda key: convolved(masks.inside[key][1] * np.float32(means[key].value), kernel), active)
    return FineLiver(masks, {key: (masks.inside[key][0], values) for key, values in zip(active, spread, strict=True)})

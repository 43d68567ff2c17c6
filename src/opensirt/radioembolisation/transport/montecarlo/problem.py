"""What the stepping loop is given of a patient: the box of voxels that electrons reach, its media, and the voxels that emit."""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.radioembolisation.transport._planes import Box, support
from opensirt.radioembolisation.transport.montecarlo.media import TransportMedium
from opensirt.radioembolisation.transport.montecarlo.media_map import Float32Array, MediaMap, UInt8Array, clear_voxels
from opensirt.radioembolisation.transport.montecarlo.tables import HIGHEST_MEV, Physics, Tables, tables_for
from opensirt.radioembolisation.transport.spread import orthogonal_spacing
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.geometry import require_same_grid
from opensirt.vocabulary.volumes import ActivityMap, DensityMap

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MM_PER_CM = 10.0
LONGEST_PATH_MM = 90.0
"""Electrons are followed this far from the activity at most. What goes further, in lung thinner than 0.13 g/mL or in air, is booked as
having left."""
FASTEST_PATH_MM = 12.0
"""Range of the fastest electron of Y-90 at density 1 (11.4 mm in fat), with some room; stretched by the least density of tissue around."""
TISSUE_ABOVE_G_PER_ML = 0.1
"""Thinner voxels (air, its mixture with skin) do not stretch the box."""
VACUUM_G_PER_ML = 1e-9
"""Voxels beyond the grid, and those without mass, are followed as of this density: nothing stops there."""
LARGEST_VOXEL_MM = 22.0
"""A voxel twice the range of the fastest electron holds most of its own energy: Monte Carlo has nothing to add to local deposition."""


@attrs.frozen(eq=False)
class Problem:
    """One transport problem on a box of voxels.

    Attributes
    ----------
    box : Box
        Where it lies in the grid's indices; it may reach beyond the grid, which is vacuum.
    number, g_per_ml, clear : ndarray, shape of the box
        Medium, density, and how far around the same.
    spacing_cm : tuple of float
        Along (k, j, i).
    voxels : ndarray, shape (n, 3)
        Source voxels, indices in the box.
    share : ndarray, shape (n,)
        Share of the activity in each, summing to 1.
    media : tuple of TransportMedium
        By number.
    tables : Tables
        Of these media.
    energies_mev : ndarray
        As :class:`ElectronSpectrum` has them.
    """

    box: Box
    number: UInt8Array
    g_per_ml: Float32Array
    clear: UInt8Array
    spacing_cm: tuple[float, float, float]
    voxels: IntArray
    share: FloatArray
    media: tuple[TransportMedium, ...]
    tables: Tables
    energies_mev: FloatArray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the box."""
        k, j, i = self.number.shape
        return k, j, i

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Along (k, j, i)."""
        k, j, i = self.spacing_cm
        return k * MM_PER_CM, j * MM_PER_CM, i * MM_PER_CM

    @property
    def geometry(self) -> tuple[Any, ...]:
        """As the stepping loop takes it."""
        return self.number, self.g_per_ml, self.clear, self.spacing_cm


def cut(volume: npt.NDArray[Any], box: Box, fill_number: float) -> npt.NDArray[Any]:
    """A volume cut to a box that may reach beyond it."""
    shape = tuple(b - a for a, b in zip(box.start, box.stop, strict=True))
    here = np.full(shape, fill_number, dtype=volume.dtype)
    low = [max(a, 0) for a in box.start]
    high = [min(b, n) for b, n in zip(box.stop, volume.shape, strict=True)]
    inside = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    here[tuple(slice(a - s, b - s) for a, b, s in zip(low, high, box.start, strict=True))] = volume[inside]
    return here


def _reach_mm(around: Float32Array) -> float:
    tissue = around[around > TISSUE_ABOVE_G_PER_ML]
    least = float(tissue.min()) if tissue.size else TISSUE_ABOVE_G_PER_ML
    return min(FASTEST_PATH_MM / least, LONGEST_PATH_MM)


def _grown(box: Box, by_mm: float, spacing: tuple[float, float, float], shape: tuple[int, ...]) -> Box:
    more = [math.ceil(by_mm / s) for s in spacing]
    start = [max(a - n, 0) for a, n in zip(box.start, more, strict=True)]
    stop = [min(b + n, size) for b, n, size in zip(box.stop, more, shape, strict=True)]
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _padded(box: Box, around: Box, by_mm: float, spacing: tuple[float, float, float]) -> Box:
    """Grown so that nothing within a distance of ``around`` is left out, beyond the grid too."""
    more = [math.ceil(by_mm / s) for s in spacing]
    start = [min(a, b - n) for a, b, n in zip(box.start, around.start, more, strict=True)]
    stop = [max(a, b + n) for a, b, n in zip(box.stop, around.stop, more, strict=True)]
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def posed(
    activity: ActivityMap,
    density: DensityMap,
    media: MediaMap,
    *,
    energies_mev: FloatArray,
    physics: Physics,
    beyond_mm: float = 0.0,
) -> Problem:
    """The transport problem of an activity map.

    Parameters
    ----------
    activity, density, media
        On one orthogonal grid.
    energies_mev : ndarray
        Energies of the electrons, MeV, on even steps of the fraction emitted with less.
    physics : Physics
        Settings.
    beyond_mm : float
        The box holds all within this distance of the activity, beyond the grid too.

    Raises
    ------
    GridMismatch
        If the three lie on different grids.
    GeometryError
        If the grid's axes are sheared.
    InvalidValue
        If voxels are larger than twice the range of electrons, or energies lie beyond the tables.
    """
    require_same_grid(activity.grid, density.grid, "activity and density")
    require_same_grid(activity.grid, media.grid, "activity and the map of media")
    spacing = orthogonal_spacing(activity.grid)
    if max(spacing) > LARGEST_VOXEL_MM:
        raise InvalidValue(
            f"voxels of {np.round(spacing, 2).tolist()} mm",
            f"electrons travel 11 mm in tissue: beyond {LARGEST_VOXEL_MM:g} mm a voxel keeps what it emits",
            "use the engine 'local', or a finer grid",
        )
    if not 0.0 < float(energies_mev[-1]) <= HIGHEST_MEV:
        raise InvalidValue(
            f"electrons of up to {float(energies_mev[-1]):g} MeV", f"tables end at {HIGHEST_MEV:g} MeV", "check the spectrum"
        )
    sources = support(activity.bq_per_ml)
    widest = _grown(sources, LONGEST_PATH_MM, spacing, density.grid.shape)
    box = _grown(sources, _reach_mm(density.g_per_ml[widest.slices]), spacing, density.grid.shape)
    if beyond_mm > 0.0:
        box = _padded(box, sources, beyond_mm, spacing)
    g_per_ml = np.maximum(cut(density.g_per_ml, box, 0.0), np.float32(VACUUM_G_PER_ML))
    number = cut(media.number, box, 0)
    bq = cut(activity.bq_per_ml, box, 0.0)
    voxels = np.ascontiguousarray(np.argwhere(bq > 0.0).astype(np.int64))
    share = bq[bq > 0.0].astype(np.float64)
    k, j, i = (s / MM_PER_CM for s in spacing)
    return Problem(
        box, number, g_per_ml, clear_voxels(number, g_per_ml), (k, j, i), voxels, share / share.sum(),
        media.media, tables_for(media.media, physics), np.ascontiguousarray(energies_mev, dtype=np.float64),
    )  # fmt: skip

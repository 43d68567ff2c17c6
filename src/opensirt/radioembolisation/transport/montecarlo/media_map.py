"""Which medium fills each voxel: by contours in the liver, by density elsewhere.

CT numbers inside liver, tumours and their vessels are not trusted to name a tissue: contrast medium, lipiodol and coils are not bone.
There the medium is liver, whatever the density; density itself, and with it mass, is left as it is given.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_cdt

from opensirt.radioembolisation.transport.montecarlo.media import (
    ADIPOSE,
    AIR,
    BONE,
    LIVER,
    LUNG,
    SOFT,
    TransportMedium,
    medium_named,
)
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.geometry import Grid, require_same_grid
from opensirt.vocabulary.volumes import DensityMap, Mask

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]

BY_DENSITY: tuple[tuple[float, TransportMedium], ...] = (
    (0.02, AIR),
    (0.60, LUNG),
    (0.985, ADIPOSE),
    (1.20, SOFT),
    (np.inf, BONE),
)
"""Media outside the liver's contours, each up to a density in g/mL. 0.02: ten times air, less than half of the thinnest lung. 0.60: half-way
from inflated lung to fat. 0.985: half-way from fat (0.95) to soft tissue (1.02). 1.20: above contrast medium in a large vessel outside the
contours (300 HU) and above marrow; of what lies beyond at least a quarter is cortical bone."""
LIVER_KINDS = frozenset(
    {
        StructureKind.LIVER,
        StructureKind.NORMAL_LIVER,
        StructureKind.PERFUSED_NORMAL_LIVER,
        StructureKind.TERRITORY,
        StructureKind.TUMOUR,
        StructureKind.VESSELS,
    }
)
"""Structures that are liver tissue for an electron."""
_MOST_CLEAR = 255


def _numbers(value: npt.ArrayLike) -> UInt8Array:
    array = np.ascontiguousarray(value, dtype=np.uint8)
    array.setflags(write=False)
    return array


@attrs.frozen(eq=False)
class MediaMap:
    """The medium of every voxel.

    Attributes
    ----------
    number : ndarray of uint8
        Place of each voxel's medium in ``media``.
    media : tuple of TransportMedium
        The media that occur, in the order of :data:`BY_DENSITY` with liver last.
    grid : Grid
        Of the map.

    Raises
    ------
    InvalidValue
        If a voxel's number stands for no medium.
    """

    number: UInt8Array = attrs.field(converter=_numbers)
    media: tuple[TransportMedium, ...]
    grid: Grid

    def __attrs_post_init__(self) -> None:
        if self.number.shape != self.grid.shape:
            raise InvalidValue(
                f"a map of media has shape {self.number.shape}", f"its grid has {self.grid.shape}", "give one number a voxel"
            )
        if int(self.number.max()) >= len(self.media):
            raise InvalidValue(
                f"a map of media holds number {int(self.number.max())}", f"{len(self.media)} media are given", "number them from 0"
            )


def _require_densities(g_per_ml: Float32Array) -> None:
    bad = int(np.count_nonzero(~(g_per_ml >= 0.0)))
    if bad:
        raise InvalidValue(
            f"{bad} voxels have a density that is negative or NaN",
            "mass is density times volume, nothing is clamped",
            "repair the density map",
        )


def media_by_tissue(density: DensityMap, masks: Iterable[Mask]) -> MediaMap:
    """Media from a density map and contours.

    Parameters
    ----------
    density : DensityMap
        g/mL; names the medium outside the contours, by :data:`BY_DENSITY`.
    masks : iterable of Mask
        On the same grid. Inside those of :data:`LIVER_KINDS` the medium is liver; others change nothing.

    Raises
    ------
    GridMismatch
        If a mask lies on another grid.
    InvalidValue
        If a density is negative or NaN.
    """
    _require_densities(density.g_per_ml)
    order = tuple(medium for _, medium in BY_DENSITY)
    number = np.searchsorted([edge for edge, _ in BY_DENSITY], density.g_per_ml, side="right").astype(np.uint8)
    for mask in masks:
        require_same_grid(density.grid, mask.grid, f"density and the mask of {mask.structure.key}")
        if mask.structure.kind in LIVER_KINDS:
            number[mask.inside] = len(order)
    return _of_those_present(number, (*order, LIVER), density.grid)


def media_by_name(names: tuple[str, ...], number: npt.ArrayLike, grid: Grid) -> MediaMap:
    """Media from a map of numbers and the name of each number, as phantoms have them.

    Raises
    ------
    UnsupportedInput
        If a name is not one of :data:`TRANSPORT_MEDIA`.
    InvalidValue
        If a number has no name.
    """
    if not names:
        raise UnsupportedInput("a map of media without a medium", "", "name at least one")
    return MediaMap(number, tuple(medium_named(name) for name in names), grid)


def _of_those_present(number: UInt8Array, media: tuple[TransportMedium, ...], grid: Grid) -> MediaMap:
    present = np.flatnonzero(np.bincount(number.ravel(), minlength=len(media)))
    renumbered = np.zeros(len(media), dtype=np.uint8)
    renumbered[present] = np.arange(len(present))
    return MediaMap(renumbered[number], tuple(media[n] for n in present), grid)


def changes(number: UInt8Array, g_per_ml: Float32Array) -> npt.NDArray[np.bool_]:
    """Voxels with a neighbour (of 26) of another medium or density, and those at the grid's edge."""
    at_change = np.ones(number.shape, dtype=np.bool_)
    inner = tuple(slice(1, -1) for _ in range(3))
    same = np.ones(tuple(max(n - 2, 0) for n in number.shape), dtype=np.bool_)
    if same.size == 0:
        return at_change
    for step in np.ndindex(3, 3, 3):
        shifted = tuple(slice(s, n - 2 + s) for s, n in zip(step, number.shape, strict=True))
        same &= (number[shifted] == number[inner]) & (g_per_ml[shifted] == g_per_ml[inner])
    at_change[inner] = ~same
    return at_change


def clear_voxels(number: UInt8Array, g_per_ml: Float32Array) -> UInt8Array:
    """How many voxels around each are the same: the largest cube ``±n`` inside the grid that holds one medium and one density.

    Returns
    -------
    ndarray of uint8
        0 where a neighbour differs or the grid ends.
    """
    at_change = changes(number, g_per_ml)
    distance = distance_transform_cdt(~at_change, metric="chessboard")
    return np.asarray(np.minimum(distance, _MOST_CLEAR).astype(np.uint8))

"""Resampling that says what it conserves: totals of counts and activity, means of density and dose.

**Totals.** A source voxel is a uniform box. Each target voxel takes the integral over that box of its tent, the function of linear
interpolation. Tents sum to one everywhere, so the total is conserved; they reproduce linear functions, so centroids stay; boxes
tile, so a uniform field stays uniform. Nothing is rescaled afterwards. The share of tents beyond the edge is booked as outside.

**Means.** A target voxel is the average over its box of the source's linear interpolant, the adjoint of the above: ramps stay exact and
the volume of a mask is kept; where the source ends, a stated value takes over.

Where the axes of both grids are parallel (any order, any direction) both are products of three banded matrices and exact; otherwise
boxes are integrated by evenly spaced points (``_resample_oblique``).
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.imaging._resample_oblique import average_points, splat
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.geometry import Grid, require_same_frame
from opensirt.vocabulary.volumes import ActivityMap, CountsMap, DensityMap, DoseMap, HounsfieldMap, Mask, Occupancy

FloatArray = npt.NDArray[Any]
RESAMPLE_VERSION = "1"

PARALLEL_TOLERANCE_VOXELS = 1e-3
"""Axes count as parallel if, over the whole source grid, they drift by less than this many target voxels."""
_PIECES_PER_TARGET = 3
"""Pieces per axis and voxel length of the other grid into which a box is cut on oblique grids: a uniform field then stays uniform
within a few thousandths (tested), totals and centroids exactly."""


@attrs.frozen(eq=False)
class ResampledCounts:
    """Counts on the new grid, and the book: ``before = kept + outside``."""

    map: CountsMap
    before: float
    kept: float
    outside: float


@attrs.frozen(eq=False)
class ResampledActivity:
    """Activity on the new grid, and the book in Bq: ``before = kept + outside``."""

    map: ActivityMap
    before_bq: float
    kept_bq: float
    outside_bq: float


@attrs.frozen
class _Axes:
    """Parallel grids: target axis ``t`` runs along source axis ``source[t]``; ``index_t = step · index_s + offset``."""

    source: tuple[int, int, int]
    step: tuple[float, float, float]
    offset: tuple[float, float, float]


def _index_map(source: Grid, target: Grid) -> FloatArray:
    return np.asarray(np.linalg.inv(target.affine_mm) @ source.affine_mm)


def _parallel_axes(source: Grid, target: Grid) -> _Axes | None:
    matrix = _index_map(source, target)
    linear = matrix[:3, :3]
    order = [int(np.argmax(np.abs(linear[t]))) for t in range(3)]
    if sorted(order) != [0, 1, 2]:
        return None
    drift = np.abs(linear).copy()
    drift[np.arange(3), order] = 0.0
    if (drift * np.array(source.shape)).max() > PARALLEL_TOLERANCE_VOXELS:
        return None
    offsets = matrix[:3, 3] + [sum(linear[t, s] * (source.shape[s] - 1) / 2 for s in range(3) if s != order[t]) for t in range(3)]
    steps = [float(linear[t, order[t]]) for t in range(3)]
    return _Axes(
        (order[0], order[1], order[2]), (steps[0], steps[1], steps[2]), (float(offsets[0]), float(offsets[1]), float(offsets[2]))
    )


def _tent_integral(u: FloatArray) -> FloatArray:
    """∫ of the unit tent from −1 to u."""
    v = np.clip(u, -1.0, 1.0)
    return np.where(v < 0.0, 0.5 * (1.0 + v) ** 2, 1.0 - 0.5 * (1.0 - v) ** 2)


def _share_matrix(count: int, step: float, offset: float, target: int) -> FloatArray:
    """Share of source voxel s that target voxel n takes, shape (target, source)."""
    centre = step * np.arange(count) + offset
    half = abs(step) / 2.0
    n = np.arange(target)[:, None]
    return (_tent_integral(centre + half - n) - _tent_integral(centre - half - n)) / abs(step)


def _mean_matrix(count: int, step: float, offset: float, target: int) -> FloatArray:
    """Weight of source voxel s in the mean over target voxel n of the source's linear interpolant, shape (target, source).

    The adjoint of :func:`_share_matrix` inside; beyond the outermost centres the interpolant is constant to the edge of the source's
    box. A row sums to the fraction of the target voxel that the source covers.
    """
    centre = (np.arange(target)[:, None] - offset) / step
    half = 0.5 / abs(step)

    def up_to(u: FloatArray) -> FloatArray:
        s = np.arange(count)
        within = np.clip(u, -0.5, count - 0.5)
        whole = _tent_integral(within - s)
        whole[:, :1] = (np.clip(within, -0.5, 0.0) + 0.5) + (_tent_integral(np.maximum(within, 0.0)) - 0.5)
        last = within - (count - 1)
        whole[:, -1:] = _tent_integral(np.minimum(last, 0.0)) + np.clip(last, 0.0, 0.5) if count > 1 else within + 0.5
        return whole

    return (up_to(centre + half) - up_to(centre - half)) / (2.0 * half)


def _apply(array: npt.NDArray[np.generic], matrices: list[FloatArray], order: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """Apply one matrix per target axis, slab by slab along the source's slowest axis so that a large source is never copied whole."""
    turned = np.transpose(array, order)
    first, second, third = (matrix.astype(np.float32) for matrix in matrices)
    shape = (matrices[0].shape[0], matrices[1].shape[0], matrices[2].shape[0])
    result = np.zeros(shape, dtype=np.float64)
    slab = max(1, int(2e7 // max(1, turned.shape[1] * turned.shape[2])))
    for low in range(0, turned.shape[0], slab):
        weights = matrices[0][:, low : low + slab]
        rows = np.flatnonzero(weights.any(axis=1))
        if rows.size == 0:
            continue
        part = np.asarray(turned[low : low + slab], dtype=np.float32)
        if not part.any():
            continue
        part = np.matmul(second, np.matmul(part, third.T))
        result[rows[0] : rows[-1] + 1] += np.tensordot(weights[rows[0] : rows[-1] + 1], part, axes=(1, 0))
    return result.astype(np.float32)


def _resample_total(array: npt.NDArray[np.float32], source: Grid, target: Grid) -> npt.NDArray[np.float32]:
    axes = _parallel_axes(source, target)
    if axes is not None:
        matrices = [_share_matrix(source.shape[axes.source[t]], axes.step[t], axes.offset[t], target.shape[t]) for t in range(3)]
        return _apply_exact(array, matrices, axes.source)
    matrix = _index_map(source, target)
    offsets, widths = _box_pieces(matrix[:3, :3])
    return splat(array, matrix, offsets, widths, target.shape).astype(np.float32)


def _apply_exact(
    array: npt.NDArray[np.float32], matrices: list[FloatArray], order: tuple[int, int, int]
) -> npt.NDArray[np.float32]:
    """As :func:`_apply`, in double precision throughout: totals are compared to 1e-6."""
    turned = np.transpose(array, order).astype(np.float64)
    step = np.matmul(matrices[1], np.matmul(turned, matrices[2].T))
    return np.asarray(np.tensordot(matrices[0], step, axes=(1, 0)), dtype=np.float32)


def _box_pieces(linear: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cut a box of one grid into equal pieces: their centres (n, 3) and their extents (3,) in index units of the other grid.

    Even cuts rather than Gauss points: the pieces of neighbouring boxes form one lattice, and a uniform field stays uniform.
    """
    lengths = np.linalg.norm(linear, axis=0)
    counts = np.clip(np.ceil(_PIECES_PER_TARGET * lengths), 1, 16).astype(int)
    mesh = np.stack(np.meshgrid(*[(np.arange(n) + 0.5) / n - 0.5 for n in counts], indexing="ij"), axis=-1).reshape(-1, 3)
    widths = np.clip(np.abs(linear / counts).max(axis=1), 1e-6, 1.0)
    return mesh @ linear.T, widths


def _resample_mean(array: npt.NDArray[np.generic], source: Grid, target: Grid, outside: float) -> npt.NDArray[np.float32]:
    axes = _parallel_axes(source, target)
    if axes is not None:
        matrices = [_mean_matrix(source.shape[axes.source[t]], axes.step[t], axes.offset[t], target.shape[t]) for t in range(3)]
        mean = _apply(array, matrices, axes.source)
        covered = np.einsum("a,b,c->abc", *(matrix.sum(axis=1) for matrix in matrices)).astype(np.float32)
        if outside != 0.0:
            mean += np.float32(outside) * np.maximum(1.0 - covered, 0.0)
        return mean
    inverse = _index_map(target, source)
    offsets, _ = _box_pieces(inverse[:3, :3])
    return average_points(np.asarray(array, dtype=np.float32), inverse, offsets, target.shape, outside)


def resample_counts(counts: CountsMap, grid: Grid) -> ResampledCounts:
    """Counts on another grid, total and centroid conserved, with what fell outside.

    Parameters
    ----------
    counts : CountsMap
        Any orientation and spacing.
    grid : Grid
        Target, in the same frame of reference.

    Raises
    ------
    GridMismatch
        If the frames of reference differ.
    """
    require_same_frame(counts.grid, grid, "counts and the target grid")
    before = counts.total
    if counts.grid.is_same_as(grid):
        return ResampledCounts(counts, before, before, 0.0)
    map_ = CountsMap(_resample_total(counts.counts, counts.grid, grid), grid)
    return ResampledCounts(map_, before, map_.total, before - map_.total)


def resample_activity(activity: ActivityMap, grid: Grid) -> ResampledActivity:
    """Activity on another grid: total activity (not concentration) and centroid conserved, with what fell outside, in Bq."""
    require_same_frame(activity.grid, grid, "activity and the target grid")
    before = activity.total_bq
    if activity.grid.is_same_as(grid):
        return ResampledActivity(activity, before, before, 0.0)
    ratio = activity.grid.voxel_volume_ml / grid.voxel_volume_ml
    values = _resample_total(activity.bq_per_ml, activity.grid, grid) * np.float32(ratio)
    map_ = ActivityMap(values, grid, activity.nuclide, activity.at)
    return ResampledActivity(map_, before, map_.total_bq, before - map_.total_bq)


def resample_density(density: DensityMap, grid: Grid, outside_g_per_ml: float) -> DensityMap:
    """Density averaged over each target voxel; ``outside_g_per_ml`` where the source ends. A no-op returns its input."""
    require_same_frame(density.grid, grid, "density and the target grid")
    if density.grid.is_same_as(grid):
        return density
    return DensityMap(_resample_mean(density.g_per_ml, density.grid, grid, outside_g_per_ml), grid)


def resample_dose(dose: DoseMap, grid: Grid) -> DoseMap:
    """Dose averaged over each target voxel; 0 Gy where the source ends. A no-op returns its input."""
    require_same_frame(dose.grid, grid, "dose and the target grid")
    if dose.grid.is_same_as(grid):
        return dose
    return DoseMap(_resample_mean(dose.dose_gy, dose.grid, grid, 0.0), grid)


def occupancy(mask: Mask, grid: Grid) -> Occupancy:
    """Fraction of each target voxel that the structure fills: its volume survives any change of grid."""
    require_same_frame(mask.grid, grid, f"the mask of {mask.structure.key} and the target grid")
    if mask.grid.is_same_as(grid):
        return Occupancy(mask.inside.astype(np.float32), grid, mask.structure)
    return Occupancy(np.clip(_resample_mean(mask.inside, mask.grid, grid, 0.0), 0.0, 1.0), grid, mask.structure)


def mask_on(mask: Mask, grid: Grid) -> Mask:
    """The mask on another grid: voxels that the structure fills at least by half. A no-op returns its input."""
    if mask.grid.is_same_as(grid):
        return mask
    return Mask(occupancy(mask, grid).fraction >= 0.5, grid, mask.structure)


def hounsfield_on(ct: HounsfieldMap, grid: Grid) -> HounsfieldMap:
    """CT numbers averaged over each target voxel, −1000 HU where the CT ends; for display and for thresholds, not for density."""
    require_same_frame(ct.grid, grid, "the CT and the target grid")
    if ct.grid.is_same_as(grid):
        return ct
    return HounsfieldMap(np.rint(_resample_mean(ct.hu, ct.grid, grid, -1000.0)).astype(np.int16), grid)


def converted_mean(
    ct: HounsfieldMap, grid: Grid, table: npt.NDArray[np.float32], lowest_hu: int, outside: float
) -> npt.NDArray[np.float32]:
    """Convert each CT voxel by a table first, then average over each target voxel: the order matters where HU → density bends.

    Parameters
    ----------
    ct : HounsfieldMap
        Any grid.
    grid : Grid
        Target, in the same frame.
    table : ndarray, shape (n,), float32
        ``table[hu − lowest_hu]``; must cover every CT number of the volume.
    lowest_hu : int
        CT number of the first entry.
    outside : float
        Value where the CT ends.

    Raises
    ------
    InvalidValue
        If the table does not cover the volume's CT numbers.
    """
    low, high = int(ct.hu.min()), int(ct.hu.max())
    if low < lowest_hu or high >= lowest_hu + len(table):
        raise InvalidValue(
            f"CT numbers from {low} to {high} HU leave the table of {len(table)} entries from {lowest_hu} HU", "", "widen the table"
        )
    return _resample_mean(_Converted(ct.hu, table, lowest_hu).whole(), ct.grid, grid, outside)


@attrs.frozen(eq=False)
class _Converted:
    hu: npt.NDArray[np.int16]
    table: npt.NDArray[np.float32]
    lowest_hu: int

    def whole(self) -> npt.NDArray[np.float32]:
        return self.table[self.hu.astype(np.int32) - self.lowest_hu]

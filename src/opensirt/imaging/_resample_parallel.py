"""Resampling between grids whose axes are parallel, in any order and direction: three matrices, one per axis, with closed integrals.

The matrices are narrow bands, and a compiled loop applies them: less work than products of full matrices, and no threads of a linear
algebra library that wait for each other on a busy machine. Single-threaded, so that sums do not depend on the number of cores.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from numba import njit

from opensirt.vocabulary.geometry import Grid

FloatArray = npt.NDArray[Any]
Float32Array = npt.NDArray[np.float32]
Window = tuple[slice, slice, slice]
Values = Callable[[Window], Float32Array]
"""A volume that is made piece by piece: index window (k, j, i) → values of that window, float32."""

PARALLEL_TOLERANCE_VOXELS = 1e-3
"""Axes count as parallel if, over the whole source grid, they drift by less than this many target voxels: a tenth of the hundredth of
a voxel within which centroids are promised."""
ALIGNED_TOLERANCE_VOXELS = 1e-3
"""Voxels count as one and the same if, over the whole axis, their centres differ by less than this: then nothing is interpolated."""
_SLAB_VOXELS = 1_000_000
"""Source voxels held as float32 at a time: 4 MB, so that a CT is never copied whole."""


@attrs.frozen
class Axes:
    """Parallel grids: target axis ``t`` runs along source axis ``source[t]``; ``index_t = step[t] · index_s + offset[t]``."""

    source: tuple[int, int, int]
    step: tuple[float, float, float]
    offset: tuple[float, float, float]


def index_map(source: Grid, target: Grid) -> FloatArray:
    """Matrix from source index to target index, shape (4, 4)."""
    return np.asarray(np.linalg.inv(target.affine_mm) @ source.affine_mm)


def parallel_axes(source: Grid, target: Grid) -> Axes | None:
    """How the axes of two grids correspond; ``None`` where they are not parallel."""
    matrix = index_map(source, target)
    linear = matrix[:3, :3]
    order = [int(np.argmax(np.abs(linear[t]))) for t in range(3)]
    if sorted(order) != [0, 1, 2]:
        return None
    drift = np.abs(linear).copy()
    drift[np.arange(3), order] = 0.0
    if (drift * np.array(source.shape)).max() > PARALLEL_TOLERANCE_VOXELS:
        return None
    middle = (np.array(source.shape) - 1.0) / 2.0
    steps = np.array([linear[t, order[t]] for t in range(3)])
    offsets = linear @ middle + matrix[:3, 3] - steps * middle[order]
    return Axes(
        (order[0], order[1], order[2]),
        (float(steps[0]), float(steps[1]), float(steps[2])),
        (float(offsets[0]), float(offsets[1]), float(offsets[2])),
    )


def whole_shift(source: Grid, target: Grid) -> tuple[int, int, int] | None:
    """Target index of source voxel (0, 0, 0) where both grids are windows of one lattice, axes alike; ``None`` otherwise."""
    axes = parallel_axes(source, target)
    if axes is None or axes.source != (0, 1, 2) or min(axes.step) < 0.5 or max(axes.step) > 1.5:
        return None
    ends = np.array([axes.offset, np.array(axes.step) * (np.array(source.shape) - 1) + axes.offset - np.array(source.shape) + 1])
    nearest = np.rint(ends[0])
    if np.abs(ends - nearest).max() > ALIGNED_TOLERANCE_VOXELS:
        return None
    return int(nearest[0]), int(nearest[1]), int(nearest[2])


def _tent_integral(u: FloatArray) -> FloatArray:
    """∫ of the unit tent from −1 to u."""
    v = np.clip(u, -1.0, 1.0)
    return np.where(v < 0.0, 0.5 * (1.0 + v) ** 2, 1.0 - 0.5 * (1.0 - v) ** 2)


def _extended_tent_integral(u: FloatArray, count: int) -> FloatArray:
    """∫ of the tents of an axis of ``count`` voxels up to u, shape (m, 1) → (m, count).

    The outermost tents are constant from the outermost centres to the edge of the outermost boxes: within the axis they sum to one.
    """
    within = np.clip(u, -0.5, count - 0.5)
    if count == 1:
        return within + 0.5
    whole = _tent_integral(within - np.arange(count))
    whole[:, :1] = np.minimum(within, 0.0) + _tent_integral(np.maximum(within, 0.0))
    last = within - (count - 1)
    whole[:, -1:] = _tent_integral(np.minimum(last, 0.0)) + np.maximum(last, 0.0)
    return whole


def share_matrix(count: int, step: float, offset: float, target: int) -> FloatArray:
    """Share of source voxel s that target voxel n takes, shape (target, source).

    The integral over the source's box of the target's tents. A column sums to the part of the source's box that lies within the
    target's boxes. Where the voxels of both coincide the share is 1.
    """
    centre = step * np.arange(count) + offset
    nearest = np.rint(centre)
    if abs(abs(step) - 1.0) < 0.5 and np.abs(centre - nearest).max() <= ALIGNED_TOLERANCE_VOXELS:
        return np.asarray(nearest[None, :] == np.arange(target)[:, None], dtype=np.float64)
    half = abs(step) / 2.0
    upper = _extended_tent_integral((centre + half)[:, None], target)
    lower = _extended_tent_integral((centre - half)[:, None], target)
    shares: FloatArray = np.maximum(upper - lower, 0.0).T / abs(step)  # differences of rounding may be −1e-17
    return shares


def mean_matrix(count: int, step: float, offset: float, target: int) -> FloatArray:
    """Weight of source voxel s in the mean over target voxel n, shape (target, source): the shares with the roles exchanged.

    The mean over the target's box of the source's linear interpolant. A row sums to the part of the target's box that the source covers.
    """
    return share_matrix(target, 1.0 / step, -offset / step, count).T


def covered_fraction(count: int, step: float, offset: float, target: int) -> FloatArray:
    """Part of each source box within the target's boxes, shape (source,): by the overlap of intervals, without tents."""
    centre = step * np.arange(count) + offset
    nearest = np.rint(centre)
    if abs(abs(step) - 1.0) < 0.5 and np.abs(centre - nearest).max() <= ALIGNED_TOLERANCE_VOXELS:
        centre = nearest
    half = abs(step) / 2.0
    overlap = np.minimum(centre + half, target - 0.5) - np.maximum(centre - half, -0.5)
    inside = (centre - half >= -0.5 - 1e-12) & (centre + half <= target - 0.5 + 1e-12)
    return np.where(inside, 1.0, np.clip(overlap / (2.0 * half), 0.0, 1.0))


@attrs.frozen(eq=False)
class _Band:
    """A matrix (target, source) by columns: source voxel s goes to targets ``first[s] + n`` with ``weights[s, n]``."""

    first: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]


def _band(matrix: FloatArray) -> _Band:
    used = matrix != 0.0
    first = used.argmax(axis=0)
    last = matrix.shape[0] - 1 - used[::-1].argmax(axis=0)
    width = int(np.where(used.any(axis=0), last - first + 1, 1).max())
    first = np.minimum(first, matrix.shape[0] - width)
    weights = np.take_along_axis(matrix, first[None, :] + np.arange(width)[:, None], axis=0)
    return _Band(first.astype(np.int64), np.ascontiguousarray(weights.T))


@njit(cache=True, nogil=True)
def _contract(part, firsts, weights, out):  # type: ignore[no-untyped-def]
    """Add a slab of the source, shape (k, j, i), to ``out``, whose axes follow the source's."""
    first_k, first_j, first_i = firsts
    weights_k, weights_j, weights_i = weights
    rows = np.zeros((out.shape[1], part.shape[2]))
    plane = np.zeros((out.shape[1], out.shape[2]))
    for k in range(part.shape[0]):
        if not weights_k[k].any() or not part[k].any():
            continue
        rows[:] = 0.0
        for j in range(part.shape[1]):
            for n in range(weights_j.shape[1]):
                weight = weights_j[j, n]
                if weight != 0.0:
                    row = rows[first_j[j] + n]
                    for i in range(part.shape[2]):
                        row[i] += weight * part[k, j, i]
        plane[:] = 0.0
        for t in range(out.shape[1]):
            for i in range(part.shape[2]):
                value = rows[t, i]
                if value != 0.0:
                    for n in range(weights_i.shape[1]):
                        plane[t, first_i[i] + n] += weights_i[i, n] * value
        for n in range(weights_k.shape[1]):
            weight = weights_k[k, n]
            if weight != 0.0:
                target = out[first_k[k] + n]
                for t in range(out.shape[1]):
                    for i in range(out.shape[2]):
                        target[t, i] += weight * plane[t, i]


def _applied(values: Values, matrices: list[FloatArray], axes: Axes, source: Grid) -> npt.NDArray[np.float64]:
    """Matrices (one per target axis) applied slab by slab; the result has the target's axes."""
    along = [matrices[axes.source.index(s)] for s in range(3)]
    k, j, i = (_band(matrix) for matrix in along)
    out = np.zeros((along[0].shape[0], along[1].shape[0], along[2].shape[0]))
    slab = max(1, _SLAB_VOXELS * source.shape[0] // source.size)
    for low in range(0, source.shape[0], slab):
        window = slice(low, low + slab)
        part = np.ascontiguousarray(values((window, slice(None), slice(None))))
        _contract(part, (k.first[window], j.first, i.first), (k.weights[window], j.weights, i.weights), out)
    return np.transpose(out, axes.source)


def total_parallel(array: Float32Array, axes: Axes, source: Grid, target: Grid) -> tuple[Float32Array, float]:
    """Totals shared over the target, and the total that lies outside of it; double precision throughout."""
    per_axis = [(source.shape[axes.source[t]], axes.step[t], axes.offset[t], target.shape[t]) for t in range(3)]
    shared = _applied(lambda window: array[window], [share_matrix(*arguments) for arguments in per_axis], axes, source)
    in_k, in_j, in_i = (covered_fraction(*per_axis[axes.source.index(s)]) for s in range(3))
    lines = array.sum(axis=(1, 2), dtype=np.float64)
    rows = np.einsum("k,kji->ji", in_k, array, dtype=np.float64)
    columns = in_j @ rows
    outside = float((1.0 - in_k) @ lines) + float((1.0 - in_j) @ rows.sum(axis=1)) + float((1.0 - in_i) @ columns)
    return np.ascontiguousarray(shared, dtype=np.float32), outside


def mean_parallel(values: Values, axes: Axes, source: Grid, target: Grid, outside: float) -> Float32Array:
    """Means over the target's boxes, slab by slab."""
    matrices = [mean_matrix(source.shape[axes.source[t]], axes.step[t], axes.offset[t], target.shape[t]) for t in range(3)]
    mean = _applied(values, matrices, axes, source)
    covered = [matrix.sum(axis=1) for matrix in matrices]
    if outside != 0.0 and min(float(part.min()) for part in covered) < 1.0 - 1e-9:
        beyond = np.einsum("a,b,c->abc", *covered)
        np.subtract(1.0, beyond, out=beyond)
        np.maximum(beyond, 0.0, out=beyond)
        beyond *= outside
        mean += beyond
    return np.ascontiguousarray(mean, dtype=np.float32)

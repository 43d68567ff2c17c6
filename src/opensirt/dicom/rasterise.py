"""Closed contours in the planes of a grid → mask, by pixel centres and the even-odd rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_SNAP_DECIMALS = 6
"""Vertices are rounded to a millionth of a pixel: contours drawn through pixel centres must not fall to one side or the other by
rounding errors of the transform."""


def _edges(contours: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    starts = [np.round(contour, _SNAP_DECIMALS) for contour in contours]
    ends = [np.roll(start, -1, axis=0) for start in starts]
    return np.concatenate(starts), np.concatenate(ends)


def fill_even_odd(contours: Sequence[FloatArray], shape: tuple[int, int]) -> BoolArray:
    """Pixels whose centre lies inside an odd number of the contours.

    One rule for everything: separate contours add, a contour inside another cuts a hole (exclusive or), and the two coincident edges
    of a keyhole cancel. A centre exactly on an edge belongs to the side of growing indices, so that neighbouring contours neither share
    nor lose a pixel.

    Parameters
    ----------
    contours : sequence of ndarray, shape (n, 2)
        Vertices as (row, column) in pixel indices; closed from the last to the first.
    shape : tuple of int
        Rows and columns.

    Returns
    -------
    ndarray of bool, shape (rows, columns)
    """
    rows, columns = shape
    start, end = _edges(contours)
    up = start[:, 0] <= end[:, 0]
    low, high = np.where(up[:, None], start, end), np.where(up[:, None], end, start)
    first = np.clip(np.ceil(low[:, 0]), 0, rows).astype(np.intp)
    stop = np.clip(np.ceil(high[:, 0]), 0, rows).astype(np.intp)
    count = stop - first
    edge = np.repeat(np.arange(count.size), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    slope = (high[edge, 1] - low[edge, 1]) / (high[edge, 0] - low[edge, 0])
    crossing = low[edge, 1] + (row - low[edge, 0]) * slope
    column = np.clip(np.ceil(np.round(crossing, _SNAP_DECIMALS)), 0, columns).astype(np.intp)
    toggles = np.bincount(row * (columns + 1) + column, minlength=rows * (columns + 1)).reshape(rows, columns + 1)
    return np.asarray(np.cumsum(toggles[:, :-1], axis=1) % 2 == 1)


def planes_of(depths: Sequence[float], same: float) -> list[list[int]]:
    """Contours grouped by plane: indices of contours whose depths differ by less than ``same``, in order of depth."""
    groups: list[list[int]] = []
    last = -np.inf
    for index in np.argsort(depths, kind="stable"):
        if depths[index] - last > same:
            groups.append([])
        groups[-1].append(int(index))
        last = depths[index]
    return groups


def slices_of_planes(planes: Sequence[float], slices: int) -> tuple[list[int], list[int]]:
    """Which contour plane fills each slice.

    A plane stands for the slab that reaches half-way to its neighbours, and half the usual distance beyond the first, the last and
    every gap; a slice takes the plane whose slab holds its centre. Gaps of more than one and a half usual distances are not bridged.

    Parameters
    ----------
    planes : sequence of float
        Depth of each plane in slice indices, ascending.
    slices : int
        Number of slices.

    Returns
    -------
    chosen : list of int
        For each slice the index of its plane, −1 for none.
    gaps : list of int
        Indices of the planes after which contours are left out.
    """
    depth = np.asarray(planes, dtype=np.float64)
    steps = np.diff(depth)
    usual = max(1.0, float(np.median(steps)) if steps.size else 1.0)
    gaps = [int(k) for k in np.flatnonzero(steps > 1.5 * usual)]
    chosen = []
    for k in range(slices):
        nearest = int(np.abs(depth - k).argmin())
        offset = k - depth[nearest]
        inside = -usual / 2.0 - 1e-9 <= offset < usual / 2.0 - 1e-9
        if not inside and abs(offset) <= usual / 2.0 + 1e-9:  # exactly half-way: belongs to the slab that begins there
            inside = offset < 0.0
        chosen.append(nearest if inside or _between(depth, k, nearest, usual) else -1)
    return chosen, gaps


def _between(depth: FloatArray, k: int, nearest: int, usual: float) -> bool:
    # slices between two planes of one run are filled even where the planes stand a little wider than usual
    other = nearest + 1 if k > depth[nearest] else nearest - 1
    return 0 <= other < depth.size and abs(depth[other] - depth[nearest]) <= 1.5 * usual

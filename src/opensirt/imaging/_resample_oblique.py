"""The compiled loops of resampling between oblique grids. Single-threaded, so that sums do not depend on the number of cores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]


@njit(cache=True, nogil=True)
def _tent_integral(u):  # type: ignore[no-untyped-def]
    if u <= -1.0:
        return 0.0
    if u >= 1.0:
        return 1.0
    return 0.5 * (1.0 + u) ** 2 if u < 0.0 else 1.0 - 0.5 * (1.0 - u) ** 2


@njit(cache=True, nogil=True)
def _extended(u, n, size):  # type: ignore[no-untyped-def]
    """∫ up to u of tent n of an axis; the outermost tents are constant to the edge of the outermost boxes."""
    within = min(max(u, -0.5), size - 0.5)
    if size == 1:
        return within + 0.5
    if n == 0:
        return min(within, 0.0) + _tent_integral(max(within, 0.0))
    if n == size - 1:
        return _tent_integral(min(within - n, 0.0)) + max(within - n, 0.0)
    return _tent_integral(within - n)


@njit(cache=True, nogil=True)
def _edge_shares(centre, width, first, size, out):  # type: ignore[no-untyped-def]
    """Shares of three voxels in a piece near the edge; returns their sum, the part of the piece within the axis."""
    total = 0.0
    for d in range(3):
        n = first + d
        out[d] = 0.0
        if n >= 0 and n < size:
            out[d] = max(_extended(centre + 0.5 * width, n, size) - _extended(centre - 0.5 * width, n, size), 0.0) / width
            total += out[d]
    return total


@njit(cache=True, nogil=True)
def _shares(r, width, out):  # type: ignore[no-untyped-def]
    """Shares of the three voxels around a piece that lies r from the middle one, |r| ≤ ½, width ≤ 1: they sum to one."""
    half = 0.5 * width
    left, right = 0.0, 0.0
    if r - half >= 0.0:
        right = r
    elif r + half <= 0.0:
        left = -r
    else:
        left = (half - r) ** 2 / (2.0 * width)
        right = (half + r) ** 2 / (2.0 * width)
    out[0], out[1], out[2] = left, 1.0 - left - right, right


@njit(cache=True, nogil=True)
def _splat(voxels, values, matrix, offsets, widths, out):  # type: ignore[no-untyped-def]
    nk, nj, ni = out.shape
    sk, sj, si = np.empty(3), np.empty(3), np.empty(3)
    outside = 0.0
    for v in range(len(voxels)):
        k, j, i = voxels[v]
        pk = matrix[0, 0] * k + matrix[0, 1] * j + matrix[0, 2] * i + matrix[0, 3]
        pj = matrix[1, 0] * k + matrix[1, 1] * j + matrix[1, 2] * i + matrix[1, 3]
        pi = matrix[2, 0] * k + matrix[2, 1] * j + matrix[2, 2] * i + matrix[2, 3]
        share = values[v] / len(offsets)
        for p in range(len(offsets)):
            a, b, c = pk + offsets[p, 0], pj + offsets[p, 1], pi + offsets[p, 2]
            na, nb, nc = int(np.rint(a)), int(np.rint(b)), int(np.rint(c))
            if na >= 2 and nb >= 2 and nc >= 2 and na < nk - 2 and nb < nj - 2 and nc < ni - 2:
                _shares(a - na, widths[0], sk)
                _shares(b - nb, widths[1], sj)
                _shares(c - nc, widths[2], si)
                s0, s1, s2 = si[0], si[1], si[2]
                for da in range(3):
                    for db in range(3):
                        weight = share * sk[da] * sj[db]
                        out[na - 1 + da, nb - 1 + db, nc - 1] += weight * s0
                        out[na - 1 + da, nb - 1 + db, nc] += weight * s1
                        out[na - 1 + da, nb - 1 + db, nc + 1] += weight * s2
                continue
            inside = _edge_shares(a, widths[0], na - 1, nk, sk)
            inside *= _edge_shares(b, widths[1], nb - 1, nj, sj)
            inside *= _edge_shares(c, widths[2], nc - 1, ni, si)
            if inside < 1.0 - 1e-12:  # what rounding leaves is not outside
                outside += share * (1.0 - inside)
            if inside == 0.0:
                continue
            for da in range(3):
                for db in range(3):
                    for dc in range(3):
                        weight = sk[da] * sj[db] * si[dc]
                        if weight > 0.0:
                            out[na - 1 + da, nb - 1 + db, nc - 1 + dc] += share * weight
    return outside


def splat(
    array: Float32Array, matrix: FloatArray, offsets: FloatArray, widths: FloatArray, shape: tuple[int, int, int]
) -> tuple[FloatArray, float]:
    """Share every non-zero source voxel over the target voxels around the pieces of its box; returns the shares and what lies outside.

    Each piece is taken as a box along the target's axes, whose tent integrals are closed: three target voxels per axis, as a piece is
    no longer than one.

    Parameters
    ----------
    array : ndarray, shape (k, j, i)
        Source totals per voxel.
    matrix : ndarray, shape (4, 4)
        Source index → target index.
    offsets : ndarray, shape (n, 3)
        Centres of the pieces relative to the box's centre, in target index units.
    widths : ndarray, shape (3,)
        Extent of a piece along the target's axes, in target index units, at most 1.
    shape : tuple of int
        Target shape.
    """
    out = np.zeros(shape, dtype=np.float64)
    voxels = np.argwhere(array)
    values = array[array != 0].astype(np.float64)
    outside = _splat(voxels, values, np.ascontiguousarray(matrix), np.ascontiguousarray(offsets), widths, out)
    return out, float(outside)


@njit(cache=True, nogil=True)
def _average(array, matrix, offsets, outside, out):  # type: ignore[no-untyped-def]
    sk, sj, si = array.shape
    nk, nj, ni = out.shape
    for k in range(nk):
        for j in range(nj):
            for i in range(ni):
                pk = matrix[0, 0] * k + matrix[0, 1] * j + matrix[0, 2] * i + matrix[0, 3]
                pj = matrix[1, 0] * k + matrix[1, 1] * j + matrix[1, 2] * i + matrix[1, 3]
                pi = matrix[2, 0] * k + matrix[2, 1] * j + matrix[2, 2] * i + matrix[2, 3]
                total = 0.0
                for p in range(len(offsets)):
                    a, b, c = pk + offsets[p, 0], pj + offsets[p, 1], pi + offsets[p, 2]
                    if a < -0.5 or b < -0.5 or c < -0.5 or a > sk - 0.5 or b > sj - 0.5 or c > si - 0.5:
                        total += outside
                        continue
                    a, b, c = min(max(a, 0.0), sk - 1.0), min(max(b, 0.0), sj - 1.0), min(max(c, 0.0), si - 1.0)
                    fa, fb, fc = int(a), int(b), int(c)
                    ga, gb, gc = min(fa + 1, sk - 1), min(fb + 1, sj - 1), min(fc + 1, si - 1)
                    ua, ub, uc = a - fa, b - fb, c - fc
                    low = (array[fa, fb, fc] * (1 - uc) + array[fa, fb, gc] * uc) * (1 - ub) + (
                        array[fa, gb, fc] * (1 - uc) + array[fa, gb, gc] * uc
                    ) * ub
                    high = (array[ga, fb, fc] * (1 - uc) + array[ga, fb, gc] * uc) * (1 - ub) + (
                        array[ga, gb, fc] * (1 - uc) + array[ga, gb, gc] * uc
                    ) * ub
                    total += low * (1 - ua) + high * ua
                out[k, j, i] = total / len(offsets)


def average_points(
    array: Float32Array, matrix: FloatArray, offsets: FloatArray, shape: tuple[int, int, int], outside: float
) -> Float32Array:
    """Average of linear samples of the source over evenly spaced points of each target box.

    Parameters
    ----------
    array : ndarray, shape (k, j, i)
        Source values.
    matrix : ndarray, shape (4, 4)
        Target index → source index.
    offsets : ndarray, shape (n, 3)
        The points relative to the box's centre, in source index units.
    shape : tuple of int
        Target shape.
    outside : float
        Value of points beyond the source's boxes.
    """
    out = np.zeros(shape, dtype=np.float32)
    _average(np.ascontiguousarray(array), np.ascontiguousarray(matrix), np.ascontiguousarray(offsets), outside, out)
    return out

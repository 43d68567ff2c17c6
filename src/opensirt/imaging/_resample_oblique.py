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
def _shares(centre, width, first, out):  # type: ignore[no-untyped-def]
    for n in range(out.shape[0]):
        at = first + n
        out[n] = (_tent_integral(centre + 0.5 * width - at) - _tent_integral(centre - 0.5 * width - at)) / width


@njit(cache=True, nogil=True)
def _splat(voxels, values, matrix, offsets, widths, out):  # type: ignore[no-untyped-def]
    nk, nj, ni = out.shape
    sk, sj, si = np.empty(3), np.empty(3), np.empty(3)
    for v in range(len(voxels)):
        k, j, i = voxels[v]
        pk = matrix[0, 0] * k + matrix[0, 1] * j + matrix[0, 2] * i + matrix[0, 3]
        pj = matrix[1, 0] * k + matrix[1, 1] * j + matrix[1, 2] * i + matrix[1, 3]
        pi = matrix[2, 0] * k + matrix[2, 1] * j + matrix[2, 2] * i + matrix[2, 3]
        share = values[v] / len(offsets)
        for p in range(len(offsets)):
            a, b, c = pk + offsets[p, 0], pj + offsets[p, 1], pi + offsets[p, 2]
            fa, fb, fc = int(np.rint(a)) - 1, int(np.rint(b)) - 1, int(np.rint(c)) - 1
            _shares(a, widths[0], fa, sk)
            _shares(b, widths[1], fb, sj)
            _shares(c, widths[2], fc, si)
            for da in range(3):
                na = fa + da
                if na < 0 or na >= nk or sk[da] == 0.0:
                    continue
                for db in range(3):
                    nb = fb + db
                    if nb < 0 or nb >= nj or sj[db] == 0.0:
                        continue
                    wb = share * sk[da] * sj[db]
                    for dc in range(3):
                        nc = fc + dc
                        if nc >= 0 and nc < ni:
                            out[na, nb, nc] += wb * si[dc]


def splat(
    array: Float32Array, matrix: FloatArray, offsets: FloatArray, widths: FloatArray, shape: tuple[int, int, int]
) -> FloatArray:
    """Share every non-zero source voxel over the target voxels around the pieces of its box.

    The box is cut into equal pieces; each piece is taken as a box along the target's axes, whose tent integrals are closed: three
    target voxels per axis as long as a piece is no longer than one.

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
    _splat(voxels, array[array != 0].astype(np.float64), np.ascontiguousarray(matrix), np.ascontiguousarray(offsets), widths, out)
    return out


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

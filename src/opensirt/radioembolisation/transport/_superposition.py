"""Superposition of voxel kernels by the mean density between source and target: the compiled inner loop.

One file holds it all, because the cache of compiled code watches only the file of the compiled function.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

LANES = 16
"""Neighbouring sources along i that are treated together, so that the processor works on whole vectors."""
_NOTHING = np.float32(0.0)
_HALF = np.float32(0.5)
_DEAD = np.float32(1e6)
_FAST = {"nnan", "ninf", "nsz", "arcp", "contract"}
"""Freedom of the compiler that cannot change which numbers are NaN or infinite, there being none."""


@njit(nogil=True, cache=True, inline="always")
def _load(activity: Any, first: int, last: int, source: Any) -> bool:
    """Copy the sources of one block; whether there is any."""
    found = False
    for lane in range(LANES):
        source[lane] = activity[first + lane] if first + lane < last else _NOTHING
        found = found or source[lane] > _NOTHING
    return found


@njit(nogil=True, cache=True, inline="always", fastmath=_FAST)
def _follow(shell: int, line: Any, weight: Any, before: Any, summed: Any, mean: Any) -> Any:
    """Mean density up to one offset for every lane, from its parents' sums; returns the least of them."""
    if shell == 0:
        for lane in range(LANES):
            mean[lane] = line[lane]
            summed[lane] = _HALF * line[lane]
    else:
        per_shell = np.float32(1.0) / np.float32(shell)
        first, second, third, fourth = before
        for lane in range(LANES):
            path = weight[0] * first[lane] + weight[1] * second[lane] + weight[2] * third[lane] + weight[3] * fourth[lane]
            mean[lane] = (path + _HALF * line[lane]) * per_shell
            summed[lane] = path + line[lane]
    least = mean[0]
    for lane in range(1, LANES):
        least = min(least, mean[lane])
    return least


@njit(nogil=True, cache=True, inline="always", fastmath=_FAST)
def _give(fractions: Any, axis: Any, mean: Any, source: Any, target: Any) -> None:
    """Add what every lane's source gives to the voxel at one offset."""
    half, lowest, per_unit = axis
    top = np.float32(len(fractions) - 1.001)
    for lane in range(LANES):
        place = max(_NOTHING, min(top, (mean[lane] / (mean[lane] + half) - lowest) * per_unit))
        node = np.uint32(place)
        low = fractions[node]
        target[lane] += source[lane] * (low + (place - np.float32(node)) * (fractions[node + np.uint32(1)] - low))


@njit(nogil=True, cache=True, fastmath=_FAST)
def scatter(where: Any, activity: Any, density: Any, pairs: Any, table: Any, reaches: Any, dose: Any) -> None:
    """Add to ``dose`` what the sources in some rows give to every voxel around them.

    Offsets are sorted into shells (largest index difference 1, 2, 3 …). The density summed from the source to an offset, in steps of
    one shell, follows from that of its parents, the up to four offsets around the point one shell nearer on the straight line:
    ``sum = Σ weight · sum_p + density``, counting half of the source itself; ``mean = (sum − density / 2) / shell``. An offset is dead
    when it lies beyond the electrons' reach; what has only dead parents is dead too, and a source is done with the first shell that is
    dead as a whole.

    Parameters
    ----------
    where : tuple
        ``(rows, first, last)``: (k, j) of rows of sources, shape (n, 2), and their first and last + 1 column, in the padded volume.
        The padding along i is at least ``LANES`` wider than any offset.
    activity, density, dose : ndarray, single precision
        Padded volumes of one shape. ``density`` is that along paths.
    pairs : tuple
        ``(offsets, row, parents, weights, shells, nearest)``: offsets (n, 3), the first being the source, and their rows of the table;
        four parents (n, 4) and their weights; first offset of every shell and the end; least distance between the voxels in mm.
    table : tuple
        ``(fractions, axis)``: energy fraction over mean density, shape (rows, nodes), on even steps of ``x = ρ / (ρ + half)`` with
        ``axis = (half, lowest x, steps per unit of x)``.
    reaches : tuple
        ``(thin, thin reach, reach)``: reaches of electrons in mm·g/mL below and above the mean density ``thin``.
    """
    rows, first_column, last_column = where
    offsets, table_row, parents, weights, shells, nearest = pairs
    fractions, axis = table
    thin, thin_reach, reach = reaches
    summed = np.empty((len(offsets), LANES), np.float32)
    alive = np.empty(len(offsets), np.bool_)
    mean = np.empty(LANES, np.float32)
    source = np.empty(LANES, np.float32)
    for r in range(len(rows)):
        k, j = rows[r, 0], rows[r, 1]
        for first in range(first_column, last_column, LANES):
            if not _load(activity[k, j], first, last_column, source):
                continue
            for shell in range(len(shells) - 1):
                any_alive = False
                for s in range(shells[shell], shells[shell + 1]):
                    p = parents[s]
                    if shell > 0 and not (alive[p[0]] or alive[p[1]] or alive[p[2]] or alive[p[3]]):
                        alive[s] = False
                        summed[s] = _DEAD
                        continue
                    kk, jj, start = k + offsets[s, 0], j + offsets[s, 1], first + offsets[s, 2]
                    line = density[kk, jj, start : start + LANES]
                    least = _follow(
                        shell, line, weights[s], (summed[p[0]], summed[p[1]], summed[p[2]], summed[p[3]]), summed[s], mean
                    )
                    alive[s] = least * nearest[s] < (thin_reach if least < thin else reach)
                    if alive[s]:
                        any_alive = True
                        _give(fractions[table_row[s]], axis, mean, source, dose[kk, jj, start : start + LANES])
                if not any_alive:
                    break

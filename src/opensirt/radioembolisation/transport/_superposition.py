"""Superposition of voxel kernels by the mean density between source and target: the compiled inner loop.

One file holds it all, because the cache of compiled code watches only the file of the compiled function.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

LANES = 32
"""Neighbouring sources along i that are treated together, so that the processor works on whole vectors."""
_NOTHING = np.float32(0.0)
_HALF = np.float32(0.5)
_DEAD = np.float32(1e6)
_FAST = {"nnan", "ninf", "nsz", "arcp", "contract"}
"""Freedom of the compiler that cannot change which numbers are NaN or infinite, there being none."""


@njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def scatter(  # noqa: PLR0915  one loop nest: the compiler makes half the speed of it when it is cut into functions
    where: Any, activity: Any, density: Any, pairs: Any, table: Any, reaches: Any, dose: Any
) -> None:
    """Add to ``dose`` what the sources in some rows give to every voxel around them.

    Offsets are sorted into shells (largest index difference 1, 2, 3 …). The density summed from the source to an offset, in steps of
    one shell, follows from that of its parents, the up to four offsets around the point one shell nearer on the straight line:
    ``sum = Σ weight · sum_p + density``, counting half of the source itself; ``mean = (sum − density / 2) / shell``. An offset is dead
    when it lies beyond the electrons' reach; what has only dead parents is dead too, and a source is done with the first shell that is
    dead as a whole.

    Parameters
    ----------
    where : tuple
        ``(rows, first, last, room)``: (k, j) of rows of sources, shape (n, 2), and their first and last + 1 column, in the padded
        volume, whose padding along i is at least ``LANES`` wider than any offset; working room of ``LANES`` values. (That its length
        is not known to the compiler is what makes it use vectors.)
    activity, density, dose : ndarray, single precision
        Padded volumes of one shape. ``density`` is that along paths.
    pairs : tuple
        ``(offsets, row, parents, weights, shells, nearest)``: offsets (n, 3), the first being the source, and their rows of the table;
        four parents (n, 4) and their weights; first offset of every shell and the end; least distance between the voxels in mm.
    table : tuple
        ``(fractions, half, nodes)``: energy fraction over mean density, shape (rows, nodes + 2), on even steps of
        ``x = ρ / (ρ + half)`` from 0 to 1, and one node more.
    reaches : tuple
        ``(thin, thin reach, reach)``: reaches of electrons in mm·g/mL below and above the mean density ``thin``.
    """
    rows, first_column, last_column, lane_source = where
    offsets, table_row, parents, weights, shells, nearest = pairs
    fractions, half, nodes = table
    thin, thin_reach, reach = reaches
    lanes = len(lane_source)
    summed = np.empty((len(offsets), lanes), np.float32)
    alive = np.empty(len(offsets), np.bool_)
    path, mean, share = np.empty(lanes, np.float32), np.empty(lanes, np.float32), np.empty(lanes, np.float32)
    node = np.empty(lanes, np.int32)
    for r in range(len(rows)):
        k, j = rows[r, 0], rows[r, 1]
        for first in range(first_column, last_column, lanes):
            any_source = False
            for lane in range(lanes):
                lane_source[lane] = activity[k, j, first + lane] if first + lane < last_column else _NOTHING
                any_source = any_source or lane_source[lane] > _NOTHING
            if not any_source:
                continue
            for shell in range(len(shells) - 1):
                any_alive = False
                per_shell = np.float32(1.0) / np.float32(max(shell, 1))
                for s in range(shells[shell], shells[shell + 1]):
                    p0, p1, p2, p3 = parents[s, 0], parents[s, 1], parents[s, 2], parents[s, 3]
                    if shell > 0 and not (alive[p0] or alive[p1] or alive[p2] or alive[p3]):
                        alive[s] = False
                        summed[s] = _DEAD
                        continue
                    kk, jj, start = k + offsets[s, 0], j + offsets[s, 1], first + offsets[s, 2]
                    line = density[kk, jj, start : start + lanes]
                    here = summed[s]
                    if shell == 0:
                        mean[:] = line
                        here[:] = line * _HALF
                    else:
                        w0, w1, w2, w3 = weights[s, 0], weights[s, 1], weights[s, 2], weights[s, 3]
                        for lane in range(lanes):
                            path[lane] = (
                                w0 * summed[p0, lane] + w1 * summed[p1, lane] + w2 * summed[p2, lane] + w3 * summed[p3, lane]
                            )
                        for lane in range(lanes):
                            mean[lane] = (path[lane] + _HALF * line[lane]) * per_shell
                        for lane in range(lanes):
                            here[lane] = path[lane] + line[lane]
                    least = mean[0]
                    for lane in range(1, lanes):
                        least = min(least, mean[lane])
                    alive[s] = least * nearest[s] < (thin_reach if least < thin else reach)
                    if not alive[s]:
                        continue
                    any_alive = True
                    for lane in range(lanes):
                        place = mean[lane] / (mean[lane] + half) * nodes
                        node[lane] = np.int32(place)
                        share[lane] = place - np.float32(np.int32(place))
                    row = fractions[table_row[s]]
                    target = dose[kk, jj, start : start + lanes]
                    for lane in range(lanes):
                        low = row[np.uint64(node[lane])]
                        high = row[np.uint64(node[lane]) + np.uint64(1)]
                        target[lane] += lane_source[lane] * (low + share[lane] * (high - low))
                if not any_alive:
                    break

"""What kernels share: the reference medium, the shape of a grid, and the photon tail carried on a coarse grid.

Beyond the reach of electrons only photons deposit energy: 0.4 % of what Y-90 emits and 4 % of Ho-166, spread over decimetres. A
coarse grid carries them: activity is shared over its nodes by tents (which keeps totals and centroids), convolved with the photon
tail, and read back between the nodes linearly.
"""

from __future__ import annotations

import math

import attrs
import numpy as np
import numpy.typing as npt
from scipy import fft

from opensirt.radioembolisation.transport._planes import Box
from opensirt.radioembolisation.transport.voxel_kernel import Spacing, cached_photon_kernel
from opensirt.vocabulary.errors import GeometryError
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.threads import on_threads, threads

Float32Array = npt.NDArray[np.float32]

SOFT_TISSUE_G_PER_ML = 1.04
"""Density of the homogeneous soft tissue of the kernel engine (Lanconelli et al. 2012 and the reference S values use the same)."""
_COARSE_MM = 12.0
"""Target spacing of the coarse grid: the electrons' reach in soft tissue, beyond which dose varies over centimetres."""
_SHEAR_TOLERANCE = 1e-3


def orthogonal_spacing(grid: Grid) -> Spacing:
    """The spacings of a grid with orthogonal axes, (k, j, i), mm.

    Raises
    ------
    GeometryError
        If the axes are sheared: a voxel kernel is made for boxes.
    """
    gram = grid.directions.T @ grid.directions
    if np.abs(gram - np.eye(3)).max() > _SHEAR_TOLERANCE:
        raise GeometryError(
            f"the grid's axes are not orthogonal: {np.round(gram, 4).tolist()}", "", "resample onto an orthogonal grid first"
        )
    k, j, i = (float(s) for s in grid.spacing_mm)
    return k, j, i


def _nodes(size: int, factor: int) -> int:
    """Nodes at 0, factor, 2·factor … that enclose the indices 0 … size − 1."""
    return (size - 1) // factor + 2


def _shared(values: npt.NDArray[np.floating], axis: int, factor: int) -> npt.NDArray[np.floating]:
    """Share values along one axis between the two nodes on either side, by their distances."""
    along = np.moveaxis(values, axis, 0)
    nodes = np.zeros((_nodes(along.shape[0], factor), *along.shape[1:]), dtype=values.dtype)
    for phase in range(factor):
        part = along[phase::factor]
        nodes[: len(part)] += part * values.dtype.type(1.0 - phase / factor)
        if phase:
            nodes[1 : len(part) + 1] += part * values.dtype.type(phase / factor)
    return np.asarray(np.moveaxis(nodes, 0, axis))


def _between(nodes: Float32Array, factor: int, size: int) -> Float32Array:
    """Read linearly between nodes along the last axis."""
    phases = np.arange(factor, dtype=np.float32) / np.float32(factor)
    fine = np.multiply(np.diff(nodes, axis=-1)[..., None], phases)
    fine += nodes[..., :-1, None]
    return np.asarray(fine.reshape(*nodes.shape[:-1], -1)[..., :size])


@attrs.frozen(eq=False)
class PhotonTail:
    """Energy that photons carry beyond the electrons' reach, read plane by plane.

    Attributes
    ----------
    nodes : ndarray, shape (nodes along k, nj, ni)
        Values on every ``factor``-th plane, in Bq/mL equivalents.
    factor : int
        Planes of the fine grid from node to node.
    """

    nodes: Float32Array
    factor: int

    def plane(self, k: int) -> Float32Array:
        """Plane ``k`` of the fine grid, shape (nj, ni), the caller's to change."""
        node, phase = divmod(k, self.factor)
        upper = np.float32(phase / self.factor)
        fine = self.nodes[node] * (np.float32(1.0) - upper)
        if phase:
            fine += self.nodes[node + 1] * upper
        return np.asarray(fine)


def photon_tail(bq_per_ml: Float32Array, grid: Grid, nuclide: str, *, density_g_per_ml: float, box: Box) -> PhotonTail:
    """The photon tail of an activity map in a homogeneous medium of soft tissue composition.

    Parameters
    ----------
    bq_per_ml : ndarray, shape ``grid.shape``
        Activity concentration, not negative.
    grid : Grid
        With orthogonal axes.
    nuclide : str
        For the kernel's shape.
    density_g_per_ml : float
        Of the medium, all space.
    box : Box
        Holds all activity.

    Raises
    ------
    GeometryError
        If the axes are sheared.
    """
    spacing = orthogonal_spacing(grid)
    factors = [max(1, round(_COARSE_MM / s)) for s in spacing]
    start = [a // f * f for a, f in zip(box.start, factors, strict=True)]
    part = bq_per_ml[tuple(slice(a, b) for a, b in zip(start, box.stop, strict=True))]
    rows = np.zeros((part.shape[0], _nodes(part.shape[1], factors[1]), part.shape[2]), dtype=np.float32)

    def gather(k: int) -> None:
        rows[k] = _shared(part[k], 0, factors[1])

    on_threads(gather, range(part.shape[0]))
    shared = _shared(_shared(rows, 0, factors[0]), 2, factors[2])
    sums = np.zeros([_nodes(n, f) for n, f in zip(grid.shape, factors, strict=True)], dtype=np.float32)
    sums[tuple(slice(a // f, a // f + n) for a, f, n in zip(start, factors, shared.shape, strict=True))] = shared
    coarse = tuple(s * f for s, f in zip(spacing, factors, strict=True))
    offsets = tuple(n - 1 for n in sums.shape)
    kernel = cached_photon_kernel(
        nuclide, "soft", density_g_per_ml, (coarse[0], coarse[1], coarse[2]), (offsets[0], offsets[1], offsets[2])
    )
    size = tuple(int(fft.next_fast_len(2 * n - 1, real=True)) for n in sums.shape)  # what wraps round is not kept
    workers = threads()
    tail = fft.rfftn(kernel.fraction.astype(np.float32), size, workers=workers)
    spread = fft.irfftn(fft.rfftn(sums, size, workers=workers) * tail, size, workers=workers)
    kept = spread[tuple(slice(n, n + m) for n, m in zip(offsets, sums.shape, strict=True))]
    coarse_nodes = np.maximum(kept, np.float32(0.0)) / np.float32(math.prod(factors))
    nodes = np.empty((sums.shape[0], *grid.shape[1:]), dtype=np.float32)

    def read(node: int) -> None:
        rows_read = _between(np.ascontiguousarray(coarse_nodes[node].T), factors[1], grid.shape[1])
        nodes[node] = _between(np.ascontiguousarray(rows_read.T), factors[2], grid.shape[2])

    on_threads(read, range(sums.shape[0]))
    return PhotonTail(nodes, factors[0])

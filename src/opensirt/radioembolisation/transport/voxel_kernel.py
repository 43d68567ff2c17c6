"""Voxel kernels: the fraction of the emitted energy that each voxel receives from uniform activity in the central voxel.

The displacement between a uniform point of one box and a uniform point of another has a density that is the product of three
triangles (tents). Hence the fraction for the voxel at offset ``(k, j, i)`` is ``∫ κ(|d|) · Π tent(d_a / s_a − offset_a) d³d``, with
``κ(r) = f(r) / 4πr²`` the point kernel per volume and ``s`` the spacings. The integral is taken cell by cell of the octant of
non-negative displacements, where every factor but the cell at the origin is smooth, by Gauss–Legendre quadrature; the origin's cell,
where ``κ`` grows without bound, is taken in spherical coordinates, shell by shell.
"""

from __future__ import annotations

import math
from functools import lru_cache

import attrs
import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from opensirt.radioembolisation.transport.point_kernels import ELECTRON_REACH_MM, PointKernel, point_kernel
from opensirt.vocabulary.errors import GeometryError, InvalidValue
from opensirt.vocabulary.units import G_PER_KG, JOULE_PER_MEV, MM3_PER_ML

FloatArray = npt.NDArray[np.float64]
Spacing = tuple[float, float, float]

VOXEL_KERNEL_VERSION = "2"

_NODES_PER_PIECE = 6
"""Gauss–Legendre nodes per piece and axis within the electrons' reach. A piece is no longer than the smallest spacing, so that the
pole of 1/r² lies at least two half-lengths away: relative error below (2 + √5)^-12 = 3e-8."""
_LONGEST_PIECE_MM = 2.5
"""Longest piece at density 1: a quarter of the beta range, over which the kernel falls by at most two orders of magnitude."""
_FAR_NODES = 4
"""Nodes per voxel and axis beyond the electrons' reach, where only the smooth photon tail is left, and per piece that is short against
the beta range and away from the pole."""
_SHORT_PIECE_MM = 0.8
"""Length at density 1 of a short piece; pieces half as long and four voxels or more away take half the nodes."""
_ORIGIN_DIRECTIONS = 24
"""Gauss–Legendre directions per axis of each of the three faces of the origin's cell."""
_TABLE_STEP_MM = 0.01
"""Step of the table of the radial profile at density 1."""
_PARTS_PER_SHELL = 4
"""Parts into which the same cubic cuts each shell in the origin's cell, so that both quadratures agree where they meet."""
_LARGEST_GRID = 40_000_000
"""Quadrature nodes beyond which a kernel is refused rather than exhausting memory (8 bytes each)."""


@attrs.frozen(eq=False)
class VoxelKernel:
    """Energy fractions on offsets ``−n … n`` along (k, j, i).

    Attributes
    ----------
    fraction : ndarray, shape (2nk+1, 2nj+1, 2ni+1)
        Fraction of the emitted energy in the voxel at each offset; the centre holds the self-dose.
    spacing_mm : tuple of float
        Voxel spacing along (k, j, i), mm.
    density_g_per_ml : float
        Density of the homogeneous medium.
    reach_mm : float
        Radius up to which the point kernel was used, mm.
    beyond_fraction : float
        Fraction of the emitted energy that the point kernel deposits beyond ``reach_mm``.
    """

    fraction: FloatArray
    spacing_mm: Spacing
    density_g_per_ml: float
    reach_mm: float
    beyond_fraction: float

    def gy_per_decay(self, energy_mev_per_decay: float) -> FloatArray:
        """Voxel S values in Gy per decay for an energy per decay in MeV: fraction · E / (ρ V)."""
        mass_kg = self.density_g_per_ml * math.prod(self.spacing_mm) / MM3_PER_ML / G_PER_KG
        return self.fraction * (energy_mev_per_decay * JOULE_PER_MEV / mass_kg)


@attrs.frozen(eq=False)
class _Profile:
    """Energy fraction per mm of radius between two radii: the slope of a monotone cubic through the energy within each shell edge."""

    edges_mm: FloatArray
    share: FloatArray
    per_mm: FloatArray
    fine_end_mm: float
    inner_mm: float
    outer_mm: float

    step_mm: float

    @staticmethod
    def of(kernel: PointKernel, share: FloatArray, inner_mm: float, outer_mm: float) -> _Profile:
        """The part of a kernel between two radii."""
        reach = min(kernel.electron_reach_mm, outer_mm)
        step = _TABLE_STEP_MM / min(kernel.density_g_per_ml, 1.0)
        table = np.arange(0.0, outer_mm + 2.0 * step, step)
        within = np.concatenate([[0.0], np.cumsum(share)])
        slope = PchipInterpolator(kernel.edges_mm, within).derivative()
        per_mm = np.where(table <= kernel.edges_mm[-1], slope(np.minimum(table, kernel.edges_mm[-1])), 0.0)
        parts = np.linspace(kernel.edges_mm[:-1], kernel.edges_mm[1:], _PARTS_PER_SHELL, endpoint=False, axis=1).ravel()
        edges = np.append(parts, kernel.edges_mm[-1])
        finer = np.maximum(np.diff(PchipInterpolator(kernel.edges_mm, within)(edges)), 0.0)
        return _Profile(edges, finer, np.maximum(per_mm, 0.0), reach, inner_mm, outer_mm, step)

    def per_volume(self, squared_mm2: FloatArray) -> FloatArray:
        """Energy fraction per mm³ at squared radii, zero outside the two radii; overwrites nothing."""
        radius = np.sqrt(squared_mm2)
        place = radius * (1.0 / self.step_mm)
        index = np.minimum(place.astype(np.int32), len(self.per_mm) - 2)
        low = self.per_mm[index]
        value = low + (self.per_mm[index + 1] - low) * (place - index)
        value /= (4.0 * math.pi) * squared_mm2
        value[(radius > self.outer_mm) | (radius < self.inner_mm)] = 0.0
        return np.asarray(value)


@lru_cache(maxsize=16)
def _gauss(order: int) -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.legendre.leggauss(order)
    return nodes, weights


def _axis_nodes(spacing: float, cells: int, fine_end_mm: float, piece_mm: float) -> tuple[FloatArray, FloatArray, int]:
    """Quadrature nodes along one axis with their weights, and how many of them lie in the first cell."""
    nodes, weights, in_first = [], [], 0
    at_density_1 = piece_mm * ELECTRON_REACH_MM / max(fine_end_mm, 1e-9)
    for cell in range(cells):
        low = cell * spacing
        fine = low < fine_end_mm or cell == 0
        pieces = math.ceil(spacing / piece_mm - 1e-9) if fine else 1
        order = _FAR_NODES
        if fine and (cell < 2 or at_density_1 > _SHORT_PIECE_MM):
            order = _NODES_PER_PIECE
        elif cell >= 4 and at_density_1 < 0.5 * _SHORT_PIECE_MM:
            order = _FAR_NODES // 2
        x, w = _gauss(order)
        width = spacing / pieces
        for piece in range(pieces):
            nodes.append(low + width * (piece + 0.5 + 0.5 * x))
            weights.append(0.5 * width * w)
        if cell == 0:
            in_first = pieces * len(x)
    return np.concatenate(nodes), np.concatenate(weights), in_first


def _tents(nodes: FloatArray, spacing: float, offsets: int) -> FloatArray:
    """Tent of every offset at every node, shape (offsets, nodes)."""
    return np.asarray(np.maximum(0.0, 1.0 - np.abs(nodes / spacing - np.arange(offsets)[:, None])))


def _origin_cell(profile: _Profile, spacing: FloatArray) -> FloatArray:
    """Energy of the cell at the origin, shared over its eight corners, shape (2, 2, 2); integrated in spherical coordinates.

    Each face away from the origin is the base of a pyramid; ``d³d / r²`` is then ``volume / R² · dp dq dr/R`` with ``R`` the distance
    to the point ``(p, q)`` of the base: free of singularities. Along each ray, every shell counts with its
    own energy, exactly: the tents are a cubic in the radius.
    """
    order = _ORIGIN_DIRECTIONS if float(spacing.max() / spacing.min()) > 2.0 else _ORIGIN_DIRECTIONS // 2
    x, w = _gauss(order)
    unit, weight = 0.5 * (x + 1.0), 0.5 * w
    p, q = (grid.ravel() for grid in np.meshgrid(unit, unit, indexing="ij"))
    directions_weight = np.outer(weight, weight).ravel()
    reach = int(np.searchsorted(profile.edges_mm, min(float(np.linalg.norm(spacing)), profile.outer_mm))) + 1
    low, high = profile.edges_mm[: reach - 1], profile.edges_mm[1:reach]
    per_mm = profile.share[: reach - 1] / (high - low)
    corners = np.zeros((2, 2, 2))
    for face in range(3):
        others = [axis for axis in range(3) if axis != face]
        base = np.empty((len(p), 3))
        base[:, face], base[:, others[0]], base[:, others[1]] = 1.0, p, q
        length = np.sqrt(((base * spacing) ** 2).sum(axis=1))
        a = np.clip(low, profile.inner_mm, profile.outer_mm)
        b = np.maximum(np.minimum(np.clip(high, profile.inner_mm, profile.outer_mm), length[:, None]), a)
        solid = math.prod(spacing) / (4.0 * math.pi * length**3) * directions_weight
        moments = [solid * ((b ** (n + 1) - a ** (n + 1)) / (n + 1) @ per_mm) / length**n for n in range(4)]
        for corner in np.ndindex(2, 2, 2):
            polynomial = np.zeros((4, len(p)))
            polynomial[0] = 1.0
            for axis, bit in enumerate(corner):
                raised = np.roll(polynomial, 1, axis=0) * base[:, axis]
                polynomial = raised if bit else polynomial - raised
            corners[corner] += float((polynomial * moments).sum())
    return corners


def _octant(profile: _Profile, spacing: FloatArray, offsets: tuple[int, ...]) -> FloatArray:
    """Energy fractions of the offsets 0, 1, 2 … along each axis, integrated over all displacements; shape ``offsets``."""
    piece = float(spacing.min())
    if piece < profile.fine_end_mm:  # otherwise electrons stay within the origin's cell
        piece = min(piece, _LONGEST_PIECE_MM * profile.fine_end_mm / ELECTRON_REACH_MM)
    axes = [_axis_nodes(float(s), n - 1, profile.fine_end_mm, piece) for s, n in zip(spacing, offsets, strict=True)]
    count = math.prod(len(nodes) for nodes, _, _ in axes)
    if count > _LARGEST_GRID:
        raise InvalidValue(
            f"a voxel kernel of {profile.outer_mm:.4g} mm on voxels of {np.round(spacing, 4).tolist()} mm needs {count:.2g} nodes",
            "voxels far smaller than the beta range, or a reach far beyond it",
            "use a coarser grid or a shorter reach",
        )
    (zk, wk, nk), (zj, wj, nj), (zi, wi, ni) = axes
    squared = (zk**2)[:, None, None] + (zj**2)[:, None] + zi**2
    density = profile.per_volume(squared)
    density[:nk, :nj, :ni] = 0.0
    octant = density
    for nodes, weights, side, offset_count in zip((zi, zj, zk), (wi, wj, wk), spacing[::-1], offsets[::-1], strict=True):
        shared = octant.reshape(-1, len(nodes)) @ (_tents(nodes, float(side), offset_count) * weights).T
        octant = np.moveaxis(shared.reshape(*octant.shape[:-1], offset_count), -1, 0)  # the next axis comes last
    octant[:2, :2, :2] += _origin_cell(profile, spacing)
    for axis in range(3):
        np.moveaxis(octant, axis, 0)[0] *= 2.0
    return np.asarray(octant)


def _unfold(octant: FloatArray) -> FloatArray:
    """Mirror the offsets 0 … n to −n … n along every axis."""
    full = octant
    for axis in range(3):
        moved = np.moveaxis(full, axis, 0)
        full = np.moveaxis(np.concatenate([moved[:0:-1], moved], axis=0), 0, axis)
    return np.ascontiguousarray(full)


def _checked(spacing_mm: Spacing) -> FloatArray:
    spacing = np.array(spacing_mm, dtype=np.float64)
    if spacing.shape != (3,) or not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise GeometryError(f"voxel spacings must be three positive lengths, got {spacing_mm} mm", "", "check the grid")
    return spacing


def build_voxel_kernel(kernel: PointKernel, spacing_mm: Spacing, reach_mm: float) -> VoxelKernel:
    """Integrate a point kernel over pairs of voxels of an orthogonal grid.

    Parameters
    ----------
    kernel : PointKernel
        At the medium's density.
    spacing_mm : tuple of float
        Voxel spacing along (k, j, i), mm; any anisotropy.
    reach_mm : float
        Radius up to which energy is followed, mm.

    Returns
    -------
    VoxelKernel
        Fractions; their sum is the energy the point kernel holds within ``reach_mm``.

    Raises
    ------
    GeometryError
        If a spacing is not positive and finite.
    InvalidValue
        If voxels are so small against the reach that the kernel would not fit into memory.
    """
    spacing = _checked(spacing_mm)
    offsets = tuple(int(n) for n in np.ceil(reach_mm / spacing - 1e-9) + 1)
    octant = _octant(_Profile.of(kernel, kernel.fraction, 0.0, reach_mm), spacing, offsets)
    octant[0, 0, 0] += kernel.origin_fraction
    held = float(kernel.cumulative(reach_mm))
    return VoxelKernel(
        _unfold(octant), (float(spacing[0]), float(spacing[1]), float(spacing[2])), kernel.density_g_per_ml, reach_mm, 1.0 - held
    )


def build_photon_kernel(kernel: PointKernel, spacing_mm: Spacing, inner_mm: float, offsets: tuple[int, int, int]) -> VoxelKernel:
    """The photon tail alone, beyond a radius: what a coarse grid carries past the reach of electrons.

    Parameters
    ----------
    kernel : PointKernel
        At the medium's density.
    spacing_mm : tuple of float
        Spacing of the coarse grid along (k, j, i), mm.
    inner_mm : float
        Radius where it starts, mm.
    offsets : tuple of int
        Largest offset wanted along each axis; the kernel's shape is twice that plus one.
    """
    spacing = _checked(spacing_mm)
    outer = float(np.linalg.norm((np.array(offsets) + 1.0) * spacing))
    octant = _octant(_Profile.of(kernel, kernel.photon_fraction, inner_mm, outer), spacing, tuple(n + 2 for n in offsets))
    octant = octant[: offsets[0] + 1, : offsets[1] + 1, : offsets[2] + 1]
    full = _unfold(octant)
    return VoxelKernel(
        full, (float(spacing[0]), float(spacing[1]), float(spacing[2])), kernel.density_g_per_ml, outer, 1.0 - float(full.sum())
    )


@lru_cache(maxsize=64)
def _cached(nuclide: str, medium: str, density_g_per_ml: float, spacing_mm: Spacing, reach_mm: float) -> VoxelKernel:
    return build_voxel_kernel(point_kernel(nuclide, medium).at_density(density_g_per_ml), spacing_mm, reach_mm)


@lru_cache(maxsize=64)
def cached_photon_kernel(
    nuclide: str, medium: str, density_g_per_ml: float, spacing_mm: Spacing, offsets: tuple[int, int, int]
) -> VoxelKernel:
    """Photon tail beyond the electrons' reach on a coarse grid; cached by everything it depends on."""
    kernel = point_kernel(nuclide, medium).at_density(density_g_per_ml)
    return build_photon_kernel(kernel, spacing_mm, kernel.electron_reach_mm, offsets)


def voxel_kernel(
    nuclide: str,
    spacing_mm: Spacing,
    *,
    density_g_per_ml: float,
    medium: str = "soft",
    reach_mm: float | None = None,
) -> VoxelKernel:
    """The voxel kernel of a nuclide in a medium, cached by everything it depends on.

    Parameters
    ----------
    nuclide : str
        ``"Y-90"`` or ``"Ho-166"``.
    spacing_mm : tuple of float
        Voxel spacing along (k, j, i), mm.
    density_g_per_ml : float
        Density of the homogeneous medium.
    medium : str
        Composition, one of :data:`point_kernels.MEDIA`.
    reach_mm : float, optional
        Radius up to which energy is followed; the electrons' reach at this density where it is not given.

    Raises
    ------
    GeometryError
        If a spacing is not positive and finite.
    UnsupportedInput
        If there is no kernel of this nuclide in this medium.
    """
    reach = point_kernel(nuclide, medium).at_density(density_g_per_ml).electron_reach_mm if reach_mm is None else float(reach_mm)
    spacing = (float(spacing_mm[0]), float(spacing_mm[1]), float(spacing_mm[2]))
    return _cached(nuclide, medium, float(density_g_per_ml), spacing, reach)

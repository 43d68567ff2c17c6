"""Energy spread by voxel kernels over a grid: electrons at full resolution, the photon tail on a coarse grid."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.ndimage import zoom

from opensirt.radioembolisation.transport._fft import Box, convolve_box, support
from opensirt.radioembolisation.transport.voxel_kernel import cached_photon_kernel, voxel_kernel
from opensirt.vocabulary.errors import GeometryError
from opensirt.vocabulary.geometry import Grid

Float32Array = npt.NDArray[np.float32]

SOFT_TISSUE_G_PER_ML = 1.04
"""Density of the homogeneous soft tissue of the kernel engine (Lanconelli et al. 2012 and the reference S values use the same)."""
_COARSE_MM = 14.0
"""Target spacing of the coarse grid that carries photons beyond the electrons' reach: their dose there varies over centimetres."""
_SHEAR_TOLERANCE = 1e-3
_KEEP_RELATIVE = 1e-7
"""Outer planes of a voxel kernel that hold less than this fraction of the emitted energy are cut off and booked."""


def orthogonal_spacing(grid: Grid) -> tuple[float, float, float]:
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
    k, j, i = grid.spacing_mm
    return float(k), float(j), float(i)


def _trimmed(fraction: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    for axis in range(3):
        while fraction.shape[axis] > 1:
            edge = np.take(fraction, 0, axis=axis).sum() + np.take(fraction, -1, axis=axis).sum()
            if edge >= _KEEP_RELATIVE:
                break
            fraction = np.take(fraction, np.arange(1, fraction.shape[axis] - 1), axis=axis)
    return fraction


def _coarse_sums(volume: Float32Array, box: Box, factor: tuple[int, int, int]) -> Float32Array:
    shape = tuple(-(-n // f) for n, f in zip(volume.shape, factor, strict=True))
    start = tuple(s // f for s, f in zip(box.start, factor, strict=True))
    stop = tuple(-(-e // f) for e, f in zip(box.stop, factor, strict=True))
    sums = np.zeros(shape, dtype=np.float32)
    padded_shape = [(b - a) * f for a, b, f in zip(start, stop, factor, strict=True)]
    padded = np.zeros(padded_shape, dtype=np.float32)
    low = [a * f for a, f in zip(start, factor, strict=True)]
    high = [min(b * f, n) for b, f, n in zip(stop, factor, volume.shape, strict=True)]
    cut = volume[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    padded[: cut.shape[0], : cut.shape[1], : cut.shape[2]] = cut
    n = [b - a for a, b in zip(start, stop, strict=True)]
    blocks = padded.reshape(n[0], factor[0], n[1], factor[1], n[2], factor[2]).sum(axis=(1, 3, 5))
    sums[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]] = blocks
    return sums


def photon_energy(bq_per_ml: Float32Array, grid: Grid, nuclide: str) -> Float32Array:
    """Energy that photons carry beyond the electrons' reach, per voxel, in units of the activity's energy per voxel.

    Block sums on a coarse grid, convolution with the photon tail, and linear interpolation back. Shape ``grid.shape``.
    """
    spacing = orthogonal_spacing(grid)
    factor = tuple(max(1, round(_COARSE_MM / s)) for s in spacing)
    coarse_spacing = tuple(s * f for s, f in zip(spacing, factor, strict=True))
    sums = _coarse_sums(bq_per_ml, support(bq_per_ml), (factor[0], factor[1], factor[2]))
    extent = math.sqrt(sum((n * s) ** 2 for n, s in zip(sums.shape, coarse_spacing, strict=True)))
    reach = math.ceil(extent / 50.0) * 50.0
    kernel = cached_photon_kernel(
        nuclide, "soft", SOFT_TISSUE_G_PER_ML, (coarse_spacing[0], coarse_spacing[1], coarse_spacing[2]), reach
    )
    half = [min(n // 2, s - 1) for n, s in zip(kernel.fraction.shape, sums.shape, strict=True)]
    middle = [n // 2 for n in kernel.fraction.shape]
    cut = kernel.fraction[tuple(slice(m - h, m + h + 1) for m, h in zip(middle, half, strict=True))]
    spread = np.zeros_like(sums)
    convolve_box(sums, cut, spread, support(sums))
    spread /= math.prod(factor)
    if math.prod(factor) == 1:
        return spread
    fine = zoom(spread, factor, order=1, mode="nearest", grid_mode=True, prefilter=False)
    return np.ascontiguousarray(fine[tuple(slice(0, n) for n in grid.shape)])


def electron_energy(bq_per_ml: Float32Array, grid: Grid, nuclide: str, density_g_per_ml: float) -> Float32Array:
    """Activity convolved with the voxel kernel out to the electrons' reach: each voxel's share of the emitted energy.

    Parameters
    ----------
    bq_per_ml : ndarray, shape ``grid.shape``
        Activity concentration, not negative.
    grid : Grid
        With orthogonal axes.
    nuclide : str
        For the kernel's shape.
    density_g_per_ml : float
        Of the homogeneous soft tissue.

    Returns
    -------
    ndarray, shape ``grid.shape``
        In Bq/mL equivalents: multiplied by the energy per decay it is energy per volume. Exact zeros out of reach.
    """
    kernel = voxel_kernel(nuclide, orthogonal_spacing(grid), density_g_per_ml=density_g_per_ml)
    out = np.zeros(grid.shape, dtype=np.float32)
    convolve_box(bq_per_ml, _trimmed(kernel.fraction), out, support(bq_per_ml))
    return out

"""Kernel convolution plane by plane, its rounding and its energy book.

Oracle: the same convolution as a direct sum in double precision (no transform at all).
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy import signal

from opensirt.radioembolisation.transport._planes import PlaneConvolution, support
from opensirt.radioembolisation.transport.convolution import KernelConvolution
from opensirt.radioembolisation.transport.result import silent
from opensirt.radioembolisation.transport.spread import SOFT_TISSUE_G_PER_ML, orthogonal_spacing, photon_tail
from opensirt.radioembolisation.transport.voxel_kernel import voxel_kernel
from opensirt.vocabulary.errors import GeometryError, InvalidValue
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import HO166, Y90
from opensirt.vocabulary.volumes import ActivityMap, DensityMap
from strategies import grid_about

AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
ROUNDING = 1e-6
"""Of the largest value: transforms in single precision; 2e-7 is typical."""
CLOSURE = 1e-4
PHOTON_TAIL = 0.12
"""The tail of a point is shared and read linearly on a coarse grid of 12 mm: 10 % at 3 to 5 cm. It is 1e-6 of the dose at the source."""
SMOOTHED = 3e-4
"""Of the largest dose: what that smoothing does to the dose of extended sources."""


def _convolved(volume, kernel, chunk=7):
    near = PlaneConvolution(volume, kernel, support(volume), chunk)
    nk = volume.shape[0]
    out = np.zeros(volume.shape)
    outside = rounded = 0.0
    planes = range(min(near.planes.start, 0), max(near.planes.stop, nk))
    for first in range(planes.start, planes.stop, chunk):
        part = range(first, min(first + chunk, planes.stop))
        for k in near.sources(part):
            near.transform(k)
        for k in part:
            plane = near.plane(k)
            if plane is None:
                continue
            outside, rounded = outside + plane.outside, rounded + plane.rounded
            if 0 <= k < nk:
                out[k, plane.rows, plane.columns] += plane.values
    return out, outside, rounded


def _volume(kind, shape, rng):
    volume = np.zeros(shape, dtype=np.float32)
    if kind == "dense":
        volume[:] = rng.random(shape)
    elif kind == "point at the edge":
        volume[0, -1, 0] = 3.0
    elif kind == "gaps":
        volume[2, 3:9, 4:8] = rng.random((6, 4))
        volume[-2, 1, -3] = 5.0
    else:
        volume[4:9, 5:11, 2:15] = rng.random((5, 6, 13))
    return volume


@pytest.mark.parametrize("kind", ["dense", "box", "gaps", "point at the edge"])
@pytest.mark.parametrize("kernel_shape", [(5, 9, 7), (1, 3, 11), (9, 1, 1), (31, 7, 5)])
def test_the_sum_itself(kind, kernel_shape):
    rng = np.random.default_rng(7)
    octant = rng.random([n // 2 + 1 for n in kernel_shape])
    kernel = octant
    for axis in range(3):
        moved = np.moveaxis(kernel, axis, 0)
        kernel = np.moveaxis(np.concatenate([moved[:0:-1], moved]), 0, axis)
    kernel = kernel / kernel.sum()
    volume = _volume(kind, (17, 13, 19), rng)
    whole = signal.convolve(volume.astype(np.float64), kernel, mode="full", method="direct")
    half = [n // 2 for n in kernel_shape]
    expected = whole[tuple(slice(h, h + n) for h, n in zip(half, volume.shape, strict=True))]
    out, outside, rounded = _convolved(volume, kernel)
    assert out == pytest.approx(expected, abs=ROUNDING * expected.max())
    assert outside == pytest.approx(whole.sum() - expected.sum(), abs=1e-5 * whole.sum())
    assert abs(rounded) < 1e-5 * whole.sum()
    assert out.min() >= 0.0
    assert not out[expected == 0.0].any(), "exact zeros out of reach"


def test_negative_values_that_are_not_rounding_are_an_error():
    volume = np.zeros((5, 6, 7), dtype=np.float32)
    volume[2, 3, 3] = -1.0
    near = PlaneConvolution(np.abs(volume), np.full((1, 3, 3), -1.0 / 9.0), support(np.abs(volume)), 5)
    near.transform(2)
    with pytest.raises(InvalidValue, match="rounding explains"):
        near.plane(2)


def _grid():
    return grid_about((0.0, 0.0, 0.0), (23, 41, 36), (5.0, 2.3, 3.1), (9.0, -4.0, 21.0))


def _blobs(grid: Grid, rng) -> np.ndarray:
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    bq = np.where(((k - 9) / 5) ** 2 + ((j - 16) / 9) ** 2 + ((i - 20) / 8) ** 2 < 1.0, 1e5 * (1.0 + rng.random(grid.shape)), 0.0)
    bq[3, 35, 4] = 4e6
    return bq.astype(np.float32)


@pytest.mark.parametrize("nuclide", [Y90, HO166], ids=["Y-90", "Ho-166"])
def test_dose_is_the_convolution_with_the_whole_voxel_kernel(nuclide):
    """Electrons at full resolution and photons on a coarse grid together, against one kernel over the whole grid."""
    grid = _grid()
    bq = _blobs(grid, np.random.default_rng(2))
    spacing = orthogonal_spacing(grid)
    kernel = voxel_kernel(nuclide.name, spacing, density_g_per_ml=SOFT_TISSUE_G_PER_ML, reach_mm=190.0).fraction
    expected = signal.fftconvolve(bq.astype(np.float64), kernel, mode="full")
    half = [n // 2 for n in kernel.shape]
    expected = expected[tuple(slice(h, h + n) for h, n in zip(half, bq.shape, strict=True))]
    expected *= nuclide.dose_constant().value * 1e3 / 1e9 / SOFT_TISSUE_G_PER_ML
    density = DensityMap(np.full(grid.shape, 1.0, dtype=np.float32), grid)
    dose = KernelConvolution().dose(ActivityMap(bq, grid, nuclide, AT), density, nuclide.dose_constant(), silent).dose.dose_gy
    assert np.abs(dose - expected).max() < SMOOTHED * expected.max()
    held = expected > 1e-2 * expected.max()
    assert np.abs(dose[held] / expected[held] - 1.0).max() < 2e-3
    assert dose.sum() == pytest.approx(expected.sum(), rel=2e-3)


@pytest.mark.parametrize("nuclide", [Y90, HO166], ids=["Y-90", "Ho-166"])
def test_every_joule_is_booked(nuclide):
    grid = _grid()
    bq = _blobs(grid, np.random.default_rng(2))
    density = DensityMap(np.full(grid.shape, 1.0, dtype=np.float32), grid)
    result = KernelConvolution().dose(ActivityMap(bq, grid, nuclide, AT), density, nuclide.dose_constant(), silent)
    book = result.energy
    assert book.emitted_j == pytest.approx(nuclide.dose_constant().value * bq.sum(dtype=np.float64) * grid.voxel_volume_ml / 1e9)
    held = result.dose.dose_gy.sum(dtype=np.float64) * SOFT_TISSUE_G_PER_ML * grid.voxel_volume_ml / 1e3
    assert book.deposited_j == pytest.approx(held, rel=1e-5)
    assert book.left_grid_j > 0.0
    assert abs(book.difference_j) < CLOSURE * book.emitted_j
    assert abs(book.rounded_j) < 1e-5 * book.emitted_j


def test_photon_tail_against_its_kernel():
    grid = grid_about((0.0, 0.0, 0.0), (41, 37, 33), (4.0, 4.4, 5.0))
    bq = np.zeros(grid.shape, dtype=np.float32)
    bq[17, 20, 13] = 1e6
    tail = photon_tail(bq, grid, "Ho-166", density_g_per_ml=1.04, box=support(bq))
    planes = np.stack([tail.plane(k) for k in range(41)])
    kernel = voxel_kernel("Ho-166", (4.0, 4.4, 5.0), density_g_per_ml=1.04, reach_mm=120.0).fraction
    middle = [n // 2 for n in kernel.shape]
    for offset in ((8, 0, 0), (0, -9, 0), (0, 0, 7), (7, 7, -5), (-12, 3, 9)):
        place = (17 + offset[0], 20 + offset[1], 13 + offset[2])
        expected = kernel[tuple(m + o for m, o in zip(middle, offset, strict=True))] * 1e6
        assert planes[place] == pytest.approx(expected, rel=PHOTON_TAIL)


def test_a_sheared_grid_is_refused():
    affine = np.eye(4)
    affine[:3, :3] = np.diag([3.0, 2.0, 2.0])
    affine[0, 1] = 0.5
    grid = Grid((5, 6, 7), affine)
    ones = np.ones(grid.shape, dtype=np.float32)
    with pytest.raises(GeometryError, match="not orthogonal"):
        KernelConvolution().dose(ActivityMap(ones, grid, Y90, AT), DensityMap(ones.copy(), grid), Y90.dose_constant(), silent)

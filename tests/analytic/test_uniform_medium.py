"""In a uniform infinite medium every engine gives K·A/m: local deposition, kernel, and density-corrected kernel at any density.

No grid is infinite, and photons go far. So the oracle for the middle of a box is ``K·A/m`` times the fraction of the emitted energy that a
point kernel deposits before a ray leaves the box, averaged over directions: an integral made here, over the point kernel alone.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from opensirt.radioembolisation.transport.engines import COMPARED, ENGINES
from opensirt.radioembolisation.transport.point_kernels import point_kernel
from opensirt.radioembolisation.transport.result import silent
from opensirt.vocabulary.nuclides import HO166, Y90
from opensirt.vocabulary.volumes import ActivityMap, DensityMap
from strategies import grid_about

pytestmark = pytest.mark.slow

AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
UNIFORM = 1e-3
"""Promised; of it 2e-4 are used up by the coarse photon grid, the density table of the corrected kernel and single precision."""
BQ_PER_ML = 2.0e5


def _fraction_inside(nuclide, density, half_mm):
    """Fraction of the energy emitted around the middle that is deposited inside a box: mean over directions of the kernel within."""
    kernel = point_kernel(nuclide).at_density(density)
    n = 40_000
    u = 1.0 - 2.0 * (np.arange(n) + 0.5) / n
    angle = np.pi * (1.0 + 5.0**0.5) * np.arange(n)  # golden spiral
    direction = np.stack([u, np.sqrt(1 - u * u) * np.cos(angle), np.sqrt(1 - u * u) * np.sin(angle)], axis=1)
    to_wall = (np.asarray(half_mm) / np.maximum(np.abs(direction), 1e-9)).min(axis=1)
    return float(kernel.cumulative(to_wall).mean())


def _middle(engine, nuclide, density, shape, spacing, constant=""):
    grid = grid_about((0.0, 0.0, 0.0), shape, spacing, (8.0, -15.0, 30.0))
    bq = np.full(grid.shape, BQ_PER_ML, dtype=np.float32)
    rho = np.full(grid.shape, density, dtype=np.float32)
    result = ENGINES[engine].dose(
        ActivityMap(bq, grid, nuclide, AT), DensityMap(rho, grid), nuclide.dose_constant(constant), silent
    )
    expected = nuclide.dose_constant(constant).value * 1e3 / 1e9 * BQ_PER_ML / density
    return float(result.dose.dose_gy[tuple(n // 2 for n in shape)]) / expected, result


@pytest.mark.parametrize("density", [0.26, 0.95, 1.04, 1.06, 1.5])
@pytest.mark.parametrize("nuclide", [Y90, HO166], ids=["Y-90", "Ho-166"])
@pytest.mark.parametrize("engine", ["local", "kernel-density"])
def test_any_density(engine, nuclide, density):
    spacing = np.array([9.0, 7.0, 8.0]) / density
    shape = (31, 41, 37)
    inside = 1.0 if engine == "local" else _fraction_inside(nuclide.name, density, np.array(shape) / 2.0 * spacing)
    ratio, _ = _middle(engine, nuclide, density, shape, tuple(spacing))
    assert ratio == pytest.approx(inside, abs=UNIFORM)


@pytest.mark.parametrize("density", [0.2, 0.26, 0.35])
@pytest.mark.parametrize("nuclide", [Y90, HO166], ids=["Y-90", "Ho-166"])
def test_lung_on_a_grid_of_clinical_spacing(nuclide, density):
    shape, spacing = (33, 35, 37), (4.0, 3.6, 3.4)
    ratio, result = _middle("kernel-density", nuclide, density, shape, spacing)
    assert abs(result.energy.difference_j) < UNIFORM * result.energy.emitted_j
    assert ratio == pytest.approx(_fraction_inside(nuclide.name, density, np.array(shape) / 2.0 * spacing), abs=2.0 * UNIFORM)


@pytest.mark.parametrize("nuclide", [Y90, HO166], ids=["Y-90", "Ho-166"])
@pytest.mark.parametrize(("shape", "spacing"), [((31, 41, 37), (9.0, 7.0, 8.0)), ((45, 51, 61), (4.0, 3.0, 2.5))])
def test_soft_tissue_by_all_three(nuclide, shape, spacing):
    inside = _fraction_inside(nuclide.name, 1.04, np.array(shape) / 2.0 * spacing)
    local, _ = _middle("local", nuclide, 1.04, shape, spacing)
    assert local == pytest.approx(1.0, abs=1e-6)
    for engine in ("kernel", "kernel-density"):
        ratio, _ = _middle(engine, nuclide, 1.04, shape, spacing)
        assert ratio == pytest.approx(inside, abs=UNIFORM)


def test_a_medium_large_enough_needs_no_correction():
    for engine in COMPARED:
        ratio, _ = _middle(engine, Y90, 1.04, (31, 35, 33), (30.0, 28.0, 32.0))
        assert ratio == pytest.approx(1.0, abs=UNIFORM)


@pytest.mark.parametrize("engine", COMPARED)
@pytest.mark.parametrize(("nuclide", "name"), [(Y90, "49.38"), (Y90, "50"), (Y90, "icrp107"), (HO166, "16"), (HO166, "icrp107")])
def test_a_dose_constant_scales_every_engine_alike(engine, nuclide, name):
    chosen, _ = _middle(engine, nuclide, 1.04, (9, 11, 13), (8.0, 7.0, 6.0), name)
    default, _ = _middle(engine, nuclide, 1.04, (9, 11, 13), (8.0, 7.0, 6.0))
    assert chosen == pytest.approx(default, rel=1e-6)

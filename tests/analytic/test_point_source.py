"""A point source keeps its energy and stays where it was: on oblique, anisotropic, flipped, non-cubic grids, by every engine.

Peers' defects 1, 2, 3 and 5 (clinical data never shows them): NaN at the kernel's centre, kernels not normalised, transforms not
recentred, caches blind to spacing, axes swapped. Oracle: the emitted energy K·A and the source's own index.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opensirt.radioembolisation.transport.engines import COMPARED, ENGINES
from opensirt.radioembolisation.transport.result import silent
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import HO166, Y90
from opensirt.vocabulary.volumes import ActivityMap, DensityMap
from strategies import grid_about, grids

pytestmark = pytest.mark.slow

AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
CLOSURE = {"local": 1e-6, "kernel": 1e-4, "kernel-density": 5e-4}
"""Relative to what is emitted. Kernel: quadrature (1e-5) and single-precision sums. kernel-density reads its kernels from a table that is
linear between densities 1.7 % apart: 1.3e-4 was the largest seen over random grids, four times that is a defect."""
CENTROID_VOXELS = 0.01
NUCLIDES = st.sampled_from([Y90, HO166])


def _dose(engine: str, grid: Grid, sources, density=1.04, nuclide=Y90):
    bq = np.zeros(grid.shape, dtype=np.float32)
    for place, value in sources:
        bq[place] = value
    rho = np.full(grid.shape, density, dtype=np.float32)
    return ENGINES[engine].dose(ActivityMap(bq, grid, nuclide, AT), DensityMap(rho, grid), nuclide.dose_constant(), silent)


@pytest.mark.parametrize("engine", ["local", "kernel"])
@given(grid=grids(sizes=st.integers(5, 16), spacings_mm=st.floats(1.5, 8.0)), nuclide=NUCLIDES, data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
def test_energy_is_kept_wherever_the_source_lies(engine, grid, nuclide, data):
    _keeps_its_energy(engine, grid, nuclide, data)


@given(grid=grids(sizes=st.integers(5, 16), spacings_mm=st.floats(3.0, 8.0)), nuclide=NUCLIDES, data=st.data())
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_energy_is_kept_with_density(grid, nuclide, data):
    """Fewer and coarser grids: the table of every new spacing takes this engine half a second."""
    _keeps_its_energy("kernel-density", grid, nuclide, data)


def _keeps_its_energy(engine, grid, nuclide, data):
    place = tuple(data.draw(st.integers(0, n - 1)) for n in grid.shape)
    result = _dose(engine, grid, [(place, 1e6)], nuclide=nuclide)
    book, dose = result.energy, result.dose.dose_gy.astype(np.float64)
    emitted = nuclide.dose_constant().value * 1e6 * grid.voxel_volume_ml / 1e9
    held = dose.sum() * 1.04 * grid.voxel_volume_ml / 1e3
    assert book.emitted_j == pytest.approx(emitted, rel=1e-6)
    assert book.deposited_j == pytest.approx(held, rel=1e-5)
    assert abs(book.difference_j) <= CLOSURE[engine] * emitted
    assert held <= emitted * (1.0 + CLOSURE[engine])
    assert np.isfinite(dose).all() and dose.min() >= 0.0
    assert np.unravel_index(np.argmax(dose), dose.shape) == place


@pytest.mark.parametrize("engine", COMPARED)
@pytest.mark.parametrize("nuclide", [Y90, HO166], ids=["Y-90", "Ho-166"])
@pytest.mark.parametrize(
    ("spacing", "angles", "order", "signs"),
    [
        ((3.0, 4.8, 4.2), (12.0, -7.0, 25.0), (2, 1, 0), (1, 1, 1)),
        ((3.6, 4.4, 3.1), (-33.0, 18.0, 4.0), (0, 2, 1), (-1, 1, -1)),
        ((5.0, 3.4, 4.0), (0.0, 0.0, 0.0), (1, 0, 2), (1, -1, 1)),
    ],
)
def test_a_point_stays_where_it_was(engine, nuclide, spacing, angles, order, signs):
    shape = tuple(2 * int(np.ceil(40.0 / s)) + 1 for s in spacing)  # 40 mm on either side: symmetric, so that the edge cuts evenly
    grid = grid_about((30.0, -80.0, 410.0), shape, spacing, angles, order, signs)
    place = tuple(n // 2 for n in shape)
    dose = _dose(engine, grid, [(place, 1e6)], nuclide=nuclide).dose.dose_gy.astype(np.float64)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    centroid = (index * dose[..., None]).sum(axis=(0, 1, 2)) / dose.sum()
    assert np.abs(centroid - place).max() < CENTROID_VOXELS
    for axis in range(3):
        assert np.flip(dose, axis=axis) == pytest.approx(dose, rel=1e-3, abs=1e-6 * dose.max())


@pytest.mark.parametrize("engine", ["kernel", "kernel-density"])
def test_a_point_off_the_coarse_grid_is_not_moved(engine):
    """The photon tail of Ho-166, 4 % of its energy, runs over a coarse grid: its nodes must not draw the dose to them."""
    grid = grid_about((0.0, 0.0, 0.0), (51, 55, 49), (3.0, 3.3, 4.0), (10.0, 20.0, 30.0))
    for place in ((25, 27, 24), (24, 28, 23), (26, 25, 26)):
        low = [p - 22 for p in place]
        dose = _dose(engine, grid, [(place, 1e6)], nuclide=HO166).dose.dose_gy.astype(np.float64)
        cut = dose[tuple(slice(a, a + 45) for a in low)]
        index = np.stack(np.meshgrid(*(np.arange(n) - 22 for n in cut.shape), indexing="ij"), axis=-1)
        assert np.abs((index * cut[..., None]).sum(axis=(0, 1, 2)) / cut.sum()).max() < CENTROID_VOXELS


@pytest.mark.parametrize("engine", COMPARED)
def test_spacing_is_not_forgotten_between_calls(engine):
    doses = []
    for spacing in ((3.0, 3.5, 4.0), (6.0, 7.0, 8.0), (3.0, 3.5, 4.0)):
        grid = grid_about((0.0, 0.0, 0.0), (15, 13, 11), spacing)
        doses.append(float(_dose(engine, grid, [((7, 6, 5), 1e6)]).dose.dose_gy[7, 6, 5]))
    assert doses[0] == doses[2]
    if engine != "local":
        assert doses[1] > 1.2 * doses[0]


@pytest.mark.parametrize("engine", COMPARED)
def test_sources_add_up(engine):
    grid = grid_about((0.0, 0.0, 0.0), (14, 20, 17), (3.6, 4.4, 3.1), (5.0, 10.0, 15.0))
    random = np.random.default_rng(3)
    places = [tuple(int(random.integers(0, n)) for n in grid.shape) for _ in range(12)]
    parts = [(place, float(random.uniform(1e3, 1e6))) for place in dict.fromkeys(places)]
    together = _dose(engine, grid, parts).dose.dose_gy.astype(np.float64)
    apart = sum(_dose(engine, grid, parts[n::3]).dose.dose_gy.astype(np.float64) for n in range(3))
    assert together == pytest.approx(apart, rel=1e-4, abs=2e-6 * together.max())
    doubled = _dose(engine, grid, [(place, 2.0 * value) for place, value in parts]).dose.dose_gy
    assert doubled == pytest.approx(2.0 * together, rel=1e-6)

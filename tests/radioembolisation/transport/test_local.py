"""Local deposition, and what every engine refuses. Oracle: W45 of the worked examples, and mass by hand (peers clamp it)."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from opensirt.radioembolisation.transport.engines import ENGINES, engine_named
from opensirt.radioembolisation.transport.local import LocalDeposition
from opensirt.radioembolisation.transport.result import silent
from opensirt.vocabulary.errors import GridMismatch, InvalidValue, UnsupportedInput
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import HO166, TC99M, Y90
from opensirt.vocabulary.volumes import ActivityMap, DensityMap
from strategies import grid_about

pytestmark = pytest.mark.slow

AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
SINGLE = 2e-6


def _local(grid: Grid, bq, rho, nuclide=Y90, constant="49.67"):
    activity = ActivityMap(np.asarray(bq, dtype=np.float32), grid, nuclide, AT)
    return LocalDeposition().dose(
        activity, DensityMap(np.asarray(rho, dtype=np.float32), grid), nuclide.dose_constant(constant), silent
    )


def test_w45_one_kilobecquerel_in_a_4_mm_voxel():
    grid = grid_about((0, 0, 0), (1, 1, 1), (4.0, 4.0, 4.0))
    result = _local(grid, [[[1000.0 / 0.064]]], [[[1.04]]])
    assert float(result.dose.dose_gy[0, 0, 0]) == pytest.approx(0.7462, abs=5e-5)
    assert result.energy.deposited_j == pytest.approx(result.energy.emitted_j, rel=SINGLE)


@pytest.mark.parametrize("side_mm", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("density", [0.2, 0.26, 1.0, 1.85])
def test_mass_has_no_floor(side_mm, density):
    grid = grid_about((0, 0, 0), (2, 3, 4), (side_mm,) * 3)
    result = _local(grid, np.full(grid.shape, 1e6), np.full(grid.shape, density))
    assert result.dose.dose_gy == pytest.approx(49.67 / density, rel=SINGLE)


def test_voxels_without_activity_get_nothing_even_without_mass():
    grid = grid_about((0, 0, 0), (2, 3, 4), (3.0, 2.0, 2.5), (3.0, 4.0, 5.0))
    bq = np.zeros(grid.shape)
    bq[1, 2, 3] = 5.0
    rho = np.zeros(grid.shape)
    rho[1, 2, 3] = 0.3
    dose = _local(grid, bq, rho, HO166, "15.87").dose.dose_gy
    assert np.count_nonzero(dose) == 1 and np.isfinite(dose).all()
    assert float(dose[1, 2, 3]) == pytest.approx(15.87e3 / 1e9 * 5.0 / 0.3, rel=SINGLE)


@pytest.mark.parametrize("engine", list(ENGINES))
def test_activity_without_mass_is_refused(engine):
    grid = grid_about((0, 0, 0), (4, 5, 6), (4.0, 3.0, 3.5))
    rho = np.ones(grid.shape, dtype=np.float32)
    rho[2, 2, 2] = 0.0
    activity = ActivityMap(np.ones(grid.shape, dtype=np.float32), grid, Y90, AT)
    with pytest.raises(InvalidValue, match="1 voxels hold activity but no mass"):
        ENGINES[engine].dose(activity, DensityMap(rho, grid), Y90.dose_constant(), silent)


@pytest.mark.parametrize("engine", list(ENGINES))
def test_what_no_engine_takes(engine):
    grid = grid_about((0, 0, 0), (4, 5, 6), (4.0, 3.0, 3.5))
    other = grid_about((1.0, 0, 0), (4, 5, 6), (4.0, 3.0, 3.5))
    ones = np.ones(grid.shape, dtype=np.float32)
    density = DensityMap(ones.copy(), grid)
    with pytest.raises(GridMismatch):
        ENGINES[engine].dose(ActivityMap(ones.copy(), other, Y90, AT), density, Y90.dose_constant(), silent)
    with pytest.raises(UnsupportedInput, match="Tc-99m"):
        ENGINES[engine].dose(ActivityMap(ones.copy(), grid, TC99M, AT), density, Y90.dose_constant(), silent)
    with pytest.raises(InvalidValue, match="no activity"):
        ENGINES[engine].dose(ActivityMap(0 * ones, grid, Y90, AT), density, Y90.dose_constant(), silent)


@pytest.mark.parametrize("engine", list(ENGINES))
def test_every_engine_says_who_it_is_and_how_far_it_is(engine):
    grid = grid_about((0, 0, 0), (6, 5, 7), (4.0, 3.0, 3.5))
    ones = np.ones(grid.shape, dtype=np.float32)
    seen: list[float] = []
    result = ENGINES[engine].dose(ActivityMap(ones, grid, Y90, AT), DensityMap(ones.copy(), grid), Y90.dose_constant(), seen.append)
    assert (result.engine, result.version) == (engine, engine_named(engine).version)
    assert seen == sorted(seen) and seen[-1] == 1.0
    assert 0.0 < result.relative_kernel_uncertainty <= result.relative_lung_uncertainty
    assert result.dose.dose_gy.dtype == np.float32


def test_there_is_no_other_engine():
    with pytest.raises(UnsupportedInput, match="local, kernel, kernel-density"):
        engine_named("monte-carlo")

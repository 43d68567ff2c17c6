"""Exact DVH: analytic dose fields on oblique grids, occupancies, peers' defect 12 (the hottest voxel vanished), bad input."""

from __future__ import annotations

import numpy as np
import pytest

from opensirt.radioembolisation.dosimetry.dvh import dvh, dvh_of
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import GridMismatch, InvalidValue
from opensirt.vocabulary.volumes import DoseMap, Mask, Occupancy
from strategies import grid_about

TUMOUR = Structure(StructureKind.TUMOUR, "T1")
GRID = grid_about((12.0, -30.0, 44.0), (41, 37, 33), (2.1, 2.9, 3.7), (11.0, -7.0, 23.0))
RAMP_FRACTION = 2e-4
"""A ramp of 41 · 37 · 33 levels: one voxel in 50,061, float32 dose."""


def _everything(grid=GRID) -> Mask:
    return Mask(np.ones(grid.shape, dtype=bool), grid, TUMOUR)


def test_a_ramp_has_a_straight_histogram():
    """Dose 0 … 100 Gy, every level once: V_x = 1 − x/100, D_x = 100 − x."""
    rng = np.random.default_rng(3)
    levels = np.linspace(0.0, 100.0, GRID.size)
    rng.shuffle(levels)
    histogram = dvh(DoseMap(levels.reshape(GRID.shape), GRID), _everything())
    for x in (5.0, 37.0, 50.0, 95.0):
        assert histogram.d_gy(x) == pytest.approx(100.0 - x, abs=100.0 * RAMP_FRACTION)
        assert histogram.v(x) == pytest.approx(1.0 - x / 100.0, abs=RAMP_FRACTION)
    assert histogram.mean_gy == pytest.approx(50.0, abs=1e-4)
    assert histogram.volume_ml == pytest.approx(GRID.size * 2.1 * 2.9 * 3.7 / 1000.0, rel=1e-9)


def test_exponential_fall_off_along_an_oblique_axis():
    """D = 200 exp(−s), s uniform on 0 … 3 along the slices: V_x = ln(200/x)/3, exact to half a slice of 41."""
    s = (np.arange(41) + 0.5) / 41 * 3.0
    dose = np.broadcast_to((200.0 * np.exp(-s))[:, None, None], GRID.shape)
    histogram = dvh(DoseMap(dose, GRID), _everything())
    for x in (20.0, 60.0, 150.0):
        assert histogram.v(x) == pytest.approx(np.log(200.0 / x) / 3.0, abs=0.51 / 41)


@pytest.mark.parametrize("top", [2.4, 0.3, 1e-3, 999.6])
def test_the_hottest_voxel_stays(top):
    """A peer's histogram ran to ``round(max)``: 2.4 Gy became 2 and the hottest voxel was gone; below 0.5 Gy nothing was left."""
    dose = np.full(GRID.shape, 0.1 * top)
    dose[7, 5, 3] = top
    histogram = dvh(DoseMap(dose, GRID), _everything())
    assert histogram.maximum_gy == np.float32(top)
    assert histogram.v(float(np.float32(top))) == pytest.approx(1.0 / GRID.size)
    assert histogram.d_gy(100.0 / GRID.size) == np.float32(top)
    doses, fractions = histogram.curve()
    assert (doses[0], fractions[0]) == (0.0, 1.0)
    assert (doses[-1], fractions[-1]) == (np.float32(top), pytest.approx(1.0 / GRID.size))


def test_cold_voxels_count():
    dose = np.zeros(GRID.shape)
    dose[:10] = 100.0
    histogram = dvh(DoseMap(dose, GRID), _everything())
    assert histogram.minimum_gy == 0.0
    assert histogram.d_gy(95.0) == 0.0
    assert histogram.mean_gy == pytest.approx(100.0 * 10 / 41)


def test_drawing_does_not_change_the_numbers():
    dose = np.random.default_rng(4).gamma(2.0, 40.0, GRID.shape)
    histogram = dvh(DoseMap(dose, GRID), _everything())
    before = (histogram.d_gy(95.0), histogram.v(70.0), histogram.mean_gy)
    for points in (2, 20, 200):
        doses, fractions = histogram.curve(points)
        assert len(doses) == len(fractions) == points
        assert [histogram.v(float(d)) for d in doses] == fractions.tolist()
    assert (histogram.d_gy(95.0), histogram.v(70.0), histogram.mean_gy) == before


def test_a_half_filled_voxel_weighs_half():
    """Three voxels of 100, 50 and 10 Gy filled to 0.5, 1 and 0.25 of their volume: shares 2/7, 4/7, 1/7."""
    grid = grid_about((0, 0, 0), (3, 1, 2), (3.0, 4.0, 5.0))
    dose = np.array([100.0, 7.0, 50.0, 7.0, 10.0, 7.0]).reshape(grid.shape)
    filled = np.array([0.5, 0.0, 1.0, 0.0, 0.25, 0.0]).reshape(grid.shape)
    histogram = dvh(DoseMap(dose, grid), Occupancy(filled, grid, TUMOUR))
    assert histogram.volume_ml == pytest.approx(1.75 * 0.06)
    assert histogram.mean_gy == pytest.approx((50.0 + 50.0 + 2.5) / 1.75)
    assert [histogram.d_gy(x) for x in (28.0, 29.0, 85.0, 86.0, 100.0)] == [100.0, 50.0, 50.0, 10.0, 10.0]
    assert histogram.v(50.0) == pytest.approx(6.0 / 7.0)


def test_an_empty_structure_is_refused():
    dose = DoseMap(np.ones(GRID.shape), GRID)
    with pytest.raises(InvalidValue, match=r"tumour\.T1 holds no voxel"):
        dvh(dose, Mask(np.zeros(GRID.shape, dtype=bool), GRID, TUMOUR))


def test_a_structure_of_another_grid_is_refused():
    other = grid_about((13.0, -30.0, 44.0), (41, 37, 33), (2.1, 2.9, 3.7), (11.0, -7.0, 23.0))
    with pytest.raises(GridMismatch):
        dvh(DoseMap(np.ones(GRID.shape), GRID), _everything(other))


@pytest.mark.parametrize("percent", [0.0, -5.0, 100.1, float("nan")])
def test_a_percentage_that_is_none(percent):
    with pytest.raises(InvalidValue, match="D_x"):
        dvh_of("s", np.array([1.0]), np.array([1.0])).d_gy(percent)


@pytest.mark.parametrize("dose_gy", [-1.0, float("nan"), float("inf")])
def test_a_dose_that_is_none(dose_gy):
    with pytest.raises(InvalidValue, match="V_x"):
        dvh_of("s", np.array([1.0]), np.array([1.0])).v(dose_gy)


@pytest.mark.parametrize(
    ("doses", "volumes"), [([], []), ([1.0], [1.0, 2.0]), ([-1.0], [1.0]), ([np.nan], [1.0]), ([1.0], [0.0]), ([1.0], [-2.0])]
)
def test_lists_that_are_no_histogram(doses, volumes):
    with pytest.raises(InvalidValue):
        dvh_of("s", np.array(doses, dtype=float), np.array(volumes, dtype=float))

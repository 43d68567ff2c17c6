"""Volumes: what cannot be is refused (never clamped), arrays are owned and read-only, identity is the content."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given

from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import GridMismatch, InvalidValue
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import HO166, Y90
from opensirt.vocabulary.volumes import ActivityMap, CountsMap, DensityMap, DoseMap, HounsfieldMap, Mask, Occupancy
from strategies import grid_about, grids

GRID = grid_about((3, 4, 5), (4, 5, 6), (3.0, 2.0, 1.5), (10, 20, 30))
AT = datetime(2026, 5, 1, 9, tzinfo=UTC)
LIVER = Structure(StructureKind.LIVER)
MAKERS = {
    "counts": lambda values, grid=GRID: CountsMap(values, grid),
    "activity": lambda values, grid=GRID: ActivityMap(values, grid, Y90, AT),
    "density": lambda values, grid=GRID: DensityMap(values, grid),
    "dose": lambda values, grid=GRID: DoseMap(values, grid),
    "occupancy": lambda values, grid=GRID: Occupancy(values, grid, LIVER),
}
every_map = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


@every_map
def test_negative_values_are_counted_and_refused_never_clamped(make):
    """Peers' defect 7: negative counts have a declared policy; here, an error that says how many and how low."""
    values = np.full(GRID.shape, 0.5, np.float32)
    values[0, 0, :3] = -0.25
    with pytest.raises(InvalidValue, match="3 negative values, lowest -0.25"):
        make(values)


@every_map
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_finite_are_refused(make, bad):
    values = np.full(GRID.shape, 0.5, np.float32)
    values[1, 2, 3] = values[3, 4, 5] = bad
    with pytest.raises(InvalidValue, match="2 values that are NaN or infinite"):
        make(values)


@every_map
def test_infinities_of_both_signs_do_not_cancel(make):
    values = np.full(GRID.shape, 0.5, np.float32)
    values[0, 0, 0], values[0, 0, 1] = np.inf, -np.inf
    with pytest.raises(InvalidValue, match="NaN or infinite"):
        make(values)


@every_map
def test_the_shape_must_be_the_grids(make):
    with pytest.raises(GridMismatch, match="shape"):
        make(np.zeros((6, 5, 4), np.float32))


@every_map
def test_arrays_are_float32_contiguous_and_read_only(make):
    volume = make(np.asfortranarray(np.full(GRID.shape, 0.5)))
    array = next(
        value for value in (getattr(volume, field.name) for field in volume.__attrs_attrs__) if isinstance(value, np.ndarray)
    )
    assert array.dtype == np.float32 and array.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0, 0] = 1.0


def test_an_array_of_the_right_type_is_owned_not_copied():
    values = np.ones(GRID.shape, np.float32)
    assert CountsMap(values, GRID).counts is values
    assert not values.flags.writeable


def test_siblings_by_meaning_cannot_be_confused():
    dose, activity = MAKERS["dose"](np.ones(GRID.shape)), MAKERS["activity"](np.ones(GRID.shape))
    assert not hasattr(dose, "bq_per_ml") and not hasattr(activity, "dose_gy")
    assert dose.sha256 != activity.sha256  # same numbers on one grid


def test_identity_is_the_content():
    values = np.random.default_rng(1).random(GRID.shape).astype(np.float32)
    first = DoseMap(values.copy(), GRID)
    assert DoseMap(values.copy(), GRID).sha256 == first.sha256
    changed = values.copy()
    changed[2, 2, 2] = np.nextafter(changed[2, 2, 2], np.float32(9))
    assert DoseMap(changed, GRID).sha256 != first.sha256
    moved = Grid(GRID.shape, GRID.affine_mm + np.eye(4, k=3) * 1e-6, GRID.frame)
    assert DoseMap(values.copy(), moved).sha256 != first.sha256
    assert DoseMap(values.copy(), GRID.in_frame("another")).sha256 != first.sha256
    one, other = (ActivityMap(values.copy(), GRID, nuclide, AT) for nuclide in (Y90, HO166))
    assert one.sha256 != other.sha256
    ct = np.zeros(GRID.shape, np.int16)
    assert HounsfieldMap(ct, GRID, -2000).sha256 != HounsfieldMap(ct, GRID, None).sha256
    inside = np.ones(GRID.shape, bool)
    assert Mask(inside, GRID, LIVER).sha256 != Mask(inside, GRID, Structure(StructureKind.LUNGS)).sha256


@given(grids())
def test_totals_by_hand(grid):
    values = np.random.default_rng(2).random(grid.shape).astype(np.float32)
    voxel_ml = np.prod(grid.spacing_mm) / 1000
    total = values.astype(np.float64).sum()
    assert CountsMap(values, grid).total == pytest.approx(total, rel=1e-12)
    assert ActivityMap(values, grid, Y90, AT).total_bq == pytest.approx(total * voxel_ml, rel=1e-9)
    assert DensityMap(values, grid).total_mass_g == pytest.approx(total * voxel_ml, rel=1e-9)
    assert Occupancy(values, grid, LIVER).volume_ml == pytest.approx(total * voxel_ml, rel=1e-9)
    mask = Mask(values > 0.4, grid, LIVER)
    assert mask.voxels == (values > 0.4).sum()
    assert mask.volume_ml == pytest.approx(mask.voxels * voxel_ml, rel=1e-9)


def test_totals_of_many_small_voxels_do_not_drift():
    """Sums are float64: a hundred million equal float32 voxels would stop growing at 2^24 in single precision."""
    grid = grid_about((0, 0, 0), (300, 260, 270), (1.0, 1.1, 1.2))
    assert CountsMap(np.ones(grid.shape, np.float32), grid).total == grid.size > 2**24


def test_activity_needs_an_instant_with_a_zone():
    values = np.ones(GRID.shape, np.float32)
    with pytest.raises(InvalidValue, match="time zone"):
        ActivityMap(values, GRID, Y90, datetime(2026, 5, 1, 9))
    zone = timezone(timedelta(hours=5, minutes=45))
    assert ActivityMap(values, GRID, Y90, datetime(2026, 5, 1, 9, tzinfo=zone)).at.utcoffset() == timedelta(minutes=345)


def test_an_occupancy_above_one_is_refused():
    with pytest.raises(InvalidValue, match="above 1"):
        Occupancy(np.full(GRID.shape, 1.01, np.float32), GRID, LIVER)

"""What a resampling must keep, whatever the grids: totals, centroids, ramps, uniform fields, volumes. Peers' defects 1, 3 and 4.

Oracles are closed forms (a centroid, a linear function, a volume); sums are made here in double precision.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from opensirt.imaging.resample import (
    hounsfield_on,
    mask_on,
    occupancy,
    resample_activity,
    resample_counts,
    resample_density,
    resample_dose,
)
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import GridMismatch
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import HO166, Y90
from opensirt.vocabulary.volumes import ActivityMap, CountsMap, DensityMap, DoseMap, HounsfieldMap, Mask
from strategies import grid_about, grids

TOTAL = 1e-6
"""Relative, as promised; float32 voxels summed in double precision reach 1e-7."""
CENTROID_VOXELS = 1e-4
"""Promised is 0.01 voxel; only float32 rounding of the shares is left, 1e-6 or so."""
RAMP = 2e-5
"""Relative to the ramp's height: float32 weights."""
UNIFORM_PARALLEL = 2e-6
"""Closed integrals: rounding only."""
UNIFORM_OBLIQUE = 2e-3
"""Pieces of half a voxel; 0.07 % was the largest seen over the grids below, three times that is a defect."""
VOLUME = 1e-3
"""Oblique occupancy by sampling of two thirds of a voxel."""

LIVER = Structure(StructureKind.LIVER)
EMISSION = grid_about((10, -20, 30), (23, 31, 27), (4.7, 3.9, 4.2))
TARGETS = {
    "oblique, finer": grid_about((10, -20, 30), (95, 110, 92), (2.1, 1.7, 1.9), (9, -14, 21)),
    "oblique, coarser": grid_about((12, -19, 31), (30, 26, 29), (8.1, 9.3, 6.7), (-23, 8, 5)),
    "parallel, finer": grid_about((11, -20.5, 30), (77, 80, 60), (2.3, 1.9, 2.7)),
    "parallel, coarser": grid_about((11, -20.5, 30), (25, 22, 24), (7.3, 8.9, 6.7)),
    "axes in another order and direction": grid_about(
        (9, -21, 30), (45, 60, 50), (3.1, 3.7, 2.9), order=(1, 2, 0), signs=(-1, 1, -1)
    ),
    "oblique, other order and direction": grid_about(
        (9, -21, 30), (60, 63, 64), (3.1, 3.7, 2.9), (5, 17, -11), (1, 2, 0), (-1, 1, -1)
    ),
}
every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())


def _noise(grid: Grid, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).gamma(0.7, 30.0, grid.shape).astype(np.float32)


def _centroid_mm(values: np.ndarray, grid: Grid) -> np.ndarray:
    weights = values.astype(np.float64)
    index = np.array([(weights.sum(axis=tuple(b for b in range(3) if b != a)) @ np.arange(grid.shape[a])) for a in range(3)])
    return grid.lps_mm(index / weights.sum())


@every_target
def test_the_total_is_kept_without_rescaling(target):
    counts = CountsMap(_noise(EMISSION), EMISSION)
    result = resample_counts(counts, target)
    assert result.before == pytest.approx(counts.counts.sum(dtype=np.float64), rel=1e-12)
    assert result.kept == pytest.approx(result.before, rel=TOTAL)
    assert result.map.counts.sum(dtype=np.float64) == pytest.approx(result.before, rel=TOTAL)
    assert 0.0 <= result.outside <= TOTAL * result.before


@every_target
def test_a_point_in_each_of_100_random_voxels_keeps_its_total_and_its_centroid(target):
    random = np.random.default_rng(7)
    for k, j, i in np.column_stack([random.integers(0, n, 100) for n in EMISSION.shape]):
        values = np.zeros(EMISSION.shape, dtype=np.float32)
        values[k, j, i] = 1000.0
        moved = resample_counts(CountsMap(values, EMISSION), target)
        assert moved.kept == pytest.approx(1000.0, rel=TOTAL)
        distance = _centroid_mm(moved.map.counts, target) - EMISSION.lps_mm((k, j, i))
        assert np.linalg.norm(distance) <= CENTROID_VOXELS * target.spacing_mm.min()


@every_target
def test_a_point_stays_near_its_voxel(target):
    """Centroid and total would also be kept by smearing: the spread is that of one box and one tent, per axis."""
    values = np.zeros(EMISSION.shape, dtype=np.float32)
    values[11, 15, 13] = 1.0
    moved = resample_counts(CountsMap(values, EMISSION), target).map.counts.astype(np.float64)
    offset = target.lps_mm(np.argwhere(moved > 0)) - EMISSION.lps_mm((11, 15, 13))
    variance = (moved[moved > 0][:, None] * offset**2).sum(axis=0).sum()
    box_and_tent = (EMISSION.spacing_mm**2).sum() / 12.0 + (target.spacing_mm**2).sum() / 4.0
    assert (EMISSION.spacing_mm**2).sum() / 12.0 * 0.9 <= variance <= box_and_tent


@every_target
def test_a_uniform_concentration_stays_uniform(target):
    large = grid_about((10, -20, 30), (40, 46, 44), (4.7, 3.9, 4.2))
    activity = ActivityMap(np.full(large.shape, 850.0, np.float32), large, HO166, datetime(2026, 5, 1, 9, tzinfo=UTC))
    inner = resample_activity(activity, target).map.bq_per_ml / 850.0
    covered = _well_inside(target, large)
    assert covered.mean() > 0.05
    limit = UNIFORM_OBLIQUE if "oblique" in _name(target) else UNIFORM_PARALLEL
    assert np.abs(inner[covered] - 1.0).max() <= limit


def _name(target: Grid) -> str:
    return next(name for name, grid in TARGETS.items() if grid is target)


def _well_inside(target: Grid, source: Grid) -> np.ndarray:
    index = source.index_kji(target.lps_mm(np.moveaxis(np.indices(target.shape), 0, -1)))
    reach = np.abs(np.linalg.inv(source.affine_mm) @ target.affine_mm)[:3, :3].sum(axis=1)
    return np.asarray(((index > reach + 0.5) & (index < np.array(source.shape) - 1.5 - reach)).all(axis=-1))


def _ramp(points_mm: np.ndarray) -> np.ndarray:
    return 2000.0 + points_mm @ np.array([1.7, -2.3, 0.9])


@every_target
def test_a_linear_ramp_is_exact_in_density_and_dose(target):
    large = grid_about((10, -20, 30), (60, 70, 66), (4.7, 3.9, 4.2))
    values = _ramp(large.lps_mm(np.moveaxis(np.indices(large.shape), 0, -1))).astype(np.float32)
    wanted = _ramp(target.lps_mm(np.moveaxis(np.indices(target.shape), 0, -1)))
    covered = _well_inside(target, large)
    for found in (
        resample_density(DensityMap(values, large), target, 0.0).g_per_ml,
        resample_dose(DoseMap(values, large), target).dose_gy,
    ):
        assert np.abs(found[covered] - wanted[covered]).max() <= RAMP * 2000.0


@pytest.mark.parametrize(
    "target", [t for n, t in TARGETS.items() if "oblique" not in n], ids=[n for n in TARGETS if "oblique" not in n]
)
def test_a_linear_ramp_of_activity_is_exact(target):
    large = grid_about((10, -20, 30), (60, 70, 66), (4.7, 3.9, 4.2))
    values = _ramp(large.lps_mm(np.moveaxis(np.indices(large.shape), 0, -1))).astype(np.float32)
    activity = ActivityMap(values, large, Y90, datetime(2026, 5, 1, 9, tzinfo=UTC))
    covered = _well_inside(target, large)
    wanted = _ramp(target.lps_mm(np.moveaxis(np.indices(target.shape), 0, -1)))
    coarser = target.spacing_mm.min() > large.spacing_mm.max()
    found = resample_activity(activity, target).map.bq_per_ml
    # onto a finer grid, a ramp of uniform boxes is a staircase: it is exact in the mean, and within half a step everywhere
    step = np.abs(np.array([1.7, -2.3, 0.9])) @ np.abs(large.affine_mm[:3, :3]).sum(axis=1) / 2
    assert np.abs(found[covered] - wanted[covered]).max() <= (step if not coarser else 0.2 * step)
    assert (found[covered] - wanted[covered]).mean() == pytest.approx(0.0, abs=0.01 * step)


def test_what_falls_outside_is_booked_by_its_own_sum():
    """Half of a uniform emission image lies on the target: by geometry, not by the code's own difference."""
    counts = CountsMap(np.full(EMISSION.shape, 3.0, np.float32), EMISSION)
    half = EMISSION.cropped((0, 0, 0), (23, 31, 13))
    finer = grid_about(half.lps_mm([11, 15, 6]), (46, 62, 26), half.spacing_mm / 2)
    result = resample_counts(counts, finer)
    share = 13 / 27
    assert result.kept == pytest.approx(share * result.before, rel=TOTAL)
    assert result.outside == pytest.approx((1 - share) * result.before, rel=TOTAL)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(grids(), grids())
def test_every_count_is_kept_or_booked_on_any_two_grids(source, target):
    target = Grid(target.shape, _moved_to(target, source.lps_mm((np.array(source.shape) - 1) / 2)), target.frame)
    counts = CountsMap(_noise(source, 3), source)
    result = resample_counts(counts, target)
    assert result.before == pytest.approx(result.kept + result.outside, rel=TOTAL)
    assert min(result.kept, result.outside) >= 0.0


def _moved_to(grid: Grid, point_mm: np.ndarray) -> np.ndarray:
    affine = grid.affine_mm.copy()
    affine[:3, 3] = point_mm - affine[:3, :3] @ ((np.array(grid.shape) - 1) / 2)
    return affine


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(grids(), grids())
def test_a_target_that_holds_the_whole_source_loses_nothing(source, target):
    size = np.ceil(2.0 * np.linalg.norm(source.spacing_mm * source.shape) / target.spacing_mm).astype(int) + 1
    size = np.minimum(size, 120)
    holder = Grid(
        tuple(size), _moved_to(Grid(tuple(size), target.affine_mm, "F"), source.lps_mm((np.array(source.shape) - 1) / 2)), "F"
    )
    reach = holder.index_kji(
        source.lps_mm([[(0, source.shape[a] - 1)[c >> a & 1] + (c >> a & 1) - 0.5 for a in range(3)] for c in range(8)])
    )
    if (reach < 1).any() or (reach > size - 2).any():
        return
    counts = CountsMap(_noise(source, 5), source)
    result = resample_counts(counts, holder)
    assert result.outside == 0.0
    assert result.kept == pytest.approx(counts.counts.sum(dtype=np.float64), rel=TOTAL)
    wanted = _centroid_mm(counts.counts, source)
    assert np.linalg.norm(_centroid_mm(result.map.counts, holder) - wanted) <= 0.01 * min(
        holder.spacing_mm.min(), source.spacing_mm.min()
    )


def test_one_field_of_view_on_two_spacings_loses_nothing():
    """Boxes that end at the same place hold the same counts, though the outermost centres differ."""
    fine = grid_about((0, 0, 0), (64, 48, 80), (2.0, 2.5, 1.5))
    coarse = grid_about((0, 0, 0), (32, 24, 40), (4.0, 5.0, 3.0))
    for source, target in ((fine, coarse), (coarse, fine)):
        counts = CountsMap(np.full(source.shape, 2.0, np.float32), source)
        result = resample_counts(counts, target)
        assert result.kept == pytest.approx(result.before, rel=TOTAL)
        assert result.map.counts == pytest.approx(result.before / target.size, rel=1e-5)


def test_aligned_voxels_are_copied():
    """A crop, a flip and a change of axis order move numbers and blur nothing."""
    values = _noise(EMISSION)
    cropped = EMISSION.cropped((2, 3, 4), (20, 30, 25))
    assert np.array_equal(resample_counts(CountsMap(values, EMISSION), cropped).map.counts, values[2:20, 3:30, 4:25])
    assert np.array_equal(resample_dose(DoseMap(values, EMISSION), cropped).dose_gy, values[2:20, 3:30, 4:25])
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = -EMISSION.affine_mm[:3, 1], EMISSION.affine_mm[:3, 2], EMISSION.affine_mm[:3, 0]
    affine[:3, 3] = EMISSION.lps_mm((0, 30, 0))
    turned = Grid((31, 27, 23), affine, "F")
    assert np.array_equal(resample_counts(CountsMap(values, EMISSION), turned).map.counts, values.transpose(1, 2, 0)[::-1])


def test_a_no_op_returns_its_input():
    values = _noise(EMISSION)
    counts = CountsMap(values, EMISSION)
    activity = ActivityMap(values, EMISSION, Y90, datetime(2026, 5, 1, 9, tzinfo=UTC))
    dose, density = DoseMap(values, EMISSION), DensityMap(values, EMISSION)
    ct = HounsfieldMap(np.zeros(EMISSION.shape, np.int16), EMISSION)
    mask = Mask(values > 20, EMISSION, LIVER)
    assert resample_counts(counts, EMISSION).map is counts
    assert resample_activity(activity, EMISSION).map is activity
    assert resample_dose(dose, EMISSION) is dose
    assert resample_density(density, EMISSION, 0.0) is density
    assert hounsfield_on(ct, EMISSION) is ct
    assert mask_on(mask, EMISSION) is mask


def _ellipsoid(grid: Grid, centre_mm, radii_mm) -> np.ndarray:
    points = grid.lps_mm(np.moveaxis(np.indices(grid.shape), 0, -1)) - np.asarray(centre_mm)
    return np.asarray(((points / np.asarray(radii_mm)) ** 2).sum(axis=-1) <= 1.0)


@every_target
def test_occupancy_keeps_the_volume_and_the_place_of_a_structure(target):
    fine = grid_about((10, -20, 30), (60, 75, 70), (1.5, 1.1, 1.2))
    mask = Mask(_ellipsoid(fine, (14, -23, 28), (30, 24, 20)), fine, LIVER)
    filled = occupancy(mask, target)
    exact = 4 / 3 * np.pi * 30 * 24 * 20 / 1000
    assert mask.volume_ml == pytest.approx(exact, rel=0.005)
    assert filled.volume_ml == pytest.approx(mask.volume_ml, rel=VOLUME)
    assert np.linalg.norm(_centroid_mm(filled.fraction, target) - (14, -23, 28)) < 0.1
    assert filled.fraction.max() <= 1.0
    wanted = _ellipsoid(target, (14, -23, 28), (30, 24, 20))
    found = mask_on(mask, target).inside
    assert 2 * (wanted & found).sum() / (wanted.sum() + found.sum()) > 0.93  # Dice; voxels of 9 mm leave that much to chance


def test_a_structure_beyond_the_target_is_empty_there():
    away = grid_about((900, 0, 0), (5, 6, 7), (3.0, 3.5, 4.0), (5, 6, 7))
    mask = Mask(np.ones(EMISSION.shape, bool), EMISSION, LIVER)
    assert occupancy(mask, away).volume_ml == 0.0
    assert occupancy(Mask(np.zeros(EMISSION.shape, bool), EMISSION, LIVER), TARGETS["parallel, finer"]).volume_ml == 0.0


@every_target
def test_where_the_source_ends_the_stated_density_takes_over(target):
    density = DensityMap(np.full(EMISSION.shape, 1.05, np.float32), EMISSION)
    found = resample_density(density, target, 0.3).g_per_ml
    assert found.min() >= 0.3 - 1e-5 and found.max() <= 1.05 + 1e-5
    whole = np.prod(EMISSION.spacing_mm * EMISSION.shape)
    inside = ((found - 0.3) / 0.75).sum(dtype=np.float64) * np.prod(target.spacing_mm)
    assert inside == pytest.approx(whole, rel=0.003)  # a sharp edge, sampled


@pytest.mark.parametrize("angles", [(0, 0, 0), (9, -14, 21)], ids=["parallel", "oblique"])
def test_the_mean_dose_of_a_structure_survives(angles):
    """Less than 2 % between CT and working grid (3 to 4 mm). A dose with a hot spot and a fall-off like that of a tumour beside normal liver."""
    fine = grid_about((10, -20, 30), (60, 75, 70), (1.5, 1.1, 1.2))
    distance = np.linalg.norm(fine.lps_mm(np.moveaxis(np.indices(fine.shape), 0, -1)) - (18, -25, 33), axis=-1)
    dose = DoseMap((30.0 + 170.0 / (1.0 + np.exp((distance - 14.0) / 3.0))).astype(np.float32), fine)
    mask = Mask(_ellipsoid(fine, (14, -23, 28), (28, 22, 18)), fine, LIVER)
    target = grid_about((10, -20, 30), (40, 38, 41), (4.0, 3.6, 3.2), angles)
    weights = occupancy(mask, target).fraction.astype(np.float64)
    mean = (resample_dose(dose, target).dose_gy * weights).sum() / weights.sum()
    assert mean == pytest.approx(dose.dose_gy[mask.inside].mean(dtype=np.float64), rel=0.02)


def test_padding_is_air_for_display():
    hu = np.where(np.indices(EMISSION.shape)[2] < 5, -3024, 40).astype(np.int16)
    shown = hounsfield_on(HounsfieldMap(hu, EMISSION, -3024), TARGETS["parallel, coarser"]).hu
    assert shown.min() >= -1000


def test_frames_must_agree():
    other = TARGETS["parallel, finer"].in_frame("another")
    with pytest.raises(GridMismatch, match="frames"):
        resample_counts(CountsMap(_noise(EMISSION), EMISSION), other)
    with pytest.raises(GridMismatch, match="frames"):
        occupancy(Mask(_noise(EMISSION) > 1, EMISSION, LIVER), other)


def test_a_slab_of_one_slice_is_resampled_too():
    """A planar view is a volume of one slice."""
    planar = grid_about((0, 0, 0), (1, 40, 30), (10.0, 4.0, 4.4))
    target = grid_about((0.5, 0.2, 0), (1, 120, 100), (10.0, 2.1, 2.3))
    result = resample_counts(CountsMap(_noise(planar), planar), target)
    assert result.kept == pytest.approx(result.before, rel=TOTAL)
    oblique = grid_about((0, 0, 0), (9, 90, 80), (5.0, 3.1, 3.3), (3, 5, 7))
    result = resample_counts(CountsMap(_noise(planar), planar), oblique)
    assert result.kept == pytest.approx(result.before, rel=TOTAL)

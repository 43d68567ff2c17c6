"""CT numbers to density: the published table, the named alternative, contrast medium, order of averaging, and nothing clipped unseen."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.imaging.resample import mask_on, occupancy
from opensirt.imaging.tissue import (
    AIR_G_PER_ML,
    LINEAR_HU,
    SCHNEIDER,
    SOFT_TISSUE,
    ct_mass_kg,
    density_on,
    density_table,
    mass_g,
    native_density,
    relative_volume_uncertainty,
    volume_with_uncertainty,
)
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import GridMismatch, MissingInput
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import DensityMap, HounsfieldMap, Mask
from strategies import grid_about

LIVER, LUNGS, TUMOUR = Structure(StructureKind.LIVER), Structure(StructureKind.LUNGS), Structure(StructureKind.TUMOUR, "T1")
CT_GRID = grid_about((0, 0, 0), (24, 40, 36), (5.0, 1.6, 1.7))
WORKING = grid_about((0, 0, 0), (30, 16, 15), (4.0, 4.1, 4.2))
OBLIQUE = grid_about((0, 0, 0), (30, 16, 15), (4.0, 4.1, 4.2), (4, -6, 9))
FLOAT32 = 2e-6
"""Relative: float32 maps and weights."""
W11_MASS_G = 1e-3
"""Relative: the published numbers have three digits, the table is exact."""


def _ct(hu, grid: Grid = CT_GRID, padding: int | None = None) -> HounsfieldMap:
    return HounsfieldMap(np.broadcast_to(np.asarray(hu, np.int16), grid.shape), grid, padding)


def _mask(inside: np.ndarray, structure: Structure = LIVER, grid: Grid = CT_GRID) -> Mask:
    return Mask(inside, grid, structure)


def _density(hu: int, conversion=SCHNEIDER) -> float:
    return float(density_table(conversion, hu, hu)[0])


@pytest.mark.parametrize(
    ("hu", "g_per_ml"),  # Schneider et al. 2000, the densities of the table
    [
        (-1000, 0.00121),
        (-98, 0.93),
        (-97, 0.930486),
        (14, 1.03),
        (23, 1.031),
        (100, 1.1199),
        (101, 1.0762),
        (1600, 1.9642),
        (3000, 2.8),
    ],
)
def test_schneider_reads_its_published_knots(hu, g_per_ml):
    assert _density(hu) == pytest.approx(g_per_ml, rel=1e-6)


def test_the_table_is_the_published_file(shared_data):
    rows = [line.split() for line in (shared_data / "hu_tables" / "Schneider2000DensitiesTable.txt").read_text().splitlines()]
    knots = [(float(a), float(b)) for a, b in (row for row in rows if row[0] != "#")]
    assert list(zip(SCHNEIDER.hu, SCHNEIDER.g_per_ml, strict=True)) == knots


@pytest.mark.parametrize(
    ("hu", "low", "high"),
    [(-1000, 0.001, 0.0015), (-850, 0.14, 0.17), (-100, 0.92, 0.94), (0, 0.99, 1.03), (60, 1.03, 1.08), (1000, 1.5, 1.7)],
)
def test_tissues_have_their_densities(hu, low, high):
    """Air, lung, fat, water, muscle and contrast-free liver, cortical bone: from any textbook, not from the table."""
    assert low <= _density(hu) <= high


def test_lungs_have_lung_density_whatever_water_has():
    """A peer clipped CT numbers below 0 to water: lung doses came out three to four times too low."""
    assert _density(-700) == pytest.approx(0.31, rel=0.01)
    assert _density(-700, LINEAR_HU) == pytest.approx(0.30, rel=1e-6)
    assert _density(-950) < 0.06


@given(st.integers(-1000, 2999))
def test_density_never_falls_from_one_ct_number_to_the_next_but_at_the_published_step(hu):
    step = _density(hu + 1) - _density(hu)
    assert step >= 0 or hu == 100


@pytest.mark.parametrize(("conversion", "grams"), [(LINEAR_HU, 300.0), (SCHNEIDER, 310.1)])
def test_w11_a_litre_at_minus_700_hu(conversion, grams):
    grid = Grid((10, 20, 40), np.diag([5.0, 5.0, 5.0, 1.0]), "F")
    lungs = Mask(np.ones(grid.shape, bool), grid, LUNGS)
    assert lungs.volume_ml == pytest.approx(1000.0)
    ct = _ct(-700, grid)
    assert 1000 * ct_mass_kg(ct, lungs, conversion) == pytest.approx(grams, rel=W11_MASS_G)
    density = density_on(ct, grid, (), conversion).map
    assert mass_g(density, occupancy(lungs, grid)) == pytest.approx(grams, rel=W11_MASS_G)


@pytest.mark.parametrize("grid", [WORKING, OBLIQUE, CT_GRID], ids=["parallel", "oblique", "the CT's own"])
def test_contrast_medium_in_the_liver_changes_nothing(grid):
    """100 HU more inside the contour, as in an arterial phase or with lipiodol: the density stays the same, at the rim as well."""
    random = np.random.default_rng(2)
    hu = random.integers(-120, 80, CT_GRID.shape)
    inside = np.zeros(CT_GRID.shape, bool)
    inside[6:19, 11:33, 8:27] = True
    native = density_on(_ct(hu), grid, [_mask(inside)]).map.g_per_ml
    arterial = density_on(_ct(np.where(inside, hu + 100, hu)), grid, [_mask(inside)]).map.g_per_ml
    lipiodol = density_on(_ct(np.where(inside, 2000, hu)), grid, [_mask(inside)]).map.g_per_ml
    assert np.array_equal(native, arterial) and np.array_equal(native, lipiodol)
    deep = occupancy(_mask(inside), grid).fraction > 0.9999
    assert deep.any()
    assert native[deep] == pytest.approx(SOFT_TISSUE.value, rel=1e-4)


def test_a_voxel_half_liver_and_half_lung_is_half_of_each():
    hu = np.full(CT_GRID.shape, -700)
    inside = np.zeros(CT_GRID.shape, bool)
    inside[:, :20] = True
    hu[inside] = 180  # contrast
    target = grid_about((0, 0, 0), (12, 5, 18), (10.0, 6.4, 3.4))  # rows 18 to 21 of the CT make up the middle row
    found = density_on(_ct(hu), target, [_mask(inside)]).map.g_per_ml[4:8, 2, 4:14]
    assert found == pytest.approx((SOFT_TISSUE.value + _density(-700)) / 2, rel=1e-4)


def test_vessels_and_tumours_are_soft_tissue_too_and_overlaps_count_once():
    a, b = np.zeros(CT_GRID.shape, bool), np.zeros(CT_GRID.shape, bool)
    a[4:20, 5:30, 5:30], b[8:22, 10:35, 12:33] = True, True
    vessel = Structure(StructureKind.VESSELS)
    density = density_on(_ct(900), CT_GRID, [_mask(a), _mask(b, TUMOUR), _mask(b, vessel)]).map.g_per_ml
    assert density[a | b] == pytest.approx(SOFT_TISSUE.value)
    assert density[~(a | b)] == pytest.approx(_density(900))


def test_masks_on_other_grids_are_placed():
    coarse = grid_about((0, 0, 0), (15, 16, 15), (8.0, 4.0, 4.0), (4, -6, 9))
    inside = np.zeros(coarse.shape, bool)
    inside[3:12, 3:13, 3:12] = True
    density = density_on(_ct(900), CT_GRID, [_mask(inside, grid=coarse)]).map.g_per_ml
    on_ct = mask_on(_mask(inside, grid=coarse), CT_GRID).inside
    assert on_ct.any() and not on_ct.all()
    assert np.array_equal(density == np.float32(SOFT_TISSUE.value), on_ct)


def test_conversion_comes_before_averaging():
    """Half air, half bone: 300 HU in the mean, a density of 1.18; the mass is that of half air and half bone, 0.98."""
    hu = np.where(np.indices(CT_GRID.shape)[1] % 2 == 0, -1000, 1600)
    target = grid_about((0, 0, 0), (12, 10, 18), (10.0, 6.4, 3.4))
    density = density_on(_ct(hu), target, ()).map.g_per_ml[2:-2, 2:-2, 2:-2]
    halves = (_density(-1000) + _density(1600)) / 2
    assert density == pytest.approx(halves, rel=1e-4)
    assert abs(_density(300) - halves) > 0.15


@pytest.mark.parametrize("grid", [WORKING, OBLIQUE], ids=["parallel", "oblique"])
def test_the_mass_of_the_body_survives(grid):
    hu = np.full(CT_GRID.shape, -1000)
    hu[7:17, 11:29, 10:26] = np.random.default_rng(4).integers(-200, 300, (10, 18, 16))
    before = density_on(_ct(hu), CT_GRID, ()).map
    large = grid_about((0, 0, 0), tuple(n + 14 for n in grid.shape), grid.spacing_mm, (4, -6, 9) if grid is OBLIQUE else (0, 0, 0))
    after = density_on(_ct(hu), large, ()).map
    air_g = AIR_G_PER_ML * (large.size * large.voxel_volume_ml - CT_GRID.size * CT_GRID.voxel_volume_ml)
    assert after.total_mass_g - air_g == pytest.approx(before.total_mass_g, rel=2e-5 if grid is WORKING else 2e-3)


def test_ct_numbers_beyond_the_table_are_counted_not_clipped_in_silence():
    hu = np.zeros(CT_GRID.shape, np.int16)
    hu[0, 0, :5], hu[1, 1, :3], hu[2, 2, :9] = 3071, -1100, -1024  # −1024 is air on a 12-bit scanner
    result = density_on(_ct(hu), WORKING, ())
    (finding,) = result.findings
    assert finding.code == "tissue.hu_beyond_table"
    assert "8 CT voxels" in finding.message and "-1100 to 3071" in finding.message
    assert density_on(_ct(0), WORKING, ()).findings == ()


def test_padding_is_air_and_counted():
    hu = np.zeros(CT_GRID.shape, np.int16)
    hu[:, :, :9] = -2000
    result = density_on(_ct(hu, padding=-2000), CT_GRID, ())
    assert [finding.code for finding in result.findings] == ["tissue.padding"]
    assert f"{24 * 40 * 9} CT voxels (25.0 %)" in result.findings[0].message
    assert result.map.g_per_ml[:, :, :9] == pytest.approx(AIR_G_PER_ML)
    zero = density_on(_ct(np.where(hu == -2000, 0, 40), padding=0), CT_GRID, ())  # padding may be any value
    assert zero.map.g_per_ml[:, :, :9] == pytest.approx(AIR_G_PER_ML)


def test_mass_has_no_floor():
    """A peer clamped voxel masses at 50 mg: a 2 mm voxel of lung weighs 2.4 mg and must."""
    grid = Grid((3, 4, 5), np.diag([2.0, 2.0, 2.0, 1.0]), "F")
    lungs = Mask(np.ones(grid.shape, bool), grid, LUNGS)
    density = density_on(_ct(-700, grid), grid, (), LINEAR_HU).map
    assert mass_g(density, occupancy(lungs, grid)) == pytest.approx(60 * 0.3 * 0.008, rel=FLOAT32)
    empty = DensityMap(np.zeros(grid.shape, np.float32), grid)
    assert mass_g(empty, occupancy(lungs, grid)) == 0.0


def test_mass_needs_one_grid_and_a_structure():
    mask = _mask(np.ones(CT_GRID.shape, bool), LUNGS)
    with pytest.raises(GridMismatch):
        ct_mass_kg(_ct(0, WORKING), mask, SCHNEIDER)
    with pytest.raises(GridMismatch):
        mass_g(DensityMap(np.ones(WORKING.shape, np.float32), WORKING), occupancy(mask, CT_GRID))
    with pytest.raises(MissingInput, match="empty"):
        ct_mass_kg(_ct(0), _mask(np.zeros(CT_GRID.shape, bool)), SCHNEIDER)
    with pytest.raises(GridMismatch, match="frames"):
        density_on(_ct(0), WORKING.in_frame("another"), ())


def test_the_default_density_spans_what_is_in_use():
    """1.03 (Radulator) to 1.06 g/mL (Ho-166 practice) lie within 90 % of the default."""
    half = 1.645 * SOFT_TISSUE.standard_uncertainty
    assert SOFT_TISSUE.value - half <= 1.03 and 1.06 <= SOFT_TISSUE.value + half
    assert SOFT_TISSUE.source


def test_a_native_phase_gives_its_own_density():
    inside = np.zeros(CT_GRID.shape, bool)
    inside[4:12, 6:20, 6:20] = True
    native = native_density(_ct(np.where(inside, 55, -100)), _mask(inside))
    assert native.value == pytest.approx(_density(55), rel=FLOAT32)
    density = density_on(_ct(np.where(inside, 190, -100)), CT_GRID, [_mask(inside)], soft=native).map.g_per_ml
    assert density[inside] == pytest.approx(_density(55), rel=FLOAT32)


def test_volume_uncertainty_after_gear_2018():
    """By hand: 1 mm voxels, sphere of 20 mm: u(d)² = 1/6 + 4/(4 ln 2) mm², u(V)/V = 3 · 1.2689 / 20 = 19.0 %."""
    grid = Grid((9, 8, 7), np.diag([1.0, 1.0, 1.0, 1.0]), "F")
    sphere_ml = np.pi / 6 * 20.0**3 / 1000
    assert relative_volume_uncertainty(sphere_ml, grid, fwhm_mm=2.0) == pytest.approx(
        3 * np.sqrt(1 / 6 + 1 / np.log(2)) / 20, rel=1e-12
    )
    assert relative_volume_uncertainty(sphere_ml, grid, fwhm_mm=2.0) == pytest.approx(0.190, abs=5e-4)
    assert relative_volume_uncertainty(8 * sphere_ml, grid, fwhm_mm=2.0) == pytest.approx(0.095, abs=5e-4)


def test_volume_carries_its_contour():
    inside = np.zeros(CT_GRID.shape, bool)
    inside[4:12, 6:20, 6:20] = True
    volume = volume_with_uncertainty(_mask(inside, TUMOUR))
    assert volume.value == pytest.approx(8 * 14 * 14 * 5.0 * 1.6 * 1.7 / 1000)
    assert list(volume.contributions) == ["contour.tumour.T1"]
    assert volume_with_uncertainty(_mask(np.zeros(CT_GRID.shape, bool))).standard_uncertainty == 0.0


def test_shifts_of_a_contour_within_its_voxels_agree_with_the_stated_uncertainty():
    """Spheres of one size at random places on a coarse grid: the spread of their voxel-counted volumes stays below what is stated."""
    random = np.random.default_rng(11)
    grid = grid_about((0, 0, 0), (13, 14, 15), (4.0, 4.4, 3.6), (8, 5, -13))
    points = grid.lps_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    volumes = [(np.linalg.norm(points - random.uniform(-2, 2, 3), axis=-1) <= 15).sum() * grid.voxel_volume_ml for _ in range(200)]
    exact = 4 / 3 * np.pi * 15**3 / 1000
    stated = relative_volume_uncertainty(exact, grid, fwhm_mm=0.0)
    assert np.mean(volumes) == pytest.approx(exact, rel=0.01)
    assert np.std(volumes) / exact < stated


@pytest.mark.parametrize("angles", [(0, 0, 0), (0.4, -0.7, 1.1)], ids=["parallel", "oblique"])
def test_a_ct_is_never_copied_whole(angles):
    """Peak memory stays below five bytes a CT voxel; a single-precision copy and the table index it is made with take eight."""
    grid = grid_about((0, 0, 0), (60, 512, 500), (3.0, 0.8, 0.8))
    ct = HounsfieldMap(np.broadcast_to(np.int16(40), grid.shape), grid)
    liver = _mask(np.ones((60, 512, 500), bool), grid=grid)
    target = grid_about((0, 0, 0), (40, 90, 95), (4.0, 4.1, 4.2), angles)
    density_on(HounsfieldMap(ct.hu[:4], grid.cropped((0, 0, 0), (4, 512, 500))), target, ())  # compile first
    tracemalloc.start()
    try:
        density_on(ct, target, [liver])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * grid.size

"""Masks by threshold on drawn bodies of known volumes and on a real CT; the algebra of masks; organs cut by the field."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.imaging.segment import (
    body_by_threshold,
    cropped_to_content,
    cut_by_field,
    cut_edges,
    difference,
    intersection,
    lungs_by_threshold,
    lungs_without_liver,
    union,
)
from opensirt.imaging.tissue import LINEAR_HU, SCHNEIDER, ct_mass_kg
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import GridMismatch, MissingInput
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import HounsfieldMap, Mask
from strategies import grid_about

LIVER, LUNGS, BODY, OTHER = (Structure(StructureKind[name]) for name in ("LIVER", "LUNGS", "BODY", "OTHER"))
GRID = grid_about((0, 0, 0), (70, 100, 120), (4.0, 3.0, 3.2))
GAS_HU, LUNG_HU, FAT_HU = -1000, -780, -100


def _points(grid: Grid) -> np.ndarray:
    return grid.lps_mm(np.moveaxis(np.indices(grid.shape), 0, -1))


def _ellipsoid(grid: Grid, centre_mm, radii_mm) -> np.ndarray:
    return np.asarray((((_points(grid) - centre_mm) / radii_mm) ** 2).sum(axis=-1) <= 1.0)


def _ml(radii_mm) -> float:
    return float(4 / 3 * np.pi * np.prod(radii_mm) / 1000)


RIGHT, LEFT, STOMACH = ((-70, 0, 40), (45, 55, 70)), ((68, 4, 44), (40, 50, 64)), ((40, -20, -80), (45, 40, 38))


def _thorax(grid: Grid = GRID, *, gas: bool = True, vessels: bool = True) -> np.ndarray:
    """A trunk with two unequal lungs, vessels in them, a trachea, stomach gas of 290 mL, a table and noise."""
    x, y = (_points(grid)[..., axis] for axis in (0, 1))
    hu = np.full(grid.shape, GAS_HU, np.int16)
    trunk = (x / 160) ** 2 + (y / 110) ** 2 <= 1
    hu[trunk] = FAT_HU
    hu[(x / 150) ** 2 + (y / 100) ** 2 <= 1] = 40
    for lung in (RIGHT, LEFT):
        hu[_ellipsoid(grid, *lung)] = LUNG_HU
    if vessels:
        hu[((y - 10) ** 2 + (_points(grid)[..., 2] - 45) ** 2 <= 4.0**2) & (np.abs(np.abs(x) - 70) < 25)] = 40
    if gas:
        hu[_ellipsoid(grid, *STOMACH)] = GAS_HU
    hu[np.abs(y - 140) < 5] = 200  # the table
    return hu + np.random.default_rng(5).normal(0, 15, grid.shape).astype(np.int16)


def test_the_body_is_the_trunk_without_the_table():
    body = body_by_threshold(HounsfieldMap(_thorax(), GRID))
    trunk = np.pi * 160 * 110 * 70 * 4.0 / 1000
    assert body.volume_ml == pytest.approx(trunk, rel=0.02)  # half a voxel of skin is 1.3 %
    assert not body.inside[:, _points(GRID)[0, :, 0, 1] > 120].any()
    assert body.inside[_ellipsoid(GRID, *RIGHT)].all()  # lungs belong to the body


def test_lungs_are_both_lungs_and_not_the_stomach():
    lungs = lungs_by_threshold(HounsfieldMap(_thorax(), GRID))
    wanted = _ellipsoid(GRID, *RIGHT) | _ellipsoid(GRID, *LEFT)
    assert lungs.volume_ml == pytest.approx(_ml(RIGHT[1]) + _ml(LEFT[1]), rel=0.03)
    assert 2 * (lungs.inside & wanted).sum() / (lungs.voxels + wanted.sum()) > 0.97
    assert not (lungs.inside & _ellipsoid(GRID, *STOMACH)).any()
    assert lungs.inside[_ellipsoid(GRID, RIGHT[0], (10, 8, 10))].all()  # the vessel inside is closed


def test_axes_in_another_order_give_the_same_lungs():
    turned = grid_about((0, 0, 0), (100, 120, 70), (3.0, 3.2, 4.0), order=(1, 0, 2), signs=(-1, 1, -1))
    # planes of the in-plane filling are then coronal: lungs still lie inside the trunk there
    lungs = lungs_by_threshold(
        HounsfieldMap(_thorax(turned), turned), Mask(np.ones(turned.shape, bool) & (_thorax(turned) > -5000), turned, BODY)
    )
    outside = (_points(turned)[..., 0] / 160) ** 2 + (_points(turned)[..., 1] / 110) ** 2 > 1
    assert (lungs.inside & ~outside).sum() * turned.voxel_volume_ml == pytest.approx(_ml(RIGHT[1]) + _ml(LEFT[1]), rel=0.03)


def test_nothing_to_find_is_an_error_with_the_largest_air_space():
    hu = _thorax()
    hu[_ellipsoid(GRID, *RIGHT) | _ellipsoid(GRID, *LEFT)] = 40
    with pytest.raises(MissingInput, match="largest air space holds 2"):
        lungs_by_threshold(HounsfieldMap(hu, GRID))
    with pytest.raises(MissingInput, match="-300 HU"):
        body_by_threshold(HounsfieldMap(np.full(GRID.shape, -1000, np.int16), GRID))


def test_a_small_lung_beside_a_large_one_is_kept():
    hu = _thorax(gas=False)
    hu[_ellipsoid(GRID, *LEFT)] = 40
    hu[_ellipsoid(GRID, LEFT[0], (30, 30, 32))] = LUNG_HU  # 121 mL beside 726 mL
    assert lungs_by_threshold(HounsfieldMap(hu, GRID)).volume_ml == pytest.approx(_ml(RIGHT[1]) + _ml((30, 30, 32)), rel=0.04)


@given(st.integers(0, 2**16))
def test_set_algebra_of_masks(seed):
    random = np.random.default_rng(seed)
    grid = grid_about((1, 2, 3), (4, 5, 6), (3.0, 2.0, 1.0), (9, 8, 7))
    a, b, c = (Mask(random.random(grid.shape) < 0.5, grid, OTHER) for _ in range(3))
    both, either, only = intersection(a, b, LIVER), union([a, b], LIVER), difference(a, [b, c], LIVER)
    assert either.voxels + both.voxels == a.voxels + b.voxels
    assert only.voxels == a.voxels - intersection(a, union([b, c], OTHER), OTHER).voxels
    assert both.structure == either.structure == only.structure == LIVER
    assert not (only.inside & (b.inside | c.inside)).any()


def test_algebra_needs_one_grid_and_something_to_unite():
    a = Mask(np.ones((4, 5, 6), bool), grid_about((0, 0, 0), (4, 5, 6), (3.0, 2.0, 1.0)), LIVER)
    b = Mask(np.ones((4, 5, 6), bool), grid_about((1, 0, 0), (4, 5, 6), (3.0, 2.0, 1.0)), LUNGS)
    for operation in (lambda: union([a, b], OTHER), lambda: intersection(a, b, OTHER), lambda: difference(a, [b], OTHER)):
        with pytest.raises(GridMismatch, match="different grids"):
            operation()
    with pytest.raises(MissingInput, match="unite"):
        union([], OTHER)


def test_w10_a_voxel_shared_by_lung_and_liver_counts_once_as_liver():
    """Counts 40 in lungs, 720 in liver, 30 of them drawn as both: shunt 40/760 = 5.263 %, as if drawn apart."""
    grid = grid_about((0, 0, 0), (3, 4, 7), (3.0, 2.0, 1.0))
    counts, lungs, liver = np.zeros(grid.shape), np.zeros(grid.shape, bool), np.zeros(grid.shape, bool)
    counts[0], counts[1], counts[2] = 40 / 28, 690 / 28, 30 / 28
    lungs[0], lungs[2], liver[1], liver[2] = True, True, True, True
    lungs_only = lungs_without_liver(Mask(lungs, grid, LUNGS), Mask(liver, grid, LIVER))
    in_lungs, in_liver = counts[lungs_only.inside].sum(), counts[liver].sum()
    assert in_lungs / (in_lungs + in_liver) == pytest.approx(0.05263, abs=5e-6)
    assert lungs_only.structure == LUNGS


def test_an_organ_cut_by_the_field_names_the_faces():
    grid = grid_about((0, 0, 0), (20, 30, 40), (3.0, 2.0, 1.0))
    inside = np.zeros(grid.shape, bool)
    inside[5:20, 0:9, 10:30] = True
    assert cut_edges(Mask(inside, grid, LIVER), grid) == ("last slice", "first row")
    assert cut_edges(Mask(inside, grid, LIVER), grid, least_mm2=500.0) == ("first row",)  # 360 mm² on the slice, 900 on the row
    whole = np.zeros(grid.shape, bool)
    whole[1:19, 1:29, 1:39] = True
    assert cut_edges(Mask(whole, grid, LIVER), grid) == ()
    assert cut_edges(Mask(np.ones(grid.shape, bool), grid, LIVER), grid) == (
        "first slice", "last slice", "first row", "last row", "first column", "last column",
    )  # fmt: skip


def test_an_organ_cut_by_the_reconstructed_circle_is_cut():
    """The circle's edge lies inside the array; contact is counted in mm², so that a voxel or two do not matter."""
    x, y = (_points(GRID)[..., axis] for axis in (0, 1))
    padding = x**2 + y**2 > 130.0**2
    hu = np.where(padding, -2000, 40).astype(np.int16)
    reaching = Mask(_ellipsoid(GRID, (110, 0, 10), (60, 50, 70)) & ~padding, GRID, LIVER)
    inner = Mask(_ellipsoid(GRID, (20, 0, 10), (60, 50, 70)), GRID, LIVER)
    assert cut_edges(reaching, GRID) == ()
    assert cut_by_field(reaching, HounsfieldMap(hu, GRID, -2000)) == ("edge of the reconstructed circle",)
    assert cut_by_field(reaching, HounsfieldMap(hu, GRID, -2000), least_mm2=1e6) == ()
    assert cut_by_field(reaching, HounsfieldMap(hu, GRID)) == ()  # padding that is not declared cannot be told from air
    assert cut_by_field(inner, HounsfieldMap(hu, GRID, -2000)) == ()


def test_padding_is_no_body_whatever_its_value():
    trunk = (_points(GRID)[..., 0] / 120) ** 2 + (_points(GRID)[..., 1] / 90) ** 2 <= 1
    hu = np.where(trunk, 40, -1000).astype(np.int16)
    hu[:, :20] = 0  # padding that reads as water
    body = body_by_threshold(HounsfieldMap(hu, GRID, 0))
    assert not body.inside[:, :20].any()
    assert body.voxels == pytest.approx((trunk & (hu != 0)).sum(), rel=0.01)  # corners are rounded


def test_a_cropped_mask_is_the_same_structure():
    inside = np.zeros(GRID.shape, bool)
    inside[7:12, 30:40, 50:81] = True
    mask = Mask(inside, GRID, LIVER)
    small = cropped_to_content(mask)
    assert small.grid.shape == (7, 12, 33)
    assert small.volume_ml == pytest.approx(mask.volume_ml)
    assert small.grid.lps_mm(np.argwhere(small.inside)) == pytest.approx(GRID.lps_mm(np.argwhere(inside)))


@pytest.fixture(scope="module")
def real_ct(tmp_path_factory):
    """Chest and upper abdomen of a patient, read with pydicom alone."""
    from conftest import _beside

    pydicom = pytest.importorskip("pydicom")
    folder = tmp_path_factory.mktemp("ct")
    with tarfile.open(_beside("data") / "cptac-pda_C3N-00249" / "ct_chest_upper_abdomen.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    slices = sorted((pydicom.dcmread(path) for path in folder.rglob("*.dcm")), key=lambda s: float(s.ImagePositionPatient[2]))
    hu = np.stack([s.pixel_array.astype(np.int32) * int(s.RescaleSlope) + int(s.RescaleIntercept) for s in slices]).astype(np.int16)
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    row_mm, column_mm = (float(v) for v in slices[0].PixelSpacing)
    step_mm = float(slices[1].ImagePositionPatient[2]) - float(slices[0].ImagePositionPatient[2])
    affine[:3, :3] = [[0, 0, column_mm], [0, row_mm, 0], [step_mm, 0, 0]]
    affine[:3, 3] = [float(v) for v in slices[0].ImagePositionPatient]
    return HounsfieldMap(hu, Grid(hu.shape, affine, str(slices[0].FrameOfReferenceUID)))


@pytest.mark.slow
def test_lungs_of_a_real_ct(real_ct):
    lungs = lungs_by_threshold(real_ct)
    mass = ct_mass_kg(real_ct, lungs, SCHNEIDER)
    assert 3000 < lungs.volume_ml < 6000  # inspiration, two lungs
    assert 0.6 < mass < 1.1  # 0.822 ± 0.103 kg (Kao et al. 2013); within three standard deviations
    assert ct_mass_kg(real_ct, lungs, LINEAR_HU) == pytest.approx(mass, rel=0.05)
    left_of_middle = _points_x(real_ct.grid) > _points_x(real_ct.grid).mean()
    share = lungs.inside[:, :, left_of_middle].sum() / lungs.voxels
    assert 0.40 < share < 0.52  # the left lung is the smaller one
    assert not lungs.inside[:15].any()  # bowel gas of the lowest slices is not lung
    assert cut_edges(lungs, real_ct.grid, least_mm2=600.0) == ()  # whole lungs; only the trachea leaves the field
    sliver = HounsfieldMap(real_ct.hu[:40], real_ct.grid.cropped((0, 0, 0), (40, *real_ct.grid.shape[1:])))
    cut = lungs_by_threshold(sliver)
    assert cut_edges(cut, sliver.grid, least_mm2=600.0) == ("last slice",)


def _points_x(grid: Grid) -> np.ndarray:
    return np.asarray(
        grid.lps_mm(np.stack([np.zeros(grid.shape[2]), np.zeros(grid.shape[2]), np.arange(grid.shape[2])], axis=-1))[:, 0]
    )

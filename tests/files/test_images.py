"""NIfTI and MetaImage: what is written is read back by another program in the same place, and the other way round."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings

import strategies
from opensirt.files.images import TOTALSEGMENTATOR, is_image_file, read_image, read_label_map, write_image
from opensirt.files.label_numbers import read_numbers
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import GeometryError, InvalidValue, UnsupportedInput
from opensirt.vocabulary.geometry import Grid

ENDINGS = (".nii", ".nii.gz", ".mha", ".mhd")
POSITION_TOLERANCE_MM = 2e-3
"""NIfTI keeps positions in float32: 24 bits of up to 500 mm are 3e-5 mm, times the sums of a corner far away; SimpleITK makes the
directions orthonormal again from a float32 quaternion or matrix, 1e-6 of 500 mm."""
OBLIQUE = strategies.grid_about((12.0, -34.0, 56.0), (4, 5, 7), (3.0, 1.5, 2.25), (17, -8, 23))
FLIPPED = strategies.grid_about((-80.0, 20.0, -300.0), (3, 6, 5), (5.0, 0.8, 1.9), (0, 0, 0), (0, 2, 1), (-1, 1, -1))
GRIDS = pytest.mark.parametrize("grid", [OBLIQUE, FLIPPED], ids=["oblique", "flipped"])


def values_on(grid: Grid) -> np.ndarray:
    return np.random.default_rng(5).normal(0.0, 50.0, grid.shape).astype(np.float32)


def corners(grid: Grid) -> list[tuple[int, int, int]]:
    k, j, i = (n - 1 for n in grid.shape)
    return [(0, 0, 0), (k, 0, 0), (0, j, 0), (0, 0, i), (k, j, i), (1, 2, 1)]


@pytest.mark.parametrize("ending", ENDINGS)
@GRIDS
def test_another_program_finds_every_voxel_where_it_was_written(tmp_path: Path, grid: Grid, ending: str):
    values = values_on(grid)
    path = tmp_path / f"image{ending}"
    write_image(path, values, grid)
    image = sitk.ReadImage(str(path))  # LPS, x first
    for k, j, i in corners(grid):
        assert image.GetPixel(i, j, k) == values[k, j, i]
        place = image.TransformIndexToPhysicalPoint((i, j, k))
        assert np.allclose(place, grid.lps_mm((k, j, i)), atol=POSITION_TOLERANCE_MM)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@GRIDS
def test_nibabel_finds_every_voxel_in_ras(tmp_path: Path, grid: Grid, ending: str):
    values = values_on(grid)
    path = tmp_path / f"image{ending}"
    write_image(path, values, grid)
    image = nibabel.load(path)
    assert image.header.get_xyzt_units()[0] == "mm"
    for k, j, i in corners(grid):
        x, y, z = grid.lps_mm((k, j, i))
        assert np.allclose(image.affine @ (i, j, k, 1), (-x, -y, z, 1), atol=POSITION_TOLERANCE_MM)
        assert image.dataobj[i, j, k] == values[k, j, i]


@pytest.mark.parametrize("ending", ENDINGS)
@GRIDS
def test_what_another_program_wrote_is_found_where_it_put_it(tmp_path: Path, grid: Grid, ending: str):
    values = values_on(grid)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(grid.spacing_mm[::-1].tolist())
    image.SetDirection(grid.directions[:, ::-1].ravel().tolist())
    image.SetOrigin(grid.lps_mm((0, 0, 0)).tolist())
    path = tmp_path / f"image{ending}"
    sitk.WriteImage(image, str(path))
    read, found = read_image(path)
    assert np.array_equal(read, values)
    assert np.allclose(found.corners_mm(), grid.corners_mm(), atol=POSITION_TOLERANCE_MM)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strategies.grids())
def test_any_grid_comes_back(tmp_path: Path, grid: Grid):
    values = values_on(grid)
    for ending in (".nii", ".mha"):
        path = tmp_path / f"image{ending}"
        write_image(path, values, grid)
        read, found = read_image(path)
        assert np.array_equal(read, values)
        assert found.shape == grid.shape
        assert np.allclose(found.corners_mm(), grid.corners_mm(), atol=POSITION_TOLERANCE_MM)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int16, np.float32])
def test_label_maps_keep_their_numbers_and_kind(tmp_path: Path, ending: str, dtype: type):
    values = (np.arange(OBLIQUE.size).reshape(OBLIQUE.shape) % 2).astype(dtype)
    path = tmp_path / f"image{ending}"
    write_image(path, values, OBLIQUE)
    read, _ = read_image(path)
    assert np.array_equal(read, values)
    assert read.dtype.kind == ("u" if dtype is np.bool_ else np.dtype(dtype).kind)
    assert read.flags.c_contiguous


def nifti(path: Path, data: np.ndarray, affine: np.ndarray | None = None, **header) -> Path:
    image = nibabel.Nifti1Image(data, np.diag([2.0, 3.0, 4.0, 1.0]) if affine is None else affine)
    image.header.set_xyzt_units(header.get("unit", "mm"))
    nibabel.save(image, path)
    return path


CUBE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def test_scaled_integers_are_scaled(tmp_path: Path):
    numbers = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    path = nifti(tmp_path / "a.nii", numbers)
    whole = bytearray(path.read_bytes())
    whole[112:120] = np.array([0.5, -100.0], dtype="<f4").tobytes()  # scl_slope and scl_inter of the NIfTI-1 header
    path.write_bytes(bytes(whole))
    assert np.array_equal(read_image(path)[0], 0.5 * numbers.transpose(2, 1, 0) - 100.0)


def test_metres_become_millimetres(tmp_path: Path):
    metres = np.diag([0.002, 0.003, 0.004, 1.0])
    metres[:3, 3] = (0.01, 0.02, 0.03)
    _, grid = read_image(nifti(tmp_path / "a.nii", CUBE, metres, unit="meter"))
    assert np.allclose(grid.spacing_mm, (4.0, 3.0, 2.0))
    assert np.allclose(grid.lps_mm((0, 0, 0)), (-10.0, -20.0, 30.0))


def test_two_positions_that_disagree_are_refused(tmp_path: Path):
    image = nibabel.Nifti1Image(CUBE, np.diag([2.0, 3.0, 4.0, 1.0]))
    moved = np.diag([2.0, 3.0, 4.0, 1.0])
    moved[0, 3] = 0.5
    image.set_sform(np.diag([2.0, 3.0, 4.0, 1.0]), 1)
    image.set_qform(moved, 1)
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.raises(GeometryError, match=r"0\.50 mm"):
        read_image(tmp_path / "a.nii")
    image.set_qform(np.diag([-2.0, 3.0, 4.0, 1.0]), 1)  # left and right swapped
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.raises(GeometryError):
        read_image(tmp_path / "a.nii")


def test_no_position_is_refused(tmp_path: Path):
    image = nibabel.Nifti1Image(CUBE, None)
    image.header["sform_code"] = image.header["qform_code"] = 0
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.raises(GeometryError, match="no position"):
        read_image(tmp_path / "a.nii")


def test_an_affine_that_cannot_be_inverted_is_refused(tmp_path: Path):
    image = nibabel.Nifti1Image(CUBE, np.eye(4))
    flat = np.eye(4)
    flat[:3, 1] = flat[:3, 0]
    image.set_sform(flat, 1)
    image.set_qform(None, 0)
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.raises(GeometryError, match="degenerate"):
        read_image(tmp_path / "a.nii")


def test_four_dimensions_are_refused_unless_the_fourth_is_one(tmp_path: Path):
    assert read_image(nifti(tmp_path / "a.nii", CUBE[..., None]))[0].shape == (4, 3, 2)
    with pytest.raises(InvalidValue, match="4 dimensions"):
        read_image(nifti(tmp_path / "b.nii", np.stack([CUBE, CUBE], axis=-1)))
    with pytest.raises(InvalidValue, match="2 dimensions"):
        read_image(nifti(tmp_path / "c.nii", CUBE[0]))


def test_complex_and_coloured_images_are_refused(tmp_path: Path):
    with pytest.raises(InvalidValue, match="complex"):
        read_image(nifti(tmp_path / "a.nii", CUBE.astype(np.complex64)))
    colour = np.zeros((2, 3, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(InvalidValue, match="type"):
        read_image(nifti(tmp_path / "b.nii", colour))
    sitk.WriteImage(sitk.Image(3, 4, 5, sitk.sitkVectorUInt8), str(tmp_path / "c.mha"))
    with pytest.raises(InvalidValue, match="components"):
        read_image(tmp_path / "c.mha")
    sitk.WriteImage(sitk.Image(3, 4, sitk.sitkUInt8), str(tmp_path / "d.mha"))
    with pytest.raises(InvalidValue, match="2 dimensions"):
        read_image(tmp_path / "d.mha")


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mha"])
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.95])
def test_a_cut_off_file_is_refused(tmp_path: Path, ending: str, keep: float):
    grid = strategies.grid_about((0, 0, 0), (20, 21, 22), (1.0, 2.0, 3.0))
    path = tmp_path / f"image{ending}"
    write_image(path, values_on(grid), grid)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(InvalidValue, match="cannot be read"):
        read_image(path)


def test_damaged_compression_is_refused(tmp_path: Path):
    path = tmp_path / "image.nii.gz"
    write_image(path, values_on(OBLIQUE), OBLIQUE)
    whole = bytearray(path.read_bytes())
    for at in range(40, len(whole), 5):
        whole[at] ^= 0xFF
    path.write_bytes(bytes(whole))
    with pytest.raises(InvalidValue, match="cannot be read"):
        read_image(path)


def test_a_header_without_its_data_is_refused(tmp_path: Path):
    write_image(tmp_path / "a.mhd", values_on(OBLIQUE), OBLIQUE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mhd", "a.raw"]
    (tmp_path / "a.raw").unlink()
    with pytest.raises(InvalidValue, match="raw"):
        read_image(tmp_path / "a.mhd")


def test_a_sheared_grid_goes_into_nifti_and_not_into_metaimage(tmp_path: Path):
    affine = np.diag([4.0, 3.0, 2.0, 1.0])[:, [2, 1, 0, 3]]
    affine[0, 0] = 0.8
    sheared = Grid((3, 4, 5), affine)
    write_image(tmp_path / "a.nii", values_on(sheared), sheared)
    assert np.allclose(read_image(tmp_path / "a.nii")[1].affine_mm, affine, atol=POSITION_TOLERANCE_MM)
    with pytest.raises(GeometryError, match="right angles"):
        write_image(tmp_path / "a.mha", values_on(sheared), sheared)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii"]


def test_other_endings_and_missing_files_are_refused(tmp_path: Path):
    assert is_image_file(Path("A.NII.GZ"))
    assert not is_image_file(Path("a.dcm"))
    with pytest.raises(InvalidValue, match="no file"):
        read_image(tmp_path / "a.nii")
    (tmp_path / "a.png").write_text("")
    with pytest.raises(UnsupportedInput, match=r"a\.png"):
        read_image(tmp_path / "a.png")
    with pytest.raises(UnsupportedInput):
        write_image(tmp_path / "a.npz", values_on(OBLIQUE), OBLIQUE)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.nii"
    write_image(path, values_on(OBLIQUE), OBLIQUE)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nibabel, "save", fail)
    with pytest.raises(OSError, match="space"):
        write_image(path, values_on(OBLIQUE), OBLIQUE)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii"]


def test_label_maps_become_masks_by_number(tmp_path: Path):
    values = np.zeros(OBLIQUE.shape, dtype=np.uint8)
    values[0] = 5
    values[1, 0], values[1, 1], values[1, 2], values[1, 3], values[1, 4] = 10, 11, 12, 13, 14
    values[2, 0, 0] = 99
    write_image(tmp_path / "a.nii.gz", values, OBLIQUE)
    masks = {mask.structure.key: mask for mask in read_label_map(tmp_path / "a.nii.gz", TOTALSEGMENTATOR)}
    assert set(masks) == {"liver", "lungs"}
    assert np.array_equal(masks["liver"].inside, values == 5)
    assert np.array_equal(masks["lungs"].inside, (values >= 10) & (values <= 14))
    with pytest.raises(InvalidValue, match=r"none of the labels \[7\].*\[0, 5, 10"):
        read_label_map(tmp_path / "a.nii.gz", {Structure(StructureKind.LIVER): (7,)})


@pytest.mark.parametrize("bad", [0.4, np.nan, np.inf])
def test_a_label_map_holds_whole_numbers(tmp_path: Path, bad: float):
    values = np.full(OBLIQUE.shape, 5.0, dtype=np.float32)
    values[1, 1, 1] = bad
    write_image(tmp_path / "a.nii", values, OBLIQUE)
    with pytest.raises(InvalidValue, match="whole numbers"):
        read_label_map(tmp_path / "a.nii", TOTALSEGMENTATOR)


def test_numbers_stated_by_a_person(tmp_path: Path):
    path = tmp_path / "numbers.json"
    path.write_text(json.dumps({"liver": [1], "tumour.T1": [2, 3]}))
    assert read_numbers(path) == {Structure(StructureKind.LIVER): (1,), Structure(StructureKind.TUMOUR, "T1"): (2, 3)}
    path.write_text('{"leber": [1]}')
    with pytest.raises(InvalidValue, match="leber"):
        read_numbers(path)
    path.write_text('{"liver": 1}')
    with pytest.raises(InvalidValue):
        read_numbers(path)
    with pytest.raises(InvalidValue, match="no file"):
        read_numbers(tmp_path / "none.json")


def test_the_numbers_of_totalsegmentator(shared_data: Path):
    path = shared_data / "totalsegmentator" / "example_seg_fast_force_split.nii.gz"
    masks = {mask.structure.key: mask for mask in read_label_map(path, TOTALSEGMENTATOR)}
    assert "liver" in masks
    ct, grid = read_image(shared_data / "totalsegmentator" / "example_ct.nii.gz")
    assert masks["liver"].grid.is_same_as(grid)
    mean_hu = float(ct[masks["liver"].inside].mean())
    assert 20.0 < mean_hu < 200.0  # liver parenchyma, with or without contrast medium
    right = grid.lps_mm(np.argwhere(masks["liver"].inside).mean(axis=0))[0]
    body = grid.lps_mm(np.argwhere(ct > -200).mean(axis=0))[0]
    assert right < body  # the liver lies on the patient's right: lower x in LPS

"""Structures out: contours and segments, read back by plastimatch, highdicom and our reader, judged by dicom3tools."""

from __future__ import annotations

import subprocess

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dicom.written import STUDY, axial_grid, complaints, oblique_grid, series
from opensirt.dicom.contours import slice_polygons
from opensirt.dicom.rasterise import fill_even_odd
from opensirt.dicom.read import read_study
from opensirt.dicom.write_ct import write_ct
from opensirt.dicom.write_structures import DrawnOn, structure_name, write_rtstruct, write_seg
from opensirt.vocabulary.anatomy import structure_from_key
from opensirt.vocabulary.errors import GridMismatch, InvalidValue
from opensirt.vocabulary.volumes import HounsfieldMap, Mask

PLASTIMATCH_SHARE = 0.02
"""plastimatch fills polygons by its own scan-line rule on voxel centres: voxels whose centre lies within rounding of an edge may differ."""
KEYS = ("liver", "tumour.T1", "territory.right", "left_lung", "right_lung", "extrahepatic.duodenum", "body")


def _masks(grid) -> list[Mask]:
    k, j, i = np.indices(grid.shape)
    nk, nj, ni = grid.shape
    ball = ((k - nk / 2) * 3) ** 2 + (j - nj / 2) ** 2 + (i - ni / 2) ** 2
    shell = (ball < (0.42 * nj) ** 2) & ~(ball < (0.2 * nj) ** 2)  # a hole
    inner = shell | (ball < (0.08 * nj) ** 2)  # an island in the hole
    corner = (k < 2) & (j < 3) & (i < 4)  # touches three faces
    single = (k == nk - 1) & (j == nj - 1) & (i == ni - 1)
    diagonal = (k == 1) & (j == i)
    two = (np.abs(j - nj / 3) < 2) & (np.abs(i - ni / 3) < 3) | (np.abs(j - 0.8 * nj) < 3) & (np.abs(i - 0.8 * ni) < 2)
    return [
        Mask(m, grid, structure_from_key(key))
        for key, m in zip(KEYS, (inner, shell, corner, single, diagonal, two, k >= 0), strict=True)
    ]


def _write(tmp_path, grid, masks):
    ct = HounsfieldMap(np.zeros(grid.shape, np.int16), grid)
    drawn_on = DrawnOn(ct, series("ct"))
    (tmp_path / "ct").mkdir()
    write_ct(ct, tmp_path / "ct", STUDY, series("ct"), lambda _: None)
    write_rtstruct(masks, tmp_path / "rs.dcm", STUDY, series("structures", 2), drawn_on, lambda _: None)
    return drawn_on


GRIDS = {"axial": axial_grid(), "oblique": oblique_grid((5, 31, 29)), "against": oblique_grid((5, 31, 29), against=True)}


@pytest.mark.parametrize("name", GRIDS)
def test_contours_give_every_voxel_back(tmp_path, name):
    grid, against = GRIDS[name], name == "against"
    masks = _masks(grid)
    _write(tmp_path, grid, masks)
    study = read_study(tmp_path, lambda _: None)
    found = {item.mask.structure.key: item for item in study.structures}
    assert set(found) == set(KEYS)
    for mask in masks:
        inside = mask.inside[::-1] if against else mask.inside  # a reader stacks slices along row × column
        assert np.array_equal(found[mask.structure.key].mask.inside, inside), mask.structure.key
        assert found[mask.structure.key].synthetic


@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 14))))
@settings(max_examples=300, deadline=None)
def test_any_slice_survives_polygons_and_back(inside):
    if inside.any():
        assert np.array_equal(fill_even_odd(slice_polygons(inside), inside.shape), inside)


def test_area_of_a_disc_with_a_hole():
    """π (R² − r²), to half a pixel a ring and the staircase of the pixels."""
    j, i = np.indices((80, 90))
    rho = np.hypot(j - 40.3, i - 44.6)
    (polygon,) = slice_polygons((rho < 30.0) & (rho >= 12.0))
    y, x = polygon.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert area == pytest.approx(np.pi * (30.0**2 - 12.0**2), rel=0.01)


def test_plastimatch_fills_the_same_voxels(tmp_path, plastimatch):
    masks = _masks(axial_grid())[:3]
    _write(tmp_path, masks[0].grid, masks)
    subprocess.run(
        [
            plastimatch,
            "convert",
            "--input",
            str(tmp_path / "rs.dcm"),
            "--referenced-ct",
            str(tmp_path / "ct"),
            "--output-prefix",
            str(tmp_path / "out"),
            "--prefix-format",
            "nrrd",
        ],
        check=True,
        capture_output=True,
    )
    for mask in masks:
        (path,) = [p for p in (tmp_path / "out").iterdir() if p.stem.replace("_", " ") == structure_name(mask.structure)]
        inside = sitk.GetArrayFromImage(sitk.ReadImage(str(path))) > 0
        different = int((inside != mask.inside).sum())
        assert different <= PLASTIMATCH_SHARE * mask.voxels + 1, (mask.structure.key, different, mask.voxels)


@pytest.mark.parametrize("against", [False, True])
def test_highdicom_reads_the_same_segments(tmp_path, against):
    grid = oblique_grid((5, 31, 29), against=against)
    masks = _masks(grid)
    drawn_on = _write(tmp_path, grid, masks)
    write_seg(masks, tmp_path / "seg.dcm", STUDY, series("segmentation", 3), drawn_on)
    seg = highdicom.seg.segread(tmp_path / "seg.dcm")
    sources = [str(seg_uid) for seg_uid in _instances(tmp_path)]
    pixels = seg.get_pixels_by_source_instance(
        source_sop_instance_uids=sources, ignore_spatial_locations=True, assert_missing_frames_are_empty=True
    )
    for number, mask in enumerate(masks):
        assert seg.get_segment_description(number + 1).segment_label == structure_name(mask.structure)
        assert np.array_equal(pixels[..., number] > 0, mask.inside), mask.structure.key
    (tmp_path / "rs.dcm").unlink()
    study = read_study(tmp_path, lambda _: None)
    found = {item.mask.structure.key: item.mask.inside for item in study.structures}
    assert all(np.array_equal(found[mask.structure.key], mask.inside[:: -1 if against else 1]) for mask in masks)


def _instances(tmp_path):
    return [pydicom.dcmread(path).SOPInstanceUID for path in sorted((tmp_path / "ct").iterdir())]


def test_the_verifier_has_nothing_to_say(tmp_path, dciodvfy):
    masks = _masks(axial_grid())
    drawn_on = _write(tmp_path, masks[0].grid, masks)
    write_seg(masks, tmp_path / "seg.dcm", STUDY, series("segmentation", 3), drawn_on)
    assert complaints(dciodvfy, tmp_path / "rs.dcm") == []
    assert complaints(dciodvfy, tmp_path / "seg.dcm") == []


def test_bytes_repeat_and_carry_the_mark(tmp_path):
    masks = _masks(axial_grid())
    drawn_on = _write(tmp_path, masks[0].grid, masks)
    write_rtstruct(masks, tmp_path / "again.dcm", STUDY, series("structures", 2), drawn_on, lambda _: None)
    for name in ("seg", "seg_again"):
        write_seg(masks, tmp_path / f"{name}.dcm", STUDY, series("segmentation", 3), drawn_on)
    assert (tmp_path / "rs.dcm").read_bytes() == (tmp_path / "again.dcm").read_bytes()
    assert (tmp_path / "seg.dcm").read_bytes() == (tmp_path / "seg_again.dcm").read_bytes()
    rs, seg = pydicom.dcmread(tmp_path / "rs.dcm"), pydicom.dcmread(tmp_path / "seg.dcm")
    assert rs.StructureSetDescription == "SYNTHETIC - NOT A PATIENT" == seg.ImageComments == seg.ContentDescription
    assert all(str(d.PatientName).startswith("SYNTHETIC^") and d.SeriesDescription.startswith("SYNTHETIC") for d in (rs, seg))


def test_an_empty_mask_and_another_grid_are_refused(tmp_path):
    grid = axial_grid()
    masks = _masks(grid)
    drawn_on = _write(tmp_path, grid, masks)
    empty = Mask(np.zeros(grid.shape, bool), grid, structure_from_key("liver"))
    with pytest.raises(InvalidValue, match="empty"):
        write_rtstruct([empty], tmp_path / "x.dcm", STUDY, series("structures"), drawn_on, lambda _: None)
    with pytest.raises(GridMismatch):
        write_seg(_masks(oblique_grid()), tmp_path / "x.dcm", STUDY, series("segmentation"), drawn_on)
    assert not (tmp_path / "x.dcm").exists()

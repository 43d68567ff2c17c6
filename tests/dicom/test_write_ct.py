"""CT out: written, read back by SimpleITK and by our reader, judged by dicom3tools."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from dicom.written import FRAME, STUDY, complaints, geometry_of, oblique_grid, series
from opensirt.dicom.read import read_study
from opensirt.dicom.write_common import derived_uid
from opensirt.dicom.write_ct import ct_instance_uids, write_ct
from opensirt.vocabulary.errors import GeometryError
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import HounsfieldMap

POSITION_TOLERANCE_MM = 1e-4
"""Decimal strings of 16 characters hold positions to 1e-12; SimpleITK multiplies a spacing derived from two slices by their number."""


def _ct(*, against: bool = False) -> HounsfieldMap:
    rng = np.random.default_rng(5)
    grid = oblique_grid(against=against)
    return HounsfieldMap(rng.integers(-1024, 3072, grid.shape).astype(np.int16), grid, padding_hu=-2000)


def _written(tmp_path, ct):
    return write_ct(ct, tmp_path, STUDY, series("ct"), lambda _: None)


@pytest.mark.parametrize("against", [False, True])
def test_simpleitk_reads_the_same_volume(tmp_path, against):
    ct = _ct(against=against)
    paths = _written(tmp_path, ct)
    image = sitk.ReadImage([str(path) for path in (reversed(paths) if against else paths)])
    values, affine = sitk.GetArrayFromImage(image), geometry_of(image)
    expected = ct.hu[::-1] if against else ct.hu
    assert np.array_equal(values, expected)
    first = ct.grid.lps_mm((ct.grid.shape[0] - 1 if against else 0, 0, 0))
    assert np.abs(affine[:3, 3] - first).max() < POSITION_TOLERANCE_MM
    assert np.abs(affine[:3, 1:3] - ct.grid.affine_mm[:3, 1:3]).max() < POSITION_TOLERANCE_MM


def test_our_reader_gives_the_volume_back_without_a_fault(tmp_path):
    ct = _ct()
    _written(tmp_path, ct)
    study = read_study(tmp_path, lambda _: None)
    (volume,) = study.volumes
    assert study.faults == ()
    assert np.array_equal(volume.map.hu, ct.hu)
    assert volume.map.grid.is_same_as(ct.grid)
    assert volume.map.padding_hu == -2000
    assert volume.facts.synthetic


def test_the_verifier_has_nothing_to_say(tmp_path, dciodvfy):
    assert [line for path in _written(tmp_path, _ct()) for line in complaints(dciodvfy, path)] == []


def test_identity_is_derived_and_bytes_repeat(tmp_path):
    ct = _ct()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first, second = _written(tmp_path / "first", ct), _written(tmp_path / "second", ct)
    assert [a.read_bytes() for a in first] == [b.read_bytes() for b in second]
    data = [pydicom.dcmread(path) for path in first]
    assert [str(d.SOPInstanceUID) for d in data] == ct_instance_uids(STUDY, series("ct"), len(data))
    assert len({d.SOPInstanceUID for d in data}) == len(data)
    assert {str(d.FrameOfReferenceUID) for d in data} == {FRAME}
    assert {d.TimezoneOffsetFromUTC for d in data} == {"-0330"}


def test_a_derived_uid_is_a_valid_one():
    uid = pydicom.uid.UID(derived_uid("a", "b"))
    assert uid.is_valid
    assert uid != derived_uid("a", "c")
    assert 0 < int(uid.split(".")[2]) < 2**128  # PS3.5 B.2: a UUID as one decimal number


def test_every_image_says_that_it_is_no_patient(tmp_path):
    for path in _written(tmp_path, _ct()):
        data = pydicom.dcmread(path)
        assert str(data.PatientName).startswith("SYNTHETIC^")
        assert data.PatientID.startswith("SYNTHETIC-")
        assert data.ImageComments == "SYNTHETIC - NOT A PATIENT"
        assert data.SeriesDescription.startswith("SYNTHETIC")
        assert data.ManufacturerModelName == "opensirt synthetic"


def test_a_sheared_grid_is_refused(tmp_path):
    ct = _ct()
    affine = ct.grid.affine_mm.copy()
    affine[0, 1] += 0.1
    sheared = HounsfieldMap(ct.hu.copy(), Grid(ct.grid.shape, affine, FRAME))
    with pytest.raises(GeometryError, match="right angles"):
        _written(tmp_path, sheared)
    assert list(tmp_path.iterdir()) == []

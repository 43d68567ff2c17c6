"""CT series into Hounsfield volumes: any orientation, every irregularity named, values as written."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest
import SimpleITK as sitk
from highdicom.legacy import LegacyConvertedEnhancedCTImage
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

from dicom.builders import (
    AXIAL,
    FRAME,
    OBLIQUE,
    ORIENTATIONS,
    SHAPE,
    affine,
    codes,
    ds,
    read,
    rotation,
    write_ct,
)

SAME_PLACE_MM = 1e-4
"""Decimal strings of 10 figures hold positions of some 100 mm to 1e-7 mm; the tolerance leaves room for three roundings."""


def random_stored(seed: int = 1, shape=SHAPE, dtype=np.uint16, low=0, high=3000) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_values_lie_where_they_were_written(tmp_path, name):
    stored, matrix = random_stored(), affine(ORIENTATIONS[name])
    write_ct(tmp_path, stored, matrix)
    study = read(tmp_path)
    assert study.faults == ()
    (volume,) = study.volumes
    assert volume.kind == "ct"
    grid = volume.map.grid
    for k, j, i in np.ndindex(SHAPE):
        if (k + j + i) % 3:
            continue
        where = matrix[:3, :3] @ (k, j, i) + matrix[:3, 3]
        found = grid.index_kji(where)
        assert np.abs(found - np.rint(found)).max() < SAME_PLACE_MM
        assert volume.map.hu[tuple(np.rint(found).astype(int))] == int(stored[k, j, i]) - 1024
    assert grid.frame == FRAME


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_a_second_reader_agrees_on_every_voxel(tmp_path, name):
    write_ct(tmp_path, random_stored(), affine(ORIENTATIONS[name]))
    (volume,) = read(tmp_path).volumes
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    other = reader.Execute()
    hu = sitk.GetArrayViewFromImage(other)
    for k, j, i in [(0, 0, 0), (5, 3, 9), (2, 10, 13), (4, 7, 0)]:
        where = volume.map.grid.lps_mm((k, j, i))
        index = other.TransformPhysicalPointToContinuousIndex(where.tolist())
        nearest = tuple(int(v) for v in np.rint(index[::-1]))
        assert np.abs(np.array(index[::-1]) - nearest).max() < SAME_PLACE_MM
        assert hu[nearest] == volume.map.hu[k, j, i]


def test_slice_thickness_does_not_count(tmp_path):
    write_ct(tmp_path, random_stored(), affine(), lambda data, k: setattr(data, "SliceThickness", "5"))
    study = read(tmp_path)
    assert study.faults == ()
    assert study.volumes[0].map.grid.spacing_mm == pytest.approx([2.5, 1.7, 0.9], rel=1e-8)


def test_rescale_of_each_slice_is_its_own(tmp_path):
    stored = random_stored()

    def edit(data, k):
        data.RescaleSlope, data.RescaleIntercept = ds([1.0 + 0.25 * k])[0], ds([-1000 - k])[0]

    write_ct(tmp_path, stored, affine(), edit)
    hu = read(tmp_path).volumes[0].map.hu
    k = np.arange(SHAPE[0])[:, None, None]
    assert np.array_equal(hu, np.rint(stored * (1.0 + 0.25 * k) - 1000 - k))


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [(np.uint16, 0, 4000), (np.int16, -1000, 3000), (np.uint8, 0, 255), (np.int32, -900, 900)]
)
def test_every_pixel_type(tmp_path, dtype, low, high):
    stored = random_stored(2, dtype=dtype, low=low, high=high)
    write_ct(tmp_path, stored, affine(), lambda data, k: setattr(data, "RescaleIntercept", "-24"))
    assert np.array_equal(read(tmp_path).volumes[0].map.hu, stored.astype(int) - 24)


def test_overlay_bits_above_the_stored_bits_are_no_values(tmp_path):
    stored = random_stored(3, high=4096)

    def edit(data, k):
        data.BitsStored, data.HighBit = 12, 11
        data.PixelData = (stored[k] | 0x5000).astype("<u2").tobytes()

    write_ct(tmp_path, stored, affine(), edit)
    assert np.array_equal(read(tmp_path).volumes[0].map.hu, stored.astype(int) - 1024)


def test_padding_keeps_its_value_and_is_declared(tmp_path):
    stored = random_stored(4, dtype=np.int16, low=0, high=2000)
    stored[:, :2, :] = -2000

    def edit(data, k):
        data.add_new("PixelPaddingValue", "SS", -2000)

    write_ct(tmp_path, stored, affine(), edit)
    ct = read(tmp_path).volumes[0].map
    assert ct.padding_hu == -3024
    assert np.array_equal(ct.hu == ct.padding_hu, stored == -2000)


def test_padding_written_unsigned_for_signed_pixels(tmp_path):
    stored = random_stored(4, dtype=np.int16, low=0, high=2000)
    stored[:, :, -1] = -2000
    write_ct(tmp_path, stored, affine(), lambda data, k: data.add_new("PixelPaddingValue", "US", 65536 - 2000))
    assert read(tmp_path).volumes[0].map.padding_hu == -3024


def test_padding_outside_int16_becomes_the_lowest_value(tmp_path):
    stored = random_stored(5, dtype=np.int16, low=0, high=2000)
    stored[:, 0] = -32768

    def edit(data, k):
        data.add_new("PixelPaddingValue", "SS", -32768)

    write_ct(tmp_path, stored, affine(), edit)
    ct = read(tmp_path).volumes[0].map
    assert ct.padding_hu == -32768
    assert (ct.hu[:, 0] == -32768).all()
    assert np.array_equal(ct.hu[:, 1:], stored[:, 1:] - 1024)


def test_padding_range_and_slope_that_changes(tmp_path):
    stored = random_stored(6, dtype=np.int16, low=100, high=2000)
    stored[:, 0], stored[:, 1] = -2000, -1990

    def edit(data, k):
        data.add_new("PixelPaddingValue", "SS", -2000)
        data.add_new("PixelPaddingRangeLimit", "SS", -1990)
        data.RescaleIntercept = ds([-1024 + k])[0]

    write_ct(tmp_path, stored, affine(), edit)
    ct = read(tmp_path).volumes[0].map
    assert np.array_equal(ct.hu == ct.padding_hu, stored < 0)


def test_values_beyond_int16_are_refused(tmp_path):
    stored = random_stored(high=60000)
    stored[2, 0, 0] = 65535
    write_ct(tmp_path, stored, affine(), lambda data, k: setattr(data, "RescaleIntercept", "0"))
    study = read(tmp_path)
    assert study.volumes == ()
    assert "ct.hu_range" in codes(study)
    assert codes(study)[-1] == "series.incomplete"


def test_a_missing_slice_is_named_with_its_place(tmp_path):
    matrix = affine(AXIAL, origin=(-10.0, -20.0, 100.0))
    write_ct(tmp_path, random_stored(), matrix)[3].unlink()
    study = read(tmp_path)
    assert study.volumes == ()
    (fault,) = study.faults
    assert fault.code == "series.gap"
    assert "between 105.00 and 110.00 mm" in fault.message
    assert fault.series_uid == "1.2.3.10"


def test_two_phases_in_one_series_are_refused(tmp_path):
    write_ct(tmp_path / "a", random_stored(1), affine())
    write_ct(tmp_path / "b", random_stored(2), affine())
    study = read(tmp_path)
    assert codes(study) == ["series.duplicate_position"]
    assert study.volumes == ()


def test_the_same_file_twice_is_used_once(tmp_path):
    paths = write_ct(tmp_path, random_stored(), affine())
    (tmp_path / "zz_copy.dcm").write_bytes(paths[2].read_bytes())
    study = read(tmp_path)
    assert codes(study) == ["file.duplicate"]
    assert "zz_copy.dcm" in study.faults[0].message
    assert study.volumes[0].map.hu.shape == SHAPE


def test_uneven_slices_are_refused(tmp_path):
    def edit(data, k):
        if k == 3:
            data.ImagePositionPatient = ds(np.array(data.ImagePositionPatient, float) + 0.4 * OBLIQUE[:, 2])

    write_ct(tmp_path, random_stored(), affine(), edit)
    assert codes(read(tmp_path)) == ["series.irregular"]


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_even_enough(tmp_path):
    matrix = affine(AXIAL, spacing=(1.25, 1.7, 0.9))

    def edit(data, k):
        data.ImagePositionPatient = [f"{value:.1f}" for value in np.array(data.ImagePositionPatient, float)]

    write_ct(tmp_path, random_stored(), matrix, edit)
    study = read(tmp_path)
    assert study.faults == ()
    assert study.volumes[0].map.grid.spacing_mm[0] == pytest.approx(1.25, abs=0.02)


def test_a_tilted_gantry_is_refused(tmp_path):
    def edit(data, k):
        data.ImagePositionPatient = ds(np.array(data.ImagePositionPatient, float) + k * 0.5 * OBLIQUE[:, 1])

    write_ct(tmp_path, random_stored(), affine(), edit)
    assert codes(read(tmp_path)) == ["series.sheared"]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: setattr(data, "PixelSpacing", ["1.7", "0.95"]),
        lambda data: setattr(data, "ImageOrientationPatient", ds(rotation(0.31, -0.2)[:, :2].T)),
        lambda data: (setattr(data, "Rows", data.Rows - 1), setattr(data, "PixelData", data.PixelData[: -2 * data.Columns])),
        lambda data: setattr(data, "FrameOfReferenceUID", "1.2.3.4"),
    ],
    ids=["spacing", "orientation", "size", "frame"],
)
def test_mixed_series_are_refused(tmp_path, change):
    write_ct(tmp_path, random_stored(), affine(), lambda data, k: change(data) if k == 4 else None)
    study = read(tmp_path)
    assert codes(study) == ["series.mixed"]
    assert study.volumes == ()


def test_localisers_are_set_apart(tmp_path):
    def edit(data, k):
        if k == 0:
            data.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
            data.ImageOrientationPatient = ds([1, 0, 0, 0, 0, -1])

    write_ct(tmp_path, random_stored(), affine(), edit)
    study = read(tmp_path)
    assert codes(study) == ["series.localiser"]
    assert study.volumes[0].map.hu.shape == (SHAPE[0] - 1, *SHAPE[1:])


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("ct.rescale_missing", lambda data: delattr(data, "RescaleSlope")),
        ("ct.not_hounsfield", lambda data: setattr(data, "RescaleType", "Z_EFF")),
        ("ct.not_hounsfield", lambda data: setattr(data, "RescaleSlope", "0")),
        ("series.no_geometry", lambda data: delattr(data, "ImagePositionPatient")),
        ("series.no_geometry", lambda data: setattr(data, "ImageOrientationPatient", ds([1, 0, 0, 0.5, 1, 0]))),
        ("series.no_geometry", lambda data: setattr(data, "PixelSpacing", ["0", "1"])),
        ("header.attribute_invalid", lambda data: data.add_new("RescaleIntercept", "LO", "minus 1024")),
        ("header.attribute_missing", lambda data: delattr(data, "BitsAllocated")),
        ("pixels.kind", lambda data: setattr(data, "PhotometricInterpretation", "RGB")),
        ("pixels.length", lambda data: setattr(data, "PixelData", data.PixelData[:-20])),
        ("pixels.length", lambda data: setattr(data, "PixelData", data.PixelData + bytes(20))),
    ],
)
def test_every_bad_image_is_named_before_the_series_is_given_up(tmp_path, code, change):
    paths = write_ct(tmp_path / "bad", random_stored(), affine(), lambda data, k: change(data) if k in (1, 4) else None)
    write_ct(tmp_path / "good", random_stored(9), affine(), series_uid="1.2.3.11")
    study = read(tmp_path)
    named = [fault for fault in study.faults if fault.code == code]
    for path in (paths[1], paths[4]):
        assert any(path.name in fault.message and fault.instance == dcmread(path).SOPInstanceUID for fault in named)
    assert codes(study)[-1] == "series.incomplete"
    assert [volume.facts.series_uid for volume in study.volumes] == ["1.2.3.11"]


def test_a_ct_without_frame_stands_alone(tmp_path):
    write_ct(tmp_path / "a", random_stored(), affine(), lambda data, k: delattr(data, "FrameOfReferenceUID"))
    write_ct(tmp_path / "b", random_stored(), affine(), lambda data, k: delattr(data, "FrameOfReferenceUID"), series_uid="1.2.3.11")
    study = read(tmp_path)
    assert codes(study) == ["series.no_frame", "series.no_frame"]
    first, second = (volume.map.grid for volume in study.volumes)
    assert first.frame != second.frame
    assert not first.is_same_as(second)


def test_a_single_slice_says_so(tmp_path):
    write_ct(tmp_path, random_stored(shape=(1, 11, 14)), affine())
    study = read(tmp_path)
    assert codes(study) == ["series.single_slice"]
    assert study.volumes[0].map.grid.spacing_mm[0] == pytest.approx(2.5)


def test_absurd_sizes_are_refused_before_memory_is_taken(tmp_path):
    def edit(data, k):
        data.Rows = data.Columns = 65535

    write_ct(tmp_path, random_stored(), affine(), edit)
    study = read(tmp_path)
    assert codes(study) == ["pixels.length"] * SHAPE[0] + ["file.too_large"]


def test_implicit_little_endian(tmp_path):
    stored = random_stored()
    for path in write_ct(tmp_path, stored, affine()):
        data = dcmread(path)
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        data.save_as(path, implicit_vr=True, little_endian=True)
    study = read(tmp_path)
    assert study.faults == ()
    assert np.array_equal(study.volumes[0].map.hu, stored.astype(int) - 1024)


def test_enhanced_ct_of_one_file_is_the_same_volume(tmp_path):
    stored = random_stored()
    paths = write_ct(tmp_path / "classic", stored, affine())

    def complete(data):
        for keyword in (
            "PatientBirthDate",
            "PatientSex",
            "StudyID",
            "AccessionNumber",
            "ReferringPhysicianName",
            "PositionReferenceIndicator",
        ):
            setattr(data, keyword, "")
        data.SeriesNumber, data.KVP, data.AcquisitionNumber = 1, "120", 1
        return data

    enhanced = LegacyConvertedEnhancedCTImage([complete(dcmread(path)) for path in paths], generate_uid(), 2, generate_uid(), 1)
    (tmp_path / "enhanced").mkdir()
    enhanced.save_as(tmp_path / "enhanced" / "one.dcm")
    (classic,) = read(tmp_path / "classic").volumes
    study = read(tmp_path / "enhanced")
    (volume,) = study.volumes
    assert volume.map.grid.is_same_as(classic.map.grid)
    assert np.array_equal(volume.map.hu, classic.map.hu)


def simpleitk_volume(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def test_real_jpeg_2000_ct(shared_data):
    folder = shared_data / "totalsegmentator" / "example_ct_dicom"
    study = read(folder)
    (volume,) = study.volumes
    assert set(codes(study)) == {"header.uid_supplied"}
    image = sitk.ReadImage([str(path) for path in sorted(folder.iterdir())])
    assert volume.map.hu.shape == image.GetSize()[::-1] == (20, 512, 512)
    assert np.array_equal(np.sort(volume.map.hu.sum(axis=(1, 2))), np.sort(sitk.GetArrayFromImage(image).sum(axis=(1, 2))))
    assert volume.map.grid.spacing_mm == pytest.approx([2.0, 0.9765625, 0.9765625])


def test_real_oblique_ct(shared_data):
    folder = shared_data / "rt-utils" / "oriented_data"
    study = read(folder)
    (volume,) = study.volumes
    image = simpleitk_volume(folder)
    assert volume.map.grid.spacing_mm == pytest.approx(image.GetSpacing()[::-1], rel=1e-5)
    corner = image.TransformIndexToPhysicalPoint((99, 49, 2))
    assert volume.map.grid.lps_mm((2, 49, 99)) == pytest.approx(corner, abs=1e-3)
    assert np.abs(volume.map.hu - sitk.GetArrayFromImage(image)).max() <= 0.5


def test_thickness_that_differs_from_spacing_in_a_real_ct(shared_data):
    (volume,) = read(shared_data / "dcmqi" / "segmentations" / "ct-3slice").volumes
    assert dcmread(shared_data / "dcmqi" / "segmentations" / "ct-3slice" / "01.dcm").SliceThickness != 1.0
    assert volume.map.grid.spacing_mm[0] == pytest.approx(1.0)


@pytest.mark.slow
def test_a_real_ct_of_chest_and_abdomen(shared_data, tmp_path):
    """CPTAC-PDA C3N-00249: 102 slices at 3 mm, unsigned with intercept −1024; every voxel against SimpleITK."""
    with tarfile.open(shared_data / "cptac-pda_C3N-00249" / "ct_chest_upper_abdomen.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    study = read(tmp_path)
    (volume,) = study.volumes
    (folder,) = {path.parent for path in tmp_path.rglob("*.dcm")} or {path.parent for path in tmp_path.rglob("*") if path.is_file()}
    image = simpleitk_volume(folder)
    assert volume.map.hu.shape == (102, 512, 512)
    assert np.array_equal(volume.map.hu, sitk.GetArrayFromImage(image))
    assert volume.map.grid.spacing_mm == pytest.approx(image.GetSpacing()[::-1], rel=1e-4)
    assert volume.map.grid.lps_mm((101, 511, 511)) == pytest.approx(image.TransformIndexToPhysicalPoint((511, 511, 101)), abs=1e-2)

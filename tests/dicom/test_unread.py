"""Kinds of objects that are not read: one clear fault a series, and the rest of the study is read all the same."""

from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    BasicTextSRStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
    RealWorldValueMappingStorage,
    generate_uid,
)

from dicom.builders import Y90, affine, base, codes, ds, put_pixels, radiopharmaceutical, read, save, write_ct, write_pet

PLACE = affine()
CT = np.full((4, 8, 9), 1000, np.uint16)


def enhanced_pet(frames: int = 5) -> Dataset:
    """An Enhanced PET as PS3.3 A.56 lays it out: geometry, times, values and their meaning in functional groups."""
    stored = np.random.default_rng(4).integers(0, 900, (frames, 8, 9)).astype(np.uint16)
    data = base(EnhancedPETImageStorage, "PT", "1.2.3.60")
    data.ImageType = ["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"]
    data.NumberOfFrames, data.InstanceNumber = frames, 1
    data.AcquisitionDateTime, data.AcquisitionDuration = "20260304101500", 1200.0
    data.DecayCorrected, data.DecayCorrectionDateTime = "YES", "20260304101500"
    data.AttenuationCorrected, data.ScatterCorrected = "YES", "YES"
    injected = radiopharmaceutical(Y90, RadionuclideHalfLife="230760", RadiopharmaceuticalStartDateTime="20260303150000")
    data.RadiopharmaceuticalInformationSequence = [injected]
    put_pixels(data, stored)
    spacing = np.linalg.norm(PLACE[:3, :3], axis=0)
    measures, orientation, values, transform, shared = (Dataset() for _ in range(5))
    measures.PixelSpacing, measures.SliceThickness = ds(spacing[1:]), ds([spacing[0]])[0]
    orientation.ImageOrientationPatient = ds(np.concatenate([PLACE[:3, 2] / spacing[2], PLACE[:3, 1] / spacing[1]]))
    values.RealWorldValueFirstValueMapped, values.RealWorldValueLastValueMapped = 0, 65535
    values.RealWorldValueIntercept, values.RealWorldValueSlope = 0.0, 2.5
    values.LUTExplanation, values.LUTLabel = "activity", "BQML"
    values.MeasurementUnitsCodeSequence = [hd.sr.CodedConcept("Bq/ml", "UCUM", "Becquerels/milliliter")]
    transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = "2.5", "0", "US"
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    shared.RealWorldValueMappingSequence, shared.PixelValueTransformationSequence = [values], [transform]
    data.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for k in range(frames):
        group, position, content = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = ds(PLACE[:3, 3] + k * PLACE[:3, 0])
        content.FrameAcquisitionDateTime, content.FrameAcquisitionDuration = "20260304101500", 1200000.0
        content.DimensionIndexValues = [k + 1]
        group.PlanePositionSequence, group.FrameContentSequence = [position], [content]
        groups.append(group)
    data.PerFrameFunctionalGroupsSequence = groups
    return data


def value_map(image: Dataset) -> Dataset:
    """A Real World Value Mapping object (PS3.3 A.65) that says what the numbers of an image are; its item is highdicom's."""
    data = base(RealWorldValueMappingStorage, "RWV", "1.2.3.70")
    data.InstanceNumber, data.ContentLabel, data.ContentDescription = 1, "SUV", "map"
    mapping = hd.pm.RealWorldValueMapping(
        lut_label="SUVBW",
        lut_explanation="standardised uptake",
        unit=hd.sr.CodedConcept("g/ml{SUVbw}", "UCUM", "SUVbw"),
        value_range=(0, 1000),
        slope=0.01,
        intercept=0.0,
    )
    reference, referenced, series = Dataset(), Dataset(), Dataset()
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    reference.RealWorldValueMappingSequence, reference.ReferencedImageSequence = [mapping], [referenced]
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = image.SeriesInstanceUID, [referenced]
    data.ReferencedImageRealWorldValueMappingSequence, data.ReferencedSeriesSequence = [reference], [series]
    return data


@pytest.mark.parametrize("sop_class", [EnhancedPETImageStorage, LegacyConvertedEnhancedPETImageStorage])
def test_an_enhanced_pet_says_what_to_convert(tmp_path: Path, sop_class: str):
    data = enhanced_pet()
    data.SOPClassUID = sop_class
    save(data, tmp_path / "enhanced.dcm")
    write_ct(tmp_path / "ct", CT, PLACE)
    study = read(tmp_path)
    assert codes(study) == ["pet.enhanced"]
    (fault,) = study.faults
    assert "5 frames in Bq/ml" in fault.message
    assert "PET Image Storage" in fault.message and "not imported: the series" in fault.message
    assert (fault.series_uid, fault.instance) == ("1.2.3.60", str(data.SOPInstanceUID))
    assert [volume.kind for volume in study.volumes] == ["ct"]


def test_a_value_map_is_not_applied_and_the_image_is_read_as_it_states(tmp_path: Path):
    stored = np.random.default_rng(5).integers(1, 900, (4, 8, 9)).astype(np.uint16)
    paths = write_pet(tmp_path, stored, PLACE)
    without = read(tmp_path)
    save(value_map(dcmread(paths[0])), tmp_path / "map.dcm")
    study = read(tmp_path)
    assert codes(study) == [*codes(without), "series.value_map"]
    fault = study.faults[-1]
    assert "for series 1.2.3.40" in fault.message and "not imported: the map" in fault.message
    (volume,), (alone,) = study.volumes, without.volumes
    assert np.array_equal(volume.map.bq_per_ml, alone.map.bq_per_ml)


def test_another_kind_of_object_is_named(tmp_path: Path):
    data = base(BasicTextSRStorage, "SR", generate_uid())
    save(data, tmp_path / "sr.dcm")
    (fault,) = read(tmp_path).faults
    assert fault.code == "series.not_used"
    assert "1 file of Basic Text SR Storage" in fault.message


def test_a_damaged_enhanced_pet_is_a_fault_too(tmp_path: Path):
    data = enhanced_pet()
    save(data, tmp_path / "enhanced.dcm")
    broken = dcmread(tmp_path / "enhanced.dcm")
    del broken.SharedFunctionalGroupsSequence
    save(broken, tmp_path / "enhanced.dcm")
    assert codes(read(tmp_path)) == ["pet.enhanced"]

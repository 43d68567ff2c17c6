"""SEG: binary, fractional and label maps, on the image's grid or their own, in any order of frames."""

from __future__ import annotations

import highdicom as hd
import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.sr.codedict import codes as coded
from pydicom.uid import generate_uid

from dicom.builders import affine, codes, read, save, write_ct
from opensirt.vocabulary.anatomy import StructureKind

SHAPE = (7, 13, 10)


def images(folder, count=SHAPE[0]):
    stored = np.random.default_rng(2).integers(0, 3000, SHAPE).astype(np.uint16)
    found = []
    for path in write_ct(folder, stored, affine())[:count]:
        data = dcmread(path)
        for keyword in (
            "PatientBirthDate",
            "PatientSex",
            "StudyID",
            "AccessionNumber",
            "ReferringPhysicianName",
            "PositionReferenceIndicator",
        ):
            setattr(data, keyword, "")
        found.append(data)
    return found


def description(number, label, category, kind):
    return hd.seg.SegmentDescription(
        number,
        label,
        category,
        kind,
        hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        None,
    )


def segmentation(sources, pixels, kind, labels=("Liver", "Lesion 1")):
    types = [
        description(number, label, coded.SCT.Organ, coded.SCT.Liver if number == 1 else coded.SCT.Neoplasm)
        for number, label in enumerate(labels, start=1)
    ]
    return hd.seg.Segmentation(
        source_images=sources,
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=types,
        series_instance_uid=generate_uid(),
        series_number=5,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Tests",
        manufacturer_model_name="builder",
        software_versions="1",
        device_serial_number="1",
    )


def two_structures():
    """Two overlapping blobs, empty on the first and last slice; shape (k, j, i, segment)."""
    masks = np.zeros((*SHAPE, 2), np.uint8)
    masks[1:6, 2:11, 1:8, 0] = 1
    masks[3:5, 5:12, 6:9, 1] = 1
    return masks


def by_label(study):
    return {structure.label: structure.mask for structure in study.structures}


def test_binary_overlapping_segments(tmp_path):
    sources, masks = images(tmp_path / "ct"), two_structures()
    segmentation(sources, masks, hd.seg.SegmentationTypeValues.BINARY).save_as(tmp_path / "seg.dcm")
    study = read(tmp_path)
    assert study.faults == ()
    found = by_label(study)
    assert np.array_equal(found["Liver"].inside, masks[..., 0] > 0)
    assert np.array_equal(found["Lesion 1"].inside, masks[..., 1] > 0)
    assert found["Liver"].structure.kind is StructureKind.LIVER
    assert found["Lesion 1"].structure.key == "tumour.1"
    assert found["Liver"].grid.is_same_as(study.volumes[0].map.grid)
    assert {structure.origin for structure in study.structures} == {"SEG"}


def test_fractional_segments_are_cut_at_one_half(tmp_path):
    sources = images(tmp_path / "ct")
    fractions = np.random.default_rng(9).random(SHAPE).astype(np.float32)
    segmentation(sources, fractions, hd.seg.SegmentationTypeValues.FRACTIONAL, ("Liver",)).save_as(tmp_path / "seg.dcm")
    study = read(tmp_path)
    assert codes(study) == ["structure.threshold"]
    stored = np.around(fractions * 255.0)
    assert np.array_equal(by_label(study)["Liver"].inside, stored >= 127.5)


def test_label_maps(tmp_path):
    sources, masks = images(tmp_path / "ct"), two_structures()
    labels = np.where(masks[..., 1] > 0, 2, masks[..., 0]).astype(np.uint8)
    segmentation(sources, labels, hd.seg.SegmentationTypeValues.LABELMAP).save_as(tmp_path / "seg.dcm")
    study = read(tmp_path)
    assert study.faults == ()
    for number, label in ((1, "Liver"), (2, "Lesion 1")):
        assert np.array_equal(by_label(study)[label].inside, labels == number)


def test_frames_in_any_order(tmp_path):
    """Frames are placed by their position: shuffled together with their functional groups they give the same masks."""
    sources, masks = images(tmp_path / "ct"), two_structures()
    data = segmentation(sources, masks, hd.seg.SegmentationTypeValues.FRACTIONAL, ("Liver", "Lesion 1"))
    order = np.random.default_rng(3).permutation(int(data.NumberOfFrames))
    pixels = np.frombuffer(data.PixelData, np.uint8)[: int(data.NumberOfFrames) * SHAPE[1] * SHAPE[2]].reshape(
        -1, SHAPE[1] * SHAPE[2]
    )
    data.PixelData = pixels[order].tobytes() + b"\0" * (pixels.size % 2)
    data.PerFrameFunctionalGroupsSequence = [data.PerFrameFunctionalGroupsSequence[k] for k in order]
    data.save_as(tmp_path / "seg.dcm")
    assert np.array_equal(by_label(read(tmp_path))["Lesion 1"].inside, masks[..., 1] > 0)


def test_without_its_image_a_segmentation_stays_on_its_own_grid(tmp_path):
    sources, masks = images(tmp_path / "ct"), two_structures()
    masks[3] = 0  # a slice that is left out
    (tmp_path / "seg").mkdir()
    segmentation(sources, masks, hd.seg.SegmentationTypeValues.BINARY).save_as(tmp_path / "seg" / "seg.dcm")
    (volume,) = read(tmp_path / "ct").volumes
    study = read(tmp_path / "seg")
    assert codes(study) == ["seg.reference_missing"]
    mask = by_label(study)["Liver"]
    places = mask.grid.lps_mm(np.argwhere(mask.inside))
    index = volume.map.grid.index_kji(places)
    assert np.abs(index - np.rint(index)).max() < 1e-3
    assert {tuple(row) for row in np.rint(index).astype(int)} == {tuple(row) for row in np.argwhere(masks[..., 0])}


def test_a_segmentation_of_another_frame_is_refused(tmp_path):
    sources, masks = images(tmp_path / "ct"), two_structures()
    data = segmentation(sources, masks, hd.seg.SegmentationTypeValues.BINARY)
    data.FrameOfReferenceUID = "1.2.3.96"
    data.save_as(tmp_path / "seg.dcm")
    study = read(tmp_path)
    assert codes(study) == ["structure.other_frame"]


def test_an_empty_segment_is_named(tmp_path):
    sources, masks = images(tmp_path / "ct"), two_structures()
    masks[..., 1] = 0
    segmentation(sources, masks, hd.seg.SegmentationTypeValues.BINARY).save_as(tmp_path / "seg.dcm")
    study = read(tmp_path)
    assert list(by_label(study)) == ["Liver"]
    assert [fault.code for fault in study.faults if "Lesion 1" in fault.message] == ["structure.empty"]


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("seg.kind", lambda data: setattr(data, "SegmentationType", "PROBABILITY MAP")),
        ("seg.geometry", lambda data: delattr(data, "PerFrameFunctionalGroupsSequence")),
        ("seg.geometry", lambda data: data.PerFrameFunctionalGroupsSequence.pop()),
        ("file.too_large", lambda data: setattr(data, "NumberOfFrames", 2_000_000_000)),
    ],
)
def test_broken_segmentations_are_named(tmp_path, code, change):
    sources, masks = images(tmp_path / "ct"), two_structures()
    data = segmentation(sources, masks, hd.seg.SegmentationTypeValues.BINARY)
    change(data)
    save(data, tmp_path / "seg.dcm")
    study = read(tmp_path)
    assert code in codes(study)
    assert study.structures == ()


REAL = {
    "23x38x3": ("23x38x3", "23x38x3/nrrd/label.nrrd"),
    "24x38x3": ("24x38x3", "24x38x3/nrrd/label.nrrd"),
}


def same_places(mask, label_image, value) -> bool:
    """Whether a mask and a label of another program's image hold the same points of the patient."""
    other = sitk.GetArrayFromImage(label_image) == value
    places = mask.grid.lps_mm(np.argwhere(mask.inside))
    index = np.array([label_image.TransformPhysicalPointToContinuousIndex(place.tolist()) for place in places])[:, ::-1]
    nearest = np.rint(index).astype(int)
    return len(places) == other.sum() and np.abs(index - nearest).max() < 0.02 and bool(other[tuple(nearest.T)].all())


@pytest.mark.parametrize("case", REAL)
def test_real_segmentations_of_odd_sizes(shared_data, tmp_path, case):
    """Frames of 874 and 912 bits: packed bits run on over the ends of frames."""
    folder, label = REAL[case]
    root = shared_data / "dcmqi" / "segmentations"
    for path in [*(root / folder / "image").iterdir(), *(root / folder / "seg").iterdir()]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (structure,) = read(tmp_path).structures
    assert same_places(structure.mask, sitk.ReadImage(str(root / label)), 1)


def test_a_real_liver_with_frames_in_reversed_order(shared_data, tmp_path):
    root = shared_data / "dcmqi" / "segmentations"
    for path in [*(root / "ct-3slice").iterdir(), root / "liver.dcm"]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    study = read(tmp_path)
    (structure,) = study.structures
    assert structure.mask.structure.kind is StructureKind.LIVER
    assert structure.mask.grid.is_same_as(study.volumes[0].map.grid)
    assert same_places(structure.mask, sitk.ReadImage(str(root / "liver_seg.nrrd")), 1)


def test_real_overlapping_segments(shared_data, tmp_path):
    root = shared_data / "dcmqi" / "segmentations"
    for path in [*(root / "ct-3slice").iterdir(), root / "partial_overlaps.dcm"]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    structures = read(tmp_path).structures
    labels = [sitk.ReadImage(str(root / f"partial_overlaps-{n}.nrrd")) for n in (1, 2, 3)]
    wanted = [(labels[0], 1), (labels[1], 2), (labels[2], 3), (labels[0], 4), (labels[0], 5)]
    assert len(structures) == 5
    for structure, (image, value) in zip(structures, wanted, strict=True):
        assert same_places(structure.mask, image, value)


@pytest.mark.parametrize("name", ["sparse-labelmap-noppv.dcm", "sparse-labelmap-ppv5.dcm"])
def test_real_sparse_label_maps(shared_data, tmp_path, name):
    root = shared_data / "dcmqi" / "segmentations"
    (tmp_path / name).write_bytes((root / name).read_bytes())
    (structure,) = read(tmp_path).structures
    other = sitk.ReadImage(str(root / f"{name.removesuffix('.dcm').replace('-', '_')}_seg.nrrd"))
    assert same_places(structure.mask, other, 1)


def test_segmentations_of_another_library(shared_data, tmp_path):
    """highdicom's own reader, frame by frame."""
    folder = shared_data / "highdicom"
    for name in ("seg_image_ct_binary.dcm", "seg_image_ct_binary_overlap.dcm", "seg_image_ct_true_fractional.dcm"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_bytes((folder / name).read_bytes())
        other = hd.seg.segread(folder / name)
        structures = read(tmp_path / name).structures
        assert len(structures) == other.number_of_segments
        for number, structure in enumerate(structures, start=1):
            values = other.get_volume(segment_numbers=[number], combine_segments=False, rescale_fractional=True)
            assert structure.mask.inside.sum() == (values.array >= 0.5).sum()

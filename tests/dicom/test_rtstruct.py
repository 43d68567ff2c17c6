"""RTSTRUCT: structures of known volume on oblique grids; empty, foreign, cut and badly drawn ones are named."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread

from dicom.builders import FRAME, ORIENTATIONS, affine, codes, contour, read, rtstruct, save, write_ct
from opensirt.vocabulary.anatomy import Structure, StructureKind

SPACING = (2.5, 1.1, 0.8)
SHAPE = (24, 60, 70)
SPHERE_ML = 4.0 / 3.0 * np.pi * 1.6**3
VOLUME_ACCURACY = 0.01
"""A sphere of 16 mm sampled by 7800 voxel centres on contours every 2.5 mm: the midpoint rule in depth errs by 0.3 %."""


def ct(folder, name="oblique"):
    matrix = affine(ORIENTATIONS[name], SPACING)
    paths = write_ct(folder / "ct", np.full(SHAPE, 1024, np.uint16), matrix)
    return matrix, [dcmread(path).SOPInstanceUID for path in paths]


def circles(matrix, radius_mm, centre=(11.6, 28.3, 33.9), step=1.0, shift=0.0, squeeze=1.0, images=()):
    """Contours of a sphere (or of a cylinder with ``squeeze`` 0) parallel to the slices, every ``step`` slices."""
    angle = np.linspace(0.0, 2.0 * np.pi, 240, endpoint=False)
    found = []
    for k in np.arange(shift, SHAPE[0] - 0.5, step):
        above = (k - centre[0]) * SPACING[0]
        if abs(above) >= 16.0:
            continue
        radius = np.sqrt(max(0.0, radius_mm**2 - squeeze * above**2))
        if radius == 0.0:
            continue
        index = np.stack(
            [np.full(240, k), centre[1] + radius / SPACING[1] * np.sin(angle), centre[2] + radius / SPACING[2] * np.cos(angle)],
            axis=1,
        )
        points = index @ matrix[:3, :3].T + matrix[:3, 3]
        found.append(contour(points, images[int(k)] if len(images) else ""))
    return found


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_a_sphere_has_its_volume_and_its_place(tmp_path, name):
    matrix, images = ct(tmp_path, name)
    save(rtstruct({"Liver": circles(matrix, 16.0, images=images)}), tmp_path / "rt.dcm")
    study = read(tmp_path)
    assert study.faults == ()
    (structure,) = study.structures
    assert structure.mask.structure == Structure(StructureKind.LIVER)
    assert (structure.label, structure.origin, structure.reference_uid) == ("Liver", "RTSTRUCT", "1.2.3.10")
    assert structure.mask.volume_ml == pytest.approx(SPHERE_ML, rel=VOLUME_ACCURACY)
    centre = structure.mask.grid.lps_mm(np.argwhere(structure.mask.inside)).mean(axis=0)
    assert centre == pytest.approx(matrix[:3, :3] @ (11.6, 28.3, 33.9) + matrix[:3, 3], abs=0.15)
    assert structure.mask.grid.is_same_as(study.volumes[0].map.grid)


@pytest.mark.parametrize(("step", "shift"), [(1.0, 0.4), (2.0, 0.0), (2.0, 0.7), (0.5, 0.1)])
def test_contours_between_the_slices_keep_the_volume(tmp_path, step, shift):
    """A cylinder's contours off the slices, or coarser or finer than they are: its volume is right to half a slice at either end."""
    matrix, _ = ct(tmp_path)
    parts = circles(matrix, 14.0, step=step, shift=shift, squeeze=0.0)
    save(rtstruct({"tumour T1": parts}), tmp_path / "rt.dcm")
    study = read(tmp_path)
    assert study.faults == ()
    (structure,) = study.structures
    height_mm = len(parts) * step * SPACING[0]
    assert structure.mask.structure.key == "tumour.T1"
    assert structure.mask.volume_ml == pytest.approx(np.pi * 1.4**2 * height_mm / 10.0, abs=np.pi * 1.4**2 * SPACING[0] / 10.0)


@pytest.mark.parametrize("drawn", ["two contours", "keyhole"])
def test_a_cylinder_with_a_hole(tmp_path, drawn):
    matrix, _ = ct(tmp_path)
    outer, inner = circles(matrix, 15.0, squeeze=0.0), circles(matrix, 6.0, squeeze=0.0)
    if drawn == "keyhole":
        points = [np.array(part.ContourData, float).reshape(-1, 3) for part in (*outer, *inner)]
        half = len(outer)
        parts = [
            contour(np.concatenate([a, a[:1], b[:1], b[::-1], a[:1]])) for a, b in zip(points[:half], points[half:], strict=True)
        ]
    else:
        parts = [part for pair in zip(outer, inner, strict=True) for part in pair]
    save(rtstruct({"lungs": parts}), tmp_path / "rt.dcm")
    (structure,) = read(tmp_path).structures
    area_ml = np.pi * (1.5**2 - 0.6**2) * len(outer) * SPACING[0] / 10.0
    assert structure.mask.volume_ml == pytest.approx(area_ml, rel=VOLUME_ACCURACY)


def test_structures_that_cannot_be_are_named_and_the_good_one_is_read(tmp_path):
    matrix, images = ct(tmp_path)
    whole = circles(matrix, 16.0, images=images)
    far = [contour(np.array([[900.0, 900.0, 900.0], [910.0, 900.0, 900.0], [910.0, 910.0, 900.0]]))]
    outside = circles(matrix, 9.0, centre=(11.6, -90.0, 33.9))
    across = [contour(matrix[:3, 3] + np.array([[3.0, 3, 3], [20.0, 3, 3], [20.0, 20, 30]]) @ matrix[:3, :3].T)]
    gap = [part for n, part in enumerate(circles(matrix, 16.0)) if n not in (4, 5)]
    cut = circles(matrix, 16.0, centre=(11.6, 28.3, 64.0))
    points = [contour(np.array(whole[0].ContourData, float).reshape(-1, 3)[:1], kind="POINT")]
    structures = {
        "Liver": whole,
        "nothing": [],
        "far": far,
        "outside": outside,
        "across": across,
        "tumour gap": gap,
        "tumour cut": cut,
        "marker": points,
    }
    save(rtstruct(structures), tmp_path / "rt.dcm")
    study = read(tmp_path)
    assert [structure.label for structure in study.structures] == ["Liver", "tumour gap", "tumour cut"]
    named = {(fault.code, fault.message.split("'")[1]) for fault in study.faults}
    assert named == {
        ("structure.empty", "nothing"),
        ("structure.not_in_plane", "far"),
        ("structure.off_grid", "outside"),
        ("structure.not_in_plane", "across"),
        ("structure.planes_missing", "tumour gap"),
        ("structure.cut", "tumour cut"),
        ("structure.contour_type", "marker"),
        ("structure.empty", "marker"),
    }
    for fault in study.faults:
        assert fault.series_uid == "1.2.3.50"
        assert fault.instance
    filled = study.structures[1].mask.inside.any(axis=(1, 2))
    assert (~filled[filled.argmax() : len(filled) - filled[::-1].argmax()]).sum() == 2


def test_a_structure_of_another_frame_is_refused(tmp_path):
    matrix, _ = ct(tmp_path)
    save(rtstruct({"Liver": circles(matrix, 16.0)}, frame="1.2.3.99"), tmp_path / "rt.dcm")
    study = read(tmp_path)
    assert codes(study) == ["structure.other_frame"]
    assert study.structures == ()


def test_a_structure_whose_image_is_absent_is_refused(tmp_path):
    matrix, _ = ct(tmp_path)
    save(rtstruct({"Liver": circles(matrix, 16.0)}, series_uid="1.2.3.98"), tmp_path / "rt.dcm")
    assert codes(read(tmp_path)) == ["structure.reference_missing"]


def test_a_structure_set_without_series_takes_the_only_image_of_its_frame(tmp_path):
    matrix, _ = ct(tmp_path)
    data = rtstruct({"Liver": circles(matrix, 16.0)})
    data.ReferencedFrameOfReferenceSequence = []
    save(data, tmp_path / "rt.dcm")
    assert len(read(tmp_path).structures) == 1
    write_ct(tmp_path / "other", np.full(SHAPE, 1024, np.uint16), matrix, series_uid="1.2.3.11")
    assert codes(read(tmp_path)) == ["structure.reference_missing"]


def test_images_that_are_not_in_the_series_are_said(tmp_path):
    matrix, images = ct(tmp_path)
    images[10] = "1.2.3.97"
    save(rtstruct({"Liver": circles(matrix, 16.0, images=images)}), tmp_path / "rt.dcm")
    study = read(tmp_path)
    assert codes(study) == ["structure.slice_missing"]
    assert len(study.structures) == 1


def test_contour_data_that_are_no_numbers(tmp_path):
    matrix, _ = ct(tmp_path)
    parts = circles(matrix, 16.0)
    parts[3].ContourData = parts[3].ContourData[:-1]
    save(rtstruct({"Liver": parts, "body": circles(matrix, 15.0)}), tmp_path / "rt.dcm")
    study = read(tmp_path)
    assert codes(study) == ["header.attribute_invalid"]
    assert [structure.label for structure in study.structures] == ["body"]


def test_real_structure_sets(shared_data, tmp_path):
    """rt-utils: the CT of two slices, structures on it (one contour beyond it), on another frame, and on a series that is not there."""
    folder = shared_data / "rt-utils" / "mock_data"
    study = read(folder)
    assert [structure.label for structure in study.structures] == ["ROI-1", "ROI-2", "ROI-3", "ROI-4"]
    assert {"structure.other_frame", "structure.slice_missing", "structure.cut"} <= set(codes(study))
    for name in ("ct_1.dcm", "ct_2.dcm", "non_existent_reference_rt.dcm"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert codes(read(shared_data / "rt-utils" / "empty")) == ["structure.reference_missing"] * 4


def test_area_of_a_real_contour(shared_data):
    """Shoelace area of the drawn polygons against the mask of each slice."""
    study = read(shared_data / "rt-utils" / "mock_data")
    data = dcmread(shared_data / "rt-utils" / "mock_data" / "invalid_reference_rt.dcm")
    pixel_mm2 = 0.488281**2
    for structure, roi in zip(study.structures, data.ROIContourSequence, strict=True):
        for part in roi.ContourSequence:
            points = np.array(part.ContourData, float).reshape(-1, 3)
            k = round((points[0, 2] - 60.0) / 5.0)
            if not 0 <= k < 2:
                continue
            x, y = points[:, 0], points[:, 1]
            area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2.0
            perimeter = np.hypot(*(np.roll(points, -1, axis=0) - points)[:, :2].T).sum()
            error = abs(structure.mask.inside[k].sum() * pixel_mm2 - area)
            assert error < 0.5 * perimeter * 0.488281  # at most half a pixel along the outline
    assert FRAME

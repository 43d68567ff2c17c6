"""NM images: both planar views share left and right, SPECT geometry by the signed spacing, the photopeak window alone, honest counts."""

from __future__ import annotations

import numpy as np
import pytest

from dicom.builders import (
    ANTERIOR,
    HO166,
    ORIENTATIONS,
    POSTERIOR,
    SHAPE,
    affine,
    base,
    codes,
    ds,
    nm_base,
    planar,
    put_pixels,
    put_plane,
    radiopharmaceutical,
    read,
    save,
    spect,
    view,
    window,
)
from opensirt.vocabulary.volumes import ActivityMap, CountsMap

SAME_PLACE_MM = 1e-4
"""Decimal strings of 10 figures hold positions of some 100 mm to 1e-7 mm; the tolerance leaves room for three roundings."""


def asymmetric(shape=(2, 20, 13)) -> np.ndarray:
    """Two views of one patient as two detectors see them: the liver (hot) on the patient's right, lower half."""
    patient = np.random.default_rng(3).integers(1, 5, shape[1:])  # columns to the patient's left
    patient[12:16, 1:5] = 900
    return np.stack([patient, 2 * patient[:, ::-1]]).astype(np.uint16)


def by_view(study):
    return {one.view: one.map.counts[0] for one in study.planar}


def test_both_views_run_the_same_way(tmp_path):
    stored = asymmetric()
    save(planar(stored), tmp_path / "wb.dcm")
    study = read(tmp_path)
    assert study.faults == ()
    views = by_view(study)
    assert np.array_equal(views["anterior"], stored[0])
    assert np.array_equal(views["posterior"], stored[1][:, ::-1])
    assert np.array_equal(2.0 * views["anterior"], views["posterior"])
    notes = {one.view: " ".join(one.facts.notes) for one in study.planar}
    assert "mirrored" in notes["posterior"]
    assert "as stored" in notes["anterior"]


def test_columns_run_to_the_left_and_rows_to_the_feet_in_millimetres(tmp_path):
    save(planar(asymmetric()), tmp_path / "wb.dcm")
    grid = read(tmp_path).planar[0].map.grid
    assert grid.shape == (1, 20, 13)
    across = grid.lps_mm((0, 0, 1)) - grid.lps_mm((0, 0, 0))
    down = grid.lps_mm((0, 1, 0)) - grid.lps_mm((0, 0, 0))
    assert across == pytest.approx([1.8, 0.0, 0.0])
    assert down == pytest.approx([0.0, 0.0, -2.4])


def test_detectors_in_the_other_order(tmp_path):
    stored = asymmetric()
    data = planar(stored[::-1].copy())
    data.DetectorInformationSequence = [view(*POSTERIOR), view(*ANTERIOR)]
    save(data, tmp_path / "wb.dcm")
    assert np.array_equal(by_view(read(tmp_path))["anterior"], stored[0])


def test_a_posterior_frame_that_was_mirrored_before_export_is_not_mirrored_again(tmp_path):
    stored = asymmetric()
    stored[1] = stored[1][:, ::-1].copy()
    data = planar(stored)
    for item in data.DetectorInformationSequence:
        item.ImageOrientationPatient = ds([1, 0, 0, 0, 0, -1])
        item.ImagePositionPatient = ds([0, 0, 0])
    save(data, tmp_path / "wb.dcm")
    views = by_view(read(tmp_path))
    assert np.array_equal(2.0 * views["anterior"], views["posterior"])


def test_two_single_frame_files_named_in_words(tmp_path):
    stored = asymmetric()
    for index, name in enumerate(("MAA ANT", "MAA POST")):
        data = planar(stored[index : index + 1])
        data.DetectorInformationSequence = [view("", "")]
        data.DetectorVector, data.NumberOfDetectors = [1], 1
        data.EnergyWindowVector = [1]
        data.ImageID = name
        save(data, tmp_path / f"{index}.dcm")
    study = read(tmp_path)
    assert study.faults == ()
    assert np.array_equal(2.0 * by_view(study)["anterior"], by_view(study)["posterior"])


def test_start_angles_are_read_after_the_standard_and_said(tmp_path):
    stored = asymmetric()
    data = planar(stored)
    for item, angle in zip(data.DetectorInformationSequence, ("180", "0"), strict=True):
        del item.ViewCodeSequence
        item.StartAngle = angle
    save(data, tmp_path / "wb.dcm")
    study = read(tmp_path)
    assert codes(study) == ["nm.view_from_angle", "nm.view_from_angle"]
    assert np.array_equal(by_view(study)["anterior"], stored[0])


def test_frames_of_unknown_view_are_refused_one_by_one(tmp_path):
    data = planar(asymmetric())
    data.DetectorInformationSequence = [view(*ANTERIOR), view("399300004", "Lateral-medial")]
    save(data, tmp_path / "wb.dcm")
    study = read(tmp_path)
    assert [one.view for one in study.planar] == ["anterior"]
    assert codes(study) == ["nm.view_unknown", "nm.views_incomplete"]


def two_windows(data, primary_first: bool):
    frames = len(data.EnergyWindowVector)
    windows = [window("Tc99m", 126.45, 154.55), window("Tc99m_SC", 108.0, 126.0)]
    data.EnergyWindowInformationSequence = windows if primary_first else windows[::-1]
    data.NumberOfEnergyWindows = 2
    return 1 if primary_first else 2, frames


@pytest.mark.parametrize("primary_first", [True, False])
def test_only_the_photopeak_window_is_used(tmp_path, primary_first):
    stored = np.concatenate([asymmetric(), 7 * asymmetric()])
    data = planar(stored)
    data.EnergyWindowVector = [1, 1, 2, 2]
    data.DetectorVector = [1, 2, 1, 2]
    primary, _ = two_windows(data, primary_first)
    save(data, tmp_path / "wb.dcm")
    study = read(tmp_path)
    assert codes(study) == ["nm.windows_set_aside"]
    assert "Tc99m_SC" in study.faults[0].message
    assert np.array_equal(by_view(study)["anterior"], stored[0 if primary == 1 else 2])


def test_holmium_takes_its_81_kev_window(tmp_path):
    stored = np.concatenate([asymmetric(), 3 * asymmetric()])
    data = planar(stored)
    data.EnergyWindowVector, data.DetectorVector = [1, 1, 2, 2], [1, 2, 1, 2]
    data.EnergyWindowInformationSequence = [window("W1", 110.8, 125.2), window("W2", 74.9, 87.1)]
    data.RadiopharmaceuticalInformationSequence = [radiopharmaceutical(HO166)]
    save(data, tmp_path / "wb.dcm")
    study = read(tmp_path)
    assert np.array_equal(by_view(study)["anterior"], stored[2])
    assert study.planar[0].facts.radionuclide == "Ho-166"


def test_windows_that_nothing_tells_apart_are_refused(tmp_path):
    data = planar(np.concatenate([asymmetric(), asymmetric()]))
    data.EnergyWindowVector, data.DetectorVector = [1, 1, 2, 2], [1, 2, 1, 2]
    data.EnergyWindowInformationSequence = [window("", 0, 0), window("", 0, 0)]
    save(data, tmp_path / "wb.dcm")
    study = read(tmp_path)
    assert codes(study) == ["nm.window_ambiguous"]
    assert study.planar == ()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", ORIENTATIONS)
def test_spect_lies_where_it_was_written(tmp_path, name, sign):
    stored = np.random.default_rng(5).integers(0, 500, SHAPE).astype(np.uint16)
    matrix = affine(ORIENTATIONS[name], spacing=(4.4, 4.8, 3.9))
    data = spect(stored, matrix, sign=sign)
    data.SliceThickness = "9.9"
    data.SliceLocation = "-777"
    save(data, tmp_path / "spect.dcm")
    study = read(tmp_path)
    assert study.faults == ()
    (volume,) = study.volumes
    assert volume.kind == "counts" and isinstance(volume.map, CountsMap)
    for k, j, i in [(0, 0, 0), (5, 10, 13), (2, 7, 4), (4, 1, 11)]:
        index = volume.map.grid.index_kji(matrix[:3, :3] @ (k, j, i) + matrix[:3, 3])
        assert np.abs(index - np.rint(index)).max() < SAME_PLACE_MM
        assert volume.map.counts[tuple(np.rint(index).astype(int))] == stored[k, j, i]


def test_spect_as_one_file_a_slice(tmp_path):
    stored, matrix = np.random.default_rng(6).integers(0, 500, SHAPE).astype(np.uint16), affine()
    for k, pixels in enumerate(stored):
        data = nm_base("RECON TOMO", pixels[None], "1.2.3.31")
        put_plane(data, matrix, k)
        data.RescaleSlope, data.RescaleIntercept = ds([1.0 + k])[0], "0"
        save(data, tmp_path / f"{5 - k}.dcm")
    (volume,) = read(tmp_path).volumes
    assert volume.map.counts.sum() == pytest.approx(float((stored * (1.0 + np.arange(6))[:, None, None]).sum()))


def test_rescale_slope_scales_the_counts(tmp_path):
    stored = np.random.default_rng(6).integers(0, 500, SHAPE).astype(np.uint16)
    data = spect(stored, affine())
    data.RescaleSlope, data.RescaleIntercept = "0.25", "0"
    save(data, tmp_path / "spect.dcm")
    assert np.array_equal(read(tmp_path).volumes[0].map.counts, stored * np.float32(0.25))


def refused(tmp_path, data) -> list[str]:
    save(data, tmp_path / "one.dcm")
    study = read(tmp_path)
    assert study.volumes == ()
    assert study.planar == ()
    return codes(study)


def test_negative_counts_are_refused(tmp_path):
    stored = np.ones(SHAPE, np.int16)
    stored[2, 3, 4] = -1
    assert refused(tmp_path, spect(stored, affine())) == ["counts.negative"]


def test_nan_counts_are_refused(tmp_path):
    data = spect(np.ones(SHAPE, np.uint16), affine())
    data.add_new("RescaleSlope", "LO", "nan")
    assert "counts.not_finite" in refused(tmp_path, data)


def test_an_image_without_a_count_is_refused(tmp_path):
    assert refused(tmp_path, spect(np.zeros(SHAPE, np.uint16), affine())) == ["counts.empty"]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("TOMO", "nm.not_reconstructed"),
        ("GATED TOMO", "nm.not_reconstructed"),
        ("DYNAMIC", "nm.kind"),
        ("RECON GATED TOMO", "nm.kind"),
    ],
)
def test_kinds_that_are_no_static_image_are_refused(tmp_path, kind, code):
    data = spect(np.ones(SHAPE, np.uint16), affine())
    data.ImageType = ["ORIGINAL", "PRIMARY", kind, "EMISSION"]
    assert refused(tmp_path, data) == [code]


def test_spect_without_geometry_or_with_a_repeating_slice_vector(tmp_path):
    data = spect(np.ones(SHAPE, np.uint16), affine())
    del data.DetectorInformationSequence[0].ImagePositionPatient
    assert refused(tmp_path, data) == ["series.no_geometry"]
    data = spect(np.ones(SHAPE, np.uint16), affine())
    data.SliceVector = [1, 2, 3, 1, 2, 3]
    assert refused(tmp_path, data) == ["nm.kind"]


def quantitative(**more):
    data = spect(np.full(SHAPE, 1000, np.uint16), affine())
    data.Units, data.DecayCorrection = "BQML", "START"
    for keyword, value in more.items():
        setattr(data, keyword, value)
    return data


def test_spect_in_bq_per_ml_is_activity_at_its_stated_instant(tmp_path):
    save(quantitative(), tmp_path / "q.dcm")
    study = read(tmp_path)
    assert study.faults == ()
    (volume,) = study.volumes
    assert volume.kind == "activity" and isinstance(volume.map, ActivityMap)
    assert volume.map.nuclide.name == "Tc-99m"
    assert volume.map.at.isoformat() == "2026-03-04T10:15:00+01:00"
    assert volume.map.bq_per_ml.max() == 1000.0


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"DecayCorrection": "NONE"}, "pet.decay_reference_missing"),
        ({"DecayCorrection": ""}, "pet.decay_reference_missing"),
        ({"DecayCorrection": "ADMIN"}, "pet.time_missing"),
        ({"Units": "PROPCNTS"}, "nm.units"),
        ({"RadiopharmaceuticalInformationSequence": []}, "pet.nuclide_missing"),
        ({"RadiopharmaceuticalInformationSequence": [radiopharmaceutical(("35337001", "^68^Gallium"))]}, "pet.nuclide_unknown"),
    ],
)
def test_activity_without_proof_is_refused(tmp_path, more, code):
    assert refused(tmp_path, quantitative(**more)) == [code]


def test_a_nuclide_other_than_the_caller_says_is_refused(tmp_path):
    from opensirt.vocabulary.nuclides import HO166 as HOLMIUM

    save(quantitative(), tmp_path / "q.dcm")
    assert codes(read(tmp_path, true_nuclide=HOLMIUM)) == ["nm.nuclide_conflict"]


def test_nm_of_another_class_of_pixels_is_refused(tmp_path):
    data = base("1.2.840.10008.5.1.4.1.1.20", "NM", "1.2.3.33")
    put_pixels(data, np.ones((4, 4), np.uint8))
    data.ImageType = ["ORIGINAL", "PRIMARY", "STATIC"]
    data.PhotometricInterpretation = "PALETTE COLOR"
    assert "pixels.kind" in refused(tmp_path, data)


def test_the_two_views_may_be_two_series(tmp_path):
    stored = asymmetric()
    for index, name in enumerate(("ANT", "POST")):
        data = planar(stored[index : index + 1], series_uid=f"1.2.3.2{index}")
        data.DetectorInformationSequence = [view(*(ANTERIOR if index == 0 else POSTERIOR))]
        data.DetectorVector, data.NumberOfDetectors, data.EnergyWindowVector = [1], 1, [1]
        save(data, tmp_path / f"{name}.dcm")
    study = read(tmp_path)
    assert study.faults == ()
    assert len(study.planar) == 2


def test_two_pairs_of_views_are_said(tmp_path):
    for index in (1, 2):
        save(planar(asymmetric(), series_uid=f"1.2.3.2{index}"), tmp_path / f"{index}.dcm")
    study = read(tmp_path)
    assert codes(study) == ["nm.views_incomplete"]
    assert len(study.planar) == 4

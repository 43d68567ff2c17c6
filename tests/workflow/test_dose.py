"""Dose of files: known answers, units that slipped, DICOM in and RTDOSE out."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

import strategies
from dicom.builders import FRAME, Y90, affine, radiopharmaceutical, spect, write_ct, write_pet
from opensirt.dicom.read_dose import read_rtdose
from opensirt.files.images import read_image, write_image
from opensirt.vocabulary.errors import (
    GridMismatch,
    InconsistentInput,
    InvalidValue,
    MissingInput,
    OpensirtError,
    UnitError,
    UnsupportedInput,
)
from opensirt.vocabulary.geometry import Grid
from opensirt.workflow.dose import DoseOptions, run_dose
from opensirt.workflow.dvh import DvhOptions, run_dvh

GRID = strategies.grid_about((10.0, 20.0, -30.0), (9, 11, 14), (4.4, 3.1, 2.3), (12, -7, 30))
FLOAT32 = 3e-7
"""Relative rounding of one float32 operation or two."""


def silent(_: float) -> None:
    pass


def put(path: Path, values: np.ndarray, grid: Grid = GRID) -> Path:
    write_image(path, values.astype(np.float32), grid)
    return path


@pytest.fixture
def uniform(tmp_path: Path) -> DoseOptions:
    activity = put(tmp_path / "activity.nii.gz", np.full(GRID.shape, 1e6))
    density = put(tmp_path / "density.mha", np.full(GRID.shape, 1.05))
    return DoseOptions(activity, "Y-90", "local", density)


@pytest.mark.parametrize(
    ("nuclide", "constant", "gy_kg_per_gbq"), [("Y-90", "", 49.67), ("Y-90", "50", 50.0), ("Ho-166", "", 15.87)]
)
def test_uniform_activity_gives_constant_times_concentration_over_density(tmp_path, uniform, nuclide, constant, gy_kg_per_gbq):
    options = DoseOptions(uniform.activity, nuclide, "local", uniform.density, dose_constant=constant)
    summary = run_dose(options, tmp_path / "dose.nii.gz", silent)
    # 1e6 Bq/mL is 1e-3 GBq/mL; 1.05 g/mL is 1.05e-3 kg/mL
    expected = gy_kg_per_gbq * 1e-3 / 1.05e-3
    dose, grid = read_image(tmp_path / "dose.nii.gz")
    assert np.allclose(dose, expected, rtol=FLOAT32)
    assert np.allclose(grid.corners_mm(), GRID.corners_mm(), atol=2e-3)
    assert math.isclose(summary.mean_gy, expected, rel_tol=FLOAT32)
    assert math.isclose(summary.activity_gbq, 1e-3 * GRID.size * 4.4 * 3.1 * 2.3 / 1000, rel_tol=1e-6)
    assert summary.gy_kg_per_gbq == gy_kg_per_gbq


@pytest.mark.parametrize("engine", ["local", "kernel", "kernel-density"])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mha", ".mhd"])
def test_engines_and_endings(tmp_path, uniform, engine, ending):
    options = DoseOptions(uniform.activity, "Y-90", engine, uniform.density)
    summary = run_dose(options, tmp_path / f"dose{ending}", silent)
    dose, _ = read_image(tmp_path / f"dose{ending}")
    assert dose.shape == GRID.shape
    assert 0 < dose.max() <= summary.maximum_gy * (1 + FLOAT32)
    assert math.isclose(summary.energy.emitted_j, 49.67 * summary.activity_gbq, rel_tol=1e-6)
    assert summary.engine == engine


def test_density_from_a_ct_and_soft_tissue_in_a_mask(tmp_path, uniform):
    ct = put(tmp_path / "ct.nii.gz", np.full(GRID.shape, 400.0))  # as if bone: contrast medium
    half = np.zeros(GRID.shape)
    half[4:] = 1
    liver = put(tmp_path / "liver.nii.gz", half)
    run_dose(DoseOptions(uniform.activity, "Y-90", "local", ct=ct, soft_tissue=(liver,)), tmp_path / "dose.nii", silent)
    dose, _ = read_image(tmp_path / "dose.nii")
    bone = 1.0762 + (1.9642 - 1.0762) * (400 - 101) / (1600 - 101)  # Schneider's line between 101 and 1600 HU
    assert np.allclose(dose[:4], 49.67 / bone, rtol=1e-5)
    assert np.allclose(dose[4:], 49.67 / 1.05, rtol=1e-5)


def test_density_on_another_grid_is_averaged(tmp_path, uniform):
    finer = strategies.grid_about((10.0, 20.0, -30.0), (40, 40, 40), (2.0, 2.0, 2.0), (12, -7, 30))
    density = put(tmp_path / "fine.nii.gz", np.full(finer.shape, 1.2), finer)
    run_dose(DoseOptions(uniform.activity, "Y-90", "local", density), tmp_path / "dose.nii", silent)
    dose, _ = read_image(tmp_path / "dose.nii")
    assert np.allclose(dose, 49.67 / 1.2, rtol=1e-5)


@pytest.mark.parametrize(
    ("nuclide", "constant", "half_life_h", "k_gy_kg_per_gbq"),
    [
        ("Lu-177", "", 79.764, 19.636 / 2),
        ("Lu-177", "icrp107-electrons", 159.528, 19.636),
        ("I-131", "", 48.1242, 30.730 / 4),
        ("I-131", "icrp107", 192.4968, 92.042),
    ],
)
def test_what_is_not_trapped_gets_its_constant_scaled_by_the_effective_half_life(
    tmp_path, uniform, nuclide, constant, half_life_h, k_gy_kg_per_gbq
):
    """K of all electrons after physical decay: 19.64 (Lu-177) and 30.73 Gy·kg/GBq (I-131), by hand from ICRP-107; half the time, half the dose."""
    options = DoseOptions(
        uniform.activity, nuclide, "local", uniform.density, dose_constant=constant, effective_half_life_h=half_life_h
    )
    summary = run_dose(options, tmp_path / "dose.nii.gz", silent)
    assert summary.gy_kg_per_gbq == pytest.approx(k_gy_kg_per_gbq, rel=1e-4)
    assert summary.mean_gy == pytest.approx(k_gy_kg_per_gbq / 1.05, rel=1e-4)
    assert summary.effective_half_life_h == half_life_h
    assert [finding.code for finding in summary.findings] == ["dose.one_effective_half_life"]


def test_what_is_not_trapped_is_refused_in_one_clear_sentence(tmp_path, uniform):
    with pytest.raises(MissingInput, match=r"Lu-177 without an effective half-life .* --effective-half-life-h"):
        run_dose(DoseOptions(uniform.activity, "Lu-177", "local", uniform.density), tmp_path / "dose.nii.gz", silent)
    assert not (tmp_path / "dose.nii.gz").exists()


def broken(values: np.ndarray, bad: float) -> np.ndarray:
    values = values.copy()
    values[2, 3, 4] = bad
    return values


@pytest.mark.parametrize(
    ("activity", "density", "error", "words"),
    [
        (np.nan, 1.05, InvalidValue, "NaN"),
        (np.inf, 1.05, InvalidValue, "infinite"),
        (-1.0, 1.05, InvalidValue, "negative"),
        (1e6, np.nan, InvalidValue, "NaN"),
        (1e6, 1050.0, UnitError, "kg/m³"),
        (1e6, -1000.0, UnitError, "CT numbers"),
        (1e6, 0.0, InvalidValue, "no mass"),
    ],
)
def test_bad_voxels_are_refused_and_nothing_is_written(tmp_path, activity, density, error, words):
    a = put(tmp_path / "activity.nii", broken(np.full(GRID.shape, 1e6), activity))
    d = put(tmp_path / "density.nii", broken(np.full(GRID.shape, 1.05), density))
    with pytest.raises(error, match=words):
        run_dose(DoseOptions(a, "Y-90", "local", d), tmp_path / "dose.nii", silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["activity.nii", "density.nii"]


def test_an_unlikely_total_is_a_finding(tmp_path, uniform):
    a = put(tmp_path / "small.nii", np.full(GRID.shape, 1.0))  # as if MBq/mL had been written
    summary = run_dose(DoseOptions(a, "Y-90", "local", uniform.density), tmp_path / "dose.nii", silent)
    assert [finding.code for finding in summary.findings] == ["dose.activity_implausible"]


def test_what_cannot_be_asked_is_refused(tmp_path, uniform):
    out = tmp_path / "dose.nii"
    for options, error in (
        (DoseOptions(uniform.activity, "Y-90", "local"), InconsistentInput),
        (DoseOptions(uniform.activity, "Y-90", "local", uniform.density, uniform.density), InconsistentInput),
        (DoseOptions(uniform.activity, "Lu-177", "local", uniform.density), MissingInput),
        (DoseOptions(uniform.activity, "Lu-177", "kernel", uniform.density, effective_half_life_h=70.0), UnsupportedInput),
        (DoseOptions(uniform.activity, "Lu-177", "local", uniform.density, effective_half_life_h=170.0), InvalidValue),
        (DoseOptions(uniform.activity, "Lu-177", "local", uniform.density, effective_half_life_h=0.0), InvalidValue),
        (DoseOptions(uniform.activity, "Lu-177", "local", uniform.density, effective_half_life_h=float("nan")), InvalidValue),
        (DoseOptions(uniform.activity, "Y-90", "local", uniform.density, effective_half_life_h=50.0), UnsupportedInput),
        (DoseOptions(uniform.activity, "Tc-99m", "local", uniform.density, effective_half_life_h=5.0), UnsupportedInput),
        (DoseOptions(uniform.activity, "Tc-99m", "local", uniform.density), UnsupportedInput),
        (DoseOptions(uniform.activity, "Y-90", "magic", uniform.density), UnsupportedInput),
        (DoseOptions(uniform.activity, "Y-90", "local", uniform.density, dose_constant="51"), UnsupportedInput),
        (DoseOptions(tmp_path / "none.nii", "Y-90", "local", uniform.density), InvalidValue),
        (DoseOptions(tmp_path / "none", "Y-90", "local", uniform.density), InvalidValue),
        (DoseOptions(uniform.activity, "Y-90", "local", ct=uniform.density, conversion="mine"), UnsupportedInput),
    ):
        with pytest.raises(error):
            run_dose(options, out, silent)
    with pytest.raises(UnsupportedInput, match=r"dose\.png"):
        run_dose(uniform, tmp_path / "dose.png", silent)
    with pytest.raises(MissingInput, match="RTDOSE"):
        run_dose(uniform, tmp_path / "dose.dcm", silent)
    assert not out.exists()


def test_a_ct_beyond_16_bits_is_refused(tmp_path, uniform):
    ct = put(tmp_path / "ct.nii", np.full(GRID.shape, 40000.0))
    with pytest.raises(InvalidValue, match="16 bits"):
        run_dose(DoseOptions(uniform.activity, "Y-90", "local", ct=ct), tmp_path / "dose.nii", silent)


SHAPE = (5, 8, 9)
PLACE = affine(spacing=(4.0, 4.4, 3.6))


def dicom_study(tmp_path: Path, edit=None) -> tuple[Path, Path]:
    write_pet(tmp_path / "pet", np.full(SHAPE, 20000, np.uint16), PLACE, edit)
    write_ct(
        tmp_path / "ct", np.full((9, 30, 40), 1024 + 60, np.uint16), affine(spacing=(3.0, 1.4, 1.3), origin=(-34.0, 13.0, 22.0))
    )
    return tmp_path / "pet", tmp_path / "ct"


def test_dicom_in_and_rtdose_out(tmp_path):
    pet, ct = dicom_study(tmp_path)
    density = put(
        tmp_path / "density.nii", np.full((30, 30, 30), 1.05), strategies.grid_about((-20, 30, 35), (30, 30, 30), (4, 4, 4))
    )
    summary = run_dose(DoseOptions(pet, "Y-90", "local", density), tmp_path / "dose.dcm", silent)
    dose = read_rtdose(tmp_path / "dose.dcm")
    assert dose.grid.frame == FRAME
    # imaged 19 h 15 min + 10 min after administration (15:00 +01:00 the day before, reference time 10 min into the frame), Y-90 64.1 h;
    # PET without decay correction averages over its 20 minutes, whose mean activity is that of their middle within 1e-6
    back = 2 ** ((19 + 15 / 60 + 10 / 60) / 64.1)
    expected = 49.67 * 20000 * back * 1e-9 / 1.05e-3
    assert math.isclose(float(dose.dose_gy.mean(dtype=float)), expected, rel_tol=2e-4)
    assert math.isclose(summary.mean_gy, expected, rel_tol=2e-4)
    data = dcmread(tmp_path / "dose.dcm")
    assert (data.PatientID, data.DoseUnits, data.FrameOfReferenceUID) == ("T-1", "GY", FRAME)


def test_a_ct_from_dicom(tmp_path):
    pet, ct = dicom_study(tmp_path)
    run_dose(DoseOptions(pet, "Y-90", "kernel-density", ct=ct), tmp_path / "dose.dcm", silent)
    assert read_rtdose(tmp_path / "dose.dcm").dose_gy.max() > 0


def test_an_unknown_instant_of_administration_must_be_stated(tmp_path):
    def forget(data, _):
        data.RadiopharmaceuticalInformationSequence = [
            radiopharmaceutical(Y90, RadionuclideHalfLife="230760", RadionuclideTotalDose="2e9")
        ]

    pet, ct = dicom_study(tmp_path, forget)
    with pytest.raises(OpensirtError, match="administ"):
        run_dose(DoseOptions(pet, "Y-90", "local", ct=ct), tmp_path / "dose.nii", silent)


def test_counts_are_no_activity(tmp_path):
    from dicom.builders import save

    path = save(spect(np.full(SHAPE, 7, np.uint16), PLACE), tmp_path / "spect.dcm")
    _, ct = dicom_study(tmp_path)
    with pytest.raises(MissingInput, match="counts"):
        run_dose(DoseOptions(path, "Y-90", "local", ct=ct), tmp_path / "dose.nii", silent)


def test_two_frames_of_reference_are_refused(tmp_path):
    def move(data, _):
        data.FrameOfReferenceUID = "1.2.3.4.5"

    pet, ct = dicom_study(tmp_path, move)
    with pytest.raises(GridMismatch, match=r"1\.2\.3\.4\.5"):
        run_dose(DoseOptions(pet, "Y-90", "local", ct=ct), tmp_path / "dose.nii", silent)


def test_dvh_of_a_ramp_is_exact(tmp_path):
    # ten slices of 10, 20 … 100 Gy, each a tenth of the volume
    grid = strategies.grid_about((0, 0, 0), (10, 3, 4), (2.0, 3.0, 5.0), (5, 6, 7))
    dose = np.broadcast_to(np.arange(10.0, 101.0, 10.0)[:, None, None], grid.shape)
    put(tmp_path / "dose.nii.gz", dose, grid)
    put(tmp_path / "mask.nii.gz", np.ones(grid.shape), grid)
    options = DvhOptions(d_percent=(10.0, 50.0, 100.0), v_gy=(10.0, 55.0, 100.0, 100.1))
    summary = run_dvh(tmp_path / "dose.nii.gz", tmp_path / "mask.nii.gz", options, silent)
    assert (summary.mean_gy, summary.minimum_gy, summary.maximum_gy) == (55.0, 10.0, 100.0)
    assert math.isclose(summary.volume_ml, 10 * 12 * 30 / 1000, rel_tol=1e-6)
    assert [point.dose_gy for point in summary.d] == [100.0, 60.0, 10.0]
    assert np.allclose([point.percent for point in summary.v], [100.0, 50.0, 10.0, 0.0])


def test_dvh_takes_one_label_and_carries_it_to_the_grid_of_the_dose(tmp_path):
    coarse = strategies.grid_about((0, 0, 0), (6, 7, 8), (6.0, 4.0, 5.0), (9, -5, 3))
    fine = strategies.grid_about((0, 0, 0), (12, 21, 16), (3.0, 4.0 / 3.0, 2.5), (9, -5, 3))
    put(tmp_path / "dose.mha", np.full(coarse.shape, 42.0), coarse)
    labels = np.zeros(fine.shape)
    labels[2:10, 3:18, 2:14], labels[0] = 7, 3
    put(tmp_path / "mask.nii", labels, fine)
    summary = run_dvh(tmp_path / "dose.mha", tmp_path / "mask.nii", DvhOptions(label=7), silent)
    assert math.isclose(summary.volume_ml, 8 * 15 * 12 * 0.01, rel_tol=1e-5)
    assert math.isclose(summary.mean_gy, 42.0, rel_tol=1e-6)
    assert summary.findings == ()
    with pytest.raises(InvalidValue, match="label 9.*3.0, 7.0"):
        run_dvh(tmp_path / "dose.mha", tmp_path / "mask.nii", DvhOptions(label=9), silent)


def test_a_structure_that_reaches_out_of_the_dose_is_a_finding(tmp_path):
    grid = strategies.grid_about((0, 0, 0), (6, 7, 8), (3.0, 4.0, 5.0))
    larger = strategies.grid_about((0, 0, 0), (6, 7, 16), (3.0, 4.0, 5.0))
    put(tmp_path / "dose.nii", np.full(grid.shape, 10.0), grid)
    put(tmp_path / "mask.nii", np.ones(larger.shape), larger)
    summary = run_dvh(tmp_path / "dose.nii", tmp_path / "mask.nii", DvhOptions(), silent)
    assert [finding.code for finding in summary.findings] == ["dvh.structure_cut"]
    assert "50.0 %" in summary.findings[0].message


def test_dvh_of_an_rtdose(tmp_path):
    pet, ct = dicom_study(tmp_path)
    run_dose(DoseOptions(pet, "Y-90", "local", ct=ct), tmp_path / "dose.dcm", silent)
    dose = read_rtdose(tmp_path / "dose.dcm")
    put(tmp_path / "mask.nii", np.ones(dose.grid.shape), dose.grid)
    summary = run_dvh(tmp_path / "dose.dcm", tmp_path / "mask.nii", DvhOptions(), silent)
    assert math.isclose(summary.mean_gy, float(dose.dose_gy.mean(dtype=float)), rel_tol=1e-6)
    (tmp_path / "bad.dcm").write_bytes(b"no DICOM")
    with pytest.raises(OpensirtError):
        run_dvh(tmp_path / "bad.dcm", tmp_path / "mask.nii", DvhOptions(), silent)

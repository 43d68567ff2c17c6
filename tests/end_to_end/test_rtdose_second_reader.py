"""RTDOSE as other programs see it: dciodvfy finds no error, plastimatch and dcmtk read the same dose in the same place."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread

from dicom.builders import FRAME, ORIENTATIONS, affine, read, rotation, write_ct
from opensirt.dicom.facts import SYNTHETIC_MARK
from opensirt.dicom.study import DoseContext
from opensirt.dicom.write_dose import write_rtdose
from opensirt.vocabulary.errors import GeometryError, GridMismatch
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import DoseMap

SHAPE = (7, 12, 9)
SPACING = (3.9, 4.4, 3.1)
SAME_PLACE_MM = 1e-3
"""plastimatch keeps geometry in single precision: 1e-7 of some 100 mm, times a chain of sums."""
ONE_LSB = 1.0 + 1e-6
AXES = {**ORIENTATIONS, "left-handed": ORIENTATIONS["oblique"] @ np.diag([1.0, 1.0, -1.0]), "steep": rotation(-1.1, 0.9)}


def dose_map(name: str = "oblique", top_gy: float = 612.7) -> DoseMap:
    random = np.random.default_rng(21)
    values = (random.gamma(0.4, 1.0, SHAPE)).astype(np.float32)
    values *= np.float32(top_gy / values.max())
    values[3, :, 2] = 0.0
    return DoseMap(values, Grid(SHAPE, affine(AXES[name], SPACING), FRAME))


def context(folder: Path, synthetic: bool = False) -> DoseContext:
    def edit(data, k):
        data.PatientBirthDate, data.PatientSex, data.StudyID = "19600229", "F", "17"
        data.AccessionNumber, data.ReferringPhysicianName = "A-5", "Ref^Doctor"
        if synthetic:
            data.ImageComments = SYNTHETIC_MARK

    write_ct(folder, np.full((3, 8, 6), 1024, np.uint16), affine(), edit)
    return read(folder).volumes[0].context


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", AXES)
def test_dciodvfy_finds_no_error(tmp_path, program, name):
    write_rtdose(dose_map(name), tmp_path / "dose.dcm", context(tmp_path / "ct"))
    told = run(program("dciodvfy"), str(tmp_path / "dose.dcm"))
    assert "RTDose" in told
    assert not [line for line in told.splitlines() if line.startswith("Error")]
    assert "Assertion" not in told


def index_in(image: sitk.Image, where_mm: np.ndarray) -> tuple[int, ...]:
    """The voxel of another program's image whose centre is at ``where_mm``; there must be one."""
    seen = np.array(image.TransformPhysicalPointToContinuousIndex(where_mm.tolist()))[::-1]
    nearest = np.rint(seen).astype(int)
    assert np.abs(seen - nearest).max() * max(SPACING) < SAME_PLACE_MM
    return tuple(nearest)


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("name", AXES)
def test_two_programs_read_the_same_dose_in_the_same_place(tmp_path, program, name, bits):
    """Place by ITK, which ignores the scaling; dose by plastimatch, whose RTDOSE reader (1.9.4) transposes the directions of every
    grid that is not axial, though it has the voxels in the order of the file."""
    dose = dose_map(name)
    write_rtdose(dose, tmp_path / "dose.dcm", context(tmp_path / "ct"), bits)
    run(program("plastimatch"), "convert", "--input", str(tmp_path / "dose.dcm"), "--output-dose-img", str(tmp_path / "dose.mha"))
    placed, scaled = sitk.ReadImage(str(tmp_path / "dose.dcm")), sitk.ReadImage(str(tmp_path / "dose.mha"))
    values = sitk.GetArrayFromImage(scaled)
    assert values.shape == SHAPE
    top = float(dose.dose_gy.max())
    lsb = top / (2**bits - 1) + float(np.spacing(np.float32(top)))  # plastimatch holds float32
    axial = np.allclose(np.abs(dose.grid.directions[2]), [1.0, 0.0, 0.0])
    for index in np.ndindex(SHAPE):
        where = dose.grid.lps_mm(index)
        there = index_in(placed, where)
        assert abs(values[there] - dose.dose_gy[index]) <= lsb * ONE_LSB
        if axial:
            assert index_in(scaled, where) == there
    assert axial == (name in ("head first supine", "feet first prone"))


@pytest.mark.parametrize("bits", [16, 32])
def test_dcmtk_reads_the_same_dose(tmp_path, program, bits):
    dose = dose_map()
    write_rtdose(dose, tmp_path / "dose.dcm", context(tmp_path / "ct"), bits)
    run(program("dcmdump"), "+W", str(tmp_path), str(tmp_path / "dose.dcm"))
    (raw,) = tmp_path.glob("dose.dcm.*.raw")
    told = run(program("dcmdump"), "+P", "3004,000e", "+P", "3004,0002", "+P", "0020,0052", str(tmp_path / "dose.dcm"))
    scaling = float(re.search(r"3004,000e\) DS \[([^\]]*)\]", told).group(1))
    assert "[GY]" in told and f"[{FRAME}]" in told
    values = np.frombuffer(raw.read_bytes(), f"<u{bits // 8}")[: dose.dose_gy.size].reshape(SHAPE) * scaling
    assert np.abs(values - dose.dose_gy).max() <= scaling * ONE_LSB
    assert values.max() == pytest.approx(float(dose.dose_gy.max()), rel=1e-8)


def test_the_patient_and_the_study_are_those_of_the_ct(tmp_path):
    write_rtdose(dose_map(), tmp_path / "dose.dcm", context(tmp_path / "ct"))
    ct, dose = dcmread(next((tmp_path / "ct").iterdir())), dcmread(tmp_path / "dose.dcm")
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID", "AccessionNumber"):
        assert dose[keyword].value == ct[keyword].value
    assert dose.FrameOfReferenceUID == ct.FrameOfReferenceUID
    assert dose.SeriesInstanceUID != ct.SeriesInstanceUID
    assert (dose.DoseUnits, dose.DoseType) == ("GY", "PHYSICAL")
    assert "ImageComments" not in dose


def test_the_mark_of_a_virtual_patient_is_handed_on(tmp_path):
    write_rtdose(dose_map(), tmp_path / "dose.dcm", context(tmp_path / "ct", synthetic=True))
    dose = dcmread(tmp_path / "dose.dcm")
    assert SYNTHETIC_MARK in dose.ImageComments
    assert SYNTHETIC_MARK in dose.SeriesDescription


def test_two_exports_are_two_objects(tmp_path):
    for name in ("a", "b"):
        write_rtdose(dose_map(), tmp_path / f"{name}.dcm", context(tmp_path / name))
    first, second = dcmread(tmp_path / "a.dcm"), dcmread(tmp_path / "b.dcm")
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.SeriesInstanceUID != second.SeriesInstanceUID


def test_a_dose_of_nothing_is_nothing(tmp_path, program):
    grid = dose_map().grid
    write_rtdose(DoseMap(np.zeros(SHAPE, np.float32), grid), tmp_path / "dose.dcm", context(tmp_path / "ct"))
    assert not dcmread(tmp_path / "dose.dcm").pixel_array.any()
    told = run(program("dciodvfy"), str(tmp_path / "dose.dcm"))
    assert not [line for line in told.splitlines() if line.startswith("Error")]


def test_a_dose_of_another_frame_or_on_a_sheared_grid_is_refused(tmp_path):
    ct = context(tmp_path / "ct")
    dose = dose_map()
    with pytest.raises(GridMismatch, match="frame of reference"):
        write_rtdose(DoseMap(dose.dose_gy, dose.grid.in_frame("1.2.3")), tmp_path / "dose.dcm", ct)
    sheared = dose.grid.affine_mm.copy()
    sheared[:3, 0] += 0.3 * sheared[:3, 1]
    with pytest.raises(GeometryError, match="right angles"):
        write_rtdose(DoseMap(dose.dose_gy, Grid(SHAPE, sheared, FRAME)), tmp_path / "dose.dcm", ct)
    assert not (tmp_path / "dose.dcm").exists()


def test_a_failed_export_leaves_the_previous_file_and_no_litter(tmp_path, monkeypatch):
    ct = context(tmp_path / "ct")
    write_rtdose(dose_map(), tmp_path / "dose.dcm", ct)
    before = (tmp_path / "dose.dcm").read_bytes()

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_rtdose(dose_map(top_gy=1.0), tmp_path / "dose.dcm", ct)
    assert (tmp_path / "dose.dcm").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct", "dose.dcm"]


def test_names_outside_latin_1_survive(tmp_path):
    def edit(data, k):
        data.SpecificCharacterSet = "ISO_IR 192"
        data.PatientName = "Müller^Zoë"

    write_ct(tmp_path / "ct", np.full((3, 8, 6), 1024, np.uint16), affine(), edit)
    write_rtdose(dose_map(), tmp_path / "dose.dcm", read(tmp_path / "ct").volumes[0].context)
    assert str(dcmread(tmp_path / "dose.dcm").PatientName) == "Müller^Zoë"

"""A virtual patient on disk: genuine DICOM, marked everywhere, the same bytes each time, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import subprocess

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from dicom.written import complaints
from opensirt.dicom.read import read_study
from opensirt.encoding import from_json
from opensirt.synthetic import write
from opensirt.synthetic.camera import ImagingOptions
from opensirt.synthetic.patient import PatientOptions, Truth, virtual_patient
from opensirt.synthetic.write import TRUTH_SCHEMA, TRUTH_VERSION, run_virtual_patient, write_virtual_patient
from opensirt.vocabulary.errors import InconsistentInput, MissingInput

pytestmark = pytest.mark.slow

OPTIONS = PatientOptions(seed=21, imaging=ImagingOptions(ct_matrix=96, ct_slice_mm=6.0), truth_decays=5_000)
POSITION_TOLERANCE_MM = 1e-3
"""SimpleITK derives the slice spacing from two positions and multiplies it by their number."""


@pytest.fixture(scope="module")
def patient():
    return virtual_patient(OPTIONS, lambda _: None)


@pytest.fixture(scope="module")
def folder(patient, tmp_path_factory):
    path = tmp_path_factory.mktemp("virtual")
    write_virtual_patient(patient, path, lambda _: None, segmentation=True)
    return path


def _digests(folder):
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def test_the_verifier_has_nothing_to_say(folder, dciodvfy):
    paths = sorted((folder / "dicom").rglob("*.dcm"))
    assert len(paths) > 60
    assert {path.name: found for path in paths if (found := complaints(dciodvfy, path))} == {}


def test_it_comes_back_without_a_fault(folder, patient):
    study = read_study(folder, lambda _: None)
    assert study.faults == ()
    kinds = {volume.kind: volume for volume in study.volumes}
    assert np.array_equal(kinds["ct"].map.hu, patient.images.ct.hu)
    assert np.array_equal(kinds["counts"].map.counts, patient.images.spect.counts)
    assert kinds["counts"].map.grid.is_same_as(patient.images.spect.grid)
    assert kinds["counts"].map.grid.frame == kinds["ct"].map.grid.frame
    assert kinds["counts"].facts.radionuclide == "Tc-99m"
    assert kinds["counts"].facts.injected_gbq == pytest.approx(0.150)
    views = {view.view: view.map for view in study.planar}
    for name in ("anterior", "posterior"):
        assert np.array_equal(views[name].counts, getattr(patient.images, name).counts)
        assert np.abs(views[name].grid.affine_mm - patient.images.anterior.grid.affine_mm).max() < POSITION_TOLERANCE_MM
    for origin in ("RTSTRUCT", "SEG"):
        found = {item.mask.structure.key: item.mask.inside for item in study.structures if item.origin == origin}
        wanted = {
            mask.structure.key: mask.inside
            for mask in patient.images.structures
            if origin == "RTSTRUCT" or mask.structure.key != "body"
        }
        assert set(found) == set(wanted)
        assert all(np.array_equal(found[key], wanted[key]) for key in wanted)


def test_simpleitk_sees_the_same_ct(folder, patient):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder / "dicom" / "ct")))
    image = reader.Execute()
    assert np.array_equal(sitk.GetArrayFromImage(image), patient.images.ct.hu)
    assert np.abs(np.array(image.GetOrigin()) - patient.images.ct.grid.lps_mm((0, 0, 0))).max() < POSITION_TOLERANCE_MM
    assert np.abs(np.array(image.GetSpacing())[::-1] - patient.images.ct.grid.spacing_mm).max() < POSITION_TOLERANCE_MM


def test_plastimatch_converts_ct_and_structures(folder, patient, plastimatch, tmp_path):
    subprocess.run(
        [
            plastimatch,
            "convert",
            "--input",
            str(folder / "dicom" / "structures.dcm"),
            "--referenced-ct",
            str(folder / "dicom" / "ct"),
        ]
        + ["--output-prefix", str(tmp_path / "s"), "--prefix-format", "nrrd"],
        check=True,
        capture_output=True,
    )
    liver = next(mask for mask in patient.images.structures if mask.structure.key == "liver")
    inside = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "s" / "Liver.nrrd"))) > 0
    assert (inside != liver.inside).sum() < 0.01 * liver.voxels


def test_every_object_says_that_it_is_no_patient(folder):
    for path in sorted((folder / "dicom").rglob("*.dcm")):
        data = pydicom.dcmread(path, stop_before_pixels=True)
        assert str(data.PatientName) == "SYNTHETIC^opensirt 21"
        assert data.PatientID == "SYNTHETIC-21"
        assert data.SeriesDescription.startswith("SYNTHETIC") and data.StudyDescription.startswith("SYNTHETIC")
        assert data.ManufacturerModelName == "opensirt synthetic"
        said = [data.get(keyword, "") for keyword in ("ImageComments", "StructureSetDescription", "ContentDescription")]
        assert "SYNTHETIC - NOT A PATIENT" in said
        assert data.TimezoneOffsetFromUTC == "+0100"
        uids = [data.SOPInstanceUID, data.SeriesInstanceUID, data.StudyInstanceUID]
        assert all(uid.startswith("2.25.") and uid.is_valid for uid in uids)


def test_two_runs_give_identical_bytes(folder, tmp_path):
    write_virtual_patient(virtual_patient(OPTIONS, lambda _: None), tmp_path, lambda _: None, segmentation=True)
    assert _digests(tmp_path) == _digests(folder)


def test_the_truth_reads_back(folder, patient):
    text = (folder / "truth.json").read_text("utf-8")
    truth = from_json(text, Truth, TRUTH_SCHEMA, TRUTH_VERSION)
    assert truth == patient.truth
    assert "psf_fwhm_mm" in json.loads(text)["secrets"]


@pytest.mark.slow
def test_holmium_scout(tmp_path):
    from attrs import evolve

    write_virtual_patient(virtual_patient(evolve(OPTIONS, nuclide="Ho-166"), lambda _: None), tmp_path, lambda _: None)
    study = read_study(tmp_path, lambda _: None)
    assert study.faults == ()
    assert {view.facts.radionuclide for view in study.planar} == {"Ho-166"}


def test_a_run_that_fails_leaves_what_was_there(folder, patient, monkeypatch, tmp_path):
    write_virtual_patient(patient, tmp_path, lambda _: None)
    before = _digests(tmp_path)

    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(write, "write_spect", fail)
    with pytest.raises(OSError, match="full"):
        write_virtual_patient(patient, tmp_path, lambda _: None, replace=True)
    assert _digests(tmp_path) == before


def test_another_dicom_folder_is_not_replaced(patient, tmp_path):
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "real.dcm").write_bytes(b"somebody's")
    for replace in (False, True):
        with pytest.raises(InconsistentInput, match="not be replaced"):
            write_virtual_patient(patient, tmp_path, lambda _: None, replace=replace)
    assert (tmp_path / "dicom" / "real.dcm").read_bytes() == b"somebody's"


def test_an_earlier_virtual_patient_stays_unless_it_is_to_be_replaced(tmp_path, monkeypatch):
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "old.dcm").write_bytes(b"old")
    (tmp_path / "truth.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    before = _digests(tmp_path)
    with pytest.raises(InconsistentInput, match="--replace"):
        run_virtual_patient(tmp_path, OPTIONS, lambda _: None)  # at once: nothing was computed
    assert _digests(tmp_path) == before

    def objects(patient, folder, report, *, segmentation):
        (folder / "new.dcm").parent.mkdir()
        (folder / "new.dcm").write_bytes(b"new")

    monkeypatch.setattr(write, "_write_objects", objects)
    monkeypatch.setattr(write, "to_json", lambda *_: "new truth")
    monkeypatch.setattr(write, "virtual_patient", lambda *_: type("Patient", (), {"truth": None}))
    written = run_virtual_patient(tmp_path, OPTIONS, lambda _: None, replace=True)
    assert written.files == 1
    assert (tmp_path / "truth.json").read_text() == "new truth"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["dicom", "new.dcm", "notes.txt", "truth.json"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InconsistentInput, match="is a file"):
        run_virtual_patient(tmp_path / "out", OPTIONS, lambda _: None)
    assert (tmp_path / "out").read_text() == "mine"


def test_a_ct_without_labels_is_refused(tmp_path):
    with pytest.raises(MissingInput, match="label map"):
        run_virtual_patient(tmp_path / "out", OPTIONS, lambda _: None, ct=tmp_path / "ct.nii.gz")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_progress_runs_from_start_to_end(tmp_path):
    seen = []
    run_virtual_patient(tmp_path, OPTIONS, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)

"""From a folder of DICOM into a case: everything kept, nobody named, patients never mixed, nothing half-written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dicom.builders import affine, contour, planar, rtstruct, save, spect, write_ct
from opensirt.dicom.study import ImportedStudy
from opensirt.files.images import write_image
from opensirt.record.events import EventKind
from opensirt.store.case_folder import open_case
from opensirt.vocabulary.errors import CaseError, InconsistentInput, InvalidValue, MissingInput
from opensirt.vocabulary.findings import Severity
from opensirt.vocabulary.geometry import Grid
from opensirt.workflow import import_study
from opensirt.workflow.import_study import IDENTITY_FOLDER, load_identity, require_volumes, run_import
from opensirt.workflow.options import ImportOptions
from opensirt.workflow.study import load_study

NAME, NUMBER, BIRTH = "Planted^Secretname", "SECRETID42", "19620417"
CT_PLACE = affine(spacing=(3.0, 1.4, 1.3))
NM_PLACE = affine(spacing=(4.5, 4.0, 3.7), origin=(-33.0, 14.0, 25.0))
CT_SHAPE, NM_SHAPE = (9, 30, 40), (6, 9, 12)


def silent(_: float) -> None:
    pass


def name(data, _=0) -> None:
    data.PatientName, data.PatientID, data.PatientBirthDate = NAME, NUMBER, BIRTH
    data.ReferringPhysicianName = NAME


def liver_contours() -> list:
    corners = np.array([[5, 5], [5, 25], [24, 25], [24, 5]], dtype=float)
    return [contour(np.array([(CT_PLACE @ (k, j, i, 1))[:3] for j, i in corners])) for k in range(2, 7)]


def write_study(folder: Path, edit_ct=name, edit_nm=name) -> Path:
    hu = np.random.default_rng(1).integers(900, 1200, CT_SHAPE).astype(np.uint16)
    write_ct(folder / "ct", hu, CT_PLACE, edit_ct)
    counts = np.random.default_rng(2).poisson(9.0, NM_SHAPE).astype(np.uint16)
    nm, views, drawn = spect(counts, NM_PLACE), planar(counts[:2].copy()), rtstruct({"Liver": liver_contours()})
    for data in (nm, views, drawn):
        edit_nm(data)
    save(nm, folder / "nm.dcm")
    save(views, folder / "planar.dcm")
    save(drawn, folder / "rs.dcm")
    return folder


def test_everything_is_kept_and_comes_back_as_memory_maps(tmp_path: Path):
    summary = run_import(write_study(tmp_path / "dicom"), tmp_path / "case", ImportOptions(), silent)
    assert (summary.volumes, summary.planar_views, summary.structures, summary.synthetic) == (2, 2, ("liver",), False)
    study = load_study(open_case(tmp_path / "case"))
    assert study.ct.grid.shape == CT_SHAPE
    assert isinstance(study.ct.hu.base, np.memmap) or isinstance(study.ct.hu, np.memmap)
    assert study.emission.grid.shape == NM_SHAPE
    assert len(study.planar) == 2
    ((mask, stored),) = study.structures
    # corners are voxel centres: 20 columns by 19 rows fill (20 × 19) voxels' worth of area, five slices
    assert abs(mask.volume_ml - 5 * 20 * 19 * 3.0 * 1.4 * 1.3 / 1000) < 0.06 * mask.volume_ml
    assert (stored.origin, stored.label) == ("RTSTRUCT", "Liver")
    events, _ = open_case(tmp_path / "case").events()
    assert [event.kind for event in events] == [EventKind.CASE_CREATED, EventKind.STUDY_IMPORTED]
    open_case(tmp_path / "case").verify()


def test_no_file_outside_the_identity_folder_names_the_patient(tmp_path: Path):
    run_import(write_study(tmp_path / "dicom"), tmp_path / "case", ImportOptions(), silent)
    secrets = [text.encode() for text in (NAME, NUMBER, BIRTH, "Secretname")]
    files = [path for path in (tmp_path / "case").rglob("*") if path.is_file()]
    naming = {path.parent.name for path in files for secret in secrets if secret in path.read_bytes()}
    assert naming == {IDENTITY_FOLDER}
    case = open_case(tmp_path / "case")
    assert NUMBER not in case.case_id
    identity = load_identity(case, load_study(case).index.ct_sha256)
    assert identity is not None
    assert identity.attributes["PatientName"] == NAME
    assert "Secretname" not in repr(identity)
    assert (tmp_path / "case" / IDENTITY_FOLDER).stat().st_mode & 0o077 == 0  # for the owner alone


def test_a_study_of_another_patient_is_refused_without_naming_either(tmp_path: Path):
    run_import(write_study(tmp_path / "a"), tmp_path / "case", ImportOptions(), silent)
    before = (tmp_path / "case" / "events.jsonl").read_bytes()
    other = lambda data, _=0: setattr(data, "PatientID", "OTHERID43")  # noqa: E731
    with pytest.raises(InconsistentInput, match="another patient") as caught:
        run_import(write_study(tmp_path / "b", other, other), tmp_path / "case", ImportOptions(), silent)
    assert not {NUMBER, "OTHERID43"} & set(str(caught.value).split())
    assert (tmp_path / "case" / "events.jsonl").read_bytes() == before


def test_ct_and_emission_of_two_patients_are_refused(tmp_path: Path):
    other = lambda data, _=0: setattr(data, "PatientID", "OTHERID43")  # noqa: E731
    with pytest.raises(InconsistentInput, match="different patients"):
        run_import(write_study(tmp_path / "a", name, other), tmp_path / "case", ImportOptions(), silent)
    assert not (tmp_path / "case").exists()


def test_the_same_patient_may_come_again(tmp_path: Path):
    run_import(write_study(tmp_path / "a"), tmp_path / "case", ImportOptions(case_id="C-7"), silent)
    summary = run_import(tmp_path / "a", tmp_path / "case", ImportOptions(), silent)
    assert summary.case_id == "C-7"
    assert len(open_case(tmp_path / "case").events()[0]) == 3
    assert len(list((tmp_path / "case" / "volumes").glob("*.npy"))) == 5  # CT, SPECT, two views, liver: kept once


def test_the_pseudonym_is_the_same_for_the_same_study(tmp_path: Path):
    write_study(tmp_path / "a")
    ids = {run_import(tmp_path / "a", tmp_path / f"case{n}", ImportOptions(), silent).case_id for n in (1, 2)}
    assert len(ids) == 1


def test_frames_that_differ_are_a_critical_finding(tmp_path: Path):
    def move(data, _=0):
        name(data)
        data.FrameOfReferenceUID = "1.2.3.4.5"

    summary = run_import(write_study(tmp_path / "a", move), tmp_path / "case", ImportOptions(), silent)
    assert ("import.frames_differ", Severity.CRITICAL) in [(f.code, f.severity) for f in summary.findings]


def test_of_several_cts_the_one_in_the_frame_of_the_emission_image_is_used(tmp_path: Path):
    def move(data, _=0):
        name(data)
        data.FrameOfReferenceUID = "1.2.3.4.5"

    write_study(tmp_path / "a")
    write_ct(tmp_path / "a" / "larger", np.full((12, 40, 50), 1024, np.uint16), CT_PLACE, move, "1.2.3.99")
    summary = run_import(tmp_path / "a", tmp_path / "case", ImportOptions(), silent)
    assert "import.several_series" in [f.code for f in summary.findings]
    assert load_study(open_case(tmp_path / "case")).ct.grid.shape == CT_SHAPE


def test_a_folder_without_volumes_tells_all_faults_and_leaves_no_case(tmp_path: Path):
    (tmp_path / "a").mkdir()
    summary = run_import(tmp_path / "a", tmp_path / "case", ImportOptions(), silent)
    assert (summary.volumes, summary.faults) == (0, ())
    with pytest.raises(MissingInput, match="no DICOM image"):
        require_volumes(summary)
    for number in range(15):
        (tmp_path / "a" / f"x{number}.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 64)
    summary = run_import(tmp_path / "a", tmp_path / "case", ImportOptions(), silent)
    assert {f"x{number}.dcm" for number in range(15)} <= set(" ".join(f.message for f in summary.faults).replace(":", " ").split())
    assert [f.code for f in summary.findings] == ["import.no_volume"]
    with pytest.raises(MissingInput, match=r"x0\.dcm"):
        require_volumes(summary)
    with pytest.raises(InvalidValue, match="not a folder"):
        run_import(tmp_path / "a" / "x1.dcm", tmp_path / "case", ImportOptions(), silent)
    assert not (tmp_path / "case").exists()


def test_structures_of_a_ct_that_is_not_used_are_left_out(tmp_path: Path):
    def move(data, _=0):
        name(data)
        data.FrameOfReferenceUID = "1.2.3.4.5"

    write_study(tmp_path / "a")
    write_ct(tmp_path / "a" / "other", np.full(CT_SHAPE, 1024, np.uint16), CT_PLACE, move, "1.2.3.99")
    drawn = rtstruct({"Tumour": liver_contours()}, "1.2.3.99", "1.2.3.4.5")
    drawn.SOPInstanceUID, drawn.SeriesInstanceUID = "1.2.3.98", "1.2.3.97"
    name(drawn)
    save(drawn, tmp_path / "a" / "rs2.dcm")
    summary = run_import(tmp_path / "a", tmp_path / "case", ImportOptions(), silent)
    assert summary.structures == ("liver",)
    (finding,) = [f for f in summary.findings if f.code == "import.structure_elsewhere"]
    assert "Tumour" in finding.message


def test_a_missing_emission_image_is_told_when_it_is_needed(tmp_path: Path):
    write_ct(tmp_path / "a", np.full(CT_SHAPE, 1024, np.uint16), CT_PLACE, name)
    run_import(tmp_path / "a", tmp_path / "case", ImportOptions(), silent)
    with pytest.raises(MissingInput, match="emission image"):
        load_study(open_case(tmp_path / "case"))


def test_a_label_map_brings_structures(tmp_path: Path):
    labels = np.zeros(CT_SHAPE, dtype=np.uint8)
    labels[1:4, 5:20, 6:25], labels[5, 5:9, 6:12] = 5, 77
    write_image(tmp_path / "labels.nii.gz", labels, Grid(CT_SHAPE, CT_PLACE))
    write_study(tmp_path / "a")
    (tmp_path / "a" / "rs.dcm").unlink()
    options = ImportOptions(labels=tmp_path / "labels.nii.gz")
    assert run_import(tmp_path / "a", tmp_path / "case", options, silent).structures == ("liver",)
    mask = load_study(open_case(tmp_path / "case")).structures[0][0]
    assert np.array_equal(mask.inside, labels == 5)
    (tmp_path / "map.json").write_text('{"liver": [5], "tumour.T1": [77]}')
    options = ImportOptions(labels=tmp_path / "labels.nii.gz", labels_map=tmp_path / "map.json")
    assert run_import(tmp_path / "a", tmp_path / "case2", options, silent).structures == ("liver", "tumour.T1")


def test_a_structure_that_comes_twice_is_a_finding(tmp_path: Path):
    labels = np.zeros(CT_SHAPE, dtype=np.uint8)
    labels[1:4, 5:20, 6:25] = 5
    write_image(tmp_path / "labels.nii.gz", labels, Grid(CT_SHAPE, CT_PLACE))
    options = ImportOptions(labels=tmp_path / "labels.nii.gz")
    summary = run_import(write_study(tmp_path / "a"), tmp_path / "case", options, silent)
    assert summary.structures == ("liver",)
    assert "import.structure_doubled" in [f.code for f in summary.findings]


def test_an_unknown_time_zone_and_nuclide_are_refused_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_study(tmp_path / "a")

    def never(*_: object) -> ImportedStudy:
        raise AssertionError

    monkeypatch.setattr(import_study, "read_study", never)
    for options in (ImportOptions(time_zone="Mars/Olympus"), ImportOptions(true_nuclide="Unobtainium-1")):
        with pytest.raises(ValueError, match="Mars|Unobtainium"):
            run_import(tmp_path / "a", tmp_path / "case", options, silent)


def test_a_folder_with_other_things_in_it_becomes_no_case(tmp_path: Path):
    write_study(tmp_path / "a")
    with pytest.raises(CaseError, match="not empty"):
        run_import(tmp_path / "a", tmp_path / "a", ImportOptions(), silent)


def test_an_import_that_fails_in_the_middle_leaves_the_earlier_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run_import(write_study(tmp_path / "a"), tmp_path / "case", ImportOptions(), silent)
    before = load_study(open_case(tmp_path / "case")).index

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    def brighter(data, _=0):
        name(data)
        data.RescaleIntercept = "-1000"

    monkeypatch.setattr(import_study, "save_index", full)
    with pytest.raises(OSError, match="space"):
        run_import(write_study(tmp_path / "b", brighter), tmp_path / "case", ImportOptions(), silent)
    case = open_case(tmp_path / "case")
    assert load_study(case).index == before
    assert load_identity(case, before.ct_sha256) is not None
    case.verify()

"""Folders as they come: foreign files, damaged files, hostile files; each bad one is named and the rest is read."""

from __future__ import annotations

import os

import numpy as np
import pytest
from pydicom import dcmread

from dicom.builders import affine, codes, read, write_ct
from opensirt.dicom.faults import FAULTS

SECRET = "Doe^Jane"


def good(folder, seed=1):
    stored = np.random.default_rng(seed).integers(0, 3000, (4, 9, 12)).astype(np.uint16)
    return write_ct(folder, stored, affine())


def test_foreign_files_are_passed_over_and_pretenders_named(tmp_path):
    good(tmp_path / "ct")
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG" + bytes(300))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "pretender.dcm").write_bytes(b"not DICOM" * 40)
    (tmp_path / "marked").write_bytes(bytes(128) + b"DICM" + b"\x01\x02garbage" * 9)
    study = read(tmp_path)
    assert len(study.volumes) == 1
    assert {(fault.code, fault.instance) for fault in study.faults} == {
        ("file.not_dicom", "pretender.dcm"),
        ("file.unreadable", "marked"),
    }


def test_links_and_pipes_do_not_hang_or_lead_astray(tmp_path):
    good(tmp_path / "ct")
    os.mkfifo(tmp_path / "pipe.dcm")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    study = read(tmp_path)
    assert study.faults == ()
    assert len(study.volumes) == 1


def test_files_without_preamble_are_read_and_said(tmp_path):
    paths = good(tmp_path)
    paths[2].write_bytes(paths[2].read_bytes()[132:])
    study = read(tmp_path)
    assert codes(study) == ["file.no_preamble"]
    assert paths[2].name in study.faults[0].message
    assert len(study.volumes) == 1


def test_a_header_cut_short_is_named(tmp_path):
    paths = good(tmp_path)
    paths[1].write_bytes(paths[1].read_bytes()[:500])
    study = read(tmp_path)
    assert study.volumes == ()
    assert any(paths[1].name in fault.message for fault in study.faults)


def test_two_patients_in_one_folder_are_said(tmp_path):
    good(tmp_path / "a")
    write_ct(
        tmp_path / "b", np.zeros((3, 4, 5), np.uint16), affine(), lambda data, k: setattr(data, "PatientID", "T-2"), "1.2.3.11"
    )
    assert "study.several_patients" in codes(read(tmp_path))


def test_modality_that_contradicts_the_class_is_refused(tmp_path):
    write_ct(tmp_path, np.ones((3, 4, 5), np.uint16), affine(), lambda data, k: setattr(data, "Modality", "MR") if k == 1 else None)
    study = read(tmp_path)
    assert "header.modality_mismatch" in codes(study)


def test_identifiers_emptied_by_a_deidentification_are_supplied(tmp_path):
    for path in good(tmp_path):
        data = dcmread(path)
        data.SOPClassUID = data.SOPInstanceUID = data.SeriesInstanceUID = ""
        data.save_as(path)
    study = read(tmp_path)
    assert set(codes(study)) == {"header.uid_supplied"}
    assert len(study.volumes) == 1


def test_no_message_tells_who_the_patient_is(tmp_path):
    def edit(data, k):
        data.PatientName, data.PatientID = f"{SECRET}{k}", f"ID-{SECRET}-{k}"
        if k == 1:
            del data.PixelSpacing
        if k == 2:
            data.add_new("RescaleSlope", "LO", SECRET)

    write_ct(tmp_path, np.ones((4, 5, 6), np.uint16), affine(), edit)
    study = read(tmp_path)
    assert study.faults
    for fault in study.faults:
        assert SECRET not in fault.message + fault.instance + fault.series_uid
        assert str(tmp_path) not in fault.message
    assert SECRET not in repr(study.facts)


@pytest.mark.parametrize("trials", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_damage_anywhere_never_stops_an_import(tmp_path, trials):
    """Single-byte changes and cuts anywhere in one slice: the import always returns, with the other series whole."""
    good(tmp_path / "whole", 5)
    template = write_ct(tmp_path / "broken", np.ones((1, 3, 4), np.uint16), affine(), series_uid="1.2.3.12")[0]
    original = template.read_bytes()
    random = np.random.default_rng(trials)
    for trial in range(trials):
        damaged = bytearray(original)
        place = int(random.integers(0, len(original)))
        if trial % 4 == 0:
            damaged = damaged[:place]
        else:
            damaged[place] = int(random.integers(0, 256))
        template.write_bytes(damaged)
        study = read(tmp_path, largest_bytes=50_000_000)
        assert any(volume.facts.series_uid == "1.2.3.10" for volume in study.volumes)


BAD = [
    "cat01_tag_overflow__TC0003_patientname_over_1.dcm",
    "cat02_vr_mismatch__TC0231_sopinstanceuid_UI_as_LO.dcm",
    "cat02_vr_mismatch__TC0233_rows_US_as_UL.dcm",
    "cat04_pixel_data__TC0285_buf_half.dcm",
    "cat04_pixel_data__TC0287_buf_2x.dcm",
    "cat05_transfer_syntax__TC0345_deflate_corrupt.dcm",
    "cat06_private_tags__TC0351_private_no_creator.dcm",
    "cat07_file_meta__TC0377_no_preamble.dcm",
    "cat08_string_encoding__TC0407_utf8_bom_utf16.dcm",
    "cat09_logic_bombs__TC0437_sop_modality_ct_sop_mr_mod.dcm",
    "cat09_logic_bombs__TC0439_sop_modality_ct_sop_us_mod.dcm",
]


@pytest.mark.parametrize("name", BAD)
def test_malformed_files_are_each_named_for_what_is_wrong(tmp_path, shared_data, name):
    """Beside what all files of this collection lack (no rescale, no position), the special defect of each is named."""
    (tmp_path / name).write_bytes((shared_data / "fuzz" / name).read_bytes())
    good(tmp_path / "ct")
    study = read(tmp_path)
    assert len(study.volumes) == 1
    of_file = {fault.code for fault in study.faults if name in fault.message or fault.instance == name}
    assert of_file - {"ct.rescale_missing", "series.no_geometry"}


def test_the_whole_collection_of_malformed_files(tmp_path, shared_data):
    good(tmp_path / "ct")
    for path in (shared_data / "fuzz").glob("*.dcm"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    study = read(tmp_path)
    assert len(study.volumes) == 1
    for path in (shared_data / "fuzz").glob("*.dcm"):
        assert any(path.name in fault.message for fault in study.faults), path.name
    assert set(codes(study)) <= set(FAULTS)


def test_progress_runs_from_nothing_to_all(tmp_path):
    from opensirt.dicom.read import read_study

    good(tmp_path)
    seen: list[float] = []
    read_study(tmp_path, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert 0.0 < seen[0] < 0.3


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(NotADirectoryError):
        read(tmp_path / "absent")


def test_an_empty_folder_is_an_empty_study(tmp_path):
    study = read(tmp_path)
    assert (study.volumes, study.planar, study.structures, study.facts, study.faults) == ((), (), (), (), ())

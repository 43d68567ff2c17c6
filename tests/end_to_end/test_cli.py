"""A virtual patient through the installed program: DICOM, case, work-up, plan, RTDOSE; offline, and nobody is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import dcmread

from opensirt.dicom.read_dose import read_rtdose
from opensirt.encoding import from_json
from opensirt.radioembolisation.treatment.proposal import SCHEMA, VERSION, PlanProposal
from opensirt.record.events import EventKind
from opensirt.store.case_folder import open_case

pytestmark = pytest.mark.slow

NAME, NUMBER, BIRTH = "Planted^Secretname", "SECRETID42", "19620417"
OFFLINE = """
import socket, sys
def refuse(*_, **__):
    raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
sys.argv[0] = "opensirt"
from opensirt.cli.main import run
run()
"""
"""Runs the command line with the network taken away."""
PLAN = ("--product", "glass", "--engine", "local", "--treatment-at", "2026-12-02T10:00:00+01:00", "--spacing-mm", "6", "--json")


def opensirt(*arguments: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, *map(str, arguments)], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    return done


@dataclass(frozen=True)
class Journey:
    """Where everything of one patient lies, and what was said on the way."""

    folder: Path
    imported: dict
    workup: dict
    plan: dict
    said: str


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    folder = tmp_path_factory.mktemp("journey")
    steps = [opensirt("virtual-patient", "--out", folder / "patient", "--seed", 3, "--json")]
    for path in (folder / "patient" / "dicom").rglob("*"):
        if path.is_file():
            data = dcmread(path)
            data.PatientName, data.PatientID, data.PatientBirthDate = NAME, NUMBER, BIRTH
            data.save_as(path)
    steps.append(opensirt("import", folder / "patient" / "dicom", "--case", folder / "case", "--json"))
    steps.append(opensirt("workup", folder / "case", "--json"))
    steps.append(opensirt("plan", folder / "case", "--out", folder / "plan", *PLAN))
    said = "".join(step.stdout + step.stderr for step in steps)
    return Journey(folder, *(json.loads(step.stdout) for step in steps[1:]), said)


def test_everything_was_imported_without_a_fault(journey: Journey):
    assert journey.imported["schema"] == "opensirt.import"
    assert journey.imported["faults"] == []
    assert (journey.imported["volumes"], journey.imported["planar_views"]) == (2, 2)
    assert {"liver", "tumour.T1", "territory.right", "territory.left"} <= set(journey.imported["structures"])


def test_every_number_of_the_workup_has_its_reasons(journey: Journey):
    assert journey.workup["synthetic"] is True
    for number in journey.workup["numbers"]:
        assert number["formula"], number["key"]
        assert number["method"], number["key"]
        assert number["method_version"], number["key"]


def test_the_plan_is_a_document_a_report_and_a_dose(journey: Journey):
    out = journey.folder / "plan"
    assert sorted(path.name for path in out.iterdir()) == ["dose.dcm", "plan.json", "report.html", "report.pdf"]
    text = (out / "plan.json").read_text("utf-8")
    proposal = from_json(text, PlanProposal, SCHEMA, VERSION)
    assert json.loads(text) == journey.plan
    assert proposal.synthetic
    assert proposal.treatment_at.isoformat() == "2026-12-02T10:00:00+01:00"
    assert {injection.territory for injection in proposal.injections} == {"right", "left"}
    dose = read_rtdose(out / "dose.dcm")
    assert dose.dose_gy.max() > 0
    ct = next(
        path for path in (journey.folder / "patient" / "dicom").rglob("*") if path.is_file() and dcmread(path).Modality == "CT"
    )
    assert dose.grid.frame == dcmread(ct).FrameOfReferenceUID
    assert dcmread(out / "dose.dcm").PatientID == NUMBER


def test_what_the_plan_shows_comes_from_the_dose_it_writes(journey: Journey):
    # the highest dose of its own DVH curves against the RTDOSE read back, whose scale keeps the maximum to 1e-9
    dose = read_rtdose(journey.folder / "plan" / "dose.dcm")
    own = [curve for curve in journey.plan["dvh"] if curve["engine"] == "recovered counts, local"]
    assert {"normal_liver", "tumour.T1", "lungs"} <= {curve["structure"] for curve in own}
    # the axis runs on to the end of the band: the highest dose is where the curve itself ends
    last = {c["structure"]: max(d for d, v in zip(c["dose_gy"], c["volume_fraction"], strict=True) if v > 0.0) for c in own}
    step = max(c["dose_gy"][1] for c in own)
    highest = max(last.values())
    assert float(dose.dose_gy.max()) - step <= highest <= float(dose.dose_gy.max()) * (1.0 + 1e-6)


def test_the_mark_of_a_virtual_patient_stays_everywhere(journey: Journey):
    report = (journey.folder / "plan" / "report.html").read_text("utf-8").lower()
    assert "synthetic" in report or "virtual patient" in report
    assert open_case(journey.folder / "case").synthetic
    assert dcmread(journey.folder / "plan" / "dose.dcm").ImageComments


def test_no_name_stands_in_any_output_but_dicom_and_the_identity_folder(journey: Journey):
    secrets = (NAME, NUMBER, BIRTH, "Secretname")
    assert not [secret for secret in secrets if secret in journey.said]
    files = [path for part in ("case", "plan") for path in (journey.folder / part).rglob("*") if path.is_file()]
    naming = {path for path in files for secret in secrets if secret.encode() in path.read_bytes()}
    assert {path.parent.name for path in naming if path.suffix != ".dcm"} == {"identity"}
    assert {path.name for path in naming if path.suffix == ".dcm"} == {"dose.dcm"}


def test_the_case_tells_what_happened(journey: Journey):
    case = open_case(journey.folder / "case")
    events, findings = case.events()
    kinds = [EventKind.CASE_CREATED, EventKind.STUDY_IMPORTED, EventKind.WORKUP_COMPUTED, EventKind.PLAN_COMPUTED]
    assert [event.kind for event in events] == kinds
    assert findings == ()
    case.verify()
    schemas = [artefact.schema for artefact in events[-1].artefacts]
    assert schemas == ["opensirt.plan", "opensirt.report", "opensirt.report", "opensirt.dose"]
    assert json.loads(case.load_artefact(events[-1].artefacts[0])) == journey.plan
    assert case.load_volume(events[-1].artefacts[-1].sha256).sha256 == events[-1].artefacts[-1].sha256


def test_straight_from_dicom_the_numbers_are_the_same(journey: Journey):
    done = opensirt("plan", journey.folder / "patient" / "dicom", "--out", journey.folder / "direct", *PLAN)
    direct = json.loads(done.stdout)
    for key in ("numbers", "input_sha256", "injections", "limits", "case_id"):
        assert direct[key] == journey.plan[key], key


def test_dose_and_dvh_read_what_the_plan_wrote(journey: Journey, tmp_path: Path):
    from opensirt.files.images import write_image

    dose = read_rtdose(journey.folder / "plan" / "dose.dcm")
    write_image(tmp_path / "mask.nii.gz", dose.dose_gy > 20.0, dose.grid)
    done = opensirt("dvh", "--dose", journey.folder / "plan" / "dose.dcm", "--mask", tmp_path / "mask.nii.gz", "--v", 20, "--json")
    summary = json.loads(done.stdout)
    assert summary["v"][0]["percent"] == 100.0
    assert summary["minimum_gy"] > 20.0


def test_the_installed_program_starts():
    # a package whose entry point cannot be imported is a defect seen in the field
    program = Path(sys.executable).with_name("opensirt")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": ""})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("opensirt ")

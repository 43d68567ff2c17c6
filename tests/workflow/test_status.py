"""What a case holds and what in it is out of date, on the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from dicom.builders import affine, write_ct
from opensirt.cli.exit_codes import ExitCode
from opensirt.cli.main import app
from opensirt.record.events import EventKind
from opensirt.store.case_folder import create_case, open_case
from opensirt.workflow.import_study import run_import
from opensirt.workflow.options import ImportOptions
from opensirt.workflow.study import input_hashes, load_index

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def silent(_: float) -> None:
    pass


def status(case: Path, *more: str):
    return CliRunner().invoke(app, ["status", str(case), *more])


def imported(case: Path, folder: Path, value: int) -> None:
    write_ct(folder, np.full((4, 8, 9), value, np.uint16), affine())
    run_import(folder, case, ImportOptions(case_id="C-7"), silent)


def planned(path: Path) -> None:
    case = open_case(path)
    with case.writing():
        text = json.dumps({"input_sha256": input_hashes(load_index(case))})
        case.append(EventKind.PLAN_COMPUTED, "operator", AT, artefacts=[case.save_artefact(text, "opensirt.test", 1)])


def test_a_result_becomes_stale_and_says_why(tmp_path: Path):
    imported(tmp_path / "case", tmp_path / "a", 1000)
    planned(tmp_path / "case")
    before = {path: path.read_bytes() for path in (tmp_path / "case").rglob("*") if path.is_file()}
    done = status(tmp_path / "case")
    assert done.exit_code == 0, done.stderr
    assert "case C-7" in done.stdout
    assert "CT; 0 faults" in done.stdout
    assert "plan of 2026-01-05T09:00:00+00:00: up to date" in done.stdout
    assert "plan_computed by operator" in done.stdout
    assert {path: path.read_bytes() for path in (tmp_path / "case").rglob("*") if path.is_file()} == before
    imported(tmp_path / "case", tmp_path / "b", 1001)
    done = status(tmp_path / "case")
    assert "OUT OF DATE" in done.stdout
    assert "case.stale" in done.stderr and "(ct)" in done.stderr and "opensirt plan CASE" in done.stderr
    document = json.loads(status(tmp_path / "case", "--json").stdout)
    assert document["schema"] == "opensirt.status"
    assert [(r["name"], r["stale"]) for r in document["results"]] == [("plan", True)]
    assert [event["kind"] for event in document["events"]] == [
        "case_created",
        "study_imported",
        "plan_computed",
        "study_imported",
    ]


def test_a_case_without_a_study(tmp_path: Path):
    create_case(tmp_path / "case", "C-1", synthetic=True, who="operator", at=AT)
    done = status(tmp_path / "case")
    assert done.exit_code == 0
    assert "no study" in done.stdout and "(synthetic)" in done.stdout
    assert "case.no_study" in done.stderr


def test_damage_is_found_on_demand(tmp_path: Path):
    imported(tmp_path / "case", tmp_path / "a", 1000)
    assert status(tmp_path / "case", "--verify").exit_code == 0
    volume = next((tmp_path / "case" / "volumes").glob("*.npy"))
    data = bytearray(volume.read_bytes())
    data[-1] ^= 1
    volume.chmod(0o644)
    volume.write_bytes(data)
    assert status(tmp_path / "case").exit_code == 0
    done = status(tmp_path / "case", "--verify")
    assert done.exit_code == ExitCode.REFUSED
    assert "damaged" in done.stderr


def test_what_is_no_case_is_refused(tmp_path: Path):
    assert status(tmp_path).exit_code == ExitCode.REFUSED
    assert status(tmp_path / "none").exit_code == ExitCode.REFUSED

"""A case folder keeps everything whole, finds what was altered, and lets one writer in at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import strategies
from opensirt.record.events import EventKind
from opensirt.store import case_folder
from opensirt.store.case_folder import CaseFolder, create_case, open_case, write_atomically
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import CaseError, InvalidValue, MissingInput
from opensirt.vocabulary.nuclides import HO166
from opensirt.vocabulary.volumes import ActivityMap, CountsMap, DensityMap, DoseMap, HounsfieldMap, Mask

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.fixture
def case(tmp_path: Path) -> CaseFolder:
    return create_case(tmp_path / "case", "C-1", synthetic=True, who="operator", at=AT)


def volumes_on(grid, values):
    tumour = Structure(StructureKind.TUMOUR, "T1")
    return [
        CountsMap(values, grid),
        ActivityMap(values, grid, HO166, AT),
        HounsfieldMap((values * 100 - 1000).astype(np.int16), grid, -2000),
        HounsfieldMap((values * 100).astype(np.int16), grid),
        DensityMap(values, grid),
        DoseMap(values, grid),
        Mask(values > 5, grid, tumour),
    ]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strategies.grids(), st.integers(0, 2**32 - 1))
def test_every_kind_of_volume_comes_back_with_its_hash(tmp_path: Path, grid, seed: int):
    target = tmp_path / "case"
    case = open_case(target) if target.exists() else create_case(target, "C-1", synthetic=True, who="operator", at=AT)
    values = np.random.default_rng(seed).uniform(0, 9, grid.shape).astype(np.float32)
    for volume in volumes_on(grid, values):
        back = case.load_volume(case.save_volume(volume))
        assert type(back) is type(volume)
        assert back.sha256 == volume.sha256
        assert np.array_equal(back.grid.affine_mm, grid.affine_mm)
        array = getattr(back, {"HounsfieldMap": "hu", "Mask": "inside", "CountsMap": "counts"}.get(type(back).__name__, ""), None)
        if array is not None:
            assert not array.flags.writeable
            assert isinstance(array, np.memmap) or isinstance(array.base, np.memmap)


def test_the_same_volume_is_kept_once(case: CaseFolder):
    grid = strategies.grid_about((0, 0, 0), (2, 3, 4), (1.0, 2.0, 3.0), (10, 20, 30))
    volume = CountsMap(np.ones(grid.shape), grid)
    case.save_volume(volume)
    before = {path.name: path.stat().st_mtime_ns for path in (case.path / "volumes").iterdir()}
    case.save_volume(CountsMap(np.ones(grid.shape), grid))
    assert {path.name: path.stat().st_mtime_ns for path in (case.path / "volumes").iterdir()} == before
    assert len(before) == 2


def test_a_volume_that_is_not_there_says_what_to_do(case: CaseFolder):
    with pytest.raises(MissingInput, match="import"):
        case.load_volume("ab" * 32)


def test_documents_come_back_and_their_alteration_is_found(case: CaseFolder):
    artefact = case.save_artefact('{"dose": "142 µGy"}', "opensirt.plan", 1)
    assert case.load_artefact(artefact) == '{"dose": "142 µGy"}'
    path = case.path / "artefacts" / f"{artefact.sha256}.json"
    path.write_text('{"dose": "143 µGy"}', "utf-8")
    with pytest.raises(CaseError, match="altered"):
        case.load_artefact(artefact)
    path.unlink()
    with pytest.raises(CaseError, match="missing"):
        case.load_artefact(artefact)


def test_events_are_appended_and_read_back(case: CaseFolder):
    with case.writing():
        artefact = case.save_artefact("{}", "opensirt.plan", 1)
        case.append(EventKind.PLAN_COMPUTED, "operator", AT, why="because", artefacts=[artefact], numbers={"gbq": 2})
    events, findings = open_case(case.path).events()
    assert [event.kind for event in events] == [EventKind.CASE_CREATED, EventKind.PLAN_COMPUTED]
    assert [event.seq for event in events] == [1, 2]
    assert events[1].artefacts == (artefact,)
    assert events[1].numbers == {"gbq": 2.0}
    assert findings == ()
    assert case.latest(EventKind.PLAN_COMPUTED) == events[1]
    assert case.latest(EventKind.WORKUP_COMPUTED) is None


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_torn_last_line_is_set_aside_and_reported(case: CaseFolder, cut: int):
    log = case.path / "events.jsonl"
    whole = log.read_bytes()
    with case.writing():
        case.append(EventKind.PLAN_COMPUTED, "operator", AT)
    log.write_bytes(log.read_bytes()[:-cut])
    events, findings = case.events()
    assert len(events) == 1
    assert [finding.code for finding in findings] == ["case.torn_event"]
    with case.writing():
        case.append(EventKind.WORKUP_COMPUTED, "operator", AT)
    events, findings = case.events()
    assert [event.kind for event in events] == [EventKind.CASE_CREATED, EventKind.WORKUP_COMPUTED]
    assert findings == ()
    assert log.read_bytes().startswith(whole)
    assert (case.path / "events.torn").exists()


def test_any_flipped_byte_of_the_log_is_found(case: CaseFolder):
    with case.writing():
        case.append(EventKind.PLAN_COMPUTED, "operator", AT, numbers={"gbq": 2.5})
        case.append(EventKind.PLAN_COMPUTED, "operator", AT, numbers={"gbq": 3.5})
    log = case.path / "events.jsonl"
    whole = log.read_bytes()
    first_line = whole.index(b"\n")
    for at in range(0, first_line + 1, 7):
        log.write_bytes(whole[:at] + bytes([whole[at] ^ 0x01]) + whole[at + 1 :])
        with pytest.raises(CaseError, match="event 1 "):
            case.events()


def test_verify_finds_a_damaged_volume_and_artefact(case: CaseFolder):
    grid = strategies.grid_about((0, 0, 0), (2, 3, 4), (1.0, 2.0, 3.0), (10, 20, 30))
    digest = case.save_volume(CountsMap(np.arange(24.0).reshape(2, 3, 4), grid))
    artefact = case.save_artefact("{}", "opensirt.plan", 1)
    case.verify()
    path = case.path / "volumes" / f"{digest}.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-4] + np.float32(7).tobytes())
    with pytest.raises(CaseError, match="volume"):
        case.verify()
    path.write_bytes(whole[:-4])
    with pytest.raises(CaseError, match="damaged"):
        case.load_volume(digest)
    path.write_bytes(whole)
    (case.path / "artefacts" / f"{artefact.sha256}.json").write_text("{ }")
    with pytest.raises(CaseError, match="artefact"):
        case.verify()


def test_a_folder_that_is_not_empty_becomes_no_case(tmp_path: Path):
    (tmp_path / "note.txt").write_text("x")
    with pytest.raises(CaseError, match="not empty"):
        create_case(tmp_path, "C-1", synthetic=False, who="operator", at=AT)
    with pytest.raises(CaseError, match="not empty"):
        create_case(tmp_path / "note.txt", "C-1", synthetic=False, who="operator", at=AT)
    with pytest.raises(InvalidValue, match="pseudonym"):
        create_case(tmp_path / "case", " ", synthetic=False, who="operator", at=AT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["note.txt"]


def test_an_empty_folder_may_become_a_case(tmp_path: Path):
    create_case(tmp_path / "a", "C-1", synthetic=False, who="operator", at=AT)
    (tmp_path / "b").mkdir()
    assert not create_case(tmp_path / "b", "C-1", synthetic=False, who="operator", at=AT).synthetic
    assert open_case(tmp_path / "b").case_id == "C-1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "[]",
        '{"schema": "opensirt.case", "version": 2, "case_id": "C-1", "synthetic": true}',
        '{"schema": "other", "version": 1}',
    ],
)
def test_a_case_of_another_version_or_damaged_is_refused(case: CaseFolder, text: str):
    (case.path / "case.json").write_text(text)
    with pytest.raises(CaseError, match=r"case\.json"):
        open_case(case.path)


def test_what_is_no_case_says_so(tmp_path: Path):
    with pytest.raises(CaseError, match=r"no case\.json"):
        open_case(tmp_path)


HOLD = """
import sys, time
from pathlib import Path
from opensirt.store.case_folder import open_case
with open_case(Path(sys.argv[1])).writing():
    print("holding", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_refused_and_a_dead_one_forgotten(case: CaseFolder):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(case.path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holding\n"
        with pytest.raises(CaseError, match=str(holder.pid)), case.writing():
            pass
        case.events()  # reading is always possible
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with case.writing():
        case.append(EventKind.PLAN_COMPUTED, "operator", AT)
    assert len(case.events()[0]) == 2


def test_the_lock_goes_with_an_error_too(case: CaseFolder):
    with pytest.raises(ZeroDivisionError), case.writing():
        _ = 1 // 0
    with case.writing():
        pass


def test_leftovers_of_a_run_that_was_cut_off_are_swept(case: CaseFolder):
    for folder in (case.path, case.path / "volumes", case.path / "artefacts"):
        (folder / ".abc.999.tmp").write_text("half")
        (folder / ".abc.999.tmp.npy").write_text("half")
    with case.writing():
        pass
    assert [path for path in case.path.rglob("*") if ".tmp" in path.name] == []


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "plan.json"
    write_atomically(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(case_folder.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["plan.json"]


def test_the_format_on_disk_stays_what_it_is(case: CaseFolder):
    # a case folder is adopted unchanged by later releases: these names and fields are a promise
    with case.writing():
        case.append(EventKind.PLAN_COMPUTED, "operator", AT, why="w", numbers={"gbq": 2.5})
    grid = strategies.grid_about((0, 0, 0), (2, 3, 4), (1.0, 2.0, 3.0), frame="1.2.3")
    digest = case.save_volume(Mask(np.ones(grid.shape), grid, Structure(StructureKind.LIVER)))
    assert sorted(path.name for path in case.path.iterdir()) == [".lock", "artefacts", "case.json", "events.jsonl", "volumes"]
    assert json.loads((case.path / "case.json").read_text()) == {
        "schema": "opensirt.case", "version": 1, "case_id": "C-1", "synthetic": True, "created_at": "2026-01-05T09:00:00+00:00",
    }  # fmt: skip
    event = json.loads((case.path / "events.jsonl").read_text().splitlines()[1])
    assert set(event) == {"case", "seq", "kind", "who", "at", "why", "artefacts", "numbers", "previous", "sha256"}
    side = json.loads((case.path / "volumes" / f"{digest}.json").read_text())
    assert side == {
        "shape": [2, 3, 4], "affine_mm": grid.affine_mm.tolist(), "frame": "1.2.3", "kind": "mask", "structure": "liver",
    }  # fmt: skip
    assert (case.path / "volumes" / f"{digest}.npy").exists()


def test_a_thousand_events_are_read_quickly(case: CaseFolder):
    from opensirt.encoding import canonical_json
    from opensirt.record.events import next_event

    events = list(case.events()[0])
    for _ in range(1000):
        events.append(next_event("C-1", events, EventKind.PLAN_COMPUTED, "operator", AT))
    (case.path / "events.jsonl").write_text("".join(canonical_json(event) + "\n" for event in events))
    start = time.perf_counter()
    assert len(case.events()[0]) == 1001
    assert time.perf_counter() - start < 5.0  # a tenth of a second on an idle machine

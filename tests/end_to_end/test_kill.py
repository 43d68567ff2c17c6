"""``kill -9`` at random moments of writing: no acknowledged result is lost, nothing is half there, and the next run carries on."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opensirt.encoding import parse_json
from opensirt.record.events import EventKind
from opensirt.store.case_folder import open_case

KILLS = 20
MOST_ROUNDS = 2
LONGEST_WAIT_S = 0.2
"""A writer is killed up to this long after its last counted round. A round takes 10 ms (memory disk) to 250 ms (busy disk), so kills fall
into every part of it."""

WRITER = """
import sys
from pathlib import Path
import numpy as np
from opensirt.clock import now
from opensirt.encoding import to_json
from opensirt.record.events import EventKind
from opensirt.store.case_folder import create_case, open_case, write_atomically
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import DoseMap
from dataclasses import dataclass

@dataclass(frozen=True)
class Plan:
    round: int
    volumes: tuple[str, ...]

root = Path(sys.argv[1])
seed = int(sys.argv[2])
rng = np.random.default_rng(seed)
case = open_case(root / "case") if (root / "case").exists() else create_case(root / "case", "C-1", synthetic=True, who="t", at=now())
grid = Grid((16, 64, 65), np.diag([3.0, 2.0, 1.0, 1.0]))
print("ready", flush=True)
for number in range(10_000):
    create_case(root / f"new-{seed}-{number}", "C-2", synthetic=True, who="t", at=now())
    with case.writing():
        volumes = tuple(case.save_volume(DoseMap(rng.uniform(0, 9, grid.shape), grid)) for _ in range(2))
        text = to_json(Plan(number, volumes), "test.plan", 1)
        event = case.append(EventKind.PLAN_COMPUTED, "t", now(), artefacts=[case.save_artefact(text, "test.plan", 1)], numbers={"round": number})
    write_atomically(root / "plan.json", text.encode())
    print(event.seq, flush=True)
"""


def _killed_after(root: Path, seed: int, rounds: int, wait_s: float) -> int:
    """Highest acknowledged event of a writer that was killed after some rounds and a while."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(root), str(seed)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    counted = "".join(writer.stdout.readline() for _ in range(rounds))
    time.sleep(wait_s)
    writer.send_signal(signal.SIGKILL)
    rest = counted + writer.stdout.read()
    writer.stdout.close()
    writer.wait()
    acknowledged = [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    return max(acknowledged, default=0)


def _check_whole(root: Path, acknowledged: int) -> int:
    case = open_case(root / "case")
    events, _ = case.events()
    assert len(events) >= acknowledged
    for event in events:
        for artefact in event.artefacts:
            for digest in parse_json(case.load_artefact(artefact))["volumes"]:
                assert case.load_volume(digest).sha256 == digest
    case.verify()
    if (root / "plan.json").exists():
        json.loads((root / "plan.json").read_text())
    for path in root.glob("new-*"):
        assert [event.kind for event in open_case(path).events()[0]] == [EventKind.CASE_CREATED]
    return len(events)


@pytest.mark.slow
def test_a_killed_writer_leaves_everything_before_it_whole(tmp_path: Path):
    pick = random.Random(20261124)
    acknowledged = 0
    for seed in range(KILLS):
        acknowledged = max(
            acknowledged, _killed_after(tmp_path, seed, pick.randint(0, MOST_ROUNDS), pick.uniform(0.0, LONGEST_WAIT_S))
        )
        written = _check_whole(tmp_path, acknowledged)
    assert written > KILLS // 2  # the writers did write
    case = open_case(tmp_path / "case")
    with case.writing():  # the lock of the dead is free, what they left half-written is swept
        pass
    assert [path for path in case.path.rglob("*") if ".tmp" in path.name] == []

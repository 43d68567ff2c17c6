"""A case folder of every release is read for ever, and can be written on."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from opensirt.record.events import EventKind
from opensirt.store.case_folder import open_case
from opensirt.vocabulary.volumes import CountsMap, DoseMap, HounsfieldMap
from opensirt.workflow.stale import stale_results
from opensirt.workflow.study import load_study

RELEASES = ("case_version_1",)
HASHES = {
    "ct": "68aab9f37134859da4ee2ca8e992e9f61017e57ba90d5eded75bc2b2be52e05c",
    "emission": "eb6c639f7a61792d5b03552bddeabb8abce0d74903c6c0e1025498149ab49cbd",
}
"""Content hashes as they were when the fixture was written: they name files and must never change."""


@pytest.fixture(params=RELEASES)
def case_path(request: pytest.FixtureRequest, root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(root / "tests" / "reference_data" / request.param, tmp_path / "case"))


def test_a_case_of_every_release_is_read(case_path: Path):
    case = open_case(case_path)
    assert (case.case_id, case.synthetic) == ("C-FIXTURE", False)
    case.verify()
    events, findings = case.events()
    assert [event.kind for event in events] == [EventKind.CASE_CREATED, EventKind.STUDY_IMPORTED, EventKind.PLAN_COMPUTED]
    assert (events[2].why, events[2].numbers) == ("fixture", {"activity_gbq.right": 1.5})
    assert events[2].at.isoformat() == "2026-11-24T14:00:00+01:00"
    assert findings == ()
    study = load_study(case)
    assert isinstance(study.ct, HounsfieldMap)
    assert isinstance(study.emission, CountsMap)
    assert {"ct": study.ct.sha256, "emission": study.emission.sha256} == HASHES
    assert np.allclose(study.ct.grid.spacing_mm, (3.0, 1.4, 1.3))
    assert [stored.key for _, stored in study.structures] == ["liver"]
    dose = case.load_volume(events[2].artefacts[1].sha256)
    assert isinstance(dose, DoseMap)
    assert float(dose.dose_gy.max()) == 99.0
    assert stale_results(case) == ()


def test_a_case_of_every_release_is_written_on(case_path: Path):
    case = open_case(case_path)
    with case.writing():
        case.append(EventKind.WORKUP_COMPUTED, "operator", datetime(2027, 1, 1, tzinfo=UTC))
    events, _ = case.events()
    assert events[-1].seq == 4
    assert events[-1].previous == events[-2].sha256

"""A result is stale as soon as the case's newest study is not the one it was computed from."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from dicom.builders import affine, write_ct
from opensirt.record.events import EventKind
from opensirt.store.case_folder import create_case, open_case
from opensirt.vocabulary.errors import MissingInput
from opensirt.workflow.import_study import run_import
from opensirt.workflow.options import ImportOptions
from opensirt.workflow.stale import stale_results
from opensirt.workflow.study import input_hashes, load_index

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def silent(_: float) -> None:
    pass


def study(folder: Path, value: int) -> Path:
    write_ct(folder, np.full((4, 8, 9), value, np.uint16), affine())
    return folder


def computed(path: Path, kind: EventKind) -> None:
    case = open_case(path)
    with case.writing():
        text = json.dumps({"input_sha256": input_hashes(load_index(case))})
        case.append(kind, "operator", AT, artefacts=[case.save_artefact(text, "opensirt.test", 1)])


def test_results_of_an_older_study_are_stale(tmp_path: Path):
    run_import(study(tmp_path / "a", 1000), tmp_path / "case", ImportOptions(), silent)
    case = open_case(tmp_path / "case")
    assert stale_results(case) == ()
    computed(tmp_path / "case", EventKind.WORKUP_COMPUTED)
    computed(tmp_path / "case", EventKind.PLAN_COMPUTED)
    assert stale_results(case) == ()
    run_import(study(tmp_path / "a", 1000), tmp_path / "case", ImportOptions(), silent)  # the same again changes nothing
    assert stale_results(case) == ()
    run_import(study(tmp_path / "b", 1001), tmp_path / "case", ImportOptions(), silent)
    assert [(finding.code, finding.about) for finding in stale_results(case)] == [("case.stale", "work-up"), ("case.stale", "plan")]
    assert "(ct)" in stale_results(case)[0].message
    computed(tmp_path / "case", EventKind.PLAN_COMPUTED)
    assert [finding.about for finding in stale_results(case)] == ["work-up"]


def test_a_case_without_a_study_has_nothing_to_compare(tmp_path: Path):
    case = create_case(tmp_path / "case", "C-1", synthetic=True, who="operator", at=AT)
    with pytest.raises(MissingInput):
        stale_results(case)

"""A plan is the same number for number on one thread and on three."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opensirt.encoding import canonical_json
from opensirt.synthetic.camera import ImagingOptions
from opensirt.synthetic.patient import PatientOptions, virtual_patient
from opensirt.synthetic.write import write_virtual_patient
from opensirt.vocabulary.threads import threads, use_threads
from opensirt.workflow.import_study import run_import
from opensirt.workflow.options import ImportOptions, PlanOptions
from opensirt.workflow.plan import run_plan

pytestmark = pytest.mark.slow

OPTIONS = PatientOptions(seed=31, imaging=ImagingOptions(ct_matrix=96, ct_slice_mm=6.0), truth_decays=2_000)
PLAN = PlanOptions(treatment_at=datetime(2026, 3, 11, 9, 0, tzinfo=UTC))


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    before = threads()
    yield
    use_threads(before)


def test_a_plan_does_not_depend_on_threads(tmp_path: Path):
    written = write_virtual_patient(virtual_patient(OPTIONS, lambda _: None), tmp_path / "patient", lambda _: None)
    answers = []
    for count in (1, 3):
        use_threads(count)
        run_import(written.dicom_folder, tmp_path / f"case{count}", ImportOptions(case_id="C-1"), lambda _: None)
        proposal = run_plan(tmp_path / f"case{count}", PLAN, tmp_path / f"plan{count}", lambda _: None)
        answers.append(canonical_json([(number.key, number.measured) for number in proposal.numbers]))
    assert answers[0] == answers[1]

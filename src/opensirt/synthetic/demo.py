"""The main job on a virtual patient: DICOM written, imported, worked up, planned and reported."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from opensirt.radioembolisation.treatment.proposal import PlanProposal
from opensirt.synthetic.patient import PatientOptions
from opensirt.synthetic.uptake import UptakeOptions
from opensirt.synthetic.write import run_virtual_patient
from opensirt.vocabulary.errors import InvalidValue
from opensirt.workflow.import_study import run_import
from opensirt.workflow.options import ImportOptions, PlanOptions
from opensirt.workflow.plan import run_plan

DEMO_SEED = 7
DEMO_TREATMENT_AT = datetime(2026, 3, 11, 10, 0, tzinfo=timezone(timedelta(hours=1)))
"""A Wednesday, nine days after the virtual work-up."""
_CASE = "case"
_PLAN = "plan"
_PATIENT = "patient"
_MAKING = ".demo-"


def run_demo(out: Path, seed: int, report: Callable[[float], None]) -> PlanProposal:
    """Make a virtual patient in ``out`` and plan it from its DICOM.

    Parameters
    ----------
    out : Path
        Folder; an earlier demo in it is replaced once the new one is whole, anything else is refused.
    seed : int
        Which patient.
    report : callable
        Takes progress from 0 to 1.

    Returns
    -------
    PlanProposal
        The plan; its report lies in ``plan/report.html``, the patient in ``patient/``, the case in ``case/``.
    """
    out.mkdir(parents=True, exist_ok=True)
    for leftover in out.glob(f"{_MAKING}*"):  # of a run that was cut off
        shutil.rmtree(leftover, ignore_errors=True)
    if any(out.iterdir()) and not (out / _PATIENT / "truth.json").exists():
        raise InvalidValue(f"folder {out.name!r} is not empty and holds no earlier demo", "", "give an empty folder")
    with tempfile.TemporaryDirectory(dir=out, prefix=_MAKING) as folder:
        making = Path(folder)
        options = PatientOptions(seed=seed, uptake=UptakeOptions(extrahepatic_share=0.012))
        written = run_virtual_patient(making / _PATIENT, options, lambda x: report(0.45 * x))
        reading = ImportOptions(case_id=f"SYNTHETIC-{seed}")
        run_import(written.dicom_folder, making / _CASE, reading, lambda x: report(0.45 + 0.15 * x))
        plan_options = PlanOptions(product="glass", indication="NET", treatment_at=DEMO_TREATMENT_AT)
        proposal = run_plan(making / _CASE, plan_options, making / _PLAN, lambda x: report(0.6 + 0.4 * x))
        for name in (_PATIENT, _CASE, _PLAN):
            shutil.rmtree(out / name, ignore_errors=True)
            (making / name).replace(out / name)
    return proposal

"""Use case: a plan proposal for a case: doses by every model, activities from limits and targets, vials, and the report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs

from opensirt._version import __version__
from opensirt.clock import now
from opensirt.dicom.study import DoseContext
from opensirt.dicom.write_dose import write_rtdose
from opensirt.encoding import to_json
from opensirt.files.delivery_calendar import default_delivery_calendar, read_delivery_calendar
from opensirt.files.site_limits import read_site_limits
from opensirt.radioembolisation.treatment import proposal as document
from opensirt.radioembolisation.treatment.proposal import PlanProposal
from opensirt.record.events import Artefact, EventKind
from opensirt.reports.html import render_html
from opensirt.reports.pdf import render_pdf
from opensirt.reports.pictures import PlanPictures
from opensirt.reports.plan_content import plan_document as plan_report
from opensirt.store.case_folder import CaseFolder, open_case, write_atomically
from opensirt.vocabulary.activity import require_time_zone
from opensirt.vocabulary.errors import InvalidValue, MissingInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.volumes import DoseMap
from opensirt.workflow.import_study import load_identity, require_volumes, run_import
from opensirt.workflow.options import ImportOptions, PlanOptions
from opensirt.workflow.patient import read_patient
from opensirt.workflow.plan_computation import Planned, checked, compute_plan
from opensirt.workflow.plan_document import Stamp, assemble
from opensirt.workflow.plan_supplement import supplement
from opensirt.workflow.study import LoadedStudy, load_study
from opensirt.workflow.workup import compute_workup

PLAN_JSON = "plan.json"
REPORT_HTML = "report.html"
REPORT_PDF = "report.pdf"
DOSE_DICOM = "dose.dcm"


def default_treatment_at(present: datetime) -> datetime:
    """The next Wednesday, 10:00 UTC, at least two days ahead: stands in where nobody stated an instant, with a finding."""
    day = present.astimezone(UTC) + timedelta(days=2)
    day += timedelta(days=(2 - day.weekday()) % 7)
    return day.replace(hour=10, minute=0, second=0, microsecond=0)


def _instant(options: PlanOptions) -> tuple[datetime, tuple[Finding, ...]]:
    if options.treatment_at is not None:
        return require_time_zone(options.treatment_at, "the treatment instant"), ()
    at = default_treatment_at(now())
    message = f"no treatment instant was stated; {at.isoformat()} stands in for it · activities and vials hold for that instant only · state it (--treatment-at)"
    return at, (Finding("plan.instant_not_stated", Severity.WARNING, message),)


def with_files(options: PlanOptions, patient: Path | None, site_limits: Path | None, calendar: Path | None) -> PlanOptions:
    """The options with what stands in files: facts about the patient, the site's limits, its delivery calendar.

    Raises
    ------
    OpensirtError
        If a file is missing or wrong, with all its faults.
    """
    if patient is not None:
        options = replace(options, patient=read_patient(patient))
    if site_limits is not None:
        options = replace(options, site_limits=read_site_limits(site_limits))
    if calendar is not None:
        options = replace(options, calendar=read_delivery_calendar(calendar))
    return options


def run_plan(source: Path, options: PlanOptions, out: Path, report: Callable[[float], None]) -> PlanProposal:
    """Plan a case, or a folder of DICOM, and write ``plan.json``, ``report.html``, ``report.pdf`` and ``dose.dcm``.

    Parameters
    ----------
    source : Path
        A case folder, or a folder of DICOM (imported into a case inside ``out``).
    options : PlanOptions
        Product, instant, intent, rules.
    out : Path
        Folder for the results; made if it does not exist. Nothing in it changes before everything is computed.
    report : callable
        Takes progress from 0 to 1.

    Returns
    -------
    PlanProposal
        What ``plan.json`` holds.
    """
    if not source.is_dir():
        raise InvalidValue(f"{source.name!r} is not a folder", "", "give a case folder, or a folder of DICOM")
    at, findings = _instant(options)
    checked(options)
    if (source / "case.json").exists():
        case = open_case(source)
    else:
        case_path = out / "case"
        require_volumes(run_import(source, case_path, ImportOptions(), lambda x: report(0.2 * x)))
        case = open_case(case_path)
    study = load_study(case)
    workup = compute_workup(study, options.workup, lambda x: report(0.2 + 0.35 * x))
    planned = compute_plan(workup, options, at, lambda x: report(0.55 + 0.15 * x))
    calendar = default_delivery_calendar() if options.calendar is None else options.calendar
    stamp = Stamp(case.case_id, case.synthetic or study.index.synthetic, __version__, now())
    beside = supplement(planned, options, calendar, stamp.created_at, lambda x: report(0.70 + 0.15 * x))
    proposal = assemble(
        stamp, workup, planned, options, attrs.evolve(beside, findings=(*findings, *planned.findings, *beside.findings))
    )
    report(0.87)
    text = to_json(proposal, document.SCHEMA, document.VERSION)
    pages = plan_report(proposal, _pictures(study, planned), text)
    rendered = {PLAN_JSON: text.encode(), REPORT_HTML: render_html(pages).encode(), REPORT_PDF: render_pdf(pages)}
    report(0.95)
    _keep(case, study, planned, rendered, out)
    report(1.0)
    return proposal


def _pictures(study: LoadedStudy, planned: Planned) -> PlanPictures:
    scene = planned.workup.scene
    return PlanPictures(study.ct, study.emission, planned.dose, tuple(mask for mask, _ in scene.masks), planned.focus_mm)


def _keep(case: CaseFolder, study: LoadedStudy, planned: Planned, rendered: Mapping[str, bytes], out: Path) -> None:
    """Write the documents (``plan.json`` first among them) and the dose into the case and into ``out``, whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".plan-") as folder:
        ready = Path(folder)
        dicom = _dose_file(case, study.index.ct_sha256, planned.dose, ready / DOSE_DICOM)
        for name, data in rendered.items():
            write_atomically(ready / name, data)
        with case.writing():
            artefacts = [
                case.save_artefact(rendered[PLAN_JSON], document.SCHEMA, document.VERSION),
                *(
                    case.save_artefact(rendered[name], "opensirt.report", 1, name.rpartition(".")[2])
                    for name in (REPORT_HTML, REPORT_PDF)
                ),
                Artefact("opensirt.dose", 1, case.save_volume(planned.dose)),
            ]
            numbers = {f"activity_gbq.{territory}": activity.value for territory, activity in planned.plan.activities_gbq.items()}
            case.append(EventKind.PLAN_COMPUTED, "operator", now(), artefacts=artefacts, numbers=numbers)
        if not dicom:
            (out / DOSE_DICOM).unlink(missing_ok=True)  # one of an earlier plan would belong to other numbers
        for name in (DOSE_DICOM, REPORT_HTML, REPORT_PDF, PLAN_JSON):
            if (ready / name).exists():
                (ready / name).replace(out / name)


def _dose_file(case: CaseFolder, ct_sha256: str, dose: DoseMap, path: Path) -> bool:
    identity = load_identity(case, ct_sha256)
    if identity is None:
        return False
    if identity.frame != dose.grid.frame:
        raise MissingInput("the CT's identity belongs to another frame of reference", case.case_id, "import the study again")
    write_rtdose(dose, path, DoseContext(identity.attributes, identity.frame, identity.series_uid, identity.synthetic))
    return True

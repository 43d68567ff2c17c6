"""Results in words for a person at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def import_lines(summary: Any) -> Iterable[str]:
    """What an import found."""
    if summary.case_id:
        yield f"case {summary.case_id}{' (synthetic)' if summary.synthetic else ''}"
    yield f"{summary.volumes} volumes, {summary.planar_views} planar views, {len(summary.structures)} structures, {len(summary.faults)} faults"
    if summary.structures:
        yield "structures: " + ", ".join(summary.structures)


def number_lines(result: Any) -> Iterable[str]:
    """Every reported number with its 90 % interval."""
    from opensirt.reports.numbers import interval_text, value_text

    yield f"case {result.case_id}{' (synthetic)' if result.synthetic else ''}"
    for number in result.numbers:
        yield f"{number.label}: {value_text(number)} ({interval_text(number)})"


def status_lines(status: Any) -> Iterable[str]:
    """What a case holds, its results, its events."""
    yield f"case {status.case_id}{' (synthetic)' if status.synthetic else ''}{', every file as it was written' if status.verified else ''}"
    if status.study is None:
        yield "no study"
    else:
        yield f"study of {status.study.imported_at.isoformat()}: {', '.join(status.study.images)}; {status.study.faults} faults"
        origins = ", ".join(f"{key} ({origin})" for key, origin in status.study.structures)
        yield f"structures: {origins or 'none'}"
    for result in status.results:
        yield f"{result.name} of {result.computed_at.isoformat()}: {'OUT OF DATE' if result.stale else 'up to date'}"
    for event in status.events:
        numbers = "".join(f", {name} {value:g}" for name, value in event.numbers)
        yield f"{event.seq:>3} {event.at.isoformat()} {event.kind} by {event.who}{numbers}"


def plan_lines(proposal: Any) -> Iterable[str]:
    """The plan in short; the report says everything."""
    from opensirt.reports.numbers import interval_text, value_text

    yield f"case {proposal.case_id}{' (synthetic)' if proposal.synthetic else ''}: {proposal.product}, {proposal.treatment_at.isoformat()}"
    for injection in proposal.injections:
        number = proposal.number(injection.activity_key)
        yield f"{injection.territory}: {value_text(number)} ({interval_text(number)}), 90 % interval in brackets"
    for check in proposal.limits:
        number = proposal.number(check.number_key)
        binding = ", binds" if check.binding else ""
        yield f"{check.role} {check.structure}: {value_text(number)} of {check.value_gy:g} Gy{binding} ({check.name})"


def plan_lines_in(folder: Path) -> Callable[[Any], Iterable[str]]:
    """The plan in short, and where its report lies."""

    def lines(proposal: Any) -> Iterable[str]:
        yield from plan_lines(proposal)
        yield f"report: {folder / 'report.html'}"

    return lines


def dose_lines(summary: Any) -> Iterable[str]:
    """What was computed."""
    yield f"{summary.file}: mean {summary.mean_gy:.4g} Gy, highest {summary.maximum_gy:.4g} Gy on {summary.grid}"
    life = f"effective half-life {summary.effective_half_life_h:g} h" if summary.effective_half_life_h else "full decay"
    yield (
        f"{summary.activity_gbq:.4g} GBq of {summary.nuclide} at administration, {life}, engine {summary.engine} {summary.engine_version}, "
        f"{summary.gy_kg_per_gbq:g} Gy·kg/GBq ({summary.dose_constant})"
    )
    energy = summary.energy
    yield f"energy: {energy.emitted_j:.4g} J emitted, {energy.deposited_j:.4g} J in the grid, {energy.left_grid_j:.4g} J left it"


def dvh_lines(summary: Any) -> Iterable[str]:
    """Mean, extremes, D and V."""
    yield f"{summary.structure}: {summary.volume_ml:.4g} mL"
    yield f"mean {summary.mean_gy:.4g} Gy, lowest {summary.minimum_gy:.4g} Gy, highest {summary.maximum_gy:.4g} Gy"
    for point in summary.d:
        yield f"D{point.percent:g} = {point.dose_gy:.4g} Gy"
    for point in summary.v:
        yield f"V{point.dose_gy:g} = {point.percent:.4g} %"


def model_lines(listed: Any) -> Iterable[str]:
    """One formula a line."""
    for model in listed["models"]:
        yield f"{model['model']}: {model['about']}"


def explanation_lines(explanation: Any) -> Iterable[str]:
    """A formula in words."""
    yield from explanation.lines


def patient_lines(written: Any) -> Iterable[str]:
    """Where the study and its truth lie."""
    yield f"{written.files} DICOM files in {written.dicom_folder}"
    yield f"truth in {written.truth_path}"


def doctor_lines(health: Any) -> Iterable[str]:
    """One line a check."""
    yield f"opensirt {health.program_version}"
    for check in health.checks:
        yield f"{'good' if check.good else 'BAD '} {check.name}: {check.seen}"
    for package in dict.fromkeys(model.module.partition(".")[0] for model in health.models):
        held = [model for model in health.models if model.module.partition(".")[0] == package]
        yield f"models {package}: " + ", ".join(f"{model_name(model)} {model.version}" for model in held)
    yield "all is well" if health.healthy else "something is missing"


def model_name(model: Any) -> str:
    """A model as people name it: its module's last name, and its constant where that says more."""
    module = model.module.rpartition(".")[2]
    said = model.name.removesuffix("VERSION").strip("_").lower()
    return module if said in ("", module) else f"{module} ({said.replace('_', ' ')})"


def plain_lines(result: Any) -> Iterable[str]:
    """A record as indented JSON, where no words say it better."""
    from opensirt.encoding import pretty_json

    yield pretty_json(result).rstrip("\n")

"""The plan as one HTML file that needs nothing else: no script, no network; every number opens its own explanation."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from opensirt.radioembolisation.treatment.proposal import ComparisonRow, PlanProposal
from opensirt.reports.numbers import budget, interval_text, plain, source_words, value_text
from opensirt.reports.pictures import PlanPictures, budget_svg, dose_slices_png, dvh_svg, emission_slices_png
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.provenance import ReportedNumber, Shape

REPORT_VERSION = "1"


@dataclass(frozen=True)
class ShownNumber:
    """A number ready for the page: text, interval, bar geometry, and everything its explanation shows."""

    anchor: str
    number: ReportedNumber
    value: str
    interval: str
    largest: str
    sources: tuple[tuple[str, str, str], ...]
    distribution: str


def _anchor(key: str) -> str:
    return "n-" + "".join(letter if letter.isalnum() else "-" for letter in key)


def _shown(number: ReportedNumber) -> ShownNumber:
    rows = tuple(
        (source_words(source), f"{contribution:+.3g} {number.unit}".strip(), f"{100 * share:.0f} %")
        for source, contribution, share in budget(number)
    )
    largest = source_words(number.measured.largest_contribution) if number.measured.contributions else ""
    words = {Shape.NORMAL: "normal", Shape.LOGNORMAL: "log-normal"}[number.shape]
    return ShownNumber(_anchor(number.key), number, value_text(number), interval_text(number), largest, rows, words)


@dataclass(frozen=True)
class ComparisonTable:
    """Structures down, models across: each cell a number or the reason why there is none."""

    models: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[ShownNumber | None, str], ...]], ...]


def _comparison(proposal: PlanProposal, shown: dict[str, ShownNumber]) -> ComparisonTable:
    models = tuple(dict.fromkeys(row.model for row in proposal.comparison))
    structures = tuple(dict.fromkeys(row.structure for row in proposal.comparison))
    cells: dict[tuple[str, str], ComparisonRow] = {(row.structure, row.model): row for row in proposal.comparison}
    labels = {structure.key: structure.label for structure in proposal.structures}
    rows = []
    for structure in structures:
        line: list[tuple[ShownNumber | None, str]] = []
        for model in models:
            row = cells.get((structure, model))
            if row is None:
                line.append((None, "–"))
            else:
                line.append((shown.get(row.number_key), row.note))
        rows.append((labels.get(structure, structure), tuple(line)))
    return ComparisonTable(models, tuple(rows))


_ORDER = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.NOTE: 2}


def _sorted_findings(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (_ORDER[finding.severity], finding.code, finding.about))


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _offset(delta: timedelta | None) -> str:
    if delta is None:
        return ""
    minutes = round(delta.total_seconds() / 60)
    sign = "+" if minutes >= 0 else "\u2212"
    return f"UTC{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def render_plan_report(proposal: PlanProposal, pictures: PlanPictures) -> str:
    """The report as HTML text.

    Parameters
    ----------
    proposal : PlanProposal
        Everything that is said.
    pictures : PlanPictures
        The volumes from which the slices are drawn.

    Returns
    -------
    str
        One self-contained HTML 5 document.
    """
    shown = {number.key: _shown(number) for number in proposal.numbers}
    labels = {structure.key: structure.label for structure in proposal.structures}
    engines = tuple(dict.fromkeys(curve.engine for curve in proposal.dvh))
    charts = {
        number.key: Markup(budget_svg(budget(number), number.unit).decode())
        for number in proposal.numbers
        if number.key.startswith(("activity.", "headline.")) and number.measured.contributions
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["instant"] = lambda at: f"{at:%a %d %b %Y, %H:%M} {_offset(at.utcoffset())}"
    environment.filters["counted"] = lambda value: plain(value, 0 if abs(value) >= 100.0 else 2)
    environment.filters["day"] = lambda at: f"{at:%a %d %b, %H:%M} {_offset(at.utcoffset())}"
    template = environment.from_string((files("opensirt.reports") / "templates" / "plan.html.j2").read_text("utf-8"))
    text: str = template.render(
        plan=proposal,
        shown=shown,
        labels=labels,
        findings=_sorted_findings(proposal.findings),
        comparison=_comparison(proposal, shown),
        dose_picture=_data_uri(dose_slices_png(pictures)),
        emission_picture=_data_uri(emission_slices_png(pictures)),
        dvh=[(engine, Markup(dvh_svg(proposal.dvh, engine, labels).decode())) for engine in engines],
        budgets=charts,
        report_version=REPORT_VERSION,
    )
    return text

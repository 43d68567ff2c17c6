"""The pages between decision and methods: findings, pictures, histograms, models side by side, vials, work-up, uncertainty."""

from __future__ import annotations

from collections.abc import Sequence

from opensirt.radioembolisation.treatment.proposal import (
    ComparisonRow,
    DvhCurve,
    PlanProposal,
    UncertaintyBudget,
    VialOption,
)
from opensirt.reports.document import (
    AnyBlock,
    Bar,
    Bullets,
    Chart,
    Column,
    Entry,
    Figure,
    Findings,
    Folded,
    Heading,
    Inline,
    Paragraph,
    Run,
    Sample,
    Shown,
    Table,
    Tone,
    Words,
)
from opensirt.reports.explanations import BAND_FORMULA, Explanations
from opensirt.reports.numbers import budget, instant_text, key_words, signed_percent, source_words
from opensirt.reports.pictures import CONTOUR_LEGEND, PlanPictures, dvh_chart, slices_png
from opensirt.reports.plan_decision import words
from opensirt.reports.plan_tables import tables_named
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.units import PERCENT

MODELS_ACROSS = 8
"""Columns of the side-by-side table; more models go into a second table."""
BUDGETS_DRAWN = 6
"""Numbers whose budget is drawn as bars: activities first, then doses under a limit."""
SHARES_DRAWN = 6
CURVES_DRAWN = 7
"""Curves of the histogram of first rank."""
_AFTER_MODELS = (("models", "model_reasons"), ("radiobiology",), ("late_effects",), ("eligibility",))
_OF_VIALS = ("order", "order_injections", "schedule")
_PLACED = ("dvh_metrics", *(key for keys in _AFTER_MODELS for key in keys), *_OF_VIALS)
"""Tables of the plan with a place of their own; any other stands behind the uncertainty."""
VIAL_NEAR_FRACTION = 0.6
"""Vials listed: those that hold the plan to within this fraction."""


def sections(plan: PlanProposal, pictures: PlanPictures, findings: Sequence[Finding], why: Explanations) -> list[AnyBlock]:
    """Everything between the decision page and the methods page."""
    labels = {structure.key: structure.label for structure in plan.structures}
    blocks: list[AnyBlock] = _findings(plan, findings, labels)
    blocks += _images(plan, pictures)
    blocks += _histograms(plan, labels, why)
    blocks += tables_named(plan, ("dvh_metrics",), why)
    blocks += [Heading(2, "Every model side by side", "models"), *_comparison(plan, labels, why)]
    for keys in _AFTER_MODELS:
        blocks += tables_named(plan, keys, why)
    blocks += [Heading(2, "Vials and order", "vials"), *tables_named(plan, _OF_VIALS, why), *_vials(plan, why)]
    blocks += [Heading(2, "Work-up", "workup"), *_workup(plan, why)]
    blocks += [Heading(2, "Where the uncertainty comes from", "uncertainty"), *_budgets(plan, why)]
    blocks += tables_named(plan, tuple(table.key for table in plan.tables if table.key not in _PLACED), why)
    return blocks


def _findings(plan: PlanProposal, findings: Sequence[Finding], labels: dict[str, str]) -> list[AnyBlock]:
    blocks: list[AnyBlock] = [Heading(2, "Findings in full", "findings")]
    blocks.append(Findings(tuple(findings), tuple(labels.items())) if findings else Paragraph(words("No findings.")))
    if plan.faults:
        columns = (
            Column(words("Fault"), 1.4),
            Column(words("What"), 4.0),
            Column(words("Series"), 2.2),
            Column(words("Instance"), 2.2),
        )
        rows = tuple(
            (words(f.code, Tone.CODE), words(f.message), words(f.series_uid, Tone.CODE), words(f.instance, Tone.CODE))
            for f in plan.faults
        )
        title = f"Faults met while reading the study: {len(rows)}"
        blocks.append(Folded(title, (Table(columns, rows, dense=True),)))
    return blocks


def _images(plan: PlanProposal, pictures: PlanPictures) -> list[AnyBlock]:
    mark = "SYNTHETIC" if plan.synthetic else ""
    dose_png, emission_png = slices_png(pictures, mark)
    legend: list[Inline] = []
    for name, colour, dashes, width in CONTOUR_LEGEND:
        legend += [Run(" "), Sample(colour, dashes, width), Run(f" {name}")]
    caption: Words = (
        Run(f"Planned dose ({plan.engine}) over CT, window −160 to 240 HU. Thin numbered lines: isodoses in Gy. Contours:"), *legend, Run("."),
    )  # fmt: skip
    return [
        Heading(2, "Dose on CT", "images"),
        Figure(
            dose_png,
            "Axial, coronal and sagittal CT with the planned dose, isodose lines and contours",
            caption,
        ),
        Figure(
            emission_png,
            "Axial, coronal and sagittal CT with the scout emission image and contours",
            words("Scout emission image in the same planes, with the same contours."),
        ),
    ]


def _histograms(plan: PlanProposal, labels: dict[str, str], why: Explanations) -> list[AnyBlock]:
    engines = tuple(dict.fromkeys(curve.engine for curve in plan.dvh))
    if not engines:
        return []
    entry = why.add(
        Entry(
            "dvh.bands", 0, "x-dvh-bands", "Dose-volume histograms and their bands", "", "", "", f"V(D) = share of the volume with dose ≥ D;  {BAND_FORMULA}",
            "cumulative histogram of the dose map on the working grid", 0, "1",
        )
    )  # fmt: skip
    note: Words = (
        Shown("Bands", entry),
        Run(
            " are the whole curve scaled by the 90 % interval of its mean: they hold what all voxels share, and are too narrow for D95 and D5."
        ),
    )
    blocks: list[AnyBlock] = [Heading(2, "Dose-volume histograms", "dvh")]
    for place, engine in enumerate(engines):
        caption: Words = words(f"Engine: {engine}. ", Tone.STRONG) + (note if place == 0 else ())
        mine = [curve for curve in plan.dvh if curve.engine == engine]
        chief = _chief_curves(mine)
        alt = f"Cumulative dose-volume histograms, {engine}"
        if place == 0:
            blocks.append(Chart(dvh_chart(chief, engine, labels), alt, caption))
            rest = [curve for curve in mine if curve not in chief]
            if rest:
                more = (Run("Further structures. ", Tone.STRONG), Run(f"Engine: {engine}."))
                blocks.append(
                    Folded("Further structures", (Chart(dvh_chart(rest, engine, labels), f"{alt}, further structures", more),))
                )
        else:
            blocks.append(Folded(f"Engine: {engine}", (Chart(dvh_chart(chief, engine, labels), alt, caption),)))
    return blocks


def _chief_curves(curves: Sequence[DvhCurve]) -> list[DvhCurve]:
    """Whole normal liver, lungs and tumours, at most ``CURVES_DRAWN``; the others are drawn apart."""
    organs = [curve for curve in curves if curve.structure in ("normal_liver", "lungs")]
    tumours = [curve for curve in curves if curve.structure.startswith("tumour.")][: CURVES_DRAWN - len(organs)]
    return [*tumours, *organs] or list(curves[:CURVES_DRAWN])


def _comparison(plan: PlanProposal, labels: dict[str, str], why: Explanations) -> list[AnyBlock]:
    models = tuple(dict.fromkeys(row.model for row in plan.comparison))
    structures = tuple(dict.fromkeys(row.structure for row in plan.comparison))
    cells = {(row.structure, row.model): row for row in plan.comparison}
    blocks: list[AnyBlock] = []
    for first in range(0, len(models), MODELS_ACROSS):
        across = models[first : first + MODELS_ACROSS]
        columns = (Column(words("Structure"), 1.25), *(Column(words(model), 1.0) for model in across))
        rows = tuple(
            (words(_structure_words(structure, labels)), *(_dose_cell(cells.get((structure, model)), why) for model in across))
            for structure in structures
            if any((structure, model) in cells for model in across)
        )
        caption = (
            "Mean absorbed dose in Gy for the proposed activities, with 90 % intervals. Where models differ, the notes say why."
        )
        blocks.append(Table(columns, rows, words(caption), dense=True))
    notes = {row.model: row.note for row in plan.comparison if row.number_key and row.note}
    if notes:
        blocks.append(Bullets(tuple((Run(model, Tone.STRONG), Run(f": {note}")) for model, note in notes.items())))
    return blocks


def _structure_words(key: str, labels: dict[str, str]) -> str:
    kind, _, label = key.partition(".")
    return labels.get(key, f"perfused volume, {label}" if kind == "territory" else key_words(key))


def _dose_cell(row: ComparisonRow | None, why: Explanations) -> Words:
    if row is None or not row.number_key:
        return words(row.note if row is not None and row.note else "–", Tone.SOFT)
    return (why.shown(row.number_key, unit=False),)


def _vials(plan: PlanProposal, why: Explanations) -> list[AnyBlock]:
    near = [(n, vial) for n, vial in enumerate(plan.vials) if vial.usable or abs(vial.relative_excess) <= VIAL_NEAR_FRACTION]
    if not near:
        return (
            []
            if any(table.key == "order" for table in plan.tables)
            else [Paragraph(words("No vial is listed for this product and instant."))]
        )
    columns = (
        Column(words("Injection"), 0.9), Column(words("Vial at calibration"), 1.0, right=True), Column(words("Calibrated"), 2.0),
        Column(words("Days since"), 0.7, right=True), Column(words("Holds at treatment (GBq)"), 1.3, right=True),
        Column(words("Against plan"), 1.0, right=True), Column(words("Equals the plan at"), 2.0), Column(words("Note"), 2.2),
    )  # fmt: skip
    rows = tuple(_vial_row(vial, why.vial(vial, place)) for place, vial in near)
    quiet = tuple(n for n, (_, vial) in enumerate(near) if not vial.usable)
    caption = f"Vials that hold the plan to within {PERCENT * VIAL_NEAR_FRACTION:.0f} % at the treatment instant, best fit first; those set back are shown for comparison only."
    return [Table(columns, rows, words(caption), quiet, dense=True)]


def _vial_row(vial: VialOption, entry: str) -> tuple[Words, ...]:
    return (
        words(vial.territory), (Shown(f"{vial.size_gbq:g} GBq", entry, marked=False),), words(instant_text(vial.calibrated_at, year=False)),
        (Shown(f"{vial.days_after_calibration:.1f}", entry, marked=False),),
        (Shown(f"{vial.activity_at_treatment_gbq:.3f}", entry),),
        (Shown(signed_percent(vial.relative_excess, 1), entry, marked=False),),
        (Shown(instant_text(vial.equals_plan_at, year=False), entry, marked=False),), words(vial.note),
    )  # fmt: skip


def _workup(plan: PlanProposal, why: Explanations) -> list[AnyBlock]:
    quantities = (
        Column(words("Quantity"), 2.6), Column(words("Value (90 % interval)"), 1.8),
        Column(words("Largest source of uncertainty"), 2.0), Column(words("Method"), 3.0),
    )  # fmt: skip
    found: list[tuple[Words, ...]] = []
    for number in plan.numbers:
        if number.key.startswith("workup."):
            largest = source_words(number.measured.largest_contribution)
            found.append((words(why.label(number.key)), (why.shown(number.key),), words(largest), words(number.method)))
    columns = (
        Column(words("Structure"), 2.6), Column(words("Contour from"), 1.6), Column(words("Volume"), 2.0), Column(words("Mass"), 2.0),
    )  # fmt: skip
    rows = tuple((words(s.label), words(s.origin), (why.shown(s.volume_key),), (why.shown(s.mass_key),)) for s in plan.structures)
    blocks: list[AnyBlock] = [Table(quantities, tuple(found), dense=True)] if found else []
    return [*blocks, Heading(3, "Structures", "structures"), Table(columns, rows, dense=True)]


def _budgets(plan: PlanProposal, why: Explanations) -> list[AnyBlock]:
    known = {number.key for number in plan.numbers}
    weighed = {check.number_key for check in plan.limits}
    budgets = [b for b in plan.budgets if b.number_key in known and b.shares]
    if not budgets:
        headline = [n.key for n in plan.numbers if n.key.startswith("activity.") and n.measured.contributions]
        return [_plain_budget(plan, key, why) for key in headline[:BUDGETS_DRAWN]]
    budgets.sort(key=lambda b: (not b.number_key.startswith("activity."), b.number_key not in weighed))
    blocks: list[AnyBlock] = [_budget_table(plan, one, why) for one in budgets[:BUDGETS_DRAWN]]
    if len(budgets) > BUDGETS_DRAWN:
        blocks.append(_first_shares(plan, budgets[BUDGETS_DRAWN:], why))
    return blocks


def _first_shares(plan: PlanProposal, budgets: Sequence[UncertaintyBudget], why: Explanations) -> Table:
    """Of every further number its largest source only; all sources stand in its entry."""
    columns = (
        Column(words("Number"), 3.0), Column(words("Value (90 % interval)"), 1.9), Column(words("Largest source"), 1.8),
        Column(words("Share"), 0.8, right=True), Column(words("Interval if halved"), 1.3, right=True), Column(words("What would shrink it"), 2.4),
    )  # fmt: skip
    rows = tuple(
        (
            words(why.label(b.number_key)), (why.shown(b.number_key),), words(b.shares[0].label or source_words(b.shares[0].source)),
            (Shown(f"{PERCENT * b.shares[0].variance_fraction:.0f} %", b.number_key, marked=False),),
            (Shown(f"{PERCENT * b.shares[0].halved_interval_fraction:.0f} %\u00a0of\u00a0now", b.number_key, marked=False),), words(b.shares[0].remedy),
        )
        for b in budgets
    )  # fmt: skip
    return Table(columns, rows, words("The largest source of every other number with a budget of its own"), dense=True)


def _budget_caption(key: str, why: Explanations) -> Words:
    return Run(f"{why.label(key)}: ", Tone.STRONG), why.shown(key)


def _budget_table(plan: PlanProposal, one: UncertaintyBudget, why: Explanations) -> Table:
    columns = (
        Column(words("Source"), 2.2), Column(words("Share of the variance"), 2.6), Column((), 0.7, right=True),
        Column(words("Interval if halved"), 1.3, right=True), Column(words("What would shrink it"), 3.4),
    )  # fmt: skip
    rows = tuple(
        (
            words(share.label or source_words(share.source)), (Bar(share.variance_fraction),),
            (Shown(f"{PERCENT * share.variance_fraction:.0f} %", one.number_key, marked=False),),
            (Shown(f"{PERCENT * share.halved_interval_fraction:.0f} %\u00a0of\u00a0now", one.number_key, marked=False),), words(share.remedy),
        )
        for share in one.shares[:SHARES_DRAWN]
    )  # fmt: skip
    return Table(columns, rows, _budget_caption(one.number_key, why), dense=True)


def _plain_budget(plan: PlanProposal, key: str, why: Explanations) -> Table:
    number = plan.number(key)
    columns = (Column(words("Source"), 2.4), Column(words("Share of the variance"), 4.6), Column((), 0.8, right=True), Column(words("Contribution"), 1.4, right=True))  # fmt: skip
    rows = tuple(
        (
            words(source_words(source)), (Bar(share),), (Shown(f"{PERCENT * share:.0f} %", key, marked=False),),
            (Shown(f"{abs(contribution):.2g} {number.unit}", key, marked=False),),
        )
        for source, contribution, share in budget(number)[:SHARES_DRAWN]
    )  # fmt: skip
    return Table(columns, rows, _budget_caption(key, why), dense=True)

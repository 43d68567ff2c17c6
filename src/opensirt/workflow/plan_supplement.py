"""What stands beside the doses of a plan: models against each other, radiobiology, metrics with intervals, vials, budgets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import attrs
import numpy as np

from opensirt.radioembolisation.dosimetry.budget import Budget, budget_of, budget_of_shares
from opensirt.radioembolisation.dosimetry.disagreement import Disagreement, ModelActivity, compare_models
from opensirt.radioembolisation.dosimetry.influence import total_dose
from opensirt.radioembolisation.dosimetry.injection_facts import Person, injection_facts
from opensirt.radioembolisation.dosimetry.models.catalogue import MODELS
from opensirt.radioembolisation.dosimetry.models.facts import Unknown
from opensirt.radioembolisation.dosimetry.models.goals import goal_of
from opensirt.radioembolisation.dosimetry.models.protocol import Prescription
from opensirt.radioembolisation.dosimetry.planned_means import DeliveryErrors, planned_means
from opensirt.radioembolisation.dosimetry.radiobiology.structures import plan_radiobiology
from opensirt.radioembolisation.dosimetry.resampling import (
    RESAMPLING_VERSION,
    Metric,
    ResampledMetric,
    ShapeErrors,
    d_percent,
    resample_metrics,
    resampling_state,
    v_dose,
)
from opensirt.radioembolisation.planning.optimise import evaluate
from opensirt.radioembolisation.treatment.combinations import OrderRules
from opensirt.radioembolisation.treatment.delivery_calendar import DeliveryCalendar
from opensirt.radioembolisation.treatment.order_tables import order_tables, schedule_table
from opensirt.radioembolisation.treatment.order_values import VialOrder
from opensirt.radioembolisation.treatment.orders import order
from opensirt.radioembolisation.treatment.proposal import BudgetShare, Cell, PlanTable, UncertaintyBudget
from opensirt.radioembolisation.treatment.schedule import schedule
from opensirt.radioembolisation.treatment.vials import later
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.limits import Role
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.products import PRODUCTS_VERSION
from opensirt.vocabulary.provenance import Input, ReportedNumber, Shape
from opensirt.vocabulary.volumes import Occupancy
from opensirt.workflow.names import structure_label
from opensirt.workflow.options import PlanOptions
from opensirt.workflow.plan_computation import Planned
from opensirt.workflow.plan_patient import patient_part

SEED = 20_240_516
"""Seed of the resampled metrics: the same plan gives the same intervals. (The day of NICE HTG720.)"""
_LIVER_METRICS_GY = (30.0, 70.0)
_TUMOUR_PERCENT = (95.0, 70.0, 50.0)
_OF_THE_PERFUSED_VOLUME = ("mird",)
"""Models that know the mean of the perfused volume only: with limits on normal liver and no aim of their own they would run into the lung limit."""
_UNCLEAR_RELATIVE = 0.6
"""A dose with a larger relative standard uncertainty cannot be told from 0 with 90 %: nothing non-linear is computed from it."""
_SLIGHT_FRACTION = 0.02
"""A limit exceeded by less is a warning, by more critical: less than a tenth of the interval of any dose here. A convention."""
_RESIN, _RESIN_RULES = "resin", ("empirical", "bsa", "bsa-modified")
_BUDGETS = 8
"""Numbers of which the report shows the budget: the activities, and the doses that the decision turns on."""


@attrs.frozen(eq=False)
class Supplement:
    """Numbers, tables, budgets and findings beside the plan's own."""

    numbers: tuple[ReportedNumber, ...] = ()
    tables: tuple[PlanTable, ...] = ()
    budgets: tuple[UncertaintyBudget, ...] = ()
    findings: tuple[Finding, ...] = ()

    def joined(self, other: Supplement) -> Supplement:
        """Both together, in this order."""
        return Supplement(
            (*self.numbers, *other.numbers),
            (*self.tables, *other.tables),
            (*self.budgets, *other.budgets),
            (*self.findings, *other.findings),
        )


def supplement(
    planned: Planned, options: PlanOptions, calendar: DeliveryCalendar, placed_at: datetime, report: Callable[[float], None]
) -> Supplement:
    """Everything that stands beside the doses of a plan.

    Parameters
    ----------
    planned : Planned
        The plan.
    options : PlanOptions
        What was asked.
    calendar : DeliveryCalendar
        When products are delivered to the site.
    placed_at : datetime
        Instant of the plan: an order day that has passed by then is a finding.
    report : callable
        Takes progress from 0 to 1.
    """
    result = _activity_models(planned, options).joined(_radiobiology(planned, options))
    if options.samples > 0:
        result = result.joined(_metrics(planned, options, report))
    result = result.joined(_orders(planned, options, calendar, placed_at))
    about = patient_part(planned, options.patient, options.indication)
    result = result.joined(Supplement(about.numbers, about.tables, (), about.findings))
    report(1.0)
    return result


# activity models side by side


def _stated(value: float | None, otherwise: str) -> Measured | Unknown:
    return Unknown(otherwise) if value is None else Measured(value)


def _activity_models(planned: Planned, options: PlanOptions) -> Supplement:
    goal = goal_of(planned.rules)
    workup = planned.workup
    person = Person(
        _stated(options.patient.height_cm, "the patient's height was not stated"),
        _stated(options.patient.weight_kg, "the patient's weight was not stated"),
    )
    aimed = any(aim.volume is StructureKind.TERRITORY for aim in goal.aims)
    models = MODELS if aimed else {key: model for key, model in MODELS.items() if key not in _OF_THE_PERFUSED_VOLUME}
    result = Supplement()
    for perfusion in workup.perfusions:
        if not perfusion.tumours:
            continue
        facts = injection_facts(
            workup.uptake,
            perfusion.territory,
            product=planned.product,
            masses=planned.masses,
            residual_fraction=planned.residual_fraction,
            person=person,
        )
        found = compare_models(facts, goal, models)
        # rules of body surface and involvement were made for resin: for another product they are shown, but they are no disagreement
        own = (
            found
            if planned.product.key == _RESIN
            else compare_models(facts, goal, {k: m for k, m in models.items() if k not in _RESIN_RULES})
        )
        result = result.joined(
            _models_of(perfusion.territory, found, own, calibration_relative=planned.delivery.calibration_relative)
        )
    return result


def _models_of(territory: str, found: Disagreement, own: Disagreement, *, calibration_relative: float) -> Supplement:
    numbers: list[ReportedNumber] = []
    rows = []
    for row in found.activities:
        key = f"model_activity.{territory}.{row.key}"
        if isinstance(row.answer, Prescription):
            numbers.append(_model_number(key, territory, row, row.answer, calibration_relative=calibration_relative))
            rows.append((Cell(row.name), Cell(number_key=key), Cell(row.answer.binding or "no dose is read"), Cell(_told(row))))
        else:
            rows.append((Cell(row.name), Cell("–"), Cell(""), Cell(row.answer.reason)))
    asked = {row.key for row in found.activities}
    told = "no dose of the perfused volume is stated or published here, and this model reads no other · state one (--target perfused_volume=GY)"
    rows += [(Cell(MODELS[key].name), Cell("–"), Cell(""), Cell(told)) for key in _OF_THE_PERFUSED_VOLUME if key not in asked]
    tables = [
        PlanTable(
            "models",
            f"Activity by every model, {territory}",
            ("model", "activity to deliver, GBq", "what sets it", "to weigh"),
            tuple(rows),
            "Each injection on its own, as if it alone used up the limits: activities of several injections must not be added. The plan above solves them together.",
        )
    ]
    held = own.answered()
    if len(held) > 1:
        pair = own.between(held[0][0], held[-1][0])
        names = {row.key: row.name for row in found.activities}
        tables.append(
            PlanTable(
                "model_reasons",
                f"Why {names[pair.second]} asks for {pair.ratio.value:.2f} times the activity of {names[pair.first]}, {territory}",
                ("factor", "reason"),
                tuple((Cell(f"× {reason.factor:.3f}"), Cell(reason.sentence)) for reason in pair.reasons),
                "assumptions swapped one after another, averaged over all orders: the factors multiply up to the ratio",
                ("Shapley 1953",),
            )
        )
    return Supplement(tuple(numbers), tuple(tables), (), tuple(replace(finding, about=territory) for finding in own.findings))


def _told(row: ModelActivity) -> str:
    return "; ".join(dict.fromkeys(finding.message.split(" · ")[0] for finding in row.findings))


def _model_number(
    key: str, territory: str, row: ModelActivity, answer: Prescription, *, calibration_relative: float
) -> ReportedNumber:
    inputs = tuple(
        Input(bound.aim.name, f"{bound.delivered_gbq.value:.4g}", "GBq", "what this aim alone would give")
        for bound in answer.bounds
    )
    gbq = answer.delivered_gbq
    if answer.bounds:  # a rule that reads no dose does not know of the meter
        gbq = gbq.with_contribution("calibration", -gbq.value * calibration_relative)
    return ReportedNumber(
        key, f"Activity to deliver, {territory}, {row.name}, this injection alone", gbq, "GBq", row.formula, row.name, row.version, inputs,
        row.constants, sources=row.sources,
    )  # fmt: skip


# radiobiology


def _radiobiology(planned: Planned, options: PlanOptions) -> Supplement:
    headline = next(iter(planned.influences.values()))
    activities = {t: a.value for t, a in planned.plan.activities_gbq.items()}
    regions = [(key, region) for key, region in planned.regions if key in headline.gy_per_gbq and region.volume_ml > 0.0]
    means = {key: total_dose(headline, key, activities) for key, _ in regions}
    unclear = [key for key, mean in means.items() if not (mean.value > 0.0 and mean.relative_uncertainty < _UNCLEAR_RELATIVE)]
    regions = [(key, region) for key, region in regions if key not in unclear]
    density = planned.workup.scene.image.density
    found = plan_radiobiology(
        planned.dose, density, regions, planned.product.nuclide, planned.product.key, options.indication, means
    )
    columns = (
        ("bed", "BED, Gy"),
        ("eqd2", "EQD2, Gy"),
        ("geud", "gEUD, Gy"),
        ("eubed", "EUBED, Gy"),
        ("spheres_per_ml", "spheres per mL"),
    )
    known = {number.key for number in found.numbers}
    rows = []
    for key, _ in regions:
        cells = [Cell(number_key=f"{name}.{key}") if f"{name}.{key}" in known else Cell("–") for name, _ in columns]
        if any(cell.number_key for cell in cells):
            rows.append((Cell(structure_label(key)), *cells))
    table = PlanTable(
        "radiobiology",
        "Radiobiology of the planned dose",
        ("structure", *(title for _, title in columns)),
        tuple(rows),
        "biologically effective dose is taken voxel by voxel and then averaged; parameters and their spread stand at each number",
    )
    findings = found.findings
    if unclear:
        told = ", ".join(structure_label(key) for key in unclear)
        message = f"no radiobiology of {told}: the dose cannot be told from 0 · read its interval"
        findings = (*findings, Finding("radiobiology.dose_unclear", Severity.NOTE, message))
    return Supplement(found.numbers, (table,) if rows else (), (), findings)


# metrics of the histograms with intervals


def _wanted(planned: Planned) -> tuple[list[Metric], list[Occupancy]]:
    metrics: list[Metric] = []
    structures: list[Occupancy] = []
    compartments = {c.key for c in planned.workup.uptake.compartments}
    for key, region in planned.regions:
        kind = region.structure.kind
        if region.volume_ml <= 0.0:
            continue
        if kind is StructureKind.TUMOUR and key in compartments:
            metrics += [d_percent(key, percent) for percent in _TUMOUR_PERCENT]
            structures.append(region)
        elif key == "normal_liver":
            metrics += [d_percent(key, 50.0), *(v_dose(key, gy) for gy in _LIVER_METRICS_GY)]
            structures.append(region)
    return metrics, structures


def _metrics(planned: Planned, options: PlanOptions, report: Callable[[float], None]) -> Supplement:
    workup = planned.workup
    headline = next(iter(planned.influences.values()))
    activities = {t: a.value for t, a in planned.plan.activities_gbq.items()}
    base = planned.influences["count partition, recovered"]
    means = planned_means(headline, base, activities, DeliveryErrors())  # calibration and residual are in both already
    metrics, structures = _wanted(planned)
    shape = ShapeErrors(contour_mm=options.workup.contour_mm, noise_factor=options.workup.noise_factor)
    nuclide = planned.product.nuclide.name
    state = resampling_state(workup.scene.image, workup.uptake, planned.dose, means, structures, shape, nuclide)
    found = resample_metrics(state, metrics, samples=options.samples, generator=np.random.default_rng(SEED), report=report)
    numbers = tuple(_metric_number(each, options.samples) for each in found.metrics)
    budgets = tuple(
        _shown(number.key, budget_of_shares(each.variance_share, float(each.draws.std()), number.unit))
        for number, each in zip(numbers, found.metrics, strict=True)
    )
    rows = tuple(
        (Cell(structure_label(each.metric.structure)), Cell(each.metric.name), Cell(number_key=number.key), Cell(_first(budget)))
        for number, each, budget in zip(numbers, found.metrics, budgets, strict=True)
    )
    table = PlanTable(
        "dvh_metrics",
        "Dose-volume metrics with their intervals",
        ("structure", "metric", "value and 90 % interval", "what would narrow it most"),
        rows,
        f"{options.samples} draws of the whole chain of errors; the value is their median",
    )
    return Supplement(numbers, (table,), tuple(budget for budget in budgets if budget.shares), ())


def _first(budget: UncertaintyBudget) -> str:
    if not budget.shares:
        return ""
    first = budget.shares[0]
    return f"{first.label} ({100 * first.variance_fraction:.0f} % of the variance): {first.remedy}"


def _metric_number(found: ResampledMetric, samples: int) -> ReportedNumber:
    metric = found.metric
    spread = float(found.draws.std())
    measured = Measured(found.value, {source: spread * float(np.sqrt(share)) for source, share in found.variance_share.items()})
    inputs = (
        Input("on the dose map as it stands", f"{found.on_map:.4g}", metric.unit, "planned dose map"),
        Input("draws", f"{samples}"),
    )
    return ReportedNumber(
        f"metric.{metric.structure}.{metric.name}", f"{metric.name}, {structure_label(metric.structure)}", measured, metric.unit,
        "median and 5 % and 95 % quantiles of the metric over draws of the chain of errors", "resampling", RESAMPLING_VERSION, inputs,
        shape=Shape.NORMAL, drawn_interval_90=(found.low, found.high),
    )  # fmt: skip


# budgets


def _shown(key: str, budget: Budget) -> UncertaintyBudget:
    shares = tuple(
        BudgetShare(line.source, line.label, line.variance_fraction, 1.0 - line.narrower_if_halved_fraction, line.remedy)
        for line in budget.lines
    )
    return UncertaintyBudget(key, shares)


def headline_budgets(numbers: tuple[ReportedNumber, ...], model: str) -> tuple[UncertaintyBudget, ...]:
    """Budgets of the numbers that the decision turns on: activities, shunt, and the planned means of tumours, normal liver and lungs.

    Parameters
    ----------
    numbers : tuple of ReportedNumber
        Of the plan.
    model : str
        Model that was planned with.
    """
    suffix = model.replace(" ", "_")
    wanted = [n for n in numbers if n.key.startswith("activity.")]
    wanted += [n for n in numbers if n.key in (f"dose.normal_liver.{suffix}", f"dose.lungs.{suffix}")]
    wanted += [n for n in numbers if n.key.startswith("dose.tumour.") and n.key.endswith(f".{suffix}")]
    exact = [n for n in wanted if n.measured.contributions]
    return tuple(_shown(number.key, budget_of(number.measured, number.unit)) for number in exact[:_BUDGETS])


# vials


def _orders(planned: Planned, options: PlanOptions, calendar: DeliveryCalendar, placed_at: datetime) -> Supplement:
    wanted = {t: a.value for t, a in planned.plan.activities_gbq.items() if a.value > 0.0}
    if not wanted:
        return Supplement()
    try:
        rules = OrderRules(placed_at=placed_at)
        ordered = order(
            planned.product, wanted, planned.treatment_at, calendar, residual_fraction=options.residual_fraction, rules=rules
        )
    except InvalidValue as error:
        message = f"no order can be made: {error.what} · {error.remedy or error.where}"
        return Supplement(findings=(Finding("order.none", Severity.CRITICAL, message, "vials"),))
    headline = next(iter(planned.influences.values()))
    limits: dict[str, float] = {}
    for outcome in planned.plan.outcomes:
        if outcome.rule.role is Role.LIMIT:
            known = limits.get(outcome.structure, math.inf)
            limits[outcome.structure] = min(known, outcome.rule.value_gy)
    per_gbq = {
        structure_label(key): {t: row[t].value for t in wanted}
        for key, row in headline.gy_per_gbq.items()
        if not key.startswith("territory.") or key in limits
    }
    delays = schedule(ordered, per_gbq)
    lowest_gy = {structure_label(key): limit for key, limit in limits.items()}
    return Supplement(
        tuple(_dispensed(planned, options, territory) for territory in wanted),
        (*order_tables(ordered), schedule_table(ordered, delays, limits_gy=lowest_gy)),
        (),
        (*ordered.findings, *delays.findings, *_over_limits(planned, ordered)),
    )


def _dispensed(planned: Planned, options: PlanOptions, territory: str) -> ReportedNumber:
    """Activity to dispense for one injection: what the residual keeps back added."""
    delivered = planned.plan.activities_gbq[territory]
    constants = (planned.product.residual_fraction,) if options.residual_fraction is None else ()
    kept = planned.residual_fraction
    own = {source: u for source, u in delivered.contributions.items() if source != "residual"}  # it comes in with R
    value = propagate(lambda a, r: a / (1.0 - r), a=Measured(delivered.value, own), r=kept)
    inputs = (Input("A delivered", f"{delivered.value:.4g}", "GBq", "this plan"), Input("R", f"{kept.value:g}", "", "residual"))
    return ReportedNumber(
        f"dispensed.{territory}", f"Activity to dispense, {territory}", value, "GBq", "A_dispensed = A_delivered / (1 − R)",
        "residual", PRODUCTS_VERSION, inputs, constants,
    )  # fmt: skip


def _over_limits(planned: Planned, ordered: VialOrder) -> tuple[Finding, ...]:
    """What the ordered vials would do to the limits: vials given whole deliver what they hold, not what was planned."""
    delivered = {t: ordered.delivered_gbq.get(t, 0.0) for t in planned.problem.tumours}
    excess = {
        o.structure: (o.dose.value, o.rule.value_gy)
        for o in evaluate(planned.problem, delivered)
        if o.rule.role is Role.LIMIT and o.dose.value > o.rule.value_gy * (1.0 + 1e-6)
    }
    if not excess:
        return ()
    worst = max(dose / limit for dose, limit in excess.values())
    told = "; ".join(f"{structure_label(key)} {dose:.1f} Gy against {limit:g} Gy" for key, (dose, limit) in excess.items())
    later_h = math.log2(worst) * planned.product.nuclide.half_life_h.value
    keeps = later(planned.treatment_at, later_h).strftime("%a %d %b %H:%M")
    message = (
        f"the ordered vials, given at the planned instant, exceed a limit by up to {100.0 * (worst - 1.0):.1f} %: {told} · given {later_h:.1f} h later "
        f"({keeps}) they keep it, or choose smaller vials"
    )
    severity = Severity.CRITICAL if worst > 1.0 + _SLIGHT_FRACTION else Severity.WARNING
    return (Finding("order.exceeds_limit", severity, message, "vials"),)

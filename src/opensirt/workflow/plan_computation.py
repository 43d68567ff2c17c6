"""The plan in memory: influence of each injection by every model, activities, vials, dose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import attrs
import numpy as np

from opensirt.imaging.tissue import SOFT_TISSUE
from opensirt.radioembolisation.dosimetry.fine_transport import fine_transport, liver_groups, with_crossing
from opensirt.radioembolisation.dosimetry.influence import (
    Influence,
    Masses,
    count_partition_influence,
    partition_influence,
    scaled,
    territories_of,
    total_dose,
)
from opensirt.radioembolisation.dosimetry.models import partition
from opensirt.radioembolisation.dosimetry.planned_means import DeliveryErrors, with_delivery
from opensirt.radioembolisation.dosimetry.voxel import (
    combined,
    doses_per_gbq,
    lung_dose_per_gbq,
    mean_gy,
    transport_factors,
    transport_relative,
    unit_activity,
)
from opensirt.radioembolisation.planning.optimise import INTENTS, Plan, PlanProblem, given, optimise, unapplied_findings
from opensirt.radioembolisation.transport.engines import COMPARED, engine_named
from opensirt.radioembolisation.transport.result import EngineDose, silent
from opensirt.radioembolisation.treatment.delivery_calendar import at_site
from opensirt.radioembolisation.treatment.proposal import VialOption
from opensirt.radioembolisation.treatment.vials import vial_options
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.limits import DoseRule, Role, rules_for
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.nuclides import DoseConstant
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.products import Product, product_named
from opensirt.vocabulary.provenance import Constant, Mark
from opensirt.vocabulary.volumes import DoseMap, Occupancy
from opensirt.workflow.names import structure_label
from opensirt.workflow.options import PlanOptions
from opensirt.workflow.workup import Workup

CROSSING_RELATIVE = 0.3
"""Standard uncertainty of dose that crosses between territories: contours of 1 mm against a mean path of 2.5 mm."""
ASSUMED_CALIBRATION = Constant(
    "plan.calibration",
    0.05,
    "1",
    "assumed: standard uncertainty of an activity meter for Y-90 or Ho-166; no source gives a general one",
    0.0,
    Mark.ASSUMED,
)
_STATED = {
    "tumour": StructureKind.TUMOUR,
    "normal_liver": StructureKind.NORMAL_LIVER,
    "lungs": StructureKind.LUNGS,
    "perfused_normal_liver": StructureKind.PERFUSED_NORMAL_LIVER,
    "perfused_volume": StructureKind.TERRITORY,
}


@attrs.frozen(eq=False)
class Planned:
    """Everything the plan document is written from.

    ``influences`` holds every model by name, the one planned with first; ``per_gbq`` the voxel doses of the chosen engine on recovered
    counts, and ``engine_doses`` those of every engine on the image as seen.
    """

    workup: Workup
    product: Product
    constant: DoseConstant
    masses: Masses
    residual_fraction: Measured
    treatment_at: datetime
    influences: Mapping[str, Influence]
    engine_doses: Mapping[str, Mapping[str, EngineDose]]
    problem: PlanProblem
    delivery: DeliveryErrors
    plan: Plan
    dose: DoseMap
    regions: tuple[tuple[str, Occupancy], ...]
    vials: tuple[VialOption, ...]
    rules: tuple[DoseRule, ...]
    findings: tuple[Finding, ...]
    focus_mm: tuple[float, float, float]
    counts_left_out: float
    counts_used: float


def _regions(workup: Workup) -> tuple[tuple[str, Occupancy], ...]:
    """Occupancies by the keys of the influence: whole and perfused normal liver, tumours, perfused volumes, lungs, organs."""
    image = workup.scene.image
    tumours = (
        np.minimum(np.sum([t.fraction for t in image.tumours], axis=0, dtype=np.float32), np.float32(1.0))
        if image.tumours
        else np.float32(0.0)
    )
    normal = np.maximum(image.liver.fraction - tumours, np.float32(0.0))
    rows = [("normal_liver", Occupancy(normal, image.liver.grid, Structure(StructureKind.NORMAL_LIVER)))]
    for t in image.territories:
        perfused = Structure(StructureKind.PERFUSED_NORMAL_LIVER, t.structure.label)
        rows.append((f"normal_liver.{t.structure.label}", Occupancy(np.minimum(normal, t.fraction), t.grid, perfused)))
    rows += [(t.structure.key, t) for t in image.tumours]
    rows += [(t.structure.key, attrs.evolve(t, fraction=np.minimum(t.fraction, image.liver.fraction))) for t in image.territories]
    rows += [(lung.structure.key, lung) for lung in image.lungs]
    rows += [(organ.structure.key, organ) for organ in image.extrahepatic]
    fed = {f"territory.{c.territory}" for c in workup.uptake.compartments if c.territory}
    known = {c.key for c in workup.uptake.compartments} | {"normal_liver"} | fed
    return tuple((key, region) for key, region in rows if key in known)


def _stated_rules(options: PlanOptions) -> tuple[DoseRule, ...]:
    rules = []
    for stated in options.rules:
        if stated.structure not in _STATED:
            raise UnsupportedInput(f"a rule on {stated.structure!r}", "", offer(stated.structure, _STATED))
        if not 0.0 < stated.value_gy < float("inf"):
            raise InvalidValue(f"a {stated.role} of {stated.value_gy} Gy", stated.structure, "give a dose above 0")
        source = f"stated by the user: {stated.reason}" if stated.reason else "stated by the user, without a reason"
        rules.append(
            DoseRule(
                f"{stated.structure}, stated", Role(stated.role), _STATED[stated.structure], stated.value_gy, source, Mark.ASSUMED
            )
        )
    return tuple(rules)


def _rules(options: PlanOptions) -> tuple[tuple[DoseRule, ...], tuple[Finding, ...]]:
    patient = options.patient
    published = rules_for(
        options.product,
        options.indication,
        options.setting,
        reserve=patient.known_reserve,
        earlier=patient.earlier,
        site=options.site_limits,
    )
    stated = _stated_rules(options)
    replaced = {(rule.role, rule.volume) for rule in stated}
    kept = tuple(rule for rule in published.rules if (rule.role, rule.volume) not in replaced)
    findings = list(published.findings)
    for rule in published.rules:
        if (rule.role, rule.volume) in replaced:
            message = f"the published {rule.role.value} of {rule.value_gy:g} Gy on {rule.name} is replaced by one that was stated · its reason stands beside it"
            findings.append(Finding("limits.replaced", Severity.WARNING, message, source=rule.source))
    if (Role.TARGET, StructureKind.TUMOUR) in replaced:
        findings = [finding for finding in findings if finding.code != "limits.no_target"]
    return (*kept, *stated), tuple(findings)


def _engine_influence(
    name: str,
    doses: Mapping[str, EngineDose],
    base: Influence,
    seen: Influence,
    regions: tuple[tuple[str, Occupancy], ...],
    workup: Workup,
) -> Influence:
    """Means of an engine on the image as seen; uncertainty as of the recovered model, and what the blur takes away as a source of its own."""
    density = workup.scene.image.density
    rows: dict[str, dict[str, Measured]] = {}
    for key, region in regions:
        rows[key] = {}
        for territory, result in doses.items():
            value = mean_gy(result.dose, density, region)
            true = base.gy_per_gbq[key][territory]
            relative = {source: u / true.value for source, u in true.contributions.items()} if true.value > 0.0 else {}
            blur = seen.gy_per_gbq[key][territory].value - true.value
            measured = Measured(value, {source: value * r for source, r in relative.items()})
            own = result.relative_lung_uncertainty if key == "lungs" else result.relative_kernel_uncertainty
            rows[key][territory] = measured.with_contribution("partial_volume", blur).with_contribution("transport", value * own)
    return Influence(name, engine_named(name.removeprefix("voxel ")).version, rows)


def _with_blur(seen: Influence, true: Influence) -> Influence:
    """The image as seen, with the budget of the recovered model and what the blur takes away as a source of its own."""
    rows: dict[str, dict[str, Measured]] = {}
    for key, row in seen.gy_per_gbq.items():
        rows[key] = {}
        for territory, value in row.items():
            other = true.gy_per_gbq[key][territory]
            relative = {source: u / other.value for source, u in other.contributions.items()} if other.value > 0.0 else {}
            moved = Measured(value.value, {source: value.value * r for source, r in relative.items()})
            rows[key][territory] = moved.with_contribution("partial_volume", value.value - other.value)
    return attrs.evolve(seen, gy_per_gbq=rows)


def checked(options: PlanOptions) -> tuple[Product, DoseConstant, tuple[DoseRule, ...], tuple[Finding, ...]]:
    """Product, dose constant, rules and their findings; what cannot be meant is refused here, before anything long begins.

    Raises
    ------
    UnsupportedInput
        For an intent, product, engine, dose constant or structure that is not known.
    InvalidValue
        For a dose, activity or residual that cannot be.
    """
    if options.intent not in INTENTS:
        raise UnsupportedInput(f"no intent is called {options.intent!r}", "", offer(options.intent, INTENTS))
    for territory, activity_gbq in options.activities_gbq.items():
        if not 0.0 <= activity_gbq < float("inf"):
            raise InvalidValue(f"an activity of {activity_gbq} GBq for {territory}", "", "give a finite amount of 0 or more")
    if options.residual_fraction is not None and not 0.0 <= options.residual_fraction < 1.0:
        raise InvalidValue(
            f"a residual of {options.residual_fraction}", "the share that stays in vial and tubing", "give 0 or more and below 1"
        )
    engine_named(options.engine)
    product = product_named(options.product)
    return product, product.nuclide.dose_constant(options.dose_constant), *_rules(options)


def compute_plan(workup: Workup, options: PlanOptions, at: datetime, report: Callable[[float], None]) -> Planned:
    """Influence by every model, activities, vials and the planned dose.

    Parameters
    ----------
    workup : Workup
        What the work-up found.
    options : PlanOptions
        Product, intent, rules, engine.
    at : datetime
        Instant of administration.
    report : callable
        Takes progress from 0 to 1.

    Raises
    ------
    PlanInfeasible
        If goals are in conflict.
    """
    product, constant, rules, findings = checked(options)
    image, uptake = workup.scene.image, workup.uptake
    masses = Masses(SOFT_TISSUE, workup.scene.lungs_mass.kg, constant)
    base = count_partition_influence(uptake, masses, recovered=True)
    seen = count_partition_influence(uptake, masses, recovered=False)
    regions = _regions(workup)
    sharp = unit_activity(image, uptake, uptake.recovered_counts, product.nuclide, at)
    plain = unit_activity(image, uptake, image.counts.counts, product.nuclide, at)
    lungs = {name: lung_dose_per_gbq(sharp, image.density, constant, name) for name in COMPARED}
    report(0.1)
    local = doses_per_gbq(sharp, image.density, constant, "local", silent, lungs=lungs["local"])
    chosen = (
        local
        if options.engine == "local"
        else doses_per_gbq(
            sharp, image.density, constant, options.engine, lambda x: report(0.1 + 0.2 * x), lungs=lungs[options.engine]
        )
    )
    engine_doses = {
        name: doses_per_gbq(plain, image.density, constant, name, lambda x, n=n: report(0.3 + 0.2 * (n + x)), lungs=lungs[name])  # type: ignore[misc]
        for n, name in enumerate(COMPARED)
    }
    factors = transport_factors(chosen, local, image.density, regions)
    known = {key for key, _ in regions}
    groups = {key: keys for key, keys in liver_groups(uptake).items() if key in known}
    fine = fine_transport(image, uptake, base, groups, product.nuclide.name)
    spread = options.engine != "local"
    if spread:
        factors |= {key: dict(row) for key, row in fine.factors.items()}
    first = next(iter(chosen.values()))
    lung_share = sum(c.share.value for c in uptake.of_kind(StructureKind.LUNGS))
    relative = {key: transport_relative(key, factors[key], first, lung_share_fraction=lung_share) for key, _ in regions}
    headline = scaled(base, f"recovered counts, {options.engine}", factors, relative)
    if spread:
        headline = with_crossing(headline, fine.crossing_gy_per_gbq, CROSSING_RELATIVE)
    seen = _with_blur(seen, base)
    influences = {headline.model: headline, base.model: base, seen.model: seen, partition.NAME: partition_influence(uptake, masses)}
    for name, doses in engine_doses.items():
        influences[f"voxel {name}"] = _engine_influence(f"voxel {name}", doses, base, seen, regions, workup)
    delivery = _delivery(product, options)
    influences = {name: with_delivery(influence, delivery) for name, influence in influences.items()}
    headline = influences[headline.model]
    fed = {t: tuple(c.key for c in uptake.of_kind(StructureKind.TUMOUR) if c.territory == t) for t in territories_of(uptake)}
    problem = PlanProblem(headline, rules, fed)
    plan = given(problem, options.activities_gbq) if options.intent == "given" else optimise(problem, options.intent)
    activities = {territory: activity.value for territory, activity in plan.activities_gbq.items()}
    dose = combined(chosen, activities)
    vials = _vials(product, activities, at, options)
    report(1.0)
    return Planned(
        workup, product, constant, masses, residual_in_force(product, options), at, influences, engine_doses, problem, delivery, plan, dose, regions, vials, rules,
        (*findings, *_delivery_findings(options), *_scout_findings(headline, plan), *_map_findings(dose, headline, plan, regions, workup), *_plan_findings(plan, fed), *_extent_findings(workup, activities, options), *unapplied_findings(plan), *first.beyond.findings()), _focus(workup), sharp.counts_left_out, sharp.counts_used,
    )  # fmt: skip


def residual_in_force(product: Product, options: PlanOptions) -> Measured:
    """The residual as stated (exact), or the product's published one with its spread."""
    published = product.residual_fraction
    if options.residual_fraction is not None:
        return Measured(options.residual_fraction)
    return Measured(published.value, {"residual": published.standard_uncertainty})


def _delivery(product: Product, options: PlanOptions) -> DeliveryErrors:
    """Calibration as stated or assumed; the residual's spread where nobody stated the residual."""
    calibration = ASSUMED_CALIBRATION.value if options.calibration_fraction is None else options.calibration_fraction
    return DeliveryErrors(calibration, residual_in_force(product, options).standard_uncertainty)


def _delivery_findings(options: PlanOptions) -> tuple[Finding, ...]:
    if options.calibration_fraction is not None:
        return ()
    message = (
        f"the uncertainty of the activity meter was not stated; {ASSUMED_CALIBRATION.value:.0%} is assumed · it moves every dose alike; one assay read "
        "26 % above a vial's label (Selwyn et al. 2008) · state the department's own (--calibration)"
    )
    return (Finding("plan.calibration_assumed", Severity.NOTE, message, source=ASSUMED_CALIBRATION.source),)


def _vials(product: Product, activities: Mapping[str, float], at: datetime, options: PlanOptions) -> tuple[VialOption, ...]:
    if product.supply is None:  # drawn from, or made to order: the order says what is needed
        return ()
    local = product if options.calendar is None else at_site(product, options.calendar)
    options_found: list[VialOption] = []
    for territory, activity in activities.items():
        if activity > 0.0:
            options_found += vial_options(local, territory, activity, at, residual_fraction=options.residual_fraction)
    return tuple(options_found)


_PARTIAL_SETTINGS = ("segmentectomy", "lobectomy", "unilobar")
_WHOLE_FRACTION = 0.98


def _extent_findings(workup: Workup, activities: Mapping[str, float], options: PlanOptions) -> tuple[Finding, ...]:
    """A setting for part of the liver does not hold where all of it is treated: its limits are laxer."""
    if not options.setting.startswith(_PARTIAL_SETTINGS):
        return ()
    pieces = [c for c in workup.uptake.compartments if c.kind in (StructureKind.TUMOUR, StructureKind.NORMAL_LIVER)]
    treated = sum(c.volume_ml.value for c in pieces if activities.get(c.territory, 0.0) > 0.0)
    share = treated / sum(c.volume_ml.value for c in pieces)
    if share < _WHOLE_FRACTION:
        return ()
    message = (
        f"the setting {options.setting!r} is for part of the liver, and this plan treats {share:.0%} of it · its limits may be too high here · state "
        "'bilobar', or plan one injection alone"
    )
    return (Finding("plan.setting_contradicts_extent", Severity.CRITICAL, message, "normal_liver"),)


def _plan_findings(plan: Plan, fed: Mapping[str, tuple[str, ...]]) -> tuple[Finding, ...]:
    findings = []
    for territory, tumours in fed.items():
        if not tumours:
            message = f"territory {territory!r} feeds no tumour and gets no activity · leave it out, or draw its lesions"
            findings.append(Finding("plan.territory_without_tumour", Severity.WARNING, message, territory))
    for outcome in plan.outcomes:
        low_target = outcome.rule.role is Role.TARGET and outcome.dose.value < outcome.rule.value_gy
        over_limit = outcome.rule.role is Role.LIMIT and outcome.dose.value > outcome.rule.value_gy * (1.0 + 1e-6)
        if low_target or over_limit:
            word = "stays below the target" if low_target else "exceeds the limit"
            message = f"{structure_label(outcome.structure)}: mean dose {outcome.dose.value:.0f} Gy {word} of {outcome.rule.value_gy:g} Gy ({outcome.rule.name}) · decide with the evidence beside it"
            severity = Severity.WARNING if low_target else Severity.CRITICAL
            findings.append(
                Finding(
                    "plan.target_missed" if low_target else "plan.limit_exceeded",
                    severity,
                    message,
                    outcome.structure,
                    outcome.rule.source,
                )
            )
    return tuple(findings)


def _scout_findings(headline: Influence, plan: Plan) -> tuple[Finding, ...]:
    """What no interval of this plan holds, and what would be given outside the liver."""
    message = (
        "intervals hold how well the scout image was measured, not how well a scout predicts where the treatment goes: lesion doses predicted by MAA and "
        "found after Ho-166 treatment differed by −164 to +197 Gy (95 % limits of agreement, 71 lesions) · verify after treatment"
    )
    findings = [Finding("plan.prediction_not_in_intervals", Severity.WARNING, message, source="Smits et al. 2020")]
    activities = {territory: activity.value for territory, activity in plan.activities_gbq.items()}
    for key in headline.structures():
        if key.startswith("extrahepatic."):
            dose = total_dose(headline, key, activities)
            if dose.value > dose.standard_uncertainty and dose.value > 1.0:
                message = f"this plan would give {dose.value:.0f} Gy to {key.partition('.')[2]} · find and close the vessel that feeds it before treatment"
                findings.append(Finding("plan.extrahepatic_dose", Severity.CRITICAL, message, key))
    return tuple(findings)


MAP_AGREES_WITHIN_FRACTION = 0.05
"""The dose map's mean of a structure may differ from the compartment model's by this much before it is pointed out."""


def _map_findings(
    dose: DoseMap, headline: Influence, plan: Plan, regions: tuple[tuple[str, Occupancy], ...], workup: Workup
) -> tuple[Finding, ...]:
    """Structures whose mean on the dose map (pictures, DVH, RTDOSE) differs from the number that is planned with."""
    activities = {territory: activity.value for territory, activity in plan.activities_gbq.items()}
    apart = []
    for key, region in regions:
        told = total_dose(headline, key, activities).value if key in headline.gy_per_gbq else 0.0
        shown = mean_gy(dose, workup.scene.image.density, region)
        if told > 0.0 and abs(shown / told - 1.0) > MAP_AGREES_WITHIN_FRACTION:
            apart.append(f"{structure_label(key)} {shown:.1f} Gy on the map, {told:.1f} Gy planned with")
    if not apart:
        return ()
    message = (
        f"{'; '.join(apart)} · the map (pictures, DVH, RTDOSE) lays activity out voxel by voxel on the working grid, whose rim voxels are shared with "
        "other tissue; the planned number rests on compartments and, for lung, on the CT's mass · read means from the table, shapes from the map"
    )
    return (Finding("dose.map_differs", Severity.NOTE, message),)


def _focus(workup: Workup) -> tuple[float, float, float]:
    """Centre of the largest tumour, or of the liver: where the pictures are cut."""
    image = workup.scene.image
    regions = sorted(image.tumours, key=lambda t: -t.volume_ml) or [image.liver]
    index = np.argwhere(regions[0].fraction >= 0.5)
    x, y, z = image.counts.grid.lps_mm(index.mean(axis=0))
    return float(x), float(y), float(z)

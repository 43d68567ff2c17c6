"""From a computed plan to the document a person reads: every number with formula, inputs, constants and sources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from opensirt.imaging.resample import RESAMPLE_VERSION
from opensirt.radioembolisation.dosimetry.dvh import dvh
from opensirt.radioembolisation.dosimetry.influence import INFLUENCE_VERSION, Influence, total_dose
from opensirt.radioembolisation.dosimetry.models import count_partition, mono, partition
from opensirt.radioembolisation.dosimetry.planned_means import delivered_with
from opensirt.radioembolisation.dosimetry.voxel import VOXEL_DOSE_VERSION, combined
from opensirt.radioembolisation.planning.optimise import PLANNING_VERSION
from opensirt.radioembolisation.transport.point_kernels import KERNEL_DATA_VERSION
from opensirt.radioembolisation.transport.voxel_kernel import VOXEL_KERNEL_VERSION
from opensirt.radioembolisation.treatment.proposal import (
    SCHEMA,
    VERSION,
    ComparisonRow,
    DvhCurve,
    InjectionProposal,
    LimitCheck,
    PlanProposal,
    StructureSummary,
)
from opensirt.vocabulary.limits import LIMITS_VERSION, SETTINGS
from opensirt.vocabulary.measured import Z_90, propagate
from opensirt.vocabulary.products import PRODUCTS_VERSION
from opensirt.vocabulary.provenance import Constant, Input, ReportedNumber
from opensirt.vocabulary.volumes import DoseMap, Occupancy
from opensirt.workflow.names import structure_label
from opensirt.workflow.options import PlanOptions
from opensirt.workflow.plan_computation import Planned
from opensirt.workflow.plan_supplement import Supplement, headline_budgets
from opensirt.workflow.study import input_hashes
from opensirt.workflow.workup import Workup, describe_grid, ledger_lines, parameters_of

_INTENT_WORDS = {
    "up-to-limits": "The largest common tumour dose that every limit allows: an upper bound that the limits set, not a target.",
    "reach-target": "The least activity at which every fed tumour reaches its target within the limits.",
    "given": "Activities stated by a person, evaluated against limits and targets.",
}
_FORMULAS = {
    "count partition, recovered": (count_partition.FORMULA, "count partition on recovered counts", count_partition.SOURCES),
    "count partition": (count_partition.FORMULA, "count partition on counts as seen", count_partition.SOURCES),
    partition.NAME: (partition.FORMULA, "partition per territory on recovered counts", partition.SOURCES),
    "voxel local": ("D_v = K · A_v / (ρ_v · V)", "local deposition on counts as seen", ("EANM SOP, Chiesa et al. 2021",)),
    "voxel kernel": (
        "D = A ⊗ S / (ρ · V)",
        "voxel kernel of soft tissue on counts as seen",
        ("EGSnrc point kernels of this project",),
    ),
    "voxel kernel-density": (
        "D = (A/ρ) ⊗ S, water-equivalent at edges",
        "density-corrected kernel on counts as seen",
        ("EGSnrc point kernels of this project",),
    ),
}
_CURVE_POINTS = 160
_VERSIONS = (
    ("point kernels", KERNEL_DATA_VERSION),
    ("voxel kernels", VOXEL_KERNEL_VERSION),
    ("voxel dose", VOXEL_DOSE_VERSION),
    ("dose per GBq", INFLUENCE_VERSION),
    ("resampling of images", RESAMPLE_VERSION),
    ("products", PRODUCTS_VERSION),
    ("limits", LIMITS_VERSION),
)
_NOTES = {
    "count partition": "reads the blurred image: small lesions lose counts to their surroundings",
    "voxel local": "blurred image, no transport: like count partition as seen, voxel by voxel",
    "voxel kernel": "blurred image, beta transport added to the camera's blur; uniform soft tissue, wrong in lung",
    "voxel kernel-density": "blurred image, beta transport with density",
    partition.NAME: "all tumours of a territory are one compartment, so each gets their mean",
    "count partition, recovered": "blur undone by compartment, energy absorbed where emitted",
}


def _model_formula(model: str) -> tuple[str, str, tuple[str, ...]]:
    if model in _FORMULAS:
        return _FORMULAS[model]
    engine = model.rpartition(", ")[2]
    return (
        "D_s = Σ_j A_j · K · f_sj / m_s · (transport factor of s)",
        f"count partition on recovered counts with the transport factor of engine {engine} (its mean over local deposition on recovered voxels)",
        (*count_partition.SOURCES, "Rousset 1998", "EGSnrc point kernels of this project"),
    )


def _dose_number(key: str, structure: str, influence: Influence, planned: Planned) -> ReportedNumber:
    activities = {t: a.value for t, a in planned.plan.activities_gbq.items()}
    formula, method, sources = _model_formula(influence.model)
    inputs = []
    for territory, activity in activities.items():
        inputs.append(Input(f"A, {territory}", f"{activity:.4g}", "GBq", "this plan"))
        inputs.append(
            Input(
                f"dose per GBq, {territory}", f"{influence.gy_per_gbq[structure][territory].value:.5g}", "Gy/GBq", influence.model
            )
        )
    constants = (
        [planned.constant.gy_kg_per_gbq, *planned.workup.scene.lungs_mass.constants]
        if structure == "lungs"
        else [planned.constant.gy_kg_per_gbq]
    )
    hashes = tuple(
        digest for role, digest in input_hashes(planned.workup.scene.study.index) if role in ("ct", "emission", structure, "liver")
    )
    return ReportedNumber(
        key, f"Mean dose, {structure_label(structure)}, {influence.model}", total_dose(influence, structure, activities), "Gy", formula, method, influence.version,
        tuple(inputs), tuple(constants), sources=sources, input_sha256=hashes,
    )  # fmt: skip


def _mono_numbers(planned: Planned) -> list[ReportedNumber]:
    """Mean of each perfused volume by the MIRD mono-compartment model, for the planned activity."""
    numbers = []
    lsf = planned.workup.lung_shunt
    masses = planned.masses
    for perfusion in planned.workup.perfusions:
        activity = planned.plan.activities_gbq[perfusion.territory].value

        def dose(volume: float, rho: float, shunt: float, k: float, activity: float = activity) -> float:
            return k * activity * (1.0 - shunt) / (volume * rho)

        value = delivered_with(
            propagate(dose, volume=perfusion.volume_ml, rho=masses.kg_per_ml, shunt=lsf, k=masses.gy_kg_per_gbq), planned.delivery
        )
        inputs = (
            Input("A delivered", f"{activity:.4g}", "GBq", "this plan"),
            Input("V", f"{perfusion.volume_ml.value:.1f}", "mL", "territory contour"),
            Input("L", f"{100 * lsf.value:.2f}", "%", "SPECT/CT"),
        )
        numbers.append(
            ReportedNumber(
                f"dose.territory.{perfusion.territory}.mono",
                f"Mean dose, perfused volume {perfusion.territory}, {mono.NAME}",
                value,
                "Gy",
                "D = K · A_delivered · (1 − L) / m,  m = V · ρ",
                mono.NAME,
                mono.VERSION,
                inputs,
                (planned.constant.gy_kg_per_gbq, masses.liver_density),
                sources=mono.SOURCES,
            )  # fmt: skip
        )
    return numbers


def _activity_numbers(planned: Planned) -> list[ReportedNumber]:
    numbers = []
    binding = [o for o in planned.plan.outcomes if o.binding]
    inputs = tuple(Input(f"limit that binds: {o.rule.name}", f"{o.rule.value_gy:g}", "Gy", o.rule.source) for o in binding)
    for territory, activity in planned.plan.activities_gbq.items():
        numbers.append(
            ReportedNumber(
                f"activity.{territory}",
                f"Activity to deliver, {territory}",
                activity,
                "GBq",
                "maximise the least tumour mean over injections, subject to Σ_j A_j · d_sj ≤ limit_s"
                if planned.plan.intent == "up-to-limits"
                else planned.plan.intent,
                "linear programme (HiGHS)",
                PLANNING_VERSION,
                inputs,
            )  # fmt: skip
        )
    return numbers


def _curve(name: str, dose: DoseMap, key: str, region: Occupancy, relative: float) -> DvhCurve:
    """A DVH with its band: the whole dose scaled by the relative uncertainty of the mean (log-normal, 90 %)."""
    whole = dvh(dose, region)
    factor = float(np.exp(Z_90 * np.sqrt(np.log1p(relative**2))))
    doses = np.linspace(0.0, whole.maximum_gy * factor, _CURVE_POINTS)
    fraction, lower, upper = (tuple(whole.v(float(d) * scale) for d in doses) for scale in (1.0, factor, 1.0 / factor))
    return DvhCurve(key, name, tuple(float(d) for d in doses), fraction, lower, upper)


def _curves(planned: Planned) -> tuple[DvhCurve, ...]:
    activities = {t: a.value for t, a in planned.plan.activities_gbq.items()}
    headline = next(iter(planned.influences.values()))
    curves = []
    maps = {headline.model: planned.dose} | {
        f"voxel {name}": combined(doses, activities) for name, doses in planned.engine_doses.items()
    }
    for name, dose in maps.items():
        influence = planned.influences[name]
        for key, region in planned.regions:
            relative = total_dose(influence, key, activities).relative_uncertainty
            if key in influence.gy_per_gbq and np.isfinite(relative) and region.volume_ml > 0.0:
                curves.append(_curve(name, dose, key, region, relative))
    return tuple(curves)


def _comparison(planned: Planned) -> tuple[tuple[ComparisonRow, ...], list[ReportedNumber]]:
    rows: list[ComparisonRow] = []
    numbers: list[ReportedNumber] = []
    for model, influence in planned.influences.items():
        for key, _ in planned.regions:
            if key not in influence.gy_per_gbq:
                rows.append(ComparisonRow(key, model, "", "–"))
                continue
            number_key = f"dose.{key}.{model.replace(' ', '_')}"
            numbers.append(_dose_number(number_key, key, influence, planned))
            rows.append(ComparisonRow(key, model, number_key, _NOTES.get(model, "")))
    for perfusion in planned.workup.perfusions:
        rows.append(ComparisonRow(f"territory.{perfusion.territory}", mono.NAME, f"dose.territory.{perfusion.territory}.mono"))
    return tuple(rows), numbers


def _structures(workup: Workup) -> tuple[StructureSummary, ...]:
    known = {number.key for number in workup.numbers}
    hashes = dict(input_hashes(workup.scene.study.index))
    rows = []
    for mask, origin in workup.scene.masks:
        key = mask.structure.key
        if mask.structure.kind.value == "body":
            continue
        volume = f"volume.{key}" if f"volume.{key}" in known else f"workup.perfused_volume.{mask.structure.label}"
        rows.append(StructureSummary(key, structure_label(key), origin, volume, f"mass.{key}", hashes.get(key, mask.sha256)))
    derived = [
        key for key in ("normal_liver", *(f"normal_liver.{p.territory}" for p in workup.perfusions)) if f"volume.{key}" in known
    ]
    rows += [StructureSummary(key, structure_label(key), "set algebra", f"volume.{key}", f"mass.{key}", "") for key in derived]
    unique = {row.key: row for row in reversed(rows)}
    return tuple(unique[key] for key in dict.fromkeys(row.key for row in rows))


def _parameters(options: PlanOptions, planned: Planned, workup: Workup) -> tuple[tuple[str, str], ...]:
    """Every setting with the value that was in force; what nobody stated is shown as resolved."""
    residual = planned.product.residual_fraction
    spacing = " × ".join(f"{s:.4g}" for s in workup.scene.grid.spacing_mm)
    resolved = {
        "treatment_at": planned.treatment_at.isoformat(),
        "setting": options.setting or f"{SETTINGS[options.product][0]} (assumed, not stated)",
        "dose_constant": planned.constant.name,
        "residual_fraction": f"{residual.value:g} ({residual.source})"
        if options.residual_fraction is None
        else f"{options.residual_fraction:g}",
        "workup.spacing_mm": spacing,
    }
    rows = tuple((name, resolved.get(name, value)) for name, value in parameters_of(options))
    stated = tuple(row for row in rows if row[1] not in ("[]", "{}", "None", "null", ""))
    return (*stated, *((f"version, {name}", version) for name, version in _VERSIONS))


@dataclass(frozen=True)
class Stamp:
    """Which case a document belongs to, which program wrote it, and when."""

    case_id: str
    synthetic: bool
    program_version: str
    created_at: datetime


def assemble(stamp: Stamp, workup: Workup, planned: Planned, options: PlanOptions, beside: Supplement) -> PlanProposal:
    """The plan document.

    Parameters
    ----------
    stamp : Stamp
        For the record.
    workup, planned
        What was computed.
    options : PlanOptions
        What was asked.
    beside : Supplement
        What stands beside the doses, and the findings of planning.
    """
    comparison, doses = _comparison(planned)
    headline = next(iter(planned.influences))
    keys = {row.structure: row.number_key for row in comparison if row.model == headline}
    checks = tuple(
        LimitCheck(
            o.rule.name,
            o.rule.role.value,
            o.structure,
            o.rule.value_gy,
            keys.get(o.structure, ""),
            o.binding,
            o.probability_exceeded,
            o.rule.source,
            o.rule.mark.value,
        )
        for o in planned.plan.outcomes
    )
    injections = tuple(
        InjectionProposal(
            p.territory,
            f"activity.{p.territory}",
            tuple(structure_label(t) for t in p.tumours),
            f"workup.perfused_volume.{p.territory}",
            f"workup.tumour_to_normal.{p.territory}",
        )
        for p in workup.perfusions
    )
    ledger = workup.ledger.entry(
        "recovered counts to injections", planned.counts_used + planned.counts_left_out, planned.counts_used, planned.counts_left_out,
        note="left out: lung and organs (laid out by their shares) and what lies further than 20 mm from the liver",
    )  # fmt: skip
    constant: Constant = planned.constant.gy_kg_per_gbq
    numbers = (*_activity_numbers(planned), *workup.numbers, *doses, *_mono_numbers(planned), *beside.numbers)
    return PlanProposal(
        schema=SCHEMA,
        version=VERSION,
        program_version=stamp.program_version,
        created_at=stamp.created_at,
        case_id=stamp.case_id,
        synthetic=stamp.synthetic,
        product=planned.product.name,
        nuclide=planned.product.nuclide.name,
        indication=options.indication,
        setting=f"setting {options.setting}" if options.setting else "setting not stated",
        dose_constant=f"{constant.value:.4g} Gy·kg/GBq ({constant.source}), half-life {planned.product.nuclide.half_life_h.value:g} h",
        engine=headline,
        treatment_at=planned.treatment_at,
        working_grid=describe_grid(workup.scene.grid),
        intent=_INTENT_WORDS[options.intent],
        numbers=numbers,
        structures=_structures(workup),
        injections=injections,
        comparison=comparison,
        limits=checks,
        vials=planned.vials,
        dvh=_curves(planned),
        ledger=ledger_lines(ledger),
        findings=tuple(dict.fromkeys((*beside.findings, *workup.findings))),
        faults=workup.scene.study.index.faults,
        input_sha256=input_hashes(workup.scene.study.index),
        parameters=_parameters(options, planned, workup),
        tables=beside.tables,
        budgets=(*headline_budgets(numbers, headline), *beside.budgets),
    )

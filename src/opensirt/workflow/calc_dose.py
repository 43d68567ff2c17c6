"""Formulas of dose for ``calc``: mono-compartment, partition, count partition, forward and inverse."""

from __future__ import annotations

from opensirt.radioembolisation.dosimetry.models import count_partition, mono, partition
from opensirt.radioembolisation.dosimetry.models.validity import uptake_findings
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.provenance import Constant, ReportedNumber
from opensirt.vocabulary.units import GBQ_PER_MILLICURIE
from opensirt.workflow.calc_fields import Field, Kind, Values, read_fields
from opensirt.workflow.calc_model import (
    ACTIVITY_RANGE_GBQ,
    DOSE_CONSTANT,
    LUNG_MASS,
    LUNG_SHUNT,
    MASS_RANGE_KG,
    NUCLIDE,
    RESIDUAL,
    CalcModel,
    Method,
    Outcome,
    constant_measured,
    dose_constant,
    inputs_of,
    lung_findings,
    lung_mass,
    mass_from,
    own_source,
    require_density_used,
)

_PERFUSED = (
    Field("perfused_mass_kg", Kind.POSITIVE, "mass of the perfused volume; or give its volume", None, None, MASS_RANGE_KG),
    Field("perfused_volume_ml", Kind.POSITIVE, "perfused volume; or give its mass", 1000.0, None, (1.0, 5000.0)),
    Field("density_g_per_ml", Kind.POSITIVE, "density that turns volumes into masses", 1.03, None, (0.9, 1.2)),
)
MIRD_ACTIVITY_FIELDS = (
    NUCLIDE,
    DOSE_CONSTANT,
    Field("dose_gy", Kind.POSITIVE, "mean dose of the perfused volume", 100.0, plausible=(1.0, 1500.0)),
    *_PERFUSED,
    LUNG_SHUNT,
    RESIDUAL,
    LUNG_MASS,
)
MIRD_DOSE_FIELDS = (
    NUCLIDE,
    DOSE_CONSTANT,
    Field("dispensed_gbq", Kind.NOT_NEGATIVE, "activity dispensed, residual included", 2.3, plausible=ACTIVITY_RANGE_GBQ),
    *_PERFUSED,
    LUNG_SHUNT,
    RESIDUAL,
    LUNG_MASS,
)
_PARTITION = (
    Field("tumour_mass_kg", Kind.NOT_NEGATIVE, "mass of the perfused tumours; or give their volume", 0.3, None, MASS_RANGE_KG),
    Field("tumour_volume_ml", Kind.NOT_NEGATIVE, "volume of the perfused tumours; or give their mass", None, None, (0.5, 5000.0)),
    Field("normal_mass_kg", Kind.NOT_NEGATIVE, "mass of the perfused normal liver; or give its volume", 1.5, None, (0.0, 5.0)),
    Field(
        "normal_volume_ml", Kind.NOT_NEGATIVE, "volume of the perfused normal liver; or give its mass", None, None, (0.0, 5000.0)
    ),
    Field("density_g_per_ml", Kind.POSITIVE, "density that turns volumes into masses", None, None, (0.9, 1.2)),
    Field("tumour_to_normal", Kind.POSITIVE, "ratio of concentrations; not needed without normal liver", 5.0, None, (0.2, 50.0)),
    LUNG_SHUNT,
    LUNG_MASS,
)
PARTITION_DOSE_FIELDS = (
    NUCLIDE,
    DOSE_CONSTANT,
    Field("delivered_gbq", Kind.NOT_NEGATIVE, "activity delivered to the patient", 2.0, plausible=ACTIVITY_RANGE_GBQ),
    *_PARTITION,
)
PARTITION_ACTIVITY_FIELDS = (
    NUCLIDE,
    DOSE_CONSTANT,
    Field("tumour_target_gy", Kind.POSITIVE, "mean tumour dose to reach", 150.0, None, (1.0, 1500.0)),
    Field("normal_limit_gy", Kind.POSITIVE, "dose of perfused normal liver not to be exceeded", 40.0, None, (1.0, 200.0)),
    Field("lung_limit_gy", Kind.POSITIVE, "lung dose not to be exceeded", 30.0, None, (1.0, 50.0)),
    *_PARTITION,
)
COUNT_PARTITION_FIELDS = (
    NUCLIDE,
    DOSE_CONSTANT,
    Field(
        "injections",
        Kind.OBJECTS,
        "per injection: delivered_gbq, lung_shunt_fraction, counts by compartment",
        {
            "right": {"delivered_gbq": 1.5, "lung_shunt_fraction": 0.05, "counts": {"tumour.T1": 400, "normal_liver": 600}},
            "left": {"delivered_gbq": 0.8, "lung_shunt_fraction": 0.03, "counts": {"tumour.T2": 250, "normal_liver": 500}},
        },
    ),
    Field(
        "mass_kg",
        Kind.BY_NAME,
        "mass by compartment; 'lungs' for lung dose",
        {"tumour.T1": 0.12, "tumour.T2": 0.05, "normal_liver": 1.4, "lungs": 1.0},
    ),
)
INJECTION_FIELDS = (
    Field("delivered_gbq", Kind.NOT_NEGATIVE, "activity delivered", 1.5, plausible=ACTIVITY_RANGE_GBQ),
    LUNG_SHUNT,
    Field("counts", Kind.BY_NAME, "counts by compartment", {"tumour.T1": 400}),
)


def _activity_facts(gbq: float) -> dict[str, float]:
    return {"dispensed_mci": gbq / GBQ_PER_MILLICURIE}


def _mird_activity(values: Values) -> Outcome:
    constant = dose_constant(values)
    require_density_used(values, "perfused_volume_ml")
    mass, mass_constants = mass_from(values, "perfused_mass_kg", "perfused_volume_ml")
    lungs, lung_constants, findings = lung_mass(values)
    inputs = {
        "d": values.measured("dose_gy"),
        "m": mass,
        "shunt": values.measured("lung_shunt_fraction"),
        "r": values.measured("residual_fraction"),
        "k": constant_measured(constant),
    }

    def delivered(d: float, m: float, shunt: float, k: float, r: float) -> float:
        return mono.activity_gbq(mono.MonoInputs(m, shunt, r), d, k) * (1.0 - r)

    def dispensed(d: float, m: float, shunt: float, k: float, r: float) -> float:
        return mono.activity_gbq(mono.MonoInputs(m, shunt, r), d, k)

    def lung(lung_kg: float, **rest: float) -> float:
        return mono.lung_dose_gy(delivered(**rest), rest["shunt"], lung_kg, rest["k"])

    method = Method(
        mono.NAME,
        mono.VERSION,
        "A_delivered = D · m / (K · (1 − L));  A_dispensed = A_delivered / (1 − R);  D_lung = K · A_delivered · L / m_lung",
        mono.SOURCES,
        (constant.gy_kg_per_gbq, *mass_constants, *lung_constants),
        inputs_of(values, MIRD_ACTIVITY_FIELDS),
    )
    lung_gy = propagate(lung, lung_kg=lungs, **inputs)
    to_dispense = propagate(dispensed, **inputs)
    numbers = (
        method.number("delivered_gbq", "activity to deliver", propagate(delivered, **inputs), "GBq"),
        method.number("dispensed_gbq", "activity to dispense", to_dispense, "GBq"),
        method.number("lung_dose_gy", "mean lung dose", lung_gy, "Gy"),
        method.number(
            "energy_j", "energy absorbed in the perfused volume", propagate(lambda d, m: d * m, d=inputs["d"], m=mass), "J"
        ),
    )
    return Outcome(numbers, _activity_facts(to_dispense.value), (*findings, *lung_findings(lung_gy)))


def _mird_dose(values: Values) -> Outcome:
    constant = dose_constant(values)
    require_density_used(values, "perfused_volume_ml")
    mass, mass_constants = mass_from(values, "perfused_mass_kg", "perfused_volume_ml")
    lungs, lung_constants, findings = lung_mass(values)
    inputs = {
        "a": values.measured("dispensed_gbq"),
        "shunt": values.measured("lung_shunt_fraction"),
        "r": values.measured("residual_fraction"),
        "k": constant_measured(constant),
    }

    def perfused(a: float, m: float, shunt: float, r: float, k: float) -> float:
        return mono.dose_gy(mono.MonoInputs(m, shunt, r), a, k)

    def lung(a: float, lung_kg: float, shunt: float, r: float, k: float) -> float:
        return mono.lung_dose_gy(a * (1.0 - r), shunt, lung_kg, k)

    method = Method(
        mono.NAME,
        mono.VERSION,
        f"{mono.FORMULA};  D_lung = K · A · (1 − R) · L / m_lung",
        mono.SOURCES,
        (constant.gy_kg_per_gbq, *mass_constants, *lung_constants),
        inputs_of(values, MIRD_DOSE_FIELDS),
    )
    lung_gy = propagate(lung, lung_kg=lungs, **inputs)
    numbers = (
        method.number("dose_gy", "mean dose of the perfused volume", propagate(perfused, m=mass, **inputs), "Gy"),
        method.number("lung_dose_gy", "mean lung dose", lung_gy, "Gy"),
        method.number(
            "delivered_gbq", "activity delivered", propagate(lambda a, r: a * (1.0 - r), a=inputs["a"], r=inputs["r"]), "GBq"
        ),
    )
    return Outcome(numbers, findings=(*findings, *lung_findings(lung_gy)))


def _partition_inputs(values: Values) -> tuple[dict[str, Measured], tuple[Constant, ...], tuple[Finding, ...]]:
    require_density_used(values, "tumour_volume_ml", "normal_volume_ml")
    tumour, tumour_constants = mass_from(values, "tumour_mass_kg", "tumour_volume_ml")
    normal, normal_constants = mass_from(values, "normal_mass_kg", "normal_volume_ml")
    lungs, lung_constants, findings = lung_mass(values)
    if not values.has("tumour_to_normal") and normal.value > 0.0:
        raise InvalidValue(
            "tumour_to_normal is missing",
            "normal liver is perfused",
            "state the ratio of concentrations; where normal liver took up nothing the ratio is infinite: state normal_mass_kg 0, and the tumour holds all",
        )
    ratio = values.measured("tumour_to_normal") if values.has("tumour_to_normal") else Measured(1.0)
    inputs = {"mt": tumour, "mn": normal, "tn": ratio, "shunt": values.measured("lung_shunt_fraction"), "ml": lungs}
    constants = tuple(dict.fromkeys((*tumour_constants, *normal_constants, *lung_constants)))
    return inputs, constants, (*findings, *uptake_findings(ratio, normal))


def _as_inputs(mt: float, mn: float, tn: float, shunt: float, ml: float) -> partition.PartitionInputs:
    return partition.PartitionInputs(mt, mn, tn, shunt, ml)


def _partition_dose(values: Values) -> Outcome:
    constant = dose_constant(values)
    inputs, constants, findings = _partition_inputs(values)
    known = inputs | {"a": values.measured("delivered_gbq"), "k": constant_measured(constant)}

    def ask(pick: str) -> Measured:
        def one(a: float, k: float, **rest: float) -> float:
            return float(getattr(partition.doses(_as_inputs(**rest), a, k), pick))

        return propagate(one, **known)

    method = Method(
        partition.NAME,
        partition.VERSION,
        f"{partition.FORMULA};  D_lung = K · A · L / m_lung",
        partition.SOURCES,
        (constant.gy_kg_per_gbq, *constants),
        inputs_of(values, PARTITION_DOSE_FIELDS),
    )
    labels = {
        "tumour_gy": ("tumour_dose_gy", "mean tumour dose", "Gy"),
        "normal_gy": ("normal_dose_gy", "mean dose of perfused normal liver", "Gy"),
        "lung_gy": ("lung_dose_gy", "mean lung dose", "Gy"),
        "tumour_gbq": ("tumour_gbq", "activity in tumour", "GBq"),
        "normal_gbq": ("normal_gbq", "activity in normal liver", "GBq"),
        "lung_gbq": ("lung_gbq", "activity in the lungs", "GBq"),
    }
    numbers = tuple(method.number(key, label, ask(pick), unit) for pick, (key, label, unit) in labels.items())
    lung = next(n.measured for n in numbers if n.key == "lung_dose_gy")
    return Outcome(numbers, findings=(*findings, *lung_findings(lung)))


_GOALS = {
    "tumour_target_gy": ("target_activity_gbq", "activity that reaches the tumour target", partition.activity_for_tumour_gbq),
    "normal_limit_gy": ("normal_limit_activity_gbq", "activity at the limit on normal liver", partition.activity_for_normal_gbq),
    "lung_limit_gy": ("lung_limit_activity_gbq", "activity at the lung limit", partition.activity_for_lung_gbq),
}


def _partition_activity(values: Values) -> Outcome:
    constant = dose_constant(values)
    inputs, constants, findings = _partition_inputs(values)
    method = Method(
        partition.NAME,
        partition.VERSION,
        "A = D_T · (TN · m_T + m_N) / (TN · K · (1 − L));  A = D_N · (TN · m_T + m_N) / (K · (1 − L));  A = D_L · m_L / (K · L)",
        partition.SOURCES,
        (constant.gy_kg_per_gbq, *constants),
        inputs_of(values, PARTITION_ACTIVITY_FIELDS),
    )
    if not any(values.has(goal) for goal in _GOALS):
        raise InvalidValue("no goal", "an activity follows from a target or a limit", f"state one of {', '.join(_GOALS)}")
    numbers: dict[str, ReportedNumber] = {}
    notes: list[Finding] = []
    for goal, (key, label, solve) in _GOALS.items():
        if not values.has(goal):
            continue
        known = inputs | {"dose": values.measured(goal), "k": constant_measured(constant)}
        if goal == "lung_limit_gy" and inputs["shunt"].value == 0.0:
            message = "without a lung shunt the lung limit sets no bound on the activity"
            notes.append(Finding("plan.lung_limit_open", Severity.NOTE, message, "lungs"))
            continue
        if goal == "normal_limit_gy" and inputs["mn"].value == 0.0:
            message = "no normal liver is perfused; its limit sets no bound on the activity"
            notes.append(Finding("plan.normal_limit_open", Severity.NOTE, message, "normal_liver"))
            continue
        numbers[goal] = method.number(
            key, label, propagate(lambda dose, k, solve=solve, **rest: solve(_as_inputs(**rest), dose, k), **known), "GBq"
        )
    facts, judged = _binding(numbers)
    return Outcome(tuple(numbers.values()), facts, (*findings, *notes, *judged))


def _binding(numbers: dict[str, ReportedNumber]) -> tuple[dict[str, object], tuple[Finding, ...]]:
    bounds = {goal: number.measured.value for goal, number in numbers.items() if goal != "tumour_target_gy"}
    if not bounds:
        return {}, ()
    binding = min(bounds, key=lambda goal: bounds[goal])
    facts: dict[str, object] = {"largest_allowed_gbq": bounds[binding], "binding_limit": binding}
    target = numbers.get("tumour_target_gy")
    if target is None or target.measured.value <= bounds[binding]:
        return facts, ()
    message = f"the tumour target needs {target.measured.value:.3f} GBq, {binding} allows {bounds[binding]:.3f} GBq · both cannot be met · lower the target, or accept another limit with a reason"
    return facts, (Finding("plan.goals_in_conflict", Severity.CRITICAL, message, binding),)


def _count_partition(values: Values) -> Outcome:
    constant = dose_constant(values)
    mass = values.by_name("mass_kg")
    read = {name: read_fields(INJECTION_FIELDS, given, f"injection {name}") for name, given in values.objects("injections").items()}
    known: dict[str, Measured] = {"k": constant_measured(constant)}
    for n, (name, (one, _)) in enumerate(read.items()):
        known[f"a{n}"] = own_source(one.measured("delivered_gbq"), "delivered_gbq", name)
        known[f"l{n}"] = own_source(one.measured("lung_shunt_fraction"), "lung_shunt_fraction", name)

    def injections(at: dict[str, float]) -> dict[str, count_partition.InjectionCounts]:
        return {
            name: count_partition.InjectionCounts(one.by_name("counts"), at[f"l{n}"])
            for n, (name, (one, _)) in enumerate(read.items())
        }

    def delivered(at: dict[str, float]) -> dict[str, float]:
        return {name: at[f"a{n}"] for n, name in enumerate(read)}

    def doses(**at: float) -> dict[str, float]:
        return count_partition.doses_gy(injections(at), delivered(at), mass, at["k"])

    def held(**at: float) -> dict[str, float]:
        return count_partition.activities_gbq(injections(at), delivered(at))

    method = Method(
        count_partition.NAME,
        count_partition.VERSION,
        count_partition.FORMULA,
        count_partition.SOURCES,
        (constant.gy_kg_per_gbq,),
        inputs_of(values, COUNT_PARTITION_FIELDS),
    )
    centre = {name: m.value for name, m in known.items()}
    numbers = tuple(
        method.number(f"{name}.dose_gy", f"mean dose, {name}", propagate(lambda name=name, **at: doses(**at)[name], **known), "Gy")
        for name in mass
    ) + tuple(
        method.number(f"{name}.gbq", f"activity, {name}", propagate(lambda name=name, **at: held(**at)[name], **known), "GBq")
        for name in held(**centre)
    )
    findings = [finding for _, notes in read.values() for finding in notes]
    unweighed = [name for name, gbq in held(**centre).items() if name not in mass and gbq > 0.0]
    if unweighed:
        message = f"no mass is stated for {', '.join(unweighed)}: activity but no dose is reported there · state the mass"
        findings.append(Finding("dose.compartment_without_mass", Severity.WARNING, message))
    lung = next((n.measured for n in numbers if n.key == "lungs.dose_gy"), None)
    return Outcome(numbers, findings=(*findings, *(lung_findings(lung) if lung else ())))


DOSE_MODELS = (
    CalcModel(
        "mird-activity",
        "activity for a mean dose of the perfused volume (MIRD mono-compartment)",
        MIRD_ACTIVITY_FIELDS,
        _mird_activity,
    ),
    CalcModel("mird-dose", "mean dose of the perfused volume (MIRD mono-compartment)", MIRD_DOSE_FIELDS, _mird_dose),
    CalcModel(
        "partition-dose", "doses of tumour, normal liver and lungs (partition model)", PARTITION_DOSE_FIELDS, _partition_dose
    ),
    CalcModel(
        "partition-activity",
        "activity for a tumour target and limits, and which binds (partition model)",
        PARTITION_ACTIVITY_FIELDS,
        _partition_activity,
    ),
    CalcModel("count-partition", "doses of several compartments over several injections", COUNT_PARTITION_FIELDS, _count_partition),
)

"""Compartment models for ``calc``: predictive partition, multi-compartment, holmium with scout; forward and inverse."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from opensirt.radioembolisation.dosimetry.models import count_partition, ho166_scout, multi_compartment, predictive_partition
from opensirt.radioembolisation.dosimetry.models.count_partition import InjectionCounts
from opensirt.radioembolisation.dosimetry.models.multi_compartment import CompartmentGoal
from opensirt.radioembolisation.dosimetry.models.validity import uptake_findings
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.nuclides import HO166, nuclide_named
from opensirt.vocabulary.provenance import Constant, ReportedNumber
from opensirt.workflow.calc_fields import Field, Kind, Values, read_fields
from opensirt.workflow.calc_model import (
    ACTIVITY_RANGE_GBQ,
    DOSE_CONSTANT,
    LUNG_MASS,
    LUNG_SHUNT,
    MASS_RANGE_KG,
    NUCLIDE,
    CalcModel,
    Method,
    Outcome,
    constant_measured,
    dose_constant,
    inputs_of,
    lung_findings,
    lung_mass,
    mass_from,
    one_of,
    own_source,
    require_density_used,
)

_ARTERY = (
    Field(
        "tumour_mass_kg", Kind.POSITIVE, "mass of the tumours that the artery feeds; or give their volume", 0.3, None, MASS_RANGE_KG
    ),
    Field("tumour_volume_ml", Kind.POSITIVE, "volume of these tumours; or give their mass", None, None, (0.5, 5000.0)),
    Field(
        "normal_mass_kg",
        Kind.NOT_NEGATIVE,
        "mass of the normal liver that the artery feeds; or give its volume",
        1.5,
        None,
        (0.0, 5.0),
    ),
    Field("normal_volume_ml", Kind.NOT_NEGATIVE, "volume of this normal liver; or give its mass", None, None, (0.0, 5000.0)),
    Field("density_g_per_ml", Kind.POSITIVE, "density that turns volumes into masses", None, None, (0.9, 1.2)),
    Field(
        "activity_ratio", Kind.POSITIVE, "R, activity in tumour over activity in normal liver; or give tumour_to_normal", 1.0, None
    ),
    Field("tumour_to_normal", Kind.POSITIVE, "ratio of concentrations, from which R follows", None, None, (0.2, 50.0)),
    Field(
        "artery_shunt_fraction",
        Kind.FRACTION,
        "TLSF, activity in the lungs over activity in lungs and tumour; or give lung_shunt_fraction",
        0.1,
        None,
        (0.0, 0.6),
    ),
    Field("lung_shunt_fraction", Kind.FRACTION, "lung shunt fraction, from which TLSF follows", None, None, (0.0, 0.4)),
    LUNG_MASS,
)
_KAO_CONSTANT = Field(
    "dose_constant", Kind.CONSTANT, "dose constant, Gy·kg/GBq; 50 for Y-90 where not stated, as published", "50", None
)
PREDICTIVE_DOSE_FIELDS = (
    NUCLIDE,
    _KAO_CONSTANT,
    Field("delivered_gbq", Kind.NOT_NEGATIVE, "activity delivered through the artery", 2.0, plausible=ACTIVITY_RANGE_GBQ),
    *_ARTERY,
)
PREDICTIVE_ACTIVITY_FIELDS = (
    NUCLIDE,
    _KAO_CONSTANT,
    Field("tumour_dose_gy", Kind.POSITIVE, "mean tumour dose to reach", 120.0, plausible=(1.0, 1500.0)),
    *_ARTERY,
)
MULTI_FIELDS = (
    NUCLIDE,
    DOSE_CONSTANT,
    Field(
        "injections",
        Kind.OBJECTS,
        "per injection: counts by compartment, lung_shunt_fraction, and either goal_compartment with goal_gy or delivered_gbq",
        {
            "right": {
                "goal_compartment": "tumour.T1",
                "goal_gy": 150.0,
                "lung_shunt_fraction": 0.05,
                "counts": {"tumour.T1": 400, "normal_liver": 600},
            },
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
MULTI_INJECTION_FIELDS = (
    Field("goal_compartment", Kind.TEXT, "compartment that this injection's activity is to bring to goal_gy", None, None),
    Field("goal_gy", Kind.POSITIVE, "its mean dose from all injections together", None, None, (1.0, 1500.0)),
    Field("delivered_gbq", Kind.NOT_NEGATIVE, "activity, where it is given already", None, None, ACTIVITY_RANGE_GBQ),
    LUNG_SHUNT,
    Field("counts", Kind.BY_NAME, "counts by compartment", {"tumour.T1": 400}),
)
_SCOUT = (
    Field("nuclide", Kind.TEXT, "Ho-166: the model is holmium's alone", "Ho-166", "Ho-166"),
    Field("dose_constant", Kind.CONSTANT, "dose constant of Ho-166, Gy·kg/GBq; 15.87 where not stated", "15.87", None),
    Field(
        "treated_mass_kg",
        Kind.POSITIVE,
        "mass of the treated volume with its tumours; or give its volume",
        1.8,
        None,
        MASS_RANGE_KG,
    ),
    Field("treated_volume_ml", Kind.POSITIVE, "treated volume with its tumours; or give its mass", None, None, (1.0, 5000.0)),
    Field("density_g_per_ml", Kind.POSITIVE, "density that turns volumes into masses", None, None, (0.9, 1.2)),
    Field(
        "scout_gbq",
        Kind.NOT_NEGATIVE,
        "activity of the holmium scout at its administration; 0 after MAA",
        0.25,
        plausible=(0.0, 1.0),
    ),
    Field("lung_shunt_fraction", Kind.FRACTION, "lung shunt fraction; 0 where not stated, as published", 0.02, None, (0.0, 0.4)),
    LUNG_MASS,
)
SCOUT_DOSE_FIELDS = (
    Field(
        "delivered_gbq", Kind.NOT_NEGATIVE, "therapeutic activity delivered, without the scout", 6.5, plausible=ACTIVITY_RANGE_GBQ
    ),
    *_SCOUT,
)
SCOUT_ACTIVITY_FIELDS = (
    Field("dose_gy", Kind.POSITIVE, "mean dose of the treated volume, the scout's dose in it", 60.0, plausible=(1.0, 300.0)),
    *_SCOUT,
)


Predict = Callable[[predictive_partition.PredictiveInputs, float, float], predictive_partition.PredictiveDoses]


def _artery(values: Values) -> tuple[dict[str, Measured], tuple[Constant, ...], tuple[Finding, ...]]:
    require_density_used(values, "tumour_volume_ml", "normal_volume_ml")
    tumour, tumour_constants = mass_from(values, "tumour_mass_kg", "tumour_volume_ml")
    normal, normal_constants = mass_from(values, "normal_mass_kg", "normal_volume_ml")
    lungs, lung_constants, findings = lung_mass(values)
    inputs = {"mt": tumour, "mn": normal, "ml": lungs}
    shunt_key = one_of(values, "artery_shunt_fraction", "lung_shunt_fraction")
    inputs["t" if shunt_key == "artery_shunt_fraction" else "l"] = values.measured(shunt_key)
    if normal.value > 0.0:
        ratio_key = one_of(values, "activity_ratio", "tumour_to_normal")
        inputs["r" if ratio_key == "activity_ratio" else "tn"] = values.measured(ratio_key)
        ratio = values.measured(ratio_key)
        tn = ratio if ratio_key == "tumour_to_normal" else propagate(lambda r, mt, mn: r * mn / mt, r=ratio, mt=tumour, mn=normal)
        findings = (*findings, *uptake_findings(tn, normal))
    else:
        findings = (*findings, *uptake_findings(Measured(1.0), normal))
    return inputs, tuple(dict.fromkeys((*tumour_constants, *normal_constants, *lung_constants))), findings


def _predictive_inputs(given: Mapping[str, float]) -> predictive_partition.PredictiveInputs:
    mt, mn = given["mt"], given["mn"]
    ratio = given.get("r", given.get("tn", 1.0) * mt / mn if mn > 0.0 else 1.0)
    share = ratio / (1.0 + ratio) if mn > 0.0 else 1.0
    artery = given["t"] if "t" in given else predictive_partition.artery_shunt_from(share, given["l"])
    return predictive_partition.PredictiveInputs(mt, mn, ratio, artery, given["ml"])


_PREDICTED = {
    "tumour_gy": ("tumour_dose_gy", "mean tumour dose", "Gy"),
    "normal_gy": ("normal_dose_gy", "mean dose of the artery's normal liver", "Gy"),
    "lung_gy": ("lung_dose_gy", "mean lung dose", "Gy"),
    "tumour_gbq": ("tumour_gbq", "activity in tumour", "GBq"),
    "normal_gbq": ("normal_gbq", "activity in normal liver", "GBq"),
    "lung_gbq": ("lung_gbq", "activity in the lungs", "GBq"),
}


def _predictive(values: Values, asked: Field, fields: tuple[Field, ...], predict: Predict) -> Outcome:
    nuclide = nuclide_named(values.text("nuclide"))
    stated = values.stated("dose_constant")
    published = nuclide.dose_constant(predictive_partition.PUBLISHED_CONSTANTS.get(nuclide.name, ""))
    constant = dose_constant(values) if stated else published
    inputs, constants, findings = _artery(values)
    known = inputs | {"asked": values.measured(asked.key), "k": constant_measured(constant)}
    method = Method(
        predictive_partition.NAME,
        predictive_partition.VERSION,
        predictive_partition.FORMULA,
        predictive_partition.SOURCES,
        (constant.gy_kg_per_gbq, *constants),
        inputs_of(values, fields),
    )

    def ask(pick: str) -> Measured:
        def one(asked: float, k: float, **rest: float) -> float:
            return float(getattr(predict(_predictive_inputs(rest), asked, k), pick))

        return propagate(one, **known)

    numbers = tuple(method.number(key, label, ask(pick), unit) for pick, (key, label, unit) in _PREDICTED.items())
    delivered = method.number("delivered_gbq", "activity to deliver through the artery", ask("delivered_gbq"), "GBq")
    first = (delivered, *numbers) if asked.key == "tumour_dose_gy" else (*numbers, delivered)
    lung = next(n.measured for n in numbers if n.key == "lung_dose_gy")
    return Outcome(first, findings=(*findings, *lung_findings(lung)))


def _predictive_dose(values: Values) -> Outcome:
    return _predictive(values, PREDICTIVE_DOSE_FIELDS[2], PREDICTIVE_DOSE_FIELDS, predictive_partition.for_activity)


def _predictive_activity(values: Values) -> Outcome:
    return _predictive(values, PREDICTIVE_ACTIVITY_FIELDS[2], PREDICTIVE_ACTIVITY_FIELDS, predictive_partition.for_tumour_dose)


def _multi(values: Values) -> Outcome:
    constant = dose_constant(values)
    mass = values.by_name("mass_kg")
    read = {
        name: read_fields(MULTI_INJECTION_FIELDS, given, f"injection {name}")
        for name, given in values.objects("injections").items()
    }
    known: dict[str, Measured] = {"k": constant_measured(constant)}
    for n, (name, (one, _)) in enumerate(read.items()):
        if one.has("goal_compartment") != one.has("goal_gy"):
            raise InvalidValue(f"injection {name}: goal_compartment and goal_gy", "a goal has both", "state both or neither")
        key = one_of(one, "goal_gy", "delivered_gbq")
        known[f"given{n}"] = own_source(one.measured(key), key, name)
        known[f"shunt{n}"] = own_source(one.measured("lung_shunt_fraction"), "lung_shunt_fraction", name)

    def solve(at: Mapping[str, float]) -> tuple[dict[str, InjectionCounts], dict[str, float]]:
        counts = {name: InjectionCounts(one.by_name("counts"), at[f"shunt{n}"]) for n, (name, (one, _)) in enumerate(read.items())}
        goals = {
            name: CompartmentGoal(one.text("goal_compartment"), at[f"given{n}"])
            for n, (name, (one, _)) in enumerate(read.items())
            if one.has("goal_gy")
        }
        given = {name: at[f"given{n}"] for n, (name, (one, _)) in enumerate(read.items()) if one.has("delivered_gbq")}
        found = multi_compartment.activities_for_gbq(counts, goals, given, mass_kg=mass, gy_kg_per_gbq=at["k"])
        return counts, {name: (found | given)[name] for name in counts}

    def activity(name: str, **at: float) -> float:
        return solve(at)[1][name]

    def dose(name: str, **at: float) -> float:
        counts, delivered = solve(at)
        return count_partition.doses_gy(counts, delivered, mass, at["k"])[name]

    method = Method(
        multi_compartment.NAME,
        multi_compartment.VERSION,
        f"{count_partition.FORMULA}, solved for A_j",
        count_partition.SOURCES,
        (constant.gy_kg_per_gbq,),
        inputs_of(values, MULTI_FIELDS),
    )
    numbers: list[ReportedNumber] = [
        method.number(
            f"{name}.delivered_gbq",
            f"activity to deliver, {name}",
            propagate(lambda name=name, **at: activity(name, **at), **known),
            "GBq",
        )
        for name in read
    ]
    numbers += [
        method.number(f"{name}.dose_gy", f"mean dose, {name}", propagate(lambda name=name, **at: dose(name, **at), **known), "Gy")
        for name in mass
    ]
    findings = [finding for _, notes in read.values() for finding in notes]
    lung = next((n.measured for n in numbers if n.key == "lungs.dose_gy"), None)
    return Outcome(tuple(numbers), findings=(*findings, *(lung_findings(lung) if lung else ())))


def _scout_known(values: Values) -> tuple[dict[str, Measured], tuple[Constant, ...], tuple[Finding, ...]]:
    if values.text("nuclide") != HO166.name:
        raise InvalidValue(
            f"nuclide {values.text('nuclide')}", "the scout model is holmium's alone", "use mird-activity, or leave it out"
        )
    constant = dose_constant(values)
    require_density_used(values, "treated_volume_ml")
    mass, mass_constants = mass_from(values, "treated_mass_kg", "treated_volume_ml")
    lungs, lung_constants, findings = lung_mass(values)
    shunt = values.measured("lung_shunt_fraction") if values.has("lung_shunt_fraction") else Measured(0.0)
    known = {
        "m": mass,
        "shunt": shunt,
        "scout": values.measured("scout_gbq"),
        "lungs": lungs,
        "k": constant_measured(constant),
    }
    judged = ho166_scout.scout_findings(known["scout"])
    return known, (constant.gy_kg_per_gbq, *mass_constants, *lung_constants), (*findings, *judged)


def _scout_inputs(given: Mapping[str, float]) -> ho166_scout.ScoutInputs:
    return ho166_scout.ScoutInputs(given["m"], given["shunt"], given["scout"], given["lungs"])


def _scout_method(constants: tuple[Constant, ...], values: Values, fields: tuple[Field, ...]) -> Method:
    return Method(
        ho166_scout.NAME, ho166_scout.VERSION, ho166_scout.FORMULA, ho166_scout.SOURCES, constants, inputs_of(values, fields)
    )


def _scout_dose(values: Values) -> Outcome:
    known, constants, findings = _scout_known(values)
    method = _scout_method(constants, values, SCOUT_DOSE_FIELDS)
    therapy = {"a": values.measured("delivered_gbq")} | known
    dose = propagate(lambda a, k, **rest: ho166_scout.dose_gy(_scout_inputs(rest), a, k), **therapy)
    lung = propagate(lambda a, k, **rest: ho166_scout.lung_dose_gy(_scout_inputs(rest), a, k), **therapy)
    scout = propagate(lambda k, **rest: ho166_scout.dose_gy(_scout_inputs(rest), 0.0, k), **known)
    numbers = (
        method.number("dose_gy", "mean dose of the treated volume, scout in it", dose, "Gy"),
        method.number("scout_dose_gy", "part of it that the scout gave", scout, "Gy"),
        method.number("lung_dose_gy", "mean lung dose, scout in it", lung, "Gy"),
    )
    return Outcome(numbers, findings=(*findings, *lung_findings(lung)))


def _scout_activity(values: Values) -> Outcome:
    known, constants, findings = _scout_known(values)
    method = _scout_method(constants, values, SCOUT_ACTIVITY_FIELDS)
    goal = {"d": values.measured("dose_gy")} | known

    def therapy(d: float, k: float, **rest: float) -> float:
        return ho166_scout.activity_gbq(_scout_inputs(rest), d, k)

    activity = propagate(therapy, **goal)
    total = propagate(lambda d, k, **rest: therapy(d, k, **rest) + rest["scout"], **goal)
    lung = propagate(lambda d, k, **rest: ho166_scout.lung_dose_gy(_scout_inputs(rest), therapy(d, k, **rest), k), **goal)
    scout = propagate(lambda k, **rest: ho166_scout.dose_gy(_scout_inputs(rest), 0.0, k), **known)
    numbers = (
        method.number("delivered_gbq", "therapeutic activity to deliver", activity, "GBq"),
        method.number("total_gbq", "therapy and scout together", total, "GBq"),
        method.number("scout_dose_gy", "dose that the scout gave to the treated volume", scout, "Gy"),
        method.number("lung_dose_gy", "mean lung dose, scout in it", lung, "Gy"),
    )
    return Outcome(numbers, findings=(*findings, *lung_findings(lung)))


COMPARTMENT_MODELS = (
    CalcModel(
        "predictive-partition-dose",
        "doses of one artery's territory from R and TLSF (Kao)",
        PREDICTIVE_DOSE_FIELDS,
        _predictive_dose,
    ),
    CalcModel(
        "predictive-partition-activity",
        "activity of one artery for a tumour dose from R and TLSF (Kao)",
        PREDICTIVE_ACTIVITY_FIELDS,
        _predictive_activity,
    ),
    CalcModel(
        "multi-compartment-activity",
        "activity of each injection so that a compartment reaches a dose",
        MULTI_FIELDS,
        _multi,
    ),
    CalcModel("ho166-scout-dose", "doses of Ho-166 therapy with the scout's dose added", SCOUT_DOSE_FIELDS, _scout_dose),
    CalcModel(
        "ho166-scout-activity",
        "Ho-166 activity for a mean dose with the scout's dose counted",
        SCOUT_ACTIVITY_FIELDS,
        _scout_activity,
    ),
)

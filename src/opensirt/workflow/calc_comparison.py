"""All activity models on one patient for ``calc``: activities, how far they are apart, and the reasons in order of their size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opensirt.radioembolisation.dosimetry.disagreement import (
    DISAGREEMENT_VERSION,
    SOURCES,
    Disagreement,
    ModelActivity,
    Pair,
    compare_models,
)
from opensirt.radioembolisation.dosimetry.models.catalogue import MODELS
from opensirt.radioembolisation.dosimetry.models.facts import (
    AS_PUBLISHED,
    NOT_STATED,
    CompartmentFacts,
    InjectionFacts,
    Quantity,
    Unknown,
)
from opensirt.radioembolisation.dosimetry.models.goals import DoseAim, Goal
from opensirt.radioembolisation.dosimetry.models.protocol import Prescription
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.limits import Role
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.products import product_named
from opensirt.vocabulary.provenance import Input, ReportedNumber
from opensirt.workflow.calc_fields import Field, Kind, Values, read_fields
from opensirt.workflow.calc_model import CalcModel, Method, Outcome, dose_constant_of, inputs_of

PERFUSED_ONLY = ("mird", "ho166-scout")
"""Models that know no more than the mean of the perfused volume: a target for it is theirs."""
_QUANTITIES = {
    "tumour_volume_ml": "perfused_tumour_ml",
    "normal_volume_ml": "perfused_normal_ml",
    "perfused_volume_ml": "perfused_ml",
    "liver_tumour_volume_ml": "liver_tumour_ml",
    "liver_normal_volume_ml": "liver_normal_ml",
    "tumour_to_normal": "tumour_to_normal",
    "activity_ratio": "activity_ratio",
    "lung_shunt_fraction": "lung_shunt_fraction",
    "artery_shunt_fraction": "artery_shunt_fraction",
    "lung_mass_kg": "lung_mass_kg",
    "height_cm": "height_cm",
    "weight_kg": "weight_kg",
}
_AIMS = {
    "tumour_target_gy": (StructureKind.TUMOUR, Role.TARGET, ()),
    "perfused_target_gy": (StructureKind.TERRITORY, Role.TARGET, PERFUSED_ONLY),
    "normal_limit_gy": (StructureKind.PERFUSED_NORMAL_LIVER, Role.LIMIT, ()),
    "whole_normal_limit_gy": (StructureKind.NORMAL_LIVER, Role.LIMIT, ()),
    "lung_limit_gy": (StructureKind.LUNGS, Role.LIMIT, ()),
}
COMPARISON_FIELDS = (
    Field("product", Kind.TEXT, "glass, resin or ho166", "resin"),
    Field(
        "dose_constant",
        Kind.CONSTANT,
        "one dose constant for all models, Gy·kg/GBq; each model's own where not stated",
        None,
        None,
    ),
    Field(
        "density_g_per_ml", Kind.POSITIVE, "one density for all models; each model's own where not stated", None, None, (0.9, 1.2)
    ),
    Field("tumour_volume_ml", Kind.NOT_NEGATIVE, "perfused tumour", 300.0, None, (0.0, 5000.0)),
    Field("normal_volume_ml", Kind.NOT_NEGATIVE, "perfused normal liver; 0 where none is perfused", 900.0, None, (0.0, 5000.0)),
    Field("perfused_volume_ml", Kind.POSITIVE, "both together, where the parts are not known", None, None, (1.0, 6000.0)),
    Field("liver_tumour_volume_ml", Kind.NOT_NEGATIVE, "tumour of the whole liver", 350.0, None, (0.0, 5000.0)),
    Field("liver_normal_volume_ml", Kind.NOT_NEGATIVE, "whole liver without tumour", 1500.0, None, (100.0, 8000.0)),
    Field("tumour_to_normal", Kind.POSITIVE, "ratio of concentrations", 4.0, None, (0.2, 50.0)),
    Field("activity_ratio", Kind.POSITIVE, "ratio of activities R, where measured as such", None, None),
    Field("lung_shunt_fraction", Kind.FRACTION, "lung shunt fraction", 0.06, None, (0.0, 0.4)),
    Field("artery_shunt_fraction", Kind.FRACTION, "TLSF, where measured as such", None, None, (0.0, 0.6)),
    Field("lung_mass_kg", Kind.POSITIVE, "lung mass", 1.0, None, (0.3, 2.0)),
    Field("height_cm", Kind.POSITIVE, "height", 172.0, None, (120.0, 215.0)),
    Field("weight_kg", Kind.POSITIVE, "weight", 75.0, None, (30.0, 250.0)),
    Field("residual_fraction", Kind.FRACTION, "share of the dispensed activity that stays behind", 0.02, 0.0, (0.0, 0.25)),
    Field("scout_gbq", Kind.NOT_NEGATIVE, "activity of a holmium scout; 0 after MAA", None, 0.0, (0.0, 1.0)),
    Field(
        "compartments",
        Kind.OBJECTS,
        "for the multi-compartment model: per compartment kind (tumour, perfused_normal_liver, extrahepatic), counts, volume_ml",
        {
            "T1": {"kind": "tumour", "counts": 500, "volume_ml": 300},
            "normal": {"kind": "perfused_normal_liver", "counts": 400, "volume_ml": 900},
        },
        None,
    ),
    Field("tumour_target_gy", Kind.POSITIVE, "mean tumour dose to reach", 120.0, None, (1.0, 1500.0)),
    Field(
        "perfused_target_gy",
        Kind.POSITIVE,
        "mean dose of the perfused volume, for models that know no more",
        80.0,
        None,
        (1.0, 1500.0),
    ),
    Field("normal_limit_gy", Kind.POSITIVE, "dose of perfused normal liver not to be exceeded", 40.0, None, (1.0, 200.0)),
    Field("whole_normal_limit_gy", Kind.POSITIVE, "dose of the whole normal liver not to be exceeded", None, None, (1.0, 200.0)),
    Field("lung_limit_gy", Kind.POSITIVE, "lung dose not to be exceeded", 30.0, None, (1.0, 50.0)),
    Field("reference", Kind.TEXT, "model against which all others are explained", "partition", "partition"),
)
COMPARTMENT_FIELDS = (
    Field("kind", Kind.TEXT, "tumour, perfused_normal_liver, normal_liver, extrahepatic or other", "tumour"),
    Field("counts", Kind.NOT_NEGATIVE, "counts in the scout image", 500.0),
    Field("volume_ml", Kind.POSITIVE, "volume", 300.0, plausible=(0.1, 5000.0)),
)


def _compartments(values: Values) -> tuple[Mapping[str, CompartmentFacts] | Unknown, tuple[Finding, ...]]:
    if not values.has("compartments"):
        return NOT_STATED, ()
    found: dict[str, CompartmentFacts] = {}
    findings: list[Finding] = []
    for name, given in values.objects("compartments").items():
        one, notes = read_fields(COMPARTMENT_FIELDS, given, f"compartment {name}")
        findings += notes
        kinds = {kind.value: kind for kind in StructureKind}
        if one.text("kind") not in kinds:
            raise InvalidValue(f"compartment {name} is of kind {one.text('kind')!r}", "", COMPARTMENT_FIELDS[0].about)
        found[name] = CompartmentFacts(kinds[one.text("kind")], one.measured("counts"), one.measured("volume_ml"))
    return found, tuple(findings)


def _facts(values: Values) -> tuple[InjectionFacts, tuple[Finding, ...]]:
    product = product_named(values.text("product"))
    compartments, findings = _compartments(values)
    known: dict[str, Quantity] = {
        name: values.measured(key) if values.has(key) else NOT_STATED for key, name in _QUANTITIES.items()
    }
    return (
        InjectionFacts(
            product=product,
            constant=dose_constant_of(product.nuclide, values.raw("dose_constant"))
            if values.has("dose_constant")
            else AS_PUBLISHED,
            density_g_per_ml=values.measured("density_g_per_ml") if values.has("density_g_per_ml") else AS_PUBLISHED,
            compartments=compartments,
            residual_fraction=values.measured("residual_fraction"),
            scout_gbq=values.measured("scout_gbq"),
            **known,
        ),
        findings,
    )


def _goal(values: Values) -> Goal:
    stated = [(values.measured(key), aim) for key, aim in _AIMS.items() if values.has(key)]
    return Goal(tuple(DoseAim(volume, role, dose, models) for dose, (volume, role, models) in stated))


def _number(row: ModelActivity, answer: Prescription, inputs: tuple[Input, ...]) -> ReportedNumber:
    method = Method(row.name, row.version, row.formula, row.sources, row.constants, inputs)
    return method.number(f"{row.key}.activity_gbq", f"activity to dispense, {row.name}", answer.prescribed_gbq, "GBq")


def _doses(row: ModelActivity) -> dict[str, Any]:
    if isinstance(row.doses, Unknown):
        return {"not_known": row.doses.reason}
    told = {volume.value: dose.value if isinstance(dose, Measured) else dose.reason for volume, dose in row.doses.dose_gy.items()}
    return {
        "through": row.doses.through,
        "dose_gy": told,
        "compartment_gy": {k: v.value for k, v in row.doses.compartment_gy.items()},
    }


def _explained(pair: Pair) -> dict[str, Any]:
    reasons = [{"assumption": r.assumption, "factor": r.factor, "sentence": r.sentence} for r in pair.reasons]
    return {"of": pair.second, "over": pair.first, "ratio": pair.ratio.value, "reasons": reasons}


def _facts_of(found: Disagreement, reference: str) -> dict[str, Any]:
    held = found.answered()
    pairs = {(pair.first, pair.second): pair for pair in found.pairs}
    widest = pairs.get((held[0][0], held[-1][0])) if len(held) > 1 else None
    return {
        "binding": {row.key: row.answer.binding for row in found.activities if isinstance(row.answer, Prescription)},
        "no_activity": {row.key: row.answer.reason for row in found.activities if isinstance(row.answer, Unknown)},
        "doses": {row.key: _doses(row) for row in found.activities},
        "ratios": {f"{pair.second}/{pair.first}": pair.ratio.value for pair in found.pairs},
        "widest": _explained(widest) if widest else None,
        "against_reference": [_explained(pair) for pair in found.against(reference)],
    }


def _comparison(values: Values) -> Outcome:
    reference = values.text("reference")
    if reference not in MODELS:
        raise UnsupportedInput(f"no model is called {reference!r}", "", f"choose one of {', '.join(MODELS)}")
    facts, notes = _facts(values)
    found = compare_models(facts, _goal(values))
    inputs = inputs_of(values, COMPARISON_FIELDS)
    numbers = [_number(row, row.answer, inputs) for row in found.activities if isinstance(row.answer, Prescription)]
    if not numbers:
        why = "; ".join(f"{row.key}: {row.answer.reason}" for row in found.activities if isinstance(row.answer, Unknown))
        raise InvalidValue("no model has an activity", why, "state what they miss")
    ratio = found.largest_to_smallest_ratio
    if isinstance(ratio, Measured):
        method = Method(
            "disagreement of models",
            DISAGREEMENT_VERSION,
            "A_largest / A_smallest = Π factors, each the mean over all orders of swapping one assumption",
            SOURCES,
            inputs=inputs,
        )
        numbers.append(method.number("largest_to_smallest_ratio", "largest activity over smallest", ratio, "1"))
    findings = tuple(dict.fromkeys((*notes, *(f for row in found.activities for f in row.findings), *found.findings)))
    return Outcome(tuple(numbers), _facts_of(found, reference), findings)


COMPARISON_MODELS = (
    CalcModel("model-comparison", "all activity models on one patient, and why they differ", COMPARISON_FIELDS, _comparison),
)

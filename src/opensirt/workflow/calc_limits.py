"""Limits and targets in force, lung dose over all treatments, and contraindications, for ``calc``."""

from __future__ import annotations

import math
from typing import Any

from opensirt.outcomes.liver_function import bilirubin_mg_per_dl, bilirubin_umol_per_l
from opensirt.radioembolisation.workup.eligibility import (
    CRITERIA,
    ELIGIBILITY_VERSION,
    HANDBOOK,
    VAN_ROEKEL,
    EligibilityFacts,
    Sense,
    State,
    Weight,
    eligibility,
)
from opensirt.vocabulary.dose_rules import DoseRule
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.limit_data import Role
from opensirt.vocabulary.limits import INDICATIONS, LIMITS_VERSION, LUNG_CUMULATIVE, LUNG_SINGLE, SETTINGS, rules_for
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.provenance import Constant
from opensirt.vocabulary.reserve import ALBI_GRADES, CHILD_PUGH_CLASSES, PatientReserve, require_bilirubin_units
from opensirt.workflow.calc_choices import chosen, words
from opensirt.workflow.calc_earlier import EARLIER_FIELDS, YES_NO_UNKNOWN, earlier_treatments
from opensirt.workflow.calc_fields import Field, Kind, Values
from opensirt.workflow.calc_model import CalcModel, Method, Outcome, inputs_of

_ALL_SETTINGS = "; ".join(f"{product}: {words(names)}" for product, names in SETTINGS.items())
_ASKED = words(YES_NO_UNKNOWN)
_BILIRUBIN = (
    Field("bilirubin_umol_per_l", Kind.POSITIVE, "total bilirubin, µmol/L", 15.0, None, (2.0, 1000.0)),
    Field("bilirubin_mg_per_dl", Kind.POSITIVE, "total bilirubin, mg/dL, instead of µmol/L", None, None, (0.1, 60.0)),
)
LIMITS_FIELDS = (
    Field("product", Kind.TEXT, f"product: {words(SETTINGS)}", "glass"),
    Field("indication", Kind.TEXT, f"indication: {words(INDICATIONS)}", "NET"),
    Field("setting", Kind.TEXT, f"setting; the strictest extent where left out ({_ALL_SETTINGS})", "unilobar", None),
    *_BILIRUBIN,
    Field("pretreated", Kind.TEXT, f"whether the liver was treated before: {_ASKED}", "no", "unknown"),
    Field("good_function", Kind.TEXT, f"whether a person judges the liver function good: {_ASKED}", "yes", "unknown"),
    Field("reserve_fraction", Kind.FRACTION, "share of the normal liver that the treatment spares", 0.45, None),
    Field("child_pugh", Kind.TEXT, f"Child-Pugh class: {words(CHILD_PUGH_CLASSES)}", "A", None),
    Field("albi_grade", Kind.POSITIVE, "ALBI grade: 1, 2 or 3", 1, None),
    *(Field(f.key, f.kind, f.about, None, f.default, f.plausible) for f in EARLIER_FIELDS),
)
_LUNG_GY = Field("lung_gy", Kind.NOT_NEGATIVE, "mean lung dose of this treatment, Gy", 12.0, plausible=(0.0, 50.0))
LUNG_FIELDS = (_LUNG_GY, *EARLIER_FIELDS)


def _presence(key: str, *, required: bool) -> Field:
    name = next(criterion.name for criterion in CRITERIA if criterion.key == key)
    about = f"{name}: {_ASKED}"
    return Field(key, Kind.TEXT, about, "no") if required else Field(key, Kind.TEXT, about, "no", "unknown")


_PATIENT_FILE_NAMES = {
    "leukocytes_1e9_per_l": "leukocytes_per_nl",
    "platelets_1e9_per_l": "platelets_per_nl",
    "inr_ratio": "inr",
    "ast_uln_ratio": "ast_times_uln",
    "alt_uln_ratio": "alt_times_uln",
}
"""The names that the file of facts about the patient has, and those of this formula."""
ELIGIBILITY_FIELDS = (
    _presence("portal_hypertension", required=True),
    _presence("active_hepatitis", required=True),
    _presence("gastrointestinal_deposition", required=True),
    Field("life_expectancy_months", Kind.NOT_NEGATIVE, "life expectancy, months", 24.0, None, (0.0, 600.0)),
    Field("lung_gy", Kind.NOT_NEGATIVE, _LUNG_GY.about, 12.0, None, (0.0, 50.0)),
    *_BILIRUBIN,
    Field("leukocytes_per_nl", Kind.NOT_NEGATIVE, "leukocytes, 10⁹/L, the same as 1/nL", 5.5, None, (0.1, 50.0)),
    Field("platelets_per_nl", Kind.NOT_NEGATIVE, "platelets, 10⁹/L, the same as 1/nL", 180.0, None, (5.0, 1000.0)),
    Field("gfr_ml_per_min", Kind.NOT_NEGATIVE, "glomerular filtration rate, mL/min", 80.0, None, (5.0, 200.0)),
    Field("inr", Kind.NOT_NEGATIVE, "INR", 1.0, None, (0.7, 10.0)),
    _presence("antiangiogenics", required=False),
    Field("systemic_therapy", Kind.TEXT, "never | earlier | unknown", "earlier", "unknown"),
    Field("systemic_weeks_ago", Kind.NOT_NEGATIVE, "weeks since the last systemic therapy", 9.0, None, (0.0, 520.0)),
    Field("ast_times_uln", Kind.NOT_NEGATIVE, "AST, times the upper limit of normal", 1.2, None, (0.1, 100.0)),
    Field("alt_times_uln", Kind.NOT_NEGATIVE, "ALT, times the upper limit of normal", 1.1, None, (0.1, 100.0)),
    *(
        Field(own, Kind.NOT_NEGATIVE, f"{other}, by its name in the patient's file", None, None)
        for own, other in _PATIENT_FILE_NAMES.items()
    ),
    *EARLIER_FIELDS,
)


def _stated_bilirubin(values: Values) -> float | None:
    if values.has("bilirubin_umol_per_l") and values.has("bilirubin_mg_per_dl"):
        raise InconsistentInput("bilirubin in µmol/L and in mg/dL", "one patient has one", "state one of them")
    require_bilirubin_units(*(values.number(f.key) if values.has(f.key) else None for f in _BILIRUBIN))
    if values.has("bilirubin_umol_per_l"):
        return bilirubin_mg_per_dl(values.number("bilirubin_umol_per_l"))
    return values.number("bilirubin_mg_per_dl") if values.has("bilirubin_mg_per_dl") else None


def _reserve(values: Values) -> PatientReserve:
    grade = None
    if values.has("albi_grade"):
        stated = values.number("albi_grade")
        if stated not in ALBI_GRADES:
            raise InvalidValue(f"albi_grade of {stated:g}", "a grade is 1, 2 or 3", "calc albi gives it")
        grade = int(stated)
    return PatientReserve(
        _stated_bilirubin(values),
        chosen(values, "pretreated", YES_NO_UNKNOWN),
        chosen(values, "good_function", YES_NO_UNKNOWN),
        values.number("reserve_fraction") if values.has("reserve_fraction") else None,
        values.text("child_pugh") if values.has("child_pugh") else "",
        grade,
    )


def _row(rule: DoseRule) -> dict[str, Any]:
    return {
        "key": rule.key,
        "name": rule.name,
        "role": rule.role.value,
        "volume": rule.volume.value,
        "value_gy": rule.value_gy,
        "aim_gy": list(rule.aim_gy) if rule.aim_gy else None,
        "printed": rule.printed,
        "condition": rule.condition,
        "stated_for": rule.indication,
        "source": rule.source,
        "mark": rule.mark.value,
    }


def _limits(values: Values) -> Outcome:
    setting = values.text("setting") if values.has("setting") else ""
    found = rules_for(
        values.text("product"),
        values.text("indication"),
        setting,
        reserve=_reserve(values),
        earlier=earlier_treatments(values),
    )
    numbers = []
    for role, formula in (
        (Role.LIMIT, "permitted mean dose = lowest limit that applies"),
        (Role.TARGET, "target = highest target that applies"),
    ):
        for volume in dict.fromkeys(rule.volume for rule in found.rules if rule.role is role):
            rules = [rule for rule in found.rules if rule.role is role and rule.volume is volume]
            gy = min(rule.value_gy for rule in rules) if role is Role.LIMIT else max(rule.value_gy for rule in rules)
            sources = tuple(dict.fromkeys(rule.source for rule in rules))
            constants = tuple(Constant(rule.key, rule.value_gy, "Gy", rule.source, mark=rule.mark) for rule in rules)
            method = Method(
                "cited limits and targets", LIMITS_VERSION, formula, sources, constants, inputs_of(values, LIMITS_FIELDS)
            )
            label = f"{role.value} on the mean dose, {volume.value.replace('_', ' ')}"
            numbers.append(method.number(f"{volume.value}_{role.value}_gy", label, Measured(gy), "Gy"))
    facts = {
        "setting": found.setting,
        "set_version": found.version,
        "set_date": found.date,
        "rules": [_row(rule) for rule in found.rules],
        "shown": [_row(rule) for rule in found.shown],
        "without_value": [
            {
                "key": each.key,
                "name": each.name,
                "role": each.role.value,
                "volume": each.volume.value,
                "value_gy": None,
                "why": each.why.value,
                "reason": each.reason,
                "source": each.source,
            }
            for each in found.absent
        ],
    }
    return Outcome(tuple(numbers), facts, found.findings)


def _lung_cumulative(values: Values) -> Outcome:
    now, earlier = values.measured("lung_gy"), earlier_treatments(values)
    given = earlier.lung if earlier is not None else None
    before = given.total_gy if given is not None else 0.0
    limits = tuple(Constant(rule.key, rule.value_gy, "Gy", rule.source) for rule in (LUNG_SINGLE, LUNG_CUMULATIVE))
    method = Method(
        "lung dose over all treatments",
        LIMITS_VERSION,
        "sum = dose of this treatment + doses of earlier ones; left = cumulative limit − sum",
        (LUNG_SINGLE.source,),
        limits,
        inputs_of(values, LUNG_FIELDS),
    )
    total = propagate(lambda now, before: now + before, now=now, before=Measured(before))
    left = propagate(lambda now: LUNG_CUMULATIVE.value_gy - before - now, now=now)
    numbers = (
        method.number("lung_cumulative_gy", "lung dose over all treatments", total, "Gy"),
        method.number("left_after_gy", "left of the cumulative limit after this treatment; negative where exceeded", left, "Gy"),
        method.number(
            "left_before_gy",
            "left of the cumulative limit before this treatment",
            Measured(LUNG_CUMULATIVE.value_gy - before),
            "Gy",
        ),
    )
    found = [
        Finding(
            code,
            Severity.CRITICAL,
            f"{about} {dose.value:.3g} Gy exceeds {limit.value_gy:g} Gy · radiation pneumonitis · lower the activity",
            "lungs",
            limit.source,
        )
        for code, about, dose, limit in (
            ("dose.lung_above_limit", "lung dose of this treatment", now, LUNG_SINGLE),
            ("dose.lung_above_cumulative_limit", "lung dose over all treatments", total, LUNG_CUMULATIVE),
        )
        if dose.value > limit.value_gy
    ]
    if given is None:
        message = (
            "earlier treatments are not stated: the sum is that of this treatment alone · state them, or earlier_treatment as no"
        )
        found.append(Finding("lung.earlier_not_stated", Severity.WARNING, message, "lungs"))
    elif given.unknown:
        message = (
            f"the lung dose of {', '.join(given.unknown)} is not known: the sum is the least it can be · find out what was given"
        )
        found.append(Finding("lung.earlier_not_known", Severity.CRITICAL, message, "lungs"))
    complete = given is not None and not given.unknown
    return Outcome(
        numbers, {"sum_is_complete": complete, "number_of_earlier_sessions": len(earlier.sessions) if earlier else 0}, tuple(found)
    )


def _weeks(values: Values) -> float | None:
    answer = chosen(values, "systemic_therapy", {"never": False, "earlier": True, "unknown": None})
    if values.has("systemic_weeks_ago"):
        if answer is False:
            raise InconsistentInput("systemic therapy never, and weeks since it", "", "state one or the other")
        return values.number("systemic_weeks_ago")
    return math.inf if answer is False else None


def _facts(values: Values) -> EligibilityFacts:
    def number(key: str) -> float | None:
        names = [name for name in (key, *(own for own, other in _PATIENT_FILE_NAMES.items() if other == key)) if values.has(name)]
        if len(names) > 1:
            raise InconsistentInput(" and ".join(names), "both name one fact", "state one of them")
        return values.number(names[0]) if names else None

    mg_dl = _stated_bilirubin(values)
    umol = number("bilirubin_umol_per_l")
    return EligibilityFacts(
        portal_hypertension=chosen(values, "portal_hypertension", YES_NO_UNKNOWN),
        life_expectancy_months=number("life_expectancy_months"),
        active_hepatitis=chosen(values, "active_hepatitis", YES_NO_UNKNOWN),
        gastrointestinal_deposition=chosen(values, "gastrointestinal_deposition", YES_NO_UNKNOWN),
        lung_gy=values.measured("lung_gy") if values.has("lung_gy") else None,
        earlier=earlier_treatments(values),
        bilirubin_umol_per_l=umol if umol is not None or mg_dl is None else bilirubin_umol_per_l(mg_dl),
        leukocytes_1e9_per_l=number("leukocytes_per_nl"),
        platelets_1e9_per_l=number("platelets_per_nl"),
        gfr_ml_per_min=number("gfr_ml_per_min"),
        inr_ratio=number("inr"),
        antiangiogenics=chosen(values, "antiangiogenics", YES_NO_UNKNOWN),
        systemic_weeks_ago=_weeks(values),
        ast_uln_ratio=number("ast_times_uln"),
        alt_uln_ratio=number("alt_times_uln"),
    )


def _eligibility(values: Values) -> Outcome:
    found = eligibility(_facts(values))
    constants = tuple(
        Constant(c.key, c.threshold, c.unit or "1", c.source, mark=c.mark) for c in CRITERIA if c.sense is not Sense.PRESENT
    )
    method = Method(
        "published contraindications",
        ELIGIBILITY_VERSION,
        "met = stated fact beyond its threshold",
        (VAN_ROEKEL, HANDBOOK),
        constants,
        inputs_of(values, ELIGIBILITY_FIELDS),
    )

    def count(state: State, *weights: Weight) -> Measured:
        return Measured(float(sum(row.criterion.weight in weights for row in found.of(state))))

    numbers = (
        method.number("absolute_met", "absolute contraindications met", count(State.MET, Weight.ABSOLUTE), "1"),
        method.number("relative_met", "relative contraindications met", count(State.MET, Weight.RELATIVE), "1"),
        method.number("cautions_met", "cautions met", count(State.MET, Weight.CAUTION), "1"),
        method.number("not_known", "criteria not known", count(State.NOT_KNOWN, *Weight), "1"),
    )
    rows = [
        {
            "key": row.criterion.key,
            "weight": row.criterion.weight.value,
            "criterion": row.criterion.says,
            "state": row.state.value,
            "stated": row.stated,
            "source": row.criterion.source,
        }
        for row in found.rows
    ]
    return Outcome(numbers, {"criteria": rows}, found.findings)


LIMIT_MODELS = (
    CalcModel("limits", "limits and targets in force, with sources, and what has no value", LIMITS_FIELDS, _limits),
    CalcModel("lung-cumulative", "lung dose over all treatments against its limits", LUNG_FIELDS, _lung_cumulative),
    CalcModel("eligibility", "published contraindications: met, not met, not known", ELIGIBILITY_FIELDS, _eligibility),
)

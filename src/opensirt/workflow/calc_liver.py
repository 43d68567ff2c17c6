"""Formulas of liver toxicity, function and volume for ``calc``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from opensirt.outcomes import body_surface, liver_function, liver_volume, reild, toxicity
from opensirt.outcomes.judgement import exactly
from opensirt.outcomes.liver_function import AlbiCoefficient, Ascites, ChildPughInputs, Encephalopathy
from opensirt.outcomes.liver_volume import Parenchyma, VautheyIntercept
from opensirt.outcomes.toxicity import LABS, Grade, Lab, LabReading
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import exact, propagate
from opensirt.vocabulary.provenance import Constant
from opensirt.vocabulary.units import PERCENT
from opensirt.workflow.calc_choices import by_value, chosen, told, unsettled, words
from opensirt.workflow.calc_fields import Field, Kind, Values
from opensirt.workflow.calc_model import CalcModel, Method, Outcome, inputs_of

YES_NO = {"yes": True, "no": False}
_LAB_UNITS = "; ".join(f"{key}: {' or '.join(lab.value.units)}" for key, lab in LABS.items())
CTCAE_FIELDS = (
    Field("test", Kind.TEXT, f"which test: {words(LABS)}", "bilirubin"),
    Field("value", Kind.NOT_NEGATIVE, "what was measured", 64.0),
    Field("uln", Kind.POSITIVE, "upper limit of normal of that laboratory", 21.0, None),
    Field("lln", Kind.POSITIVE, "lower limit of normal: albumin and blood counts", None, None),
    Field("baseline", Kind.POSITIVE, "the value before treatment", 30.0, None),
    Field("unit", Kind.TEXT, f"unit of all of them, the first where not stated ({_LAB_UNITS})", "umol/L", None),
    Field("anticoagulated", Kind.TEXT, "for INR: yes | no", "no", "no"),
)
_COEFFICIENTS = {"0.085": AlbiCoefficient.ROUNDED, "0.0852": AlbiCoefficient.JOHNSON}
_VARIANTS = liver_function.CHILD_PUGH_VARIANTS
_ASCITES = {"none": Ascites.NONE, "mild": Ascites.MILD_OR_CONTROLLED, "moderate-severe": Ascites.MODERATE_TO_SEVERE}
_ENCEPHALOPATHY = {"none": Encephalopathy.NONE, "1-2": Encephalopathy.GRADE_1_2, "3-4": Encephalopathy.GRADE_3_4}
_BILIRUBIN = Field("bilirubin_umol_per_l", Kind.POSITIVE, "total bilirubin, µmol/L", 20.52)
_ALBUMIN = Field("albumin_g_per_l", Kind.POSITIVE, "albumin, g/L", 35.0)
ALBI_FIELDS = (
    _BILIRUBIN,
    _ALBUMIN,
    Field("coefficient", Kind.TEXT, f"printed coefficient of albumin: {words(_COEFFICIENTS)}", "0.085", "0.085"),
)
CHILD_PUGH_FIELDS = (
    _BILIRUBIN,
    _ALBUMIN,
    Field("inr", Kind.POSITIVE, "international normalised ratio", 1.1, plausible=(0.7, 10.0)),
    Field("ascites", Kind.TEXT, f"{words(_ASCITES)} (mild: or controlled)", "none"),
    Field("encephalopathy", Kind.TEXT, f"West Haven grade: {words(_ENCEPHALOPATHY)}", "none"),
    Field("variant", Kind.TEXT, f"printed boundaries: {words(_VARIANTS)}", "si", "si"),
)
_CONVERTED = {"bilirubin": Lab.BILIRUBIN, "albumin": Lab.ALBUMIN}
UNIT_FIELDS = (
    Field("quantity", Kind.TEXT, words(_CONVERTED), "bilirubin"),
    Field("value", Kind.POSITIVE, "value in the stated unit", 1.2),
    Field("unit", Kind.TEXT, "bilirubin: umol/L | mg/dL; albumin: g/L | g/dL", "mg/dL"),
)
_ANSWERS = by_value(reild.Answer)
_TREATMENTS = by_value(reild.Treatment)
_ENZYMES = ("ast", "alt", "alp", "ggt")
_OTHERS = ("bilirubin", "albumin", "inr", "ascites")
REILD_GRADE_FIELDS = (
    Field(
        "new_grades",
        Kind.BY_NAME,
        f"worst new CTCAE grade (0 where not worse than at baseline) by test: {', '.join((*_ENZYMES, *_OTHERS))}",
        {"ast": 1, "alp": 1, "bilirubin": 2, "ascites": 2},
    ),
    Field("treatment", Kind.TEXT, f"the most that it needed: {words(_TREATMENTS)}", "non-invasive", "none"),
    Field("diagnosed", Kind.TEXT, f"whether a person found the definition of REILD met: {words(_ANSWERS)}", "yes", "unknown"),
)
_SIGNS = {
    "bilirubin_above_normal": "bilirubin above the limit of normal",
    "albumin_below_normal": "albumin below the limit of normal",
    "jaundice": "jaundice",
    "new_ascites": "new or increased ascites, clinically or on images",
    "tumour_progression": "tumour progression that explains it",
    "biliary_obstruction": "biliary obstruction",
}
REILD_FIELDS = (
    Field(
        "days_since_treatment_d",
        Kind.NOT_NEGATIVE,
        "from the last administration to the onset, days",
        45.0,
        plausible=(0.0, 3650.0),
    ),
    Field("bilirubin_umol_per_l", Kind.POSITIVE, "total bilirubin, µmol/L", 60.0),
    *(
        Field(
            key,
            Kind.TEXT,
            f"{about}: {words(_ANSWERS)}",
            "no" if key in ("tumour_progression", "biliary_obstruction") else "yes",
            "unknown",
        )
        for key, about in _SIGNS.items()
    ),
)
_SURFACE = Field("bsa_m2", Kind.POSITIVE, "body surface area, m²", 1.8, plausible=(1.0, 3.0))
_PARENCHYMA = {"normal": Parenchyma.NORMAL, "chemotherapy": Parenchyma.CHEMOTHERAPY, "fibrosis": Parenchyma.FIBROSIS}
BODY_FIELDS = (
    Field("height_cm", Kind.POSITIVE, "height, cm", 175.0, plausible=(120.0, 220.0)),
    Field("weight_kg", Kind.POSITIVE, "weight, kg", 70.0, plausible=(30.0, 250.0)),
)
STANDARD_FIELDS = (_SURFACE,)
REMNANT_FIELDS = (
    _SURFACE,
    Field("remnant_ml", Kind.POSITIVE, "liver that remains or is spared, without tumour, mL", 450.0, plausible=(50.0, 3000.0)),
    Field("total_ml", Kind.POSITIVE, "measured liver with tumour, mL", None, None, (500.0, 6000.0)),
    Field("tumour_ml", Kind.NOT_NEGATIVE, "tumour in the liver, mL; needed with total_ml", None, None, (0.0, 4000.0)),
    Field("parenchyma", Kind.TEXT, f"the liver outside of the tumour: {words(_PARENCHYMA)}", "chemotherapy", None),
)
HYPERTROPHY_FIELDS = (
    Field("before_ml", Kind.POSITIVE, "untreated part before, without tumour, mL", 400.0, plausible=(50.0, 3000.0)),
    Field("after_ml", Kind.NOT_NEGATIVE, "the same part after, mL", 500.0, plausible=(50.0, 3000.0)),
    Field("interval_weeks", Kind.POSITIVE, "from treatment to the later volumetry, weeks", 12.0, None, (1.0, 104.0)),
    Field("bsa_m2", Kind.POSITIVE, "body surface area, m², for the standard volume after Vauthey", 1.8, None, (1.0, 3.0)),
)


def _exact_or_none(values: Values, key: str, lab: Lab, unit: str) -> Fraction | None:
    return toxicity.in_canonical_unit(lab, exactly(values.number(key)), unit) if values.has(key) else None


def _ctcae(values: Values) -> Outcome:
    lab = chosen(values, "test", LABS)
    test = lab.value
    unit = values.text("unit") if values.has("unit") else next(iter(test.units))
    limit_key, other = ("lln", "uln") if test.falls else ("uln", "lln")
    if values.has(other):
        raise InvalidValue(
            f"{other} stated for {test.name}", f"it is graded from {limit_key}", f"state {limit_key} and leave out {other}"
        )
    factor = toxicity.in_canonical_unit(lab, Fraction(1), unit)
    reading = LabReading(
        lab,
        exactly(values.number("value")) * factor,
        _exact_or_none(values, limit_key, lab, unit),
        _exact_or_none(values, "baseline", lab, unit),
        chosen(values, "anticoagulated", YES_NO),
    )
    v5, v4, shift = toxicity.grade_v5(reading), toxicity.grade_v4(reading), toxicity.shift_from_baseline(reading)
    method = Method(
        v5.basis.method,
        v5.basis.version,
        v5.rule.says,
        (*v5.basis.sources, *v4.basis.sources),
        inputs=inputs_of(values, CTCAE_FIELDS),
    )
    measured = propagate(lambda value: value * float(factor), value=values.measured("value"))
    numbers = [method.number("value_canonical", f"{test.name}, {next(iter(test.units))}", measured, next(iter(test.units)))]
    for key, label, held in (
        ("times_limit", "times the limit of normal", reading.limit),
        ("times_baseline", "times the baseline", reading.baseline),
    ):
        if held:
            numbers.append(method.number(key, label, propagate(lambda value, held=float(held): value / held, value=measured), "1"))
    facts = told(v5, "grade_v5") | told(v4, "grade_v4")
    facts |= {
        "baseline_is_abnormal": reading.baseline_is_abnormal,
        "baseline_grade": None if shift.baseline is None else int(shift.baseline),
        "is_new": shift.is_new,
        "new_grade": None if shift.new_grade is None else int(shift.new_grade),
    }

    def grade(at: Mapping[str, float]) -> str:
        moved = LabReading(lab, exactly(max(at["value"], 0.0)), reading.limit, reading.baseline, reading.anticoagulated)
        return f"grade {int(toxicity.grade_v5(moved).category)} by v5.0"

    findings = (*dict.fromkeys((*v5.findings, *v4.findings)), *unsettled({"value": measured}, grade, test.key))
    return Outcome(tuple(numbers), facts, findings)


def _albi(values: Values) -> Outcome:
    coefficient = chosen(values, "coefficient", _COEFFICIENTS)
    measured = {"bilirubin": values.measured("bilirubin_umol_per_l"), "albumin": values.measured("albumin_g_per_l")}

    def score(bilirubin: float, albumin: float) -> float:
        return liver_function.albi_score(bilirubin, albumin, coefficient)

    result = propagate(score, bilirubin=measured["bilirubin"], albumin=measured["albumin"])
    judgement = liver_function.albi_grade(result.value, coefficient)
    formula = f"score = 0.66 · log10(bilirubin) − {abs(coefficient.value.value):g} · albumin"
    basis = judgement.basis
    method = Method(basis.method, basis.version, formula, basis.sources, basis.constants, inputs_of(values, ALBI_FIELDS))
    others = {
        f"score_with_{name.replace('.', '_')}": liver_function.albi_score(
            measured["bilirubin"].value, measured["albumin"].value, each
        )
        for name, each in _COEFFICIENTS.items()
    }

    def grade(at: Mapping[str, float]) -> str:
        return f"grade {int(liver_function.albi_grade(at['score'], coefficient).category)}"

    findings = (*judgement.findings, *unsettled({"score": result}, grade, "liver function"))
    return Outcome((method.number("albi_score", "ALBI score", result, "1"),), told(judgement, "albi_grade") | others, findings)


def _child_pugh(values: Values) -> Outcome:
    variant = chosen(values, "variant", _VARIANTS)
    inputs = ChildPughInputs(
        values.number("bilirubin_umol_per_l"),
        values.number("albumin_g_per_l"),
        values.number("inr"),
        chosen(values, "ascites", _ASCITES),
        chosen(values, "encephalopathy", _ENCEPHALOPATHY),
    )
    answer = liver_function.child_pugh(inputs, variant)
    basis = answer.judgement.basis
    method = Method(
        basis.method, basis.version, "points = sum over five items", basis.sources, inputs=inputs_of(values, CHILD_PUGH_FIELDS)
    )
    number = method.number("child_pugh_points", "Child-Pugh points", exact(float(answer.total)), "1")
    facts = told(answer.judgement, "child_pugh_class") | {"points": answer.points, "boundaries_mark": variant.mark.value}
    return Outcome((number,), facts, answer.judgement.findings)


def _units(values: Values) -> Outcome:
    lab = chosen(values, "quantity", _CONVERTED)
    canonical, other = lab.value.units
    value = values.measured("value")
    factor = float(lab.value.units[other])
    constant = Constant(
        f"{lab.value.key}.units", factor, f"{canonical} per {other}", "conversion as the scores' literature rounds it"
    )
    si = propagate(lambda v: v * float(toxicity.in_canonical_unit(lab, Fraction(1), values.text("unit"))), v=value)
    formula = f"value per litre = {factor:g} · value per decilitre"
    method = Method(
        "unit conversion",
        liver_function.LIVER_FUNCTION_VERSION,
        formula,
        (constant.source,),
        (constant,),
        inputs_of(values, UNIT_FIELDS),
    )
    keys = {"umol/L": "umol_per_l", "mg/dL": "mg_per_dl", "g/L": "g_per_l", "g/dL": "g_per_dl"}
    reading = LabReading(lab, exactly(si.value), Fraction(35 if lab is Lab.ALBUMIN else 21), None)
    numbers = (
        method.number(f"{lab.value.key}_{keys[canonical]}", lab.value.name, si, canonical),
        method.number(f"{lab.value.key}_{keys[other]}", lab.value.name, propagate(lambda v: v / factor, v=si), other),
    )
    return Outcome(numbers, findings=toxicity.unit_findings(reading))


def _new_grades(values: Values) -> reild.LiverChange:
    given = values.by_name("new_grades")
    unknown = set(given) - {*_ENZYMES, *_OTHERS}
    if unknown:
        raise InvalidValue(f"new_grades of {', '.join(sorted(unknown))}", "", f"known are {', '.join((*_ENZYMES, *_OTHERS))}")
    wrong = {name: grade for name, grade in given.items() if grade not in (0.0, 1.0, 2.0, 3.0, 4.0)}
    if wrong:
        raise InvalidValue(f"new_grades of {wrong}", "", "a grade is 0, 1, 2, 3 or 4")
    worst = {group: max((int(given.get(name, 0)) for name in group), default=0) for group in (_ENZYMES, _OTHERS)}
    return reild.LiverChange(Grade(worst[_ENZYMES]), Grade(worst[_OTHERS]))


def _reild_grade(values: Values) -> Outcome:
    judgement = reild.reild_grade(
        _new_grades(values), chosen(values, "treatment", _TREATMENTS), chosen(values, "diagnosed", _ANSWERS)
    )
    basis = judgement.basis
    method = Method(
        basis.method,
        basis.version,
        "grade by the first row that fits, worst first",
        basis.sources,
        inputs=inputs_of(values, REILD_GRADE_FIELDS),
    )
    number = method.number("grade", "REILD grade", exact(float(judgement.category.value)), "1")
    return Outcome((number,), told(judgement, "reild_grade"), judgement.findings)


def _reild(values: Values) -> Outcome:
    signs = reild.LiverSigns(
        values.number("days_since_treatment_d"),
        values.number("bilirubin_umol_per_l"),
        *(chosen(values, key, _ANSWERS) for key in _SIGNS),
    )
    found = reild.candidates(signs)
    method = Method(
        "REILD definitions",
        reild.REILD_VERSION,
        "each definition on its own; two persons adjudicate",
        (reild.BRAAT_SOURCE, reild.EANM_SOURCE, reild.SANGRO_SOURCE),
        inputs=inputs_of(values, REILD_FIELDS),
    )
    mg_dl = propagate(lambda v: liver_function.bilirubin_mg_per_dl(v), v=values.measured("bilirubin_umol_per_l"))
    facts: dict[str, Any] = {}
    for each in found:
        rule = each.definition.value
        facts[each.definition.name.lower()] = {
            "met": each.met.value,
            "unknown": list(each.unknown),
            "says": rule.says,
            "mark": rule.mark.value,
        }
    return Outcome((method.number("bilirubin_mg_per_dl", "bilirubin", mg_dl, "mg/dL"),), facts, _adjudicate(found))


def _adjudicate(found: tuple[reild.Candidate, ...]) -> tuple[Finding, ...]:
    met = [each.definition.value.row for each in found if each.met is reild.Answer.YES]
    if not met:
        return ()
    message = (
        f"the signs meet {', '.join(met)} · liver disease after radioembolisation is possible · have two persons adjudicate it"
    )
    return (Finding("reild.candidate", Severity.CRITICAL, message, "liver", reild.BRAAT_SOURCE),)


def _body_surface(values: Values) -> Outcome:
    height, weight = values.measured("height_cm"), values.measured("weight_kg")
    shown = inputs_of(values, BODY_FIELDS)
    numbers = []
    for key, label, formula, source, function in (
        (
            "du_bois_m2",
            "Du Bois",
            "surface = 0.007184 · height^0.725 · weight^0.425",
            body_surface.DU_BOIS_SOURCE,
            body_surface.du_bois_m2,
        ),
        (
            "mosteller_m2",
            "Mosteller",
            "surface = sqrt(height · weight / 3600)",
            body_surface.MOSTELLER_SOURCE,
            body_surface.mosteller_m2,
        ),
    ):
        method = Method(label, body_surface.BODY_SURFACE_VERSION, formula, (source,), inputs=shown)
        measured = propagate(_by_keyword(function), height=height, weight=weight)
        numbers.append(method.number(key, f"body surface, {label}", measured, "m²"))
    return Outcome(tuple(numbers))


def _by_keyword(function: Callable[[float, float], float]) -> Callable[..., float]:
    return lambda height, weight: function(height, weight)


def _standard_methods(values: Values, fields: tuple[Field, ...]) -> dict[str, tuple[Method, Callable[[float], float]]]:
    shown = inputs_of(values, fields)
    version = liver_volume.LIVER_VOLUME_VERSION
    slope, urata = liver_volume.VAUTHEY_SLOPE, (liver_volume.URATA_SLOPE, liver_volume.URATA_INTERCEPT)
    made: dict[str, tuple[Method, Callable[[float], float]]] = {}
    for key, intercept in (("vauthey", VautheyIntercept.ROUNDED), ("vauthey_794_41", VautheyIntercept.PRINTED)):
        formula = f"standard volume = 1267.28 · surface − {-intercept.value.value:g}"
        sources = (liver_volume.VAUTHEY_SOURCE,)
        made[key] = Method("Vauthey", version, formula, sources, (slope, intercept.value), shown), _vauthey(intercept)
    formula = "standard volume = 706.2 · surface + 2.4"
    made["urata"] = Method("Urata", version, formula, (liver_volume.URATA_SOURCE,), urata, shown), liver_volume.urata_ml
    return made


def _vauthey(intercept: VautheyIntercept) -> Callable[[float], float]:
    return lambda bsa: liver_volume.vauthey_ml(bsa, intercept)


def _standard_volume(values: Values) -> Outcome:
    numbers = []
    for key, (method, function) in _standard_methods(values, STANDARD_FIELDS).items():
        measured = propagate(_of_surface(function), bsa=values.measured("bsa_m2"))
        numbers.append(method.number(f"{key}_ml", f"standard liver volume, {method.formula.partition(' = ')[2]}", measured, "mL"))
    return Outcome(tuple(numbers))


def _of_surface(function: Callable[[float], float]) -> Callable[..., float]:
    return lambda bsa: function(bsa)


def _remnant(values: Values) -> Outcome:
    numbers = []
    remnant, surface = values.measured("remnant_ml"), values.measured("bsa_m2")
    for key, (method, function) in _standard_methods(values, REMNANT_FIELDS).items():
        measured = propagate(_share_of_standard(function), remnant=remnant, bsa=surface)
        own = _extended(method, "remnant fraction = remnant / standard volume")
        numbers.append(own.number(f"remnant_of_{key}_fraction", f"remnant over the standard volume, {method.name}", measured, "1"))
    findings = _needs(numbers[0].measured.value, values)
    if values.has("total_ml") != values.has("tumour_ml"):
        raise InconsistentInput(
            "total_ml and tumour_ml", "the measured liver counts without its tumour", "state both, 0 for no tumour"
        )
    if values.has("total_ml"):
        share = propagate(
            liver_volume.measured_remnant_fraction,
            remnant_ml=remnant,
            total_ml=values.measured("total_ml"),
            tumour_ml=values.measured("tumour_ml"),
        )
        method = Method(
            "remnant over measured liver",
            liver_volume.LIVER_VOLUME_VERSION,
            "remnant fraction = remnant / (total − tumour)",
            (),
            inputs=inputs_of(values, REMNANT_FIELDS),
        )
        numbers.append(method.number("remnant_of_measured_fraction", "remnant over the measured liver without tumour", share, "1"))
    return Outcome(tuple(numbers), findings=findings)


def _share_of_standard(function: Callable[[float], float]) -> Callable[..., float]:
    return lambda remnant, bsa: liver_volume.standardised_remnant_fraction(remnant, function(bsa))


def _extended(method: Method, more: str) -> Method:
    return Method(method.name, method.version, f"{method.formula}; {more}", method.sources, method.constants, method.inputs)


def _needs(fraction: float, values: Values) -> tuple[Finding, ...]:
    if values.has("parenchyma"):
        return liver_volume.remnant_findings(fraction, chosen(values, "parenchyma", _PARENCHYMA))
    message = (
        "the state of the liver outside of the tumour was not stated · the minimum remnant depends on it (20 to 50 %) · state it"
    )
    return (Finding("remnant.parenchyma_not_stated", Severity.NOTE, message, "liver", liver_volume.REMNANT_SOURCE),)


def _hypertrophy(values: Values) -> Outcome:
    before, after = values.measured("before_ml"), values.measured("after_ml")
    shown = inputs_of(values, HYPERTROPHY_FIELDS)
    version = liver_volume.LIVER_VOLUME_VERSION
    relative = propagate(liver_volume.relative_hypertrophy_fraction, before_ml=before, after_ml=after)
    method = Method(
        "relative hypertrophy", version, "growth = (after − before) / before", (liver_volume.PALARD_SOURCE,), inputs=shown
    )
    numbers = [method.number("relative_hypertrophy_fraction", "relative hypertrophy", relative, "1")]
    if values.has("bsa_m2"):
        surface = values.measured("bsa_m2")

        def points(before: float, after: float, bsa: float) -> float:
            standard_ml = liver_volume.vauthey_ml(bsa)
            return liver_volume.degree_of_hypertrophy_points(before / standard_ml, after / standard_ml)

        degree = propagate(points, before=before, after=after, bsa=surface)
        formula = "degree = 100 · (after − before) / standard volume; standard volume = 1267.28 · surface − 794"
        standardised = Method("degree of hypertrophy", version, formula, (liver_volume.VAUTHEY_SOURCE,), inputs=shown)
        numbers.append(
            standardised.number(
                "degree_of_hypertrophy_points", "degree of hypertrophy, percentage points", degree, "percentage points"
            )
        )
        if values.has("interval_weeks"):
            rate = propagate(lambda d, weeks: d / weeks, d=degree, weeks=values.measured("interval_weeks"))
            grown = _extended(standardised, "rate = degree / interval")
            numbers.append(
                grown.number("kinetic_growth_rate_points_per_week", "kinetic growth rate", rate, "percentage points/week")
            )
    responded = relative.value >= liver_volume.HYPERTROPHY_RESPONSE_FRACTION
    facts = {"hypertrophy_response": responded, "response_from_fraction": liver_volume.HYPERTROPHY_RESPONSE_FRACTION}
    message = (
        f"hypertrophy counts as a response from {PERCENT * liver_volume.HYPERTROPHY_RESPONSE_FRACTION:g} % relative growth on, as read here · "
        "the standardised degree and its rate come from general knowledge of liver surgery and are not verified · name the measure in use"
    )
    return Outcome(
        tuple(numbers), facts, (Finding("hypertrophy.not_verified", Severity.NOTE, message, "liver", liver_volume.PALARD_SOURCE),)
    )


LIVER_MODELS = (
    CalcModel(
        "ctcae-lab", "grade of a laboratory value by CTCAE v5.0 and v4.03, and what is new since baseline", CTCAE_FIELDS, _ctcae
    ),
    CalcModel("albi", "ALBI score and grade", ALBI_FIELDS, _albi),
    CalcModel("child-pugh", "Child-Pugh points and class by a named variant", CHILD_PUGH_FIELDS, _child_pugh),
    CalcModel("lab-units", "bilirubin and albumin between units", UNIT_FIELDS, _units),
    CalcModel("reild-grade", "severity of liver disease after radioembolisation, 0 to 5", REILD_GRADE_FIELDS, _reild_grade),
    CalcModel(
        "reild-definitions", "which definitions of liver disease after radioembolisation the signs meet", REILD_FIELDS, _reild
    ),
    CalcModel("body-surface", "body surface area after Du Bois and Mosteller", BODY_FIELDS, _body_surface),
    CalcModel(
        "standard-liver-volume", "liver volume expected for a body surface, Vauthey and Urata", STANDARD_FIELDS, _standard_volume
    ),
    CalcModel("future-liver-remnant", "remnant over the standard and over the measured liver volume", REMNANT_FIELDS, _remnant),
    CalcModel("hypertrophy", "growth of the untreated liver: relative, standardised, per week", HYPERTROPHY_FIELDS, _hypertrophy),
)

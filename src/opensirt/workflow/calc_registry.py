"""Formulas of what a registry scores, for ``calc``: questionnaires, symptom diary, syndromes, complications, tumour grade, best response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opensirt.outcomes import complications, quality_of_life, response_scopes, syndromes, tumour_grade
from opensirt.outcomes.judgement import exactly
from opensirt.outcomes.overall_response import OverallResponse
from opensirt.outcomes.quality_of_life import Answer, Questionnaire, Unanswered
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import exact
from opensirt.workflow.calc_choices import by_value, chosen, told, words
from opensirt.workflow.calc_fields import Field, Kind, Values, read_fields
from opensirt.workflow.calc_model import CalcModel, Method, Outcome, inputs_of

ITEM_FORMULA = "raw = mean of the answered items; symptom score = 100 · (raw − 1) / range; function score = 100 − symptom score"
LONGEST_PERIOD_D = 3660
YES_NO = {"yes": True, "no": False}
_ANSWERS = "answers by item number; leave out what was not answered"
C30_FIELDS = (Field("answers", Kind.BY_NAME, _ANSWERS, {**{str(item): 1 + item % 4 for item in range(1, 29)}, "29": 5, "30": 6}),)
GINET_FIELDS = (
    Field("answers", Kind.BY_NAME, _ANSWERS, {str(item): 1 + item % 4 for item in range(31, 52) if item != 51}),
    Field("not_applicable", Kind.NUMBERS, "items answered 'not applicable' (39, 40, 51 offer it)", [51], None),
    Field("key", Kind.TEXT, f"scoring key: {words(quality_of_life.GINET21_KEYS)}", "2013", "2013"),
)
DIARY_FIELDS = (
    Field(
        "before",
        Kind.BY_NAME,
        "counts by day before treatment, −7 to −1; days not filled in are left out",
        {"-7": 6, "-5": 5, "-3": 7, "-1": 6},
    ),
    Field(
        "after",
        Kind.BY_NAME,
        "counts by day of the period, from 1 on; days not filled in are left out",
        {"1": 4, "2": 3, "3": 3, "4": 4},
    ),
    Field("period_d", Kind.POSITIVE, "length of the period that is judged, days", 4.0, plausible=(1.0, 400.0)),
    Field("analogue_escalated", Kind.TEXT, "whether somatostatin analogues were escalated: yes | no", "no", "no"),
)
SYNDROME_FIELDS = (
    Field(
        "onset_h",
        Kind.BY_NAME,
        f"onset after the administration in hours, of symptoms new or worse than at baseline: {words(by_value(syndromes.Symptom))}",
        {"pain": 48, "fever": 48},
    ),
    Field("other_cause", Kind.TEXT, "another cause that explains them", None, None),
)
CLAVIEN_FIELDS = (
    Field("consequence", Kind.TEXT, f"the worst that it led to: {words(by_value(complications.Consequence))}", "intervention"),
)
GRADE_FIELDS = (
    Field("ki67_percent", Kind.NOT_NEGATIVE, "Ki-67 in the hot spot, per cent", 4.0, None, (0.0, 100.0)),
    Field("mitotic_count_per_2mm2", Kind.NOT_NEGATIVE, "mitoses per 2 mm²", 1.0, None, (0.0, 200.0)),
    Field("differentiation", Kind.TEXT, words(by_value(tumour_grade.Differentiation)), "well"),
)
POINT_FIELDS = (
    Field("days_from_baseline_d", Kind.NOT_NEGATIVE, "from the baseline scan, days", 90.0),
    Field("response", Kind.TEXT, f"overall response: {words(by_value(OverallResponse))}", "PR"),
)
BEST_FIELDS = (
    Field(
        "time_points",
        Kind.OBJECTS,
        "days_from_baseline_d and response, by name",
        {"first": {"days_from_baseline_d": 90, "response": "SD"}, "second": {"days_from_baseline_d": 180, "response": "PR"}},
    ),
    Field(
        "shortest_stable_d",
        Kind.NOT_NEGATIVE,
        "before which stability does not count, days",
        42.0,
        response_scopes.SHORTEST_STABLE_D,
        (0.0, 200.0),
    ),
)


def _whole(name: str, value: float, what: str) -> int:
    if value != int(value):
        raise InvalidValue(f"{what} {name} holds {value:g}", "", "give a whole number")
    return int(value)


def _item(name: str) -> int:
    if not name.lstrip("-").isdecimal():
        raise InvalidValue(f"{name!r} is no number of an item or a day", "", "write the number as text")
    return int(name)


def _answers(values: Values) -> dict[int, Answer]:
    return {_item(name): _whole(name, value, "item") for name, value in values.by_name("answers").items()}


def _score(
    questionnaire: Questionnaire, answers: Mapping[int, Answer], method: Method
) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
    found = quality_of_life.scores(questionnaire, answers)
    given = sum(1 for answer in answers.values() if not isinstance(answer, Unanswered))
    names = {scale.key: scale.name for scale in questionnaire.scales}
    numbers = [method.number("items_answered", "items answered", exact(float(given)), "1")]
    numbers += [
        method.number(key, f"{names[key]}, 0 to 100", exact(float(score)), "1") for key, score in found.items() if score is not None
    ]
    return tuple(numbers), {"missing_scales": [key for key, score in found.items() if score is None]}, found


def _c30(values: Values) -> Outcome:
    basis = quality_of_life.C30_BASIS
    sources = (*basis.sources, quality_of_life.SUMMARY_SOURCE)
    method = Method(basis.method, basis.version, ITEM_FORMULA, sources, inputs=inputs_of(values, C30_FIELDS))
    numbers, facts, found = _score(quality_of_life.C30, _answers(values), method)
    summary = quality_of_life.summary_score(found)
    if summary is not None:
        numbers += (method.number("summary", "summary score, 0 to 100", exact(float(summary)), "1"),)
    return Outcome(numbers, facts)


def _ginet(values: Values) -> Outcome:
    questionnaire = chosen(values, "key", quality_of_life.GINET21_KEYS)
    answers = _answers(values)
    for item in values.numbers("not_applicable") if values.has("not_applicable") else ():
        if int(item) in answers:
            raise InvalidValue(f"item {int(item)}", "it is answered and not applicable", "keep one of both")
        answers[_whole("in not_applicable", item, "entry")] = Unanswered.NOT_APPLICABLE
    basis = questionnaire.basis
    method = Method(basis.method, basis.version, ITEM_FORMULA, basis.sources, inputs=inputs_of(values, GINET_FIELDS))
    numbers, facts, _ = _score(questionnaire, answers, method)
    message = (
        "the item map of the QLQ-GI.NET21 and the direction of its information scale are not verified · compare with the manual of the EORTC before "
        "results are reported"
    )
    return Outcome(
        numbers,
        facts,
        (Finding("questionnaire.key_not_verified", Severity.WARNING, message, questionnaire.name, basis.sources[0]),),
    )


def _days(values: Values, key: str, days: range) -> tuple[int | None, ...]:
    given = {_item(name): _whole(name, value, "day") for name, value in values.by_name(key).items()}
    outside = sorted(set(given) - set(days))
    if outside:
        raise InvalidValue(
            f"{key}: days {outside}", f"the days are {days.start} to {days.stop - 1}", "check the days and the length of the period"
        )
    return tuple(given.get(day) for day in days)


def _diary(values: Values) -> Outcome:
    length = _whole("period_d", values.number("period_d"), "length")
    if length > LONGEST_PERIOD_D:
        raise InvalidValue(f"a period of {length} days", f"at most {LONGEST_PERIOD_D} are judged", "give the length in days")
    before = _days(values, "before", range(-syndromes.BASELINE_D, 0))
    diary = syndromes.Diary(before, _days(values, "after", range(1, length + 1)), chosen(values, "analogue_escalated", YES_NO))
    judgement = syndromes.diary_response(diary)
    basis = judgement.basis
    formula = "change = 100 · (period mean − baseline mean) / baseline mean"
    method = Method(basis.method, basis.version, formula, basis.sources, inputs=inputs_of(values, DIARY_FIELDS))
    numbers = [
        method.number("baseline_mean_per_d", "mean count a day before treatment", exact(float(diary.baseline_mean)), "1/d"),
        method.number("period_mean_per_d", "mean count a day in the period", exact(float(diary.period_mean)), "1/d"),
    ]
    if diary.baseline_mean > 0:
        change = 100 * (diary.period_mean - diary.baseline_mean) / diary.baseline_mean
        numbers.append(method.number("change_percent", "change of the mean", exact(float(change)), "%"))
    return Outcome(
        tuple(numbers), told(judgement, "response") | {"durable_response": syndromes.durable_response(diary)}, judgement.findings
    )


def _syndrome(values: Values) -> Outcome:
    known = by_value(syndromes.Symptom)
    given = values.by_name("onset_h")
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise InvalidValue(f"symptoms {', '.join(unknown)}", "", f"known are {words(known)}")
    judgement = syndromes.syndrome(
        {known[name]: onset for name, onset in given.items()}, values.text("other_cause") if values.has("other_cause") else ""
    )
    basis = judgement.basis
    formula = "two or more symptoms new or worse than before, within the time, without another cause"
    method = Method(basis.method, basis.version, formula, basis.sources, inputs=inputs_of(values, SYNDROME_FIELDS))
    number = method.number("symptoms_number", "symptoms new or worse", exact(float(len(given))), "1")
    return Outcome((number,), told(judgement, "syndrome"), judgement.findings)


def _clavien(values: Values) -> Outcome:
    consequence = chosen(values, "consequence", by_value(complications.Consequence))
    judgement = complications.clavien_dindo([consequence])
    basis = judgement.basis
    method = Method(
        basis.method, basis.version, "grade of the worst consequence", basis.sources, inputs=inputs_of(values, CLAVIEN_FIELDS)
    )
    rank = float(list(complications.ClavienDindo).index(judgement.category))
    number = method.number("rank_number", "rank among none, I, II, IIIa, IIIb, IVa, IVb, V", exact(rank), "1")
    return Outcome((number,), told(judgement, "grade") | {"is_major": judgement.category.is_major})


def _tumour_grade(values: Values) -> Outcome:
    counts = tumour_grade.Proliferation(
        *(exactly(values.number(key)) if values.has(key) else None for key in ("ki67_percent", "mitotic_count_per_2mm2"))
    )
    judgement = tumour_grade.who_2019(counts, chosen(values, "differentiation", by_value(tumour_grade.Differentiation)))
    basis = judgement.basis
    method = Method(basis.method, basis.version, "the higher of two grades", basis.sources, inputs=inputs_of(values, GRADE_FIELDS))
    held = [key for key in ("ki67_percent", "mitotic_count_per_2mm2") if values.has(key)]
    units = {"ki67_percent": "%", "mitotic_count_per_2mm2": "per 2 mm²"}
    numbers = tuple(method.number(f"{key}_counted", key.partition("_")[0], values.measured(key), units[key]) for key in held)
    return Outcome(numbers, told(judgement, "grade") | {"edition": basis.method}, judgement.findings)


def _best(values: Values) -> Outcome:
    points = []
    for name, given in values.objects("time_points").items():
        read, _ = read_fields(POINT_FIELDS, given, f"time point {name}")
        points.append(
            response_scopes.Assessed(read.number("days_from_baseline_d"), chosen(read, "response", by_value(OverallResponse)))
        )
    judgement = response_scopes.best_overall_response(points, values.number("shortest_stable_d"))
    basis = judgement.basis
    formula = "best of all time points until the first progression"
    method = Method(basis.method, basis.version, formula, basis.sources, inputs=inputs_of(values, BEST_FIELDS))
    facts = told(judgement, "best_response")
    facts |= {
        "objective_response": judgement.category.is_objective_response,
        "disease_control": judgement.category.is_disease_control,
    }
    return Outcome((method.number("time_points_number", "time points", exact(float(len(points))), "1"),), facts, judgement.findings)


REGISTRY_MODELS = (
    CalcModel("qlq-c30", "scales and summary of the EORTC QLQ-C30, from item numbers", C30_FIELDS, _c30),
    CalcModel("qlq-ginet21", "scales of the EORTC QLQ-GI.NET21, from item numbers (key unverified)", GINET_FIELDS, _ginet),
    CalcModel("symptom-diary", "response of one symptom of the carcinoid syndrome, from daily counts", DIARY_FIELDS, _diary),
    CalcModel(
        "post-embolisation", "whether symptoms make a syndrome after embolisation or radioembolisation", SYNDROME_FIELDS, _syndrome
    ),
    CalcModel("clavien-dindo", "grade of a complication", CLAVIEN_FIELDS, _clavien),
    CalcModel("neuroendocrine-grade", "class and grade by WHO 2019, from Ki-67 and mitoses", GRADE_FIELDS, _tumour_grade),
    CalcModel("best-response", "best overall response of several time points", BEST_FIELDS, _best),
)

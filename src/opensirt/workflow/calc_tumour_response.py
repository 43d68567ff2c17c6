"""Formulas of tumour response for ``calc``: RECIST 1.1, WHO, mRECIST, EASL, Choi, modified Choi, volumes; sums or lesion by lesion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from opensirt.outcomes import choi, lesions
from opensirt.outcomes.judgement import Judgement, exactly
from opensirt.outcomes.overall_response import NewLesion, NonTargetResponse, overall_response
from opensirt.outcomes.response import (
    EASL,
    MRECIST,
    NORMAL_NODE_MM,
    RECIST,
    RECIST_SOURCE,
    VOLUMETRIC,
    WHO,
    Baseline,
    Current,
    Nadir,
    Quantity,
    SizeCriterion,
    Sums,
    TargetResponse,
    target_response,
)
from opensirt.outcomes.response_scopes import SCOPES_VERSION, PlacedTarget, Region, Scope, TimePoint, response_in
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, MissingInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured, exact, propagate
from opensirt.vocabulary.units import PERCENT
from opensirt.workflow.calc_choices import by_value, chosen, told, unsettled, words
from opensirt.workflow.calc_fields import Field, Kind, Values, read_fields
from opensirt.workflow.calc_model import CalcModel, Method, Outcome, inputs_of

FORMULA = "from baseline = 100 · (current − baseline) / baseline; from nadir = 100 · (current − nadir) / nadir"
NON_TARGETS = Field(
    "non_targets",
    Kind.TEXT,
    f"other lesions of the baseline: {words(by_value(NonTargetResponse))}",
    "none",
    NonTargetResponse.NONE.value,
)
NEW_LESIONS = Field(
    "new_lesions", Kind.TEXT, f"lesions that were not there before: {words(by_value(NewLesion))}", "none", NewLesion.NONE.value
)
ARTERIAL_PHASE = Field("arterial_phase", Kind.TEXT, "whether both scans have an arterial phase: yes | no", "yes", None)
LARGEST_NODE = Field(
    "largest_node_mm",
    Kind.NOT_NEGATIVE,
    "where lymph nodes are all that is left: short axis of the largest target node",
    None,
    None,
    (0.0, 50.0),
)
_OPEN = "none (the baseline may be 0)"
YES_NO = {"yes": True, "no": False}


def _sum_fields(suffix: str, what: str, examples: tuple[float, float, float], plausible: tuple[float, float]) -> tuple[Field, ...]:
    baseline, nadir, current = examples
    return (
        Field(f"baseline{suffix}", Kind.POSITIVE, f"{what} before treatment", baseline, plausible=plausible),
        Field(
            f"nadir{suffix}",
            Kind.NOT_NEGATIVE,
            f"smallest {what} before the present scan; the baseline where not stated",
            nadir,
            None,
            (0.0, plausible[1]),
        ),
        Field(f"current{suffix}", Kind.NOT_NEGATIVE, f"{what} of the present scan", current, plausible=(0.0, plausible[1])),
    )


RECIST_FIELDS = (
    *_sum_fields("_sum_mm", "sum of target diameters", (100.0, 60.0, 71.0), (10.0, 1000.0)),
    LARGEST_NODE,
    NON_TARGETS,
    NEW_LESIONS,
)
MRECIST_FIELDS = (
    *_sum_fields("_sum_mm", "sum of arterially enhancing diameters", (100.0, 60.0, 71.0), (10.0, 1000.0)),
    ARTERIAL_PHASE,
    NON_TARGETS,
    NEW_LESIONS,
)
WHO_FIELDS = (
    *_sum_fields("_sum_mm2", "sum of products of perpendicular diameters", (4000.0, 2000.0, 2400.0), (50.0, 200000.0)),
    NON_TARGETS,
    NEW_LESIONS,
)
EASL_FIELDS = (
    *_sum_fields("_sum_mm2", "sum of arterially enhancing areas", (4000.0, 2000.0, 2400.0), (50.0, 200000.0)),
    ARTERIAL_PHASE,
    NON_TARGETS,
    NEW_LESIONS,
)
VOLUME_FIELDS = (*_sum_fields("_ml", "sum of target volumes", (200.0, 120.0, 130.0), (0.5, 5000.0)), NON_TARGETS, NEW_LESIONS)
_HU = (10.0, 300.0)
CHOI_FIELDS = (
    *_sum_fields("_sum_mm", "sum of target diameters", (100.0, 95.0, 96.0), (10.0, 1000.0)),
    Field("baseline_hu", Kind.NUMBER, "mean CT number of the targets before treatment, portal venous phase", 80.0, plausible=_HU),
    Field("current_hu", Kind.NUMBER, "mean CT number of the targets now, portal venous phase", 66.0, plausible=(-50.0, 300.0)),
    NON_TARGETS,
    NEW_LESIONS,
)
_CRITERIA = {"recist": RECIST, "mrecist": MRECIST}
LESION_FIELDS = (
    Field(
        "lesions",
        Kind.OBJECTS,
        "targets by name: organ, kind (node | other), baseline_mm, follow_up_mm (one per scan, the last is judged; 0 gone, null not evaluated), "
        "enhances (yes | no; mRECIST)",
        {
            "T1": {"organ": "liver", "kind": "other", "baseline_mm": 60.0, "follow_up_mm": [40.0, 45.0]},
            "T2": {"organ": "liver", "kind": "other", "baseline_mm": 40.0, "follow_up_mm": [20.0, 26.0]},
        },
    ),
    Field("criterion", Kind.TEXT, f"what the diameters are of: {words(_CRITERIA)}", "recist", "recist"),
    ARTERIAL_PHASE,
    NON_TARGETS,
    NEW_LESIONS,
)

_REGIONS = {"treated": Region.TREATED, "untreated-liver": Region.UNTREATED_LIVER, "elsewhere": Region.ELSEWHERE}
REGION_FIELDS = (
    Field("non_targets", Kind.TEXT, f"other lesions there: {words(by_value(NonTargetResponse))}", "none", "none"),
    Field("new_lesions", Kind.TEXT, f"new lesions there: {words(by_value(NewLesion))}", "none", "none"),
)
SCOPE_FIELDS = (
    Field(
        "lesions",
        Kind.OBJECTS,
        f"targets by name: region ({words(_REGIONS)}), organ, kind, baseline_mm, follow_up_mm (the last is judged)",
        {
            "T1": {"region": "treated", "organ": "liver", "baseline_mm": 50.0, "follow_up_mm": [30.0]},
            "T2": {"region": "untreated-liver", "organ": "liver", "baseline_mm": 20.0, "follow_up_mm": [20.0]},
        },
    ),
    Field(
        "regions",
        Kind.OBJECTS,
        f"by region ({words(_REGIONS)}): non_targets, new_lesions",
        {"untreated-liver": {"new_lesions": "present"}},
        None,
    ),
)


def _measured_sums(values: Values, suffix: str) -> dict[str, Measured]:
    held = {"baseline": values.measured(f"baseline{suffix}"), "current": values.measured(f"current{suffix}")}
    held["nadir"] = values.measured(f"nadir{suffix}") if values.has(f"nadir{suffix}") else held["baseline"]
    return held


def _sums(quantity: Quantity, held: Mapping[str, float], nodes: bool = False) -> Sums:
    baseline, nadir, current = (exactly(held[name]) for name in ("baseline", "nadir", "current"))
    return Sums(quantity, Baseline(baseline), Nadir(nadir), Current(current), nodes)


def _numbers(method: Method, held: Mapping[str, Measured], unit: str) -> tuple[Any, ...]:
    def percent(current: float, reference: float) -> float:
        return PERCENT * (current - reference) / reference

    def change(key: str, label: str, reference: Measured) -> Any:
        measured = propagate(percent, current=held["current"], reference=reference)
        return method.number(key, label, measured, "%")

    shown = [change("change_from_baseline_percent", "change from baseline", held["baseline"])]
    if held["nadir"].value > 0.0:
        shown.append(change("change_from_nadir_percent", "change from the nadir", held["nadir"]))
    rise = propagate(lambda current, nadir: current - nadir, current=held["current"], nadir=held["nadir"])
    suffix = {"mm": "mm", "mm²": "mm2", "mL": "ml"}[unit]
    return (*shown, method.number(f"change_from_nadir_{suffix}", "absolute change from the nadir", rise, unit))


def _answer(
    judgement: Judgement[TargetResponse], values: Values, numbers: tuple[Any, ...], findings: tuple[Finding, ...]
) -> Outcome:
    facts = told(judgement, "target_response")
    non_target = chosen(values, "non_targets", by_value(NonTargetResponse))
    new_lesion = chosen(values, "new_lesions", by_value(NewLesion))
    found = (*findings, *judgement.findings)
    if judgement.category is not TargetResponse.NO_PR:
        overall = overall_response(judgement.category, non_target, new_lesion)
        facts |= told(overall, "overall_response")
        found += overall.findings
    elif (non_target, new_lesion) != (NonTargetResponse.NONE, NewLesion.NONE):
        raise InvalidValue(
            "other or new lesions", "modified Choi tells response alone", "use choi or recist for the overall response"
        )
    return Outcome(numbers, facts, found)


def _arterial(values: Values, about: str) -> tuple[Finding, ...]:
    if values.has("arterial_phase"):
        lesions.require_enhancing((), chosen(values, "arterial_phase", YES_NO))
        return ()
    message = "whether both scans have an arterial phase was not stated · enhancement is judged in it · state it"
    return (Finding("response.arterial_phase_not_stated", Severity.WARNING, message, about),)


def _no_nadir(values: Values, suffix: str, about: str) -> tuple[Finding, ...]:
    if values.has(f"nadir{suffix}"):
        return ()
    message = "no nadir was stated; the baseline stands for it · right for the first follow-up only · state the smallest sum so far"
    return (Finding("response.nadir_is_baseline", Severity.NOTE, message, about),)


def _only_nodes(values: Values) -> bool:
    if not values.has("largest_node_mm"):
        return False
    largest = values.number("largest_node_mm")
    if largest > values.number("current_sum_mm"):
        raise InconsistentInput(f"a node of {largest:g} mm in a sum of {values.number('current_sum_mm'):g} mm", "", "check both")
    return 0.0 < exactly(largest) < NORMAL_NODE_MM


def _size(criterion: SizeCriterion, fields: tuple[Field, ...], unit: str) -> Callable[[Values], Outcome]:
    suffix = fields[0].key.removeprefix("baseline")

    def run(values: Values) -> Outcome:
        held = _measured_sums(values, suffix)
        nodes = criterion is RECIST and _only_nodes(values)
        judgement = target_response(criterion, _sums(criterion.quantity, {name: m.value for name, m in held.items()}, nodes))
        findings = _no_nadir(values, suffix, criterion.key)
        if ARTERIAL_PHASE in fields:
            findings += _arterial(values, criterion.key)

        def category(at: Mapping[str, float]) -> str:
            if at["baseline"] <= 0.0:
                return _OPEN
            lowest = {**at, "nadir": min(at["nadir"], at["baseline"]), "current": max(at["current"], 0.0)}
            return str(target_response(criterion, _sums(criterion.quantity, lowest, nodes)).category.value)

        findings += unsettled(held, category, criterion.key)
        basis = criterion.basis
        method = Method(basis.method, basis.version, FORMULA, basis.sources, inputs=inputs_of(values, fields))
        return _answer(judgement, values, _numbers(method, held, unit), findings)

    return run


def _choi(respond: Callable[[Sums, choi.Densities], Judgement[TargetResponse]], name: str) -> Callable[[Values], Outcome]:
    def judge(at: Mapping[str, float]) -> Judgement[TargetResponse]:
        sums = {"baseline": at["baseline"], "nadir": min(at["nadir"], at["baseline"]), "current": max(at["current"], 0.0)}
        return respond(_sums(Quantity.DIAMETER, sums), choi.Densities(exactly(at["baseline_hu"]), exactly(at["current_hu"])))

    def category(at: Mapping[str, float]) -> str:
        return str(judge(at).category.value) if at["baseline"] > 0.0 and at["baseline_hu"] > 0.0 else _OPEN

    def run(values: Values) -> Outcome:
        held = _measured_sums(values, "_sum_mm")
        hu = {key: values.measured(key) for key in ("baseline_hu", "current_hu")}
        judgement = respond(
            _sums(Quantity.DIAMETER, {key: measured.value for key, measured in held.items()}),
            choi.Densities(exactly(hu["baseline_hu"].value), exactly(hu["current_hu"].value)),
        )
        basis = judgement.basis
        formula = f"{FORMULA}; density change = 100 · (current − baseline) / baseline"
        method = Method(basis.method, basis.version, formula, basis.sources, inputs=inputs_of(values, CHOI_FIELDS))
        density = propagate(lambda now, before: PERCENT * (now - before) / before, now=hu["current_hu"], before=hu["baseline_hu"])
        numbers = (
            *_numbers(method, held, "mm"),
            method.number("density_change_percent", "change of density from baseline", density, "%"),
        )
        found = (*_no_nadir(values, "_sum_mm", name), *unsettled({**held, **hu}, category, name))
        return _answer(judgement, values, numbers, found)

    return run


_LESION_KEYS = {"organ", "kind", "baseline_mm", "follow_up_mm", "enhances"}


def _millimetres(name: str, key: str, value: Any) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(f"lesion {name}: {key} of {value!r}", "", "give millimetres as a number")
    return exactly(value)


def _target(name: str, given: Mapping[str, Any]) -> lesions.TargetCourse:
    unknown, missing = set(given) - _LESION_KEYS, {"organ", "baseline_mm", "follow_up_mm"} - set(given)
    if unknown or missing:
        raise InvalidValue(
            f"lesion {name}: {', '.join(sorted(unknown)) or 'nothing'} not known, {', '.join(sorted(missing)) or 'nothing'} missing",
            "",
            f"a lesion has {', '.join(sorted(_LESION_KEYS))}",
        )
    kinds = by_value(lesions.LesionKind)
    kind = given.get("kind", lesions.LesionKind.OTHER.value)
    if not isinstance(kind, str) or kind not in kinds or given.get("enhances", "yes") not in ("yes", "no"):
        raise InvalidValue(f"lesion {name}: kind or enhances", "", f"kind is {words(kinds)}, enhances yes | no")
    if not isinstance(given["follow_up_mm"], list) or not isinstance(given["organ"], str):
        raise InvalidValue(f"lesion {name}", "", "organ is a text, follow_up_mm a list with one diameter per scan")
    scans = tuple(None if mm is None else _millimetres(name, "follow_up_mm", mm) for mm in given["follow_up_mm"])
    return lesions.TargetCourse(name, given["organ"], kinds[kind], _millimetres(name, "baseline_mm", given["baseline_mm"]), scans)


def _lesions(values: Values) -> Outcome:
    criterion = chosen(values, "criterion", _CRITERIA)
    given = values.objects("lesions")
    targets = [_target(name, each) for name, each in given.items()]
    findings: tuple[Finding, ...] = ()
    if criterion is MRECIST:
        findings = _arterial(values, criterion.key)
        lesions.require_enhancing([name for name, each in given.items() if each.get("enhances", "yes") == "no"], True)
    judgement, sums = lesions.response_of_targets(targets, criterion)
    basis = criterion.basis
    method = Method(
        basis.method, lesions.LESIONS_VERSION, FORMULA, (*basis.sources, RECIST_SOURCE), inputs=inputs_of(values, LESION_FIELDS)
    )
    if sums is None:
        baseline = float(sum(each.baseline_mm for each in targets))
        return _answer(judgement, values, (method.number("baseline_sum_mm", "sum at baseline", exact(baseline), "mm"),), findings)
    held = {
        "baseline": exact(float(sums.baseline.amount)),
        "nadir": exact(float(sums.nadir.amount)),
        "current": exact(float(sums.current.amount)),
    }
    shown = tuple(method.number(f"{key}_sum_mm", f"sum, {key}", measured, "mm") for key, measured in held.items())
    return _answer(judgement, values, (*shown, *_numbers(method, held, "mm")), findings)


def _region(name: str, given: object) -> Region:
    if not isinstance(given, str) or given not in _REGIONS:
        raise InvalidValue(f"{name}: a region of {given!r}", "", f"choose one of {words(_REGIONS)}")
    return _REGIONS[given]


def _scopes(values: Values) -> Outcome:
    targets = tuple(
        PlacedTarget(_target(name, {key: held for key, held in each.items() if key != "region"}), _region(name, each.get("region")))
        for name, each in values.objects("lesions").items()
    )
    others, new = [], set()
    for name, each in (values.objects("regions") if values.has("regions") else {}).items():
        region = _region("regions", name)
        read, _ = read_fields(REGION_FIELDS, each, f"region {name}")
        others.append((region, chosen(read, "non_targets", by_value(NonTargetResponse))))
        if chosen(read, "new_lesions", by_value(NewLesion)) is NewLesion.PRESENT:
            new.add(region)
    point = TimePoint(targets, tuple(others), frozenset(new))
    facts: dict[str, Any] = {}
    findings: tuple[Finding, ...] = ()
    for scope in Scope:
        try:
            judgement = response_in(scope, point)
        except MissingInput as nothing:
            facts[scope.name.lower()] = None
            findings += (Finding("response.scope_without_lesions", Severity.NOTE, str(nothing), scope.name.lower(), RECIST_SOURCE),)
            continue
        facts |= told(judgement, scope.name.lower())
        findings += tuple(each for each in judgement.findings if each not in findings)
    basis = RECIST.basis
    formula = "each scope takes the lesions of its regions and reads the same table"
    method = Method(basis.method, SCOPES_VERSION, formula, basis.sources, inputs=inputs_of(values, SCOPE_FIELDS))
    number = method.number("targets_number", "target lesions", exact(float(len(targets))), "1")
    return Outcome((number,), facts, findings)


TUMOUR_RESPONSE_MODELS = (
    CalcModel(
        "recist", "response of targets and overall by RECIST 1.1, from sums", RECIST_FIELDS, _size(RECIST, RECIST_FIELDS, "mm")
    ),
    CalcModel("recist-lesions", "response by RECIST 1.1 or mRECIST, lesion by lesion; the nadir is found", LESION_FIELDS, _lesions),
    CalcModel("response-scopes", "response of patient, liver and treated territory from one scan", SCOPE_FIELDS, _scopes),
    CalcModel(
        "mrecist", "response by mRECIST, from sums of enhancing diameters", MRECIST_FIELDS, _size(MRECIST, MRECIST_FIELDS, "mm")
    ),
    CalcModel("who-response", "response by WHO, from sums of cross-products", WHO_FIELDS, _size(WHO, WHO_FIELDS, "mm²")),
    CalcModel("easl", "response by EASL, from enhancing areas", EASL_FIELDS, _size(EASL, EASL_FIELDS, "mm²")),
    CalcModel(
        "volumetric-response",
        "response by volumes, sphere equivalent of RECIST",
        VOLUME_FIELDS,
        _size(VOLUMETRIC, VOLUME_FIELDS, "mL"),
    ),
    CalcModel("choi", "response by Choi, from size and density", CHOI_FIELDS, _choi(choi.choi_response, "choi")),
    CalcModel(
        "modified-choi",
        "response by modified Choi, from size and density",
        CHOI_FIELDS,
        _choi(choi.modified_choi_response, "modified-choi"),
    ),
)

"""Formulas of radiobiology for ``calc``: BED, EQD2, their inverse, sums over sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opensirt.radioembolisation.dosimetry.radiobiology import bed
from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.nuclides import NUCLIDES, ROUNDING, THERAPEUTIC, require_half_life_of_dose
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.provenance import Constant, Mark
from opensirt.vocabulary.radiobiology import (
    ALPHA_BETA_FITTED_GY,
    TISSUES,
    TissueParameters,
    tissue_named,
)
from opensirt.workflow.calc_fields import Field, Kind, Values, read_fields
from opensirt.workflow.calc_model import CalcModel, Method, Outcome, inputs_of

DOSE_RANGE_GY = (0.1, 2000.0)
BED_RANGE_GY = (0.1, 20000.0)
_INVERSE_FORMULA = "D = 2 · BED / (1 + √(1 + 4 · BED · G / (α/β))),  G = T_rep / (T_rep + T½)"
HALF_LIFE_FIELDS = (
    Field("nuclide", Kind.TEXT, "radionuclide of the record; or state its half-life", "Y-90", None),
    Field("half_life_h", Kind.POSITIVE, "physical half-life; that of the nuclide where not stated", None, None, (1.0, 300.0)),
    Field(
        "biological_half_life_h",
        Kind.POSITIVE,
        "half-life of clearance, for what does not stay; never for microspheres",
        None,
        None,
        (0.5, 5000.0),
    ),
    Field(
        "effective_half_life_h",
        Kind.POSITIVE,
        "decay and clearance together, instead of biological_half_life_h; Lu-177 and I-131 need one of both",
        None,
        None,
        (0.5, 300.0),
    ),
)
TISSUE_FIELDS = (
    Field("tissue", Kind.TEXT, f"named parameters: {', '.join(TISSUES)}; or state α/β and repair", None, None),
    Field("alpha_beta_gy", Kind.POSITIVE, "α/β; that of the tissue where not stated", 2.5, None, ALPHA_BETA_FITTED_GY),
    Field("repair_half_time_h", Kind.POSITIVE, "repair half-time; that of the tissue where not stated", 2.5, None, (0.2, 10.0)),
)
_FRACTION = Field("fraction_gy", Kind.POSITIVE, "dose per fraction to compare with (EQD2: 2 Gy)", None, 2.0, (0.5, 20.0))
_DOSE = Field("dose_gy", Kind.NOT_NEGATIVE, "absorbed dose after full decay", 60.0, plausible=DOSE_RANGE_GY)
_BED = Field("bed_gy", Kind.NOT_NEGATIVE, "BED", 114.1, plausible=BED_RANGE_GY)
BED_FIELDS = (_DOSE, *HALF_LIFE_FIELDS, *TISSUE_FIELDS, _FRACTION)
EQD2_OF_BED_FIELDS = (_BED, TISSUE_FIELDS[0], TISSUE_FIELDS[1], _FRACTION)
DOSE_FROM_BED_FIELDS = (_BED, *HALF_LIFE_FIELDS, *TISSUE_FIELDS)
DOSE_FROM_EQD2_FIELDS = (
    Field("eqd2_gy", Kind.NOT_NEGATIVE, "total dose in fractions of fraction_gy", 63.4, plausible=DOSE_RANGE_GY),
    *HALF_LIFE_FIELDS,
    *TISSUE_FIELDS,
    _FRACTION,
)
TIME_FIELDS = (
    *HALF_LIFE_FIELDS,
    Field("dose_fraction", Kind.FRACTION, "share of the final dose", 0.9),
    Field("dose_gy", Kind.POSITIVE, "dose after full decay, for the dose rate then", 100.0, None, DOSE_RANGE_GY),
)
SESSION_FIELDS = (
    Field("dose_gy", Kind.NOT_NEGATIVE, "absorbed dose of the session, or of all fractions", 60.0, plausible=DOSE_RANGE_GY),
    *HALF_LIFE_FIELDS,
    Field("fraction_gy", Kind.POSITIVE, "dose per fraction, for external beam instead of a nuclide", None, None, (0.5, 30.0)),
)
CUMULATIVE_FIELDS = (
    Field(
        "sessions",
        Kind.OBJECTS,
        "per session: dose_gy with nuclide (or half_life_h), or with fraction_gy for external beam",
        {"first": {"dose_gy": 40.0, "nuclide": "Y-90"}, "second": {"dose_gy": 30.0, "nuclide": "Ho-166"}},
    ),
    *TISSUE_FIELDS,
    Field("reference_fraction_gy", Kind.POSITIVE, "dose per fraction of the EQD (2 Gy)", None, 2.0, (0.5, 20.0)),
)


@dataclass(frozen=True)
class ModelParameters:
    """α/β, repair and half-life of a payload, their constants, and what is to be weighed about them."""

    inputs: Mapping[str, Measured]
    constants: tuple[Constant, ...]
    findings: tuple[Finding, ...]


def from_constant(constant: Constant) -> Measured:
    """A parameter with its spread, under its own key."""
    return Measured(constant.value, {constant.key: constant.standard_uncertainty})


def tissue_of(values: Values) -> TissueParameters | None:
    """The tissue that a payload names, if it names one."""
    return tissue_named(values.text("tissue")) if values.has("tissue") else None


def parameter(
    values: Values, key: str, tissue: TissueParameters | None, constant: Constant | None
) -> tuple[Measured, tuple[Constant, ...]]:
    """A parameter as stated, or that of the named tissue with its constant.

    Raises
    ------
    InvalidValue
        If neither gives it.
    """
    if values.has(key):
        return values.measured(key), ()
    if constant is not None:
        return from_constant(constant), (constant,)
    where = f"the tissue {tissue.key} has none with a source" if tissue else "no tissue was named either"
    raise InvalidValue(f"{key} is missing", where, f"state {key}, or name a tissue that has it: {', '.join(TISSUES)}")


def unverified(constants: Sequence[Constant]) -> tuple[Finding, ...]:
    """A finding for every parameter that nobody read in a source."""
    return tuple(
        Finding(
            "radiobiology.unverified",
            Severity.WARNING,
            f"{each.key} = {each.value:g} {each.unit} was not read in a source · check it before relying on the result",
            each.key,
            each.source,
        )
        for each in constants
        if each.mark is Mark.UNVERIFIED
    )


def _half_life(values: Values) -> tuple[Measured, tuple[Constant, ...], tuple[Finding, ...]]:
    name = values.text("nuclide") if values.has("nuclide") else ""
    clearance = [key for key in ("biological_half_life_h", "effective_half_life_h") if values.has(key)]
    if len(clearance) == 2:
        raise InvalidValue(" and ".join(clearance), "either follows from the other", "state one and leave out the other")
    if not clearance and name in NUCLIDES:
        require_half_life_of_dose(NUCLIDES[name], "state effective_half_life_h, or biological_half_life_h")
    physical, constants = _physical_half_life(values, name)
    findings = _physical_findings(physical, name)
    if not clearance:
        return physical, constants, findings
    if name in {nuclide.name for nuclide in THERAPEUTIC}:
        kind = clearance[0].partition("_")[0]
        article = "an" if kind == "effective" else "a"
        message = f"{article} {kind} half-life was stated for {name} · microspheres stay where they are: only the physical half-life holds for them"
        findings = (*findings, Finding("radiobiology.clearance_of_spheres", Severity.WARNING, message, clearance[0]))
    if clearance == ["effective_half_life_h"]:
        return _effective_half_life(values, physical), (), findings
    cleared = propagate(
        lambda physical, biological: bed.effective_half_life_h(physical, biological),
        physical=physical,
        biological=values.measured("biological_half_life_h"),
    )
    return cleared, constants, findings


def _effective_half_life(values: Values, physical: Measured) -> Measured:
    stated = values.measured("effective_half_life_h")
    if stated.value > physical.value * (1.0 + ROUNDING):
        raise InvalidValue(
            f"effective_half_life_h = {stated.value:g} h",
            f"decay alone has {physical.value:g} h, and clearance only shortens that",
            "check it and the nuclide",
        )
    return stated


def _physical_half_life(values: Values, name: str) -> tuple[Measured, tuple[Constant, ...]]:
    if values.has("half_life_h"):
        return values.measured("half_life_h"), ()
    if not name:
        raise InvalidValue(
            "nuclide and half_life_h are missing", "one of them is needed", "name the nuclide or state its half-life"
        )
    if name not in NUCLIDES:
        raise UnsupportedInput(
            f"nuclide {name!r} is not in the record",
            "",
            f"{offer(name, NUCLIDES)}, or state its physical half-life as half_life_h beside its name",
        )
    record = NUCLIDES[name].half_life_h
    return Measured(record.value, {"half_life": record.standard_uncertainty}), (record,)


def _physical_findings(physical: Measured, name: str) -> tuple[Finding, ...]:
    if name not in NUCLIDES or abs(physical.value / NUCLIDES[name].half_life_h.value - 1.0) <= 0.01:
        return ()
    message = (
        f"half_life_h = {physical.value:g} h differs by more than 1 % from that of {name}, {NUCLIDES[name].half_life_h.value:g} h · "
        "clearance is stated as biological_half_life_h or effective_half_life_h · check it"
    )
    return (Finding("radiobiology.half_life_differs", Severity.WARNING, message, "half_life_h"),)


def model_parameters(values: Values) -> ModelParameters:
    """α/β, repair half-time and half-life of a payload.

    Raises
    ------
    InvalidValue
        If one of them is neither stated nor follows from a tissue or a nuclide.
    """
    tissue = tissue_of(values)
    ratio, ratio_constants = parameter(values, "alpha_beta_gy", tissue, tissue.alpha_beta_gy if tissue else None)
    repair, repair_constants = parameter(values, "repair_half_time_h", tissue, tissue.repair_half_time_h if tissue else None)
    half_life, life_constants, findings = _half_life(values)
    inputs = {"ratio_gy": ratio, "repair_h": repair, "half_life_h": half_life}
    constants = (*ratio_constants, *repair_constants, *life_constants)
    slow: tuple[Finding, ...] = ()
    if repair.value > half_life.value:
        message = f"repair ({repair.value:g} h) is slower than decay ({half_life.value:g} h) · mono-exponential repair was never fitted there · check the units"
        slow = (Finding("radiobiology.slow_repair", Severity.WARNING, message, "repair_half_time_h"),)
    return ModelParameters(inputs, constants, (*findings, *slow, *unverified(constants)))


def factor_of(ratio_gy: float, repair_h: float, half_life_h: float) -> float:
    """Lea–Catcheside factor; takes what :func:`model_parameters` gives."""
    del ratio_gy
    return bed.repair_factor(half_life_h, repair_h)


def bed_of(dose_gy: float, ratio_gy: float, repair_h: float, half_life_h: float) -> float:
    """BED, Gy; takes what :func:`model_parameters` gives."""
    return bed.bed_gy(dose_gy, ratio_gy, bed.repair_factor(half_life_h, repair_h))


def _run_bed(values: Values) -> Outcome:
    known = model_parameters(values)
    fraction = values.number("fraction_gy")
    method = Method(
        bed.NAME,
        bed.VERSION,
        f"{bed.FORMULA};  {_eqd_formula(fraction)}",
        bed.SOURCES,
        known.constants,
        inputs_of(values, BED_FIELDS),
    )
    dose = values.measured("dose_gy")

    def eqd(dose_gy: float, ratio_gy: float, repair_h: float, half_life_h: float) -> float:
        return bed.eqd_gy(bed_of(dose_gy, ratio_gy, repair_h, half_life_h), ratio_gy, fraction)

    numbers = (
        method.number("bed_gy", "BED", propagate(bed_of, dose_gy=dose, **known.inputs), "Gy"),
        method.number(_eqd_key(fraction), f"dose in {fraction:g} Gy fractions", propagate(eqd, dose_gy=dose, **known.inputs), "Gy"),
        method.number("repair_factor", "Lea–Catcheside factor G", propagate(factor_of, **known.inputs), "1"),
    )
    return Outcome(numbers, findings=known.findings)


def _eqd_formula(fraction_gy: float) -> str:
    return f"EQD{fraction_gy:g} = BED / (1 + {fraction_gy:g} / (α/β))"


def _eqd_key(fraction_gy: float) -> str:
    return f"eqd{fraction_gy:g}_gy"


def _run_eqd2(values: Values) -> Outcome:
    outcome = _run_bed(values)
    bed_number, eqd_number, factor = outcome.numbers
    return Outcome((eqd_number, bed_number, factor), outcome.facts, outcome.findings)


def _run_eqd2_of_bed(values: Values) -> Outcome:
    tissue = tissue_of(values)
    ratio, constants = parameter(values, "alpha_beta_gy", tissue, tissue.alpha_beta_gy if tissue else None)
    fraction = values.number("fraction_gy")
    shown = inputs_of(values, EQD2_OF_BED_FIELDS)
    method = Method("EQD2 of a BED", bed.VERSION, _eqd_formula(fraction), bed.SOURCES, constants, shown)
    eqd = propagate(lambda b, ratio_gy: bed.eqd_gy(b, ratio_gy, fraction), b=values.measured("bed_gy"), ratio_gy=ratio)
    number = method.number(_eqd_key(fraction), f"dose in {fraction:g} Gy fractions", eqd, "Gy")
    return Outcome((number,), findings=unverified(constants))


def _run_dose_from_bed(values: Values) -> Outcome:
    known = model_parameters(values)
    shown = inputs_of(values, DOSE_FROM_BED_FIELDS)
    method = Method("dose of a BED", bed.VERSION, _INVERSE_FORMULA, bed.SOURCES, known.constants, shown)
    dose = propagate(_dose, goal_gy=values.measured("bed_gy"), **known.inputs)
    numbers = (
        method.number("dose_gy", "absorbed dose after full decay", dose, "Gy"),
        method.number("repair_factor", "Lea–Catcheside factor G", propagate(factor_of, **known.inputs), "1"),
    )
    return Outcome(numbers, findings=known.findings)


def _run_dose_from_eqd2(values: Values) -> Outcome:
    known = model_parameters(values)
    fraction = values.number("fraction_gy")

    def reached(goal_gy: float, ratio_gy: float) -> float:
        return bed.bed_from_eqd_gy(goal_gy, ratio_gy, fraction)

    def dose(goal_gy: float, ratio_gy: float, repair_h: float, half_life_h: float) -> float:
        return _dose(reached(goal_gy, ratio_gy), ratio_gy, repair_h, half_life_h)

    formula = f"{_INVERSE_FORMULA};  BED = EQD{fraction:g} · (1 + {fraction:g} / (α/β))"
    shown = inputs_of(values, DOSE_FROM_EQD2_FIELDS)
    method = Method("dose of an EQD2", bed.VERSION, formula, bed.SOURCES, known.constants, shown)
    goal = values.measured("eqd2_gy")
    numbers = (
        method.number("dose_gy", "absorbed dose after full decay", propagate(dose, goal_gy=goal, **known.inputs), "Gy"),
        method.number("bed_gy", "BED", propagate(reached, goal_gy=goal, ratio_gy=known.inputs["ratio_gy"]), "Gy"),
        method.number("repair_factor", "Lea–Catcheside factor G", propagate(factor_of, **known.inputs), "1"),
    )
    return Outcome(numbers, findings=known.findings)


def _dose(goal_gy: float, ratio_gy: float, repair_h: float, half_life_h: float) -> float:
    return bed.dose_from_bed_gy(goal_gy, ratio_gy, bed.repair_factor(half_life_h, repair_h))


def _run_time(values: Values) -> Outcome:
    half_life, constants, findings = _half_life(values)
    share = values.measured("dose_fraction")
    formula = "t = −T½ · ln(1 − f) / ln 2;  Ḋ₀ = D · ln 2 / T½;  Ḋ = Ḋ₀ · (1 − f)"
    method = Method("time of dose", bed.VERSION, formula, (), constants, inputs_of(values, TIME_FIELDS))
    elapsed = propagate(lambda f, half: bed.time_to_fraction_h(f, half), f=share, half=half_life)
    numbers = [method.number("elapsed_h", f"time until {share.value:g} of the dose is given", elapsed, "h")]
    if values.has("dose_gy"):
        dose = values.measured("dose_gy")
        first = propagate(lambda d, half: bed.dose_rate_gy_per_h(d, half), d=dose, half=half_life)
        then = propagate(lambda d, half, f: (1.0 - f) * bed.dose_rate_gy_per_h(d, half), d=dose, half=half_life, f=share)
        numbers.append(method.number("initial_dose_rate_gy_per_h", "dose rate at administration", first, "Gy/h"))
        numbers.append(method.number("dose_rate_gy_per_h", "dose rate at that time", then, "Gy/h"))
    return Outcome(tuple(numbers), findings=findings)


@dataclass(frozen=True)
class _Session:
    """One session: its dose, and the half-life with which it was given or the fractions."""

    dose: Measured
    pace: Measured
    fractionated: bool

    def bed(self, dose_gy: float, pace: float, ratio_gy: float, repair_h: float) -> float:
        """BED, Gy; ``pace`` is a half-life in h, or the dose per fraction in Gy."""
        if self.fractionated:
            return bed.bed_from_eqd_gy(dose_gy, ratio_gy, pace)
        return bed_of(dose_gy, ratio_gy, repair_h, pace)


def _session(name: str, payload: Mapping[str, object]) -> tuple[_Session, tuple[Constant, ...], tuple[Finding, ...]]:
    values, unusual = read_fields(SESSION_FIELDS, payload, f"session {name!r}")
    of_beam = values.has("fraction_gy")
    if of_beam == (values.has("nuclide") or values.has("half_life_h")):
        raise InvalidValue(
            f"session {name!r}", "it is either of a nuclide or of fractions", "state nuclide (or half_life_h), or fraction_gy"
        )
    dose = _own(values.measured("dose_gy"), "dose_gy", name)
    if of_beam:
        return _Session(dose, _own(values.measured("fraction_gy"), "fraction_gy", name), True), (), unusual
    half_life, constants, findings = _half_life(values)
    return _Session(dose, _own(half_life, "half_life_h", name), False), constants, (*unusual, *findings)


def _own(measured: Measured, key: str, session: str) -> Measured:
    """An uncertainty stated for one session belongs to it alone; named sources stay shared."""
    return Measured(measured.value, {(f"{key}.{session}" if k == key else k): u for k, u in measured.contributions.items()})


def _run_cumulative(values: Values) -> Outcome:
    tissue = tissue_of(values)
    ratio, ratio_constants = parameter(values, "alpha_beta_gy", tissue, tissue.alpha_beta_gy if tissue else None)
    repair, repair_constants = parameter(values, "repair_half_time_h", tissue, tissue.repair_half_time_h if tissue else None)
    sessions: dict[str, _Session] = {}
    findings: list[Finding] = []
    constants = [*ratio_constants, *repair_constants]
    for name, payload in values.objects("sessions").items():
        sessions[name], more, unusual = _session(name, payload)
        constants += more
        findings += unusual
    fraction = values.number("reference_fraction_gy")

    def total(ratio_gy: float, repair_h: float, **parts: float) -> float:
        doses_and_paces = zip(sessions.values(), list(parts.values())[::2], list(parts.values())[1::2], strict=True)
        return sum(session.bed(dose, pace, ratio_gy, repair_h) for session, dose, pace in doses_and_paces)

    def as_fractions(ratio_gy: float, repair_h: float, **parts: float) -> float:
        return bed.eqd_gy(total(ratio_gy, repair_h, **parts), ratio_gy, fraction)

    parts = {key: part for name, s in sessions.items() for key, part in ((f"{name}.dose", s.dose), (f"{name}.pace", s.pace))}
    formula = "BED = Σ BED_i;  BED_i = D_i · (1 + D_i · G_i / (α/β)),  G_i = T_rep / (T_rep + T_i);  BED_i = D_i · (1 + d_i / (α/β)) for fractions"
    used = tuple(dict.fromkeys(constants))
    method = Method("cumulative BED", bed.VERSION, formula, bed.SOURCES, used, inputs_of(values, CUMULATIVE_FIELDS))
    each = [
        method.number(
            f"{name}.bed_gy",
            f"BED of {name}",
            propagate(session.bed, dose_gy=session.dose, pace=session.pace, ratio_gy=ratio, repair_h=repair),
            "Gy",
        )
        for name, session in sessions.items()
    ]
    numbers = (
        method.number("bed_gy", "BED of all sessions", propagate(total, ratio_gy=ratio, repair_h=repair, **parts), "Gy"),
        method.number(
            _eqd_key(fraction),
            f"all sessions as dose in {fraction:g} Gy fractions",
            propagate(as_fractions, ratio_gy=ratio, repair_h=repair, **parts),
            "Gy",
        ),
        *each,
    )
    return Outcome(numbers, findings=(*findings, *unverified(used), *_cumulative_findings(sessions)))


def _cumulative_findings(sessions: Mapping[str, _Session]) -> tuple[Finding, ...]:
    limit = (
        "no published limit on cumulative dose over repeated SIRT, or SIRT with radioligand therapy, was found; none is applied · "
        "the sum takes the same tissue to have received all sessions, fully repaired between them and never regrown"
    )
    found = [Finding("radiobiology.no_cumulative_limit", Severity.NOTE, limit)]
    paces = {(s.fractionated, s.pace.value) for s in sessions.values()}
    if len(paces) > 1:
        message = "sessions gave their dose at different rates · their absorbed doses must not be added; BED and EQD2 were"
        found.append(Finding("radiobiology.different_rates", Severity.NOTE, message))
    return tuple(found)


RADIOBIOLOGY_MODELS = (
    CalcModel("bed", "BED and EQD2 of an absorbed dose from decaying, trapped activity", BED_FIELDS, _run_bed),
    CalcModel("eqd2", "dose in 2 Gy fractions that equals an absorbed dose", BED_FIELDS, _run_eqd2),
    CalcModel("eqd2-from-bed", "dose in 2 Gy fractions of a BED", EQD2_OF_BED_FIELDS, _run_eqd2_of_bed),
    CalcModel("dose-from-bed", "absorbed dose that reaches a BED", DOSE_FROM_BED_FIELDS, _run_dose_from_bed),
    CalcModel("dose-from-eqd2", "absorbed dose that equals a dose in 2 Gy fractions", DOSE_FROM_EQD2_FIELDS, _run_dose_from_eqd2),
    CalcModel(
        "cumulative-bed", "BED and EQD2 summed over sessions of any nuclide, and fractions", CUMULATIVE_FIELDS, _run_cumulative
    ),
    CalcModel("dose-time", "time until a share of the dose is given, and the dose rate then", TIME_FIELDS, _run_time),
)

"""Spared liver, dose over sessions and late effects for ``calc``."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from opensirt.radioembolisation.workup.late_effects import (
    Extent,
    LateFigure,
    LiverVolumes,
    TreatmentCourse,
    late_effects,
    spared_liver,
)
from opensirt.vocabulary.limits import INDICATIONS
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.provenance import ReportedNumber
from opensirt.workflow.calc_choices import chosen, words
from opensirt.workflow.calc_earlier import EARLIER_FIELDS, earlier_treatments
from opensirt.workflow.calc_fields import Field, Kind, Values
from opensirt.workflow.calc_model import CalcModel, Outcome, inputs_of

_EXTENTS = {"part": Extent.PART, "whole": Extent.WHOLE}
SPARED_FIELDS = (
    Field("liver_ml", Kind.POSITIVE, "whole liver with its tumours, mL", 1900.0, plausible=(500.0, 6000.0)),
    Field("tumour_ml", Kind.NOT_NEGATIVE, "all tumour in the liver, mL", 250.0, plausible=(0.0, 4000.0)),
    Field("treated_ml", Kind.NOT_NEGATIVE, "perfused volume with its tumours, mL", 1150.0, plausible=(10.0, 6000.0)),
    Field("treated_tumour_ml", Kind.NOT_NEGATIVE, "tumour in the perfused volume, mL", 220.0, plausible=(0.0, 4000.0)),
    Field("bsa_m2", Kind.POSITIVE, "body surface area, m²; without it nothing is standardised", 1.8, None, (1.0, 3.0)),
)
LATE_FIELDS = (
    *SPARED_FIELDS,
    Field("extent", Kind.TEXT, f"how much of the liver is treated: {words(_EXTENTS)}", "part"),
    Field("indication", Kind.TEXT, f"indication: {words(INDICATIONS)}", "NET", "NET"),
    Field("normal_liver_gy", Kind.NOT_NEGATIVE, "mean dose of the whole normal liver, Gy", 24.0, None, (0.0, 200.0)),
    Field("product", Kind.TEXT, "product of this treatment", "glass", None),
    *EARLIER_FIELDS,
)


def _volumes(values: Values) -> LiverVolumes:
    return LiverVolumes(*(values.measured(key) for key in ("liver_ml", "tumour_ml", "treated_ml", "treated_tumour_ml")))


def _surface(values: Values) -> Measured | None:
    return values.measured("bsa_m2") if values.has("bsa_m2") else None


def _named(numbers: tuple[ReportedNumber, ...], values: Values, fields: tuple[Field, ...]) -> tuple[ReportedNumber, ...]:
    inputs = inputs_of(values, fields)
    return tuple(replace(number, key=number.key.removeprefix("late."), inputs=inputs) for number in numbers)


def _spared(values: Values) -> Outcome:
    return Outcome(_named(spared_liver(_volumes(values), _surface(values)), values, SPARED_FIELDS))


def _figure(figure: LateFigure) -> dict[str, Any]:
    interval = figure.interval_90_percent
    shown = asdict(figure) | {"extent": figure.extent.value, "mark": figure.mark.value}
    return shown | {"interval_90_percent": None if interval is None else [round(end, 1) for end in interval]}


def _late(values: Values) -> Outcome:
    course = TreatmentCourse(
        chosen(values, "extent", _EXTENTS),
        chosen(values, "indication", {name: name for name in INDICATIONS}),
        values.measured("normal_liver_gy") if values.has("normal_liver_gy") else None,
        values.text("product") if values.has("product") else "",
        earlier_treatments(values),
    )
    found = late_effects(_volumes(values), course, _surface(values))
    sessions = course.earlier.sessions if course.earlier is not None else ()
    facts = {"seen_late": [_figure(figure) for figure in found.figures], "earlier_sessions": [asdict(each) for each in sessions]}
    return Outcome(_named(found.numbers, values, LATE_FIELDS), facts, found.findings)


LATE_MODELS = (
    CalcModel(
        "spared-remnant", "treated and spared liver, and the spared part over standard liver volumes", SPARED_FIELDS, _spared
    ),
    CalcModel(
        "late-effects",
        "spared liver, normal liver dose over sessions, and what was seen late after such treatment",
        LATE_FIELDS,
        _late,
    ),
)

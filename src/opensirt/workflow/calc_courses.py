"""A course of sessions for ``calc``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opensirt.radioembolisation.treatment.courses import COURSES_VERSION, Course, CourseKind, Session, SessionInjection, course_sums
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.products import product_named
from opensirt.workflow.calc_fields import Field, Kind, Values, read_fields
from opensirt.workflow.calc_model import CalcModel, Method, Outcome, inputs_of
from opensirt.workflow.calc_vials import PRODUCT

COURSE_FIELDS = (
    Field("kind", Kind.TEXT, "; ".join(kind.value for kind in CourseKind), "lobar sequential"),
    Field(
        "sessions",
        Kind.OBJECTS,
        "sessions by name: at, product, delivered_gbq and treated_volume_ml by territory, dose_gy and bed_gy by structure",
        {
            "first": {
                "at": "2026-10-07T10:00:00+01:00",
                "product": "glass",
                "delivered_gbq": {"right": 2.4},
                "treated_volume_ml": {"right": 1100.0},
                "dose_gy": {"normal_liver": 32.0, "lungs": 6.0},
            },
            "second": {
                "at": "2026-11-11T10:00:00+00:00",
                "product": "glass",
                "delivered_gbq": {"left": 1.2},
                "treated_volume_ml": {"left": 600.0},
                "dose_gy": {"normal_liver": 14.0, "lungs": 3.0},
            },
        },
    ),
    Field("liver_volume_ml", Kind.POSITIVE, "volume of the liver", 1750.0, None, (500.0, 6000.0)),
)
SESSION_FIELDS = (
    Field("at", Kind.INSTANT, "instant of administration", None),
    PRODUCT,
    Field("delivered_gbq", Kind.BY_NAME, "delivered activity by territory", None),
    Field("treated_volume_ml", Kind.BY_NAME, "treated volume by territory", None, None),
    Field("dose_gy", Kind.BY_NAME, "absorbed dose by structure", None, None),
    Field("bed_gy", Kind.BY_NAME, "biologically effective dose by structure", None, None),
)


def _session(name: str, given: Mapping[str, Any]) -> Session:
    read, _ = read_fields(SESSION_FIELDS, given, f"session {name}")
    delivered = read.by_name("delivered_gbq")
    volumes = read.by_name("treated_volume_ml") if read.has("treated_volume_ml") else {}
    unknown = sorted(set(volumes) - set(delivered))
    if unknown:
        raise InvalidValue(
            f"session {name} states volumes of {', '.join(unknown)}", "nothing was delivered there", "name territories alike"
        )
    return Session(
        read.instant("at"),
        product_named(read.text("product")),
        tuple(
            SessionInjection(territory, Measured(gbq), Measured(volumes[territory]) if territory in volumes else None)
            for territory, gbq in delivered.items()
        ),
        {key: Measured(gy) for key, gy in (read.by_name("dose_gy") if read.has("dose_gy") else {}).items()},
        {key: Measured(gy) for key, gy in (read.by_name("bed_gy") if read.has("bed_gy") else {}).items()},
    )


def _course(values: Values) -> Outcome:
    sessions = tuple(_session(name, given) for name, given in values.objects("sessions").items())
    liver = values.measured("liver_volume_ml") if values.has("liver_volume_ml") else None
    course = Course(_kind(values), sessions, liver)
    sums = course_sums(course)
    method = Method(
        "sums over a course",
        COURSES_VERSION,
        "A = Σ A_session, D = Σ D_session per structure and nuclide; BED = Σ BED_session; V = Σ V of different territories",
        ("van Roekel thesis p. 38-39",),
        inputs=inputs_of(values, COURSE_FIELDS),
    )
    numbers = [
        method.number(f"{nuclide}.delivered_gbq", f"delivered activity, {nuclide}", gbq, "GBq")
        for nuclide, gbq in sums.delivered_gbq.items()
    ]
    numbers += [
        method.number(f"{structure}.{nuclide}.dose_gy", f"dose of {structure}, {nuclide}", dose, "Gy")
        for structure, by_nuclide in sums.dose_gy.items()
        for nuclide, dose in by_nuclide.items()
    ]
    numbers += [method.number(f"{structure}.bed_gy", f"BED of {structure}", bed, "Gy") for structure, bed in sums.bed_gy.items()]
    if sums.treated_volume_ml is not None:
        numbers.append(method.number("treated_volume_ml", "treated volume", sums.treated_volume_ml, "mL"))
    if sums.treated_fraction is not None:
        numbers.append(method.number("treated_fraction", "treated share of the liver", sums.treated_fraction, "1"))
    facts = {"intervals_days": list(sums.intervals_days), "number_of_sessions": len(sessions), "kind": course.kind.value}
    return Outcome(tuple(numbers), facts, sums.findings)


def _kind(values: Values) -> CourseKind:
    text = values.text("kind")
    if text not in {kind.value for kind in CourseKind}:
        raise InvalidValue(f"kind: {text!r} is not known", "", offer(text, [kind.value for kind in CourseKind]))
    return CourseKind(text)


COURSE_MODELS = (CalcModel("course-sums", "sums over a course of sessions", COURSE_FIELDS, _course),)

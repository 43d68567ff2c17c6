"""Tables for ``calc``: vials by hours after calibration, spheres by day."""

from __future__ import annotations

from opensirt.radioembolisation.treatment.vials import VIALS_VERSION, require_on_shelf
from opensirt.vocabulary.activity import hours_between
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.products import DrawnVials, Product, WholeVials, product_named
from opensirt.vocabulary.units import BQ_PER_GBQ, HOURS_PER_DAY
from opensirt.workflow.calc_fields import Field, Kind, Values
from opensirt.workflow.calc_model import ACTIVITY_RANGE_GBQ, CalcModel, Method, Outcome, inputs_of
from opensirt.workflow.calc_vials import PRODUCT, half_life_of

HOURS_PER_WEEK = 168.0
TABLE_FIELDS = (
    PRODUCT,
    Field(
        "sizes_gbq",
        Kind.NUMBERS,
        "activities at calibration; the product's sizes where not stated",
        [3.0, 5.0, 7.0, 10.0, 15.0, 20.0],
        None,
    ),
    Field("elapsed_h", Kind.NUMBERS, "hours after calibration; or state both instants", None, None),
    Field("calibrated_at", Kind.INSTANT, "calibration", "2026-11-01T12:00:00-05:00", None),
    Field("treatment_at", Kind.INSTANT, "treatment", "2026-11-04T10:00:00+00:00", None),
)
SPHERE_FIELDS = (
    PRODUCT,
    Field("activity_gbq", Kind.POSITIVE, "activity at use", 2.0, plausible=ACTIVITY_RANGE_GBQ),
    Field(
        "days_after_calibration",
        Kind.NUMBERS,
        "ages of the vial (Ho-166: days after the instant of the order)",
        [float(day) for day in range(13)],
        None,
    ),
    Field("days_before_calibration", Kind.NUMBERS, "days before calibration at which it is used", None, None),
    Field(
        "bq_per_sphere",
        Kind.POSITIVE,
        "activity per sphere at calibration; the published one where not stated",
        None,
        None,
        (20.0, 5000.0),
    ),
)


def _table(values: Values) -> Outcome:
    product = product_named(values.text("product"))
    supply = product.vials
    if values.has("sizes_gbq"):
        sizes = values.numbers("sizes_gbq")
    elif isinstance(supply, WholeVials):
        sizes = list(supply.sizes_gbq)
    elif isinstance(supply, DrawnVials):
        sizes = [supply.size_gbq.value]
    else:
        raise InvalidValue(
            f"sizes_gbq is missing for {product.name}", "it does not come in a list of sizes", "state the activities at calibration"
        )
    elapsed = _elapsed_h(values, product)
    half_life = half_life_of(product)
    method = Method(
        "vial table",
        VIALS_VERSION,
        "A(t) = A_cal · 2^(−t/T½)",
        (supply.source,),
        (product.nuclide.half_life_h, product.bq_per_sphere),
        inputs_of(values, TABLE_FIELDS),
    )
    numbers = [
        method.number(
            f"{size:g}gbq.{hours:g}h.held_gbq",
            f"{size:g} GBq vial, {hours:g} h after calibration",
            propagate(lambda half, size=size, hours=hours: size * 2.0 ** (-hours / half), half=half_life),
            "GBq",
        )
        for hours in elapsed
        for size in sizes
    ]
    rows = [
        {"elapsed_h": hours, "held_gbq": {f"{size:g}": size * product.nuclide.decay_factor(hours) for size in sizes}}
        for hours in elapsed
    ]
    spheres = {f"{size:g}": size * BQ_PER_GBQ / product.bq_per_sphere.value for size in sizes}
    return Outcome(tuple(numbers), {"rows": rows, "spheres": spheres})


def _elapsed_h(values: Values, product: Product) -> list[float]:
    instants = values.has("calibrated_at") and values.has("treatment_at")
    if instants == values.has("elapsed_h") or values.has("calibrated_at") != values.has("treatment_at"):
        raise InvalidValue(
            "elapsed_h, or calibrated_at and treatment_at",
            "exactly one of the two ways is needed",
            "state one and leave out the other",
        )
    if not instants:
        return values.numbers("elapsed_h")
    calibrated, at = values.instant("calibrated_at"), values.instant("treatment_at")
    require_on_shelf(product, calibrated, at)
    return [hours_between(calibrated, at)]


def _sphere_table(values: Values) -> Outcome:
    product = product_named(values.text("product"))
    after = values.numbers("days_after_calibration") if values.has("days_after_calibration") else []
    before = values.numbers("days_before_calibration") if values.has("days_before_calibration") else []
    ages = [-day for day in sorted(before, reverse=True)] + after
    if not ages:
        raise InvalidValue(
            "days_after_calibration, days_before_calibration", "at least one day is needed", "state the ages of the table"
        )
    stated = values.has("bq_per_sphere")
    constant = product.bq_per_sphere
    each = (
        values.measured("bq_per_sphere")
        if stated
        else Measured(constant.value, {"activity_per_sphere": constant.standard_uncertainty})
    )
    method = Method(
        "sphere table",
        VIALS_VERSION,
        "a(t) = a₀ · 2^(−t/T½);  N = A / a(t)",
        constants=(product.nuclide.half_life_h, *(() if stated else (constant,))),
        inputs=inputs_of(values, SPHERE_FIELDS),
    )
    half_life = half_life_of(product)
    numbers = []
    for days in ages:
        hours = days * HOURS_PER_DAY
        one = propagate(lambda a, half, hours=hours: a * 2.0 ** (-hours / half), a=each, half=half_life)
        count = propagate(
            lambda total, a, half, hours=hours: total * BQ_PER_GBQ / (a * 2.0 ** (-hours / half)),
            total=values.measured("activity_gbq"),
            a=each,
            half=half_life,
        )
        numbers.append(method.number(f"day{days:g}.bq_per_sphere", f"activity per sphere, day {days:g}", one, "Bq"))
        numbers.append(method.number(f"day{days:g}.spheres", f"spheres, day {days:g}", count, "1"))
    facts = {
        "second_week_ratio": 2.0 ** (HOURS_PER_WEEK / half_life.value),
        "published_range_bq_per_sphere": list(product.bq_per_sphere_range),
    }
    return Outcome(tuple(numbers), facts)


VIAL_TABLE_MODELS = (
    CalcModel("vial-table", "activity of vials by hours after calibration", TABLE_FIELDS, _table),
    CalcModel("sphere-table", "activity per sphere and number of spheres by day", SPHERE_FIELDS, _sphere_table),
)

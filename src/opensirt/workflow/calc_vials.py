"""Vials for ``calc``: orders of every product, and what a delay costs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opensirt.encoding import unstructure
from opensirt.files.delivery_calendar import SCHEMA, VERSION, default_delivery_calendar, delivery_calendar_from_json
from opensirt.radioembolisation.treatment.combinations import OrderRules, Spheres
from opensirt.radioembolisation.treatment.delivery_calendar import DeliveryCalendar
from opensirt.radioembolisation.treatment.order_values import ORDERS_VERSION, VialOrder
from opensirt.radioembolisation.treatment.orders import order
from opensirt.radioembolisation.treatment.schedule import FORMULA as SCHEDULE_FORMULA
from opensirt.radioembolisation.treatment.schedule import SCHEDULE_VERSION, schedule
from opensirt.vocabulary.activity import hours_between
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.measured import Measured, propagate
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.products import Product, WholeVials, product_named, require_same_product
from opensirt.vocabulary.provenance import Constant
from opensirt.vocabulary.units import PERCENT
from opensirt.workflow.calc_fields import Field, Kind, Values, read_fields
from opensirt.workflow.calc_model import ACTIVITY_RANGE_GBQ, CalcModel, Method, Outcome, inputs_of

PRODUCT = Field("product", Kind.TEXT, "glass, resin or ho166", "glass")
LONGEST_TABLE_ROWS = 2000
ORDER_FORMULA = (
    "dispensed = planned / (1 − R);  A(t) = A_cal · 2^(−(t − t_cal)/T½);  whole vials: smallest step of |Σ A − dispensed|, then fewest vials, "
    "then spheres;  drawn: vials = ⌈Σ dispensed_cal / size⌉;  made to order: A_order = Σ dispensed · 2^((t − t_order)/T½)"
)
ORDER_FIELDS = (
    PRODUCT,
    Field("treatment_at", Kind.INSTANT, "instant of treatment", "2026-11-04T10:00:00+00:00"),
    Field("delivered_gbq", Kind.POSITIVE, "activity to deliver, one injection", None, None, ACTIVITY_RANGE_GBQ),
    Field(
        "injections",
        Kind.OBJECTS,
        "several injections by territory: delivered_gbq each, and 'at' where it is not the instant of treatment",
        {"right": {"delivered_gbq": 2.4}, "left": {"delivered_gbq": 1.2, "at": "2026-11-04T11:00:00+00:00"}},
        None,
    ),
    Field(
        "residual_fraction",
        Kind.FRACTION,
        "share that stays behind; the published median where not stated",
        None,
        None,
        (0.0, 0.25),
    ),
    Field("calibrated_at", Kind.INSTANT, "a calibration (Ho-166: instant of the order) that is fixed already", None, None),
    Field("spheres", Kind.TEXT, "preference among equal choices: usual, fewest, most", "usual", "usual"),
    Field("largest_number_of_vials", Kind.POSITIVE, "vials per injection, 1 to 3", 3, 3),
    Field("equal_within_fraction", Kind.FRACTION, "step in which deviations from the plan are counted", 0.05, 0.05),
    Field("window_h", Kind.NOT_NEGATIVE, "hours either side for which contents are shown", 4.0, 4.0, (0.0, 48.0)),
    Field("limits_product", Kind.TEXT, "product to which the limits of the plan belong; refused if it is another", None, None),
    Field("placed_at", Kind.INSTANT, "when the order is placed, held against the cut-off", None, None),
    Field("calendar", Kind.OBJECTS, "the site's delivery data by product, as in a delivery calendar", None, None),
    Field("site_time_zone", Kind.TEXT, "IANA zone of the site", "Europe/London", "UTC"),
)
INJECTION_FIELDS = (
    Field("delivered_gbq", Kind.POSITIVE, "activity to deliver", None, plausible=ACTIVITY_RANGE_GBQ),
    Field("at", Kind.INSTANT, "instant of this injection", None, None),
)
SCHEDULE_FIELDS = (
    *ORDER_FIELDS,
    Field(
        "gy_per_gbq",
        Kind.OBJECTS,
        "dose per delivered activity, Gy/GBq, by structure, then territory (any name where there is one injection)",
        {"tumour": {"right": 60.0, "left": 10.0}},
        None,
    ),
    Field("from_h", Kind.NUMBER, "first delay, h; negative before the plan", -24.0, -24.0, (-72.0, 72.0)),
    Field("to_h", Kind.NUMBER, "last delay, h", 48.0, 48.0, (-72.0, 336.0)),
    Field("step_h", Kind.POSITIVE, "step, h", 1.0, 1.0, (1.0 / 60.0, 24.0)),
    Field("tolerance_fraction", Kind.FRACTION, "deviation from the plan that is accepted", 0.1, 0.1, (0.0, 0.25)),
)


def half_life_of(product: Product) -> Measured:
    """Half-life of a product's nuclide with its spread, h."""
    constant = product.nuclide.half_life_h
    return Measured(constant.value, {"half_life": constant.standard_uncertainty})


def _residual(values: Values, product: Product) -> tuple[Measured, tuple[Constant, ...]]:
    if values.has("residual_fraction"):
        return values.measured("residual_fraction"), ()
    constant = product.residual_fraction
    return Measured(constant.value, {"residual": constant.standard_uncertainty}), (constant,)


def _calendar(values: Values) -> DeliveryCalendar:
    if not values.has("calendar"):
        default = default_delivery_calendar()
        return DeliveryCalendar(default.site, values.text("site_time_zone"), default.products)
    document = {
        "schema": SCHEMA,
        "version": VERSION,
        "site": "stated in the payload",
        "time_zone": values.text("site_time_zone"),
        "products": values.objects("calendar"),
    }
    return delivery_calendar_from_json(json.dumps(document), "calendar")


def _preference(values: Values) -> Spheres:
    text = values.text("spheres")
    if text not in {kind.value for kind in Spheres}:
        raise InvalidValue(f"spheres: {text!r} is not known", "", offer(text, [kind.value for kind in Spheres]))
    return Spheres(text)


def _whole_number(values: Values, key: str) -> int:
    number = values.number(key)
    if number != math.floor(number):
        raise InvalidValue(f"{key}: {number:g} is no whole number", "", "give 1, 2 or 3")
    return int(number)


@dataclass(frozen=True)
class _Planned:
    """Planned activities by territory, instants of their own, and findings about their units."""

    gbq: dict[str, Measured]
    instants: dict[str, datetime]
    findings: tuple[Finding, ...] = ()


def _planned(values: Values) -> _Planned:
    if values.has("injections") == values.has("delivered_gbq"):
        raise InvalidValue("injections and delivered_gbq", "exactly one of them is needed", "state one and leave out the other")
    if values.has("delivered_gbq"):
        return _Planned({"": values.measured("delivered_gbq")}, {})
    read = {name: read_fields(INJECTION_FIELDS, given, f"injection {name}") for name, given in values.objects("injections").items()}
    return _Planned(
        {name: _own(one.measured("delivered_gbq"), name) for name, (one, _) in read.items()},
        {name: one.instant("at") for name, (one, _) in read.items() if one.has("at")},
        tuple(finding for _, found in read.values() for finding in found),
    )


def _own(measured: Measured, injection: str) -> Measured:
    """An uncertainty stated for one injection belongs to it alone; named sources stay shared."""
    key = "delivered_gbq"
    return Measured(
        measured.value, {(f"{key}.{injection}" if source == key else source): u for source, u in measured.contributions.items()}
    )


def _ordered(values: Values, planned: _Planned) -> VialOrder:
    product = product_named(values.text("product"))
    if values.has("limits_product"):
        require_same_product(product, values.text("limits_product"), "limits")
    rules = OrderRules(
        _preference(values),
        _whole_number(values, "largest_number_of_vials"),
        values.number("equal_within_fraction"),
        values.number("window_h"),
        values.instant("calibrated_at") if values.has("calibrated_at") else None,
        values.instant("placed_at") if values.has("placed_at") else None,
    )
    residual = values.number("residual_fraction") if values.has("residual_fraction") else None
    return order(
        product,
        {territory: gbq.value for territory, gbq in planned.gbq.items()},
        values.instant("treatment_at"),
        _calendar(values),
        residual_fraction=residual,
        rules=rules,
        instants=planned.instants,
    )


def _order_method(values: Values, fields: tuple[Field, ...], made: VialOrder) -> Method:
    constants = (made.product.nuclide.half_life_h, made.product.bq_per_sphere, *_residual(values, made.product)[1])
    return Method("vial order", ORDERS_VERSION, ORDER_FORMULA, (made.product.vials.source,), constants, inputs_of(values, fields))


def _order(values: Values) -> Outcome:
    planned = _planned(values)
    made = _ordered(values, planned)
    product, method = made.product, _order_method(values, ORDER_FIELDS, made)
    residual, half_life = _residual(values, product)[0], half_life_of(product)
    by_number = {vial.number: vial for vial in made.vials}
    numbers = []
    for injection in made.injections:
        prefix = f"{injection.territory}." if injection.territory else ""
        mine = [draw for draw in made.draws if draw.territory == injection.territory]

        def dispensed(half: float, mine: list[Any] = mine) -> float:
            if not isinstance(product.vials, WholeVials):
                return math.fsum(draw.drawn_gbq for draw in mine)
            return math.fsum(
                by_number[draw.vial_number].size_gbq
                * 2.0 ** (-hours_between(by_number[draw.vial_number].calibrated_at, draw.at) / half)
                for draw in mine
            )

        named = injection.territory or "the injection"
        given = propagate(lambda half, dispensed=dispensed: dispensed(half), half=half_life)
        reaches = propagate(lambda half, r, dispensed=dispensed: dispensed(half) * (1.0 - r), half=half_life, r=residual)
        needed = propagate(lambda a, r: a / (1.0 - r), a=planned.gbq[injection.territory], r=residual)
        numbers += [
            method.number(f"{prefix}needed_gbq", f"to dispense for {named} by the plan", needed, "GBq"),
            method.number(f"{prefix}dispensed_gbq", f"dispensed for {named}", given, "GBq"),
            method.number(f"{prefix}delivered_gbq", f"delivered to {named}", reaches, "GBq"),
            method.number(f"{prefix}spheres", f"spheres given to {named}", _spheres(product, injection.number_of_spheres), "1"),
        ]
    for vial in made.vials:
        held = propagate(
            lambda half, vial=vial: vial.size_gbq * 2.0 ** (-hours_between(vial.calibrated_at, vial.used_at) / half),
            half=half_life,
        )
        numbers.append(
            method.number(f"vial{vial.number}.at_treatment_gbq", f"content of vial {vial.number} at its injection", held, "GBq")
        )
        numbers.append(method.number(f"vial{vial.number}.size_gbq", "activity at calibration", Measured(vial.size_gbq), "GBq"))
    return Outcome(tuple(numbers), _order_facts(made), (*planned.findings, *made.findings))


def _spheres(product: Product, number: float) -> Measured:
    each = product.bq_per_sphere
    return Measured(number, {"activity_per_sphere": -number * each.standard_uncertainty / each.value})


def _order_facts(made: VialOrder) -> dict[str, Any]:
    product = made.product
    return {
        "number_of_vials": len(made.vials),
        "vials": unstructure(made.vials),
        "draws": unstructure(made.draws),
        "injections": unstructure(made.injections),
        "order_by": None if made.order_by is None else made.order_by.isoformat(),
        "device": {**unstructure(product.device), "nuclide": product.nuclide.name},
        "product": product.key,
    }


def _delays(values: Values) -> list[float]:
    first, last, step = values.number("from_h"), values.number("to_h"), values.number("step_h")
    rows = (last - first) / step
    if not 0.0 <= rows <= LONGEST_TABLE_ROWS:
        raise InvalidValue(
            f"from_h {first:g} to to_h {last:g} by step_h {step:g}",
            f"0 to {LONGEST_TABLE_ROWS} steps make a table",
            "check the three",
        )
    return [first + n * step for n in range(math.floor(rows + 1e-9) + 1)]


def _schedule(values: Values) -> Outcome:
    planned = _planned(values)
    made = _ordered(values, planned)
    alone = set(planned.gbq) == {""}
    gy_per_gbq = {
        structure: {("" if alone and len(row) == 1 else territory): _number(gy, structure) for territory, gy in row.items()}
        for structure, row in (values.objects("gy_per_gbq") if values.has("gy_per_gbq") else {}).items()
    }
    table = schedule(made, gy_per_gbq, delays_h=_delays(values), tolerance_fraction=values.number("tolerance_fraction"))
    method = Method(
        "schedule of delays",
        SCHEDULE_VERSION,
        SCHEDULE_FORMULA,
        constants=(made.product.nuclide.half_life_h,),
        inputs=inputs_of(values, SCHEDULE_FIELDS),
    )
    half_life = half_life_of(made.product)
    numbers = tuple(
        method.number(f"percent_lost_in_{name}", f"activity lost in {label}", propagate(_lost(hours), half=half_life), "%")
        for name, label, hours in (
            ("one_minute", "one minute", 1.0 / 60.0),
            ("one_hour", "one hour", 1.0),
            ("six_hours", "six hours", 6.0),
        )
    )
    facts = {
        "rows": unstructure([_plain_row(row) for row in table.rows]),
        "earliest": _iso(table.earliest),
        "latest": _iso(table.latest),
        "latest_redrawn": _iso(table.latest_redrawn),
        "vials": unstructure(made.vials),
    }
    return Outcome(numbers, facts, (*planned.findings, *made.findings, *table.findings))


def _lost(hours: float) -> Any:
    return lambda half: PERCENT * (1.0 - 2.0 ** (-hours / half))


def _number(value: Any, structure: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0.0:
        raise InvalidValue(
            f"gy_per_gbq: {value!r} for {structure} is no finite number of 0 or more", "", "give Gy per delivered GBq"
        )
    return float(value)


def _plain_row(row: Any) -> dict[str, Any]:
    return {
        name: dict(value) if isinstance(value, Mapping) else value
        for name, value in ((name, getattr(row, name)) for name in row.__dataclass_fields__)
    }


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


VIAL_MODELS = (
    CalcModel(
        "vial-order", "vials to order for a planned treatment: glass, resin, Ho-166; several injections", ORDER_FIELDS, _order
    ),
    CalcModel("vial-schedule", "what a delay costs: vials, delivered activity, doses", SCHEDULE_FIELDS, _schedule),
)

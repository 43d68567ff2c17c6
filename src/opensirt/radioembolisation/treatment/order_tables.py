"""An order and its schedule as tables of the plan."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from opensirt.radioembolisation.treatment.order_values import OrderedVial, VialOrder
from opensirt.radioembolisation.treatment.proposal import Cell, PlanTable
from opensirt.radioembolisation.treatment.schedule import DelayRow, Schedule
from opensirt.radioembolisation.treatment.vials import later
from opensirt.vocabulary.products import MadeToOrder, WholeVials
from opensirt.vocabulary.units import PERCENT

_SHOWN_H = (-24.0, -12.0, -6.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 12.0, 18.0, 24.0, 36.0, 48.0)
_ROUNDING = 1e-6
"""A plan that meets its limit exactly is not above it by rounding."""


def order_tables(order: VialOrder) -> tuple[PlanTable, ...]:
    """The vials to order, key ``"order"``, and what each injection gets from them, key ``"order_injections"``."""
    supply = order.product.vials
    how = (
        "each vial is given whole to one injection"
        if isinstance(supply, WholeVials)
        else "the dose is made for the instant in the third column"
        if isinstance(supply, MadeToOrder)
        else "each injection draws its part; the rest stays in the vial"
    )
    device = order.product.device
    late = any(finding.code == "order.after_cut_off" for finding in order.findings)
    by = "" if order.order_by is None else f" Order by {order.order_by.isoformat()}{' (this day has passed)' if late else ''}."
    vials = PlanTable(
        "order",
        f"Vials to order: {order.product.name}",
        (
            "vial",
            "activity at calibration, GBq",
            "calibration",
            "at treatment, GBq",
            f"{order.rules.window_h:g} h earlier / later, GBq",
            "left over, GBq",
            "age, d",
            "usable until",
            "million spheres",
        ),
        tuple(_vial_row(vial, order.treatment_at) for vial in order.vials),
        f"{device.brand}, {device.manufacturer}; {device.material}, {order.product.nuclide.name}; {how}. Lot and UDI are stated on the day.{by}",
        (supply.source, order.product.bq_per_sphere.source),
    )
    injections = PlanTable(
        "order_injections",
        "What each injection gets",
        (
            "injection",
            "instant",
            "planned, GBq",
            "to dispense, GBq",
            "from vials, GBq",
            "delivered, GBq",
            "against plan",
            "million spheres",
        ),
        tuple(
            _cells(
                injection.territory,
                _instant(injection.at, order.treatment_at),
                f"{injection.planned_gbq:.3f}",
                f"{injection.needed_gbq:.3f}",
                " + ".join(
                    f"{draw.drawn_gbq:.3f} (vial {draw.vial_number})"
                    for draw in order.draws
                    if draw.territory == injection.territory
                ),
                f"{injection.delivered_gbq:.3f}",
                f"{round(PERCENT * injection.relative_excess, 1) + 0.0:+.1f} %",
                f"{injection.number_of_spheres / 1e6:.2f}",
            )
            for injection in order.injections
        ),
        f"To dispense = planned / (1 − R), R = {order.residual_fraction:g}.",
        (order.product.residual_fraction.source,),
    )
    return vials, injections


def schedule_table(order: VialOrder, schedule: Schedule, limits_gy: Mapping[str, float] | None = None) -> PlanTable:
    """What a delay costs, key ``"schedule"``: the rows near the plan hourly, further ones in larger steps.

    Parameters
    ----------
    order : VialOrder
        The vials.
    schedule : Schedule
        Its delays.
    limits_gy : mapping of str to float, optional
        Lowest upper limit of a structure's dose, Gy, by the structure's key in the schedule; a verdict names structures above theirs.
    """
    limits = limits_gy or {}
    rows = [row for row in schedule.rows if row.delay_h in _SHOWN_H] or list(schedule.rows)
    structures = sorted({key for row in rows for key in row.doses_gy})
    territories = [injection.territory for injection in order.injections]
    drawn = not isinstance(order.product.vials, WholeVials)
    columns = (
        "delay, h",
        "instant",
        "vials, GBq",
        *(f"{territory or 'injection'}, GBq (of plan)" for territory in territories),
        *(f"{structure}, Gy" for structure in structures),
        *(("vials hold, of what the plan needs then",) if drawn else ()),
        "verdict",
    )

    def cells(row: DelayRow) -> tuple[Cell, ...]:
        return _cells(
            f"{row.delay_h:+g}",
            _instant(row.at, order.treatment_at),
            " + ".join(f"{gbq:.3f}" for gbq in row.vials_gbq),
            *(f"{row.delivered_gbq[t]:.3f} ({row.percent_of_plan[t]:.1f} %)" for t in territories),
            *(f"{row.doses_gy[key]:.1f}" for key in structures),
            *((f"{row.redrawn_percent:.1f} %" if row.on_shelf else "–",) if drawn else ()),
            _verdict(row, limits),
        )

    within = f"± {PERCENT * schedule.tolerance_fraction:g} % of the plan"
    span = (
        f"No instant is within {within} for every injection."
        if schedule.earliest is None or schedule.latest is None
        else f"Within {within} from {_instant(schedule.earliest, order.treatment_at)} to {_instant(schedule.latest, order.treatment_at)}."
    )
    anew = (
        ""
        if schedule.latest_redrawn is None
        else " Where the vials hold more than 100 % of what the plan needs at that instant, a smaller or larger part is drawn so that the planned "
        f"activity is given and no more. Drawn anew, the vials meet the plan until {_instant(schedule.latest_redrawn, order.treatment_at)}."
    )
    note = span + anew + _above(order, rows[0], limits)
    return PlanTable("schedule", "What a delay costs", columns, tuple(cells(row) for row in rows), note)


def _verdict(row: DelayRow, limits_gy: Mapping[str, float]) -> str:
    base = "outside usable period" if not row.on_shelf else "within" if row.within_tolerance else "outside"
    over = sorted(key for key, limit in limits_gy.items() if row.doses_gy.get(key, 0.0) > limit * (1.0 + _ROUNDING))
    return f"{base}, above limit of {', '.join(over)}" if over else base


def _above(order: VialOrder, row: DelayRow, limits_gy: Mapping[str, float]) -> str:
    """Until when each structure with a limit would be above it, and limits that no dose of the schedule meets."""
    half_life_h = order.product.nuclide.half_life_h.value
    parts = []
    for key, limit in sorted(limits_gy.items()):
        dose = row.doses_gy.get(key)
        if dose is None:
            parts.append(f" The schedule has no dose of {key} to hold against its limit of {limit:g} Gy.")
        elif dose > 0.0 and limit > 0.0:
            until = later(order.treatment_at, row.delay_h + half_life_h * math.log2(dose / limit))
            parts.append(f" {key} is above its limit of {limit:g} Gy until {_instant(until, order.treatment_at)}.")
    return "".join(parts)


def _vial_row(vial: OrderedVial, treatment_at: datetime) -> tuple[Cell, ...]:
    few, many = vial.sphere_number_range
    mass = vial.sphere_mass_range_mg
    spheres = f"{vial.number_of_spheres / 1e6:.1f} ({few / 1e6:.1f} to {many / 1e6:.1f})"
    return _cells(
        f"{vial.number}",
        f"{vial.size_gbq:.3g}" if vial.sphere_mass_range_mg is None else f"{vial.size_gbq:.3f}",
        _instant(vial.calibrated_at, None),
        f"{vial.at_treatment_gbq:.3f}",
        f"{vial.early_gbq:.3f} / {vial.late_gbq:.3f}",
        f"{abs(round(vial.remaining_gbq, 6)):.3f}",
        f"{vial.days_after_calibration:.2f}",
        "no shelf life found" if vial.usable_until is None else _instant(vial.usable_until, treatment_at),
        spheres if mass is None else f"{spheres}, {mass[0]:.0f} to {mass[1]:.0f} mg",
    )


def _instant(at: datetime, like: datetime | None) -> str:
    """An instant to the minute with its offset, in the zone of ``like`` where one is given."""
    local = at if like is None else at.astimezone(like.tzinfo)
    name = f" {local.tzinfo.key}" if isinstance(local.tzinfo, ZoneInfo) and like is None else ""
    return local.strftime("%a %d %b %Y %H:%M ") + local.isoformat()[-6:] + name


def _cells(*texts: str) -> tuple[Cell, ...]:
    return tuple(Cell(text) for text in texts)

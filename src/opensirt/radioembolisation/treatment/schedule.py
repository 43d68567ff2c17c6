"""What a delay costs: vials, delivered activity and doses for a treatment that begins earlier or later than planned.

All of one session decays alike: ``A(d) = A(0) · 2^(−d/T½)`` for a delay ``d`` in elapsed hours, and doses follow in proportion. From vials that
are drawn from, the draw may be made anew at the later hour: then the plan is met until the vials hold no more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from opensirt.radioembolisation.treatment.order_values import VialOrder
from opensirt.radioembolisation.treatment.vials import later
from opensirt.vocabulary.activity import hours_between
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.products import WholeVials
from opensirt.vocabulary.units import PERCENT

SCHEDULE_VERSION = "1"
FORMULA = "A(d) = A(0) · 2^(−d/T½);  d₁ = T½ · ln(r/(1 + ε)) / ln 2,  d₂ = T½ · ln(r/(1 − ε)) / ln 2,  r = delivered/planned at the planned instant"
DELAYS_H = tuple(float(hours) for hours in range(-24, 49))
"""Every hour from a day before to two days after."""
TOLERANCE_FRACTION = 0.1


@dataclass(frozen=True)
class DelayRow:
    """The session at one delay.

    Attributes
    ----------
    delay_h : float
        Elapsed hours after the planned instant; negative before it.
    at : datetime
        Instant of treatment, in the zone of the plan.
    vials_gbq : tuple of float
        What each vial holds, GBq, in the order of the vials.
    delivered_gbq : mapping of str to float
        What reaches the patient by territory, GBq, if what was to be given at the planned instant is given now.
    doses_gy : mapping of str to float
        Doses of structures that go with it, Gy.
    percent_of_plan : mapping of str to float
        Delivered against planned activity by territory, %.
    redrawn_percent : float
        The most that the vials can deliver, all injections together, against the plan, %: above 100 the draw can be made anew.
    within_tolerance : bool
        Every injection within the tolerance of its plan.
    on_shelf : bool
        Every vial may be used then.
    """

    delay_h: float
    at: datetime
    vials_gbq: tuple[float, ...]
    delivered_gbq: Mapping[str, float]
    doses_gy: Mapping[str, float]
    percent_of_plan: Mapping[str, float]
    redrawn_percent: float
    within_tolerance: bool
    on_shelf: bool


@dataclass(frozen=True)
class Schedule:
    """Rows of a schedule table, and the instants between which every injection is within tolerance and every vial may be used.

    Attributes
    ----------
    rows : tuple of DelayRow
        By delay.
    tolerance_fraction : float
        0.1 for ± 10 %.
    earliest, latest : datetime or None
        First and last instant within tolerance; ``None`` for both if there is no such instant.
    latest_redrawn : datetime or None
        Last instant at which a draw made anew still meets the whole plan; ``None`` for vials given whole.
    findings : tuple of Finding
        What a person must weigh.
    """

    rows: tuple[DelayRow, ...]
    tolerance_fraction: float
    earliest: datetime | None
    latest: datetime | None
    latest_redrawn: datetime | None
    findings: tuple[Finding, ...]


def schedule(
    order: VialOrder,
    gy_per_gbq: Mapping[str, Mapping[str, float]] | None = None,
    *,
    delays_h: Sequence[float] = DELAYS_H,
    tolerance_fraction: float = TOLERANCE_FRACTION,
) -> Schedule:
    """What each delay costs.

    Parameters
    ----------
    order : VialOrder
        The vials.
    gy_per_gbq : mapping, optional
        Dose of each structure per delivered activity, by structure and territory, Gy/GBq; territories without an entry give it nothing.
    delays_h : sequence of float
        Delays in elapsed hours, −24 to 48 by default.
    tolerance_fraction : float
        Deviation from the plan that is accepted, 0 to 1.

    Raises
    ------
    InvalidValue
        For a tolerance outside of 0 to 1, no delay, or a territory that the order does not have.
    """
    if not 0.0 <= tolerance_fraction < 1.0:
        raise InvalidValue(f"a tolerance of {tolerance_fraction}", "a fraction of the plan", "give 0.1 for 10 %")
    if not delays_h or not all(math.isfinite(delay) for delay in delays_h):
        raise InvalidValue(f"delays of {list(delays_h)}", "", "give at least one finite number of hours")
    known = {injection.territory for injection in order.injections}
    unknown = sorted({territory for row in (gy_per_gbq or {}).values() for territory in row} - known)
    if unknown:
        raise InvalidValue(
            f"doses per activity of {', '.join(unknown)}", "the order has no such injection", "name territories alike"
        )
    rows = tuple(_row(order, gy_per_gbq or {}, delay, tolerance_fraction) for delay in sorted(delays_h))
    earliest, latest = _bounds(order, tolerance_fraction)
    findings = _findings(order, earliest, latest, tolerance_fraction)
    return Schedule(rows, tolerance_fraction, earliest, latest, _latest_redrawn(order), findings)


def _row(order: VialOrder, gy_per_gbq: Mapping[str, Mapping[str, float]], delay_h: float, tolerance_fraction: float) -> DelayRow:
    left = order.product.nuclide.decay_factor(delay_h)
    delivered = {injection.territory: injection.delivered_gbq * left for injection in order.injections}
    percent = {
        injection.territory: PERCENT * delivered[injection.territory] / injection.planned_gbq for injection in order.injections
    }
    at = later(order.treatment_at, delay_h)
    return DelayRow(
        delay_h,
        at,
        tuple(vial.at_treatment_gbq * left for vial in order.vials),
        delivered,
        {key: math.fsum(row[t] * delivered[t] for t in row) for key, row in gy_per_gbq.items()},
        percent,
        PERCENT * left * _stock_ratio(order),
        all(abs(value / PERCENT - 1.0) <= tolerance_fraction for value in percent.values()),
        _on_shelf(order, delay_h),
    )


def _stock_ratio(order: VialOrder) -> float:
    """What the vials hold at the treatment over what the whole plan needs then, each injection at its own instant."""
    nuclide = order.product.nuclide
    needed = math.fsum(
        injection.needed_gbq / nuclide.decay_factor(hours_between(order.treatment_at, injection.at))
        for injection in order.injections
    )
    held = math.fsum(
        vial.at_treatment_gbq / nuclide.decay_factor(hours_between(order.treatment_at, vial.used_at)) for vial in order.vials
    )
    return held / needed


def _on_shelf(order: VialOrder, delay_h: float) -> bool:
    first, last = _shelf_h(order)
    return first <= delay_h <= last


def _shelf_h(order: VialOrder) -> tuple[float, float]:
    """Delays between which every vial may be used at every injection, h."""
    used = [
        (vial, injection.at)
        for draw in order.draws
        for vial in order.vials
        for injection in order.injections
        if draw.vial_number == vial.number and draw.territory == injection.territory
    ]
    first = max(hours_between(at, vial.usable_from) for vial, at in used)
    last = min((hours_between(at, vial.usable_until) for vial, at in used if vial.usable_until is not None), default=math.inf)
    return first, last


def _bounds(order: VialOrder, tolerance_fraction: float) -> tuple[datetime | None, datetime | None]:
    half_life_h = order.product.nuclide.half_life_h.value
    ratios = [1.0 + injection.relative_excess for injection in order.injections]
    first, last = _shelf_h(order)
    first = max(first, half_life_h * math.log2(max(ratios) / (1.0 + tolerance_fraction)))
    last = min(last, half_life_h * math.log2(min(ratios) / (1.0 - tolerance_fraction)))
    if first > last:
        return None, None
    return later(order.treatment_at, first), later(order.treatment_at, last)


def _latest_redrawn(order: VialOrder) -> datetime | None:
    if isinstance(order.product.vials, WholeVials):
        return None
    hours = math.log(_stock_ratio(order)) / order.product.nuclide.decay_constant_per_h
    return later(order.treatment_at, min(hours, _shelf_h(order)[1]))


def _findings(
    order: VialOrder, earliest: datetime | None, latest: datetime | None, tolerance_fraction: float
) -> tuple[Finding, ...]:
    within = f"within {PERCENT * tolerance_fraction:g} %"
    if earliest is None or latest is None:
        message = (
            f"no instant delivers every injection {within} of its plan from these vials · they err to both sides, or the time is outside the usable period · "
            "choose other vials"
        )
        return (Finding("schedule.no_instant", Severity.CRITICAL, message),)
    if hours_between(earliest, order.treatment_at) < 0.0 or hours_between(order.treatment_at, latest) < 0.0:
        message = (
            f"the planned instant {order.treatment_at.isoformat(timespec='minutes')} is not {within} of the plan; from "
            f"{earliest.isoformat(timespec='minutes')} to {latest.isoformat(timespec='minutes')} it is · move the treatment, or choose other vials"
        )
        return (Finding("schedule.planned_instant_outside", Severity.WARNING, message),)
    return ()

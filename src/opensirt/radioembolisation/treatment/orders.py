"""Which vials to order for a planned treatment: whole, drawn from, or made for the instant.

``needed = planned / (1 − R)``. Whole vials (glass): the one, two or three that come nearest. Drawn vials (resin): how many hold the sum of
all draws, and how much each injection draws. Made to order (Ho-166): the activity at the instant for which the dose is ordered. Amounts are
compared at calibration, ``A_cal = A · 2^(t/T½)``, so that injections at different hours add up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from opensirt.radioembolisation.treatment import order_findings as notes
from opensirt.radioembolisation.treatment.combinations import Combination, OrderRules, Spheres, VialChoice, combinations_for
from opensirt.radioembolisation.treatment.delivery_calendar import DeliveryCalendar, at_site
from opensirt.radioembolisation.treatment.order_values import Draw, InjectionOrder, OrderedVial, VialOrder
from opensirt.radioembolisation.treatment.vials import (
    FITS_WITHIN_FRACTION,
    calibrations_before,
    dispensed_gbq,
    expiry,
    later,
    require_on_shelf,
    usable_from,
    vial_activity_gbq,
)
from opensirt.vocabulary.activity import hours_between, require_time_zone
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.products import DrawnVials, MadeToOrder, Product, WholeVials
from opensirt.vocabulary.units import BQ_PER_GBQ, HOURS_PER_DAY

_ROUNDING = 1e-9
"""Shares of a vial below this are rounding, not need for one more vial."""


def order(
    product: Product,
    injections: Mapping[str, float],
    treatment_at: datetime,
    calendar: DeliveryCalendar,
    *,
    residual_fraction: float | None = None,
    rules: OrderRules | None = None,
    instants: Mapping[str, datetime] | None = None,
) -> VialOrder:
    """The vials to order for one session.

    Parameters
    ----------
    product : Product
        As the catalogue has it; the calendar's own data take its place.
    injections : mapping of str to float
        Activity to deliver by territory, GBq, at the instant of its injection.
    treatment_at : datetime
        Instant of treatment, time-zone aware.
    calendar : DeliveryCalendar
        Of the site.
    residual_fraction : float, optional
        Share that stays behind; the product's published median where it is not given.
    rules : OrderRules, optional
        How to choose.
    instants : mapping of str to datetime, optional
        Injections at another instant than the treatment's.

    Raises
    ------
    InvalidValue
        For no injection, an activity of 0 or less, a residual of 1 or more, an instant without time zone or outside the usable period of
        every vial, injections too far apart for the vials that they share, and an activity that no vials hold.
    """
    require_time_zone(treatment_at, "the treatment instant")
    if not injections:
        raise InvalidValue("an order without injections", "nothing is to be delivered", "state the activity of each injection")
    unknown = sorted(set(instants or {}) - set(injections))
    if unknown:
        raise InvalidValue(
            f"instants for {', '.join(unknown)}", "no activity is planned there", "name injections and instants alike"
        )
    at = {
        territory: require_time_zone((instants or {}).get(territory, treatment_at), f"the instant of injection {territory}")
        for territory in injections
    }
    local = at_site(product, calendar)
    needed = {territory: dispensed_gbq(local, gbq, residual_fraction)[0] for territory, gbq in injections.items()}
    residual = local.residual_fraction.value if residual_fraction is None else residual_fraction
    session = _Session(
        local, dict(injections), needed, at, treatment_at, calendar, rules or OrderRules(), residual, residual_fraction is not None
    )
    if isinstance(local.vials, WholeVials):
        return _whole(session)
    return _drawn(session, local.vials)


@dataclass(frozen=True)
class _Session:
    """The inputs of one order."""

    product: Product
    planned: Mapping[str, float]
    needed: Mapping[str, float]
    at: Mapping[str, datetime]
    treatment_at: datetime
    calendar: DeliveryCalendar
    rules: OrderRules
    residual: float
    residual_stated: bool

    @property
    def first(self) -> datetime:
        """Instant of the first injection."""
        return min(self.at.values(), key=lambda at: at.timestamp())

    def factor(self, calibrated_at: datetime, at: datetime) -> float:
        """Share of an activity that is left from calibration to an instant."""
        return self.product.nuclide.decay_factor(hours_between(calibrated_at, at))

    def at_calibration(self, territory: str, calibrated_at: datetime) -> float:
        """What an injection needs, as activity at calibration, GBq."""
        return self.needed[territory] / self.factor(calibrated_at, self.at[territory])

    def spheres(self, held_gbq: float, calibrated_at: datetime, at: datetime) -> float:
        """Spheres that carry an activity at an instant: activity per sphere is known at calibration, for Ho-166 at treatment."""
        reference = self.first if isinstance(self.product.vials, MadeToOrder) else calibrated_at
        return held_gbq * BQ_PER_GBQ / (self.product.bq_per_sphere.value * self.factor(reference, at))


def _whole(session: _Session) -> VialOrder:
    """Vials given whole: each serves one injection."""
    product, rules = session.product, session.rules
    chosen: list[VialChoice] = []
    draws: list[Draw] = []
    alternatives: dict[str, tuple[Combination, ...]] = {}
    findings: list[Finding] = []
    for territory, planned in session.planned.items():
        at = session.at[territory]
        calibrations, missing = _delivered(session, _on_weekly_clock(session, at), at)
        findings += missing
        first, *others = combinations_for(product, planned, at, calibrations, residual_fraction=session.residual, rules=rules)
        if first.relative_excess < -FITS_WITHIN_FRACTION and _capacity(session, calibrations, at) < session.needed[territory]:
            raise notes.cannot_hold(product, territory, session.needed[territory], calibrations, rules)
        if first.relative_excess > FITS_WITHIN_FRACTION:
            findings.append(notes.too_large(product, territory, first, session.needed[territory]))
        alternatives[territory] = tuple(others)
        for vial in first.vials:
            chosen.append(vial)
            spheres = session.spheres(vial.held_gbq, vial.calibrated_at, at)
            draws.append(Draw(len(chosen), territory, at, vial.held_gbq, spheres))
    vials = [_vial(session, n, vial.size_gbq, vial.calibrated_at, draws) for n, vial in enumerate(chosen, start=1)]
    return _finish(session, vials, draws, alternatives, findings)


def _drawn(session: _Session, supply: DrawnVials | MadeToOrder) -> VialOrder:
    """Vials from which injections draw: as many as hold all of them, calibrated alike."""
    _require_shared(session, supply)
    calibrations, findings = _calibrations(session, supply)
    options = []
    for calibrated_at in calibrations:
        total = math.fsum(session.at_calibration(territory, calibrated_at) for territory in session.planned)
        size, number = _sizes(session, supply, total, calibrated_at)
        preference = {
            Spheres.USUAL: abs(hours_between(session.first, calibrated_at)),
            Spheres.FEWEST: total,
            Spheres.MOST: -total,
        }[session.rules.spheres]
        options.append((number, preference, calibrated_at, size, total))
    number, _, calibrated_at, size, total = min(options, key=lambda option: option[:2])
    if number > session.rules.largest_number_of_vials * len(session.planned):
        raise notes.cannot_draw(session.product, number, size * session.factor(calibrated_at, session.first))
    draws = _draws(session, calibrated_at, size, number)
    vials = [_vial(session, n, size, calibrated_at, draws) for n in range(1, number + 1)]
    if isinstance(supply, DrawnVials):
        assumed = session.rules.calibrated_at is None and session.calendar.clock(session.product) is None
        findings = (*findings, *notes.of_drawn(session.product, supply, number, total, hour_assumed=assumed))
    return _finish(session, vials, draws, {}, findings)


def _capacity(session: _Session, calibrations: Sequence[datetime], at: datetime) -> float:
    """The most that whole vials can hold for one injection, GBq."""
    supply = session.product.vials
    largest = max(supply.sizes_gbq) if isinstance(supply, WholeVials) else 0.0
    return session.rules.largest_number_of_vials * largest * session.factor(max(calibrations), at)


def _on_weekly_clock(session: _Session, at: datetime) -> tuple[datetime, ...]:
    fixed = session.rules.calibrated_at
    if fixed is not None:
        require_on_shelf(session.product, fixed, at)
        return (fixed,)
    found = calibrations_before(session.product, at)
    if not found:
        raise notes.off_the_shelf(session.product, at)
    return found


def _calibrations(session: _Session, supply: DrawnVials | MadeToOrder) -> tuple[tuple[datetime, ...], tuple[Finding, ...]]:
    """Calibrations on offer for vials that are drawn from or made to order, every injection within their time of use."""
    fixed = session.rules.calibrated_at
    first = session.first
    if fixed is not None:
        for at in session.at.values():
            require_on_shelf(session.product, fixed, at)
        return _delivered(session, (fixed,), first)
    if isinstance(supply, MadeToOrder):
        return _delivered(session, (first,), first)
    clock = session.calendar.clock(session.product)
    if clock is None:
        offered = [first + timedelta(days=n) for n in supply.days_before_calibration]
    else:
        day = first.astimezone(clock.on(first.date()).tzinfo).date()
        offered = [clock.on(day + timedelta(days=n)) for n in (-1, *supply.days_before_calibration)]
    usable = tuple(c for c in offered if all(_is_on_shelf(session.product, c, at) for at in session.at.values()))
    if not usable:
        raise notes.off_the_shelf(session.product, first)
    return _delivered(session, usable, first)


def _require_shared(session: _Session, supply: DrawnVials | MadeToOrder) -> None:
    """Refuse injections that no one vial can serve: further apart than it may be used, for doses without a shelf life on another day."""
    first, last = session.first, max(session.at.values(), key=lambda at: at.timestamp())
    if isinstance(supply, MadeToOrder):
        apart = session.calendar.day(first) != session.calendar.day(last)
    else:
        days = max(supply.days_before_calibration) + 1 + supply.shelf_life_days.value
        apart = hours_between(first, last) > days * HOURS_PER_DAY
    if apart:
        raise notes.too_far_apart(session.product, first, last)


def _is_on_shelf(product: Product, calibrated_at: datetime, at: datetime) -> bool:
    since_first_h = hours_between(usable_from(product, calibrated_at), at)
    return since_first_h >= 0.0 and hours_between(at, expiry(product, calibrated_at)) >= 0.0


def _delivered(
    session: _Session, calibrations: Sequence[datetime], at: datetime
) -> tuple[tuple[datetime, ...], tuple[Finding, ...]]:
    """Those of the calibrations whose vials the calendar brings before the injection; all, with a finding, if it brings none."""
    calendar, last = session.calendar, session.calendar.day(at)
    kept = tuple(
        calibrated_at
        for calibrated_at in calibrations
        if calendar.last_delivery(session.product, calendar.day(usable_from(session.product, calibrated_at)), last) is not None
    )
    if kept:
        return kept, ()
    return tuple(calibrations), (notes.not_delivered(session.product, calendar, at),)


def _sizes(session: _Session, supply: DrawnVials | MadeToOrder, total_gbq: float, calibrated_at: datetime) -> tuple[float, int]:
    """Size of one vial at calibration, GBq, and how many hold the total."""
    if isinstance(supply, DrawnVials):
        return supply.size_gbq.value, max(1, math.ceil(total_gbq / supply.size_gbq.value - _ROUNDING))
    at_treatment = total_gbq * session.factor(calibrated_at, session.first)
    number = max(1, math.ceil(at_treatment / supply.activity_range_gbq[1] - _ROUNDING))
    return total_gbq / number, number


def _draws(session: _Session, calibrated_at: datetime, size_gbq: float, number: int) -> list[Draw]:
    """Each injection in turn takes from the vial at hand, and from the next where that one is empty."""
    draws = []
    vial, left = 1, size_gbq
    for territory in sorted(session.planned, key=lambda name: session.at[name].timestamp()):
        at = session.at[territory]
        factor = session.factor(calibrated_at, at)
        need = session.at_calibration(territory, calibrated_at)
        while need > left + _ROUNDING * size_gbq and vial < number:
            if left > _ROUNDING * size_gbq:
                draws.append(Draw(vial, territory, at, left * factor, session.spheres(left * factor, calibrated_at, at)))
                need -= left
            vial, left = vial + 1, size_gbq
        draws.append(Draw(vial, territory, at, need * factor, session.spheres(need * factor, calibrated_at, at)))
        left -= need
    return draws


def _vial(session: _Session, number: int, size_gbq: float, calibrated_at: datetime, draws: Sequence[Draw]) -> OrderedVial:
    product, supply, window_h = session.product, session.product.vials, session.rules.window_h
    mine = [draw for draw in draws if draw.vial_number == number]
    used_at = min((draw.at for draw in mine), key=lambda at: at.timestamp())
    held = {
        hours: vial_activity_gbq(product, size_gbq, calibrated_at, later(used_at, hours)) for hours in (-window_h, 0.0, window_h)
    }
    taken = math.fsum(draw.drawn_gbq * session.factor(draw.at, used_at) for draw in mine)
    spheres = session.spheres(held[0.0], calibrated_at, used_at)
    least_bq, most_bq = product.bq_per_sphere_range
    few, many = (spheres * product.bq_per_sphere.value / bq for bq in (most_bq, least_bq))
    made = isinstance(supply, MadeToOrder)
    return OrderedVial(
        number=number,
        size_gbq=size_gbq,
        calibrated_at=calibrated_at,
        used_at=used_at,
        at_treatment_gbq=held[0.0],
        early_gbq=held[-window_h],
        late_gbq=held[window_h],
        remaining_gbq=held[0.0] - taken,
        usable_from=usable_from(product, calibrated_at),
        usable_until=None if made else expiry(product, calibrated_at),
        days_after_calibration=hours_between(calibrated_at, used_at) / HOURS_PER_DAY,
        number_of_spheres=spheres,
        sphere_number_range=(few, many),
        sphere_mass_range_mg=(few / supply.spheres_per_mg.value, many / supply.spheres_per_mg.value)
        if isinstance(supply, MadeToOrder)
        else None,
    )


def _finish(
    session: _Session,
    vials: Sequence[OrderedVial],
    draws: Sequence[Draw],
    alternatives: Mapping[str, tuple[Combination, ...]],
    findings: Sequence[Finding],
) -> VialOrder:
    injections = [_injection(session, territory, draws, alternatives.get(territory, ())) for territory in session.planned]
    return VialOrder(
        session.product,
        session.treatment_at,
        session.residual,
        session.rules,
        tuple(vials),
        tuple(draws),
        tuple(injections),
        session.calendar.order_by(session.product, session.first),
        (
            *_of_calendar(session),
            *findings,
            *(finding for injection in injections for finding in notes.of_injection(injection)),
            *notes.of_made_to_order(session.product, vials),
            *notes.unverified(session.product, residual_stated=session.residual_stated),
        ),
    )


def _of_calendar(session: _Session) -> tuple[Finding, ...]:
    """What the calendar says to each day of injection; the cut-off belongs to the first of them."""
    days = {session.calendar.day(at): at for at in sorted(session.at.values(), key=lambda at: -at.timestamp())}
    product, calendar, first = session.product, session.calendar, session.calendar.day(session.first)
    return tuple(
        finding
        for day in sorted(days)
        for finding in calendar.findings(product, days[day], session.rules.placed_at if day == first else None)
    )


def _injection(session: _Session, territory: str, draws: Sequence[Draw], alternatives: tuple[Combination, ...]) -> InjectionOrder:
    mine = [draw for draw in draws if draw.territory == territory]
    dispensed = math.fsum(draw.drawn_gbq for draw in mine)
    delivered = dispensed * (1.0 - session.residual)
    planned = session.planned[territory]
    return InjectionOrder(
        territory,
        session.at[territory],
        planned,
        session.needed[territory],
        dispensed,
        delivered,
        delivered / planned - 1.0,
        math.fsum(draw.number_of_spheres for draw in mine),
        alternatives,
    )

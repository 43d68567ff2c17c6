"""What a person must weigh about an order, and why one cannot be made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from opensirt.radioembolisation.treatment.combinations import Combination, OrderRules
from opensirt.radioembolisation.treatment.delivery_calendar import WEEKDAYS, DeliveryCalendar
from opensirt.radioembolisation.treatment.order_values import InjectionOrder, OrderedVial
from opensirt.radioembolisation.treatment.vials import FITS_WITHIN_FRACTION, expiry, instant_holding
from opensirt.vocabulary.activity import hours_between
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.products import HOANG, DrawnVials, MadeToOrder, Product, WholeVials
from opensirt.vocabulary.provenance import Mark
from opensirt.vocabulary.units import PERCENT

FAR_FRACTION = 0.1
"""A delivery further from the plan than this is a warning rather than a note: half of the 20 % at which US rules (10 CFR 35.3045) speak of a
medical event, since assay and residual need the other half."""
LABEL_TOLERANCE_FRACTION = 0.1
"""A vial labelled 3.0 GBq holds that within 10 % (Selwyn et al. 2008; the manufacturer's page)."""
_ROUNDING = 1e-6
"""Deviations below a millionth of the plan are rounding."""


def cannot_hold(
    product: Product, territory: str, needed_gbq: float, calibrations: Sequence[datetime], rules: OrderRules
) -> InvalidValue:
    """No combination of whole vials holds what an injection needs: which sizes exist, when they would hold it."""
    supply = product.vials
    sizes = supply.sizes_gbq if isinstance(supply, WholeVials) else ()
    number, largest, latest = rules.largest_number_of_vials, max(sizes), max(calibrations)
    fits = instant_holding(product, number * largest, latest, needed_gbq)
    when = (
        f"{number} of {largest:g} GBq calibrated {latest.isoformat()} hold it until {fits.isoformat(timespec='minutes')}"
        if hours_between(latest, fits) >= 0.0
        else f"{number} of {largest:g} GBq do not hold it even at calibration"
    )
    return InvalidValue(
        f"injection {territory or '(unnamed)'} needs {needed_gbq:.3f} GBq dispensed, more than {number} vials hold then",
        f"sizes at calibration: {', '.join(f'{size:g}' for size in sizes)} GBq; {when}",
        "move the treatment, split it over sessions, or check the activity",
    )


def cannot_draw(product: Product, number: int, held_gbq: float) -> InvalidValue:
    """More vials would be needed than one session takes."""
    return InvalidValue(
        f"the injections need {number} vials of {product.name}",
        f"one holds {held_gbq:.3f} GBq at the treatment",
        "check the activities, or split the treatment over sessions",
    )


def off_the_shelf(product: Product, at: datetime) -> InvalidValue:
    """No vial may be used at that instant."""
    return InvalidValue(
        f"no vial of {product.name} is on the shelf at {at.isoformat()}",
        "each lies before its first use or after its expiry then",
        "move the treatment, or correct the clock and shelf life in the delivery calendar",
    )


def too_far_apart(product: Product, first: datetime, last: datetime) -> InvalidValue:
    """Injections that draw from the same vials, but not within the time in which these may be used."""
    supply = product.vials
    why = (
        f"vials come at most {max(supply.days_before_calibration)} days before calibration and may be used for {supply.shelf_life_days.value:g} days after it"
        if isinstance(supply, DrawnVials)
        else "no source states a shelf life: a dose is made for one day"
    )
    return InvalidValue(
        f"injections at {first.isoformat()} and {last.isoformat()} share vials of {product.name}, {hours_between(first, last):.1f} h apart",
        why,
        "check the instants, or order for each session apart",
    )


def too_large(product: Product, territory: str, best: Combination, needed_gbq: float) -> Finding:
    """The smallest vial on the shelf is far too large: when it would fit."""
    vial = best.vials[0]
    fits = instant_holding(product, vial.size_gbq, vial.calibrated_at, needed_gbq)
    too_late = hours_between(expiry(product, vial.calibrated_at), fits) > 0.0
    when = "only after its expiry" if too_late else f"at {fits.isoformat(timespec='minutes')}"
    message = (
        f"no vial on the shelf is small enough: the nearest ({vial.size_gbq:g} GBq) delivers {PERCENT * best.relative_excess:.0f} % too much, "
        f"and holds the plan {when} · it is given whole · move the treatment, or order another size"
    )
    return Finding("order.too_large", Severity.CRITICAL, message, territory)


def not_delivered(product: Product, calendar: DeliveryCalendar, at: datetime) -> Finding:
    """The calendar brings no vial in time; the order stands all the same, for a person to solve."""
    named = calendar.products.get(product.key)
    days = ", ".join(WEEKDAYS[day] for day in named.delivery_weekdays) if named else "any open day"
    message = (
        f"no delivery of {product.name} reaches {calendar.site} between first use and {calendar.day(at).isoformat()} (deliveries: {days or 'none'}) · "
        "the order below does not respect the calendar · move the treatment, or ask the supplier"
    )
    return Finding("order.not_delivered", Severity.CRITICAL, message, source=f"delivery calendar of {calendar.site}")


def of_injection(injection: InjectionOrder) -> tuple[Finding, ...]:
    """A delivery that is not the planned one: never unnoticed."""
    excess = injection.relative_excess
    if abs(excess) <= _ROUNDING:
        return ()
    below = excess < 0.0
    code, word = ("order.under_delivers", "less") if below else ("order.over_delivers", "more")
    severity = (
        Severity.CRITICAL
        if abs(excess) > FITS_WITHIN_FRACTION
        else Severity.WARNING
        if abs(excess) > FAR_FRACTION
        else Severity.NOTE
    )
    message = (
        f"the vials deliver {injection.delivered_gbq:.3f} GBq to {injection.territory or 'the injection'}, {PERCENT * abs(excess):.1f} % {word} than the "
        f"planned {injection.planned_gbq:.3f} GBq · whole vials come in fixed sizes · weigh the doses, or move the hour by the schedule table"
    )
    return (Finding(code, severity, message, injection.territory),)


def of_drawn(product: Product, supply: DrawnVials, number: int, total_gbq: float, *, hour_assumed: bool) -> tuple[Finding, ...]:
    """An hour of calibration that nobody stated, and vials that suffice only if the label is exact."""
    found = []
    if hour_assumed:
        percent = PERCENT * (1.0 - product.nuclide.decay_factor(1.0))
        message = (
            "the hour of calibration is not stated: the hour of treatment stands in for it · each hour of difference changes what a vial holds by "
            f"{percent:.1f} % · state the clock in the delivery calendar"
        )
        found.append(Finding("order.calibration_hour_assumed", Severity.WARNING, message, source=supply.source))
    share = total_gbq / (number * supply.size_gbq.value)
    if share > 1.0 - LABEL_TOLERANCE_FRACTION:
        message = (
            f"the draws take {PERCENT * share:.0f} % of what the label states · it holds within {PERCENT * LABEL_TOLERANCE_FRACTION:.0f} %, so that the vials may fall short · "
            "assay on arrival, or order one vial more"
        )
        found.append(Finding("order.label_tolerance", Severity.WARNING, message, source=supply.size_gbq.source))
    return tuple(found)


def of_made_to_order(product: Product, vials: Sequence[OrderedVial]) -> tuple[Finding, ...]:
    """A dose outside of what sources report, in activity or mass of spheres."""
    supply = product.vials
    if not isinstance(supply, MadeToOrder):
        return ()
    found = []
    least, most = supply.activity_range_gbq
    light, heavy = supply.mass_range_mg
    for vial in vials:
        if not least <= vial.at_treatment_gbq <= most * (1.0 + _ROUNDING):
            message = (
                f"dose {vial.number} is {vial.at_treatment_gbq:.2f} GBq at treatment, published doses are {least:g} to {most:g} GBq · "
                "a dose is made for the patient · ask the supplier whether it can be made"
            )
            found.append(Finding("order.dose_unusual", Severity.NOTE, message, source=supply.activity_source))
        mass = vial.sphere_mass_range_mg
        if mass is not None and (mass[1] < light or mass[0] > heavy):
            message = (
                f"dose {vial.number} would hold {mass[0]:.0f} to {mass[1]:.0f} mg of spheres, published treatments {light:g} to {heavy:g} mg · "
                "activity per sphere then lies outside of its published range, or the mass does · ask the supplier"
            )
            found.append(Finding("order.mass_unusual", Severity.NOTE, message, source="van Roekel thesis p. 29"))
    return tuple(found)


def unverified(product: Product, *, residual_stated: bool) -> tuple[Finding, ...]:
    """Facts of supply and residual that nobody has verified."""
    found = []
    if product.vials.mark is Mark.UNVERIFIED:
        message = (
            "how vials come (calibration, days, shelf life) was not read in a source · "
            "check the manufacturer's current instructions before ordering, and state them in the delivery calendar"
        )
        found.append(Finding("vials.unverified", Severity.WARNING, message, source=product.vials.source))
    if not residual_stated and product.residual_fraction.mark is Mark.UNVERIFIED:
        message = (
            f"the residual of {PERCENT * product.residual_fraction.value:g} % is a published median, but which product it belongs to is not certain · "
            "state the site's own"
        )
        found.append(Finding("vials.residual_unverified", Severity.NOTE, message, source=HOANG))
    return tuple(found)

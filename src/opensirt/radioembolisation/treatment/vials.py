"""Vials in time: when they are calibrated, what they hold at an instant, when they may be used, how many spheres they carry.

A glass vial is given whole: its activity at the instant of administration is what is dispensed. What reaches the patient is that less the
residual. Instants are absolute; the calibration clock has its own time zone and its own summer time. Which vials to order:
:mod:`opensirt.radioembolisation.treatment.orders`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from opensirt.radioembolisation.treatment.proposal import VialOption
from opensirt.vocabulary.activity import hours_between, require_time_zone
from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.products import DrawnVials, MadeToOrder, Product, WholeVials
from opensirt.vocabulary.units import BQ_PER_GBQ, HOURS_PER_DAY

VIALS_VERSION = "2"
FITS_WITHIN_FRACTION = 0.25
"""A vial is listed as usable if what it delivers lies within this fraction of the plan; the others are shown for comparison."""
DAYS_PER_WEEK = 7.0


def calibrations_before(product: Product, treatment_at: datetime) -> tuple[datetime, ...]:
    """Calibration instants of a product on a weekly clock whose shelf life covers the treatment instant, latest first.

    Raises
    ------
    UnsupportedInput
        If vials of this product do not come on a weekly clock.
    """
    require_time_zone(treatment_at, "the treatment instant")
    supply = _whole(product)
    zone = ZoneInfo(supply.time_zone)
    local = treatment_at.astimezone(zone)
    day = local.date() - timedelta(days=(local.weekday() - supply.calibration_weekday) % 7)
    found: list[datetime] = []
    while True:
        at = datetime.combine(day, time(supply.calibration_hour, supply.calibration_minute), zone)
        age_days = hours_between(at, treatment_at) / HOURS_PER_DAY
        if age_days > supply.shelf_life_days.value:
            return tuple(found)
        if age_days >= 0.0:
            found.append(at)
        day -= timedelta(days=7)


def vial_activity_gbq(product: Product, size_gbq: float, calibrated_at: datetime, at: datetime) -> float:
    """Activity of a vial at an instant, GBq."""
    return size_gbq * product.nuclide.decay_factor(hours_between(calibrated_at, at))


def instant_holding(product: Product, size_gbq: float, calibrated_at: datetime, wanted_gbq: float) -> datetime:
    """Instant at which a vial holds exactly ``wanted_gbq``; before calibration if it never held that much after it.

    Raises
    ------
    InvalidValue
        If the wanted activity is not above 0.
    """
    if not 0.0 < wanted_gbq < math.inf:
        raise InvalidValue(f"a wanted activity of {wanted_gbq} GBq", "", "give an activity above 0")
    hours = math.log(size_gbq / wanted_gbq) / product.nuclide.decay_constant_per_h
    return later(calibrated_at, hours)


def usable_from(product: Product, calibrated_at: datetime) -> datetime:
    """First instant at which a vial may be used.

    Its calibration for vials given whole. For drawn vials the beginning of the earliest day before calibration on which they are delivered,
    for doses made to order the beginning of the day for which they are made; both in the zone of ``calibrated_at``.
    """
    require_time_zone(calibrated_at, "the calibration instant")
    supply = product.vials
    if isinstance(supply, WholeVials):
        return calibrated_at
    days = max(supply.days_before_calibration) if isinstance(supply, DrawnVials) else 0
    return datetime.combine(calibrated_at.date() - timedelta(days=days), time(0), calibrated_at.tzinfo)


def expiry(product: Product, calibrated_at: datetime) -> datetime:
    """Instant after which a vial may not be used: calibration plus the shelf life, in elapsed days.

    Raises
    ------
    UnsupportedInput
        If no source states a shelf life for this product.
    """
    require_time_zone(calibrated_at, "the calibration instant")
    if isinstance(product.vials, MadeToOrder):
        raise UnsupportedInput(
            f"no shelf life is known for {product.name}",
            "it is made for one instant",
            "use it at the instant of the order, or ask the supplier",
        )
    return later(calibrated_at, product.vials.shelf_life_days.value * HOURS_PER_DAY)


def decay_since_calibration(product: Product, elapsed_h: float) -> float:
    """Share of the activity per sphere at calibration that is left; above 1 before it.

    Parameters
    ----------
    product : Product
        Drawn vials are used from the beginning of the earliest day before calibration on which they come.
    elapsed_h : float
        Hours after calibration; negative before it.

    Raises
    ------
    InvalidValue
        For hours before calibration at which this product is not used.
    """
    days = max(product.vials.days_before_calibration) + 1 if isinstance(product.vials, DrawnVials) else 0
    if elapsed_h < -days * HOURS_PER_DAY:
        raise InvalidValue(
            f"elapsed_h {elapsed_h:g} lies {-elapsed_h:g} h before calibration",
            f"{product.name} is used from at most {days * HOURS_PER_DAY:g} h before it",
            "check the sign, or the product",
        )
    return product.nuclide.decay_factor(elapsed_h)


def require_on_shelf(product: Product, calibrated_at: datetime, at: datetime) -> None:
    """Refuse an instant before a vial may be used or after its expiry.

    Raises
    ------
    InvalidValue
        With both instants.
    """
    supply = product.vials
    if hours_between(at, usable_from(product, calibrated_at)) > 0.0:
        why = (
            f"vials come at most {max(supply.days_before_calibration)} days before it"
            if isinstance(supply, DrawnVials)
            else "the vial is not there yet"
        )
        raise InvalidValue(
            f"administration at {at.isoformat()} lies {hours_between(at, calibrated_at):.1f} h before the vial's calibration at {calibrated_at.isoformat()}",
            why,
            "check both instants and their time zones",
        )
    if isinstance(supply, MadeToOrder):
        return
    if hours_between(expiry(product, calibrated_at), at) > 0.0:
        raise InvalidValue(
            f"administration at {at.isoformat()} lies after the vial's expiry at {expiry(product, calibrated_at).isoformat()}",
            f"{product.name} may be used for {supply.shelf_life_days.value:g} days after calibration",
            "order a vial of a later calibration",
        )


def later(instant: datetime, hours: float) -> datetime:
    """An instant a number of elapsed hours later, in the same zone: added in UTC, so that a clock change does not count."""
    return (instant.astimezone(UTC) + timedelta(hours=hours)).astimezone(instant.tzinfo)


def dispensed_gbq(product: Product, delivered_gbq: float, residual_fraction: float | None = None) -> tuple[float, float]:
    """What must leave the vial for an activity to reach the patient, GBq, ``A / (1 − R)``, and the residual fraction that was used.

    Parameters
    ----------
    product : Product
        Its published median residual stands where none is given.
    delivered_gbq : float
        Activity to deliver, GBq.
    residual_fraction : float, optional
        Share that stays behind.

    Raises
    ------
    InvalidValue
        For an activity of 0 or less, or a residual of 1 or more.
    """
    residual = product.residual_fraction.value if residual_fraction is None else residual_fraction
    if not 0.0 <= residual < 1.0:
        raise InvalidValue(f"a residual fraction of {residual}", "it must be from 0 to below 1", "give 0.01 for 1 %")
    if not 0.0 < delivered_gbq < math.inf:
        raise InvalidValue(f"an activity of {delivered_gbq} GBq to deliver", "no vial can be chosen for it", "give one above 0")
    return delivered_gbq / (1.0 - residual), residual


def vial_options(
    product: Product, territory: str, delivered_gbq: float, treatment_at: datetime, *, residual_fraction: float | None = None
) -> tuple[VialOption, ...]:
    """Every vial on the shelf for one injection, best fit first, for a product whose vials are given whole.

    Parameters
    ----------
    product : Product
        On a weekly clock.
    territory : str
        Label of the injection.
    delivered_gbq : float
        Activity to deliver at the treatment instant, GBq.
    treatment_at : datetime
        Time-zone aware.
    residual_fraction : float, optional
        Share that stays behind; the product's published median where it is not given.

    Raises
    ------
    UnsupportedInput
        If vials of this product are not given whole.
    InvalidValue
        For an activity of 0, a residual of 1 or more, an instant without a time zone.
    """
    dispensed, residual = dispensed_gbq(product, delivered_gbq, residual_fraction)
    options = []
    supply = _whole(product)
    for calibrated_at in calibrations_before(product, treatment_at):
        age_days = hours_between(calibrated_at, treatment_at) / HOURS_PER_DAY
        for size in supply.sizes_gbq:
            held = vial_activity_gbq(product, size, calibrated_at, treatment_at)
            excess = held * (1.0 - residual) / delivered_gbq - 1.0
            equal = instant_holding(product, size, calibrated_at, dispensed)
            note = _note(equal, calibrated_at, expiry(product, calibrated_at), product, size, age_days)
            options.append(
                VialOption(
                    territory,
                    size,
                    calibrated_at,
                    held,
                    excess,
                    equal.astimezone(treatment_at.tzinfo),
                    age_days,
                    abs(excess) <= FITS_WITHIN_FRACTION,
                    note,
                )
            )
    return tuple(sorted(options, key=lambda option: abs(math.log1p(option.relative_excess))))


def _note(equal: datetime, calibrated_at: datetime, expires: datetime, product: Product, size: float, age_days: float) -> str:
    spheres = size * BQ_PER_GBQ / product.bq_per_sphere.value / 1e6
    week = "first week" if age_days < DAYS_PER_WEEK else "second week"
    reach = (
        "never holds the plan after calibration"
        if hours_between(equal, calibrated_at) > 0.0
        else "holds the plan only after expiry"
        if hours_between(expires, equal) > 0.0
        else ""
    )
    return "; ".join(part for part in (f"{week}, about {spheres:.1f} million spheres", reach) if part)


def spheres_delivered(product: Product, vial: VialOption) -> float:
    """Number of spheres in a vial: activity at calibration over activity per sphere at calibration."""
    return vial.size_gbq * BQ_PER_GBQ / product.bq_per_sphere.value


@dataclass(frozen=True)
class SphereRow:
    """Spheres of an activity at one age: days after the reference of the activity per sphere, Bq per sphere, number of spheres."""

    age_days: float
    bq_per_sphere: float
    number_of_spheres: float


def sphere_table(product: Product, activity_gbq: float, ages_days: tuple[float, ...]) -> tuple[SphereRow, ...]:
    """How many spheres carry an activity, by age: ``N = A / (a₀ · 2^(−t/T½))``.

    Parameters
    ----------
    product : Product
        Its published activity per sphere at the reference is ``a₀``.
    activity_gbq : float
        At the instant of use, GBq.
    ages_days : tuple of float
        Days after the reference; negative before it.
    """
    rows = []
    for days in ages_days:
        each = product.bq_per_sphere.value * product.nuclide.decay_factor(days * HOURS_PER_DAY)
        rows.append(SphereRow(days, each, activity_gbq * BQ_PER_GBQ / each))
    return tuple(rows)


def _whole(product: Product) -> WholeVials:
    if not isinstance(product.vials, WholeVials):
        raise UnsupportedInput(
            f"vials of {product.name} are not given whole",
            "they have no sizes on a weekly clock",
            "use an order of this product instead",
        )
    return product.vials

"""When a site gets vials: delivery days, cut-off, closed dates, the clock of calibration. Data that the site states, not physics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from opensirt.vocabulary.activity import require_time_zone
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.products import DrawnVials, Product, WholeVials
from opensirt.vocabulary.provenance import Constant, Mark

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def require_zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name.

    Raises
    ------
    InvalidValue
        If there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidValue(f"{name!r} is no IANA time zone", "", "give one such as Europe/London") from None


@dataclass(frozen=True)
class CalibrationClock:
    """Wall-clock time of calibrations, in an IANA zone with its own summer time."""

    hour: int
    minute: int
    time_zone: str

    def __post_init__(self) -> None:
        require_zone(self.time_zone)
        if not (0 <= self.hour <= 23 and 0 <= self.minute <= 59):
            raise InvalidValue(f"{self.hour}:{self.minute:02d} is no time of day", "", "give 0:00 to 23:59")

    def on(self, day: date) -> datetime:
        """The calibration instant of that day."""
        return datetime(day.year, day.month, day.day, self.hour, self.minute, tzinfo=ZoneInfo(self.time_zone))


@dataclass(frozen=True)
class ProductDelivery:
    """What a site states about one product; an empty tuple or ``None`` leaves the product's own data as they are.

    Attributes
    ----------
    delivery_weekdays : tuple of int
        Days on which the site receives it, 0 = Monday.
    cut_off_days : int or None
        Days before the treatment day by which the order must be placed; ``None`` where not known.
    clock : CalibrationClock or None
        Time of calibration.
    calibration_weekday : int or None
        Day of calibration of vials on a weekly clock, 0 = Monday.
    sizes_gbq : tuple of float
        Sizes on offer to this site, GBq at calibration (custom sizes).
    days_before_calibration : tuple of int
        Days before calibration on which a vial may be used.
    shelf_life_days : float or None
        Days after calibration during which a vial may be used.
    source, mark
        Where the site has this from: its supplier's current instructions make it ``found``.
    """

    delivery_weekdays: tuple[int, ...]
    cut_off_days: int | None = None
    clock: CalibrationClock | None = None
    calibration_weekday: int | None = None
    sizes_gbq: tuple[float, ...] = ()
    days_before_calibration: tuple[int, ...] = ()
    shelf_life_days: float | None = None
    source: str = ""
    mark: Mark = Mark.UNVERIFIED


@dataclass(frozen=True)
class DeliveryCalendar:
    """Deliveries to one site.

    Attributes
    ----------
    site : str
        Name of the site.
    time_zone : str
        IANA zone in which its days begin and end.
    products : mapping of str to ProductDelivery
        By product key.
    closed_dates : tuple of date
        Days without delivery and treatment.
    """

    site: str
    time_zone: str
    products: Mapping[str, ProductDelivery] = field(default_factory=dict)
    closed_dates: tuple[date, ...] = ()

    def __post_init__(self) -> None:
        require_zone(self.time_zone)
        object.__setattr__(self, "products", MappingProxyType(dict(self.products)))

    def day(self, instant: datetime) -> date:
        """The site's calendar day of an instant."""
        return require_time_zone(instant, "the instant").astimezone(ZoneInfo(self.time_zone)).date()

    def last_delivery(self, product: Product, first: date, last: date) -> date | None:
        """The latest open delivery day from ``first`` to ``last``, both included; ``None`` if there is none.

        A product that the calendar does not name comes on any open day.
        """
        named = self.products.get(product.key)
        day = last
        while day >= first:
            if day not in self.closed_dates and (named is None or day.weekday() in named.delivery_weekdays):
                return day
            day -= timedelta(days=1)
        return None

    def order_by(self, product: Product, treatment_at: datetime) -> date | None:
        """Last day on which an order may be placed; ``None`` where the calendar states no cut-off."""
        named = self.products.get(product.key)
        if named is None or named.cut_off_days is None:
            return None
        return self.day(treatment_at) - timedelta(days=named.cut_off_days)

    def clock(self, product: Product) -> CalibrationClock | None:
        """Time of calibration of a product, where the site states one."""
        named = self.products.get(product.key)
        return None if named is None else named.clock

    def findings(self, product: Product, treatment_at: datetime, placed_at: datetime | None = None) -> tuple[Finding, ...]:
        """A treatment on a closed day, or an order placed too late."""
        found = []
        day = self.day(treatment_at)
        if day in self.closed_dates:
            message = (
                f"{day.isoformat()} is a closed date of {self.site} · vials are neither delivered nor given · choose another day"
            )
            found.append(Finding("order.closed_date", Severity.CRITICAL, message, source=f"delivery calendar of {self.site}"))
        last = self.order_by(product, treatment_at)
        if placed_at is not None and last is not None and self.day(placed_at) > last:
            message = (
                f"the order of {self.day(placed_at).isoformat()} comes after the last day for it, {last.isoformat()} · "
                "vials may not arrive in time · ask the supplier, or move the treatment"
            )
            found.append(Finding("order.after_cut_off", Severity.WARNING, message, source=f"delivery calendar of {self.site}"))
        return tuple(found)


def at_site(product: Product, calendar: DeliveryCalendar) -> Product:
    """The product as this site gets it: its sizes, clock, days and shelf life in place of the catalogue's, with the site's source."""
    named = calendar.products.get(product.key)
    if named is None:
        return product
    supply = product.vials
    where = f"delivery calendar of {calendar.site}" + (f": {named.source}" if named.source else "")
    if isinstance(supply, WholeVials):
        return replace(product, vials=_whole(supply, named, where))
    if isinstance(supply, DrawnVials):
        return replace(product, vials=_drawn(supply, named, where))
    return replace(product, vials=replace(supply, source=where, mark=named.mark)) if named.mark is Mark.FOUND else product


def _whole(supply: WholeVials, named: ProductDelivery, where: str) -> WholeVials:
    clock_stated = named.clock is not None and named.calibration_weekday is not None
    life = _shelf_life(supply.shelf_life_days, named, where)
    whole = replace(supply, shelf_life_days=life, sizes_gbq=named.sizes_gbq or supply.sizes_gbq)
    if named.clock is not None:
        clock = named.clock
        whole = replace(whole, calibration_hour=clock.hour, calibration_minute=clock.minute, time_zone=clock.time_zone)
    if named.calibration_weekday is not None:
        whole = replace(whole, calibration_weekday=named.calibration_weekday)
    verified = clock_stated and named.mark is Mark.FOUND and life.mark is Mark.FOUND
    return replace(whole, source=where, mark=Mark.FOUND) if verified else whole


def _drawn(supply: DrawnVials, named: ProductDelivery, where: str) -> DrawnVials:
    life = _shelf_life(supply.shelf_life_days, named, where)
    days = named.days_before_calibration or supply.days_before_calibration
    drawn = replace(supply, shelf_life_days=life, days_before_calibration=days)
    verified = bool(named.days_before_calibration) and named.mark is Mark.FOUND and life.mark is Mark.FOUND
    return replace(drawn, source=where, mark=Mark.FOUND) if verified else drawn


def _shelf_life(stated: Constant, named: ProductDelivery, where: str) -> Constant:
    if named.shelf_life_days is None:
        return stated
    return replace(stated, value=named.shelf_life_days, source=where, mark=named.mark)

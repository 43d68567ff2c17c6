"""A site's delivery calendar as JSON: read with every fault at once, written back, and a default whose facts nobody has verified."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, time
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from opensirt.encoding import parse_json, pretty_json
from opensirt.files.documents import read_document
from opensirt.radioembolisation.treatment.delivery_calendar import (
    WEEKDAYS,
    CalibrationClock,
    DeliveryCalendar,
    ProductDelivery,
    require_zone,
)
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue
from opensirt.vocabulary.products import PRODUCTS, DrawnVials, WholeVials
from opensirt.vocabulary.provenance import Mark

SCHEMA = "opensirt.delivery_calendar"
VERSION = 1
_TOP = ("schema", "version", "site", "time_zone", "closed_dates", "products")
_COMMON = ("delivery_weekdays", "cut_off_days", "source", "mark")
_CLOCK = ("calibration_time", "calibration_time_zone", "shelf_life_days")
_LONGEST_DAYS = 60.0

T = TypeVar("T")
U = TypeVar("U")


def read_delivery_calendar(path: Path) -> DeliveryCalendar:
    """The calendar of a file.

    Raises
    ------
    MissingInput
        If there is no such file.
    InvalidValue
        With every fault of the document.
    InconsistentInput
        If it is of another schema or version.
    """
    return delivery_calendar_from_json(read_document(path), path.name)


def default_delivery_calendar() -> DeliveryCalendar:
    """The calendar of the package: working days, no cut-off, no closed dates; every fact unverified."""
    text = resources.files("opensirt.files").joinpath("data", "delivery_calendar.json").read_text("utf-8")
    return delivery_calendar_from_json(text, "the default calendar")


def delivery_calendar_from_json(text: str, where: str = "") -> DeliveryCalendar:
    """The calendar of a JSON document.

    Parameters
    ----------
    text : str
        The document.
    where : str
        Its name, for messages.

    Raises
    ------
    InvalidValue
        With every fault and its path.
    InconsistentInput
        If it is of another schema or version.
    """
    plain = parse_json(text)
    if not isinstance(plain, dict) or (plain.get("schema"), plain.get("version")) != (SCHEMA, VERSION):
        found = (plain.get("schema"), plain.get("version")) if isinstance(plain, dict) else type(plain).__name__
        raise InconsistentInput(f"the document is {found}, not ({SCHEMA!r}, {VERSION})", where, "start from the default calendar")
    faults: list[str] = []
    top = _Fields(plain, "", _TOP, faults)
    site = top.read("site", _text, "")
    zone = top.read("time_zone", _zone, "UTC")
    closed = top.read("closed_dates", _list_of(_date), (), optional=True)
    named = plain.get("products")
    if not isinstance(named, Mapping) or not named:
        faults.append("products: an object of products by key is missing")
        named = {}
    products = {str(key): _product(str(key), data, faults) for key, data in named.items()}
    if faults:
        raise InvalidValue("; ".join(faults), where, "mend the named fields; the documentation shows an example")
    return DeliveryCalendar(
        site, zone, {key: found for key, found in products.items() if found is not None}, tuple(sorted(set(closed)))
    )


def delivery_calendar_to_json(calendar: DeliveryCalendar) -> str:
    """The document of a calendar; reading it gives the calendar back."""
    return pretty_json(
        {
            "schema": SCHEMA,
            "version": VERSION,
            "site": calendar.site,
            "time_zone": calendar.time_zone,
            "closed_dates": [day.isoformat() for day in calendar.closed_dates],
            "products": {key: _product_to_json(key, named) for key, named in calendar.products.items()},
        }
    )


class _Fields:
    """Fields of one object, read one by one; what is wrong is noted with its path, and reading goes on."""

    def __init__(self, data: Mapping[str, Any], path: str, known: tuple[str, ...], faults: list[str]) -> None:
        self._data = data
        self._path = path
        self._faults = faults
        faults += [f"{path}{key}: not known here (known: {', '.join(known)})" for key in data if key not in known]

    def read(self, key: str, reader: Callable[[Any], T], instead: U, *, optional: bool = False) -> T | U:
        """The value of a field; ``instead`` where it is absent (a fault, unless optional) or wrong."""
        value = self._data.get(key)
        if value is None:
            if not optional:
                self._faults.append(f"{self._path}{key}: missing")
            return instead
        try:
            return reader(value)
        except InvalidValue as fault:
            self._faults.append(f"{self._path}{key}: {fault.what}")
            return instead


def _product(key: str, data: Any, faults: list[str]) -> ProductDelivery | None:
    path = f"products.{key}."
    if key not in PRODUCTS:
        faults.append(f"products.{key}: no product is called so (known: {', '.join(PRODUCTS)})")
        return None
    if not isinstance(data, Mapping):
        faults.append(f"products.{key}: not an object")
        return None
    fields = _Fields(data, path, _known(key), faults)
    weekdays = fields.read("delivery_weekdays", _list_of(_weekday), ())
    if "delivery_weekdays" in data and data["delivery_weekdays"] == []:
        faults.append(f"{path}delivery_weekdays: no day at all; leave the product out where it does not come")
    clock_time = fields.read("calibration_time", _time, None, optional=True)
    clock_zone = fields.read("calibration_time_zone", _zone, None, optional=True)
    stated = [data.get(name) is not None for name in ("calibration_time", "calibration_time_zone")]
    if any(stated) and not all(stated):
        faults.append(f"{path}calibration_time and calibration_time_zone: state both or neither")
    clock = CalibrationClock(clock_time.hour, clock_time.minute, clock_zone) if clock_time is not None and clock_zone else None
    return ProductDelivery(
        tuple(sorted(set(weekdays))),
        fields.read("cut_off_days", _days, None, optional=True),
        clock,
        fields.read("calibration_weekday", _weekday, None, optional=True),
        tuple(sorted(fields.read("sizes_gbq", _list_of(_positive), (), optional=True))),
        tuple(sorted(set(fields.read("days_before_calibration", _list_of(_days), (), optional=True)))),
        fields.read("shelf_life_days", _life, None, optional=True),
        fields.read("source", _text, "", optional=True),
        fields.read("mark", _mark, Mark.UNVERIFIED, optional=True),
    )


def _known(key: str) -> tuple[str, ...]:
    """Fields that mean something for a product."""
    supply = PRODUCTS[key].vials
    if isinstance(supply, WholeVials):
        return (*_COMMON, *_CLOCK, "calibration_weekday", "sizes_gbq")
    if isinstance(supply, DrawnVials):
        return (*_COMMON, *_CLOCK, "days_before_calibration")
    return _COMMON


def _product_to_json(key: str, named: ProductDelivery) -> dict[str, Any]:
    clock = named.clock
    every = {
        "delivery_weekdays": [WEEKDAYS[day] for day in named.delivery_weekdays],
        "cut_off_days": named.cut_off_days,
        "calibration_weekday": None if named.calibration_weekday is None else WEEKDAYS[named.calibration_weekday],
        "calibration_time": None if clock is None else f"{clock.hour:02d}:{clock.minute:02d}",
        "calibration_time_zone": None if clock is None else clock.time_zone,
        "sizes_gbq": list(named.sizes_gbq) or None,
        "days_before_calibration": list(named.days_before_calibration) or None,
        "shelf_life_days": named.shelf_life_days,
        "source": named.source or None,
        "mark": named.mark.value,
    }
    return {name: value for name, value in every.items() if name in _known(key)}


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidValue(f"{value!r} is no text")
    return value


def _zone(value: Any) -> str:
    return require_zone(_text(value)).key


def _date(value: Any) -> date:
    try:
        return date.fromisoformat(_text(value))
    except ValueError:
        raise InvalidValue(f"{value!r} is no date such as 2026-12-25") from None


def _time(value: Any) -> time:
    text = _text(value)
    try:
        hour, minute = (int(part) for part in text.split(":"))
        return time(hour, minute)
    except ValueError:
        raise InvalidValue(f"{text!r} is no time of day such as 12:00") from None


def _weekday(value: Any) -> int:
    if value not in WEEKDAYS:
        raise InvalidValue(f"{value!r} is no weekday (one of {', '.join(WEEKDAYS)})")
    return WEEKDAYS.index(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidValue(f"{value!r} is no number")
    return float(value)


def _positive(value: Any) -> float:
    number = _number(value)
    if number <= 0.0:
        raise InvalidValue(f"{number:g} is not above 0")
    return number


def _life(value: Any) -> float:
    days = _positive(value)
    if days > _LONGEST_DAYS:
        raise InvalidValue(f"{days:g} days is longer than any vial lasts ({_LONGEST_DAYS:g} at most)")
    return days


def _days(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LONGEST_DAYS:
        raise InvalidValue(f"{value!r} is no whole number of days from 0 to {_LONGEST_DAYS:g}")
    return value


def _mark(value: Any) -> Mark:
    try:
        return Mark(value)
    except ValueError:
        raise InvalidValue(f"{value!r} is no mark (one of {', '.join(mark.value for mark in Mark)})") from None


def _list_of(reader: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    def read(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise InvalidValue(f"{value!r} is no list")
        found, faults = [], []
        for place, item in enumerate(value):
            try:
                found.append(reader(item))
            except InvalidValue as fault:
                faults.append(f"[{place}] {fault.what}")
        if faults:
            raise InvalidValue(", ".join(faults))
        return tuple(found)

    return read

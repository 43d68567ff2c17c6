"""Dates and times of a DICOM header as instants with a time zone, or a fault that says why not."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from pydicom.dataset import Dataset

from opensirt.dicom.attributes import text
from opensirt.dicom.faults import Refused

_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.(\d{1,6})\d*)?")
_DATE_TIME = re.compile(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)([+-]\d{4})?")
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})")
_WIDEST_OFFSET_MIN = 14 * 60
_LEAP_SECOND = 60
_MICROSECOND_DIGITS = 6


def offset_zone(offset: str) -> tzinfo:
    """The zone of an offset such as ``"+0100"``.

    Raises
    ------
    Refused
        If it is no offset between −14:00 and +14:00.
    """
    match = _OFFSET.fullmatch(offset.strip())
    if match is None:
        raise Refused("time.invalid", "an offset from UTC that cannot be read")
    minutes = int(match[2]) * 60 + int(match[3])
    if minutes > _WIDEST_OFFSET_MIN or int(match[3]) > 59:
        raise Refused("time.invalid", f"an offset from UTC of {offset.strip()}")
    return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))


def _naive(date: str, time: str, what: str) -> datetime:
    day, clock = _DATE.fullmatch(date.strip()), _TIME.fullmatch(time.strip())
    if day is None or clock is None:
        raise Refused("time.invalid", f"{what} cannot be read")
    second = min(int(clock[3] or 0), _LEAP_SECOND - 1)
    fraction = int((clock[4] or "0").ljust(_MICROSECOND_DIGITS, "0"))
    try:
        return datetime(int(day[1]), int(day[2]), int(day[3]), int(clock[1]), int(clock[2] or 0), second, fraction)
    except ValueError as error:
        raise Refused("time.invalid", f"{what} is no date and time") from error


def _in_zone(naive: datetime, data: Dataset, fallback: tzinfo | None, what: str) -> datetime:
    stated = text(data, "TimezoneOffsetFromUTC")
    if stated:
        return naive.replace(tzinfo=offset_zone(stated))
    if fallback is None:
        raise Refused("time.zone_missing", f"{what} has no time zone")
    early, late = naive.replace(tzinfo=fallback, fold=0), naive.replace(tzinfo=fallback, fold=1)
    if early.utcoffset() != late.utcoffset():
        raise Refused("time.ambiguous", f"{what}, {naive.isoformat()}, occurs twice or never in zone {fallback}")
    return early


def date_time(data: Dataset, date_keyword: str, time_keyword: str, zone: tzinfo | None) -> datetime | None:
    """The instant of a date and a time attribute; ``None`` where either is absent.

    Parameters
    ----------
    data : Dataset
        Header; its Timezone Offset From UTC (0008,0201) is used first.
    date_keyword, time_keyword : str
        e.g. ``"AcquisitionDate"``, ``"AcquisitionTime"``.
    zone : tzinfo or None
        Zone of instants without a stated offset.

    Raises
    ------
    Refused
        ``time.invalid``, ``time.zone_missing`` or ``time.ambiguous``.
    """
    date, time = text(data, date_keyword), text(data, time_keyword)
    if not date or not time:
        return None
    return _in_zone(_naive(date, time, time_keyword), data, zone, time_keyword)


def stamp(data: Dataset, value: str, what: str, zone: tzinfo | None) -> datetime:
    """The instant of a DT value (``YYYYMMDDHHMMSS.FFFFFF&ZZXX``).

    Raises
    ------
    Refused
        ``time.invalid``, ``time.zone_missing`` or ``time.ambiguous``.
    """
    match = _DATE_TIME.fullmatch(value.strip())
    if match is None:
        raise Refused("time.invalid", f"{what} cannot be read")
    naive = _naive(match[1], match[2], what)
    if match[3]:
        return naive.replace(tzinfo=offset_zone(match[3]))
    return _in_zone(naive, data, zone, what)


def seconds_of_day(time: str) -> float:
    """Seconds since midnight of a TM value.

    Raises
    ------
    Refused
        ``time.invalid``.
    """
    clock = _naive("19700101", time, "a time")
    return (clock - datetime(1970, 1, 1)).total_seconds()


def acquisition_start(data: Dataset, zone: tzinfo | None) -> datetime | None:
    """Start of the acquisition: Acquisition DateTime, or Acquisition Date and Time; ``None`` where neither is stated.

    Acquisition Time without a date takes the series' date.
    """
    whole = text(data, "AcquisitionDateTime")
    if whole:
        return stamp(data, whole, "AcquisitionDateTime", zone)
    if text(data, "AcquisitionDate"):
        return date_time(data, "AcquisitionDate", "AcquisitionTime", zone)
    return date_time(data, "SeriesDate", "AcquisitionTime", zone)


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Elapsed seconds, over changes of the clocks too (both are turned to UTC first)."""
    return (later.astimezone(UTC) - earlier.astimezone(UTC)).total_seconds()

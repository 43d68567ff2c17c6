"""How numbers are written for people: as many digits as the uncertainty supports, always with the 90 % interval."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from opensirt.vocabulary.provenance import ReportedNumber

THIN_SPACE = "\u202f"
EN_DASH = "\u2013"
MINUS = "\u2212"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Written out, so that no computer's locale changes the bytes of a report."""
_KEY = re.compile(r"[a-z]+(?:_[a-z]+)*(?:\.[\w-]+)*")
_HYPHEN_MINUS = re.compile(r"(?<![\w.])-(?=\d)")


def decimals_for(value: float, uncertainty: float) -> int:
    """Decimal places that show two significant digits of the uncertainty, or three of an exact value; 0 to 6."""
    reference = uncertainty if uncertainty > 0.0 else abs(value) / 10.0
    if reference <= 0.0 or not math.isfinite(reference):
        return 1
    return min(6, max(0, 1 - math.floor(math.log10(reference))))


def plain(value: float, decimals: int) -> str:
    """A number with a fixed number of decimals and a true minus sign."""
    text = f"{value:,.{decimals}f}".replace(",", THIN_SPACE)
    return text.replace("-", MINUS)


def with_unit(text: str, unit: str) -> str:
    """A number and its unit; no unit for pure numbers."""
    return text if unit in ("", "1") else f"{text}{THIN_SPACE}{unit}"


def value_text(number: ReportedNumber) -> str:
    """The central value with its unit: ``142 Gy``; a dimensionless fraction as per cent where its unit is ``%``."""
    decimals = decimals_for(number.measured.value, number.measured.standard_uncertainty)
    return with_unit(plain(number.measured.value, decimals), number.unit)


def interval_text(number: ReportedNumber) -> str:
    """The 90 % interval: ``118–171``; ``exact`` for a number without uncertainty."""
    uncertainty = number.measured.standard_uncertainty
    if uncertainty == 0.0:
        return "exact"
    decimals = decimals_for(number.measured.value, uncertainty)
    low, high = number.interval_90
    between = " to " if low < 0.0 else EN_DASH  # a dash beside a minus sign could be misread
    return f"{plain(low, decimals)}{between}{plain(high, decimals)}"


def signed_percent(fraction: float, decimals: int = 0) -> str:
    """A fraction as signed per cent: ``+16 %``, ``−10 %``."""
    return f"{100.0 * fraction:+.{decimals}f}{THIN_SPACE}%".replace("-", MINUS)


def offset_text(offset: timedelta | None) -> str:
    """Offset of a clock from UTC: ``UTC+01:00``."""
    if offset is None:
        return ""
    minutes = round(offset.total_seconds() / 60)
    sign = "+" if minutes >= 0 else MINUS
    return f"UTC{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def instant_text(at: datetime, *, year: bool = True) -> str:
    """An instant with weekday and offset: ``Wed 11 Mar 2026, 10:00 UTC+01:00``."""
    day = f"{_DAYS[at.weekday()]} {at.day:02d} {_MONTHS[at.month - 1]}"
    return f"{day}{f' {at.year}' if year else ''}, {at:%H:%M} {offset_text(at.utcoffset())}".rstrip()


def counted(value: float) -> str:
    """Counts and the like: whole from 100, two decimals below."""
    return plain(value, 0 if abs(value) >= 100.0 else 2)


def budget(number: ReportedNumber) -> list[tuple[str, float, float]]:
    """Sources by share of the variance: (source, contribution in the number's unit, share 0–1), largest first."""
    variance = number.measured.standard_uncertainty**2
    if variance == 0.0:
        return []
    rows = [(source, u, u * u / variance) for source, u in number.measured.contributions.items()]
    return sorted(rows, key=lambda row: (-row[2], row[0]))


def source_words(source: str) -> str:
    """A contribution's key in words: ``contour.tumour.T1`` → ``contour (tumour T1)``."""
    head, _, tail = source.partition(".")
    words = head.replace("_", " ")
    return f"{words} ({tail.replace('.', ' ').replace('_', ' ')})" if tail else words


def told(text: str, labels: Mapping[str, str]) -> str:
    """Text for people: structures by their labels in place of their keys, a true minus, no line end before a per cent sign."""

    def label(found: re.Match[str]) -> str:
        key = found.group()
        return labels.get(key, key) if "." in key or "_" in key else key

    return _HYPHEN_MINUS.sub(MINUS, _KEY.sub(label, text)).replace(" %", "\u00a0%")

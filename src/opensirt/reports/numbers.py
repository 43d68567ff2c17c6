"""How numbers are written for people: as many digits as the uncertainty supports, always with the 90 % interval."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.products import PRODUCTS
from opensirt.vocabulary.provenance import ReportedNumber
from opensirt.vocabulary.units import PERCENT

THIN_SPACE = "\u202f"
EN_DASH = "\u2013"
MINUS = "\u2212"
MOST_DECIMALS = 6
SMALLEST_SHOWN = 1e-7
"""What is smaller vanishes behind the most decimals shown."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Written out, so that no computer's locale changes the bytes of a report."""
_KEY = re.compile(r"[a-z]+\d*(?:_[a-z]+)*(?:\.[\w-]+)*")
_STRUCTURES = frozenset(kind.value for kind in StructureKind)
_HYPHEN_MINUS = re.compile(r"(?<![\w.])-(?=\d)")


def decimals_for(value: float, uncertainty: float) -> int:
    """Decimal places that show two significant digits of the uncertainty, or three of an exact value; 0 to 6."""
    reference = uncertainty if uncertainty > 0.0 else abs(value) / 10.0
    if reference <= 0.0 or not math.isfinite(reference):
        return 0
    return min(MOST_DECIMALS, max(0, 1 - math.floor(math.log10(reference))))


def is_sure(number: ReportedNumber) -> bool:
    """Whether a number's uncertainty is none, or too small for any decimal that is shown: rounding of the computer, not of nature."""
    return number.measured.standard_uncertainty < SMALLEST_SHOWN


def plain(value: float, decimals: int) -> str:
    """A number with a fixed number of decimals and a true minus sign."""
    text = f"{value:,.{decimals}f}".replace(",", THIN_SPACE)
    return _unsigned_zero(text).replace("-", MINUS)


def _unsigned_zero(text: str) -> str:
    """A number that rounds to zero without the sign of what was rounded away."""
    return text if re.search("[1-9]", text) else text.lstrip("+-")


def with_unit(text: str, unit: str) -> str:
    """A number and its unit; no unit for pure numbers."""
    return text if unit in ("", "1") else f"{text}{THIN_SPACE}{unit}"


def value_text(number: ReportedNumber) -> str:
    """The central value with its unit: ``142 Gy``; a dimensionless fraction as per cent where its unit is ``%``."""
    return with_unit(bare_text(number), number.unit)


def bare_text(number: ReportedNumber) -> str:
    """The central value without its unit; a whole number that is exact stands without decimals."""
    value = number.measured.value
    if is_sure(number):
        return plain(value, 0 if abs(value - round(value)) < SMALLEST_SHOWN else decimals_for(value, 0.0))
    return plain(value, decimals_for(value, number.measured.standard_uncertainty))


def interval_text(number: ReportedNumber) -> str:
    """The 90 % interval: ``118–171``; ``exact`` for a number without uncertainty."""
    if is_sure(number):
        return "exact"
    decimals = decimals_for(number.measured.value, number.measured.standard_uncertainty)
    low, high = number.interval_90
    between = " to " if low < 0.0 else EN_DASH  # a dash beside a minus sign could be misread
    return f"{plain(low, decimals)}{between}{plain(high, decimals)}"


def signed_percent(fraction: float, decimals: int = 0) -> str:
    """A fraction as signed per cent: ``+16 %``, ``−10 %``."""
    return f"{_unsigned_zero(f'{PERCENT * fraction:+.{decimals}f}')}{THIN_SPACE}%".replace("-", MINUS)


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


def key_words(key: str) -> str:
    """The key of a structure or of a product in words: ``territory.right`` → ``territory right``; any other text as it is."""
    kind, dot, rest = key.partition(".")
    if key in PRODUCTS and not key.isalpha():
        return PRODUCTS[key].name
    if kind in _STRUCTURES and (dot or "_" in kind):
        return f"{kind.replace('_', ' ')} {rest.replace('.', ' ').replace('_', ' ')}".rstrip()
    return key


def told(text: str, labels: Mapping[str, str]) -> str:
    """Text for people: structures by their labels in place of their keys, a true minus, no line end before a per cent sign."""

    def label(found: re.Match[str]) -> str:
        key = found.group()
        return labels.get(key) or key_words(key) if "." in key or "_" in key else key_words(key)

    return _HYPHEN_MINUS.sub(MINUS, _KEY.sub(label, text)).replace(" %", "\u00a0%")

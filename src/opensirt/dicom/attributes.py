"""Attributes of a DICOM header as plain values: present and valid, or refused with the attribute's name."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from functools import cache
from struct import calcsize, unpack
from typing import Any

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import BaseTag, Tag

from opensirt.dicom.faults import Refused

PARSER_ERRORS = (
    InvalidDicomError,
    BytesLengthException,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What pydicom and the decoders raise on damaged input (RecursionError is a RuntimeError, UnicodeError a ValueError). Caught where a
file is parsed or decoded and nowhere else, and always entered as a fault."""


_PLAIN_VRS = frozenset({"CS", "UI", "DS", "IS", "DA", "TM", "DT", "SH", "LO", "AS", "AE"})
_INTEGERS = {"US": "<H", "SS": "<h", "UL": "<L", "SL": "<l"}
_PADDING = " \0"


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


@cache
def _vr(keyword: str) -> str:
    return dictionary_VR(_tag(keyword))


def _name(keyword: str) -> str:
    tag = _tag(keyword)
    return f"{keyword} ({tag.group:04X},{tag.element:04X})"


def _raw_parts(data: Dataset, keyword: str) -> list[str] | None:
    """Values as text straight from the bytes of an element that pydicom has not converted yet; ``None`` where that is not safe.

    pydicom's conversion builds a checked object for each value; a CT of 300 slices has 6000 that are looked at once.
    """
    element = data.get_item(_tag(keyword))
    if not isinstance(element, RawDataElement) or not element.is_little_endian or not isinstance(element.value, bytes):
        return None
    vr = element.VR or _vr(keyword)
    if vr in _INTEGERS and len(element.value) == calcsize(_INTEGERS[vr]):
        return [str(unpack(_INTEGERS[vr], element.value)[0])]
    if vr not in _PLAIN_VRS or not element.value.isascii():
        return None
    return [part.strip(_PADDING) for part in element.value.decode("ascii").split("\\")]


def value_of(data: Dataset, keyword: str) -> Any:
    """The value of an attribute, or ``None`` if it is absent, empty or cannot be parsed as its value representation."""
    tag = _tag(keyword)
    if tag not in data:
        return None
    try:
        value = data[tag].value
    except PARSER_ERRORS as error:
        raise Refused("header.attribute_invalid", f"{_name(keyword)} cannot be parsed ({type(error).__name__})") from error
    if value is None or (isinstance(value, str | Sequence) and len(value) == 0):
        return None
    return value


def text(data: Dataset, keyword: str) -> str:
    """An attribute as stripped text; empty if absent. Several values are joined by a backslash."""
    parts = _raw_parts(data, keyword)
    if parts is not None:
        return "\\".join(parts)
    value = value_of(data, keyword)
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Sequence):
        return "\\".join(str(part).strip() for part in value)
    return str(value).strip()


def texts(data: Dataset, keyword: str) -> tuple[str, ...]:
    """The values of an attribute as stripped texts."""
    joined = text(data, keyword)
    return tuple(joined.split("\\")) if joined else ()


def numbers(data: Dataset, keyword: str) -> tuple[float, ...]:
    """The values of a numeric attribute; empty if absent. NaN is passed on.

    Raises
    ------
    Refused
        If a value is no number.
    """
    parts: Sequence[Any] | None = _raw_parts(data, keyword)
    if parts is None:
        value = value_of(data, keyword)
        if value is None:
            return ()
        parts = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
    if list(parts) == [""]:
        return ()
    try:
        return tuple(float(part) for part in parts)
    except (TypeError, ValueError) as error:
        raise Refused("header.attribute_invalid", f"{_name(keyword)} is not a number") from error


def number(data: Dataset, keyword: str, default: float | None = None) -> float:
    """The first value of a numeric attribute.

    Raises
    ------
    Refused
        If the attribute is absent and no default is given.
    """
    found = numbers(data, keyword)
    if found:
        return found[0]
    if default is None:
        raise Refused("header.attribute_missing", f"{_name(keyword)} is missing")
    return default


def vector(data: Dataset, keyword: str, length: int, code: str) -> tuple[float, ...]:
    """Exactly ``length`` finite numbers.

    Raises
    ------
    Refused
        With ``code`` if there are fewer or more, or one is not finite.
    """
    found = numbers(data, keyword)
    if len(found) != length or not all(math.isfinite(part) for part in found):
        stated = "missing" if not found else f"{len(found)} values, {length} finite ones needed"
        raise Refused(code, f"{_name(keyword)}: {stated}")
    return found


def items(data: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence; empty if absent."""
    value = value_of(data, keyword)
    if value is None or not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return ()
    return tuple(item for item in value if isinstance(item, Dataset))


def first_item(data: Dataset, keyword: str) -> Dataset:
    """The first item of a sequence, or an empty dataset."""
    found = items(data, keyword)
    return found[0] if found else Dataset()

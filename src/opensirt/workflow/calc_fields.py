"""What a formula of ``calc`` asks for: fields with unit, range and example; all faults of a payload are reported at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from opensirt.vocabulary.activity import require_time_zone
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.offers import nearest


class Kind(Enum):
    """What a field may hold."""

    POSITIVE = "a finite number above 0"
    NOT_NEGATIVE = "a finite number of 0 or more"
    FRACTION = "a fraction from 0 to below 1"
    NUMBER = "a finite number"
    TEXT = "a text"
    INSTANT = "an instant with time zone, e.g. 2026-03-04T10:00:00+01:00"
    NUMBERS = "a list of finite numbers of 0 or more"
    BY_NAME = "an object of finite numbers of 0 or more by name"
    OBJECTS = "an object of objects by name"
    CONSTANT = "the name of a published dose constant, or a number above 0"


REQUIRED = object()
"""Marks a field that has no default."""
_MEASURABLE = (Kind.POSITIVE, Kind.NOT_NEGATIVE, Kind.FRACTION, Kind.NUMBER)
_UNCERTAIN_KEYS = {"value", "standard_uncertainty", "relative_uncertainty", "contributions"}
_EDGE = 1e-3
"""Derivatives are taken a thousandth of a standard uncertainty either side (:func:`propagate`): both must be in range."""


@dataclass(frozen=True)
class Field:
    """One input of a formula.

    Attributes
    ----------
    key : str
        Name with its unit: ``"perfused_mass_kg"``.
    kind : Kind
        What it may hold.
    about : str
        What it is, for people.
    example : object
        A value for ``--example``; ``None`` leaves it out of the example.
    default : object
        :data:`REQUIRED`, or what stands where it is not given (``None`` for nothing).
    plausible : tuple of float
        Range outside of which a finding asks whether the unit is right.
    """

    key: str
    kind: Kind
    about: str
    example: Any
    default: Any = REQUIRED
    plausible: tuple[float, float] = (-math.inf, math.inf)


class Values:
    """A payload that was read and found right."""

    def __init__(self, held: Mapping[str, Any], stated: frozenset[str]) -> None:
        self._held = dict(held)
        self._stated = stated

    def has(self, key: str) -> bool:
        """Whether the field holds something, stated or by default."""
        return self._held[key] is not None

    def stated(self, key: str) -> bool:
        """Whether the payload stated it."""
        return key in self._stated

    def measured(self, key: str) -> Measured:
        """A number with its uncertainty."""
        value = self._held[key]
        return value if isinstance(value, Measured) else Measured(float(value))

    def number(self, key: str) -> float:
        """A number."""
        return self.measured(key).value

    def text(self, key: str) -> str:
        """A text."""
        return str(self._held[key])

    def instant(self, key: str) -> datetime:
        """An instant with time zone."""
        value: datetime = self._held[key]
        return value

    def numbers(self, key: str) -> list[float]:
        """A list of numbers."""
        return list(self._held[key])

    def by_name(self, key: str) -> dict[str, float]:
        """Numbers by name."""
        return dict(self._held[key])

    def objects(self, key: str) -> dict[str, Any]:
        """Objects by name."""
        return dict(self._held[key])

    def raw(self, key: str) -> Any:
        """What was given, as it was given."""
        return self._held[key]


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(f"{value!r} is not a number")
    if not math.isfinite(value):
        raise InvalidValue(f"{value!r} is not finite")
    return float(value)


def _in_range(value: float, kind: Kind) -> float:
    low = 0.0 if kind is not Kind.NUMBER else -math.inf
    high = 1.0 if kind is Kind.FRACTION else math.inf
    if value < low or value >= high or (kind is Kind.POSITIVE and value == 0.0):
        hint = f" (give {value / 100.0:g} for {value:g} %)" if kind is Kind.FRACTION and 1.0 <= value <= 100.0 else ""
        raise InvalidValue(f"{value:g} is not {kind.value}{hint}")
    return value


def _measured(value: Any, field: Field) -> Measured:
    if not isinstance(value, Mapping):
        return Measured(_in_range(_finite(value), field.kind))
    unknown = set(value) - _UNCERTAIN_KEYS
    if unknown or "value" not in value or len(value) > 2:
        raise InvalidValue(
            "an uncertain number has 'value' and one of 'standard_uncertainty', 'relative_uncertainty', 'contributions'"
        )
    centre = _in_range(_finite(value["value"]), field.kind)
    if "contributions" in value:
        if not isinstance(value["contributions"], Mapping):
            raise InvalidValue("'contributions' is an object of numbers by source")
        measured = Measured(centre, {str(source): _finite(u) for source, u in value["contributions"].items()})
    else:
        spread = _finite(value.get("standard_uncertainty", 0.0)) + _finite(value.get("relative_uncertainty", 0.0)) * abs(centre)
        if spread < 0.0:
            raise InvalidValue("an uncertainty cannot be negative")
        measured = Measured(centre, {field.key: spread})
    for side in (-1.0, 1.0):
        _in_range(centre + side * _EDGE * measured.standard_uncertainty, field.kind)
    return measured


def _instant(value: Any) -> datetime:
    try:
        return require_time_zone(datetime.fromisoformat(str(value)), "the instant")
    except InvalidValue:
        raise
    except ValueError:
        raise InvalidValue(f"{value!r} is not {Kind.INSTANT.value}") from None


def _list(value: Any) -> list[float]:
    if not isinstance(value, list) or not value:
        raise InvalidValue(f"{value!r} is not {Kind.NUMBERS.value}")
    return [_in_range(_finite(item), Kind.NOT_NEGATIVE) for item in value]


def _by_name(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping) or not value:
        raise InvalidValue(f"{value!r} is not {Kind.BY_NAME.value}")
    return {str(name): _in_range(_finite(item), Kind.NOT_NEGATIVE) for name, item in value.items()}


def _objects(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not value or not all(isinstance(item, Mapping) for item in value.values()):
        raise InvalidValue(f"{value!r} is not {Kind.OBJECTS.value}")
    return {str(name): dict(item) for name, item in value.items()}


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidValue(f"{value!r} is not {Kind.TEXT.value}")
    return value


def _constant(value: Any) -> str | float:
    return value if isinstance(value, str) and value else _in_range(_finite(value), Kind.POSITIVE)


_READERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.INSTANT: _instant,
    Kind.NUMBERS: _list,
    Kind.BY_NAME: _by_name,
    Kind.OBJECTS: _objects,
    Kind.TEXT: _text,
    Kind.CONSTANT: _constant,
}


def read_fields(fields: tuple[Field, ...], payload: Mapping[str, Any], where: str) -> tuple[Values, tuple[Finding, ...]]:
    """A payload against the fields of a formula, and findings for values whose unit looks wrong.

    Parameters
    ----------
    fields : tuple of Field
        What the formula asks for.
    payload : mapping
        What was given.
    where : str
        Name of the formula, for messages.

    Raises
    ------
    InvalidValue
        With every unknown, missing and wrong key at once.
    """
    known = {field.key: field for field in fields}
    faults = [_unknown(key, known) for key in payload if key not in known]
    held: dict[str, Any] = {}
    findings = []
    for field in fields:
        value = payload.get(field.key)
        if value is None:
            if field.default is REQUIRED:
                faults.append(f"{field.key} is missing ({field.about}: {field.kind.value})")
            held[field.key] = field.default
            continue
        try:
            held[field.key] = _measured(value, field) if field.kind in _MEASURABLE else _READERS[field.kind](value)
        except InvalidValue as fault:
            faults.append(f"{field.key}: {fault}")
            continue
        findings += _implausible(field, held[field.key])
    if faults:
        raise InvalidValue("; ".join(faults), where, f"see the example of {where}; keys carry their unit")
    stated = frozenset(key for key, value in payload.items() if value is not None)
    return Values(held, stated), tuple(findings)


def _unknown(key: str, known: Mapping[str, Field]) -> str:
    near = nearest(str(key), known)
    return f"{key} is not known" + (f" (did you mean {near}?)" if near else "")


def _implausible(field: Field, value: Any) -> list[Finding]:
    low, high = field.plausible
    if not isinstance(value, Measured) or low <= value.value <= high:
        return []
    message = f"{field.key} = {value.value:g} is unusual (expected {low:g} to {high:g}) · a slip of unit changes the result by powers of ten · check it"
    return [Finding("calc.unusual_value", Severity.WARNING, message, field.key)]

"""One way from values to JSON and back: for files, ``calc`` and events alike.

Frozen dataclasses, enums, instants with offset, :class:`Measured`, tuples and mappings. Every document carries ``schema`` and
``version``. Reading reports all faults at once, each with its path.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import PurePath
from typing import Any, TypeVar

import cattrs
from cattrs.v import format_exception

from opensirt.vocabulary.activity import require_time_zone
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, OpensirtError
from opensirt.vocabulary.measured import Measured

__all__ = ["canonical_json", "from_json", "parse_json", "pretty_json", "structure", "to_json", "unstructure"]

T = TypeVar("T")


def _read_instant(text: Any, _: Any) -> datetime:
    if not isinstance(text, str):
        raise InvalidValue(f"{text!r} is no instant")
    try:
        return require_time_zone(datetime.fromisoformat(text), "an instant in JSON")
    except OpensirtError:
        raise
    except ValueError as error:
        raise InvalidValue(f"{text!r} is no instant in ISO 8601") from error


def _read_float(value: Any, _: Any) -> float:
    # exactly a number: no text, no truth value, nothing turned silently into something else
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidValue(f"{value!r} is no finite number")
    return float(value)


def _read_int(value: Any, _: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidValue(f"{value!r} is no whole number")
    return value


def _read_bool(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidValue(f"{value!r} is neither true nor false")
    return value


def _read_str(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f"{value!r} is no text")
    return value


def _read_measured(value: Any, _: Any) -> Measured:
    if not isinstance(value, Mapping) or not {"value"} <= value.keys() <= {"value", "contributions"}:
        raise InvalidValue("a measured value has the fields value and contributions")
    contributions = value.get("contributions", {})
    if not isinstance(contributions, Mapping):
        raise InvalidValue("contributions are numbers by source")
    return Measured(_read_float(value["value"], float), {key: _read_float(u, float) for key, u in contributions.items()})


def _fault(error: BaseException, type_: type | None) -> str:
    return error.what if isinstance(error, OpensirtError) else str(format_exception(error, type_))


@lru_cache(maxsize=1)
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=True, forbid_extra_keys=True)
    converter.register_unstructure_hook(PurePath, str)
    converter.register_unstructure_hook(datetime, lambda at: at.isoformat())
    converter.register_structure_hook(datetime, _read_instant)
    converter.register_unstructure_hook(Measured, lambda m: {"value": m.value, "contributions": dict(m.contributions)})
    converter.register_structure_hook(Measured, _read_measured)
    converter.register_structure_hook(float, _read_float)
    converter.register_structure_hook(int, _read_int)
    converter.register_structure_hook(bool, _read_bool)
    converter.register_structure_hook(str, _read_str)
    return converter


def unstructure(value: Any) -> Any:
    """Plain JSON types (dict, list, str, numbers) of a value."""
    return _converter().unstructure(value)


def structure(data: Any, type_: type[T]) -> T:
    """A value of a type from plain JSON types.

    Raises
    ------
    InvalidValue
        With every fault and its path.
    """
    try:
        return _converter().structure(data, type_)
    except cattrs.BaseValidationError as error:
        faults = cattrs.transform_error(error, format_exception=_fault)
        raise InvalidValue(f"not a valid {type_.__name__}: {'; '.join(faults)}", "", "mend the named fields") from error


def _require_finite(value: Any, path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidValue(f"{value} at {path or 'the top'} cannot stand in JSON", "", "leave the field out or give a number")
    if isinstance(value, Mapping):
        for key, item in value.items():
            _require_finite(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _require_finite(item, f"{path}[{number}]")


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces, UTF-8, no NaN: the form that is hashed."""
    plain = unstructure(value)
    _require_finite(plain, "")
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def pretty_json(value: Any) -> str:
    """JSON for people: indented, keys in the order of the fields."""
    plain = unstructure(value)
    _require_finite(plain, "")
    return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        doubled = sorted({key for key in keys if keys.count(key) > 1})
        raise InvalidValue(f"JSON states {', '.join(doubled)} twice", "which one holds cannot be known", "leave one out")
    return found


def _no_constant(name: str) -> float:
    raise InvalidValue(f"{name} in JSON", "it is no number of JSON", "leave the field out or give a number")


def parse_json(text: str) -> Any:
    """Plain JSON types of a text; NaN, infinities and doubled keys are refused.

    Raises
    ------
    InvalidValue
        With line and column.
    """
    try:
        return json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InvalidValue(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}", "", "check the file") from error
    except RecursionError as error:
        raise InvalidValue("JSON is nested too deeply", "", "check the file") from error


def to_json(value: Any, schema: str, version: int) -> str:
    """A document: ``schema``, ``version`` and the value's fields, indented."""
    plain = unstructure(value)
    if not isinstance(plain, dict):
        raise InvalidValue(f"a document must be a record, not {type(value).__name__}", "", "wrap it in a dataclass")
    return pretty_json(
        {"schema": schema, "version": version} | {key: item for key, item in plain.items() if key not in ("schema", "version")}
    )


def from_json(text: str, type_: type[T], schema: str, version: int) -> T:
    """The value of a document.

    Raises
    ------
    InvalidValue
        If the text is not JSON or a field is wrong.
    InconsistentInput
        If schema or version are not the ones asked for.
    """
    plain = parse_json(text)
    if not isinstance(plain, dict) or plain.get("schema") != schema or plain.get("version") != version:
        found = (plain.get("schema"), plain.get("version")) if isinstance(plain, dict) else type(plain).__name__
        raise InconsistentInput(
            f"the document is {found}, not ({schema!r}, {version})", "", "read it with the program version that wrote it"
        )
    fields = {getattr(field, "name", "") for field in getattr(type_, "__dataclass_fields__", {}).values()}
    data = (
        plain if {"schema", "version"} <= fields else {key: item for key, item in plain.items() if key not in ("schema", "version")}
    )
    return structure(data, type_)

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
from typing import Any, TypeVar

import cattrs

from opensirt.vocabulary.activity import require_time_zone
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue
from opensirt.vocabulary.measured import Measured

__all__ = ["canonical_json", "from_json", "pretty_json", "structure", "to_json", "unstructure"]

T = TypeVar("T")


def _read_instant(text: Any, _: Any) -> datetime:
    return require_time_zone(datetime.fromisoformat(str(text)), "an instant in JSON")


def _read_measured(value: Any, _: Any) -> Measured:
    return Measured(float(value["value"]), {str(key): float(u) for key, u in value.get("contributions", {}).items()})


@lru_cache(maxsize=1)
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=True, forbid_extra_keys=True)
    converter.register_unstructure_hook(datetime, lambda at: at.isoformat())
    converter.register_structure_hook(datetime, _read_instant)
    converter.register_unstructure_hook(Measured, lambda m: {"value": m.value, "contributions": dict(m.contributions)})
    converter.register_structure_hook(Measured, _read_measured)
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
    except (cattrs.BaseValidationError, cattrs.StructureHandlerNotFoundError) as error:
        faults = cattrs.transform_error(error) if isinstance(error, cattrs.BaseValidationError) else [str(error)]
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
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidValue(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}", "", "check the file") from error
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

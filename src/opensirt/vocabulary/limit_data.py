"""Cited limits and targets as they stand in the package's data: read strictly, so that a slip in the data is an error and not a dose.

An unknown key or volume, a missing source, a value without role: every fault of the text is told at once with its path. Where no source has
a value, or a printed cell could not be read, the entry has no value and says why.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.provenance import Mark
from opensirt.vocabulary.reserve import ReserveCondition

SCHEMA = "opensirt.limits"
INDICATIONS = ("NET", "HCC", "ICC", "mCRC")
VOLUMES = {
    kind.value: kind
    for kind in (
        StructureKind.LUNGS,
        StructureKind.NORMAL_LIVER,
        StructureKind.PERFUSED_NORMAL_LIVER,
        StructureKind.TERRITORY,
        StructureKind.TUMOUR,
    )
}
"""Volumes that a limit may refer to."""


class Role(Enum):
    """Whether a dose must stay below or should be reached."""

    LIMIT = "limit"
    TARGET = "target"


class Why(Enum):
    """Why an entry has no value."""

    NOT_FOUND = "not_found"
    """No source was found."""
    NOT_PUBLISHED = "not_published"
    """The source says that there is none."""
    UNREADABLE = "unreadable"
    """The copy that was read is garbled; the printed source must be read."""


@dataclass(frozen=True)
class Setting:
    """How much of the liver is treated, and how: a name, what it means, and what stating it says about the patient."""

    name: str
    about: str
    states: ReserveCondition = ReserveCondition()


@dataclass(frozen=True)
class LimitEntry:
    """One cell of the published tables.

    Attributes
    ----------
    key : str
        Stable dotted name; a site's own file refers to it.
    name : str
        For people.
    role, volume
        Limit or target, and the volume whose mean dose it refers to.
    value_gy : float or None
        Gy; ``None`` where no source has one, for the reason in ``why`` and ``reason``.
    source, mark
        Where it comes from and how far to trust it.
    product : str
        Product key; empty for any.
    indications, settings : tuple of str
        Where it applies; empty for everywhere.
    stated_for : str
        The one indication it was derived in; it stands for others by analogy. Empty where the source does not say.
    stated_settings : tuple of str
        The settings it was stated for; others by analogy. Empty for all in which it applies.
    family : str
        Entries of one family are alternatives: the highest whose condition is met stands.
    requires : ReserveCondition
        What must be stated about the liver before it may stand.
    enforced : bool
        Whether a plan keeps it; otherwise it is shown beside the plan.
    aim_gy : tuple of float, optional
        Range that the source aims for, Gy.
    condition, printed : str
        Condition in words; the cell as printed.
    why, reason
        For an entry without value.
    """

    key: str
    name: str
    role: Role
    volume: StructureKind
    value_gy: float | None
    source: str
    mark: Mark
    product: str = ""
    indications: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    stated_for: str = ""
    stated_settings: tuple[str, ...] = ()
    family: str = ""
    requires: ReserveCondition = ReserveCondition()
    enforced: bool = True
    aim_gy: tuple[float, float] | None = None
    condition: str = ""
    printed: str = ""
    why: Why | None = None
    reason: str = ""

    def applies(self, product: str, indication: str, setting: str) -> bool:
        """Whether it has anything to say about this product, indication and setting."""
        return (
            self.product in ("", product)
            and (not self.indications or indication in self.indications)
            and (not self.settings or setting in self.settings)
        )


@dataclass(frozen=True)
class LimitSet:
    """All entries, with version and date of the set.

    Attributes
    ----------
    version, date : str
        Of the set; a plan names them.
    settings : mapping of str to tuple of Setting
        By product; the first is the strictest.
    entries : tuple of LimitEntry
        In the order in which they are shown.
    """

    version: str
    date: str
    settings: Mapping[str, tuple[Setting, ...]]
    entries: tuple[LimitEntry, ...] = field(default=())

    def setting(self, product: str, name: str) -> Setting:
        """The setting of that name."""
        return next(setting for setting in self.settings[product] if setting.name == name)


class _Reader:
    """Reads records key by key and gathers every fault with its path."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def fault(self, path: str, says: str) -> None:
        self.faults.append(f"{path}: {says}")

    def record(self, value: Any, path: str, keys: Mapping[str, bool]) -> Mapping[str, Any]:
        """A record with no other key than these; ``True`` for those it must have."""
        if not isinstance(value, Mapping):
            self.fault(path, "an object is expected")
            return {}
        for key in value:
            if key not in keys:
                self.fault(f"{path}.{key}", f"unknown key; {offer(str(key), keys)}")
        for key, required in keys.items():
            if required and key not in value:
                self.fault(f"{path}.{key}", "missing")
        return value

    def text(self, record: Mapping[str, Any], key: str, path: str) -> str:
        value = record.get(key, "")
        if not isinstance(value, str) or (key in record and not value):
            self.fault(f"{path}.{key}", f"{value!r} is no text")
            return ""
        return value

    def names(self, record: Mapping[str, Any], key: str, path: str, known: Sequence[str]) -> tuple[str, ...]:
        value = record.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fault(f"{path}.{key}", f"{value!r} is no list of names")
            return ()
        for item in value:
            if item not in known:
                self.fault(f"{path}.{key}", f"{item!r} is unknown; {offer(item, known)}")
        return tuple(value)

    def choice(self, record: Mapping[str, Any], key: str, path: str, known: Mapping[str, Any]) -> Any:
        value = record.get(key)
        if not isinstance(value, str) or value not in known:
            if key in record:
                self.fault(f"{path}.{key}", f"{value!r} is unknown; {offer(str(value), known)}")
            return next(iter(known.values()))
        return known[value]

    def number(self, value: Any, path: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < math.inf:
            self.fault(path, f"{value!r} is no finite number above 0")
            return 1.0
        return float(value)

    def flag(self, record: Mapping[str, Any], key: str, path: str) -> bool:
        value = record.get(key, False)
        if not isinstance(value, bool):
            self.fault(f"{path}.{key}", f"{value!r} is neither true nor false")
            return False
        return value


_CONDITION_KEYS = {
    "bilirubin_below_mg_per_dl": False,
    "no_earlier_treatment": False,
    "good_function": False,
    "reserve_fraction_above": False,
}
_RULE_KEYS = {
    **dict.fromkeys(("key", "name", "role", "volume", "value_gy", "source", "mark"), True),
    **dict.fromkeys(("product", "indications", "settings", "stated_for", "stated_settings", "family", "requires"), False),
    **dict.fromkeys(("use", "aim_gy", "condition", "printed", "why", "reason"), False),
}
_USES = {"rule": True, "shown": False}


def _condition(reader: _Reader, value: Any, path: str) -> ReserveCondition:
    record = reader.record(value, path, _CONDITION_KEYS)
    numbers = {
        key: reader.number(record[key], f"{path}.{key}") if key in record else None
        for key in ("bilirubin_below_mg_per_dl", "reserve_fraction_above")
    }
    return ReserveCondition(
        numbers["bilirubin_below_mg_per_dl"],
        reader.flag(record, "no_earlier_treatment", path),
        reader.flag(record, "good_function", path),
        numbers["reserve_fraction_above"],
    )


def _settings(reader: _Reader, value: Any) -> dict[str, tuple[Setting, ...]]:
    found: dict[str, tuple[Setting, ...]] = {}
    if not isinstance(value, Mapping):
        reader.fault("settings", "an object of lists by product is expected")
        return found
    for product, rows in value.items():
        settings = []
        for n, row in enumerate(rows if isinstance(rows, list) else ()):
            path = f"settings.{product}[{n}]"
            record = reader.record(row, path, {"name": True, "about": True, "states": False})
            states = _condition(reader, record["states"], f"{path}.states") if "states" in record else ReserveCondition()
            settings.append(Setting(reader.text(record, "name", path), reader.text(record, "about", path), states))
        if not settings or len({setting.name for setting in settings}) < len(settings):
            reader.fault(f"settings.{product}", "a list of settings with different names is expected")
        elif settings[0].states != ReserveCondition():
            reader.fault(f"settings.{product}[0].states", "the first setting stands where none is stated: it may state nothing")
        found[str(product)] = tuple(settings)
    return found


def _aim(reader: _Reader, value: Any, path: str) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        reader.fault(path, f"{value!r} is no pair of doses")
        return None
    low, high = (reader.number(item, path) for item in value)
    if low > high:
        reader.fault(path, f"{low:g} Gy to {high:g} Gy runs backwards")
    return low, high


def _entry(
    reader: _Reader, value: Any, path: str, sources: Mapping[str, str], settings: Mapping[str, tuple[Setting, ...]]
) -> LimitEntry:
    record = reader.record(value, path, _RULE_KEYS)

    def text(key: str) -> str:
        return reader.text(record, key, path)

    product = text("product")
    if product and product not in settings:
        reader.fault(f"{path}.product", f"{product!r} is unknown; {offer(product, settings)}")
    known = [setting.name for setting in settings.get(product, ())]
    if not product and ("settings" in record or "stated_settings" in record):
        reader.fault(f"{path}.settings", "settings belong to a product")
    dose = record.get("value_gy")
    if dose is None and not (record.get("why") and record.get("reason")):
        reader.fault(f"{path}.value_gy", "no value, and no why and reason for it")
    if dose is not None and ("why" in record or "reason" in record):
        reader.fault(f"{path}.why", "a value stands, and a reason why there is none")
    stated_for = text("stated_for")
    if stated_for and stated_for not in INDICATIONS:
        reader.fault(f"{path}.stated_for", f"{stated_for!r} is unknown; {offer(stated_for, INDICATIONS)}")
    return LimitEntry(
        key=text("key"),
        name=text("name"),
        role=reader.choice(record, "role", path, {role.value: role for role in Role}),
        volume=reader.choice(record, "volume", path, VOLUMES),
        value_gy=None if dose is None else reader.number(dose, f"{path}.value_gy"),
        source=reader.choice(record, "source", path, sources or {"": ""}),
        mark=reader.choice(record, "mark", path, {mark.value: mark for mark in Mark}),
        product=product,
        indications=reader.names(record, "indications", path, INDICATIONS),
        settings=reader.names(record, "settings", path, known),
        stated_for=stated_for,
        stated_settings=reader.names(record, "stated_settings", path, known),
        family=text("family"),
        requires=_condition(reader, record["requires"], f"{path}.requires") if "requires" in record else ReserveCondition(),
        enforced=reader.choice(record, "use", path, _USES),
        aim_gy=_aim(reader, record["aim_gy"], f"{path}.aim_gy") if record.get("aim_gy") is not None else None,
        condition=text("condition"),
        printed=text("printed"),
        why=reader.choice(record, "why", path, {why.value: why for why in Why}) if "why" in record else None,
        reason=text("reason"),
    )


def order_faults(entries: Sequence[LimitEntry], named: Callable[[LimitEntry], str] = lambda entry: entry.key) -> tuple[str, ...]:
    """Pairs of one family in which the one that asks less of the liver would allow more; empty in sound data.

    Parameters
    ----------
    entries : sequence of LimitEntry
        With values in force, a site's own included.
    named : callable
        How an entry is called in the text.
    """
    found = []
    for less in entries:
        for more in entries:
            if less is more or not less.family or less.family != more.family or less.value_gy is None or more.value_gy is None:
                continue
            if less.requires.asks_no_more_than(more.requires) and less.requires != more.requires and less.value_gy > more.value_gy:
                found.append(
                    f"{named(less)}: {less.value_gy:g} Gy without the condition of {more.key} ({more.value_gy:g} Gy): a lower hepatic reserve would be allowed more"
                )
    return tuple(found)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise InvalidValue(
            f"{', '.join(sorted({key for key in keys if keys.count(key) > 1}))} stands twice", "limits.json", "leave one out"
        )
    return found


def decode_limits(text: str) -> LimitSet:
    """A set of limits from its JSON text.

    Raises
    ------
    InvalidValue
        With every fault and its path.
    """
    try:
        plain = json.loads(text, object_pairs_hook=_without_doubles)
    except json.JSONDecodeError as error:
        raise InvalidValue(f"not JSON: {error.msg} at line {error.lineno}", "limits.json", "mend the data") from error
    reader = _Reader()
    top = reader.record(plain, "limits", dict.fromkeys(("schema", "version", "date", "sources", "settings", "rules"), True))
    if top.get("schema") != SCHEMA:
        reader.fault("schema", f"{top.get('schema')!r} is not {SCHEMA!r}")
    sources = top.get("sources")
    if not isinstance(sources, Mapping) or not all(isinstance(each, str) and each for each in sources.values()):
        reader.fault("sources", "an object of texts is expected")
        sources = {}
    settings = _settings(reader, top.get("settings"))
    rows = top.get("rules")
    if not isinstance(rows, list):
        reader.fault("rules", "a list is expected")
        rows = []
    entries = tuple(_entry(reader, row, f"rules[{n}]", sources, settings) for n, row in enumerate(rows))
    keys = [entry.key for entry in entries]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        reader.fault("rules", f"{key} stands twice")
    for says in order_faults(entries):
        reader.fault("rules", says)
    if reader.faults:
        raise InvalidValue(f"limits that cannot be read: {'; '.join(reader.faults)}", "limits.json", "mend the named places")
    return LimitSet(reader.text(top, "version", ""), reader.text(top, "date", ""), MappingProxyType(settings), entries)


@lru_cache(maxsize=1)
def limit_set() -> LimitSet:
    """The limits that come with the package."""
    return decode_limits(files("opensirt.vocabulary.data").joinpath("limits.json").read_text("utf-8"))

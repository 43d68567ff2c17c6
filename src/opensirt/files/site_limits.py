"""A site's own limits as JSON: read with every fault at once, and written back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from opensirt.encoding import parse_json, pretty_json
from opensirt.files.documents import read_document
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue
from opensirt.vocabulary.limit_data import INDICATIONS, VOLUMES, Role, limit_set
from opensirt.vocabulary.limits import SETTINGS, site_order_faults
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.site_limits import Basis, LimitAddition, LimitChange, SiteLimits

SCHEMA = "opensirt.site_limits"
VERSION = 1
_TOP = {"schema": True, "version": True, "site": True, "replaces": False, "adds": False}
_TOLD = {"value_gy": True, "reason": True, "by": True, "on": True, "basis": False}
_REPLACES = {"key": True, **_TOLD}
_ADDS = {
    "key": True,
    "name": True,
    "role": True,
    "volume": True,
    "product": False,
    "indications": False,
    "settings": False,
    **_TOLD,
}


def read_site_limits(path: Path) -> SiteLimits:
    """The site's limits of a file.

    Raises
    ------
    MissingInput
        If there is no such file.
    InvalidValue
        With every fault of the document.
    InconsistentInput
        If it is of another schema or version.
    """
    return site_limits_from_json(read_document(path), path.name)


def site_limits_from_json(text: str, where: str = "") -> SiteLimits:
    """The site's limits of a JSON document.

    Parameters
    ----------
    text : str
        The document.
    where : str
        Its name, for messages.

    Raises
    ------
    InvalidValue
        With every fault and its path: unknown and missing fields, a key that no published entry has, a dose that cannot be, a reason or name
        left out, values that would allow more to a lower hepatic reserve.
    InconsistentInput
        If it is of another schema or version.
    """
    plain = parse_json(text)
    if not isinstance(plain, dict) or (plain.get("schema"), plain.get("version")) != (SCHEMA, VERSION):
        found = (plain.get("schema"), plain.get("version")) if isinstance(plain, dict) else type(plain).__name__
        raise InconsistentInput(
            f"the document is {found}, not ({SCHEMA!r}, {VERSION})", where, "start from the example of the documentation"
        )
    faults: list[str] = []
    top = _Fields(plain, "", _TOP, faults)
    changes = [_change(fields) for fields in top.rows("replaces", _REPLACES)]
    additions = [_addition(fields) for fields in top.rows("adds", _ADDS)]
    site = SiteLimits(
        top.text("site"),
        tuple(change for change in changes if change is not None),
        tuple(addition for addition in additions if addition is not None),
    )
    _doubles(site, faults)
    faults += [f"replaces: {fault}" for fault in site_order_faults(site)]
    if faults:
        raise InvalidValue("; ".join(faults), where, "mend the named fields; the documentation shows an example")
    return site


def site_limits_to_json(site: SiteLimits) -> str:
    """The document of a site's limits; reading it gives them back."""

    def told(each: LimitChange | LimitAddition) -> dict[str, Any]:
        return {
            "value_gy": each.value_gy,
            "reason": each.reason,
            "by": each.by,
            "on": each.on.isoformat(),
            "basis": each.basis.value,
        }

    return pretty_json(
        {
            "schema": SCHEMA,
            "version": VERSION,
            "site": site.site,
            "replaces": [{"key": change.key, **told(change)} for change in site.changes],
            "adds": [
                {
                    "key": each.key,
                    "name": each.name,
                    "role": each.role.value,
                    "volume": each.volume.value,
                    **({"product": each.product} if each.product else {}),
                    "indications": list(each.indications),
                    "settings": list(each.settings),
                    **told(each),
                }
                for each in site.additions
            ],
        }
    )


def _doubles(site: SiteLimits, faults: list[str]) -> None:
    replaced = [(change.key, change.basis) for change in site.changes]
    added = [addition.key for addition in site.additions]
    faults += [
        f"replaces: {key} stands twice for a {basis.value}"
        for key, basis in dict.fromkeys(replaced)
        if replaced.count((key, basis)) > 1
    ]
    faults += [f"adds: {key} stands twice" for key in dict.fromkeys(added) if added.count(key) > 1]


class _Fields:
    """Fields of one object, read one by one; what is wrong is noted with its path, and reading goes on."""

    def __init__(self, data: Mapping[str, Any], path: str, known: Mapping[str, bool], faults: list[str]) -> None:
        self._data = data
        self._path = path
        self._faults = faults
        self.sound = True
        for key in data:
            if key not in known:
                self.fault(str(key), f"not known here; {offer(str(key), known)}")
        for key, required in known.items():
            if required and data.get(key) is None:
                self.fault(key, "missing")

    def fault(self, key: str, says: str) -> None:
        """Note what is wrong with a field; the object is no longer sound."""
        self.sound = False
        self._faults.append(f"{self._path}{key}: {says}")

    def rows(self, key: str, known: Mapping[str, bool]) -> list[_Fields]:
        """The objects of a list."""
        value = self._data.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.fault(key, "a list of objects is expected")
            return []
        found = []
        for n, row in enumerate(value):
            if isinstance(row, Mapping):
                found.append(_Fields(row, f"{key}[{n}].", known, self._faults))
            else:
                self.fault(f"{key}[{n}]", "an object is expected")
        return found

    def text(self, key: str) -> str:
        """A text with something in it; empty where the field is absent."""
        value = self._data.get(key)
        if value is None:
            return ""
        if not isinstance(value, str) or not value.strip():
            self.fault(key, f"{value!r} is no text with something in it")
            return ""
        return value

    def dose_gy(self, key: str) -> float:
        """A finite dose above 0, Gy."""
        value = self._data.get(key)
        if value is None:
            return 0.0
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < math.inf:
            self.fault(key, f"{value!r} is no finite dose above 0 Gy")
            return 0.0
        return float(value)

    def day(self, key: str) -> date:
        """A day as YYYY-MM-DD."""
        text = self.text(key)
        try:
            return date.fromisoformat(text) if text else date.min
        except ValueError:
            self.fault(key, f"{text!r} is no day; give it as 2026-11-24")
            return date.min

    def names(self, key: str, known: tuple[str, ...]) -> tuple[str, ...]:
        """Names out of a closed list; none where the field is absent."""
        value = self._data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fault(key, f"{value!r} is no list of names")
            return ()
        for item in value:
            if item not in known:
                self.fault(key, f"{item!r} is unknown; {offer(item, known)}")
        return tuple(value)

    def one(self, key: str, choose: Callable[[str], bool], known: tuple[str, ...]) -> str:
        """One name out of a closed list; empty where the field is absent."""
        text = self.text(key)
        if text and not choose(text):
            self.fault(key, f"{text!r} is unknown; {offer(text, known)}")
        return text


def _basis(fields: _Fields) -> Basis:
    known = {basis.value: basis for basis in Basis}
    return known.get(fields.one("basis", known.__contains__, tuple(known)), Basis.SITE)


def _change(fields: _Fields) -> LimitChange | None:
    keys = tuple(entry.key for entry in limit_set().entries)
    key = fields.one("key", keys.__contains__, keys)
    value_gy, reason, by = fields.dose_gy("value_gy"), fields.text("reason"), fields.text("by")
    on, basis = fields.day("on"), _basis(fields)
    return LimitChange(key, value_gy, reason, by, on, basis) if fields.sound else None


def _addition(fields: _Fields) -> LimitAddition | None:
    keys = tuple(entry.key for entry in limit_set().entries)
    key = fields.text("key")
    if key in keys:
        fields.fault("key", f"{key} is a published entry; put it under replaces")
    roles = {role.value: role for role in Role}
    role = fields.one("role", roles.__contains__, tuple(roles))
    volume = fields.one("volume", VOLUMES.__contains__, tuple(VOLUMES))
    product = fields.one("product", SETTINGS.__contains__, tuple(SETTINGS))
    indications = fields.names("indications", INDICATIONS)
    settings = fields.names("settings", SETTINGS.get(product, ()))
    name, value_gy, reason, by = fields.text("name"), fields.dose_gy("value_gy"), fields.text("reason"), fields.text("by")
    on, basis = fields.day("on"), _basis(fields)
    if not fields.sound:
        return None
    return LimitAddition(key, name, roles[role], VOLUMES[volume], value_gy, reason, by, on, product, indications, settings, basis)

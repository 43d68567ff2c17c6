"""What a site, or a person for one patient, puts in place of published limits and beside them; each with reason, name and date."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from enum import Enum

from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.limit_data import Role


class Basis(Enum):
    """Who answers for a value."""

    SITE = "site"
    """The site's own rule for all its patients."""
    PERSON = "person"
    """A person's decision for one patient."""


def _require_told(value_gy: float, reason: str, by: str, key: str) -> None:
    if not 0.0 < value_gy < math.inf:
        raise InvalidValue(f"{key} at {value_gy} Gy", "a limit or target is a finite dose above 0", "give one")
    if not reason.strip() or not by.strip():
        raise InvalidValue(f"{key} without {'reason' if not reason.strip() else 'name'}", "somebody answers for it", "state both")


@dataclass(frozen=True)
class LimitChange:
    """A value in place of a published one, or where there is none.

    Attributes
    ----------
    key : str
        Key of the published entry.
    value_gy : float
        Gy.
    reason, by : str
        Why, and who answers for it.
    on : date
        When it was decided.
    basis : Basis
        Site or person.

    Raises
    ------
    InvalidValue
        For a dose that cannot be, or without reason or name.
    """

    key: str
    value_gy: float
    reason: str
    by: str
    on: date
    basis: Basis = Basis.SITE

    def __post_init__(self) -> None:
        _require_told(self.value_gy, self.reason, self.by, self.key)


@dataclass(frozen=True)
class LimitAddition:
    """A rule that no published entry has.

    Attributes
    ----------
    key, name : str
        Own dotted name, and how people call it.
    role, volume
        Limit or target, and on the mean dose of what.
    value_gy : float
        Gy.
    reason, by : str
        Why, and who answers for it.
    on : date
        When it was decided.
    product : str
        Product key; empty for any.
    indications, settings : tuple of str
        Where it applies; empty for everywhere.
    basis : Basis
        Site or person.

    Raises
    ------
    InvalidValue
        For a dose that cannot be, or without reason or name.
    """

    key: str
    name: str
    role: Role
    volume: StructureKind
    value_gy: float
    reason: str
    by: str
    on: date
    product: str = ""
    indications: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    basis: Basis = Basis.SITE

    def __post_init__(self) -> None:
        _require_told(self.value_gy, self.reason, self.by, self.key)

    def applies(self, product: str, indication: str, setting: str) -> bool:
        """Whether it has anything to say about this product, indication and setting."""
        return (
            self.product in ("", product)
            and (not self.indications or indication in self.indications)
            and (not self.settings or setting in self.settings)
        )


@dataclass(frozen=True)
class SiteLimits:
    """All that a site states about limits; empty for none.

    Attributes
    ----------
    site : str
        Name of the site.
    changes : tuple of LimitChange
        In place of published entries; a person's go before the site's.
    additions : tuple of LimitAddition
        Beside them.
    """

    site: str = ""
    changes: tuple[LimitChange, ...] = ()
    additions: tuple[LimitAddition, ...] = ()

    def change(self, key: str) -> LimitChange | None:
        """What stands in place of an entry; ``None`` if nothing does."""
        found = [change for change in self.changes if change.key == key]
        return next((change for change in found if change.basis is Basis.PERSON), found[0] if found else None)

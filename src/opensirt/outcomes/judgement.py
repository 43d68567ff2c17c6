"""A category that explains itself: the row of the table that decided, the method behind it, what a person must weigh."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Generic, TypeVar

from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.provenance import Constant, Mark

_SMALLEST, _LARGEST = Decimal("1e-9"), Decimal("1e12")
"""No length, area, volume, count or concentration of this package lies outside: a number there is a slip."""
CategoryT = TypeVar("CategoryT", bound=Enum)


@dataclass(frozen=True)
class Basis:
    """The method behind a category: name, version (of the method, not of the program), literature."""

    method: str
    version: str
    sources: tuple[str, ...]
    constants: tuple[Constant, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One row of a decision table.

    Attributes
    ----------
    row : str
        Stable name of the row: ``"recist.pd"``.
    says : str
        The rule in words, with its thresholds.
    mark : Mark
        Found in its source, derived from it, assumed as a convention, or not yet verified.
    """

    row: str
    says: str
    mark: Mark = Mark.FOUND


@dataclass(frozen=True)
class Judgement(Generic[CategoryT]):
    """A category, the rule that gave it, the method, and the findings."""

    category: CategoryT
    rule: Rule
    basis: Basis
    findings: tuple[Finding, ...] = ()


def exactly(value: int | float | str | Decimal | Fraction) -> Fraction:
    """A number as the rational that its decimal digits say, so that 72 against 60 is 20 % and not 20 % less a rounding error.

    A ``float`` is read by its shortest decimal form: 0.1 is one tenth.

    Raises
    ------
    InvalidValue
        For a truth value, a text that is no number, a number that is not finite, or one of a size that no measurement has.
    """
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool):
        raise InvalidValue(f"{value!r} is not a number", "", "give a number")
    try:
        decimal = Decimal(repr(float(value))) if isinstance(value, float) else Decimal(value)
    except (ArithmeticError, TypeError, ValueError):
        raise InvalidValue(f"{value!r} is not a number", "", "give a number") from None
    if not decimal.is_finite():
        raise InvalidValue(f"{value!r} is not finite", "", "check the measurement")
    if decimal != 0 and not _SMALLEST <= abs(decimal) <= _LARGEST:
        raise InvalidValue(f"{value!r} is no measurement", f"its size lies outside of {_SMALLEST} to {_LARGEST}", "check the unit")
    return Fraction(decimal)

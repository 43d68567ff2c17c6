"""What every activity model refuses."""

from __future__ import annotations

import math

from opensirt.vocabulary.errors import InvalidValue


def require_positive(value: float, what: str, unit: str) -> float:
    """A finite value above 0, or :class:`InvalidValue`."""
    if not 0.0 < value < math.inf:
        raise InvalidValue(f"{what} of {value} {unit}", "it must be finite and above 0", "check the structure and its units")
    return value


def require_not_negative(value: float, what: str, unit: str) -> float:
    """A finite value of 0 or more, or :class:`InvalidValue`."""
    if not 0.0 <= value < math.inf:
        raise InvalidValue(f"{what} of {value} {unit}", "it must be finite and not negative", "check the input and its units")
    return value


def require_fraction(value: float, what: str) -> float:
    """A fraction from 0 to below 1, or :class:`InvalidValue` that mentions the commonest slip."""
    if not 0.0 <= value < 1.0:
        raise InvalidValue(
            f"{what} of {value}",
            "it must be a fraction from 0 to below 1",
            "give 0.08 for 8 %" if value >= 1.0 else "check the counts behind it",
        )
    return value

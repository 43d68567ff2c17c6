"""What every formula of the outcomes refuses."""

from __future__ import annotations

import math

from opensirt.vocabulary.errors import InvalidValue


def require_positive(value: float, what: str, unit: str) -> float:
    """A finite value above 0, or :class:`InvalidValue`."""
    if not 0.0 < value < math.inf:
        raise InvalidValue(f"{what} of {value} {unit}", "it must be finite and above 0", "check the input and its unit")
    return value


def require_not_negative(value: float, what: str, unit: str) -> float:
    """A finite value of 0 or more, or :class:`InvalidValue`."""
    if not 0.0 <= value < math.inf:
        raise InvalidValue(f"{what} of {value} {unit}", "it must be finite and not negative", "check the input and its unit")
    return value

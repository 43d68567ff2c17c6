"""A value with its uncertainty budget, and one function that propagates it.

After the GUM (JCGM 100:2008, sections 4 and 5): contributions are *sensitivity × standard uncertainty*, signed, keyed by
source. Equal keys are fully correlated and add with their signs; different keys are independent and add in quadrature.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from opensirt.vocabulary.errors import InvalidValue

Z_90 = 1.6448536269514722
"""Half-width of the central 90 % of a normal distribution, in standard deviations (quantile of 0.95)."""

_RELATIVE_STEP = 1e-3
"""Fraction of a standard uncertainty used as the step of the central difference: the smaller it is, the nearer to the
derivative, the larger, the further from rounding; at 1e-3 both errors stay below 1e-6 for smooth functions."""


@dataclass(frozen=True)
class Measured:
    """A value with signed contributions to its standard uncertainty.

    Attributes
    ----------
    value : float
        In the unit that the surrounding name states.
    contributions : mapping of str to float
        Source (``"liver_volume"``, ``"calibration"``) → sensitivity × standard uncertainty of that source, signed, in the
        unit of ``value``.

    Raises
    ------
    InvalidValue
        If the value or a contribution is not finite.
    """

    value: float
    contributions: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise InvalidValue(f"a measured value must be finite, got {self.value}", "", "check the inputs of this quantity")
        bad = {key: u for key, u in self.contributions.items() if not math.isfinite(u)}
        if bad:
            raise InvalidValue(f"uncertainty contributions must be finite, got {bad}", "", "check the named sources")
        frozen = MappingProxyType({key: float(u) for key, u in self.contributions.items() if u != 0.0})
        object.__setattr__(self, "value", float(self.value))
        object.__setattr__(self, "contributions", frozen)

    def __reduce__(self) -> tuple[type[Measured], tuple[float, dict[str, float]]]:
        return Measured, (self.value, dict(self.contributions))

    @property
    def standard_uncertainty(self) -> float:
        """Root of the sum of squares of the contributions."""
        return math.sqrt(math.fsum(u * u for u in self.contributions.values()))

    @property
    def relative_uncertainty(self) -> float:
        """Standard uncertainty over the magnitude of the value; infinite for a value of 0 that is not exact."""
        if self.value == 0.0:
            return math.inf if self.contributions else 0.0
        return self.standard_uncertainty / abs(self.value)

    @property
    def normal_interval_90(self) -> tuple[float, float]:
        """Central 90 % of a normal distribution with this mean and standard uncertainty."""
        half = Z_90 * self.standard_uncertainty
        return self.value - half, self.value + half

    @property
    def lognormal_interval_90(self) -> tuple[float, float]:
        """Central 90 % of a log-normal distribution with this median and relative uncertainty; for positive values only.

        The spread of the logarithm is ``sqrt(ln(1 + (u/value)²))``.
        """
        if self.value <= 0.0:
            raise InvalidValue(f"a log-normal interval needs a positive value, got {self.value}", "", "use the normal interval")
        factor = math.exp(Z_90 * math.sqrt(math.log1p(self.relative_uncertainty**2)))
        return self.value / factor, self.value * factor

    @property
    def largest_contribution(self) -> str:
        """Key of the largest contribution by magnitude; empty for an exact value."""
        if not self.contributions:
            return ""
        return max(self.contributions, key=lambda key: (abs(self.contributions[key]), key))

    def with_contribution(self, source: str, standard_uncertainty: float) -> Measured:
        """The same value with one more source; an existing key adds with its sign (full correlation)."""
        merged = dict(self.contributions)
        merged[source] = merged.get(source, 0.0) + standard_uncertainty
        return Measured(self.value, merged)


def exact(value: float) -> Measured:
    """A value without uncertainty: a definition, a count of things, a declared convention."""
    return Measured(value)


def from_relative(value: float, **relative: float) -> Measured:
    """A value whose sources are given as relative standard uncertainties (0.05 for 5 %)."""
    return Measured(value, {source: value * fraction for source, fraction in relative.items()})


def total(parts: Iterable[Measured]) -> Measured:
    """Sum of measured values, 0 for none; contributions of equal sources add with their signs."""
    held = tuple(parts)
    contributions: dict[str, float] = {}
    for part in held:
        for source, u in part.contributions.items():
            contributions[source] = contributions.get(source, 0.0) + u
    return Measured(math.fsum(part.value for part in held), contributions)


def propagate(function: Callable[..., float], **inputs: Measured) -> Measured:
    """First-order propagation of uncertainty through ``function(**values)``.

    ``u_y(source) = Σ_inputs ∂f/∂x · u_x(source)``: derivatives by central differences of one thousandth of each input's
    standard uncertainty; equal sources in different inputs are fully correlated. GUM (JCGM 100:2008), 5.1.2 and 5.2.2.

    Parameters
    ----------
    function : callable
        Takes the inputs by keyword as floats and returns a float. Smooth on the scale of the uncertainties.
    **inputs : Measured
        The inputs by name.

    Returns
    -------
    Measured
        ``function`` at the central values, with one contribution per source.

    Raises
    ------
    InvalidValue
        If the function's value or a derivative is not finite.
    """
    values = {name: measured.value for name, measured in inputs.items()}
    centre = function(**values)
    contributions: dict[str, float] = {}
    for name, measured in inputs.items():
        uncertainty = measured.standard_uncertainty
        if uncertainty == 0.0:
            continue
        step = _RELATIVE_STEP * uncertainty
        upper = function(**{**values, name: measured.value + step})
        lower = function(**{**values, name: measured.value - step})
        slope = (upper - lower) / (2.0 * step)
        for source, contribution in measured.contributions.items():
            contributions[source] = contributions.get(source, 0.0) + slope * contribution
    return Measured(centre, contributions)

"""How the resin rules lower an activity for lung shunt: steps, not a formula.

``× 0.8`` above 10 %, ``× 0.6`` above 15 %, none above 20 % (van Roekel thesis p. 30). The source does not say what holds at exactly 10, 15
and 20 %: here every step begins strictly above its edge, and the answer shows it.
"""

from __future__ import annotations

from opensirt.radioembolisation.dosimetry.models.checks import require_fraction
from opensirt.radioembolisation.dosimetry.models.facts import Unknown
from opensirt.radioembolisation.dosimetry.models.validity import RESIN_NO_ACTIVITY_ABOVE_FRACTION, step_findings
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.provenance import Constant

RESIN_SHUNT_VERSION = "1"
SOURCE = "van Roekel thesis p. 30"
FORMULA = "× 1 up to L = 10 %, × 0.8 above 10 %, × 0.6 above 15 %, none above 20 %"
LOW_ABOVE_FRACTION = Constant("resin_shunt.low_above", 0.10, "1", SOURCE)
HIGH_ABOVE_FRACTION = Constant("resin_shunt.high_above", 0.15, "1", SOURCE)
NONE_ABOVE_FRACTION = Constant("resin_shunt.none_above", RESIN_NO_ACTIVITY_ABOVE_FRACTION, "1", SOURCE)
LOW_FACTOR = Constant("resin_shunt.low_factor", 0.8, "1", SOURCE)
HIGH_FACTOR = Constant("resin_shunt.high_factor", 0.6, "1", SOURCE)
CONSTANTS = (LOW_ABOVE_FRACTION, HIGH_ABOVE_FRACTION, NONE_ABOVE_FRACTION, LOW_FACTOR, HIGH_FACTOR)
STEPS = (LOW_ABOVE_FRACTION.value, HIGH_ABOVE_FRACTION.value, NONE_ABOVE_FRACTION.value)


def reduction_factor(lung_shunt_fraction: float) -> float | Unknown:
    """1, 0.8 or 0.6 by lung shunt fraction; above 20 % no activity is given, and the reason comes back.

    Raises
    ------
    InvalidValue
        If it is no fraction.
    """
    require_fraction(lung_shunt_fraction, "lung shunt fraction")
    if lung_shunt_fraction > NONE_ABOVE_FRACTION.value:
        return Unknown(
            f"a lung shunt of {lung_shunt_fraction:.4g} lies above {NONE_ABOVE_FRACTION.value:g}: no resin is given ({SOURCE})"
        )
    if lung_shunt_fraction > HIGH_ABOVE_FRACTION.value:
        return HIGH_FACTOR.value
    return LOW_FACTOR.value if lung_shunt_fraction > LOW_ABOVE_FRACTION.value else 1.0


def reduction_findings(lung_shunt_fraction: Measured) -> tuple[Finding, ...]:
    """That the activity was lowered, that the shunt lies on an edge, or that its interval crosses one."""
    found = list(step_findings(lung_shunt_fraction, STEPS, "lung shunt", SOURCE))
    if lung_shunt_fraction.value in STEPS:
        message = (
            f"a lung shunt of exactly {lung_shunt_fraction.value:.0%} is on an edge of the resin steps, for which the source states no side; "
            "here a step begins strictly above its edge · decide whether the lower activity is meant"
        )
        found.append(Finding("resin_shunt.on_the_edge", Severity.WARNING, message, "lungs", SOURCE))
    factor = reduction_factor(lung_shunt_fraction.value)
    if isinstance(factor, float) and factor < 1.0:
        message = f"lung shunt {lung_shunt_fraction.value:.1%}: the activity is multiplied by {factor:g} ({FORMULA}) · look at the lung dose itself"
        found.append(Finding("resin_shunt.reduced", Severity.NOTE, message, "lungs", SOURCE))
    return tuple(found)

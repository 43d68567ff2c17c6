"""Findings that several activity models share: uptake ratio, lung shunt, product, quantities that decide a step."""

from __future__ import annotations

from opensirt.radioembolisation.dosimetry.models.facts import InjectionFacts
from opensirt.radioembolisation.workup.perfusion import LOW_UPTAKE_RATIO
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.products import RESIN

RESIN_NO_ACTIVITY_ABOVE_FRACTION = 0.20
"""Above this lung shunt no resin is given (van Roekel thesis p. 21, 30)."""
RESIN_SHUNT_SOURCE = "van Roekel thesis p. 21, 30"


def uptake_findings(tumour_to_normal: Measured, normal_ml: Measured) -> tuple[Finding, ...]:
    """A ratio below 1, below 1.5, or infinite for want of normal liver (mL)."""
    if normal_ml.value == 0.0:
        message = (
            "no normal liver is perfused · tumour-to-normal ratio is undefined; all activity that reaches the liver goes to tumour"
        )
        return (Finding("perfusion.no_normal_liver", Severity.NOTE, message),)
    value = tumour_to_normal.value
    if value >= LOW_UPTAKE_RATIO:
        return ()
    what = "takes up less than normal liver does" if value < 1.0 else "hardly takes up more than normal liver does"
    message = f"tumour-to-normal ratio {value:g} (flagged below {LOW_UPTAKE_RATIO:g}): tumour {what} · check supply, contours, and that it is a ratio of concentrations"
    return (Finding("perfusion.low_uptake", Severity.WARNING, message, source="Taranis convention"),)


def shunt_findings(facts: InjectionFacts) -> tuple[Finding, ...]:
    """Resin above a lung shunt of 20 %."""
    shunt = facts.lung_shunt_fraction
    if facts.product.key != RESIN.key or not isinstance(shunt, Measured) or shunt.value <= RESIN_NO_ACTIVITY_ABOVE_FRACTION:
        return ()
    message = f"lung shunt {shunt.value:.1%} lies above {RESIN_NO_ACTIVITY_ABOVE_FRACTION:.0%} · resin is not given above it · find the cause, or choose another treatment"
    return (Finding("lung_shunt.above_limit", Severity.CRITICAL, message, "lungs", RESIN_SHUNT_SOURCE),)


def product_findings(facts: InjectionFacts, key: str, meant_for: tuple[str, ...]) -> tuple[Finding, ...]:
    """A model that was not made for this product."""
    if facts.product.key in meant_for:
        return ()
    message = f"{key} was made for {', '.join(meant_for)}; {facts.product.key} is planned · its activity has no meaning for this product · use it for comparison only"
    return (Finding("model.other_product", Severity.WARNING, message, key),)


def step_findings(quantity: Measured, step_fractions: tuple[float, ...], what: str, source: str) -> tuple[Finding, ...]:
    """A quantity whose 90 % interval crosses a step of a table: the answer hangs on it."""
    low, high = quantity.normal_interval_90
    crossed = [step for step in step_fractions if low <= step <= high]
    if not quantity.contributions or not crossed:
        return ()
    at = ", ".join(f"{step:.0%}" for step in crossed)
    message = f"{what} {quantity.value:.1%} (90 % interval {max(low, 0.0):.1%} to {high:.1%}) crosses the step at {at} · the activity jumps there · measure it better, or weigh both"
    return (Finding("model.step_within_interval", Severity.WARNING, message, what, source),)

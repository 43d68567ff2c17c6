"""How much liver a person of this size has, how much of it remains, and how it grows.

Standard total volume from body surface: Vauthey ``1267.28 · BSA − 794.41`` (also printed as −794) and Urata ``706.2 · BSA + 2.4``, mL.
Remnant over standard volume is the standardised future liver remnant; its gain in percentage points is the degree of hypertrophy, that per
week the kinetic growth rate. The same functions say how much liver a plan spares.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from opensirt.outcomes.checks import require_not_negative, require_positive
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.provenance import Constant, Mark
from opensirt.vocabulary.units import PERCENT

LIVER_VOLUME_VERSION = "1"
VAUTHEY_SOURCE = "Vauthey et al. 2002, total liver volume from body surface in Western adults"
URATA_SOURCE = "Urata et al. 1995, standard liver volume in Japanese adults and children"
PALARD_SOURCE = "Palard et al. 2018, hypertrophy of the untreated lobe after radioembolisation"
REMNANT_SOURCE = "minimum future liver remnant in surgical use (range of reviews; original papers to be read)"

VAUTHEY_SLOPE = Constant("vauthey.slope", 1267.28, "mL/m²", VAUTHEY_SOURCE)
URATA_SLOPE = Constant("urata.slope", 706.2, "mL/m²", URATA_SOURCE)
URATA_INTERCEPT = Constant("urata.intercept", 2.4, "mL", URATA_SOURCE)
VAUTHEY_FORMULA = "V = 1267.28 · BSA − 794.41"
URATA_FORMULA = "V = 706.2 · BSA + 2.4"
LARGEST_BSA_M2 = 4.0
ROUNDING_FRACTION = 1e-9
"""Volumes that are sums of the same voxels may differ by rounding; by this share they still are the same."""
HYPERTROPHY_RESPONSE_FRACTION = 0.10
"""From this relative growth of the untreated lobe on, hypertrophy counts as a response (Palard 2018)."""


class VautheyIntercept(Enum):
    """Both printed intercepts; a result says which one it used."""

    PRINTED = Constant("vauthey.intercept", -794.41, "mL", VAUTHEY_SOURCE)
    ROUNDED = Constant("vauthey.intercept", -794.0, "mL", f"{VAUTHEY_SOURCE}, intercept rounded")


@dataclass(frozen=True)
class MinimumRemnant:
    """The smallest standardised remnant that surgeons accept for one state of the parenchyma.

    Attributes
    ----------
    condition : str
        State of the liver, in words.
    lowest_fraction, highest_fraction : float
        The limits in use span this range of remnant over standard volume.
    source, mark
        Where they come from and how far to trust them.
    """

    condition: str
    lowest_fraction: float
    highest_fraction: float
    source: str = REMNANT_SOURCE
    mark: Mark = Mark.FOUND


class Parenchyma(Enum):
    """What the liver outside the tumour is like, with the remnant it needs."""

    NORMAL = MinimumRemnant("normal liver", 0.20, 0.266)
    CHEMOTHERAPY = MinimumRemnant("chemotherapy for more than 3 months", 0.30, 0.30)
    FIBROSIS = MinimumRemnant("fibrosis or cirrhosis", 0.40, 0.50)


def _require_surface(bsa_m2: float) -> None:
    require_positive(bsa_m2, "body surface", "m²")
    if bsa_m2 > LARGEST_BSA_M2:
        raise InvalidValue(
            f"body surface of {bsa_m2:g} m²", f"nobody has more than {LARGEST_BSA_M2:g} m²", "give the surface in m²"
        )


def vauthey_ml(bsa_m2: float, intercept: VautheyIntercept = VautheyIntercept.ROUNDED) -> float:
    """Standard total liver volume of an adult after Vauthey, mL.

    Parameters
    ----------
    bsa_m2 : float
        Body surface area, m².
    intercept : VautheyIntercept
        −794 mL or −794.41 mL; both are in print and differ by 0.03 %.

    Raises
    ------
    InvalidValue
        For a surface that nobody has, or one so small that the line would give no liver (below 0.63 m²: it was fitted to adults).

    Notes
    -----
    1.8 m² give 1487.1 mL (−794) and 1486.7 mL (−794.41).
    """
    _require_surface(bsa_m2)
    volume_ml = VAUTHEY_SLOPE.value * bsa_m2 + intercept.value.value
    if volume_ml <= 0.0:
        raise InvalidValue(
            f"body surface of {bsa_m2:g} m² gives {volume_ml:.0f} mL of liver",
            "the Vauthey line was fitted to adults",
            "use Urata's formula for a child, or check the unit",
        )
    return volume_ml


def urata_ml(bsa_m2: float) -> float:
    """Standard total liver volume after Urata, mL; lower than Vauthey's in large people.

    Parameters
    ----------
    bsa_m2 : float
        Body surface area, m².

    Raises
    ------
    InvalidValue
        For a surface that nobody has.

    Notes
    -----
    1.8 m² give 1273.6 mL.
    """
    _require_surface(bsa_m2)
    return URATA_SLOPE.value * bsa_m2 + URATA_INTERCEPT.value


def standardised_remnant_fraction(remnant_ml: float, standard_total_ml: float) -> float:
    """Future liver remnant over the standard total volume: sFLR, a fraction.

    Parameters
    ----------
    remnant_ml : float
        Volume that will remain, or that a treatment spares, mL; without tumour.
    standard_total_ml : float
        Standard total liver volume (:func:`vauthey_ml`, :func:`urata_ml`), mL.

    Raises
    ------
    InvalidValue
        For volumes that cannot be.
    """
    require_not_negative(remnant_ml, "remnant", "mL")
    require_positive(standard_total_ml, "standard liver volume", "mL")
    return remnant_ml / standard_total_ml


def measured_remnant_fraction(remnant_ml: float, total_ml: float, tumour_ml: float) -> float:
    """Future liver remnant over the measured liver without tumour, a fraction from 0 to 1.

    Parameters
    ----------
    remnant_ml : float
        Volume that will remain, without tumour, mL.
    total_ml : float
        Measured total liver volume, tumour included, mL.
    tumour_ml : float
        Tumour in the liver, mL.

    Raises
    ------
    InvalidValue
        For volumes that cannot be.
    InconsistentInput
        If the tumour fills the liver or the remnant is larger than the liver without tumour.
    """
    require_not_negative(remnant_ml, "remnant", "mL")
    require_positive(total_ml, "liver volume", "mL")
    require_not_negative(tumour_ml, "tumour volume", "mL")
    functional_ml = total_ml - tumour_ml
    if functional_ml <= 0.0:
        raise InconsistentInput(
            f"a tumour of {tumour_ml:g} mL in a liver of {total_ml:g} mL",
            "no liver is left",
            "the liver's volume includes the tumour",
        )
    if remnant_ml > functional_ml * (1.0 + ROUNDING_FRACTION):
        raise InconsistentInput(
            f"a remnant of {remnant_ml:g} mL of {functional_ml:g} mL liver without tumour",
            "a part cannot exceed the whole",
            "measure all on the same series",
        )
    return remnant_ml / functional_ml


def degree_of_hypertrophy_points(before_fraction: float, after_fraction: float) -> float:
    """Gain of the remnant fraction in percentage points: ``100 · (after − before)``; negative where it shrank.

    Parameters
    ----------
    before_fraction, after_fraction : float
        Remnant fractions of the same definition (:func:`standardised_remnant_fraction` of one standard volume).

    Raises
    ------
    InvalidValue
        For a negative fraction, or one above 2: percent given for a fraction.
    """
    for fraction in (before_fraction, after_fraction):
        if not 0.0 <= fraction <= 2.0:
            raise InvalidValue(f"a remnant fraction of {fraction:g}", "it must lie between 0 and 2", "give 0.30 for 30 %")
    return PERCENT * (after_fraction - before_fraction)


def kinetic_growth_rate_points_per_week(before_fraction: float, after_fraction: float, interval_weeks: float) -> float:
    """Degree of hypertrophy per week, percentage points per week.

    Parameters
    ----------
    before_fraction, after_fraction : float
        Remnant fractions of the same definition.
    interval_weeks : float
        From treatment to the later volumetry, weeks.

    Raises
    ------
    InvalidValue
        For fractions or an interval that cannot be.
    """
    require_positive(interval_weeks, "interval", "weeks")
    return degree_of_hypertrophy_points(before_fraction, after_fraction) / interval_weeks


def relative_hypertrophy_fraction(before_ml: float, after_ml: float) -> float:
    """Relative growth of a volume: ``(after − before)/before``; negative where it shrank.

    Parameters
    ----------
    before_ml, after_ml : float
        The same part of the liver before and after, mL, without tumour.

    Raises
    ------
    InvalidValue
        For volumes that cannot be.
    """
    require_positive(before_ml, "volume before", "mL")
    require_not_negative(after_ml, "volume after", "mL")
    return (after_ml - before_ml) / before_ml


def remnant_findings(remnant_fraction: float, parenchyma: Parenchyma) -> tuple[Finding, ...]:
    """What a surgeon weighs: a remnant below every limit in use, or between the lowest and the highest of them."""
    rule = parenchyma.value
    if require_not_negative(remnant_fraction, "remnant fraction", "") >= rule.highest_fraction:
        return ()
    below = remnant_fraction < rule.lowest_fraction
    span = (
        f"{rule.lowest_fraction:.1%}"
        if rule.lowest_fraction == rule.highest_fraction
        else f"{rule.lowest_fraction:.1%} to {rule.highest_fraction:.1%}"
    )
    message = (
        f"a remnant of {remnant_fraction:.1%} lies {'below' if below else 'within'} the minimum in use for {rule.condition}, {span} · "
        "liver failure after resection · let it grow, spare more, or state why it is accepted"
    )
    code = "remnant.below_minimum" if below else "remnant.within_disputed_minimum"
    return (Finding(code, Severity.WARNING, message, "liver", rule.source),)

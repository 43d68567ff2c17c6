"""Vials given whole: which one, two or three of them come nearest to the planned activity, and in which order they are preferred."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import combinations_with_replacement

from opensirt.radioembolisation.treatment.vials import dispensed_gbq, vial_activity_gbq
from opensirt.vocabulary.activity import require_time_zone
from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.products import Product, WholeVials
from opensirt.vocabulary.units import BQ_PER_GBQ

KEPT = 6
"""Combinations that are kept for comparison, best first."""
_Vial = tuple[datetime, float]
"""Calibration, and activity at it in GBq."""
_SAME = 1e-9
"""Deviations closer than this are one and the same: rounding of decay factors."""


class Spheres(Enum):
    """What is preferred among vials that serve equally well."""

    USUAL = "usual"
    """The vial most at hand: latest calibration for glass, calibration on the treatment day for resin."""
    FEWEST = "fewest"
    MOST = "most"


@dataclass(frozen=True)
class OrderRules:
    """How a choice among vials is made; stated by a person, shown with the order.

    Attributes
    ----------
    spheres : Spheres
        Preference among choices that are otherwise equal.
    largest_number_of_vials : int
        Per injection.
    equal_within_fraction : float
        Deviations from the plan are counted in steps of this size; within one step the fewer vials win. 0 takes the smallest deviation.
    window_h : float
        Hours either side of the treatment for which contents are shown.
    calibrated_at : datetime or None
        A calibration (Ho-166: the instant for which the dose is ordered) that is fixed already; ``None`` leaves it open.
    placed_at : datetime or None
        When the order is placed, to be held against the cut-off of the calendar.

    Raises
    ------
    InvalidValue
        For fewer than 1 or more than 3 vials, a negative step or window, an instant without a time zone.
    """

    spheres: Spheres = Spheres.USUAL
    largest_number_of_vials: int = 3
    equal_within_fraction: float = 0.05
    window_h: float = 4.0
    calibrated_at: datetime | None = None
    placed_at: datetime | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.largest_number_of_vials <= 3:
            raise InvalidValue(
                f"{self.largest_number_of_vials} vials for one injection", "orders combine 1 to 3 vials", "give 1, 2 or 3"
            )
        if not 0.0 <= self.equal_within_fraction < 1.0:
            raise InvalidValue(f"a step of {self.equal_within_fraction}", "a fraction of the plan", "give 0.05 for 5 %")
        if not 0.0 <= self.window_h < math.inf:
            raise InvalidValue(f"a window of {self.window_h} h", "", "give hours of 0 or more")
        for instant, what in ((self.calibrated_at, "the calibration instant"), (self.placed_at, "the instant of the order")):
            if instant is not None:
                require_time_zone(instant, what)


@dataclass(frozen=True)
class VialChoice:
    """One vial of a combination: size at calibration, when calibrated, what it holds at the injection."""

    size_gbq: float
    calibrated_at: datetime
    held_gbq: float


@dataclass(frozen=True)
class Combination:
    """Vials given whole for one injection.

    ``relative_excess`` is (what they deliver − planned) / planned; ``number_of_spheres`` counts those in the vials.
    """

    vials: tuple[VialChoice, ...]
    relative_excess: float
    number_of_spheres: float


def combinations_for(
    product: Product,
    delivered_gbq: float,
    at: datetime,
    calibrations: Sequence[datetime],
    *,
    residual_fraction: float | None = None,
    rules: OrderRules,
) -> tuple[Combination, ...]:
    """The best combinations of whole vials for one injection, best first.

    The same size may be taken twice. Order of preference: steps of deviation from the plan, number of vials, spheres as preferred, deviation.

    Parameters
    ----------
    product : Product
        Whose vials are given whole.
    delivered_gbq : float
        Activity to deliver at the instant of injection, GBq.
    at : datetime
        Instant of injection.
    calibrations : sequence of datetime
        Calibrations on offer, not later than ``at``.
    residual_fraction : float, optional
        The product's published median where it is not given.
    rules : OrderRules
        How to choose.

    Raises
    ------
    UnsupportedInput
        If vials of this product are not given whole.
    InvalidValue
        For an activity of 0 or less, or a residual of 1 or more.
    """
    supply = product.vials
    if not isinstance(supply, WholeVials):
        raise UnsupportedInput(
            f"vials of {product.name} are not given whole", "parts are drawn", "ask for an order of this product"
        )
    dispensed, _ = dispensed_gbq(product, delivered_gbq, residual_fraction)
    held = {
        (calibrated, size): vial_activity_gbq(product, size, calibrated, at)
        for calibrated in calibrations
        for size in supply.sizes_gbq
    }
    latest = {calibrated: place for place, calibrated in enumerate(sorted(calibrations, reverse=True))}

    def preference(chosen: tuple[_Vial, ...]) -> tuple[float, ...]:
        deviation = abs(sum(held[vial] for vial in chosen) / dispensed - 1.0)
        step = rules.equal_within_fraction
        steps = math.floor(deviation / step) if step > 0.0 else round(deviation / _SAME)
        size = sum(size for _, size in chosen)
        spheres = {
            Spheres.USUAL: sum(latest[calibrated] for calibrated, _ in chosen),
            Spheres.FEWEST: size,
            Spheres.MOST: -size,
        }[rules.spheres]
        return steps, len(chosen), spheres, deviation, size

    every = (
        chosen
        for number in range(1, rules.largest_number_of_vials + 1)
        for chosen in combinations_with_replacement(sorted(held, key=lambda vial: (latest[vial[0]], vial[1])), number)
    )
    return tuple(_combination(product, chosen, held, dispensed) for chosen in heapq.nsmallest(KEPT, every, key=preference))


def _combination(
    product: Product,
    chosen: tuple[_Vial, ...],
    held: dict[_Vial, float],
    dispensed: float,
) -> Combination:
    vials = tuple(VialChoice(size, calibrated, held[calibrated, size]) for calibrated, size in chosen)
    spheres = sum(vial.size_gbq for vial in vials) * BQ_PER_GBQ / product.bq_per_sphere.value
    return Combination(vials, math.fsum(vial.held_gbq for vial in vials) / dispensed - 1.0, spheres)

"""An order as it is put before a person: vials, what is drawn from them for which injection and when, what reaches the patient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime

from opensirt.radioembolisation.treatment.combinations import Combination, OrderRules
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.products import Product
from opensirt.vocabulary.units import BQ_PER_GBQ

ORDERS_VERSION = "1"


@dataclass(frozen=True)
class OrderedVial:
    """One vial of an order.

    Attributes
    ----------
    number : int
        From 1; draws refer to it.
    size_gbq : float
        Activity at calibration (Ho-166: at the instant for which the dose is ordered), GBq.
    calibrated_at : datetime
        That instant.
    used_at : datetime
        Instant of the first injection from it: its instant of treatment.
    at_treatment_gbq, early_gbq, late_gbq : float
        What it holds at ``used_at``, and the window of the rules before and after it, GBq, if nothing is drawn.
    remaining_gbq : float
        What stays in it after all draws, at ``used_at``, GBq.
    usable_from : datetime
        First instant of use.
    usable_until : datetime or None
        Last instant of use; ``None`` where no source states a shelf life.
    days_after_calibration : float
        Age at ``used_at``, d; negative for a vial used before its calibration.
    number_of_spheres : float
        In the vial.
    sphere_number_range : tuple of float
        With the published range of activity per sphere: (fewest, most).
    sphere_mass_range_mg : tuple of float or None
        Mass of those spheres, mg, where their number per mg is known.
    """

    number: int
    size_gbq: float
    calibrated_at: datetime
    used_at: datetime
    at_treatment_gbq: float
    early_gbq: float
    late_gbq: float
    remaining_gbq: float
    usable_from: datetime
    usable_until: datetime | None
    days_after_calibration: float
    number_of_spheres: float
    sphere_number_range: tuple[float, float]
    sphere_mass_range_mg: tuple[float, float] | None


@dataclass(frozen=True)
class Draw:
    """What one injection takes from one vial: activity at the instant of injection, GBq, and the spheres that carry it."""

    vial_number: int
    territory: str
    at: datetime
    drawn_gbq: float
    number_of_spheres: float


@dataclass(frozen=True)
class InjectionOrder:
    """One injection of an order.

    Attributes
    ----------
    territory : str
        Label of the injection.
    at : datetime
        Its instant.
    planned_gbq : float
        Activity that the plan delivers at that instant, GBq.
    needed_gbq : float
        What must be dispensed for it: planned / (1 − R), GBq.
    dispensed_gbq : float
        What the draws add up to, GBq.
    delivered_gbq : float
        Of which this reaches the patient, GBq.
    relative_excess : float
        (delivered − planned) / planned.
    number_of_spheres : float
        Dispensed.
    alternatives : tuple of Combination
        The next best combinations of whole vials; empty where a part is drawn.
    """

    territory: str
    at: datetime
    planned_gbq: float
    needed_gbq: float
    dispensed_gbq: float
    delivered_gbq: float
    relative_excess: float
    number_of_spheres: float
    alternatives: tuple[Combination, ...] = ()


@dataclass(frozen=True)
class VialOrder:
    """Vials for one treatment session.

    Attributes
    ----------
    product : Product
        As the site gets it.
    treatment_at : datetime
        Instant of treatment.
    residual_fraction : float
        That was used.
    rules : OrderRules
        How the choice was made.
    vials, draws, injections : tuple
        What to order, what to draw, what it delivers.
    order_by : date or None
        Last day for the order; ``None`` where the calendar states no cut-off.
    findings : tuple of Finding
        What a person must weigh.
    """

    product: Product
    treatment_at: datetime
    residual_fraction: float
    rules: OrderRules
    vials: tuple[OrderedVial, ...]
    draws: tuple[Draw, ...]
    injections: tuple[InjectionOrder, ...]
    order_by: date | None
    findings: tuple[Finding, ...]

    @property
    def delivered_gbq(self) -> dict[str, float]:
        """Activity that reaches the patient, by territory, GBq."""
        return {injection.territory: injection.delivered_gbq for injection in self.injections}

    @property
    def bq_per_sphere_at_treatment(self) -> dict[str, float]:
        """Activity per sphere at the instant of injection, by territory, Bq: mean over its draws, weighted by their activity."""
        found = {}
        for injection in self.injections:
            mine = [draw for draw in self.draws if draw.territory == injection.territory]
            weighted = math.fsum(draw.drawn_gbq * (draw.drawn_gbq * BQ_PER_GBQ / draw.number_of_spheres) for draw in mine)
            found[injection.territory] = weighted / math.fsum(draw.drawn_gbq for draw in mine)
        return found

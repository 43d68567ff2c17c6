"""Planned mean dose of every compartment with the whole budget: what resampling starts from."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from opensirt.radioembolisation.dosimetry.influence import Influence, total_dose
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.measured import Measured


@attrs.frozen
class DeliveryErrors:
    """Relative standard uncertainties of the activity that reaches the patient, beyond those of the scout image.

    Attributes
    ----------
    calibration_relative : float
        Of the activity that was measured out: activity meter against a traceable source of the same nuclide and vial. A department states its own.
    residual_relative : float
        Of what stays in vial and tubing, as a fraction of the whole (0.01: the residual is known to one percent of the activity).
    """

    calibration_relative: float = 0.0
    residual_relative: float = 0.0

    def __attrs_post_init__(self) -> None:
        for name, relative in (("calibration", self.calibration_relative), ("residual", self.residual_relative)):
            if not 0.0 <= relative < 1.0:
                raise InvalidValue(f"a relative uncertainty of {relative} of the {name}", "", "give 0 or more and below 1")


def delivered_with(dose: Measured, delivery: DeliveryErrors) -> Measured:
    """A dose (Gy, or Gy/GBq) with what is uncertain about the activity: sources ``"calibration"`` and ``"residual"``."""
    with_meter = dose.with_contribution("calibration", dose.value * delivery.calibration_relative)
    return with_meter.with_contribution("residual", -dose.value * delivery.residual_relative)


def with_delivery(influence: Influence, delivery: DeliveryErrors) -> Influence:
    """The same dose per GBq with what is uncertain about the activity itself: sources ``"calibration"`` and ``"residual"``, alike for all."""
    rows = {
        key: {territory: delivered_with(value, delivery) for territory, value in row.items()}
        for key, row in influence.gy_per_gbq.items()
    }
    return attrs.evolve(influence, gy_per_gbq=rows)


def planned_means(
    headline: Influence, base: Influence, activities_gbq: Mapping[str, float], delivery: DeliveryErrors
) -> dict[str, Measured]:
    """Mean dose (Gy) of every structure that either model knows, by the headline model where it does.

    Parameters
    ----------
    headline : Influence
        What is planned with.
    base : Influence
        Count partition on recovered counts: knows liver that no territory feeds as well.
    activities_gbq : mapping of str to float
        Decided activity per territory, GBq.
    delivery : DeliveryErrors
        Calibration and residual; they move every dose alike.
    """
    means = {}
    for key in dict.fromkeys((*headline.structures(), *base.structures())):
        mean = total_dose(headline if key in headline.gy_per_gbq else base, key, activities_gbq)
        means[key] = delivered_with(mean, delivery)
    return means

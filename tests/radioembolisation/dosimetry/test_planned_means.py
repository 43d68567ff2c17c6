"""Planned means: the headline first, the base where it is silent, delivery on all alike."""

from __future__ import annotations

import pytest

from opensirt.radioembolisation.dosimetry.influence import Influence
from opensirt.radioembolisation.dosimetry.planned_means import DeliveryErrors, planned_means, with_delivery
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.measured import Measured

HEADLINE = Influence("h", "1", {"tumour.T1": {"right": Measured(100.0, {"contour.tumour.T1": 5.0}), "left": Measured(0.0)}})
BASE = Influence(
    "b",
    "1",
    {
        "tumour.T1": {"right": Measured(110.0), "left": Measured(0.0)},
        "normal_liver.unperfused": {"right": Measured(1.0, {"count_noise.x": 0.5}), "left": Measured(2.0)},
    },
)
GIVEN = {"right": 2.0, "left": 1.0}


def test_headline_first_then_base() -> None:
    found = planned_means(HEADLINE, BASE, GIVEN, DeliveryErrors())
    assert found["tumour.T1"] == Measured(200.0, {"contour.tumour.T1": 10.0})
    assert found["normal_liver.unperfused"] == Measured(4.0, {"count_noise.x": 1.0})


def test_delivery_moves_every_dose_alike() -> None:
    found = planned_means(HEADLINE, BASE, GIVEN, DeliveryErrors(0.05, 0.02))
    for mean in found.values():
        assert mean.contributions["calibration"] == pytest.approx(0.05 * mean.value)
        assert mean.contributions["residual"] == pytest.approx(-0.02 * mean.value)


@pytest.mark.parametrize(("calibration", "residual"), [(-0.1, 0.0), (0.0, 1.0), (float("nan"), 0.0)])
def test_what_cannot_be(calibration: float, residual: float) -> None:
    with pytest.raises(InvalidValue):
        DeliveryErrors(calibration, residual)


def test_delivery_in_an_influence_is_delivery_in_the_means() -> None:
    delivery = DeliveryErrors(0.05, 0.02)
    after = planned_means(HEADLINE, BASE, GIVEN, delivery)
    within = planned_means(with_delivery(HEADLINE, delivery), with_delivery(BASE, delivery), GIVEN, DeliveryErrors())
    for key, mean in after.items():
        assert within[key].value == pytest.approx(mean.value)
        assert dict(within[key].contributions) == pytest.approx(dict(mean.contributions))

"""Probabilities of control and harm. Oracles: the power form itself, its slope at D50, a simulation of surviving clonogens."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.radioembolisation.dosimetry.radiobiology.ntcp import ntcp
from opensirt.radioembolisation.dosimetry.radiobiology.tcp import logistic_probability, poisson_probability
from opensirt.vocabulary.errors import InvalidValue

SIGMA = 4.0
DOSES = st.floats(1.0, 1000.0)
SLOPES = st.floats(0.2, 6.0)


@given(DOSES, DOSES, SLOPES)
def test_logistic_is_the_power_form(dose, d50, slope):
    assert logistic_probability(dose, d50, slope) == pytest.approx(1.0 / (1.0 + (d50 / dose) ** (4.0 * slope)), rel=1e-9)
    assert ntcp(dose, d50, slope) == logistic_probability(dose, d50, slope)


@given(DOSES, SLOPES)
def test_gamma50_is_the_slope_at_d50(d50, slope):
    step = 1e-5
    rise = logistic_probability(d50 * (1 + step), d50, slope) - logistic_probability(d50 * (1 - step), d50, slope)
    assert rise / (2.0 * step) == pytest.approx(slope, rel=1e-4)
    assert logistic_probability(d50, d50, slope) == 0.5


@given(DOSES, DOSES, SLOPES)
def test_reflection_about_d50(dose, d50, slope):
    assert logistic_probability(dose, d50, slope) + logistic_probability(d50 * d50 / dose, d50, slope) == pytest.approx(
        1.0, abs=1e-9
    )


def test_extremes_neither_overflow_nor_leave_the_unit_interval():
    assert logistic_probability(0.0, 292.0, 1.0) == 0.0
    assert logistic_probability(1e-300, 292.0, 50.0) == 0.0
    assert logistic_probability(1e300, 292.0, 50.0) == 1.0
    assert poisson_probability(0.0, 1e9, 0.036) == 0.0
    assert poisson_probability(1e5, 1e9, 0.036) == 1.0


def test_poisson_against_clonogens_that_live_or_die():
    rng = np.random.default_rng(44)
    clonogens, alpha, bed, tumours = 1000, 0.3, 23.0, 20000
    alive = rng.binomial(clonogens, math.exp(-alpha * bed), tumours)
    expected = poisson_probability(bed, clonogens, alpha)
    # binomial against Poisson differ by N p² / 2 ≈ 5e-4 in the probability of none
    allowed = SIGMA * math.sqrt(expected * (1.0 - expected) / tumours) + 1e-3
    assert float(np.mean(alive == 0)) == pytest.approx(expected, abs=allowed)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: logistic_probability(-1.0, 292.0, 1.0),
        lambda: logistic_probability(1.0, 0.0, 1.0),
        lambda: logistic_probability(1.0, 292.0, 0.0),
        lambda: ntcp(math.nan, 52.0, 1.0),
        lambda: poisson_probability(-1.0, 1e6, 0.1),
        lambda: poisson_probability(1.0, 0.0, 0.1),
        lambda: poisson_probability(1.0, 1e6, 0.0),
    ],
)
def test_what_cannot_be(ask):
    with pytest.raises(InvalidValue):
        ask()

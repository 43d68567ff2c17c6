"""Equivalent uniform doses. Oracles: limits and closed forms; surviving cells counted in high precision."""

from __future__ import annotations

from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.radioembolisation.dosimetry.dvh import dvh_of
from opensirt.radioembolisation.dosimetry.radiobiology.eud import eubed_gy, geud_gy
from opensirt.vocabulary.errors import InvalidValue

LIMIT = 1e-6
DIGITS = 60
"""Digits of the decimal oracle: exp(−1000) needs no special care there."""

DOSES = st.lists(st.floats(0.5, 500.0), min_size=1, max_size=20)
ALPHAS = st.floats(0.001, 1.0)


def weights_for(doses, seed=1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 2.0, len(doses))


@given(DOSES)
def test_geud_limits(doses):
    values = np.array(doses)
    weight = weights_for(doses)
    assert geud_gy(values, weight, 1.0) == pytest.approx(np.average(values, weights=weight), rel=LIMIT)
    # (v of one voxel)^(1/a) is the rest: at |a| = 1e9 it is below the limit
    assert geud_gy(values, weight, -1e9) == pytest.approx(values.min(), rel=LIMIT)
    assert geud_gy(values, weight, 1e9) == pytest.approx(values.max(), rel=LIMIT)


@given(DOSES, st.floats(-30.0, 30.0).filter(lambda a: abs(a) > 0.1))
def test_geud_is_that_of_the_histogram_and_rises_with_the_exponent(doses, exponent):
    values, weight = np.array(doses), weights_for(doses)
    found = geud_gy(values, weight, exponent)
    assert found == dvh_of("x", values, weight).geud_gy(exponent)
    higher = geud_gy(values, weight, exponent + 0.5 if abs(exponent + 0.5) > 1e-9 else exponent + 0.6)
    assert values.min() * (1 - 1e-12) <= found <= higher * (1 + 1e-12) <= values.max() * (1 + 1e-11)


def surviving(beds, weight, alpha) -> float:
    getcontext().prec = DIGITS
    total = sum(Decimal(float(w)) for w in weight)
    alive = sum(Decimal(float(w)) * (-Decimal(alpha) * Decimal(float(b))).exp() for b, w in zip(beds, weight, strict=True))
    return float(-(alive / total).ln() / Decimal(alpha))


@given(st.lists(st.floats(0.0, 5000.0), min_size=1, max_size=20), ALPHAS)
def test_eubed_leaves_as_many_cells_alive(beds, alpha):
    values, weight = np.array(beds), weights_for(beds)
    assert eubed_gy(values, weight, alpha) == pytest.approx(surviving(values, weight, alpha), rel=1e-9, abs=1e-9 / alpha)


@given(st.lists(st.floats(0.0, 5000.0), min_size=1, max_size=20), ALPHAS)
def test_eubed_lies_between_the_lowest_and_the_mean(beds, alpha):
    values, weight = np.array(beds), weights_for(beds)
    found = eubed_gy(values, weight, alpha)
    mean = float(np.average(values, weights=weight))
    assert values.min() - 1e-9 <= found <= mean + 1e-9 * (1.0 + mean)
    assert found <= eubed_gy(values, weight, alpha / 2.0) + 1e-9 * (1.0 + mean)


@given(st.floats(0.0, 5000.0), ALPHAS)
def test_an_even_dose_is_its_own_equivalent(bed, alpha):
    assert eubed_gy(np.full(7, bed), np.ones(7), alpha) == pytest.approx(bed, rel=1e-12, abs=1e-12)


def test_two_halves_by_hand():
    """Half at 0 and half at 1e4 Gy with α 0.1: half the cells live, ln 2 / 0.1 = 6.931 Gy. A form without care gives infinity."""
    assert eubed_gy(np.array([0.0, 1e4]), np.ones(2), 0.1) == pytest.approx(float(np.log(2.0)) / 0.1, rel=1e-12)
    assert eubed_gy(np.array([9e3, 1e4]), np.ones(2), 0.1) == pytest.approx(9e3 + float(np.log(2.0)) / 0.1, rel=1e-12)


def test_a_rare_cold_cell_is_not_lost_in_rounding():
    """One cell in 10¹² cold, the rest dead: EUBED is ln 10¹² / α, to the last digits."""
    found = eubed_gy(np.array([0.0, 1e5]), np.array([1.0, 1e12]), 0.3)
    assert found == pytest.approx(float(np.log(1e12 + 1.0)) / 0.3, rel=1e-12)


def test_a_cold_voxel_lowers_the_result():
    """A known program leaves voxels of zero dose out, which raises what must fall."""
    warm, weight = np.full(99, 100.0), np.ones(99)
    with_cold = np.append(warm, 0.0)
    assert eubed_gy(with_cold, np.ones(100), 0.3) < 20.0 < eubed_gy(warm, weight, 0.3)
    assert geud_gy(with_cold, np.ones(100), -10.0) == 0.0


@given(st.lists(st.integers(1, 300), min_size=2, max_size=6), st.integers(1, 4))
def test_weights_are_repeated_voxels(beds, times):
    values = np.array(beds, dtype=float)
    weight = np.array([float(Fraction(1 + n % times)) for n in range(len(beds))])
    repeated = np.repeat(values, weight.astype(int))
    assert eubed_gy(values, weight, 0.05) == pytest.approx(eubed_gy(repeated, np.ones(len(repeated)), 0.05), rel=1e-12)


@pytest.mark.parametrize(
    ("beds", "weight", "alpha"),
    [
        ([], [], 0.1),
        ([1.0], [1.0, 2.0], 0.1),
        ([-1.0], [1.0], 0.1),
        ([np.nan], [1.0], 0.1),
        ([1.0], [0.0], 0.1),
        ([1.0], [1.0], 0.0),
    ],
)
def test_what_cannot_be(beds, weight, alpha):
    with pytest.raises(InvalidValue):
        eubed_gy(np.array(beds), np.array(weight), alpha)

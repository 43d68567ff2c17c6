"""Where histories start: optimality by a general optimiser, whole counts, and unbiased shares of starts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from opensirt.radioembolisation.transport.montecarlo.allocation import counts_of, fewest_histories
from opensirt.radioembolisation.transport.montecarlo.batches import weighted_sources

OPTIMAL = 0.01
"""Of the sum of histories; the multipliers are iterated, not solved for."""


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 5))
def test_goals_are_met_with_as_few_histories_as_an_optimiser_finds(seed, regions, strata):
    random = np.random.default_rng(seed)
    per_history = np.exp(random.normal(0.0, 2.0, (regions, strata)))
    wanted = np.exp(random.normal(-4.0, 0.5, regions))
    ours = fewest_histories(per_history, wanted)
    assert (per_history / ours).sum(axis=1) == pytest.approx(wanted**2, rel=1.0)  # of the right size, and none missed:
    assert ((per_history / ours).sum(axis=1) <= wanted**2 * (1.0 + 1e-9)).all() or regions == 0
    scale = ours.sum()
    found = minimize(
        lambda log_n: np.exp(log_n).sum() / scale,
        np.log(ours * 1.5),
        constraints={"type": "ineq", "fun": lambda log_n: 1.0 - (per_history / np.exp(log_n)).sum(axis=1) / wanted**2},
        method="SLSQP",
        options={"maxiter": 500},
    )
    if found.success:
        assert ours.sum() <= np.exp(found.x).sum() * (1.0 + OPTIMAL)


def test_a_stratum_that_reaches_nothing_gets_nothing():
    assert fewest_histories(np.array([[1.0, 0.0]]), np.array([0.1])) == pytest.approx([100.0, 0.0])


def test_counts_follow_the_wanted_density():
    assert counts_of(np.array([100.0, 50.0, 1.0]), np.array([0.1, 0.1, 0.8])).tolist() == [1, 2, 32]


@given(st.integers(0, 2**32 - 1), st.integers(1, 400))
def test_every_voxel_gets_its_expected_number_of_starts(seed, histories):
    random = np.random.default_rng(seed)
    share = random.random(7) + 1e-3
    share /= share.sum()
    counts = random.integers(1, 33, 7)
    sources = weighted_sources(np.zeros((7, 3), dtype=np.int64), share, counts)
    expected = histories * (share / counts) / (share / counts).sum()
    offsets = (np.arange(2000) + 0.5) / 2000
    starts = np.array([np.diff(sources.first(histories, offset)) for offset in offsets])
    assert (starts.sum(axis=1) == histories).all() and starts.min() >= 0
    assert np.abs(starts - expected).max() <= 1.0
    assert starts.mean(axis=0) == pytest.approx(expected, abs=1e-3)

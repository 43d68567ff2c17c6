"""A short run before the run: where histories are best started, and how many the goal takes."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

from opensirt.radioembolisation.transport.montecarlo.allocation import (
    Region,
    allotted,
    fewest_histories,
    relative_variance,
)
from opensirt.radioembolisation.transport.montecarlo.batches import Sources, Sums, batch_key
from opensirt.radioembolisation.transport.montecarlo.field import Field
from opensirt.radioembolisation.transport.montecarlo.outcome import Run
from opensirt.radioembolisation.transport.montecarlo.problem import FloatArray, IntArray
from opensirt.radioembolisation.transport.montecarlo.run_clock import RunClock

PILOT_BATCHES = 10
_FIRST_STREAM = 1
_PER_VOXEL = 4
_LEAST, _MOST = 20_000, 400_000
_SHARE_OF_LARGEST = 10
_LEAST_OF_LARGEST = 1e-3
"""No stratum gets fewer histories than this part of the best provided one: what the pilot run did not see is seen in the end."""


def _stratum(field: Field, mine: IntArray, stream: int, run: Run, clock: RunClock) -> tuple[Sums, int]:
    """Sums over the pilot's batches of one stratum, and the histories of a batch."""
    sources, _ = allotted(field.problem, mine, np.ones(1))
    size = min(max(_PER_VOXEL * len(sources.voxels), _LEAST), _MOST)
    size = min(size, max(run.goal.largest_histories_number // _SHARE_OF_LARGEST, PILOT_BATCHES))
    batch = size // PILOT_BATCHES
    sums = field.new_sums()
    for number in range(PILOT_BATCHES):
        since_s = clock.elapsed_s
        field.score(sums, sources, batch, batch_key(run.seed, stream, number))
        clock.scored(batch, since_s)
    return sums, batch


def _smooth(values: FloatArray, field: Field) -> FloatArray:
    return np.asarray(uniform_filter(values.reshape(field.problem.shape), 3, mode="nearest")).ravel()


def pilot(field: Field, regions: tuple[Region, ...], run: Run, clock: RunClock) -> tuple[Sources, float]:
    """Run a little of every stratum.

    Parameters
    ----------
    field : Field
        What is scored.
    regions : tuple of Region
        Where what uncertainty is wanted.
    run : Run
        Seed and largest number of histories.
    clock : RunClock
        Told of what was scored.

    Returns
    -------
    sources : Sources
        Of the run: each stratum as densely as the goal needs it.
    histories : float
        How many of them the goal is thought to take.
    """
    size = field.problem.number.size
    mean, noise = field.rest.copy(), np.zeros(size)
    variances = []
    for stratum in range(int(field.stratum.max()) + 1):
        mine = np.where(field.stratum == stratum, 0, -1)
        held = float(field.problem.share[mine == 0].sum())
        sums, batch = _stratum(field, mine, _FIRST_STREAM + stratum, run, clock)
        plain = sums.variance(0)
        variance = plain
        if field.pairs:
            difference = plain + sums.variance(2, 2) - 2.0 * sums.variance(0, 2)
            variance = np.where(_smooth(difference, field) < _smooth(plain, field), difference, plain)
        mean += held * sums.mean(0)
        noise += held**2 * plain / PILOT_BATCHES
        variances.append((held**2 * batch * variance).astype(np.float32))
    per_history = np.array([[relative_variance(mean, noise, v.astype(np.float64), r) for v in variances] for r in regions])
    histories = fewest_histories(per_history, np.array([region.wanted_relative for region in regions]))
    return allotted(field.problem, field.stratum, np.maximum(histories, _LEAST_OF_LARGEST * histories.max()))

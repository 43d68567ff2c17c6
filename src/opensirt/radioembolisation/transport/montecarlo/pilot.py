"""A short run before the run: where histories are best started, and how many the goal takes."""

from __future__ import annotations

import math

import attrs
import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from opensirt.radioembolisation.transport.montecarlo.allocation import (
    Region,
    allotted,
    fewest_histories,
    relative_variance,
)
from opensirt.radioembolisation.transport.montecarlo.batches import Sources, Sums, batch_key
from opensirt.radioembolisation.transport.montecarlo.field import Field, Plan
from opensirt.radioembolisation.transport.montecarlo.outcome import Run
from opensirt.radioembolisation.transport.montecarlo.problem import FloatArray
from opensirt.radioembolisation.transport.montecarlo.run_clock import RunClock
from opensirt.radioembolisation.transport.montecarlo.thin import ThinSide

PILOT_BATCHES = 10
_FIRST_STREAM, _FIRST_THIN_STREAM = 100, 200
_PER_VOXEL = 4
_LEAST, _MOST = 20_000, 400_000
_SHARE_OF_LARGEST = 10
_LEAST_OF_LARGEST = 1e-3
"""No stratum gets fewer histories than this part of the best provided one: what the pilot run did not see is seen in the end."""


def _size(sources: Sources, run: Run) -> int:
    """Histories of a batch of the pilot run."""
    size = min(max(_PER_VOXEL * len(sources.voxels), _LEAST), _MOST)
    return min(size, max(run.goal.largest_histories_number // _SHARE_OF_LARGEST, PILOT_BATCHES)) // PILOT_BATCHES


@attrs.frozen(eq=False)
class _Seen:
    """What the pilot run saw: dose, its variance, and the variance that one history of each stratum would have; flat."""

    mean: FloatArray
    noise: FloatArray
    variances: tuple[npt.NDArray[np.float32], ...]

    def histories(self, regions: tuple[Region, ...]) -> FloatArray:
        """Of each stratum, to reach what is wanted in all regions."""
        per_history = np.array(
            [[relative_variance(self.mean, self.noise, v.astype(np.float64), r) for v in self.variances] for r in regions]
        )
        histories = fewest_histories(per_history, np.array([region.wanted_relative for region in regions]))
        return np.asarray(np.maximum(histories, _LEAST_OF_LARGEST * histories.max()))


def _smooth(values: FloatArray, field: Field) -> FloatArray:
    return np.asarray(uniform_filter(values.reshape(field.problem.shape), 3, mode="nearest")).ravel()


def _main(field: Field, run: Run, clock: RunClock) -> _Seen:
    """All sources, stratum by stratum."""
    mean, noise = field.rest.copy(), np.zeros(field.problem.number.size)
    variances = []
    for stratum in range(int(field.stratum.max()) + 1):
        mine = np.where(field.stratum == stratum, 0, -1)
        held = float(field.problem.share[mine == 0].sum())
        sources, _ = allotted(field.problem, mine, np.ones(1))
        batch = _size(sources, run)
        sums = field.new_sums()
        for number in range(PILOT_BATCHES):
            since_s = clock.elapsed_s
            field.score(sums, sources, batch, batch_key(run.seed, _FIRST_STREAM + stratum, number))
            clock.scored(batch, since_s)
        plain = sums.variance(0)
        variance = plain
        if field.pairs:
            difference = plain + sums.variance(2, 2) - 2.0 * sums.variance(0, 2)
            variance = np.where(_smooth(difference, field) < _smooth(plain, field), difference, plain)
        mean += held * sums.mean(0)
        noise += held**2 * plain / PILOT_BATCHES
        variances.append((held**2 * batch * variance).astype(np.float32))
    return _Seen(mean, noise, tuple(variances))


def _thin(field: Field, thin: ThinSide, run: Run, clock: RunClock) -> _Seen:
    """The sources that reach thin tissue, stratum by stratum."""
    mean, noise = np.zeros(field.problem.number.size), np.zeros(field.problem.number.size)
    variances = []
    for stratum in range(int(thin.stratum.max()) + 1):
        mine = np.where(thin.stratum == stratum, 0, -1)
        held = float(field.problem.share[mine == 0].sum())
        sources, _ = allotted(field.problem, mine, np.ones(1), thin.multiple)
        batch = _size(sources, run)
        sums = Sums(field.problem.number.size, paired=False)
        for number in range(PILOT_BATCHES):
            since_s = clock.elapsed_s
            field.score_thin(sums, sources, batch, batch_key(run.seed, _FIRST_THIN_STREAM + stratum, number))
            clock.scored(batch, since_s)
        plain = sums.variance(0)
        mean += held * sums.mean(0)
        noise += held**2 * plain / PILOT_BATCHES
        variances.append((held**2 * batch * plain).astype(np.float32))
    return _Seen(mean, noise, tuple(variances))


def pilot(field: Field, regions: tuple[Region, ...], run: Run, clock: RunClock) -> Plan:
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
    Plan
        All the histories that the goal is thought to take, each stratum as densely as it is needed.
    """
    apart = np.zeros(field.problem.shape, dtype=np.bool_) if field.thin is None else field.thin.wanted
    rest = tuple(r for r in (region.within(~apart) for region in regions) if r.inside.any())
    seen = _main(field, run, clock)
    wanted = seen.histories(rest) if rest else np.full(len(seen.variances), float(_LEAST))
    sources, histories = allotted(field.problem, field.stratum, wanted)
    if field.thin is None:
        return Plan(sources, math.ceil(histories), sources, 0)
    thin_regions = tuple(r for r in (region.within(apart) for region in regions) if r.inside.any())
    thin_wanted = _thin(field, field.thin, run, clock).histories(thin_regions)
    thin_sources, thin_histories = allotted(field.problem, field.thin.stratum, thin_wanted, field.thin.multiple)
    return Plan(sources, math.ceil(histories), thin_sources, math.ceil(thin_histories))

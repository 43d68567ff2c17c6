"""How many histories a goal takes and where they are best started, from a short pilot run.

With ``n_s`` histories in stratum ``s`` of the sources, the mean squared relative uncertainty of region ``R`` is ``Σ_s a_Rs / n_s``. The
fewest histories that reach every wanted value have ``n_s = √(Σ_R λ_R a_Rs)`` with multipliers ``λ_R`` that are zero for regions which are
better than wanted.
"""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from opensirt.radioembolisation.transport.montecarlo.batches import Sources, weighted_sources
from opensirt.radioembolisation.transport.montecarlo.outcome import Goal
from opensirt.radioembolisation.transport.montecarlo.problem import FloatArray, IntArray, Problem, cut
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.geometry import require_same_grid
from opensirt.vocabulary.volumes import ActivityMap, DensityMap

BoolArray = npt.NDArray[np.bool_]
TENTH_OF_LARGEST_FRACTION = 0.1
LARGEST_COUNT = 32
"""Largest whole number for which a history may count: of sources that matter that much less."""
_ROUNDS = 200
_SMOOTH_VOXELS = 5
_LEAST_SQUARE_RATIO = 0.3
"""Where a pilot run has seen next to nothing, at least this part of the squared dose is taken to be dose and not noise."""


@attrs.frozen(eq=False)
class Region:
    """Voxels of the box in which an uncertainty is wanted."""

    name: str
    inside: BoolArray
    wanted_relative: float

    def within(self, part: BoolArray) -> Region:
        """What lies in a part of the box too."""
        return attrs.evolve(self, inside=self.inside & part)

    @property
    def flat(self) -> IntArray:
        """Their places in a flat tally."""
        return np.flatnonzero(self.inside.ravel())


def regions_of(goal: Goal, problem: Problem, activity: ActivityMap, density: DensityMap) -> tuple[Region, ...]:
    """The regions of a goal in the box of a problem.

    Raises
    ------
    GridMismatch
        If a mask lies on another grid.
    InvalidValue
        If no electron reaches a mask.
    """
    if not goal.wanted:
        mass = np.maximum(density.g_per_ml, np.float32(1e-6))
        alone = np.where(activity.bq_per_ml > 0.0, activity.bq_per_ml / mass, np.float32(0.0))
        inside = cut(alone >= TENTH_OF_LARGEST_FRACTION * float(alone.max()), problem.box, False)
        return (Region("voxels above a tenth of the largest dose", inside, goal.relative_uncertainty),)
    regions = []
    for wanted in goal.wanted:
        require_same_grid(activity.grid, wanted.mask.grid, f"activity and the mask of {wanted.mask.structure.key}")
        inside = cut(wanted.mask.inside, problem.box, False)
        if not inside.any():
            raise InvalidValue(
                f"an uncertainty is wanted in {wanted.mask.structure.key}",
                "no electron of this activity reaches it",
                "give another mask",
            )
        regions.append(Region(wanted.mask.structure.key, inside, wanted.relative_uncertainty))
    return tuple(regions)


def root_mean_square(mean: FloatArray, sd: FloatArray, region: Region) -> tuple[float, float]:
    """Root mean square and 95th percentile of relative uncertainties in a region; voxels that receive nothing are left out."""
    flat = region.flat
    held = mean[flat] > 0.0
    if not held.any():
        return np.inf, np.inf
    relative = sd[flat][held] / mean[flat][held]
    return float(np.sqrt(np.mean(relative**2))), float(np.quantile(relative, 0.95))


def relative_variance(mean: FloatArray, noise: FloatArray, variance: FloatArray, region: Region) -> float:
    """Mean over a region of variance over dose squared, both smoothed over neighbours of the region: a pilot run is noisy.

    Parameters
    ----------
    mean : ndarray
        Dose from the pilot run, flat.
    noise : ndarray
        Its variance, by which the square of ``mean`` is too large on average.
    variance : ndarray
        Of one history of the stratum.
    region : Region
        Where.
    """
    shape = region.inside.shape
    inside = region.inside.astype(np.float64)
    above = uniform_filter(variance.reshape(shape) * inside, _SMOOTH_VOXELS, mode="constant")
    square = uniform_filter((mean**2).reshape(shape) * inside, _SMOOTH_VOXELS, mode="constant")
    below = square - uniform_filter(noise.reshape(shape) * inside, _SMOOTH_VOXELS, mode="constant")
    below = np.maximum(below, _LEAST_SQUARE_RATIO * square)
    held = region.inside & (square > 0.0)
    if not held.any():
        return 0.0
    return float(np.mean(above[held] / below[held]))


def fewest_histories(per_history: FloatArray, wanted_relative: FloatArray) -> FloatArray:
    """Histories of each stratum that reach every wanted value with the smallest sum.

    Parameters
    ----------
    per_history : ndarray, shape (regions, strata)
        ``a_Rs``: mean squared relative uncertainty of a region if the stratum had one history.
    wanted_relative : ndarray, shape (regions,)
        Root mean squares.

    Returns
    -------
    ndarray, shape (strata,)
        Not whole; 0 for strata that reach no region.
    """
    limits = wanted_relative**2
    multiplier = (np.sqrt(per_history).sum(axis=1) / limits) ** 2
    for _ in range(_ROUNDS):
        histories = np.sqrt(multiplier @ per_history)
        reached = _reached(per_history, histories)
        # a region's multiplier grows while it is missed and dies away where it is better than wanted
        multiplier = np.maximum(multiplier * (reached / limits), 1e-300)
    histories = np.sqrt(multiplier @ per_history)
    return np.asarray(histories * float((_reached(per_history, histories) / limits).max()))


def _reached(per_history: FloatArray, histories: FloatArray) -> FloatArray:
    share = np.divide(per_history, histories, out=np.zeros_like(per_history), where=histories > 0.0)
    return np.asarray(share.sum(axis=1))


def counts_of(histories: FloatArray, held: FloatArray) -> IntArray:
    """For how much a history of each stratum counts, so that numbers stand in the ratio of ``histories`` when starts follow activity.

    Parameters
    ----------
    histories : ndarray, shape (strata,)
        Wanted.
    held : ndarray, shape (strata,)
        Share of the activity.
    """
    density = histories / held
    ratio = np.divide(density.max(), density, out=np.full_like(density, LARGEST_COUNT), where=density > 0.0)
    return np.asarray(np.maximum(np.rint(np.minimum(ratio, LARGEST_COUNT)), 1.0).astype(np.int64))


def allotted(problem: Problem, stratum: IntArray, histories: FloatArray, multiple: int = 1) -> tuple[Sources, float]:
    """Sources of a run by stratum, and how many histories of it give every stratum at least the wanted number.

    Parameters
    ----------
    problem : Problem
        With the source voxels.
    stratum : ndarray of int64, shape (n,)
        0, 1, 2 … of the voxels that are started, in ascending order; negative for the others.
    histories : ndarray, shape (strata,)
        Wanted.
    multiple : int
        Of which every history's count is a multiple.
    """
    started = stratum >= 0
    order = np.argsort(stratum[started], kind="stable")
    voxels, share, kind = problem.voxels[started][order], problem.share[started][order], stratum[started][order]
    held = np.bincount(kind, weights=share, minlength=len(histories)).astype(np.float64)
    counts = counts_of(histories, held)
    part = held / counts
    total = float((histories * part.sum() / part).max())
    sources = weighted_sources(voxels, share, counts[kind])
    sources.voxels[:, 3] *= multiple
    return sources, total

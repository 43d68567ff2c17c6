"""A problem with all that scoring it takes: tallies for every thread, and the homogeneous side where there is one."""

from __future__ import annotations

import attrs
import numpy as np

from opensirt.radioembolisation.transport.montecarlo.batches import BatchKey, Scorer, Sources, Sums, batch_key, pooled
from opensirt.radioembolisation.transport.montecarlo.control_variate import (
    THIN_RATIO,
    BoolArray,
    Variate,
    combined,
    homogeneous_geometry,
    kernel_solution,
    variate_of,
)
from opensirt.radioembolisation.transport.montecarlo.outcome import Reduction, Run
from opensirt.radioembolisation.transport.montecarlo.problem import FloatArray, IntArray, Problem
from opensirt.radioembolisation.transport.montecarlo.thin import ThinSide, thin_side

MAIN_STREAM, THIN_STREAM = 0, 1


@attrs.frozen(eq=False)
class Plan:
    """The histories of one batch.

    Attributes
    ----------
    sources, histories
        Of all voxels that are started.
    thin_sources, thin_histories
        Of those for thin tissue; 0 histories where there is none.
    """

    sources: Sources
    histories: int
    thin_sources: Sources
    thin_histories: int

    @property
    def total(self) -> int:
        """Histories of a batch."""
        return self.histories + self.thin_histories


@attrs.frozen(eq=False)
class Half:
    """Half of the batches of a run: sums of all histories, and of those for thin tissue."""

    main: Sums
    thin: Sums


@attrs.frozen(eq=False)
class Field:
    """A problem ready to be scored: analogue, or with its homogeneous side.

    Attributes
    ----------
    problem : Problem
        What is scored.
    variate : Variate or None
        Its homogeneous side.
    thin : ThinSide or None
        Thin tissue with histories of its own.
    scorers : tuple of Scorer
        Of the patient, of the homogeneous medium, and for thin tissue.
    stratum : ndarray of int64
        0, 1, 2 … of every source voxel; −1 where no history starts. Sources that are followed in the patient alone come first.
    known, rest : ndarray
        What the kernel gives for the sources that are followed twice, and for those that are not followed; flat, share of all energy.
    """

    problem: Problem
    variate: Variate | None
    thin: ThinSide | None
    scorers: tuple[Scorer, ...]
    stratum: IntArray
    known: FloatArray
    rest: FloatArray

    @property
    def started_fraction(self) -> float:
        """Share of the activity in voxels where histories start."""
        return float(self.problem.share[self.stratum >= 0].sum())

    @property
    def pairs(self) -> bool:
        """Whether histories are followed twice."""
        return self.variate is not None

    def new_sums(self) -> Sums:
        """Sums for batches of all histories."""
        return Sums(self.problem.number.size, paired=self.pairs)

    def new_half(self) -> Half:
        """Sums for half of the batches."""
        return Half(self.new_sums(), Sums(self.problem.number.size if self.thin is not None else 0, paired=False))

    def score_batch(self, half: Half, plan: Plan, seed: int, batch: int) -> None:
        """Score one batch.

        Parameters
        ----------
        half : Half
            Added to.
        plan : Plan
            Of the batch.
        seed, batch : int
            Name its random numbers.
        """
        if plan.histories:
            self.score(half.main, plan.sources, plan.histories, batch_key(seed, MAIN_STREAM, batch))
        if plan.thin_histories:
            self.score_thin(half.thin, plan.thin_sources, plan.thin_histories, batch_key(seed, THIN_STREAM, batch))

    def score_thin(self, sums: Sums, sources: Sources, histories: int, random: BatchKey) -> None:
        """Score histories for thin tissue; parameters as for :meth:`score`."""
        key, offset_fraction = random
        sums.add(*self.scorers[2].score(sources, sources.first(histories, offset_fraction), (0, histories), key))

    def score(self, sums: Sums, sources: Sources, histories: int, random: BatchKey) -> None:
        """Score histories of the voxels that are started, twice where there is a homogeneous side.

        Parameters
        ----------
        sums : Sums
            Added to.
        sources : Sources
            Where histories start, the strata in order.
        histories : int
            Of the batch.
        random : BatchKey
            Its random numbers.
        """
        key, offset_fraction = random
        first = sources.first(histories, offset_fraction)
        tally, book = self.scorers[0].score(sources, first, (0, histories), key)
        if self.variate is None:
            sums.add(tally, book)
            return
        k, j, i = sources.voxels[:, :3].T
        twice = (self.problem.number[k, j, i] == self.variate.number) & (
            self.problem.g_per_ml[k, j, i] == np.float32(self.variate.g_per_ml)
        )
        plain = int(np.argmax(twice)) if twice.any() else len(twice)
        homogeneous, _ = self.scorers[1].score(sources, first, (int(first[plain]), histories), key)
        sums.add_pair(tally, homogeneous, book)

    def estimate(self, halves: tuple[Half, Half]) -> tuple[FloatArray, FloatArray]:
        """Share of the energy of all electrons in each voxel, and its standard uncertainty; flat."""
        mains = (halves[0].main, halves[1].main)
        if self.variate is None:
            return pooled(*mains)
        started = self.started_fraction
        guess = (self.problem.g_per_ml >= THIN_RATIO * self.variate.g_per_ml).astype(np.float64).ravel()
        mean, sd, used = combined(mains, self.known / started, guess)
        kernel = self.variate.kernel.relative_uncertainty * (used * started + self.rest)
        mean, sd = mean * started + self.rest, np.hypot(sd * started, kernel)
        if self.thin is not None:
            there = self.thin.wanted.ravel()
            emitted = float(self.problem.share[self.thin.stratum >= 0].sum())
            thin_mean, thin_sd = pooled(halves[0].thin, halves[1].thin)
            mean[there], sd[there] = thin_mean[there] * emitted, thin_sd[there] * emitted
        return mean, sd

    def kernel_alone(self) -> tuple[FloatArray, FloatArray]:
        """The same where no history needs to be started."""
        assert self.variate is not None  # an analogue run starts histories everywhere
        return self.rest, self.variate.kernel.relative_uncertainty * self.rest

    def radiated_fraction(self, started_fraction: float) -> float:
        """Share of all electrons' energy that is radiated, from that of the histories."""
        if self.variate is None:
            return started_fraction
        started = self.started_fraction
        return started * started_fraction + (1.0 - started) * self.variate.kernel.radiated_fraction


def field_of(problem: Problem, nuclide: str, run: Run, wanted: BoolArray) -> Field:
    """Make a problem ready to be scored.

    Parameters
    ----------
    problem : Problem
        What is scored.
    nuclide : str
        Names the kernel.
    run : Run
        Whether noise is reduced, and the physics of the kernel.
    wanted : ndarray of bool
        Voxels in which an uncertainty is wanted.
    """
    size = problem.number.size
    own = Scorer(problem, problem.geometry)
    variate = variate_of(problem, nuclide, run) if run.reduction is Reduction.CONTROL_VARIATE else None
    if variate is None:
        return Field(problem, None, None, (own,), np.zeros(len(problem.voxels), dtype=np.int64), np.zeros(size), np.zeros(size))
    scorers = [own, Scorer(problem, homogeneous_geometry(problem, variate.number, variate.g_per_ml))]
    thin = thin_side(problem, variate, wanted)
    if thin is not None:
        scorers.append(Scorer(problem, problem.geometry, (thin.level, thin.away_g_per_cm2, thin.lean)))
    stratum = np.full(len(problem.voxels), -1, dtype=np.int64)
    stratum[variate.started] = np.unique(variate.layer[variate.started], return_inverse=True)[1].ravel()
    known = kernel_solution(problem, variate, variate.paired)
    rest = kernel_solution(problem, variate, ~variate.started)
    return Field(problem, variate, thin, tuple(scorers), stratum, known, rest)

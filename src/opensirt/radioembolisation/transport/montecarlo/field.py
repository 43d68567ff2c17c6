"""A problem with all that scoring it takes: tallies for every thread, and the homogeneous side where there is one."""

from __future__ import annotations

import attrs
import numpy as np

from opensirt.radioembolisation.transport.montecarlo.batches import Scorer, Sources, Sums, pooled
from opensirt.radioembolisation.transport.montecarlo.control_variate import (
    Variate,
    combined,
    homogeneous_geometry,
    kernel_solution,
    variate_of,
)
from opensirt.radioembolisation.transport.montecarlo.outcome import Reduction, Run
from opensirt.radioembolisation.transport.montecarlo.problem import FloatArray, IntArray, Problem


@attrs.frozen(eq=False)
class Field:
    """A problem ready to be scored: analogue, or with its homogeneous side.

    Attributes
    ----------
    problem : Problem
        What is scored.
    variate : Variate or None
        Its homogeneous side.
    scorers : tuple of Scorer
        Of the patient, and of the homogeneous medium.
    stratum : ndarray of int64
        0, 1, 2 … of every source voxel; −1 where no history starts. Sources that are followed in the patient alone come first.
    known, rest : ndarray
        What the kernel gives for the sources that are followed twice, and for those that are not followed; flat, share of all energy.
    """

    problem: Problem
    variate: Variate | None
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
        """Sums for batches of this problem."""
        return Sums(self.problem.number.size, paired=self.pairs)

    def score(self, sums: Sums, sources: Sources, histories: int, random: tuple[np.uint64, float]) -> None:
        """Score one batch.

        Parameters
        ----------
        sums : Sums
            Added to.
        sources : Sources
            Where histories start, the strata in order.
        histories : int
            Of the batch.
        random : tuple
            As :func:`batch_key` gives it.
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

    def estimate(self, halves: tuple[Sums, Sums]) -> tuple[FloatArray, FloatArray]:
        """Share of the energy of all electrons in each voxel, and its standard uncertainty; flat."""
        if self.variate is None:
            return pooled(*halves)
        started = self.started_fraction
        mean, sd, used = combined(halves, self.known / started)
        kernel = self.variate.kernel.relative_uncertainty * (used * started + self.rest)
        return mean * started + self.rest, np.hypot(sd * started, kernel)

    def kernel_alone(self) -> tuple[FloatArray, FloatArray]:
        """The same where no history needs to be started."""
        assert self.variate is not None  # an analogue run starts histories everywhere
        return self.rest, self.variate.kernel.relative_uncertainty * self.rest

    def radiated_fraction(self, of_started: float) -> float:
        """Share of all electrons' energy that is radiated, from that of the histories."""
        if self.variate is None:
            return of_started
        started = self.started_fraction
        return started * of_started + (1.0 - started) * self.variate.kernel.radiated_fraction


def field_of(problem: Problem, nuclide: str, run: Run) -> Field:
    """Make a problem ready to be scored.

    Parameters
    ----------
    problem : Problem
        What is scored.
    nuclide : str
        Names the kernel.
    run : Run
        Whether noise is reduced, and the physics of the kernel.
    """
    size = problem.number.size
    own = Scorer(problem, problem.geometry)
    variate = variate_of(problem, nuclide, run) if run.reduction is Reduction.CONTROL_VARIATE else None
    if variate is None:
        return Field(problem, None, (own,), np.zeros(len(problem.voxels), dtype=np.int64), np.zeros(size), np.zeros(size))
    homogeneous = Scorer(problem, homogeneous_geometry(problem, variate.number, variate.g_per_ml))
    stratum = np.full(len(problem.voxels), -1, dtype=np.int64)
    stratum[variate.started] = np.unique(variate.layer[variate.started], return_inverse=True)[1].ravel()
    known = kernel_solution(problem, variate, variate.paired)
    rest = kernel_solution(problem, variate, ~variate.started)
    return Field(problem, variate, (own, homogeneous), stratum, known, rest)

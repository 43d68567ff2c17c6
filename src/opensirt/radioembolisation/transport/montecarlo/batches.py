"""Batches of histories: how many start in each voxel, how threads share them, and what is kept of them.

Every batch has its own random numbers. Within a batch a history's numbers depend on its place in the batch alone, and tallies are whole
numbers: the sum over threads is the same bit for bit, however the histories are shared out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import attrs
import numpy as np
from numba import njit

from opensirt.radioembolisation.transport.montecarlo import stepping
from opensirt.radioembolisation.transport.montecarlo.problem import FloatArray, IntArray, Problem
from opensirt.radioembolisation.transport.montecarlo.tables import Tables
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.threads import each, threads

EMITTED, LEFT, RADIATED, CROWDED, GIVEN_UP = range(5)
"""Places of a batch's book."""


@attrs.frozen(eq=False)
class Sources:
    """Voxels that emit, and how densely.

    Attributes
    ----------
    voxels : ndarray, shape (n, 4)
        Indices in the box, and for how much each history of the voxel counts.
    below : ndarray, shape (n + 1,)
        Part of a batch's histories that start in voxels before each.
    """

    voxels: IntArray
    below: FloatArray

    def first(self, histories: int, offset_fraction: float) -> IntArray:
        """The first history of each voxel: systematic sampling, so that each voxel gets its expected number but for less than one.

        Parameters
        ----------
        histories : int
            Of the batch.
        offset_fraction : float
            Uniform between 0 and 1: makes the expected number exact.
        """
        first = np.ceil(self.below * histories - offset_fraction).astype(np.int64)
        first[0], first[-1] = 0, histories
        return np.maximum(first, 0)


NO_GUIDE: tuple[Any, ...] = (np.empty((0, 0, 0), np.uint8), np.empty((0, 0, 0), np.float32), np.empty((0, 0, 0, 4), np.float32))
"""Electrons are followed to their end and not split."""


def weighted_sources(voxels: IntArray, share: FloatArray, counts: IntArray) -> Sources:
    """Sources whose histories count for whole numbers: a voxel gets histories in proportion to ``share / counts``."""
    part = share / counts
    below = np.concatenate([[0.0], np.cumsum(part)])
    return Sources(np.ascontiguousarray(np.column_stack([voxels, counts])), below / below[-1])


class BatchKey(NamedTuple):
    """What makes a batch's random numbers its own: the key of its histories, and the offset of its systematic sampling."""

    key: np.uint64
    offset_fraction: float


def batch_key(seed: int, stream: int, batch: int) -> BatchKey:
    """Key of a batch's random numbers, and the offset of its systematic sampling."""
    drawn = np.random.default_rng([seed, stream, batch])
    return BatchKey(np.uint64(drawn.integers(0, 2**64, dtype=np.uint64)), float(drawn.random()))


def _frozen(array: Any) -> Any:
    """A read-only view: the loop is compiled once for what never changes, whoever made it."""
    view = array.view()
    view.setflags(write=False)
    return view


def run_histories(
    span: tuple[int, int],
    key: np.uint64,
    source: tuple[Any, ...],
    geometry: tuple[Any, ...],
    tables: Tables,
    tallies: tuple[Any, ...],
    guide: tuple[Any, ...] = NO_GUIDE,
) -> None:
    """Run histories of a batch: :func:`stepping.run_guided` with all its inputs read-only.

    Parameters
    ----------
    span, key, source, geometry, tallies, guide
        As the stepping loop takes them.
    tables : Tables
        With the settings.
    """
    t, physics = tables, tables.physics
    arrays = (t.by_energy, t.by_strength, t.strength_step, t.by_range, t.range_step, t.turns, t.most_events)
    voxels, first, extent, energies = source
    number, g_per_ml, clear, spacing = geometry
    tally, book, shells = tallies
    stepping.run_guided(
        span,
        key,
        (_frozen(voxels), _frozen(first), float(extent), _frozen(energies)),
        (_frozen(number), _frozen(g_per_ml), _frozen(clear), spacing),
        tuple(_frozen(array) for array in arrays),
        (physics.knock_on_mev, physics.photon_mev, physics.cut_mev),
        (tally, book, _frozen(shells)),
        tuple(_frozen(array) for array in guide),
    )


class Scorer:
    """Runs histories of one problem on all threads; holds a tally for each."""

    def __init__(self, problem: Problem, geometry: tuple[Any, ...], guide: tuple[Any, ...] = NO_GUIDE) -> None:
        self._guide = guide
        self._problem = problem
        self._geometry = geometry
        self._tallies = np.zeros((threads(), problem.number.size), dtype=np.int64)

    def score(self, sources: Sources, first: IntArray, span: tuple[int, int], key: np.uint64) -> tuple[IntArray, IntArray]:
        """Tally (flat, valid until the next call) and book of the histories ``span[0] … span[1] − 1``.

        Raises
        ------
        InvalidValue
            If energy was lost: a defect.
        """
        source = (sources.voxels, first, 1.0, self._problem.energies_mev)
        count = len(self._tallies)
        edges = np.linspace(span[0], span[1], count + 1).astype(np.int64)
        books = np.zeros((count, 5), dtype=np.int64)
        no_shells = np.empty(0)

        def run(part: int) -> None:
            tally = self._tallies[part]
            tally[:] = 0
            if edges[part] < edges[part + 1]:
                mine = (int(edges[part]), int(edges[part + 1]))
                run_histories(mine, key, source, self._geometry, self._problem.tables, (tally, books[part], no_shells), self._guide)

        each(run, range(count))
        tally = self._tallies[0]
        for other in self._tallies[1:]:
            tally += other
        book = books.sum(axis=0)
        lost = int(book[EMITTED] - book[LEFT] - book[RADIATED] - book[GIVEN_UP] - tally.sum())
        if lost != 0 or book[CROWDED] != 0:
            raise InvalidValue(
                f"the energy book of a batch is open by {lost} units, {int(book[CROWDED])} knock-on electrons had no room",
                "energy is counted in whole numbers and closes exactly",
                "report this as a defect",
            )
        return tally, book


@njit(nogil=True, cache=True)
def _add(tally: Any, book: Any, sums: Any, books: Any) -> None:
    """Compiled as a whole so that no interrupt comes between the sums and their number."""
    scale = 1.0 / book[0]
    for v in range(len(tally)):
        if tally[v] != 0:
            value = tally[v] * scale
            sums[0, v] += value
            sums[1, v] += value * value
    for entry in range(4):
        books[entry] += book[entry] * scale
    books[4] += 1.0


@njit(nogil=True, cache=True)
def _add_pair(tally: Any, other: Any, book: Any, sums: Any, books: Any) -> None:
    scale = 1.0 / book[0]
    for v in range(len(tally)):
        if tally[v] != 0 or other[v] != 0:
            one = tally[v] * scale
            two = other[v] * scale
            sums[0, v] += one
            sums[1, v] += one * one
            sums[2, v] += two
            sums[3, v] += two * two
            sums[4, v] += one * two
    for entry in range(4):
        books[entry] += book[entry] * scale
    books[4] += 1.0


class Sums:
    """Sums over batches of what each voxel received, as a share of the energy that the batch emitted."""

    def __init__(self, size: int, *, paired: bool) -> None:
        self._books = np.zeros(5)
        self._sums = np.zeros((5 if paired else 2, size))

    @property
    def batches_number(self) -> int:
        """Batches added."""
        return int(self._books[4])

    @property
    def book(self) -> FloatArray:
        """Mean share that left the box and that was radiated, at :data:`LEFT` and :data:`RADIATED`."""
        return np.asarray(self._books[:4] / self._books[4])

    def add(self, tally: IntArray, book: IntArray) -> None:
        """Add a batch that was scored once."""
        _add(tally, book, self._sums, self._books)

    def add_pair(self, tally: IntArray, homogeneous: IntArray, book: IntArray) -> None:
        """Add a batch that was scored in the patient and in the homogeneous medium."""
        _add_pair(tally, homogeneous, book, self._sums, self._books)

    def mean(self, place: int = 0) -> FloatArray:
        """Mean over batches of the patient's tally (0) or the homogeneous medium's (2)."""
        return np.asarray(self._sums[place] / self.batches_number)

    def variance(self, one: int = 0, two: int = 0) -> FloatArray:
        """Variance of a single batch, or covariance of the patient's (0) and the homogeneous medium's (2) tally."""
        n = self.batches_number
        product = {(0, 0): 1, (2, 2): 3, (0, 2): 4}[one, two]
        spread = (self._sums[product] - self._sums[one] * self._sums[two] / n) / (n - 1)
        return np.asarray(np.maximum(spread, 0.0) if one == two else spread)


def pooled(first: Sums, second: Sums) -> tuple[FloatArray, FloatArray]:
    """Mean over all batches of two halves, and its standard uncertainty, for tallies that are scored once."""
    n = first.batches_number + second.batches_number
    mean = (first.mean() * first.batches_number + second.mean() * second.batches_number) / n
    squares = np.zeros_like(mean)
    for half in (first, second):
        squares += half.variance() * (half.batches_number - 1) + half.batches_number * (half.mean() - mean) ** 2
    return mean, np.asarray(np.sqrt(squares / (n - 1) / n))

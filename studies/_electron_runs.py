"""Runs of the electron transport that tests and studies share: spectra, shells around a point, voxels around sources.

Everything here is a thin driver of the compiled loop: batches, their spread, and the book that must close.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opensirt.radioembolisation.transport.montecarlo import stepping
from opensirt.radioembolisation.transport.montecarlo.media import TransportMedium
from opensirt.radioembolisation.transport.montecarlo.tables import Physics, Tables, tables_for

FloatArray = NDArray[np.float64]
BATCHES = 20
DEFAULT = Physics()
FINE = Physics(turn_reach_g_per_cm2=0.01, turn_paths_number=0.1, knock_on_mev=0.02, photon_mev=0.02, cut_mev=0.02)
"""Turns five times as dense, collisions and photons followed from 20 keV: the transport against which the default is measured."""


@dataclass(frozen=True)
class Tally:
    """Energy per history (MeV) of a run.

    Attributes
    ----------
    batches_mev : ndarray, shape (batches, …)
        Deposited in every shell or voxel, by batch.
    emitted_mev, escaped_mev, radiated_mev : float
        Emitted, gone off the grid, and radiated.
    closure_units : int
        Emitted less all else, in the units of the tally: must be 0.
    crowded : int
        Knock-on electrons for which the stack had no room: must be 0.
    """

    batches_mev: FloatArray
    emitted_mev: float
    escaped_mev: float
    radiated_mev: float
    closure_units: int
    crowded: int

    @property
    def mean_mev(self) -> FloatArray:
        """Mean of the batches."""
        return np.asarray(self.batches_mev.mean(axis=0))

    @property
    def fraction(self) -> FloatArray:
        """Share of the emitted energy."""
        return self.mean_mev / self.emitted_mev

    @property
    def fraction_sd(self) -> FloatArray:
        """Standard deviation of :attr:`fraction`, from the spread of the batches."""
        count = len(self.batches_mev)
        return np.asarray(self.batches_mev.std(axis=0, ddof=1) / np.sqrt(count) / self.emitted_mev)


def sampled_spectrum(path: Path, nodes: int = 8192) -> FloatArray:
    """Energies (MeV) on even steps of the fraction emitted with less, from a file of what a reference run emitted (low, high, share)."""
    low, high, share = np.loadtxt(path, delimiter=",", comments="#", usecols=(0, 1, 2)).T
    cumulative = np.concatenate([[0.0], np.cumsum(share)]) / share.sum()
    edges = np.concatenate([low[:1], high])
    # where nothing is emitted the inverse jumps: keep the last of equal fractions on the left, the first on the right
    keep = np.concatenate([[True], np.diff(cumulative) > 0.0]) | np.concatenate([np.diff(cumulative) > 0.0, [True]])
    return np.asarray(np.maximum(np.interp(np.linspace(0.0, 1.0, nodes + 1), cumulative[keep], edges[keep]), 1e-4))


def loop_arrays(tables: Tables) -> tuple[object, ...]:
    """Tables in the order in which the compiled loop takes them."""
    t = tables
    return (t.by_energy, t.by_strength, t.strength_step, t.by_range, t.range_step, t.turns, t.most_events)


def _batches(source, geometry, tables, *, sizes: tuple[int, FloatArray, int], histories: int, seed: int, threads: int) -> Tally:  # type: ignore[no-untyped-def]
    """Run ``BATCHES`` equal batches; ``sizes`` is length of the tally, edges of its shells, number of batches."""
    length, shells_cm, count = sizes
    each = histories // count
    physics = tables.physics

    def one(batch: int):  # type: ignore[no-untyped-def]
        tally, book = np.zeros(length, np.int64), np.zeros(4, np.int64)
        stepping.run(
            (batch * each, (batch + 1) * each),
            np.uint64(seed),
            source,
            geometry,
            loop_arrays(tables),
            (physics.knock_on_mev, physics.photon_mev, physics.cut_mev),
            (tally, book, shells_cm),
        )
        return tally, book

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(one, range(count)))
    tallies = np.array([tally for tally, _ in parts])
    book = sum(book for _, book in parts)
    scale = 1.0 / stepping.UNITS_PER_MEV
    emitted, escaped, radiated = (float(x) * scale / (each * count) for x in book[:3])
    closure = int(book[0] - book[1] - book[2] - tallies.sum())
    return Tally(tallies * (scale / each), emitted, escaped, radiated, closure, int(book[3]))


def shells(
    medium: TransportMedium,
    edges_mm: FloatArray,
    energies_mev: FloatArray,
    *,
    histories: int,
    density_g_per_ml: float = 1.0,
    physics: Physics = DEFAULT,
    seed: int = 1,
    threads: int = 2,
) -> Tally:
    """Energy in shells around a point source in one medium without end; the last shell takes what lies beyond its edge too."""
    grid = (np.zeros((1, 1, 1), np.uint8), np.full((1, 1, 1), density_g_per_ml), np.ones((1, 1, 1), np.uint8), (1e4, 1e4, 1e4))
    source = (np.zeros((1, 3), np.int64), np.array([0, 2**60]), 0.0, energies_mev)
    edges_cm = np.asarray(edges_mm) / 10.0
    sizes = (len(edges_cm) - 1, edges_cm, BATCHES)
    tables = tables_for((medium,), physics)
    return _batches(source, grid, tables, sizes=sizes, histories=histories, seed=seed, threads=threads)


def clearance(media: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Voxels that one may go in any direction, diagonals too, and still be in the same medium and on the grid."""
    same = np.ones(media.shape, dtype=bool)
    clear = np.zeros(media.shape, np.uint8)
    padded_shape = tuple(n + 2 for n in media.shape)
    for _ in range(min(254, max(media.shape))):
        padded = np.zeros(padded_shape, dtype=bool)
        padded[1:-1, 1:-1, 1:-1] = same
        around = np.full(padded_shape, 255, np.uint8)
        around[1:-1, 1:-1, 1:-1] = media
        inner = same.copy()
        for dk in (0, 1, 2):
            for dj in (0, 1, 2):
                for di in (0, 1, 2):
                    part = tuple(slice(d, d + n) for d, n in zip((dk, dj, di), media.shape, strict=True))
                    inner &= padded[part] & (around[part] == media)
        if not inner.any():
            break
        clear += inner
        same = inner
    return clear


def voxels(
    media: NDArray[np.uint8],
    density_g_per_ml: FloatArray,
    spacing_mm: tuple[float, float, float],
    energies_mev: FloatArray,
    *,
    names: Sequence[TransportMedium],
    source: NDArray[np.int64],
    histories: int,
    physics: Physics = DEFAULT,
    seed: int = 1,
    threads: int = 2,
    batches: int = BATCHES,
) -> Tally:
    """Energy in voxels from uniform activity in the voxels ``source`` (n, 3); every batch starts the same number in each of them."""
    each = histories // batches
    per_voxel = max(1, each // len(source))
    count = per_voxel * len(source)
    # histories of batch b are b·count … (b+1)·count − 1: the loop asks for the first history of every voxel, batch after batch
    first = np.arange(len(source) * batches + 1, dtype=np.int64) * per_voxel
    geometry = (media, density_g_per_ml, clearance(media), tuple(s / 10.0 for s in spacing_mm))
    sizes = (media.size, np.empty(0), batches)
    tables = tables_for(tuple(names), physics)
    where = (np.tile(np.asarray(source, np.int64), (batches, 1)), first, 1.0, energies_mev)
    found = _batches(where, geometry, tables, sizes=sizes, histories=count * batches, seed=seed, threads=threads)
    shaped = found.batches_mev.reshape(batches, *media.shape)
    return Tally(shaped, found.emitted_mev, found.escaped_mev, found.radiated_mev, found.closure_units, found.crowded)

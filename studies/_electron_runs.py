"""Runs of the electron transport that tests and studies share: spectra, shells around a point, voxels around sources.

Everything here is a thin driver of the compiled loop: batches, their spread, and the book that must close.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opensirt.radioembolisation.transport.montecarlo import stepping
from opensirt.radioembolisation.transport.montecarlo.media import TransportMedium
from opensirt.radioembolisation.transport.montecarlo.media_map import clear_voxels
from opensirt.radioembolisation.transport.montecarlo.tables import FINE_PHYSICS, Physics, Tables, tables_for

FloatArray = NDArray[np.float64]
BATCHES = 20
DEFAULT = Physics()
FINE = FINE_PHYSICS


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


def loop_arrays(tables: Tables) -> tuple[object, ...]:
    """Tables in the order in which the compiled loop takes them."""
    t = tables
    return (t.by_energy, t.by_strength, t.strength_step, t.by_range, t.range_step, t.turns, t.most_events)


@dataclass(frozen=True)
class How:
    """How a run is made: histories in all, seed, settings of the transport, threads and batches."""

    histories: int
    seed: int = 1
    physics: Physics = DEFAULT
    threads: int = 2
    batches: int = BATCHES


@dataclass(frozen=True)
class Scene:
    """Voxels: number of the medium (uint8) and density (g/mL) of each, spacing (mm) along k, j, i, and the media by number."""

    number: NDArray[np.uint8]
    g_per_ml: FloatArray
    spacing_mm: tuple[float, float, float]
    media: tuple[TransportMedium, ...]

    @staticmethod
    def uniform(
        medium: TransportMedium, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], density: float
    ) -> Scene:
        """One medium everywhere."""
        return Scene(np.zeros(shape, np.uint8), np.full(shape, density), spacing_mm, (medium,))


def _run(source, geometry, tables, shells_cm: FloatArray, how: How) -> Tally:  # type: ignore[no-untyped-def]
    each = how.histories // how.batches
    length = len(shells_cm) - 1 if len(shells_cm) else geometry[0].size
    physics = tables.physics

    def one(batch: int):  # type: ignore[no-untyped-def]
        tally, book = np.zeros(length, np.int64), np.zeros(4, np.int64)
        stepping.run(
            (batch * each, (batch + 1) * each),
            np.uint64(how.seed),
            source,
            geometry,
            loop_arrays(tables),
            (physics.knock_on_mev, physics.photon_mev, physics.cut_mev),
            (tally, book, shells_cm),
        )
        return tally, book

    with ThreadPoolExecutor(how.threads) as pool:
        parts = list(pool.map(one, range(how.batches)))
    tallies = np.array([tally for tally, _ in parts])
    book = sum(book for _, book in parts)
    scale = 1.0 / stepping.UNITS_PER_MEV
    emitted, escaped, radiated = (float(x) * scale / (each * how.batches) for x in book[:3])
    closure = int(book[0] - book[1] - book[2] - tallies.sum())
    return Tally(tallies * (scale / each), emitted, escaped, radiated, closure, int(book[3]))


def shells(medium: TransportMedium, density_g_per_ml: float, edges_mm: FloatArray, energies_mev: FloatArray, *, how: How) -> Tally:
    """Energy in shells around a point source in one medium without end; the last shell takes what lies beyond its edge too."""
    geometry = (np.zeros((1, 1, 1), np.uint8), np.full((1, 1, 1), density_g_per_ml), np.ones((1, 1, 1), np.uint8), (1e4, 1e4, 1e4))
    source = (np.zeros((1, 3), np.int64), np.array([0, 2**60]), 0.0, energies_mev)
    return _run(source, geometry, tables_for((medium,), how.physics), np.asarray(edges_mm) / 10.0, how)


def voxels(scene: Scene, source: NDArray[np.int64], energies_mev: FloatArray, *, how: How) -> Tally:
    """Energy in voxels from uniform activity in the voxels ``source`` (n, 3); every batch starts the same number in each of them."""
    per_voxel = max(1, how.histories // how.batches // len(source))
    # histories of batch b are b·count … (b+1)·count − 1: the loop asks for the first history of every voxel, batch after batch
    first = np.arange(len(source) * how.batches + 1, dtype=np.int64) * per_voxel
    how = replace(how, histories=per_voxel * len(source) * how.batches)
    clear = clear_voxels(scene.number, scene.g_per_ml)
    geometry = (scene.number, scene.g_per_ml, clear, tuple(s / 10.0 for s in scene.spacing_mm))
    where = (np.tile(np.asarray(source, np.int64), (how.batches, 1)), first, 1.0, energies_mev)
    found = _run(where, geometry, tables_for(scene.media, how.physics), np.empty(0), how)
    return replace(found, batches_mev=found.batches_mev.reshape(how.batches, *scene.number.shape))

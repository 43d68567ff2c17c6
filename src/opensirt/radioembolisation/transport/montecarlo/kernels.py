"""Point and voxel kernels that this Monte Carlo computes itself, with their own uncertainty.

A control variate needs the kernel of the same physics: tables, cut-offs and spectrum. It is computed once and kept by everything it
depends on.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import attrs
import numpy as np

from opensirt.radioembolisation.transport.montecarlo.batches import EMITTED, LEFT, RADIATED, batch_key, run_histories
from opensirt.radioembolisation.transport.montecarlo.media import TransportMedium
from opensirt.radioembolisation.transport.montecarlo.problem import MM_PER_CM, FloatArray
from opensirt.radioembolisation.transport.montecarlo.tables import Physics, tables_for
from opensirt.radioembolisation.transport.point_kernels import PointKernel
from opensirt.radioembolisation.transport.voxel_kernel import Spacing, VoxelKernel, build_voxel_kernel
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.threads import each

KERNEL_BATCHES = 10
KERNEL_HISTORIES = 1_000_000
"""A million histories, their energies evenly drawn: 0.03 % of the self-dose at 3 mm."""
_STREAM = 7
_FINE_MM, _FINE_TO_MM, _COARSE_MM = 0.02, 0.4, 0.1
_REACH_G_PER_CM2_MM = 12.0
_WIDE_CM = 1e6


@attrs.frozen(eq=False)
class OwnKernel:
    """A voxel kernel and how well it is known.

    Attributes
    ----------
    voxel : VoxelKernel
        Fractions of the electrons' energy that is followed.
    relative_uncertainty : float
        Largest relative standard uncertainty of the self-dose and of the dose to the nearest neighbours along each axis.
    radiated_fraction : float
        Share of the electrons' energy that is radiated.
    """

    voxel: VoxelKernel
    relative_uncertainty: float
    radiated_fraction: float


@attrs.frozen
class _Question:
    nuclide: str
    energies: bytes
    medium: TransportMedium
    density_g_per_ml: float
    physics: Physics
    histories: int


def _edges_mm(density_g_per_ml: float) -> FloatArray:
    fine = np.arange(0.0, _FINE_TO_MM - 1e-9, _FINE_MM)
    coarse = np.arange(_FINE_TO_MM, _REACH_G_PER_CM2_MM + 1e-9, _COARSE_MM)
    return np.concatenate([fine, coarse]) / density_g_per_ml


@lru_cache(maxsize=8)
def _shells(question: _Question) -> tuple[FloatArray, FloatArray, float]:
    """Edges in mm, fraction in each shell by batch, and the radiated fraction.

    Raises
    ------
    InvalidValue
        If the book does not close: a defect.
    """
    tables = tables_for((question.medium,), question.physics)
    edges = _edges_mm(question.density_g_per_ml)
    energies = np.frombuffer(question.energies, dtype=np.float64)
    voxels, first = np.zeros((1, 3), dtype=np.int64), np.array([0, question.histories], dtype=np.int64)
    number, clear = np.zeros((1, 1, 1), np.uint8), np.ones((1, 1, 1), np.uint8)
    geometry = (number, np.full((1, 1, 1), question.density_g_per_ml, np.float32), clear, (_WIDE_CM,) * 3)
    radii = np.append(edges / MM_PER_CM, _WIDE_CM)

    def run(batch: int) -> tuple[Any, Any]:
        tally, book = np.zeros(len(edges), np.int64), np.zeros(5, np.int64)
        key, _ = batch_key(0, _STREAM, batch)
        span = (0, question.histories // KERNEL_BATCHES)
        run_histories(span, key, (voxels, first, 0.0, energies), geometry, tables, (tally, book, radii))
        return tally, book

    scored = each(run, range(KERNEL_BATCHES))
    books = np.array([book for _, book in scored])
    tallies = np.array([tally for tally, _ in scored])
    emitted = books[:, EMITTED]
    if (emitted - books[:, LEFT] - books[:, RADIATED] - tallies.sum(axis=1)).any() or books[:, LEFT].any():
        raise InvalidValue(
            "the energy book of a point kernel is open", "energy is counted in whole numbers", "report this as a defect"
        )
    fractions = tallies[:, :-1] / emitted[:, None]
    return edges, fractions, float(np.mean(books[:, RADIATED] / emitted))


def own_point_kernel(
    nuclide: str,
    energies_mev: FloatArray,
    *,
    medium: TransportMedium,
    density_g_per_ml: float,
    physics: Physics,
    histories: int = KERNEL_HISTORIES,
) -> PointKernel:
    """The point kernel of electrons in a homogeneous medium; fractions of their energy, radiated energy left out.

    Parameters
    ----------
    nuclide : str
        Names the result.
    energies_mev : ndarray
        Energies on even steps of the fraction emitted with less, MeV.
    medium, density_g_per_ml, physics
        What the electrons travel in, and how they are followed.
    histories : int
        Electrons, in :data:`KERNEL_BATCHES` batches.
    """
    question = _Question(nuclide, energies_mev.tobytes(), medium, density_g_per_ml, physics, histories)
    edges, fractions, radiated = _shells(question)
    spread = fractions.std(axis=0, ddof=1) / np.sqrt(len(fractions))
    return _as_kernel(question, edges, fractions.mean(axis=0), spread, radiated)


def _as_kernel(question: _Question, edges: FloatArray, fraction: FloatArray, sd: FloatArray, radiated: float) -> PointKernel:
    return PointKernel(
        nuclide=question.nuclide,
        medium=question.medium.name,
        density_g_per_ml=question.density_g_per_ml,
        edges_mm=edges,
        fraction=fraction,
        photon_fraction=np.zeros_like(fraction),
        sd_fraction=sd,
        origin_fraction=0.0,
        beyond_fraction=radiated,
    )


@lru_cache(maxsize=32)
def _own(question: _Question, spacing_mm: Spacing) -> OwnKernel:
    edges, fractions, radiated = _shells(question)
    reach = float(edges[-1])

    def built(fraction: FloatArray) -> VoxelKernel:
        return build_voxel_kernel(_as_kernel(question, edges, fraction, np.zeros_like(fraction), radiated), spacing_mm, reach)

    # the voxel kernel is linear in the shells: each batch's own, at the self-dose and its three neighbours
    centres = []
    for fraction in fractions:
        kernel = built(fraction).fraction
        k, j, i = (n // 2 for n in kernel.shape)
        centres.append([kernel[k, j, i], kernel[k + 1, j, i], kernel[k, j + 1, i], kernel[k, j, i + 1]])
    values = np.array(centres)
    mean = values.mean(axis=0)
    spread = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    held = mean > 0.01 * mean[0]
    return OwnKernel(built(fractions.mean(axis=0)), float((spread[held] / mean[held]).max()), radiated)


def own_voxel_kernel(
    nuclide: str,
    energies_mev: FloatArray,
    spacing_mm: Spacing,
    *,
    medium: TransportMedium,
    density_g_per_ml: float,
    physics: Physics,
    histories: int = KERNEL_HISTORIES,
) -> OwnKernel:
    """The voxel kernel of electrons in a homogeneous medium, kept in memory by everything it depends on.

    Parameters
    ----------
    nuclide, energies_mev, medium, density_g_per_ml, physics, histories
        As for :func:`own_point_kernel`.
    spacing_mm : tuple of float
        Voxel spacing along (k, j, i), mm.
    """
    question = _Question(nuclide, energies_mev.tobytes(), medium, density_g_per_ml, physics, histories)
    return _own(question, spacing_mm)

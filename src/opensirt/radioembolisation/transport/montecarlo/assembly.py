"""From shares of energy to dose: masses, photons, slow electrons, and the book of where the energy went."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.radioembolisation.transport._planes import Box
from opensirt.radioembolisation.transport.montecarlo.outcome import UncertaintyMap
from opensirt.radioembolisation.transport.montecarlo.photons import photon_dose
from opensirt.radioembolisation.transport.montecarlo.problem import FloatArray, Problem
from opensirt.radioembolisation.transport.montecarlo.spectra import ElectronSpectrum
from opensirt.radioembolisation.transport.result import EnergyBook, emitted_j, energy_j
from opensirt.vocabulary.nuclides import DoseConstant
from opensirt.vocabulary.units import G_PER_KG
from opensirt.vocabulary.volumes import ActivityMap, DensityMap, DoseMap


@attrs.frozen(eq=False)
class Shares:
    """What the electrons' transport gave, as shares of the energy that was followed.

    Attributes
    ----------
    problem : Problem
        Names the box.
    mean, uncertainty : ndarray
        Deposited in every voxel of the box, flat, with its standard uncertainty.
    radiated_fraction, left_fraction : float
        Turned into photons, and gone off the box.
    """

    problem: Problem
    mean: FloatArray
    uncertainty: FloatArray
    radiated_fraction: float
    left_fraction: float


@attrs.frozen(eq=False)
class _Energies:
    """Energy over full decay by its bearer, J."""

    emitted_j: float
    followed_j: float
    slow_j: float
    gamma_j: float


def _energies(activity: ActivityMap, constant: DoseConstant, spectrum: ElectronSpectrum) -> _Energies:
    emitted = emitted_j(activity, constant)
    gamma_mev = activity.nuclide.photon_mev.value
    per_mev = emitted / (spectrum.electron_mev + gamma_mev)
    followed_mev = spectrum.electrons_per_decay * spectrum.mean_mev
    return _Energies(emitted, followed_mev * per_mev, spectrum.origin_mev * per_mev, gamma_mev * per_mev)


def _per_mass(energy_j: FloatArray, mass_kg: FloatArray) -> FloatArray:
    """Energy over mass; 0 in voxels without mass, whose energy is booked as having left."""
    return np.divide(energy_j, mass_kg, out=np.zeros_like(energy_j), where=mass_kg > 0.0)


def dose_from(
    shares: Shares, activity: ActivityMap, density: DensityMap, constant: DoseConstant, spectrum: ElectronSpectrum
) -> tuple[DoseMap, UncertaintyMap, EnergyBook]:
    """Dose, its uncertainty and the energy book.

    Parameters
    ----------
    shares : Shares
        Of the electrons.
    activity, density : ActivityMap, DensityMap
        Of one grid.
    constant : DoseConstant
        All energy emitted per activity.
    spectrum : ElectronSpectrum
        How it is shared among fast electrons, slow ones and gamma rays.
    """
    grid, total_bq = activity.grid, activity.total_bq
    energies = _energies(activity, constant, spectrum)
    problem, volume_kg_ml_per_g = shares.problem, grid.voxel_volume_ml / G_PER_KG
    below_zero = float(np.minimum(shares.mean, 0.0).sum())
    kept = np.maximum(shares.mean, 0.0).reshape(problem.shape)
    uncertainty = shares.uncertainty.reshape(problem.shape)
    photons_j = energies.followed_j * shares.radiated_fraction + energies.gamma_j
    dose = photon_dose(activity, density).bq_per_g
    dose *= np.float32(photons_j / total_bq * G_PER_KG)
    sigma = np.zeros(grid.shape, dtype=np.float32)
    photons_left_j = photons_j - energy_j(dose, density.g_per_ml, grid.voxel_volume_ml)
    held_j = 0.0
    for k in range(grid.shape[0]):  # plane by plane: double precision for a few planes only
        mass_kg = density.g_per_ml[k].astype(np.float64) * volume_kg_ml_per_g
        # electrons too slow to leave their place
        plane_j = activity.bq_per_ml[k].astype(np.float64) * (energies.slow_j * grid.voxel_volume_ml / total_bq)
        spread_j = _plane(kept, problem.box, k, grid.shape) * energies.followed_j
        held_j += float(spread_j.sum(where=mass_kg > 0.0))
        dose[k] += _float32(_per_mass(plane_j + spread_j, mass_kg))
        sigma[k] = _float32(_per_mass(_plane(uncertainty, problem.box, k, grid.shape) * energies.followed_j, mass_kg))
    beyond_j = float(kept.sum()) * energies.followed_j - held_j
    book = EnergyBook(
        emitted_j=energies.emitted_j,
        deposited_j=energy_j(dose, density.g_per_ml, grid.voxel_volume_ml),
        left_grid_j=energies.followed_j * shares.left_fraction + beyond_j + photons_left_j,
        rounded_j=below_zero * energies.followed_j,
    )
    return DoseMap(dose, grid), UncertaintyMap(sigma, grid), book


def _plane(part: FloatArray, box: Box, k: int, shape: tuple[int, int, int]) -> FloatArray:
    """A plane of the grid, filled where the box is."""
    plane = np.zeros(shape[1:])
    if box.start[0] <= k < box.stop[0]:
        (_, j0, i0), (_, j1, i1) = box.start, box.stop
        low_j, low_i, high_j, high_i = max(j0, 0), max(i0, 0), min(j1, shape[1]), min(i1, shape[2])
        plane[low_j:high_j, low_i:high_i] = part[k - box.start[0], low_j - j0 : high_j - j0, low_i - i0 : high_i - i0]
    return plane


def _float32(values: FloatArray) -> npt.NDArray[np.float32]:
    return np.asarray(values.astype(np.float32))

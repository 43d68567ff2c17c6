"""From shares of energy to dose: masses, photons, slow electrons, and the book of where the energy went."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.radioembolisation.transport.montecarlo.outcome import UncertaintyMap
from opensirt.radioembolisation.transport.montecarlo.photons import photon_dose
from opensirt.radioembolisation.transport.montecarlo.problem import FloatArray, Problem, put
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
    mass_kg = density.g_per_ml.astype(np.float64) * (grid.voxel_volume_ml / G_PER_KG)
    below_zero = np.minimum(shares.mean, 0.0)
    kept = (shares.mean - below_zero) * energies.followed_j
    held_j, sd_j = np.zeros(grid.shape), np.zeros(grid.shape)
    put(kept.reshape(shares.problem.shape), shares.problem.box, held_j)
    put(shares.uncertainty.reshape(shares.problem.shape) * energies.followed_j, shares.problem.box, sd_j)
    beyond_j = float(kept.sum() - held_j.sum()) + float(held_j[mass_kg <= 0.0].sum())
    # electrons too slow to leave their place, and photons
    held_j += activity.bq_per_ml.astype(np.float64) * (energies.slow_j * grid.voxel_volume_ml / total_bq)
    photons_j = energies.followed_j * shares.radiated_fraction + energies.gamma_j
    spread = photon_dose(activity, density).bq_per_g.astype(np.float64) * (photons_j / total_bq * G_PER_KG)
    photons_left_j = photons_j - float((spread * mass_kg).sum())
    dose = DoseMap(_float32(_per_mass(held_j, mass_kg) + spread), grid)
    book = EnergyBook(
        emitted_j=energies.emitted_j,
        deposited_j=energy_j(dose.dose_gy, density.g_per_ml, grid.voxel_volume_ml),
        left_grid_j=energies.followed_j * shares.left_fraction + beyond_j + photons_left_j,
        rounded_j=float(below_zero.sum()) * energies.followed_j,
    )
    return dose, UncertaintyMap(_float32(_per_mass(sd_j, mass_kg)), grid), book


def _float32(values: FloatArray) -> npt.NDArray[np.float32]:
    return values.astype(np.float32)

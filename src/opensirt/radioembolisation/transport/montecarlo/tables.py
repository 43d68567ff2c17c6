"""What the stepping loop reads: ranges, scattering strength and deflections of every medium on even steps.

A history needs four things of a medium: how far it gets and how much it scatters on the way from one energy to another (cumulative
*range* and *scattering strength*, in transport mean free paths), how a full turn is distributed, and how often it knocks an electron on.
"""

from __future__ import annotations

from functools import lru_cache

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.radioembolisation.transport.montecarlo.elastic import deflection_table, transport_moments
from opensirt.radioembolisation.transport.montecarlo.media import TransportMedium
from opensirt.radioembolisation.transport.montecarlo.stopping import (
    collision_stopping,
    moller_above,
    photons_above,
    skewness_below,
    straggling_below,
)

FloatArray = npt.NDArray[np.float64]

LOWEST_MEV = 0.010
HIGHEST_MEV = 3.0
ENERGY_NODES = 1024
STRENGTH_NODES = 4096
RANGE_NODES = 2048
TURN_ENERGIES = 48
TURN_QUANTILES = 256
_FINE = 8


@attrs.frozen
class Physics:
    """Settings of the electron transport.

    Attributes
    ----------
    turn_reach_g_per_cm2, turn_paths_number : float
        Path between two deflections, and the most transport mean free paths it may hold: the first governs where electrons are fast and
        their turns wide apart, the second where they are slow and a turn displaces them little.
    knock_on_mev : float
        Collisions that lose more are followed one by one (Møller), those that lose less make the stopping power and its straggling.
    photon_mev : float
        Bremsstrahlung photons of more energy are emitted one by one, those of less make radiative stopping power.
    cut_mev : float
        Electrons of less energy are absorbed where they are: 50 keV have a range of 0.04 mm in tissue, 0.17 mm in lung.
    """

    turn_reach_g_per_cm2: float = 0.04
    turn_paths_number: float = 0.5
    knock_on_mev: float = 0.1
    photon_mev: float = 0.05
    cut_mev: float = 0.05


FINE_PHYSICS = Physics(
    turn_reach_g_per_cm2=0.01, turn_paths_number=0.1, knock_on_mev=0.05, photon_mev=0.05, cut_mev=1.01 * LOWEST_MEV
)
"""Four turns for one, electrons followed to the end: for kernels of nuclides whose electrons go tenths of a millimetre (Lu-177), and to
measure what the settings for patients leave out."""


@attrs.frozen(eq=False)
class Tables:
    """Tables of several media, first axis the medium.

    Attributes
    ----------
    by_energy : ndarray, shape (media, ENERGY_NODES + 1, 8)
        On even steps of the logarithm of energy: range (g/cm²), scattering strength, radiated energy of the whole remaining path (MeV),
        knock-ons per g/cm², variance of loss per g/cm² (MeV²), loss per g/cm² (MeV), hard photons per g/cm²,
        third moment over variance of loss (MeV).
    by_strength : ndarray, shape (media, STRENGTH_NODES + 1, 2)
        On even steps of scattering strength from 0: energy (MeV) and range.
    strength_step : ndarray, shape (media,)
        That step.
    by_range : ndarray, shape (media, RANGE_NODES + 1)
        Energy on even steps of the square root of range from 0.
    range_step : ndarray, shape (media,)
        That step.
    turns : ndarray, shape (media, TURN_ENERGIES, TURN_QUANTILES + 1)
        ``1 − cos θ`` after :attr:`Physics.turn_paths_number`, by energy (even logarithms) and by ``1 − sqrt(1 − fraction)``.
    most_events : ndarray, shape (media,)
        Largest number of knock-ons and hard photons per g/cm² at any energy.
    """

    by_energy: FloatArray
    by_strength: FloatArray
    strength_step: FloatArray
    by_range: FloatArray
    range_step: FloatArray
    turns: npt.NDArray[np.float32]
    most_events: FloatArray
    physics: Physics


def _cumulative(density: FloatArray, energy: FloatArray) -> FloatArray:
    """Integral from the lowest energy."""
    return np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(energy))])


def _one(medium: TransportMedium, physics: Physics) -> dict[str, FloatArray]:
    log_energy = np.linspace(np.log(LOWEST_MEV), np.log(HIGHEST_MEV), ENERGY_NODES * _FINE + 1)
    energy = np.exp(log_energy)
    electrons = medium.electrons_mol_per_g
    number, loss = moller_above(energy, physics.knock_on_mev)
    above = energy > 2.0 * physics.knock_on_mev
    number, loss = np.where(above, number, 0.0) * electrons, np.where(above, loss, 0.0) * electrons
    photons, radiative = photons_above(medium, energy, physics.photon_mev)
    stopping = collision_stopping(medium, energy) - loss + radiative
    moment_energy = np.geomspace(LOWEST_MEV, HIGHEST_MEV, TURN_ENERGIES)
    reach = _cumulative(1.0 / stopping, energy)
    moments = transport_moments(medium, moment_energy, physics.knock_on_mev)
    scattering = np.exp(np.interp(log_energy, np.log(moment_energy), np.log(moments[:, 1]) + np.log(moment_energy) * 1.6))
    scattering = scattering / energy**1.6
    paths = np.minimum(physics.turn_reach_g_per_cm2 * scattering, physics.turn_paths_number)
    strength, radiated = _cumulative(scattering / paths / stopping, energy), _cumulative(radiative / stopping, energy)
    variance = straggling_below(energy, physics.knock_on_mev) * electrons
    jump = skewness_below(energy, physics.knock_on_mev) * electrons / variance
    columns = np.stack([reach, strength, radiated, number, variance, stopping, photons, jump], axis=1)[::_FINE]
    even = np.linspace(0.0, strength[-1], STRENGTH_NODES + 1)
    roots = np.linspace(0.0, np.sqrt(reach[-1]), RANGE_NODES + 1)
    quantiles = 1.0 - (1.0 - np.linspace(0.0, 1.0, TURN_QUANTILES + 1)) ** 2
    turn_paths = np.interp(np.log(moment_energy), log_energy, paths)
    return {
        "by_energy": columns,
        "by_strength": np.stack([np.interp(even, strength, energy), np.interp(even, strength, reach)], axis=1),
        "strength_step": even[1],
        "by_range": np.interp(roots**2, reach, energy),
        "range_step": roots[1],
        "turns": np.array([deflection_table(row, n, quantiles) for row, n in zip(moments, turn_paths, strict=True)]),
        "most_events": np.asarray((number + photons).max()),
    }


@lru_cache(maxsize=8)
def tables_for(media: tuple[TransportMedium, ...], physics: Physics) -> Tables:
    """The tables of some media, in their order.

    Parameters
    ----------
    media : tuple of TransportMedium
        Numbered from 0 in the map of media.
    physics : Physics
        Settings.
    """
    parts = [_one(medium, physics) for medium in media]
    stacked = {key: np.ascontiguousarray(np.stack([part[key] for part in parts])) for key in parts[0]}
    turns = stacked.pop("turns").astype(np.float32)
    turns.setflags(write=False)
    for array in stacked.values():
        array.setflags(write=False)
    return Tables(turns=turns, physics=physics, **stacked)

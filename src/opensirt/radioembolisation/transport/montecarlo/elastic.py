"""Elastic scattering of electrons: cross-section, transport moments, and the law of many small deflections.

Single scattering: screened Rutherford (screening after ELSEPA) times the Mott ratio of McKinley and Feshbach (1948), from every nucleus,
and from the atom's electrons as far as a collision stays below the cut above which it is followed one by one. Many deflections: the exact
sum of Goudsmit and Saunderson (1940) at a fixed number of transport mean free paths, tabulated as an inverse distribution.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from opensirt.radioembolisation.transport.montecarlo.media import (
    AVOGADRO_PER_MOL,
    ELECTRON_RADIUS_CM,
    ELECTRON_REST_MEV,
    FINE_STRUCTURE_NUMBER,
    TransportMedium,
)
from opensirt.radioembolisation.transport.montecarlo.screening import electronic_screening, nuclear_screening
from opensirt.radioembolisation.transport.montecarlo.stopping import beta_squared

FloatArray = npt.NDArray[np.float64]

MOMENTS = 96
"""Legendre moments kept: at 0.1 transport mean free paths the last one weighs less than exp(−30)."""
_ANGLES = 1200
_NODES = 96


def mott_ratio(z: int, energy_mev: FloatArray, half_sine: FloatArray) -> FloatArray:
    """Mott over Rutherford, ``1 − β² s² + π α Z β s (1 − s)`` with ``s = sin(θ/2)`` (McKinley and Feshbach 1948, electrons).

    Parameters
    ----------
    z : int
        Atomic number.
    energy_mev, half_sine : ndarray
        Kinetic energy and s, of shapes that go together.
    """
    b2 = beta_squared(energy_mev)
    spin = math.pi * FINE_STRUCTURE_NUMBER * z * np.sqrt(b2)
    return np.asarray(1.0 - b2 * half_sine**2 + spin * half_sine * (1.0 - half_sine))


def _legendre_deficit(x: FloatArray) -> Iterator[FloatArray]:
    """``1 − P_l(1 − x)`` for l = 1 … MOMENTS, one after the other; by a recurrence on the deficit, accurate for small x."""
    before, now = np.zeros_like(x), x
    for n in range(1, MOMENTS + 1):
        yield now
        # (n+1) P_{n+1} = (2n+1) µ P_n − n P_{n−1} with P = 1 − d, µ = 1 − x
        before, now = now, ((2 * n + 1) * (now + x * (1.0 - now)) - n * before) / (n + 1)


@lru_cache(maxsize=64)
def _element_moments(z: int, energies_mev: tuple[float, ...], cut_mev: float) -> FloatArray:
    """Transport cross-sections of one mole of an element, cm²/mol, shape (energies, MOMENTS + 1)."""
    energy = np.array(energies_mev)[:, None]
    total = energy * (energy + 2.0 * ELECTRON_REST_MEV)
    # 2π dσ/dx = 2π (Z r_e mc² / (p β c))² / (x + 2A)², x = 1 − cos θ
    unit = 2.0 * math.pi * AVOGADRO_PER_MOL * (ELECTRON_RADIUS_CM * ELECTRON_REST_MEV) ** 2 / (total * beta_squared(energy))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    moments = np.zeros((len(energies_mev), MOMENTS + 1))
    nucleus = (z * z, np.full_like(energy, 2.0), np.array([[2.0 * nuclear_screening(z, e)] for e in energies_mev]))
    electrons = (z, _largest_deflection(energy, cut_mev), np.array([[2.0 * electronic_screening(z, e)] for e in energies_mev]))
    for charge, highest, shift in (nucleus, electrons):
        # u = ln(x + shift) spreads the nodes over the decades of the angle
        low, high = np.log(shift), np.log(highest + shift)
        u = 0.5 * (high - low) * (nodes + 1.0) + low
        x = np.exp(u) - shift
        kernel = 0.5 * (high - low) * weights / np.exp(u)
        if charge == nucleus[0] and highest is nucleus[1]:
            kernel = kernel * mott_ratio(z, energy, np.sqrt(np.maximum(0.5 * x, 0.0)))
        for order, deficit in enumerate(_legendre_deficit(x), start=1):
            moments[:, order] += charge * unit[:, 0] * np.einsum("ij,ij->i", deficit, kernel)
    moments.setflags(write=False)
    return moments


def transport_moments(medium: TransportMedium, energy_mev: FloatArray, cut_mev: float) -> FloatArray:
    """Transport cross-sections ``2π ∫ (1 − P_l) dσ/dΩ``, cm²/g, for l = 0 … MOMENTS, shape (energies, MOMENTS + 1).

    Parameters
    ----------
    medium : TransportMedium
        Composition.
    energy_mev : ndarray, shape (energies,)
        Kinetic energies.
    cut_mev : float
        Collisions with electrons that lose more are left out: they are followed one by one.
    """
    energies = tuple(float(e) for e in energy_mev)
    return np.asarray(sum(moles * _element_moments(z, energies, cut_mev) for z, moles in medium.moles_per_g))


def _largest_deflection(energy_mev: FloatArray, cut_mev: float) -> FloatArray:
    """``1 − cos θ`` of the primary in a collision with a free electron that takes the cut, or half the energy."""
    left = energy_mev - np.minimum(cut_mev, 0.5 * energy_mev)
    cosine = np.sqrt(left * (energy_mev + 2.0 * ELECTRON_REST_MEV) / (energy_mev * (left + 2.0 * ELECTRON_REST_MEV)))
    return np.asarray(1.0 - cosine)


@lru_cache(maxsize=1)
def _angles() -> tuple[FloatArray, FloatArray]:
    """``1 − cos θ`` on a grid of angles, and ``½ ∫ P_l`` from 0 to there, shape (MOMENTS, angles)."""
    x = 2.0 * np.sin(0.5 * np.linspace(0.0, 1.0, _ANGLES) ** 2 * math.pi) ** 2
    legendre = 1.0 - np.array([np.zeros_like(x), *_legendre_deficit(x)])
    within = np.array([0.5 * x, *(-0.5 * (legendre[n + 1] - legendre[n - 1]) for n in range(1, MOMENTS))])
    return x, within


def deflection_table(moments: FloatArray, paths_number: float, quantiles: FloatArray) -> FloatArray:
    """``1 − cos θ`` after a number of transport mean free paths, by the fraction of electrons that are deflected less.

    Parameters
    ----------
    moments : ndarray, shape (MOMENTS + 1,)
        Transport cross-sections.
    paths_number : float
        Path in transport mean free paths: the mean of cos θ is ``exp(−paths_number)``.
    quantiles : ndarray
        Fractions from 0 to 1, ascending, the first 0 and the last 1.

    Returns
    -------
    ndarray
        Deflections at the quantiles; straight lines between them keep the mean of cos θ (the table is scaled by less than 1e-3 for it).
    """
    survive = np.exp(-paths_number * moments[:MOMENTS] / moments[1])
    x, each = _angles()
    within = survive @ each
    within = np.maximum.accumulate(within)
    within = (within - within[0]) / (within[-1] - within[0])
    keep = np.concatenate([[True], np.diff(within) > 0.0])
    table = np.interp(quantiles, within[keep], x[keep])
    mean = float(np.sum(0.5 * (table[1:] + table[:-1]) * np.diff(quantiles)))
    return np.asarray(np.minimum(table * (-math.expm1(-paths_number) / mean), 2.0))

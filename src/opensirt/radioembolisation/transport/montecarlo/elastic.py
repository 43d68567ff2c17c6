"""Elastic scattering of electrons: cross-section, transport moments, and the law of many small deflections.

Single scattering: screened Rutherford (screening after ELSEPA) times the Mott ratio of McKinley and Feshbach (1948), from every nucleus,
and from the atom's electrons as far as a collision stays below the cut above which it is followed one by one. Many deflections: the exact
sum of Goudsmit and Saunderson (1940) at a fixed number of transport mean free paths, tabulated as an inverse distribution.
"""

from __future__ import annotations

import math

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
_NODES = 400


def mott_ratio(z: int, energy_mev: float, half_sine: FloatArray) -> FloatArray:
    """Mott over Rutherford, ``1 − β² s² + π α Z β s (1 − s)`` with ``s = sin(θ/2)`` (McKinley and Feshbach 1948, electrons)."""
    b2 = float(beta_squared(np.array(energy_mev)))
    spin = math.pi * FINE_STRUCTURE_NUMBER * z * math.sqrt(b2)
    return np.asarray(1.0 - b2 * half_sine**2 + spin * half_sine * (1.0 - half_sine))


def _legendre_deficit(x: FloatArray) -> FloatArray:
    """``1 − P_l(1 − x)`` for l = 0 … MOMENTS, shape (MOMENTS + 1, len(x)); by a recurrence on the deficit, accurate for small x."""
    deficit = np.zeros((MOMENTS + 1, len(x)))
    deficit[1] = x
    for n in range(1, MOMENTS):
        # (n+1) P_{n+1} = (2n+1) µ P_n − n P_{n−1} with P = 1 − d, µ = 1 − x
        deficit[n + 1] = ((2 * n + 1) * (deficit[n] + x - x * deficit[n]) - n * deficit[n - 1]) / (n + 1)
    return deficit


def transport_moments(medium: TransportMedium, energy_mev: float, cut_mev: float) -> FloatArray:
    """Transport cross-sections ``2π ∫ (1 − P_l) dσ/dΩ``, cm²/g, for l = 0 … MOMENTS.

    Parameters
    ----------
    medium : TransportMedium
        Composition.
    energy_mev : float
        Kinetic energy.
    cut_mev : float
        Collisions with electrons that lose more are left out: they are followed one by one.
    """
    total = energy_mev * (energy_mev + 2.0 * ELECTRON_REST_MEV)
    b2 = float(beta_squared(np.array(energy_mev)))
    # 2π dσ/dx = 2π (Z r_e mc² / (p β c))² / (x + 2A)², x = 1 − cos θ
    unit = 2.0 * math.pi * AVOGADRO_PER_MOL * (ELECTRON_RADIUS_CM * ELECTRON_REST_MEV) ** 2 / (total * b2)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    moments = np.zeros(MOMENTS + 1)
    for z, moles in medium.moles_per_g:
        nucleus = (z * z, 2.0, 2.0 * nuclear_screening(z, energy_mev))
        electrons = (z, _largest_deflection(energy_mev, cut_mev), 2.0 * electronic_screening(z, energy_mev))
        for charge, highest, shift in (nucleus, electrons):
            # u = ln(x + shift) spreads the nodes over the decades of the angle
            low, high = math.log(shift), math.log(highest + shift)
            u = 0.5 * (high - low) * (nodes + 1.0) + low
            x = np.exp(u) - shift
            kernel = 0.5 * (high - low) * weights / np.exp(u)
            if highest == 2.0:
                kernel = kernel * mott_ratio(z, energy_mev, np.sqrt(np.maximum(0.5 * x, 0.0)))
            moments += moles * charge * unit * (_legendre_deficit(x) @ kernel)
    return moments


def _largest_deflection(energy_mev: float, cut_mev: float) -> float:
    """``1 − cos θ`` of the primary in a collision with a free electron that takes the cut, or half the energy."""
    lost = min(cut_mev, 0.5 * energy_mev)
    left = energy_mev - lost
    cosine = math.sqrt(left * (energy_mev + 2.0 * ELECTRON_REST_MEV) / (energy_mev * (left + 2.0 * ELECTRON_REST_MEV)))
    return 1.0 - cosine


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
    survive = np.exp(-paths_number * moments / moments[1])
    angle = np.linspace(0.0, 1.0, _ANGLES) ** 2 * math.pi
    x = 2.0 * np.sin(0.5 * angle) ** 2
    legendre = 1.0 - _legendre_deficit(x)
    within = 0.5 * x
    for n in range(1, MOMENTS):
        within -= 0.5 * survive[n] * (legendre[n + 1] - legendre[n - 1])
    within = np.maximum.accumulate(within)
    within = (within - within[0]) / (within[-1] - within[0])
    keep = np.concatenate([[True], np.diff(within) > 0.0])
    table = np.interp(quantiles, within[keep], x[keep])
    mean = float(np.sum(0.5 * (table[1:] + table[:-1]) * np.diff(quantiles)))
    return np.asarray(np.minimum(table * (-math.expm1(-paths_number) / mean), 2.0))

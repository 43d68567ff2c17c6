"""How far electrons of the atom hide its nucleus, and each other, from a passing electron.

Molière's screening is right to some per cent of the transport cross-section. Here it is multiplied, element by element, by the factor
that makes the first transport cross-section of screened Rutherford scattering with the Mott ratio of McKinley and Feshbach equal to that
of ELSEPA (Salvat, Jablonski and Powell 2005: Dirac partial waves) as tabulated with PENELOPE-2018. Scattering from the atom's electrons has
its own screening (Fano 1954).
"""

from __future__ import annotations

import math
from types import MappingProxyType

import numpy as np

from opensirt.radioembolisation.transport.montecarlo.media import ELECTRON_REST_MEV, FINE_STRUCTURE_NUMBER

_ENERGIES_MEV = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0)
_FACTORS: MappingProxyType[int, tuple[float, ...]] = MappingProxyType(
    {
        1: (0.845, 0.854, 0.944, 0.945, 0.945, 0.945, 0.945, 0.948, 0.949, 0.950),
        6: (0.817, 0.911, 0.985, 1.015, 1.040, 1.044, 1.045, 1.048, 1.049, 1.051),
        7: (0.790, 0.899, 0.988, 1.025, 1.055, 1.061, 1.062, 1.065, 1.067, 1.069),
        8: (0.775, 0.900, 1.006, 1.051, 1.087, 1.095, 1.097, 1.100, 1.101, 1.104),
        11: (0.727, 0.888, 1.041, 1.111, 1.152, 1.182, 1.186, 1.189, 1.190, 1.193),
        12: (0.686, 0.848, 1.009, 1.084, 1.129, 1.161, 1.166, 1.169, 1.170, 1.173),
        15: (0.576, 0.731, 0.902, 0.988, 1.042, 1.080, 1.088, 1.092, 1.094, 1.096),
        16: (0.549, 0.701, 0.874, 0.964, 1.020, 1.060, 1.069, 1.073, 1.075, 1.078),
        17: (0.526, 0.675, 0.849, 0.942, 1.001, 1.044, 1.053, 1.058, 1.060, 1.063),
        18: (0.506, 0.652, 0.828, 0.924, 0.985, 1.030, 1.040, 1.045, 1.048, 1.051),
        19: (0.482, 0.623, 0.796, 0.893, 0.955, 1.000, 1.012, 1.017, 1.019, 1.022),
        20: (0.459, 0.594, 0.764, 0.861, 0.924, 0.970, 0.982, 0.987, 0.989, 0.992),
        26: (0.398, 0.519, 0.681, 0.785, 0.859, 0.911, 0.928, 0.934, 0.937, 0.942),
        30: (0.378, 0.497, 0.655, 0.761, 0.840, 0.898, 0.915, 0.922, 0.926, 0.931),
    }
)
"""Factor on Molière's screening parameter by element, at these energies: fitted by us to the published first transport cross-sections."""
_INELASTIC_HYDROGEN, _INELASTIC_OTHERS = -3.6, -5.0
"""Fano's u_in: hydrogen, and heavier atoms."""


def _moliere(z: int, energy_mev: float) -> tuple[float, float]:
    """Molière's screening parameter A of ``1/(1 − cos θ + 2A)²`` (Bethe 1953), and (αZ/β)²."""
    total = energy_mev * (energy_mev + 2.0 * ELECTRON_REST_MEV)
    b2 = total / (energy_mev + ELECTRON_REST_MEV) ** 2
    coupling = (FINE_STRUCTURE_NUMBER * z) ** 2 / b2
    angle = FINE_STRUCTURE_NUMBER * z ** (1.0 / 3.0) / (0.885 * math.sqrt(total) / ELECTRON_REST_MEV)
    return 0.25 * angle**2 * (1.13 + 3.76 * coupling), coupling


def nuclear_screening(z: int, energy_mev: float) -> float:
    """Screening parameter for scattering from the nucleus."""
    factor = float(np.interp(math.log(energy_mev), np.log(_ENERGIES_MEV), _FACTORS[z]))
    return factor * _moliere(z, energy_mev)[0]


def electronic_screening(z: int, energy_mev: float) -> float:
    """Screening parameter for scattering from the atom's electrons: Molière's, smaller by Fano's difference of the logarithms."""
    moliere, coupling = _moliere(z, energy_mev)
    own = _INELASTIC_HYDROGEN if z == 1 else _INELASTIC_OTHERS
    return moliere * math.exp(-(math.log(0.160 * z ** (-2.0 / 3.0) * (1.0 + 3.33 * coupling)) - own))

"""Media that electrons travel in: composition, mean excitation energy, and the electron shells behind the density effect.

Compositions and mean excitation energies are those of ICRU Report 37, ICRU Report 44 and ICRP as tabulated with ESTAR; the reference
kernels of this project were computed in the same media. Densities are nominal: a voxel has its own, and everything here is per mass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType

from opensirt.vocabulary.errors import UnsupportedInput

AVOGADRO_PER_MOL = 6.02214076e23
ELECTRON_REST_MEV = 0.51099895
ELECTRON_RADIUS_CM = 2.8179403262e-13
FINE_STRUCTURE_NUMBER = 7.2973525693e-3
PLASMA_EV = 28.816
"""Plasma energy of one mole of electrons per cm³: ``ħω_p = 28.816 · sqrt(ρ Z/A)`` eV (ICRU 37)."""

ATOMIC_MASS_G_PER_MOL = MappingProxyType(
    {1: 1.008, 6: 12.011, 7: 14.007, 8: 15.999, 11: 22.990, 12: 24.305, 15: 30.974, 16: 32.06, 17: 35.45}
    | {18: 39.948, 19: 39.098, 20: 40.078, 26: 55.845, 30: 65.38}
)
"""IUPAC standard atomic weights."""

SHELLS: MappingProxyType[int, tuple[tuple[int, float], ...]] = MappingProxyType(
    {
        1: ((1, 13.60),),
        6: ((2, 288.0), (2, 16.59), (2, 11.26)),
        7: ((2, 403.0), (2, 20.33), (3, 14.53)),
        8: ((2, 538.0), (2, 28.48), (4, 13.62)),
        11: ((2, 1075.0), (2, 66.0), (6, 34.0), (1, 5.14)),
        12: ((2, 1308.0), (2, 92.0), (6, 54.0), (2, 7.65)),
        15: ((2, 2148.0), (2, 191.0), (6, 134.0), (2, 16.15), (3, 10.49)),
        16: ((2, 2476.0), (2, 232.0), (6, 169.0), (2, 20.20), (4, 10.36)),
        17: ((2, 2829.0), (2, 277.0), (6, 207.0), (2, 24.54), (5, 12.97)),
        18: ((2, 3206.3), (2, 326.5), (6, 249.0), (2, 29.24), (6, 15.94)),
        19: ((2, 3610.0), (2, 381.0), (6, 297.0), (2, 37.0), (6, 18.7), (1, 4.34)),
        20: ((2, 4041.0), (2, 441.0), (6, 350.0), (2, 46.0), (6, 28.0), (2, 6.11)),
        26: ((2, 7117.0), (2, 851.0), (6, 717.0), (2, 98.0), (6, 61.0), (6, 9.0), (2, 7.87)),
        30: ((2, 9663.0), (2, 1198.0), (6, 1037.0), (2, 141.0), (6, 94.0), (10, 10.5), (2, 9.39)),
    }
)
"""Electrons and ionisation energies (eV) of every shell: Carlson 1975, rounded. They enter the density effect only, through ratios that
Sternheimer's factor ties to the mean excitation energy; 5 % of any one of them moves stopping power by less than 1e-4."""


@dataclass(frozen=True)
class TransportMedium:
    """A medium for electron transport.

    Attributes
    ----------
    name : str
        One of :data:`TRANSPORT_MEDIA`.
    density_g_per_ml : float
        Nominal density, at which the density effect is taken.
    mean_excitation_ev : float
        Mean excitation energy I.
    mass_fractions : tuple of (int, float)
        Atomic number and fraction by mass.
    """

    name: str
    density_g_per_ml: float
    mean_excitation_ev: float
    mass_fractions: tuple[tuple[int, float], ...]

    @property
    def moles_per_g(self) -> tuple[tuple[int, float], ...]:
        """Atomic number and moles of atoms per gram."""
        total = math.fsum(w for _, w in self.mass_fractions)
        return tuple((z, w / total / ATOMIC_MASS_G_PER_MOL[z]) for z, w in self.mass_fractions)

    @property
    def electrons_mol_per_g(self) -> float:
        """Moles of electrons per gram, Z/A of the mixture."""
        return math.fsum(z * n for z, n in self.moles_per_g)


def _medium(name: str, density_g_per_ml: float, mean_excitation_ev: float, **fractions: float) -> TransportMedium:
    pairs = tuple((int(key[1:]), value) for key, value in fractions.items())
    return TransportMedium(name, density_g_per_ml, mean_excitation_ev, pairs)


WATER = _medium("water", 1.0, 75.0, z1=0.111894, z8=0.888106)
SOFT = _medium(
    "soft", 1.0, 72.348, z1=0.104472, z6=0.232190, z7=0.024880, z8=0.630238, z11=0.00113, z12=0.00013, z15=0.00133, z16=0.00199,
    z17=0.00134, z19=0.00199, z20=0.00023, z26=0.00005, z30=0.00003,
)  # fmt: skip
LIVER = _medium("liver", 1.06, 74.82, z1=0.102, z6=0.139, z7=0.030, z8=0.716, z11=0.002, z15=0.003, z16=0.003, z17=0.002, z19=0.003)
LUNG = _medium("lung", 0.26, 75.166, z1=0.103, z6=0.105, z7=0.031, z8=0.749, z11=0.002, z15=0.002, z16=0.003, z17=0.003, z19=0.002)
ADIPOSE = _medium(
    "adipose", 0.92, 63.212, z1=0.119477, z6=0.637240, z7=0.00797, z8=0.232333, z11=0.0005, z12=0.00002, z15=0.00016, z16=0.00073,
    z17=0.00119, z19=0.00032, z20=0.00002, z26=0.00002, z30=0.00002,
)  # fmt: skip
BONE = _medium(
    "bone", 1.85, 106.414, z1=0.047234, z6=0.14433, z7=0.04199, z8=0.446096, z12=0.0022, z15=0.10497, z16=0.00315, z20=0.20993,
    z30=0.0001,
)  # fmt: skip
AIR = _medium("air", 0.00120479, 85.7, z6=0.000124, z7=0.755267, z8=0.231781, z18=0.012827)
TRANSPORT_MEDIA = MappingProxyType({medium.name: medium for medium in (WATER, SOFT, LIVER, LUNG, ADIPOSE, BONE, AIR)})
"""Every medium by name; the order gives the numbers in a map of media."""


def medium_named(name: str) -> TransportMedium:
    """The medium of that name.

    Raises
    ------
    UnsupportedInput
        If there is none.
    """
    if name not in TRANSPORT_MEDIA:
        raise UnsupportedInput(f"no medium is called {name!r}", "", f"use one of {', '.join(TRANSPORT_MEDIA)}")
    return TRANSPORT_MEDIA[name]

"""Point kernels: how far from its source a decay leaves its energy, as fractions of what was emitted.

The kernels were computed for opensirt with EGSnrc (see ``data/README.md``). Only their *shape* is used: the energy per decay comes
from the nuclide record, or from a published dose constant chosen in its place, for every engine alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput

FloatArray = npt.NDArray[np.float64]

KERNEL_DATA_VERSION = "egsnrc-2026.11"
ELECTRON_REACH_MM = 12.0
"""Radius at density 1 within which all electrons of Y-90 and Ho-166 have stopped: the kernels hold 8e-8 MeV of electron energy in
their last shell before it, 1e-7 of what is emitted. Beyond it only photons deposit energy."""
TAIL_REACH_MM = 600.0
"""Radius at density 1 to which the photon tail is continued beyond the last computed shell, with the slope of the last two shells."""


@dataclass(frozen=True)
class Medium:
    """A homogeneous medium for which kernels exist, with the density they were computed at, g/mL."""

    name: str
    density_g_per_ml: float


MEDIA = {
    "soft": Medium("soft", 1.0),
    "water": Medium("water", 1.0),
    "liver": Medium("liver", 1.06),
    "lung": Medium("lung", 0.26),
    "adipose": Medium("adipose", 0.92),
    "bone": Medium("bone", 1.85),
}
"""Media by name; Ho-166 kernels exist for ``soft`` and ``water`` only."""


def _readonly(value: npt.ArrayLike) -> FloatArray:
    array = np.array(value, dtype=np.float64)
    array.setflags(write=False)
    return array


@attrs.frozen(eq=False)
class PointKernel:
    """Fractions of the emitted energy in concentric shells around a point source.

    Attributes
    ----------
    nuclide, medium : str
        What decays, and in what.
    density_g_per_ml : float
        Density at which the radii hold.
    edges_mm : ndarray, shape (n + 1,)
        Shell edges, mm, from 0.
    fraction : ndarray, shape (n,)
        Fraction of the emitted energy deposited in each shell.
    photon_fraction : ndarray, shape (n,)
        The part of it deposited by photons and what they set free.
    origin_fraction : float
        Fraction deposited at the point itself (electrons and photons below 1 keV).
    sd_fraction : ndarray, shape (n,)
        Statistical standard deviation of ``fraction``.
    beyond_fraction : float
        Fraction that leaves the last shell.
    """

    nuclide: str
    medium: str
    density_g_per_ml: float
    edges_mm: FloatArray = attrs.field(converter=_readonly)
    fraction: FloatArray = attrs.field(converter=_readonly)
    photon_fraction: FloatArray = attrs.field(converter=_readonly)
    sd_fraction: FloatArray = attrs.field(converter=_readonly)
    origin_fraction: float = 0.0
    beyond_fraction: float = 0.0

    def at_density(self, density_g_per_ml: float) -> PointKernel:
        """The same medium at another density: radii scale with the inverse of density, energy per shell stays.

        Exact for a homogeneous medium whose composition does not change (no density effect): clinical.md 5.3,
        ``D_ρ(r) = ρ² D_1(ρ r)``.

        Raises
        ------
        InvalidValue
            If the density is not positive and finite.
        """
        if not 0.0 < density_g_per_ml < math.inf:
            raise InvalidValue(f"a medium cannot have density {density_g_per_ml} g/mL", "", "give a positive density")
        scale = self.density_g_per_ml / density_g_per_ml
        return attrs.evolve(self, density_g_per_ml=density_g_per_ml, edges_mm=self.edges_mm * scale)

    @property
    def electron_reach_mm(self) -> float:
        """Radius at this density beyond which only photons deposit energy, mm."""
        return ELECTRON_REACH_MM / self.density_g_per_ml

    def cumulative(self, radius_mm: float | FloatArray) -> FloatArray:
        """Fraction of the emitted energy within a radius, linear inside shells."""
        within = np.concatenate([[self.origin_fraction], self.origin_fraction + np.cumsum(self.fraction)])
        return np.asarray(np.interp(radius_mm, self.edges_mm, within))

    def radius_holding_mm(self, fraction: float) -> float:
        """Radius of the sphere that holds a fraction of the emitted energy, mm (X50, X90 …)."""
        within = np.concatenate([[self.origin_fraction], self.origin_fraction + np.cumsum(self.fraction)])
        return float(np.interp(fraction, within, self.edges_mm))


def _with_tail(edges: FloatArray, fraction: FloatArray, beyond: float) -> tuple[FloatArray, FloatArray, float]:
    """Continue the photon tail beyond the computed shells, keeping the escaped energy and the slope of the last two shells.

    A photon that left 200 mm of water carries its energy further; per unit radius the deposited energy falls exponentially. The
    continuation has that slope and is scaled so that, integrated to infinity, it holds exactly what escaped.
    """
    last, before = fraction[-1], fraction[-2]
    width = edges[-1] - edges[-2]
    if not 0.0 < last < before:
        return edges, fraction, beyond
    slope = math.log(before / last) / width
    count = round((TAIL_REACH_MM / 200.0 - 1.0) * edges[-1] / (2.0 * width))
    new_edges = edges[-1] + 2.0 * width * np.arange(1, count + 1)
    left = np.concatenate([[edges[-1]], new_edges]) - edges[-1]
    share = np.exp(-slope * left)
    return np.concatenate([edges, new_edges]), np.concatenate([fraction, beyond * -np.diff(share)]), beyond * float(share[-1])


@lru_cache(maxsize=32)
def point_kernel(nuclide: str, medium: str = "soft") -> PointKernel:
    """The point kernel of a nuclide in a medium at the density it was computed for.

    Parameters
    ----------
    nuclide : str
        ``"Y-90"`` or ``"Ho-166"``.
    medium : str
        One of :data:`MEDIA`.

    Raises
    ------
    UnsupportedInput
        If there is no kernel of this nuclide in this medium.
    """
    prefix = f"{nuclide.replace('-', '')}_{medium}"
    with np.load(str(files("opensirt.radioembolisation.transport.data") / "point_kernels.npz")) as data:
        known = sorted({key.rsplit("_", 2)[0] for key in data.files if key.endswith("_edges_mm")})
        if f"{prefix}_edges_mm" not in data:
            raise UnsupportedInput(f"no point kernel for {nuclide} in {medium}", "", f"kernels exist for {', '.join(known)}")
        edges = data[f"{prefix}_edges_mm"]
        deposited = data[f"{prefix}_deposited_mev"]
        photon = data[f"{prefix}_photon_mev"]
        sd = data[f"{prefix}_sd_mev"]
        emitted, origin, escaped, density = (float(x) for x in data[f"{prefix}_scalars"])
    long_edges, fraction, beyond = _with_tail(edges, deposited / emitted, escaped / emitted)
    added = len(fraction) - len(deposited)
    return PointKernel(
        nuclide=nuclide,
        medium=medium,
        density_g_per_ml=density,
        edges_mm=long_edges,
        fraction=fraction,
        photon_fraction=np.concatenate([photon / emitted, fraction[len(photon) :]]),
        sd_fraction=np.concatenate([sd / emitted, np.zeros(added)]),
        origin_fraction=origin / emitted,
        beyond_fraction=beyond,
    )

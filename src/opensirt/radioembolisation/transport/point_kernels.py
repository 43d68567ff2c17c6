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
TAIL_REACH_MM = 1500.0
"""Radius at density 1 to which the photon tail is continued beyond the last computed shell: 1e-4 (Ho-166) or 4e-6 (Y-90) of the energy lies further still."""
_TAIL_FIT_SHELLS = 8
"""Outermost computed shells (10 mm each at density 1) to which the start of the tail is fitted: enough to average their 1–3 % noise."""
_TAIL_SHELL_MM = 20.0


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
        The part of it deposited by photons and what they set free; the rest is the electrons'.
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

    @property
    def electron_fraction(self) -> FloatArray:
        """Fraction of the emitted energy that electrons deposit in each shell, bremsstrahlung excepted."""
        return np.asarray(np.maximum(self.fraction - self.photon_fraction, 0.0))

    @property
    def within_edges(self) -> FloatArray:
        """Fraction of the emitted energy within each shell edge, the origin's included; shape (n + 1,)."""
        return np.asarray(np.concatenate([[self.origin_fraction], self.origin_fraction + np.cumsum(self.fraction)]))

    def cumulative(self, radius_mm: float | FloatArray) -> FloatArray:
        """Fraction of the emitted energy within a radius, linear inside shells."""
        return np.asarray(np.interp(radius_mm, self.edges_mm, self.within_edges))

    def radius_holding_mm(self, fraction: float) -> float:
        """Radius of the sphere that holds a fraction of the emitted energy, mm (X50, X90 …)."""
        return float(np.interp(fraction, self.within_edges, self.edges_mm))


def _with_tail(edges: FloatArray, photon: FloatArray, beyond: float, scale: float) -> tuple[FloatArray, FloatArray, float]:
    """Shells of the photon tail beyond the computed ones: edges, fractions, and what lies further still.

    Per unit radius the tail is ``a · exp(−b (r − R))``: ``a`` continues the straight line through the logarithm of the outermost
    shells, ``b = a / escaped`` makes the integral to infinity the energy that escaped. ``scale`` is the length of 1 mm at density 1.
    """
    width = np.diff(edges)[-_TAIL_FIT_SHELLS:]
    middle = 0.5 * (edges[1:] + edges[:-1])[-_TAIL_FIT_SHELLS:]
    slope, at_edge = np.polyfit(middle - edges[-1], np.log(photon[-_TAIL_FIT_SHELLS:] / width), 1)
    del slope
    decay_per_mm = math.exp(at_edge) / beyond
    step = _TAIL_SHELL_MM * scale
    new_edges = edges[-1] + step * np.arange(1, round((TAIL_REACH_MM * scale - edges[-1]) / step) + 1)
    share = np.exp(-decay_per_mm * (np.concatenate([edges[-1:], new_edges]) - edges[-1]))
    return new_edges, beyond * -np.diff(share), beyond * float(share[-1])


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
    packaged = files("opensirt.radioembolisation.transport.data") / "point_kernels.npz"
    with packaged.open("rb") as stream, np.load(stream) as data:
        known = sorted({key.rsplit("_", 2)[0] for key in data.files if key.endswith("_edges_mm")})
        if f"{prefix}_edges_mm" not in data:
            raise UnsupportedInput(f"no point kernel for {nuclide} in {medium}", "", f"kernels exist for {', '.join(known)}")
        edges = data[f"{prefix}_edges_mm"]
        deposited = data[f"{prefix}_deposited_mev"]
        photon = data[f"{prefix}_photon_mev"]
        sd = data[f"{prefix}_sd_mev"]
        emitted, origin, escaped, density = (float(x) for x in data[f"{prefix}_scalars"])
    tail_edges, tail, beyond = _with_tail(edges, photon / emitted, escaped / emitted, 1.0 / density)
    return PointKernel(
        nuclide=nuclide,
        medium=medium,
        density_g_per_ml=density,
        edges_mm=np.concatenate([edges, tail_edges]),
        fraction=np.concatenate([deposited / emitted, tail]),
        photon_fraction=np.concatenate([photon / emitted, tail]),
        sd_fraction=np.concatenate([sd / emitted, np.zeros(len(tail))]),
        origin_fraction=origin / emitted,
        beyond_fraction=beyond,
    )

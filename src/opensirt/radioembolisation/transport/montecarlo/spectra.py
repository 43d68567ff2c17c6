"""Energies of the electrons that a decay emits, drawn up for the stepping loop.

The shape of a beta branch comes from theory: phase space, the Fermi function of a nucleus of finite size, and the shape factor of a unique
first-forbidden transition where there is one (Behrens and Bühring 1982). A slight tilt then gives it the mean energy of the evaluation, so
that number and energy of the electrons are the evaluation's, and no printed table of a spectrum is ever interpolated. Conversion and Auger
electrons keep their own energies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import attrs
import numpy as np
import numpy.typing as npt
from scipy.special import loggamma

from opensirt.radioembolisation.transport.montecarlo.media import ELECTRON_REST_MEV, FINE_STRUCTURE_NUMBER
from opensirt.vocabulary.decay_data import BetaBranch, BetaShape, DecayData, EmissionLine, decay_data_named
from opensirt.vocabulary.errors import InvalidValue

FloatArray = npt.NDArray[np.float64]

SPECTRA_VERSION = "1"
ORIGIN_MEV = 0.010
"""Electrons of less energy leave it where they start: 10 keV reach 2.5 µm in water."""
NODES = 32768
"""Steps of the fraction: a line of 1e-4 per decay is still three of them."""
_CELL_MEV = 0.010 / 400
"""Width of the energy cells in which spectra are added up; ``ORIGIN_MEV`` is an edge."""
_COMPTON_FM = 386.15926796
"""Reduced Compton wavelength of the electron, fm (CODATA 2018)."""
_RADIUS_FM = 1.2
"""Nuclear radius over the cube root of the mass number, fm."""


def _readonly(value: npt.ArrayLike) -> FloatArray:
    array = np.array(value, dtype=np.float64)
    array.setflags(write=False)
    return array


@attrs.frozen(eq=False)
class ElectronSpectrum:
    """Electrons of one nuclide as the stepping loop draws them.

    Attributes
    ----------
    nuclide : str
        What decays.
    energies_mev : ndarray, shape (NODES + 1,)
        Energy on even steps of the fraction of electrons emitted with less, of electrons above ``ORIGIN_MEV``; straight lines between.
    electrons_per_decay : float
        Number of such electrons per decay.
    origin_mev : float
        Energy per decay of all other electrons, MeV: deposited where the decay was.
    """

    nuclide: str
    energies_mev: FloatArray = attrs.field(converter=_readonly)
    electrons_per_decay: float
    origin_mev: float

    @property
    def mean_mev(self) -> float:
        """Mean energy of an electron of ``energies_mev``, MeV."""
        return float(np.mean(0.5 * (self.energies_mev[1:] + self.energies_mev[:-1])))

    @property
    def electron_mev(self) -> float:
        """Energy of all electrons per decay, MeV."""
        return self.electrons_per_decay * self.mean_mev + self.origin_mev

    @property
    def origin_fraction(self) -> float:
        """Share of the electrons' energy that is deposited where the decay was."""
        return self.origin_mev / self.electron_mev


def fermi_function(atomic_number: int, mass_number: int, energy_mev: FloatArray, order: int = 1) -> FloatArray:
    """How much the nucleus draws electrons towards it: Coulomb function ``F_{k−1}`` at the nuclear radius.

    ``F_{k−1} = [k (2k−1)!!]² 4^k (2pR)^{2(γ_k−k)} exp(πη) |Γ(γ_k + iη)|² / Γ(1 + 2γ_k)²`` with ``γ_k = √(k² − (αZ)²)`` and
    ``η = αZ W/p`` (Behrens and Bühring 1982); ``k = 1`` is the Fermi function.

    Parameters
    ----------
    atomic_number, mass_number : int
        Of the daughter.
    energy_mev : ndarray
        Kinetic energy of the electron, MeV, above 0.
    order : int
        ``k``, 1 or 2.

    Returns
    -------
    ndarray
        1 for a nucleus without charge.
    """
    charge = FINE_STRUCTURE_NUMBER * atomic_number
    total = energy_mev / ELECTRON_REST_MEV + 1.0
    momentum = np.sqrt(total**2 - 1.0)
    root = math.sqrt(order**2 - charge**2)
    eta = charge * total / momentum
    leading = (order * (3.0 if order == 2 else 1.0)) ** 2 * 4.0**order
    radius = _radius(mass_number)
    gamma_part = 2.0 * np.real(loggamma(root + 1j * eta)) - 2.0 * math.lgamma(1.0 + 2.0 * root)
    result: FloatArray = leading * (2.0 * momentum * radius) ** (2.0 * (root - order)) * np.exp(math.pi * eta + gamma_part)
    return result


def _radius(mass_number: int) -> float:
    """Nuclear radius in reduced Compton wavelengths."""
    return _RADIUS_FM * math.cbrt(mass_number) / _COMPTON_FM


def _finite_size(atomic_number: int, mass_number: int, total: FloatArray) -> FloatArray:
    """L₀: electron density averaged over a charged sphere instead of at its surface (Wilkinson 1990, leading terms)."""
    charge = FINE_STRUCTURE_NUMBER * atomic_number
    root = math.sqrt(1.0 - charge**2)
    product = charge * _radius(mass_number)
    falling = product * total * (41.0 - 26.0 * root) / (15.0 * (2.0 * root - 1.0))
    rising = product * root * (17.0 - 2.0 * root) / (30.0 * total * (2.0 * root - 1.0))
    return 1.0 + 13.0 / 60.0 * charge**2 - falling - rising


def theoretical_shape(data: DecayData, branch: BetaBranch, energy_mev: FloatArray) -> FloatArray:
    """Number of electrons per energy of a beta branch from theory, not normalised.

    Parameters
    ----------
    data : DecayData
        For the daughter.
    branch : BetaBranch
        Endpoint and shape.
    energy_mev : ndarray
        Kinetic energies, MeV, above 0.

    Returns
    -------
    ndarray
        0 above the endpoint.
    """
    z, a = data.atomic_number, data.mass_number
    total = energy_mev / ELECTRON_REST_MEV + 1.0
    neutrino = np.maximum(branch.endpoint_mev - energy_mev, 0.0) / ELECTRON_REST_MEV
    square = total**2 - 1.0
    first = fermi_function(z, a, energy_mev)
    number: FloatArray = np.sqrt(square) * total * neutrino**2 * first * _finite_size(z, a, total)
    if branch.shape is BetaShape.UNIQUE_FIRST_FORBIDDEN:
        charge = FINE_STRUCTURE_NUMBER * z
        one, two = math.sqrt(1.0 - charge**2), math.sqrt(4.0 - charge**2)
        ratio = fermi_function(z, a, energy_mev, 2) / first * (2.0 + two) / (2.0 * (1.0 + one))
        number = number * (neutrino**2 + ratio * square)
    return number


def beta_number(data: DecayData, branch: BetaBranch, energy_mev: FloatArray) -> FloatArray:
    """Electrons of a beta branch in even cells of energy, per decay.

    Parameters
    ----------
    data : DecayData
        For the daughter.
    branch : BetaBranch
        Number and mean energy are this branch's.
    energy_mev : ndarray
        Midpoints of the cells, MeV, from 0 beyond the endpoint.

    Returns
    -------
    ndarray
        Their sum is the branch's yield, their mean its mean.

    Raises
    ------
    InvalidValue
        If the mean is so far from theory that a straight tilt would make the spectrum negative.
    """
    number = theoretical_shape(data, branch, energy_mev)
    number = number / number.sum()
    mean = float(number @ energy_mev)
    spread = float(number @ (energy_mev - mean) ** 2)
    tilt = 1.0 + (branch.mean_mev - mean) / spread * (energy_mev - mean)
    if float(tilt[number > 0.0].min()) <= 0.0:
        raise InvalidValue(
            f"a beta branch of {data.nuclide} has mean {branch.mean_mev:g} MeV",
            f"theory gives {mean:.4g} MeV for its endpoint {branch.endpoint_mev:g} MeV and shape {branch.shape.value}",
            "check endpoint, mean and shape",
        )
    per_decay: FloatArray = branch.yield_per_decay * number * tilt
    return per_decay


def electrons_in_cells(data: DecayData) -> tuple[FloatArray, FloatArray]:
    """All betas in even cells of energy.

    Parameters
    ----------
    data : DecayData
        Of the nuclide.

    Returns
    -------
    edges_mev : ndarray, shape (n + 1,)
        From 0 beyond the largest endpoint.
    per_decay : ndarray, shape (n,)
        Betas per decay.
    """
    cells = math.ceil(max(branch.endpoint_mev for branch in data.betas) / _CELL_MEV) + 1
    edges: FloatArray = np.arange(cells + 1, dtype=np.float64) * _CELL_MEV
    middle = 0.5 * (edges[1:] + edges[:-1])
    per_decay: FloatArray = np.zeros(cells)
    for branch in data.betas:
        within = math.ceil(branch.endpoint_mev / _CELL_MEV)
        per_decay[:within] += beta_number(data, branch, middle[:within])
    return edges, per_decay


def spectrum_of(data: DecayData) -> ElectronSpectrum:
    """Spectrum of all electrons of a decay.

    Parameters
    ----------
    data : DecayData
        Of the nuclide.

    Returns
    -------
    ElectronSpectrum
        Number and energy per decay are those of the data.
    """
    edges, betas = electrons_in_cells(data)
    middle = 0.5 * (edges[1:] + edges[:-1])
    below = middle < ORIGIN_MEV
    first = int(below.sum())
    slow = [line for line in data.electron_lines if line.energy_mev < ORIGIN_MEV]
    kept = [line for line in data.electron_lines if line.energy_mev >= ORIGIN_MEV]
    origin = float(betas[below] @ middle[below]) + math.fsum(line.energy_mev * line.yield_per_decay for line in slow)
    energies, counted = energy_by_fraction(edges[first:], betas[first:], kept)
    return ElectronSpectrum(data.nuclide, energies, counted, origin)


def energy_by_fraction(
    edges_mev: FloatArray, per_decay: FloatArray, lines: Sequence[EmissionLine], nodes: int = NODES
) -> tuple[FloatArray, float]:
    """Energy on even steps of the fraction of electrons with less, from a histogram and lines.

    Parameters
    ----------
    edges_mev : ndarray, shape (n + 1,)
        Edges of the cells, MeV; inside a cell the energy is uniform.
    per_decay : ndarray, shape (n,)
        Electrons in each cell.
    lines : sequence of EmissionLine
        Electrons that all have one energy, within the edges' range.
    nodes : int
        Number of steps.

    Returns
    -------
    energies_mev : ndarray, shape (nodes + 1,)
        Ascending. Their mean along the straight lines between them is that of the electrons exactly: what the steps smear is undone by
        stretching the energies above the lowest by some parts in 1e5.
    electrons_per_decay : float
        Sum of all.

    Raises
    ------
    InvalidValue
        If there are no electrons, or a line lies outside the cells.
    """
    energy = np.array([line.energy_mev for line in lines])
    number = np.array([line.yield_per_decay for line in lines])
    total = float(per_decay.sum() + number.sum())
    if total <= 0.0:
        raise InvalidValue("a spectrum without electrons", "", "check the decay data")
    if len(lines) and not (edges_mev[0] <= energy.min() and energy.max() <= edges_mev[-1]):
        raise InvalidValue(f"lines up to {energy.max():g} MeV", f"the cells end at {edges_mev[-1]:g} MeV", "give wider cells")
    below = np.concatenate([[0.0], np.cumsum(per_decay)])
    points = np.concatenate([edges_mev, energy, energy])
    beta_below = np.interp(points, edges_mev, below)
    line_below = np.array([number[energy < e].sum() for e in energy])
    line_upto = np.array([number[energy <= e].sum() for e in energy])
    others = np.concatenate([[0.0], np.cumsum(number[np.argsort(energy)])])[
        np.searchsorted(np.sort(energy), edges_mev, side="right")
    ]
    fraction = (beta_below + np.concatenate([others, line_below, line_upto])) / total
    order = np.lexsort((fraction, points))
    filled = _quantiles(fraction[order], points[order], nodes)
    mean = float(per_decay @ (0.5 * (edges_mev[1:] + edges_mev[:-1])) + number @ energy) / total
    lowest = float(filled[0])
    stretch = (mean - lowest) / (float(np.mean(0.5 * (filled[1:] + filled[:-1]))) - lowest)
    return lowest + (filled - lowest) * stretch, total


def _quantiles(fraction: FloatArray, energy_mev: FloatArray, nodes: int) -> FloatArray:
    """Energy on even steps of the fraction; the last node is drawn in until the last step has the mean of its electrons.

    A beta spectrum ends as the square of what is left: a straight line to its endpoint would put three times too many electrons there.
    """
    filled = np.interp(np.arange(nodes + 1) / nodes, fraction, energy_mev)
    start = 1.0 - 1.0 / nodes
    last = fraction > start
    share = np.concatenate([[start], fraction[last]])
    energy = np.concatenate([[filled[-2]], energy_mev[last]])
    mean = float(0.5 * (energy[1:] + energy[:-1]) @ np.diff(share)) * nodes
    filled[-1] = 2.0 * mean - filled[-2]
    return filled


@lru_cache(maxsize=8)
def electron_spectrum(nuclide: str) -> ElectronSpectrum:
    """Electrons of a nuclide of the record.

    Parameters
    ----------
    nuclide : str
        ``"Y-90"``, ``"Ho-166"``, ``"Lu-177"``, ``"Tc-99m"`` or ``"I-131"``.

    Returns
    -------
    ElectronSpectrum
        Read-only, computed once.

    Raises
    ------
    UnsupportedInput
        If there are no decay data of it.
    """
    return spectrum_of(decay_data_named(nuclide))

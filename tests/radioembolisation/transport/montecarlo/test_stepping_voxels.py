"""Voxel S values by direct transport against those of the Monte Carlo reference, and on unequal voxels against the voxel kernel.

All are electrons' energy in a voxel as a fraction of the electrons' energy emitted. Voxels that a mirror or an exchange of axes makes equal
are averaged where the grid is a cube's.
"""

from __future__ import annotations

import itertools

import attrs
import numpy as np
import pytest

from opensirt.radioembolisation.transport.montecarlo.media import SOFT, WATER
from opensirt.radioembolisation.transport.point_kernels import point_kernel
from opensirt.radioembolisation.transport.voxel_kernel import build_voxel_kernel

pytestmark = pytest.mark.slow

NEAR, FAR = 0.005, 0.01
"""Allowed where S/S0 ≥ 1e-3, and where S/S0 ≥ 1e-4, beside three standard deviations."""
SIGMAS = 3.0
CASES = [("Y90", 3), ("Y90", 4), ("Y90", 6), ("Ho166", 3), ("Lu177", 3)]
QUICK, LONG = 400_000, 5_000_000
DENSITY = 1.04


def _centred(runs, energies, spacing_mm, *, how, medium=SOFT, density=DENSITY, reach_mm=15.0):
    """Fraction in every voxel of an octant around a source voxel, by batch, shape (batches, k, j, i); mirrors averaged."""
    half = [int(reach_mm / s) + 1 for s in spacing_mm]
    shape = tuple(2 * h + 1 for h in half)
    scene = runs.Scene.uniform(medium, shape, spacing_mm, density)
    found = runs.voxels(scene, np.array([half]), energies, how=how)
    assert found.closure_units == 0
    whole = found.batches_mev / found.emitted_mev
    mirrored = sum(np.flip(whole, axis=[a + 1 for a in axes]) for n in range(4) for axes in itertools.combinations(range(3), n))
    octant = (mirrored / 8.0)[:, half[0] :, half[1] :, half[2] :]
    return octant[:, :-1, :-1, :-1]


def _worst(octants, reference, reference_sd):
    """Largest difference over what is allowed, among voxels with S/S0 of 1e-4 and more (≤ 1 passes)."""
    mean, sd = octants.mean(axis=0), octants.std(axis=0, ddof=1) / np.sqrt(len(octants))
    ratio = reference / reference[0, 0, 0]
    allowed = np.where(ratio >= 1e-3, NEAR, FAR) * reference + SIGMAS * np.hypot(sd, reference_sd)
    judged = ratio >= 1e-4
    return float((np.abs(mean - reference)[judged] / allowed[judged]).max())


def _by_axes(octants):
    """Average over exchanges of axes, of a cube's octants."""
    return sum(np.transpose(octants, (0, *(1 + np.array(order)))) for order in itertools.permutations(range(3))) / 6.0


def _compare(runs, electrons, nuclide, side, *, how, **changed):
    stretch = changed.pop("stretch", 1.0)
    energies, origin = electrons[f"spectrum_{nuclide}"] * stretch, float(electrons[f"origin_{nuclide}"])
    octants = _by_axes(_centred(runs, energies, (float(side),) * 3, how=how, **changed)) * (1.0 - origin)
    octants[:, 0, 0, 0] += origin
    return octants, electrons[f"svalue_{nuclide}_{side}"], electrons[f"svalue_sd_{nuclide}_{side}"]


@pytest.mark.parametrize(("nuclide", "side"), CASES)
def test_every_s_value(runs, electrons, nuclide, side):
    assert _worst(*_compare(runs, electrons, nuclide, side, how=runs.How(QUICK, seed=2))) <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("nuclide", "side"), CASES)
def test_every_s_value_with_many_histories(runs, electrons, nuclide, side):
    assert _worst(*_compare(runs, electrons, nuclide, side, how=runs.How(LONG, seed=3))) <= 1.0


def _along_an_axis(runs, electrons, offset, seed):
    octants, reference, reference_sd = _compare(runs, electrons, "Y90", 3, how=runs.How(2 * QUICK, seed=seed))
    place = (offset, 0, 0)
    sd = octants[:, *place].std(ddof=1) / np.sqrt(len(octants))
    allowed = NEAR if reference[place] >= 1e-3 * reference[0, 0, 0] else FAR
    assert abs(octants[:, *place].mean() - reference[place]) <= allowed * reference[place] + SIGMAS * np.hypot(
        sd, reference_sd[place]
    )


def test_s_two_voxels_away(runs, electrons):
    """S(2, 0, 0) of Y-90 at 3 mm: 0.02055 mGy/(MBq s)."""
    _along_an_axis(runs, electrons, 2, seed=11)


def test_s_three_voxels_away(runs, electrons):
    """S(3, 0, 0) of Y-90 at 3 mm: where codes and media differ by 10 to 20 %."""
    _along_an_axis(runs, electrons, 3, seed=12)


UNEQUAL_MM = (2.0, 3.0, 5.0)


def _unequal_reference():
    kernel = point_kernel("Y-90", "soft").at_density(DENSITY)
    alone = attrs.evolve(kernel, fraction=kernel.electron_fraction, photon_fraction=np.zeros_like(kernel.fraction))
    values = build_voxel_kernel(alone, UNEQUAL_MM, 11.5).fraction
    return values[tuple(slice(n // 2, None) for n in values.shape)]


def _unequal(runs, electrons, spacing_mm):
    octants = _centred(runs, electrons["spectrum_Y90"], spacing_mm, how=runs.How(QUICK, seed=4), reach_mm=12.0)
    reference = _unequal_reference()
    common = tuple(slice(0, min(a, b)) for a, b in zip(octants.shape[1:], reference.shape, strict=True))
    return _worst(octants[:, *common], reference[common], 0.0)


def test_s_values_of_unequal_voxels(runs, electrons):
    """Against the integral of the point kernel over pairs of such voxels."""
    assert _unequal(runs, electrons, UNEQUAL_MM) <= 1.0


def test_mutant_axes_swapped(runs, electrons):
    assert _unequal(runs, electrons, UNEQUAL_MM[::-1]) > 1.0


@pytest.mark.parametrize("changed", [{"density": 1.00}, {"stretch": 0.948 / 0.93553}], ids=["density", "spectrum"])
def test_mutants_of_density_and_spectrum(runs, electrons, changed):
    """Density 1.00 for 1.04, a spectrum 1.3 % too hard: the same comparison must refuse each."""
    assert _worst(*_compare(runs, electrons, "Y90", 3, how=runs.How(QUICK, seed=2), **changed)) > 1.0


@pytest.mark.slow
def test_mutant_water_for_soft_tissue(runs, electrons):
    """3 % at two voxels, 9 % at three."""
    assert _worst(*_compare(runs, electrons, "Y90", 3, how=runs.How(LONG, seed=2), medium=WATER)) > 1.0

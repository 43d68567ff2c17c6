"""Lanconelli et al. 2012 (Phys Med Biol 57:517): Y-90 voxel S values in soft tissue by DOSXYZnrc, in mGy/(MBq·s).

Our kernels come from another code (EGSnrc with regenerated elastic scattering, cross-checked with PENELOPE). On the central voxel and its
neighbours they agree within 1.5 %. Two and three voxels away, where electrons near the end of their range count, the published values
differ from the reference by a few per cent; those offsets have tests of their own, with what was found.
"""

from __future__ import annotations

import pytest

from opensirt.radioembolisation.transport.voxel_kernel import voxel_kernel

NEIGHBOURS = 0.015
"""Promised on S000, S100, S110, S111."""
TWO_AWAY = 0.035
"""The Monte Carlo reference itself differs by +0.3 % (3 mm), −1.1 % (4 mm) and −2.9 % (6 mm), printed to three digits."""
THREE_AWAY_3_MM = 0.04
"""The reference differs by −3.7 % at 3 mm."""
PHOTONS_ONLY = 0.06
"""Beyond the electrons' reach only bremsstrahlung counts: the reference is 1 to 3 % above the published values."""
PUBLISHED_MEV = 0.9348
"""Energy per decay of the published tables: their sums times the voxel mass are 0.9336 to 0.9360 MeV."""
DENSITY_G_PER_ML = 1.04
MGY_PER_MBQ_S = 1e9
OFFSETS = {"S000": (0, 0, 0), "S100": (0, 0, 1), "S110": (0, 1, 1), "S111": (1, 1, 1), "S200": (0, 0, 2), "S300": (0, 0, 3)}
PUBLISHED = {
    3.0: {"S000": 1.59, "S100": 2.75e-1, "S110": 9.50e-2, "S111": 4.29e-2, "S200": 2.05e-2, "S300": 8.99e-4},
    4.0: {"S000": 8.58e-1, "S100": 1.29e-1, "S110": 3.62e-2, "S111": 1.27e-2, "S200": 4.18e-3, "S300": 1.75e-5},
    4.42: {"S000": 6.89e-1, "S100": 9.73e-2, "S110": 2.48e-2, "S111": 7.78e-3, "S200": 2.10e-3, "S300": 3.11e-6},
    5.0: {"S000": 5.22e-1, "S100": 6.75e-2, "S110": 1.51e-2, "S111": 4.07e-3, "S200": 7.89e-4, "S300": 1.19e-6},
    6.0: {"S000": 3.42e-1, "S100": 3.80e-2, "S110": 6.86e-3, "S111": 1.45e-3, "S200": 1.31e-4, "S300": 7.59e-7},
}
SIDES = list(PUBLISHED)


def _s(side_mm: float, offset: str, density: float = DENSITY_G_PER_ML) -> float:
    kernel = voxel_kernel("Y-90", (side_mm,) * 3, density_g_per_ml=density, reach_mm=30.0)
    centre = kernel.fraction.shape[0] // 2
    k, j, i = OFFSETS[offset]
    return float(kernel.gy_per_decay(PUBLISHED_MEV)[centre + k, centre + j, centre + i]) * MGY_PER_MBQ_S


@pytest.mark.parametrize("side_mm", SIDES)
@pytest.mark.parametrize("offset", ["S000", "S100", "S110", "S111"])
def test_neighbours(side_mm, offset):
    assert _s(side_mm, offset) == pytest.approx(PUBLISHED[side_mm][offset], rel=NEIGHBOURS)


@pytest.mark.parametrize("side_mm", SIDES)
def test_s200(side_mm):
    assert _s(side_mm, "S200") == pytest.approx(PUBLISHED[side_mm]["S200"], rel=TWO_AWAY)


def test_s300_with_electrons_at_the_end_of_their_range():
    assert _s(3.0, "S300") == pytest.approx(PUBLISHED[3.0]["S300"], rel=THREE_AWAY_3_MM)


@pytest.mark.parametrize("side_mm", [5.0, 6.0])
def test_s300_with_photons_alone(side_mm):
    assert _s(side_mm, "S300") == pytest.approx(PUBLISHED[side_mm]["S300"], rel=PHOTONS_ONLY)


def test_the_wrong_density_fails_the_comparison():
    assert _s(3.0, "S200", density=1.0) != pytest.approx(PUBLISHED[3.0]["S200"], rel=TWO_AWAY)
    assert _s(4.0, "S110", density=1.0) != pytest.approx(PUBLISHED[4.0]["S110"], rel=NEIGHBOURS)


@pytest.mark.parametrize("side_mm", SIDES)
def test_the_table_is_the_published_file(shared_data, side_mm):
    text = (shared_data / "svalues_lanconelli" / f"90Y{side_mm:g}mmsoft.txt").read_text("latin-1")
    rows = {
        tuple(int(x) for x in line.split()[:3]): float(line.split()[3]) for line in text.splitlines()[2:] if len(line.split()) == 4
    }
    assert {name: rows[offset] for name, offset in OFFSETS.items()} == PUBLISHED[side_mm]

"""Shot noise of spheres. Oracle: spheres thrown at random around a point, their kernels summed one by one; nothing of it shares code
with the characteristic function but the kernel's energy per shell."""

from __future__ import annotations

import math

import attrs
import numpy as np
import pytest

from opensirt.radioembolisation.dosimetry.radiobiology.sphere_number import (
    SphereCloud,
    bq_per_sphere_after,
    concentration_bq_per_ml,
    sphere_density_per_ml,
    sphere_radius_mm,
    sphere_tail,
)
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.products import GLASS, HOLMIUM, RESIN

pytestmark = pytest.mark.slow

SIGMA = 4.0
"""False alarms: 6e-5 per comparison of independent seeds."""
INVERSION = 2e-3
"""Fraction of tissue by which the numerical inversion may be off: 0.02 standard deviations of dose per point, 2 % steps of dose per shell."""
GAMMA = 0.03
"""Relative: what the module says of the gamma distribution from D90 to D99."""
MEAN_GY = 100.0
CLOUDS = {
    "glass": SphereCloud("Y-90", 300.0, 0.0125),
    "glass in clusters of 20": SphereCloud("Y-90", 4000.0, 0.0125, 20.0),
    "few": SphereCloud("Y-90", 20.0, 0.0125),
    "holmium": SphereCloud("Ho-166", 500.0, 0.0175),
    "dense tissue": SphereCloud("Y-90", 300.0, 0.0125, 1.0, 1.3),
}


def thrown(cloud: SphereCloud, points: int, seed: int) -> np.ndarray:
    """Relative dose at points, each in its own cube of randomly placed clusters."""
    rng = np.random.default_rng(seed)
    kernel = cloud.kernel
    reach = kernel.electron_reach_mm
    per_mm = kernel.fraction / np.diff(kernel.edges_mm)
    expected = cloud.clusters_per_ml * (2.0 * reach) ** 3 / 1000.0
    dose = np.empty(points)
    for p in range(points):
        xyz = rng.uniform(-reach, reach, (rng.poisson(expected), 3))
        r = np.sqrt((xyz**2).sum(axis=1))
        r = r[(r > cloud.radius_mm) & (r < reach)]
        shell = np.searchsorted(kernel.edges_mm, r, side="right") - 1
        dose[p] = np.sum(per_mm[shell] / (4.0 * math.pi * r**2)) * 1000.0 / cloud.clusters_per_ml
    return dose + 1.0 - float(kernel.cumulative(reach))


@pytest.mark.parametrize("name", CLOUDS)
def test_distribution_against_thrown_spheres(name):
    cloud = CLOUDS[name]
    points = 3000
    dose = np.sort(thrown(cloud, points, 20260101))
    tail = sphere_tail(MEAN_GY, cloud)
    for below in (0.02, 0.05, 0.1, 0.3, 0.5, 0.8):
        allowed = SIGMA * math.sqrt(below * (1.0 - below) / points) + INVERSION
        assert tail.fraction_below(MEAN_GY * dose[int(below * points)]) == pytest.approx(below, abs=allowed)


def test_mean_and_variance_are_campbells():
    """With a wide cut, so that the variance of the variance is finite enough to test."""
    cloud = attrs.evolve(CLOUDS["glass"], radius_mm=0.5)
    points = 4000
    dose = thrown(cloud, points, 7)
    centred = dose - dose.mean()
    assert dose.mean() == pytest.approx(1.0 - float(cloud.kernel.cumulative(0.5)), abs=SIGMA * dose.std() / math.sqrt(points))
    of_variance = math.sqrt((np.mean(centred**4) - dose.var() ** 2) / points)
    assert cloud.relative_sd**2 == pytest.approx(dose.var(), abs=SIGMA * of_variance)


def test_the_distribution_has_campbells_mean_where_nothing_is_cut_away():
    cloud = SphereCloud("Y-90", 3000.0, 0.8)
    tail = sphere_tail(1.0, cloud)
    per_bin = np.diff(tail.cumulative)
    middle = 0.5 * (tail.relative_dose[1:] + tail.relative_dose[:-1])
    mean = float(np.sum(per_bin * middle))
    assert tail.cumulative[-1] == pytest.approx(1.0, abs=1e-6)
    assert mean == pytest.approx(1.0 - float(cloud.kernel.cumulative(0.8)), rel=1e-4)
    assert np.sqrt(np.sum(per_bin * (middle - mean) ** 2)) == pytest.approx(cloud.relative_sd, rel=1e-2)


@pytest.mark.parametrize("name", CLOUDS)
def test_tissue_next_to_spheres_lies_above_the_window(name):
    """What one cluster alone lifts above the window is outside for sure: ``1 − exp(−n V)`` with V the ball where it does."""
    cloud = CLOUDS[name]
    tail = sphere_tail(1.0, cloud)
    kernel = cloud.kernel
    radii = np.geomspace(cloud.radius_mm, 3.0, 20001)
    shell = np.searchsorted(kernel.edges_mm, radii, side="right") - 1
    per_mm = kernel.fraction / np.diff(kernel.edges_mm)
    alone = per_mm[shell] / (4.0 * math.pi * radii**2) * 1000.0 / cloud.clusters_per_ml
    near_mm = radii[alone > tail.relative_dose[-1]].max()
    surely = -math.expm1(-cloud.clusters_per_ml * 4.0 / 3.0 * math.pi * (near_mm**3 - cloud.radius_mm**3) / 1000.0)
    assert surely > 1e-5
    assert 1.0 * surely <= 1.0 - tail.cumulative[-1] <= 2.0 * surely


@pytest.mark.parametrize("cluster", [2.0, 9.0, 30.0])
def test_clusters_multiply_the_variance(cluster):
    alone = CLOUDS["glass"]
    together = attrs.evolve(alone, cluster_number=cluster)
    assert together.relative_sd**2 == pytest.approx(cluster * alone.relative_sd**2, rel=1e-12)
    assert sphere_tail(MEAN_GY, together).dose_reached_gy(95.0) < sphere_tail(MEAN_GY, alone).dose_reached_gy(95.0)


@pytest.mark.parametrize("name", ["glass", "glass in clusters of 20", "holmium"])
@pytest.mark.parametrize("percent", [99.0, 95.0, 90.0])
def test_gamma_agrees_in_the_low_tail(name, percent):
    tail = sphere_tail(MEAN_GY, CLOUDS[name])
    assert tail.gamma_dose_reached_gy(percent) == pytest.approx(tail.dose_reached_gy(percent), rel=GAMMA)


def test_more_spheres_for_one_dose_make_a_shorter_tail():
    reached = [sphere_tail(MEAN_GY, SphereCloud("Y-90", n, 0.0125)).dose_reached_gy(95.0) for n in (50, 200, 1000, 5000, 30000)]
    assert reached == sorted(reached)
    assert reached[-1] < MEAN_GY


def test_the_tail_scales_with_the_mean():
    one, ten = sphere_tail(10.0, CLOUDS["glass"]), sphere_tail(100.0, CLOUDS["glass"])
    assert ten.dose_reached_gy(90.0) == pytest.approx(10.0 * one.dose_reached_gy(90.0), rel=1e-12)
    assert ten.fraction_below(80.0) == pytest.approx(one.fraction_below(8.0), rel=1e-12)
    assert ten.fraction_below(ten.dose_reached_gy(95.0)) == pytest.approx(0.05, abs=1e-9)


def test_spheres_of_a_dose():
    """120 Gy of Y-90 in tissue of 1.04 g/mL: 120 · 0.00104 / 49.67 GBq/mL, by hand 2.5126 MBq/mL."""
    held = concentration_bq_per_ml(120.0, 1.04, 49.67)
    assert held == pytest.approx(2.51258e6, rel=1e-5)
    assert sphere_density_per_ml(held, bq_per_sphere_after(GLASS, 0.0)) == pytest.approx(1005.0, abs=0.5)
    assert sphere_density_per_ml(held, bq_per_sphere_after(RESIN, 0.0)) == pytest.approx(50252.0, abs=1.0)
    assert bq_per_sphere_after(GLASS, 64.1) == pytest.approx(1250.0, rel=1e-12)
    assert [sphere_radius_mm(p) for p in (GLASS, RESIN, HOLMIUM)] == pytest.approx([0.0125, 0.02, 0.0175])


@pytest.mark.parametrize(
    "case",
    [
        {"spheres_per_ml": 0.0},
        {"radius_mm": -1.0},
        {"cluster_number": 0.5},
        {"spheres_per_ml": 100.0, "cluster_number": 50.0},
        {"density_g_per_ml": math.nan},
    ],
)
def test_what_no_cloud_can_be(case):
    with pytest.raises(InvalidValue):
        attrs.evolve(CLOUDS["glass"], **case)


def test_what_no_tail_can_answer():
    tail = sphere_tail(MEAN_GY, CLOUDS["glass"])
    for ask in (
        lambda: sphere_tail(0.0, CLOUDS["glass"]),
        lambda: tail.fraction_below(-1.0),
        lambda: tail.fraction_below(1e6),
        lambda: tail.dose_reached_gy(0.0),
        lambda: tail.dose_reached_gy(0.001),
        lambda: tail.gamma_dose_reached_gy(20.0),
        lambda: bq_per_sphere_after(GLASS, -1.0),
    ):
        with pytest.raises(InvalidValue):
            ask()

"""Lung beside liver: layers of 3 mm, activity in the liver alone.

Between layers without end only mass counts: dose at a mass depth is that of a homogeneous medium (the equation of transport, divided by
density, has none left). So where one composition fills both sides, the profile is an integral of the reference's point kernel:
``D(t)/D0 = Σ f · ½ max(0, 1 − t/r)`` at a depth ``t`` beyond the surface, lengths in the liver's density.
"""

from __future__ import annotations

import numpy as np
import pytest

from opensirt.radioembolisation.transport.montecarlo.media import LIVER, LUNG
from opensirt.radioembolisation.transport.montecarlo.tables import Physics

pytestmark = pytest.mark.slow

LIVER_LAYERS, SOURCE_LAYERS, LUNG_LAYERS = 8, 4, 9
LAYER_MM = 3.0
LIVER_G_PER_ML, LUNG_G_PER_ML = 1.06, 0.26
LAYER = 0.01
"""Allowed in each of the first four layers of lung, beside three standard deviations; 2 % is what the task asks."""
COMPOSITION = 0.01
"""Lung instead of liver at one mass: 0.5 % more stopping power, 0.8 % of the first layers' dose (point kernels of the reference)."""
INVARIANT = 0.002
SIGMAS = 3.0
QUICK, LONG = 400_000, 6_000_000
FIRST = slice(LIVER_LAYERS, LIVER_LAYERS + 4)
NEAR = slice(LIVER_LAYERS - 2, LIVER_LAYERS + 3)


def _profile(runs, electrons, *, how, lung=LUNG, axis=0, lung_first=False, g_per_ml=LUNG_G_PER_ML):
    """Dose over that of a uniform liver in every layer, from the liver's end, by batch; activity within reach of the surface only."""
    count = LIVER_LAYERS + LUNG_LAYERS
    number = np.zeros((count, 3, 3), np.uint8)
    number[LIVER_LAYERS:] = 1
    density = np.where(number == 0, LIVER_G_PER_ML, g_per_ml)
    source = np.array([[k, 1, 1] for k in range(LIVER_LAYERS - SOURCE_LAYERS, LIVER_LAYERS)])
    if lung_first:
        number, density, source = number[::-1].copy(), density[::-1].copy(), source * [-1, 1, 1] + [count - 1, 0, 0]
    spacing = [1e5, 1e5, 1e5]
    spacing[axis] = LAYER_MM
    order = [0, 1, 2]
    order[0], order[axis] = order[axis], order[0]
    number, density = (np.ascontiguousarray(np.transpose(a, order)) for a in (number, density))
    scene = runs.Scene(number, density, tuple(spacing), (LIVER, lung))
    found = runs.voxels(scene, source[:, order], electrons["spectrum_Y90"], how=how)
    assert found.closure_units == 0
    layers = np.transpose(found.batches_mev, (0, *(1 + np.array(order))))[:, :, 1, 1]
    layers = layers[:, ::-1] if lung_first else layers
    mass = np.where(np.arange(count) < LIVER_LAYERS, LIVER_G_PER_ML, g_per_ml) / LIVER_G_PER_ML
    return layers / mass / found.emitted_mev * SOURCE_LAYERS


def _mean_sd(batches):
    return batches.mean(axis=0), batches.std(axis=0, ddof=1) / np.sqrt(len(batches))


def _closed_form(electrons, g_per_ml=LUNG_G_PER_ML):
    """Mean of D(t)/D0 in each layer beyond the liver, by integrating the reference's kernel in liver."""
    edges, share = electrons["edges_Y90_liver"], electrons["kernel_Y90_liver"]
    radius = 0.5 * (edges[1:] + edges[:-1])
    step = LAYER_MM * g_per_ml / LIVER_G_PER_ML
    depth = (np.arange(LUNG_LAYERS * 50) + 0.5) / 50 * step
    dose = np.array([np.sum(share * 0.5 * np.maximum(0.0, 1.0 - t / radius)) for t in depth])
    return dose.reshape(LUNG_LAYERS, 50).mean(axis=1)


def _worst(profile, expected, allowed):
    mean, sd = (part[FIRST] for part in _mean_sd(profile))
    return float(np.max(np.abs(mean - expected[:4]) / (allowed * expected[:4] + SIGMAS * sd)))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("lung_first", [False, True])
def test_light_liver_beside_liver_is_the_closed_form(runs, electrons, axis, lung_first):
    profile = _profile(runs, electrons, how=runs.How(QUICK, seed=3), lung=LIVER, axis=axis, lung_first=lung_first)
    assert _worst(profile, _closed_form(electrons), LAYER) <= 1.0


@pytest.mark.slow
def test_lung_beside_liver_is_the_closed_form_but_for_its_composition(runs, electrons):
    profile = _profile(runs, electrons, how=runs.How(LONG, seed=3))
    assert _worst(profile, _closed_form(electrons), COMPOSITION) <= 1.0


def test_first_lung_voxel_reads_037_of_the_plateau(runs, electrons):
    mean, sd = _mean_sd(_profile(runs, electrons, how=runs.How(QUICK, seed=4)))
    assert mean[LIVER_LAYERS] == pytest.approx(0.37, abs=0.005 + SIGMAS * sd[LIVER_LAYERS])  # printed to two figures


@pytest.mark.slow
def test_first_lung_voxels_with_many_small_steps(runs, electrons):
    """The settings for patients against four turns for one, collisions from 50 keV, no cut-off."""
    usual, usual_sd = _mean_sd(_profile(runs, electrons, how=runs.How(LONG, seed=5)))
    fine, fine_sd = _mean_sd(_profile(runs, electrons, how=runs.How(LONG // 3, seed=6, physics=runs.FINE)))
    difference = np.abs(usual - fine)[NEAR]
    assert (difference <= INVARIANT * fine[NEAR] + SIGMAS * np.hypot(usual_sd, fine_sd)[NEAR]).all(), difference / fine[NEAR]


def _change(runs, electrons, cut_mev):
    """Relative change of each layer near the surface with another cut-off; the same random numbers, so hardly any noise."""
    how = runs.How(QUICK, seed=7)
    usual = _profile(runs, electrons, how=how)
    other = _profile(runs, electrons, how=runs.How(QUICK, seed=7, physics=Physics(cut_mev=cut_mev)))
    change = (other - usual) / usual.mean(axis=0)
    mean, sd = _mean_sd(change[:, NEAR])
    return np.maximum(np.abs(mean) - SIGMAS * sd, 0.0)


@pytest.mark.parametrize("cut_mev", [0.02, 0.03])
def test_cut_off_below_50_kev_changes_nothing(runs, electrons, cut_mev):
    assert _change(runs, electrons, cut_mev).max() <= INVARIANT


def test_mutant_cut_off_at_200_kev_is_seen_in_lung_only(runs, electrons):
    change = _change(runs, electrons, 0.2)
    assert change[2:].max() > INVARIANT
    assert change[0] <= INVARIANT


def test_mutant_flights_that_do_not_stop_where_the_medium_changes(runs, electrons, monkeypatch):
    """Told that nothing differs nearby, the loop flies across surfaces with the density it started in: lung is 8 % off."""

    def nothing_differs(number, g_per_ml):
        clear = np.zeros(number.shape, np.uint8)
        clear[1:-1, 1:-1, 1:-1] = 1
        return clear

    monkeypatch.setattr(runs, "clear_voxels", nothing_differs)
    profile = _profile(runs, electrons, how=runs.How(QUICK, seed=3), lung=LIVER)
    assert _worst(profile, _closed_form(electrons), LAYER) > 1.0

"""The Monte Carlo engine: energy, threads, seeds, uncertainty, and what it refuses.

Oracles: the energy book, the convolution with the engine's own kernel in a homogeneous medium, the closed form of a uniform medium, and
a long plain run for the control variate.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from opensirt.radioembolisation.transport.montecarlo.engine import MonteCarlo, simulate
from opensirt.radioembolisation.transport.montecarlo.kernels import own_voxel_kernel
from opensirt.radioembolisation.transport.montecarlo.media_map import media_by_name, media_by_tissue
from opensirt.radioembolisation.transport.montecarlo.outcome import Goal, Reduction, Run, Wanted
from opensirt.radioembolisation.transport.montecarlo.photons import convolved
from opensirt.radioembolisation.transport.montecarlo.spectra import electron_spectrum
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import GridMismatch, InvalidValue, UnsupportedInput
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import HO166, Y90
from opensirt.vocabulary.threads import threads, use_threads
from opensirt.vocabulary.volumes import ActivityMap, DensityMap, Mask

pytestmark = pytest.mark.slow

CLOSES = 1e-6
"""Dose maps are single precision, transforms too."""
SIGMAS = 4.0
ESCAPES = 0.0037
"""Part of the energy that photons carry out of a cube of 5 cm: 0.43 % is radiated, 0.06 % absorbed within 2 cm (the packaged kernel)."""


def _grid(shape=(9, 10, 11), spacing=(3.0, 3.0, 3.0)):
    return Grid(shape, np.diag([*spacing, 1.0]))


def _activity(bq_per_ml, grid, nuclide=Y90):
    return ActivityMap(np.asarray(bq_per_ml, dtype=np.float32), grid, nuclide, datetime(2026, 1, 5, 9, 0, tzinfo=UTC))


def _run(histories=100_000, *, seed=1, reduction=Reduction.NONE, wanted=(), nuclide="Y-90", relative=1e-3, allowed_s=1e9):
    goal = Goal(wanted, relative, largest_histories_number=histories, allowed_s=allowed_s)
    return Run(electron_spectrum(nuclide), goal, seed, reduction)


@pytest.fixture
def scene():
    """Liver beside lung, a hot voxel in the liver, a little activity in the lung, away from the grid's edge."""
    grid = _grid((14, 13, 12))
    number = np.zeros(grid.shape, dtype=np.uint8)
    number[8:] = 1
    bq = np.zeros(grid.shape)
    bq[4:8, 4:9, 4:8] = 1e5
    bq[5, 6, 6] = 5e5
    bq[8, 5:7, 5:7] = 1e4
    density = DensityMap(np.where(number == 1, 0.26, 1.06), grid)
    return _activity(bq, grid), density, media_by_name(("liver", "lung"), number, grid)


@pytest.fixture
def give_threads():
    before = threads()
    yield use_threads
    use_threads(before)


@pytest.mark.parametrize("nuclide", [Y90, HO166])
def test_the_energy_book_closes(scene, nuclide):
    activity, density, media = scene
    activity = _activity(activity.bq_per_ml, activity.grid, nuclide)
    book = simulate(activity, density, media, nuclide.dose_constant(), run=_run(20_000, nuclide=nuclide.name)).result.energy
    assert abs(book.difference_j) < CLOSES * book.emitted_j
    assert 0.0 < book.left_grid_j < 0.2 * book.emitted_j


@pytest.mark.parametrize("reduction", list(Reduction))
def test_the_same_bits_on_any_number_of_threads(scene, give_threads, reduction):
    doses = []
    for count in (1, 2, 3):
        give_threads(count)
        done = simulate(*scene, Y90.dose_constant(), run=_run(20_000, reduction=reduction))
        doses.append((done.result.dose.dose_gy.tobytes(), done.uncertainty.uncertainty_gy.tobytes()))
    assert doses[0] == doses[1] == doses[2]


def test_seeds_give_other_noise_and_the_same_dose(scene):
    one, two = (simulate(*scene, Y90.dose_constant(), run=_run(60_000, seed=seed)) for seed in (1, 2))
    difference = one.result.dose.dose_gy - two.result.dose.dose_gy
    sigma = np.hypot(one.uncertainty.uncertainty_gy, two.uncertainty.uncertainty_gy)
    held = one.result.dose.dose_gy > 0.1 * one.result.dose.dose_gy.max()
    z = difference[held] / sigma[held]
    # 20 batches each: z follows Student's t with about 38 degrees of freedom, standard deviation 1.027
    assert np.std(z) == pytest.approx(1.027, abs=SIGMAS * 1.3 / np.sqrt(2 * held.sum()) * 2)


def test_a_homogeneous_medium_is_the_convolution():
    grid = _grid((15, 15, 15))
    number = np.zeros(grid.shape, dtype=np.uint8)
    bq = np.zeros(grid.shape, dtype=np.float32)
    bq[6:9, 5:10, 6:8] = 1e5
    bq[7, 7, 7] = 3e5
    activity, density = _activity(bq, grid), DensityMap(np.full(grid.shape, 1.06), grid)
    spectrum = electron_spectrum("Y-90")
    run = _run(200_000)
    done = simulate(activity, density, media_by_name(("liver",), number, grid), Y90.dose_constant(), run=run)
    medium = media_by_name(("liver",), number, grid).media[0]
    kernel = own_voxel_kernel(
        "Y-90", spectrum.energies_mev, (3.0, 3.0, 3.0), medium=medium, density_g_per_ml=1.06, physics=run.physics
    )
    followed = spectrum.mean_mev * spectrum.electrons_per_decay / spectrum.electron_mev
    exact = convolved(bq, kernel.voxel.fraction) / bq.sum() * followed
    emitted = done.result.energy.emitted_j
    mass_kg = 1.06 * grid.voxel_volume_ml / 1000.0
    known = exact / mass_kg * emitted
    # photons and slow electrons are 0.3 % of the dose here, a tenth of a sigma
    z = (done.result.dose.dose_gy - known) / np.maximum(done.uncertainty.uncertainty_gy, 1e-9)
    held = known > 0.02 * known.max()
    assert held.sum() > 100
    assert np.abs(z[held]).max() < 5.0  # Student's t of 19 degrees, 300 voxels
    assert np.std(z[held]) == pytest.approx(1.06, abs=0.2)
    assert done.result.dose.dose_gy.sum() == pytest.approx(known.sum(), rel=6e-3)


@pytest.mark.parametrize("reduction", list(Reduction))
def test_a_uniform_medium_takes_what_it_emits(reduction):
    grid = _grid((13, 13, 13), (4.0, 4.0, 4.0))
    activity = _activity(np.full(grid.shape, 1e5), grid)
    density = DensityMap(np.full(grid.shape, 1.04), grid)
    run = _run(100_000, reduction=reduction)
    done = simulate(activity, density, media_by_tissue(density, ()), Y90.dose_constant(), run=run)
    inside = np.s_[4:-4, 4:-4, 4:-4]  # 16 mm from the edge
    dose, sigma = done.result.dose.dose_gy[inside], done.uncertainty.uncertainty_gy[inside]
    expected = Y90.dose_constant().value * 1e5 / 1e9 / 1.04 * 1000.0 * (1.0 - ESCAPES)
    statistical = np.sqrt((sigma.astype(float) ** 2).sum()) / sigma.size
    assert dose.mean(dtype=float) == pytest.approx(expected, abs=SIGMAS * statistical + 0.001 * expected)


def test_the_control_variate_agrees_with_a_plain_run(scene):
    plain = simulate(*scene, Y90.dose_constant(), run=_run(400_000, seed=3))
    reduced = simulate(*scene, Y90.dose_constant(), run=_run(100_000, seed=4, reduction=Reduction.CONTROL_VARIATE))
    dose = plain.result.dose.dose_gy
    held = dose > 0.05 * dose.max()
    sigma = np.hypot(plain.uncertainty.uncertainty_gy, reduced.uncertainty.uncertainty_gy)
    z = (reduced.result.dose.dose_gy - dose)[held] / sigma[held]
    assert np.abs(z).max() < 5.0
    assert abs(z.mean()) * np.sqrt(held.sum()) < 3.0 * SIGMAS  # neighbours are correlated
    assert np.std(z) == pytest.approx(1.03, abs=0.2)


def test_the_control_variate_takes_noise_out_of_the_liver(scene):
    activity, density, media = scene
    plain, reduced = (
        simulate(activity, density, media, Y90.dose_constant(), run=_run(100_000, seed=5, reduction=reduction))
        for reduction in (Reduction.NONE, Reduction.CONTROL_VARIATE)
    )
    deep = np.s_[4:6, 4:9, 4:8]  # 6 mm and more from the lung
    gain = plain.uncertainty.uncertainty_gy[deep] / reduced.uncertainty.uncertainty_gy[deep]
    assert np.median(gain) > 10.0


def test_voxels_that_are_hardly_hit_keep_what_the_kernel_knows(scene):
    few, many = (
        simulate(*scene, Y90.dose_constant(), run=_run(histories, seed=8, reduction=Reduction.CONTROL_VARIATE))
        for histories in (1_000, 100_000)
    )
    deep = np.s_[4:6, 4:9, 4:8]  # 6 mm and more from the lung
    assert few.result.dose.dose_gy[deep] == pytest.approx(many.result.dose.dose_gy[deep], rel=0.05)


def test_split_histories_agree_with_a_plain_run_in_lung(scene):
    activity, density, media = scene
    bq = np.array(activity.bq_per_ml)
    bq[8] = 0.0  # all light falls in from outside
    activity = _activity(bq, activity.grid)
    lung = np.zeros(activity.grid.shape, dtype=bool)
    lung[8:13, 3:10, 3:9] = True
    wanted = (Wanted(Mask(lung, activity.grid, Structure(StructureKind.LUNGS)), 1e-3),)
    plain = simulate(activity, density, media, Y90.dose_constant(), run=_run(600_000, seed=6))
    run = _run(200_000, seed=7, reduction=Reduction.CONTROL_VARIATE, wanted=wanted)
    split = simulate(activity, density, media, Y90.dose_constant(), run=run)
    one, two = plain.result.dose.dose_gy[lung], split.result.dose.dose_gy[lung]
    sigma = [done.uncertainty.uncertainty_gy[lung] for done in (plain, split)]
    z = (two - one) / np.hypot(*sigma)
    assert np.abs(z).max() < 5.0
    assert np.std(z) == pytest.approx(1.03, abs=0.25)
    assert two.sum() == pytest.approx(one.sum(), rel=0.01)
    assert np.median(sigma[0] ** 2 / sigma[1] ** 2) > 2.0  # with a third of the histories


def test_contrast_medium_inside_the_contour_changes_no_dose(scene):
    activity, density, _ = scene
    grid = activity.grid
    liver = np.zeros(grid.shape, dtype=bool)
    liver[:8] = True
    mask = Mask(liver, grid, Structure(StructureKind.LIVER))
    dense = DensityMap(np.where(liver, 1.28, density.g_per_ml), grid)
    as_liver = media_by_tissue(dense, [mask])
    assert {medium.name for medium in as_liver.media} == {"lung", "liver"}
    assert {medium.name for medium in media_by_tissue(dense, ()).media} == {"lung", "bone"}


def test_an_interrupt_keeps_what_was_scored(scene):
    def watch(progress):
        seen.append(progress)
        if len(seen) == 8:
            raise KeyboardInterrupt

    seen = []
    done = simulate(*scene, Y90.dose_constant(), run=_run(200_000), watch=watch)
    assert done.batches == 8
    assert [f.code for f in done.findings if f.code == "montecarlo.interrupted"]
    assert 0.0 < done.result.dose.dose_gy.max() and done.uncertainty.uncertainty_gy.max() > 0.0
    assert abs(done.result.energy.difference_j) < CLOSES * done.result.energy.emitted_j
    assert seen[0].left_s > seen[-1].left_s > 0.0


def test_an_interrupt_before_anything_was_scored_goes_on(scene):
    def watch(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(*scene, Y90.dose_constant(), run=_run(200_000), watch=watch)


def test_a_goal_is_reached_and_said(scene):
    activity, density, media = scene
    hot = np.zeros(activity.grid.shape, dtype=bool)
    hot[5:7, 5:8, 5:7] = True
    mask = Mask(hot, activity.grid, Structure(StructureKind.TUMOUR, "T1"))
    run = _run(50_000_000, wanted=(Wanted(mask, 0.02),))
    done = simulate(activity, density, media, Y90.dose_constant(), run=run)
    (reached,) = done.reached
    assert reached.region == "tumour.T1" and reached.rms_relative <= 0.02
    assert done.histories < 2_000_000 and done.findings == ()


def test_a_goal_that_takes_far_too_long_is_refused_with_an_estimate(scene):
    with pytest.raises(InvalidValue, match=r"takes about .* histories, .* on this machine"):
        simulate(*scene, Y90.dose_constant(), run=_run(10**15, relative=1e-5, allowed_s=5.0))


def test_a_goal_out_of_reach_is_a_finding(scene):
    done = simulate(*scene, Y90.dose_constant(), run=_run(20_000, relative=1e-3))
    assert {f.code for f in done.findings} == {"montecarlo.goal_out_of_reach", "montecarlo.goal_not_reached"}


def test_what_it_refuses(scene):
    activity, density, media = scene
    constant = Y90.dose_constant()
    other = _grid((14, 13, 12), (3.0, 3.0, 3.1))
    with pytest.raises(GridMismatch):
        simulate(activity, DensityMap(density.g_per_ml, other), media, constant, run=_run(1000))
    with pytest.raises(InvalidValue, match="spectrum of Ho-166"):
        simulate(activity, density, media, constant, run=_run(1000, nuclide="Ho-166"))
    with pytest.raises(InvalidValue, match="no activity"):
        simulate(_activity(np.zeros(activity.grid.shape), activity.grid), density, media, constant, run=_run(1000))
    with pytest.raises(InvalidValue, match="no mass"):
        simulate(activity, DensityMap(np.zeros(activity.grid.shape), activity.grid), media, constant, run=_run(1000))
    wide = _grid(activity.grid.shape, (25.0, 25.0, 25.0))
    with pytest.raises(InvalidValue, match="'local'"):
        wide_density = DensityMap(density.g_per_ml, wide)
        simulate(_activity(activity.bq_per_ml, wide), wide_density, media_by_tissue(wide_density, ()), constant, run=_run(1000))
    with pytest.raises(UnsupportedInput):
        electron_spectrum("F-18")
    with pytest.raises(InvalidValue, match="empty"):
        Wanted(Mask(np.zeros(activity.grid.shape, bool), activity.grid, Structure(StructureKind.LIVER)), 0.01)
    with pytest.raises(InvalidValue):
        Goal(relative_uncertainty=0.0)


def test_voxels_without_mass_take_no_dose_and_the_book_still_closes(scene):
    activity, density, media = scene
    hollow = np.array(density.g_per_ml)
    hollow[9:11] = 0.0
    done = simulate(activity, DensityMap(hollow, activity.grid), media, Y90.dose_constant(), run=_run(20_000))
    assert done.result.dose.dose_gy[9:11].max() < 0.01 * done.result.dose.dose_gy.max()  # photons alone
    assert abs(done.result.energy.difference_j) < CLOSES * done.result.energy.emitted_j


def test_axes_and_anisotropy_do_not_matter(scene):
    activity, density, media = scene
    grid = Grid(activity.grid.shape, np.diag([2.0, 3.0, 4.0, 1.0]))
    one = simulate(
        _activity(activity.bq_per_ml, grid), DensityMap(density.g_per_ml, grid), media_by_name(("liver", "lung"), media.number, grid),
        Y90.dose_constant(), run=_run(200_000),
    )  # fmt: skip
    turned = Grid(tuple(np.array(grid.shape)[[2, 0, 1]]), np.diag([4.0, 2.0, 3.0, 1.0]))

    def turn(array):
        return np.ascontiguousarray(np.transpose(array, (2, 0, 1)))

    two = simulate(
        _activity(turn(activity.bq_per_ml), turned), DensityMap(turn(density.g_per_ml), turned),
        media_by_name(("liver", "lung"), turn(media.number), turned), Y90.dose_constant(), run=_run(200_000, seed=2),
    )  # fmt: skip
    other = [np.transpose(array, (1, 2, 0)) for array in (two.result.dose.dose_gy, two.uncertainty.uncertainty_gy)]
    held = one.result.dose.dose_gy > 0.05 * one.result.dose.dose_gy.max()
    z = (other[0] - one.result.dose.dose_gy)[held] / np.hypot(other[1], one.uncertainty.uncertainty_gy)[held]
    assert np.abs(z).max() < 5.0
    assert np.std(z) == pytest.approx(1.03, abs=0.2)


def test_the_engine_of_the_protocol(scene):
    activity, density, _ = scene
    told = []
    result = MonteCarlo().dose(activity, density, Y90.dose_constant(), told.append)
    assert result.engine == "montecarlo" and told[-1] == 1.0
    assert abs(result.energy.difference_j) < 0.01 * result.energy.emitted_j

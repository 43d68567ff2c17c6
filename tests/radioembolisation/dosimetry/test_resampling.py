"""Resampled metrics against the budget of the means, closed forms of dose in a sphere, and fields whose truth is known."""

from __future__ import annotations

import math

import attrs
import numpy as np
import pytest
from scipy import ndimage

from opensirt.radioembolisation.dosimetry import _texture as texture
from opensirt.radioembolisation.dosimetry._fine_liver import fine_liver, fine_masks, sharp
from opensirt.radioembolisation.dosimetry._pieces import emission_of
from opensirt.radioembolisation.dosimetry.resampling import (
    UNEVEN,
    ShapeErrors,
    d_percent,
    factor_of,
    geud,
    mean_dose,
    resample_metrics,
    resampling_state,
    tcp,
    v_dose,
)
from opensirt.radioembolisation.transport.point_kernels import point_kernel
from opensirt.radioembolisation.workup.compartments import ErrorModel, compartment_uptake
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import InvalidValue, MissingInput
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.threads import threads, use_threads
from opensirt.vocabulary.volumes import DoseMap, Occupancy
from radioembolisation.workup.phantom import GRID, scout

pytestmark = pytest.mark.slow

SAMPLES = 200
SPREAD_TOLERANCE = 0.20
"""Relative, of a standard deviation from 200 draws: four of its own standard deviations, 1/√(2 · 200) each."""
SPHERE_TOLERANCE = 0.02
"""Relative: a sphere of 14 or 21 mm in voxels of 2 mm against the closed form; its radius is known to 0.1 mm."""


def silent(_: float) -> None:
    """Nobody reads the progress."""


@pytest.fixture(scope="module")
def known():
    image, _ = scout(seed=3)
    uptake = compartment_uptake(image, ErrorModel(), silent)
    means = {
        "tumour.T1": Measured(150.0, {"contour.tumour.T1": 12.0, "dose_constant": 0.5}),
        "tumour.T2": Measured(120.0, {"contour.tumour.T2": 18.0, "dose_constant": 0.4}),
        "normal_liver.right": Measured(30.0, {"contour.liver": -1.5, "dose_constant": 0.1}),
        "normal_liver.left": Measured(30.0, {"contour.liver": -1.5, "dose_constant": 0.1}),
        "lungs": Measured(8.0, {"lung_density": 0.8, "lung_quantification": 0.5}),
    }
    tumours = np.minimum(np.sum([t.fraction for t in image.tumours], axis=0), np.float32(1.0))
    normal = np.maximum(image.liver.fraction - tumours, np.float32(0.0))
    dose = 150.0 * image.tumours[0].fraction + 120.0 * image.tumours[1].fraction + 30.0 * normal + 8.0 * image.lungs[0].fraction
    regions = (*image.tumours, Occupancy(normal, GRID, Structure(StructureKind.NORMAL_LIVER)), image.lungs[0])
    return image, uptake, means, DoseMap(dose.astype(np.float32), GRID), regions


@pytest.fixture(scope="module")
def state(known):
    image, uptake, means, dose, regions = known
    return resampling_state(image, uptake, dose, means, regions, ShapeErrors(), "Y-90")


METRICS = [
    mean_dose("tumour.T1"),
    mean_dose("tumour.T2"),
    d_percent("tumour.T1", 95.0),
    d_percent("tumour.T1", 50.0),
    v_dose("tumour.T1", 140.0),
    geud("tumour.T1", -5.0),
    tcp("tumour.T1", "TCP", lambda histogram: float(np.exp(-20.0 * np.exp(-0.02 * histogram.mean_gy)))),
    mean_dose("normal_liver"),
    v_dose("normal_liver", 30.0),
    mean_dose("lungs"),
]


@pytest.fixture(scope="module")
def drawn(state):
    return resample_metrics(state, METRICS, samples=SAMPLES, generator=np.random.default_rng(7), report=silent)


def test_the_same_seed_gives_the_same_numbers_on_any_number_of_threads(state, drawn) -> None:
    before = threads()
    try:
        for count in (1, 3):
            use_threads(count)
            again = resample_metrics(state, METRICS, samples=SAMPLES, generator=np.random.default_rng(7), report=silent)
            for one, other in zip(drawn.metrics, again.metrics, strict=True):
                np.testing.assert_array_equal(one.draws, other.draws)
    finally:
        use_threads(before)
    other = resample_metrics(state, METRICS, samples=SAMPLES, generator=np.random.default_rng(8), report=silent)
    assert other.metrics[0].value != drawn.metrics[0].value


@pytest.mark.parametrize("key", ["tumour.T1", "tumour.T2", "lungs"])
def test_means_keep_the_budget_of_the_means(known, drawn, key: str) -> None:
    """Median and spread are those that first-order propagation states; what crosses a lesion's edge from its surroundings dilutes it a little."""
    stated = known[2][key]
    found = drawn.of(key, "mean")
    assert found.value == pytest.approx(stated.value, rel=0.02)
    assert found.standard_uncertainty == pytest.approx(stated.standard_uncertainty, rel=SPREAD_TOLERANCE)
    low, high = stated.lognormal_interval_90
    assert found.low == pytest.approx(low, rel=0.05) and found.high == pytest.approx(high, rel=0.05)


def test_order_and_ends(drawn) -> None:
    for found in drawn.metrics:
        assert found.low <= found.value <= found.high
    assert drawn.of("tumour.T1", "D95").value < drawn.of("tumour.T1", "D50").value
    assert drawn.of("tumour.T1", "gEUD(-5)").value < drawn.of("tumour.T1", "mean").value
    assert 0.0 <= drawn.of("tumour.T1", "V140").low and drawn.of("tumour.T1", "V140").high <= 100.0


def test_shares_of_variance(drawn) -> None:
    for found in drawn.metrics:
        assert math.fsum(found.variance_share.values()) == pytest.approx(1.0, abs=1e-3)
    mean = drawn.of("tumour.T2", "mean")
    assert mean.largest_source == "contour.tumour.T2" and mean.variance_share["contour.tumour.T2"] > 0.9
    assert drawn.of("lungs", "mean").variance_share["lung_density"] == pytest.approx(0.64 / 0.89, abs=0.1)
    assert drawn.of("tumour.T1", "D95").variance_share[UNEVEN] > 0.03


def test_without_any_source_nothing_moves(known) -> None:
    image, uptake, means, dose, regions = known
    still = attrs.evolve(
        uptake,
        fwhm_mm=Measured(uptake.fwhm_mm.value),
        shift_mm=tuple(Measured(shift.value) for shift in uptake.shift_mm),
    )
    none = {key: Measured(value.value) for key, value in means.items()}
    shape = ShapeErrors(
        contour_mm=0.0,
        contour_local_mm=0.0,
        tumour_prior=texture.TexturePrior(1e-3, 0.01),
        liver_prior=texture.TexturePrior(1e-3, 0.01),
    )
    fixed = resampling_state(image, still, dose, none, regions, shape, "Y-90")
    found = resample_metrics(fixed, METRICS[:4], samples=20, generator=np.random.default_rng(1), report=silent)
    for metric in found.metrics:
        assert metric.high - metric.low < 0.08 * metric.value


def test_what_cannot_be_asked(known, state) -> None:
    image, uptake, means, dose, regions = known
    with pytest.raises(InvalidValue, match="19 draws"):
        resample_metrics(state, METRICS, samples=19, generator=np.random.default_rng(1), report=silent)
    with pytest.raises(InvalidValue, match="spleen"):
        resample_metrics(state, [mean_dose("spleen")], samples=20, generator=np.random.default_rng(1), report=silent)
    for missing in ("tumour.T1", "lungs"):
        fewer = {key: value for key, value in means.items() if key != missing}
        with pytest.raises(MissingInput, match=missing):
            resampling_state(image, uptake, dose, fewer, regions, ShapeErrors(), "Y-90")


def test_a_factor_is_log_normal_about_the_stated_value() -> None:
    measured = Measured(50.0, {"a": 6.0, "b": -8.0})
    assert factor_of(measured, {"a": 0.0, "b": 0.0}) == 1.0
    both = factor_of(measured, {"a": 0.6 * 1.6448536269514722, "b": -0.8 * 1.6448536269514722})
    assert 50.0 * both == pytest.approx(measured.lognormal_interval_90[1], rel=1e-12)


def sphere_keeps(radius_mm: float) -> float:
    """Share of the energy that a sphere of uniform activity keeps: a path r from a random point stays inside with 1 − 3r/4R + r³/16R³."""
    kernel = point_kernel("Y-90", "soft").at_density(1.04)
    middle = (kernel.edges_mm[:-1] + kernel.edges_mm[1:]) / 2.0
    x = np.minimum(middle / radius_mm, 2.0)
    near = middle < 12.0
    kept = kernel.origin_fraction + np.sum((kernel.fraction * (1.0 - 0.75 * x + x**3 / 16.0))[near])
    return float(kept / (kernel.origin_fraction + kernel.fraction[near].sum()))


@pytest.mark.parametrize(("key", "radius_mm"), [("tumour.T1", 21.0), ("tumour.T2", 14.0)])
def test_a_tumour_keeps_of_its_own_dose_what_a_sphere_keeps(known, key: str, radius_mm: float) -> None:
    image, uptake, means, _, _ = known
    emission = emission_of(image, uptake, 1.0)
    fine = fine_liver(fine_masks(emission.layout, emission.box, emission.spacing), means, "Y-90")
    box, inside = fine.masks.inside[key]
    own = float(fine.read(key, box)[inside].mean()) / means[key].value
    assert own == pytest.approx(sphere_keeps(radius_mm), rel=SPHERE_TOLERANCE)
    assert inside.sum() * fine.masks.voxel_ml == pytest.approx(4.0 / 3.0 * math.pi * radius_mm**3 / 1000.0, rel=0.02)


def test_sharp_masks_keep_the_volume() -> None:
    rng = np.random.default_rng(5)
    smooth = ndimage.gaussian_filter(rng.standard_normal((20, 22, 24)), 3.0)
    occupancy = np.clip(0.5 + 20.0 * smooth, 0.0, 1.0).astype(np.float32)
    mask = sharp(occupancy, (2, 3, 2))
    assert mask.shape == (40, 66, 48)
    assert mask.sum() / 12.0 == pytest.approx(float(occupancy.sum()), rel=0.01)
    assert not sharp(np.zeros((3, 3, 3), np.float32), (2, 2, 2)).any()


SPACING = np.array([4.0, 4.0, 4.0])
SIGMA_MM = 5.0
DELTA = np.ones((1, 1, 1))
"""A kernel that spreads nothing: what is drawn is uptake."""


def field(spread: float, length_mm: float, rng: np.random.Generator, shape=(24, 24, 24)) -> np.ndarray:
    """White noise through a Gaussian of ℓ/√2: covariance σ² exp(−r²/2ℓ²), made in space, not by the code's own spectrum."""
    white = ndimage.gaussian_filter(rng.standard_normal(shape), length_mm / math.sqrt(2.0) / 4.0, mode="wrap", truncate=6.0)
    norm = ndimage.gaussian_filter(np.pad([[[1.0]]], 12), length_mm / math.sqrt(2.0) / 4.0, truncate=6.0)
    return spread * white / np.sqrt(np.sum(norm**2))


def test_draws_given_an_image_hold_the_truth() -> None:
    """Truth minus the mean of all draws spreads as the draws do, and the mean is nearer to the truth than what was seen."""
    spread, length, noise = 0.3, 9.0, 0.01
    rng = np.random.default_rng(11)
    errors, draws, plain = [], [], []
    for _ in range(12):
        truth = field(spread, length, rng)
        blurred = ndimage.gaussian_filter(truth, SIGMA_MM / 4.0, mode="wrap", truncate=6.0)
        seen = (blurred + rng.normal(0.0, math.sqrt(noise), truth.shape)).astype(np.float32)
        squared = texture.squared_frequency(truth.shape, SPACING)
        blur = np.exp(np.float32(-0.5 * SIGMA_MM**2) * squared)
        one = texture.kernel_transform(DELTA, truth.shape)
        kept = texture.TextureField(
            truth.shape, np.fft.rfftn(seen).astype(np.complex64), squared, blur, one, noise - texture.MISFIT_RELATIVE**2, 64.0
        )
        mean = kept.expected(spread, length)
        errors.append(truth - mean)
        draws.append(kept.draw(spread, length, rng) - mean)
        plain.append(truth - seen)
    assert np.std(draws) == pytest.approx(np.std(errors), rel=0.05)
    assert np.std(errors) < 0.9 * np.std(plain) and np.std(errors) < 0.9 * spread


@pytest.mark.parametrize("spread", [0.12, 0.35])
def test_unevenness_is_found_again(spread: float) -> None:
    """Of 24³ voxels: near the truth at the true length; spread and length together are told apart less well, and the draws say so."""
    rng = np.random.default_rng(17)
    seen = ndimage.gaussian_filter(field(spread, 10.0, rng), SIGMA_MM / 4.0, mode="wrap") + rng.normal(0.0, 0.07, (24, 24, 24))
    residual = texture.Residual(seen.astype(np.float32), np.ones(seen.shape, dtype=bool), 0.005, np.ones(seen.shape, dtype=bool))
    found = texture.fitted_texture([residual], SPACING, SIGMA_MM, texture.TexturePrior(0.25, 0.7))
    at_length = found.weight[:, texture.LENGTHS_MM.index(10.0)]
    assert at_length @ np.array(texture.SPREADS) / at_length.sum() == pytest.approx(spread, rel=0.2)
    low, high = (found.drawn(z)[0] for z in (-1.645, 1.645))
    assert low <= spread <= high and high < 4.0 * spread


def test_without_an_image_the_prior_stands() -> None:
    found = texture.fitted_texture([], SPACING, SIGMA_MM, texture.TexturePrior(0.30, 0.5))
    drawn = [found.drawn(z)[0] for z in np.random.default_rng(2).standard_normal(4000)]
    assert np.median(drawn) == pytest.approx(0.30, rel=0.1)
    assert np.std(np.log(drawn)) == pytest.approx(0.5, rel=0.1)

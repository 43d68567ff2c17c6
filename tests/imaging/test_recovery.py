"""Partial-volume recovery against phantoms whose contents and blur are known; the blur is scipy's, on the whole grid, told to nobody."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from opensirt.imaging.recovery import (
    NARROWER_MM,
    WIDER_MM,
    WIDTHS_MM,
    Region,
    aligned,
    blurred,
    estimate_blur,
    lowest_mm,
    model,
    recover,
)
from opensirt.vocabulary.errors import InvalidValue
from strategies import grid_about

pytestmark = pytest.mark.slow

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
GRID = grid_about((12.0, -30.0, 55.0), (46, 54, 40), (4.0, 3.1, 4.6), (7.0, -11.0, 16.0))
TRUE_FWHM_MM = 12.4
"""Between the trial widths 11 and 13.5 mm: the parabola has to find it."""
EXACT = 2e-4
"""Relative: float32 maps and the blur's cut-off at 3.5 against 4 standard deviations are all that differ."""
WIDTH_TOLERANCE_MM = 0.35
"""Noise-free phantom; a parabola over trial widths 2.5 mm apart is not exact."""

RIM_TOLERANCE_MM = 0.6
"""A rim is a linear correction; the square of 1 mm remains and adds 1 mm² of variance, 0.2 mm of width, and the parabola its own."""


def sphere(centre_mm, radius_mm) -> np.ndarray:
    """Occupancy of a sphere by 4³ points per voxel."""
    offsets = (np.arange(4) - 1.5) / 4.0
    index = np.stack(np.meshgrid(*[np.arange(n) for n in GRID.shape], indexing="ij"), axis=-1).astype(float)
    inside = np.zeros(GRID.shape)
    for a in offsets:
        for b in offsets:
            for c in offsets:
                distance = np.linalg.norm(GRID.lps_mm(index + np.array([a, b, c])) - np.asarray(centre_mm), axis=-1)
                inside += distance < radius_mm
    return (inside / 64.0).astype(np.float32)


def blur(array: np.ndarray, fwhm_mm: float) -> np.ndarray:
    return ndimage.gaussian_filter(
        array.astype(np.float64), fwhm_mm / FWHM_PER_SIGMA / GRID.spacing_mm, mode="constant", truncate=6.0
    )


@pytest.fixture(scope="module")
def phantom() -> tuple[tuple[Region, ...], np.ndarray]:
    """A liver of 62 mm with two lesions of 12 and 22 mm; true concentrations 10 : 60 : 35 counts per voxel."""
    small, large = sphere((30.0, -40.0, 60.0), 12.0), sphere((-8.0, -20.0, 45.0), 22.0)
    liver = np.maximum(sphere((12.0, -30.0, 55.0), 62.0) - small - large, 0.0)
    regions = tuple(Region(key, part, part) for key, part in (("liver", liver), ("small", small), ("large", large)))
    return regions, np.array([10.0, 60.0, 35.0])


def image(phantom, fwhm_mm=TRUE_FWHM_MM) -> np.ndarray:
    regions, truth = phantom
    return blur(sum(t * r.occupancy for t, r in zip(truth, regions, strict=True)), fwhm_mm).astype(np.float32)


def test_known_blur_gives_back_the_concentrations(phantom) -> None:
    regions, truth = phantom
    found = recover(image(phantom), regions, GRID.spacing_mm, TRUE_FWHM_MM)
    assert found.concentration == pytest.approx(truth, rel=EXACT)
    assert found.of("small") == pytest.approx(60.0, rel=EXACT)


def test_without_recovery_the_small_lesion_loses_a_third_and_more(phantom) -> None:
    """The phantom is a real test: blurred means are far from the truth (a sphere of 24 mm at 12.4 mm FWHM keeps about 60 %)."""
    regions, _ = phantom
    seen = image(phantom)
    part = regions[1].occupancy
    mean = float((part * seen).sum() / part.sum())
    assert mean < 45.0


def test_uneven_uptake_inside_a_lesion_does_no_harm_to_its_mean(phantom) -> None:
    """Only means enter: a checkered lesion of the same mean, blurred, recovers to that mean within what leaks over its edge."""
    regions, truth = phantom
    k, j, i = np.indices(GRID.shape)
    pattern = 1.0 + 0.5 * (((k // 3 + j // 3 + i // 3) % 2) - 0.5)
    part = regions[2].occupancy
    pattern *= part.sum() / (part * pattern).sum()
    maps = [r.occupancy for r in regions]
    maps[2] = maps[2] * pattern
    seen = blur(sum(t * m for t, m in zip(truth, maps, strict=True)), TRUE_FWHM_MM).astype(np.float32)
    found = recover(seen, regions, GRID.spacing_mm, TRUE_FWHM_MM)
    assert found.of("large") == pytest.approx(35.0, rel=0.03)


def near(phantom) -> np.ndarray:
    return ndimage.binary_dilation(sum(r.occupancy for r in phantom[0]) > 0.5, iterations=5)


@pytest.mark.parametrize("truth_mm", [9.3, 12.4, 14.8])
def test_width_is_found_from_the_image_alone(phantom, truth_mm: float) -> None:
    blur_found = estimate_blur(image(phantom, truth_mm), phantom[0], GRID.spacing_mm, near(phantom), [], lambda _: None)
    assert blur_found.fwhm_mm.value == pytest.approx(truth_mm, abs=WIDTH_TOLERANCE_MM)
    assert blur_found.fwhm_mm.contributions["psf_width"] >= 0.03 * blur_found.fwhm_mm.value * (1.0 - 1e-12)
    assert [shift.value for shift in blur_found.shift_mm] == pytest.approx([0.0, 0.0, 0.0], abs=0.1)


@pytest.mark.parametrize("truth_mm", [5.0, 25.5])
def test_a_width_beyond_the_usual_ones_is_searched_for(phantom, truth_mm: float) -> None:
    """5 mm and 25.5 mm lie outside the trial widths of 6 to 23 mm; neither end is passed off as the answer."""
    found = estimate_blur(image(phantom, truth_mm), phantom[0], GRID.spacing_mm, near(phantom), [], lambda _: None)
    assert found.fwhm_mm.value == pytest.approx(truth_mm, abs=2.0 * WIDTH_TOLERANCE_MM)
    assert found.beyond == ""


def test_a_width_beyond_all_that_is_tried_says_so(phantom) -> None:
    found = estimate_blur(image(phantom, 50.0), phantom[0], GRID.spacing_mm, near(phantom), [], lambda _: None)
    assert (found.fwhm_mm.value, found.beyond) == (WIDER_MM[-1], "wide")
    regions, truth = phantom
    sharp = sum(t * r.occupancy for t, r in zip(truth, regions, strict=True)).astype(np.float32)
    found = estimate_blur(sharp, regions, GRID.spacing_mm, near(phantom), [], lambda _: None)
    assert (found.fwhm_mm.value, found.beyond) == (NARROWER_MM[-1], "narrow")


@given(st.floats(WIDTHS_MM[0], WIDTHS_MM[-1]), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_the_lowest_point_of_a_parabola_is_found_without_a_clamp(lowest: float, curvature: float, level: float) -> None:
    squares = [curvature * (width - lowest) ** 2 + level for width in WIDTHS_MM]
    n = int(np.argmin(squares))
    found = lowest_mm(WIDTHS_MM, squares)
    if n in (0, len(WIDTHS_MM) - 1):
        assert found == WIDTHS_MM[n]
    else:  # rounding of the level, in widths
        assert found == pytest.approx(lowest, abs=1e-9 + 1e-11 * (abs(level) + 1.0) / curvature)


@given(st.lists(st.floats(0.0, 1e6, allow_subnormal=False), min_size=len(WIDTHS_MM), max_size=len(WIDTHS_MM)))
def test_whatever_the_squares_the_point_lies_between_the_neighbours(squares: list[float]) -> None:
    n = int(np.argmin(squares))
    found = lowest_mm(WIDTHS_MM, squares)
    assert WIDTHS_MM[max(n - 1, 0)] <= found <= WIDTHS_MM[min(n + 1, len(WIDTHS_MM) - 1)]


def test_a_shift_is_found_and_does_not_pass_for_blur(phantom) -> None:
    """The image of contents moved by (5, -3, 4) mm; left in place the shift would widen 12.4 mm by the variance it adds, to 14 mm."""
    regions, truth = phantom
    moved = np.array([5.0, -3.0, 4.0])
    contents = sum(t * r.occupancy for t, r in zip(truth, regions, strict=True)).astype(np.float64)
    seen = ndimage.shift(blur(contents, TRUE_FWHM_MM), moved / GRID.spacing_mm, order=5).astype(np.float32)
    found = estimate_blur(seen, regions, GRID.spacing_mm, near(phantom), [], lambda _: None)
    assert [shift.value for shift in found.shift_mm] == pytest.approx(moved, abs=0.15)
    assert found.fwhm_mm.value == pytest.approx(TRUE_FWHM_MM, abs=WIDTH_TOLERANCE_MM)
    back = aligned(seen, moved.tolist(), GRID.spacing_mm)
    assert np.abs(back - image(phantom)).max() < 0.05


def test_a_contour_too_wide_does_not_pass_for_blur(phantom) -> None:
    """The liver drawn 1 mm too wide: with its rim as a possible error the width stays, without it the width is off by more."""
    regions, truth = phantom
    wide = np.maximum(sphere((12.0, -30.0, 55.0), 63.0) - regions[1].occupancy - regions[2].occupancy, 0.0)
    drawn = (Region("liver", wide, wide), *regions[1:])
    rim = sphere((12.0, -30.0, 55.0), 64.0) - sphere((12.0, -30.0, 55.0), 63.0)
    seen = image(phantom)
    found = estimate_blur(seen, drawn, GRID.spacing_mm, near(phantom), [rim], lambda _: None)
    plain = estimate_blur(seen, drawn, GRID.spacing_mm, near(phantom), [], lambda _: None)
    assert found.fwhm_mm.value == pytest.approx(TRUE_FWHM_MM, abs=RIM_TOLERANCE_MM)
    assert abs(plain.fwhm_mm.value - TRUE_FWHM_MM) > abs(found.fwhm_mm.value - TRUE_FWHM_MM)


def test_width_and_shift_under_poisson_noise_lie_within_four_of_their_own_standard_uncertainties(phantom) -> None:
    """Four values: one seed in 4 000 would fail by chance (4 sigma)."""
    seen = np.random.default_rng(3).poisson(np.maximum(image(phantom), 0.0)).astype(np.float32)
    found = estimate_blur(seen, phantom[0], GRID.spacing_mm, near(phantom), [], lambda _: None)
    assert abs(found.fwhm_mm.value - TRUE_FWHM_MM) < 4.0 * found.fwhm_mm.standard_uncertainty
    for shift in found.shift_mm:
        assert 0.0 < abs(shift.value) < 4.0 * max(shift.standard_uncertainty, 0.05)


def test_a_box_blur_equals_a_blur_of_the_whole_grid(phantom) -> None:
    part = phantom[0][1].occupancy
    assert np.abs(blurred(part, GRID.spacing_mm, 11.0) - blur(part, 11.0)).max() < 2e-3
    assert blurred(part, GRID.spacing_mm, 11.0).sum() == pytest.approx(float(part.sum()), rel=1e-5)


def test_blur_of_nothing_is_nothing() -> None:
    assert not blurred(np.zeros((4, 5, 6), np.float32), np.array([3.0, 4.0, 5.0]), 10.0).any()


def test_the_model_at_the_truth_is_the_image(phantom) -> None:
    regions, _ = phantom
    seen = image(phantom)
    found = recover(seen, regions, GRID.spacing_mm, TRUE_FWHM_MM)
    spread = [blurred(r.occupancy, GRID.spacing_mm, TRUE_FWHM_MM) for r in regions]
    assert np.abs(model(found, spread) - seen).max() < 0.02


def test_an_empty_region_is_named(phantom) -> None:
    regions, _ = phantom
    empty = Region("gone", np.zeros(GRID.shape, np.float32), np.zeros(GRID.shape, np.float32))
    with pytest.raises(InvalidValue, match="gone"):
        recover(image(phantom), (*regions, empty), GRID.spacing_mm, 10.0)


def test_two_masks_of_the_same_voxels_cannot_be_told_apart(phantom) -> None:
    regions, _ = phantom
    twin = Region("twin", regions[1].occupancy, regions[1].test)
    with pytest.raises(InvalidValue, match="cannot be told apart"):
        recover(image(phantom), (*regions, twin), GRID.spacing_mm, 10.0)

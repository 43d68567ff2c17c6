"""Lung shunt: published cases, noise by a hand formula, projected regions, and what cannot be computed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from opensirt.radioembolisation.workup.lung_shunt import (
    PLANAR_METHOD_RELATIVE,
    PlanarBackground,
    PlanarCounts,
    background_findings,
    compared,
    planar_background,
    planar_counts,
    planar_lung_shunt,
    projected_region,
    spect_lung_shunt,
)
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import GridMismatch, InconsistentInput, InvalidValue
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.volumes import CountsMap, Mask
from strategies import grid_about

PRINTED = 0.5e-5
"""Published to a thousandth of a percent."""


def test_planar_geometric_mean() -> None:
    """Hand: √(12000·15000) = 13416.4, √(150000·140000) = 144913.8, 13416.4 / 158330.2 = 8.474 %."""
    assert planar_lung_shunt(PlanarCounts(12_000, 15_000, 150_000, 140_000)).value == pytest.approx(0.08474, abs=PRINTED)


def test_views_may_be_swapped_and_counts_scaled() -> None:
    one = planar_lung_shunt(PlanarCounts(12_000, 15_000, 150_000, 140_000)).value
    assert planar_lung_shunt(PlanarCounts(15_000, 12_000, 140_000, 150_000)).value == pytest.approx(one, rel=1e-12)
    assert planar_lung_shunt(PlanarCounts(36_000, 45_000, 450_000, 420_000)).value == pytest.approx(one, rel=1e-12)


def test_planar_noise_by_hand() -> None:
    """u(f) = f(1−f)/2 · √(1/La + 1/Lp + 1/Ha + 1/Hp): the geometric mean halves every relative error."""
    counts = PlanarCounts(400, 500, 9_000, 8_000)
    found = planar_lung_shunt(counts)
    f = found.value
    expected = f * (1 - f) / 2 * math.sqrt(1 / 400 + 1 / 500 + 1 / 9_000 + 1 / 8_000)
    noise = math.sqrt(sum(u * u for key, u in found.contributions.items() if key.startswith("count_noise")))
    assert noise == pytest.approx(expected, rel=1e-4)
    assert found.contributions["attenuation_and_scatter"] == pytest.approx(PLANAR_METHOD_RELATIVE * f)


SEEN = PlanarCounts(12_000, 15_000, 150_000, 140_000)
UNDER = PlanarBackground(500, 400, 200, 200, 1_600, 1_000)
SIGMAS = 4.0
DRAWS = 20_000


def test_background_by_hand() -> None:
    """Lung 12000 − 8·500 = 8000 and 15000 − 8·400 = 11800; liver 150000 − 5·500 = 147500 and 140000 − 5·400 = 138000;
    √(8000·11800) = 9715.97, √(147500·138000) = 142670.60, 9715.97 / 152386.57 = 6.3759 %."""
    assert planar_lung_shunt(SEEN, UNDER).value == pytest.approx(0.063759, abs=5e-7)


def test_background_of_nothing_changes_nothing() -> None:
    none = PlanarBackground(0, 0, 200, 200, 1_600, 1_000)
    assert planar_lung_shunt(SEEN, none) == planar_lung_shunt(SEEN)


def test_the_noise_of_background_against_simulated_acquisitions() -> None:
    """Every region is drawn from its own Poisson distribution; lung and liver of a view share the background that was drawn for it."""
    generator = np.random.default_rng(11)
    lung = np.array([12_000, 15_000]) + np.zeros((DRAWS, 2))
    la, lp = generator.poisson(lung).T
    ha, hp = generator.poisson(np.array([150_000, 140_000]) + np.zeros((DRAWS, 2))).T
    ba, bp = generator.poisson(np.array([500, 400]) + np.zeros((DRAWS, 2))).T
    over = np.sqrt((la - 8.0 * ba) * (lp - 8.0 * bp))
    drawn = over / (over + np.sqrt((ha - 5.0 * ba) * (hp - 5.0 * bp)))
    found = planar_lung_shunt(SEEN, UNDER)
    noise = math.sqrt(sum(u * u for key, u in found.contributions.items() if key != "attenuation_and_scatter"))
    # the standard deviation of n draws is known to 1 / √(2 n); linear propagation is good to a few per mille here
    assert noise == pytest.approx(float(drawn.std(ddof=1)), rel=SIGMAS / math.sqrt(2 * DRAWS) + 0.005)
    assert {"background.anterior", "background.posterior"} < set(found.contributions)


def test_what_no_background_can_do_is_said_and_is_true() -> None:
    (finding,) = background_findings(SEEN, None)
    assert finding.code == "lung_shunt.no_background"
    # a tenth of the lung counts less: 12074.8 / (12074.8 + 144913.8) = 7.692 %, 0.78 points below 8.474 %
    assert "0.8%" in finding.message
    less = planar_lung_shunt(PlanarCounts(10_800, 13_500, 150_000, 140_000)).value
    assert planar_lung_shunt(SEEN).value - less == pytest.approx(0.0078, abs=0.0001)
    assert background_findings(SEEN, UNDER) == ()


def test_lungs_that_hardly_rise_above_background_are_pointed_out() -> None:
    counts = PlanarCounts(4_050, 15_000, 150_000, 140_000)  # 50 above 4000, whose share of noise is 8 · √500 = 179
    (finding,) = background_findings(counts, UNDER)
    assert finding.code == "lung_shunt.hardly_above_background"
    assert "anterior view" in finding.message and "posterior" not in finding.message


def test_background_that_leaves_nothing_is_refused_and_not_clamped() -> None:
    for counts in (PlanarCounts(4_000, 15_000, 150_000, 140_000), PlanarCounts(12_000, 15_000, 2_000, 140_000)):
        with pytest.raises(InvalidValue, match="nothing is left"):
            planar_lung_shunt(counts, UNDER)


@pytest.mark.parametrize(
    "stated",
    [
        (-1, 400, 200, 200, 1_600, 1_000),
        (math.nan, 400, 200, 200, 1_600, 1_000),
        (500, 400, 0, 0, 1_600, 1_000),
        (5, 4, 2, 2, 0, 9),
    ],
)
def test_background_that_cannot_be(stated) -> None:
    with pytest.raises(InvalidValue):
        PlanarBackground(*stated)


def test_an_unequal_background_is_refused() -> None:
    with pytest.raises(InconsistentInput, match="both views"):
        PlanarBackground(500, 400, 200, 150, 1_600, 1_000)


def test_spect_with_the_shared_voxel_counted_as_liver() -> None:
    """40 in lung, 720 in liver, the overlap already in the 720."""
    assert spect_lung_shunt(40.0, 720.0) == pytest.approx(0.05263, abs=PRINTED)


@pytest.mark.parametrize(("lung", "liver"), [(40.0, 0.0), (-1.0, 720.0), (40.0, -720.0), (math.nan, 720.0), (math.inf, 1.0)])
def test_spect_shunt_that_cannot_be(lung: float, liver: float) -> None:
    with pytest.raises(InvalidValue):
        spect_lung_shunt(lung, liver)


@pytest.mark.parametrize("counts", [(10, 10, 0, 100), (10, 10, 100, 0), (-1, 10, 100, 100), (math.nan, 10, 100, 100)])
def test_planar_shunt_that_cannot_be(counts) -> None:
    with pytest.raises(InvalidValue):
        planar_lung_shunt(PlanarCounts(*counts))


def view(values: np.ndarray) -> CountsMap:
    """Rows run down (−S), columns to the left (L), 5 by 4 mm, top left at x = −60, z = 80."""
    affine = np.array([[0, 0, 4.0, -60.0], [1.0, 0, 0, 0.0], [0, -5.0, 0, 80.0], [0, 0, 0, 1.0]])
    return CountsMap(values[None].astype(np.float32), Grid((1, *values.shape), affine, "F"))


def box(low, high, kind) -> Mask:
    grid = grid_about((0.0, 0.0, 30.0), (40, 20, 44), (3.0, 5.5, 2.7))
    at = grid.lps_mm(np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1))
    inside = ((at > np.asarray(low)) & (at < np.asarray(high))).all(axis=-1)
    return Mask(inside, grid, Structure(kind))


def test_a_box_projects_to_its_rectangle() -> None:
    mask = box((-20.0, -50.0, 10.0), (25.0, 40.0, 62.0), StructureKind.LIVER)
    region = projected_region(mask, view(np.ones((30, 30))))
    rows, columns = np.nonzero(region)
    assert 80.0 - 5.0 * rows.min() == pytest.approx(62.0, abs=5.0)
    assert 80.0 - 5.0 * rows.max() == pytest.approx(10.0, abs=5.0)
    assert -60.0 + 4.0 * columns.min() == pytest.approx(-20.0, abs=4.0)
    assert -60.0 + 4.0 * columns.max() == pytest.approx(25.0, abs=4.0)


def test_a_pixel_with_both_counts_as_liver() -> None:
    liver = box((-30.0, -50.0, 0.0), (30.0, 40.0, 50.0), StructureKind.LIVER)
    lungs = box((-30.0, -50.0, 30.0), (30.0, 40.0, 78.0), StructureKind.LUNGS)
    pixels = np.zeros((30, 30))
    shared = projected_region(liver, view(pixels)) & projected_region(lungs, view(pixels))
    assert shared.any()
    pixels[shared] = 7.0
    counts = planar_counts(view(pixels), view(2.0 * pixels), liver, lungs)
    assert (counts.lung_anterior_counts, counts.lung_posterior_counts) == (0.0, 0.0)
    assert counts.liver_posterior_counts == 2.0 * counts.liver_anterior_counts == pytest.approx(14.0 * shared.sum())


def test_background_of_a_drawn_structure_leaves_out_lung_and_liver() -> None:
    liver = box((-30.0, -50.0, -10.0), (30.0, 40.0, 30.0), StructureKind.LIVER)
    lungs = box((-30.0, -50.0, 30.0), (30.0, 40.0, 78.0), StructureKind.LUNGS)
    region = box((20.0, -50.0, -10.0), (55.0, 40.0, 70.0), StructureKind.OTHER)
    ones = view(np.ones((30, 30)))
    seen = planar_background(ones, view(np.full((30, 30), 3.0)), liver, lungs, region)
    free = projected_region(region, ones) & ~projected_region(liver, ones) & ~projected_region(lungs, ones)
    assert seen.anterior_counts == seen.anterior_pixels_number == seen.posterior_pixels_number == free.sum() > 0
    assert seen.posterior_counts == 3.0 * free.sum()
    # a uniform view is background everywhere: nothing of the organs is left
    with pytest.raises(InvalidValue, match="nothing is left"):
        planar_lung_shunt(planar_counts(ones, ones, liver, lungs), planar_background(ones, ones, liver, lungs, region))
    with pytest.raises(InconsistentInput, match="both views"):
        planar_background(ones, view(np.ones((9, 9))), liver, lungs, region)


def test_a_view_of_another_frame_is_refused() -> None:
    mask = box((-20.0, -50.0, 10.0), (25.0, 40.0, 62.0), StructureKind.LIVER)
    other = Mask(mask.inside, mask.grid.in_frame("elsewhere"), mask.structure)
    with pytest.raises(GridMismatch):
        projected_region(other, view(np.ones((30, 30))))


def test_methods_that_differ_are_pointed_out_and_neither_replaces_the_other() -> None:
    assert compared(Measured(0.08), Measured(0.05)) == ()
    (finding,) = compared(Measured(0.12), Measured(0.05))
    assert finding.code == "lung_shunt.methods_disagree"
    assert "12.0%" in finding.message and "5.0%" in finding.message

"""Lung shunt: published cases, noise by a hand formula, projected regions, and what cannot be computed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from opensirt.radioembolisation.workup.lung_shunt import (
    PLANAR_METHOD_RELATIVE,
    PlanarCounts,
    compared,
    planar_counts,
    planar_lung_shunt,
    projected_region,
    spect_lung_shunt,
)
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import GridMismatch, InvalidValue
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

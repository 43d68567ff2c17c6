"""The working grid: axes and places of the emission image, everything that matters inside, and what no image covers said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensirt.imaging.resample import resample_counts
from opensirt.imaging.working_grid import MARGIN_MM, default_spacing_mm, field_findings, fraction_outside, working_grid
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import GeometryError, GridMismatch, InvalidValue
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import CountsMap, Mask
from strategies import grid_about, grids, rotation

BODY, LUNGS, LIVER = (Structure(kind) for kind in (StructureKind.BODY, StructureKind.LUNGS, StructureKind.LIVER))
CT = grid_about((5, 10, -20), (60, 90, 80), (5.0, 3.1, 3.3))


def _box_mask(grid: Grid, structure: Structure, low, high) -> Mask:
    inside = np.zeros(grid.shape, bool)
    inside[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return Mask(inside, grid, structure)


def _corners(mask: Mask) -> np.ndarray:
    index = np.argwhere(mask.inside)
    low, high = index.min(axis=0) - 0.5, index.max(axis=0) + 0.5
    return mask.grid.lps_mm([[(low, high)[c >> a & 1][a] for a in range(3)] for c in range(8)])


@pytest.mark.parametrize(
    ("emission_mm", "wanted"),
    [((4.7, 4.4, 4.42), (4.0, 4.0, 4.0)), ((2.0, 2.46, 1.95), (3.0, 3.0, 3.0)), ((3.3, 3.9, 9.0), (3.3, 3.9, 4.0))],
)
def test_the_spacing_stays_near_the_emission_voxel_within_3_to_4_mm(emission_mm, wanted):
    assert default_spacing_mm(grid_about((0, 0, 0), (9, 8, 7), emission_mm, (3, 4, 5))) == pytest.approx(wanted)


@settings(max_examples=60, deadline=None)
@given(grids(), st.sampled_from((None, 3.0, 3.5, 4.0)))
def test_everything_lies_inside_with_the_margin(emission, spacing_mm):
    masks = [_box_mask(CT, LIVER, (10, 20, 30), (22, 50, 55)), _box_mask(CT, LUNGS, (30, 15, 12), (55, 61, 70))]
    grid = working_grid(emission, masks, spacing_mm)
    assert grid.frame == emission.frame
    assert grid.directions == pytest.approx(emission.directions, abs=1e-9)
    assert grid.spacing_mm == pytest.approx([spacing_mm] * 3 if spacing_mm else default_spacing_mm(emission))
    index = grid.index_kji(np.concatenate([_corners(mask) for mask in masks]))
    least = index.min(axis=0) + 0.5, np.array(grid.shape) - 0.5 - index.max(axis=0)
    margin_voxels = MARGIN_MM / grid.spacing_mm
    for beyond in least:
        assert (beyond >= margin_voxels - 1e-6).all()
        assert (beyond <= margin_voxels + 1.5).all()  # no larger than it must be


def test_where_the_spacing_is_kept_so_are_the_voxels():
    """Counts are then copied, not spread over their neighbours."""
    emission = grid_about((0, 0, 0), (60, 62, 64), (3.3, 3.9, 3.6), (4, -7, 9))
    liver = Mask(np.pad(np.ones((12, 14, 15), bool), ((20, 28), (21, 27), (18, 31))), emission, LIVER)
    grid = working_grid(emission, [liver])
    index = emission.index_kji(grid.lps_mm((0, 0, 0)))
    assert index == pytest.approx(np.rint(index), abs=1e-6)
    values = np.random.default_rng(3).poisson(5.0, emission.shape).astype(np.float32)
    found = resample_counts(CountsMap(values, emission), grid).map.counts
    start = np.rint(index).astype(int)
    assert np.array_equal(found, values[tuple(slice(a, a + n) for a, n in zip(start, grid.shape, strict=True))])


def test_it_need_not_reach_beyond_the_ct():
    body = _box_mask(CT, BODY, (0, 0, 0), CT.shape)
    grid = working_grid(
        grid_about((0, 0, 0), (128, 128, 128), (4.0, 4.0, 4.0)), [body], within=CT.cropped((10, 10, 10), (30, 60, 60))
    )
    extent = np.array(grid.shape) * grid.spacing_mm
    assert (extent <= np.array([19, 49, 49]) * CT.spacing_mm + 2 * MARGIN_MM + 2 * 4.0).all()


def test_what_cannot_be_laid_out_is_refused():
    emission = grid_about((0, 0, 0), (9, 8, 7), (4.0, 4.1, 4.2))
    body = _box_mask(CT, BODY, (1, 1, 1), (20, 20, 20))
    with pytest.raises(InvalidValue, match="no structure"):
        working_grid(emission, [_box_mask(CT, BODY, (0, 0, 0), (0, 0, 0))])
    for spacing in (0.4, 25.0, float("nan")):
        with pytest.raises(InvalidValue, match="1 and 10 mm"):
            working_grid(emission, [body], spacing)
    with pytest.raises(GridMismatch, match="frames"):
        working_grid(emission.in_frame("another"), [body])
    sheared = emission.affine_mm.copy()
    sheared[0, 1] += 1.0
    with pytest.raises(GeometryError, match="orthogonal"):
        working_grid(Grid(emission.shape, sheared, "F"), [body])
    with pytest.raises(GeometryError, match="overlap"):
        working_grid(emission, [body], within=grid_about((900, 900, 900), (9, 8, 7), (4.0, 4.1, 4.2)))


def test_what_an_image_does_not_cover_is_said():
    liver = _box_mask(CT, LIVER, (10, 20, 30), (30, 50, 55))
    half = CT.cropped((0, 0, 0), (20, 90, 80))
    assert fraction_outside(liver, half) == pytest.approx(0.5)
    (finding,) = field_findings([liver], half, "SPECT")
    assert finding.code == "field.structure_outside" and "50.0 % of liver" in finding.message and "SPECT" in finding.message
    assert field_findings([liver], CT, "SPECT") == ()


def test_the_outside_fraction_of_a_box_on_a_turned_field():
    """A field turned by 90° about the body's length: rows become columns."""
    liver = _box_mask(CT, LIVER, (10, 20, 30), (30, 50, 55))
    affine = np.eye(4)
    affine[:3, :3] = rotation((0, 0, 90)) @ CT.affine_mm[:3, :3]
    affine[:3, 3] = rotation((0, 0, 90)) @ CT.affine_mm[:3, 3]
    turned = Grid(CT.shape, affine, "F")
    index = turned.index_kji(CT.lps_mm(np.argwhere(liver.inside)))
    wanted = 1 - ((index > -0.5) & (index < np.array(CT.shape) - 0.5)).all(axis=1).mean()
    assert fraction_outside(liver, turned) == pytest.approx(wanted)

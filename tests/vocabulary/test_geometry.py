"""Grids: positions, inverses, identity and refusal, on oblique anisotropic grids in any order of axes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.vocabulary.errors import GeometryError, GridMismatch
from opensirt.vocabulary.geometry import (
    SAME_POSITION_TOLERANCE_VOXELS,
    UNSTATED_FRAME,
    Grid,
    require_same_frame,
    require_same_grid,
)
from strategies import grid_about, grids

DECIMAL = 1e-9
"""Millimetres: double precision at half a metre."""


def test_a_position_by_hand():
    """Slices 5 mm apart along z, rows 2 mm along y, columns 3 mm along −x; voxel (1, 2, 3)."""
    affine = np.array([[0, 0, -3, 100], [0, 2, 0, -50], [5, 0, 0, 7], [0, 0, 0, 1]], dtype=float)
    grid = Grid((4, 5, 6), affine)
    assert grid.lps_mm((1, 2, 3)) == pytest.approx((91, -46, 12))
    assert grid.spacing_mm == pytest.approx((5, 2, 3))
    assert grid.voxel_volume_ml == pytest.approx(0.030)
    assert grid.size == 120 and grid.frame == UNSTATED_FRAME
    assert grid.directions == pytest.approx(np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]]))


@given(grids(), st.tuples(*[st.floats(-20, 40)] * 3))
def test_index_and_position_are_inverse(grid, index):
    assert grid.index_kji(grid.lps_mm(index)) == pytest.approx(index, abs=1e-7)
    offset = grid.lps_mm(index) - grid.affine_mm[:3, 3]
    by_hand = sum(np.asarray(index)[axis] * grid.spacing_mm[axis] * grid.directions[:, axis] for axis in range(3))
    assert offset == pytest.approx(by_hand, abs=1e-7)


@given(grids())
def test_volume_is_the_product_of_spacings_of_orthogonal_axes(grid):
    assert grid.voxel_volume_ml == pytest.approx(np.prod(grid.spacing_mm) / 1000, rel=1e-9)
    assert abs(grid.axes_determinant) == pytest.approx(1.0, abs=1e-9)
    assert grid.directions.T @ grid.directions == pytest.approx(np.eye(3), abs=1e-9)


def test_a_sheared_voxel_has_its_own_volume():
    affine = np.array([[1, 0, 2.0, 0], [0, 2.0, 0, 0], [3.0, 0, 0, 0], [0, 0, 0, 1]])
    assert Grid((2, 3, 4), affine).voxel_volume_ml == pytest.approx(12 / 1000)  # base times height, not product of lengths


@given(grids())
def test_corners_are_the_extremes(grid):
    k, j, i = grid.shape
    wanted = {tuple(np.round(grid.lps_mm((a, b, c)), 6)) for a in (0, k - 1) for b in (0, j - 1) for c in (0, i - 1)}
    assert {tuple(np.round(corner, 6)) for corner in grid.corners_mm()} == wanted


@given(grids(), st.data())
def test_a_crop_keeps_positions(grid, data):
    start = tuple(data.draw(st.integers(0, n - 2)) for n in grid.shape)
    stop = tuple(data.draw(st.integers(a + 1, n)) for a, n in zip(start, grid.shape, strict=True))
    part = grid.cropped(start, stop)
    assert part.shape == tuple(b - a for a, b in zip(start, stop, strict=True))
    assert part.lps_mm((0, 0, 0)) == pytest.approx(grid.lps_mm(start), abs=DECIMAL)
    assert part.lps_mm((1, 1, 1)) == pytest.approx(grid.lps_mm(np.add(start, 1)), abs=DECIMAL)
    assert part.frame == grid.frame


def test_decimal_strings_do_not_split_a_grid_but_a_fiftieth_of_a_voxel_does():
    grid = grid_about((13, -77, 210), (31, 128, 120), (3.0, 4.41806, 4.41806), (2, 3, 5))
    rounded = Grid(grid.shape, np.round(grid.affine_mm, 6), grid.frame)
    assert grid.is_same_as(rounded)
    moved = grid.affine_mm.copy()
    moved[0, 3] += 2 * SAME_POSITION_TOLERANCE_VOXELS * 3.0
    assert not grid.is_same_as(Grid(grid.shape, moved, grid.frame))
    turned = grid.affine_mm.copy()
    turned[:3, 2] *= 1.001  # 0.4 voxel at the last column
    assert not grid.is_same_as(Grid(grid.shape, turned, grid.frame))


@given(grids())
def test_another_frame_or_shape_is_another_grid(grid):
    assert grid.is_same_as(Grid(grid.shape, grid.affine_mm, grid.frame))
    assert not grid.is_same_as(grid.in_frame("another"))
    assert not grid.is_same_as(grid.cropped((0, 0, 0), (grid.shape[0] - 1, *grid.shape[1:])))
    with pytest.raises(GridMismatch, match=r"activity and density.*different grids.*\(k, j, i\)"):
        require_same_grid(grid, grid.in_frame("another"), "activity and density")
    with pytest.raises(GridMismatch, match="different frames"):
        require_same_frame(grid, grid.in_frame("another"), "CT and SPECT")
    require_same_grid(grid, grid, "one")


@pytest.mark.parametrize(
    ("shape", "change"),
    [
        ((0, 4, 5), None),
        ((3, 4), None),
        ((3, 4, 5), (0, 0, float("nan"))),
        ((3, 4, 5), (0, 3, float("inf"))),
        ((3, 4, 5), (3, 0, 0.5)),
    ],
)
def test_impossible_grids_are_refused(shape, change):
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    if change:
        affine[change[0], change[1]] = change[2]
    with pytest.raises(GeometryError):
        Grid(shape, affine)


def test_parallel_axes_and_zero_spacings_are_refused():
    parallel = np.diag([2.0, 3.0, 4.0, 1.0])
    parallel[:3, 1] = (2.0, 0.0, 0.0)
    with pytest.raises(GeometryError, match="degenerate"):
        Grid((3, 4, 5), parallel)
    with pytest.raises(GeometryError, match="degenerate"):
        Grid((3, 4, 5), np.diag([2.0, 0.0, 4.0, 1.0]))


def test_a_grid_cannot_be_changed():
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    grid = Grid((3, 4, 5), affine)
    affine[0, 0] = 99.0
    assert grid.affine_mm[0, 0] == 2.0
    with pytest.raises(ValueError, match="read-only"):
        grid.affine_mm[0, 0] = 1.0
    with pytest.raises(AttributeError):
        grid.shape = (1, 1, 1)  # type: ignore[misc]

"""Pictures: sampled where they lie, the same bytes for the same volumes, marked where they show no patient."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from opensirt.reports.pictures import DPI, WIDTH_IN, slices_png
from opensirt.reports.planes import Plane, View, sample
from reports.plans import small_pictures
from strategies import grid_about, grids

LINEAR_TOLERANCE = 2e-4
"""Relative to the field's size: samples are float32, trilinear interpolation of a linear field is exact."""


@given(grids(), st.sampled_from(list(View)))
def test_a_linear_field_is_sampled_exactly_inside_an_oblique_grid(grid, view):
    middle = grid.lps_mm((np.array(grid.shape) - 1.0) / 2.0)
    positions = grid.lps_mm(np.stack(np.indices(grid.shape), axis=-1))
    slope = np.array([0.3, -1.1, 0.7])
    plane = Plane(view, tuple(float(x) for x in middle), 8.0, 6.0, 1.0)
    found = sample((positions - middle) @ slope + 500.0, grid, plane)
    wanted = (plane.points_mm() - middle) @ slope + 500.0
    index = grid.index_kji(plane.points_mm())
    inside = ((index >= 0.0) & (index <= np.array(grid.shape) - 1.0)).all(axis=-1)
    assert np.abs(found[inside] - wanted[inside]).max(initial=0.0) <= LINEAR_TOLERANCE * 500.0
    outside = ((index < -0.5) | (index > np.array(grid.shape) - 0.5)).any(axis=-1)
    assert np.isnan(found[outside]).all()


def test_a_plane_beside_the_grid_is_empty():
    grid = grid_about((0.0, 0.0, 0.0), (4, 5, 6), (2.0, 2.0, 2.0))
    assert (sample(np.ones(grid.shape), grid, Plane(View.AXIAL, (0.0, 0.0, 90.0), 20.0, 20.0), outside=0.0) == 0.0).all()


def test_the_same_volumes_give_the_same_pictures_and_no_word_of_when():
    first, second = slices_png(small_pictures(), "SYNTHETIC"), slices_png(small_pictures(), "SYNTHETIC")
    assert first == second
    for png in first:
        with Image.open(io.BytesIO(png)) as picture:
            assert picture.mode == "RGB" and not picture.info
            assert picture.size[0] == pytest.approx(WIDTH_IN * DPI, abs=2)


def test_the_mark_is_burnt_into_every_view():
    """Pixels of both pictures differ where the mark is written: at the top of each of the three views."""
    for plain, marked in zip(slices_png(small_pictures()), slices_png(small_pictures(), "SYNTHETIC"), strict=True):
        arrays = [np.asarray(Image.open(io.BytesIO(png))).astype(int) for png in (plain, marked)]
        columns = np.flatnonzero(np.abs(arrays[0] - arrays[1]).max(axis=(0, 2)))
        assert 1 + int((np.diff(columns) > 100).sum()) == 3

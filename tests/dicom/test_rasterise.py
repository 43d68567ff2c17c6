"""Contours to pixels by the even-odd rule at pixel centres, and contour planes to slices."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from opensirt.dicom.rasterise import fill_even_odd, planes_of, slices_of_planes

SHAPE = (40, 57)


def circle(row, column, radius, points=720):
    angle = np.linspace(0.0, 2.0 * np.pi, points, endpoint=False)
    return np.stack([row + radius * np.sin(angle), column + radius * np.cos(angle)], axis=1)


def centres():
    rows, columns = np.indices(SHAPE)
    return rows, columns


def test_a_circle_holds_the_centres_within_its_radius():
    rows, columns = centres()
    inside = fill_even_odd([circle(18.3, 25.7, 11.4)], SHAPE)
    distance = np.hypot(rows - 18.3, columns - 25.7)
    clear = np.abs(distance - 11.4) > 1e-3
    assert np.array_equal(inside[clear], (distance < 11.4)[clear])


def test_random_polygons_agree_with_another_program():
    """matplotlib's point-in-polygon for simple (star-shaped) polygons, away from their edges."""
    random = np.random.default_rng(12)
    rows, columns = centres()
    points = np.stack([columns.ravel(), rows.ravel()], axis=1)
    for _ in range(50):
        angle = np.sort(random.random(9)) * 2.0 * np.pi
        radius = random.uniform(4.0, 25.0, 9)
        outline = np.stack([19.2 + radius * np.sin(angle), 28.4 + radius * np.cos(angle)], axis=1)
        other = Outline(outline[:, ::-1]).contains_points(points).reshape(SHAPE)
        # the polygon may leave the grid: compare on the grid only
        assert np.array_equal(fill_even_odd([outline], SHAPE), other)


def test_a_contour_inside_another_is_a_hole_and_one_inside_that_an_island():
    rows, columns = centres()
    distance = np.hypot(rows - 20.0, columns - 28.0)
    inside = fill_even_odd([circle(20, 28, r) for r in (15.4, 10.6, 5.5)], SHAPE)
    expected = (distance < 15.4) & (distance > 10.6) | (distance < 5.5)
    clear = np.min([np.abs(distance - r) for r in (15.4, 10.6, 5.5)], axis=0) > 1e-3
    assert np.array_equal(inside[clear], expected[clear])


def test_a_keyhole_is_the_same_hole():
    outer, inner = circle(20, 28, 15.4, 180), circle(20, 28, 7.3, 180)[::-1]
    keyhole = np.concatenate([outer, outer[:1], inner[:1], inner, inner[:1], outer[:1]])
    assert np.array_equal(fill_even_odd([keyhole], SHAPE), fill_even_odd([outer, inner], SHAPE))


def test_neighbours_that_share_an_edge_through_pixel_centres_share_no_pixel():
    left = np.array([[5.0, 5.0], [5.0, 20.0], [25.0, 20.0], [25.0, 5.0]])
    right = np.array([[5.0, 20.0], [5.0, 40.0], [25.0, 40.0], [25.0, 20.0]])
    whole = np.array([[5.0, 5.0], [5.0, 40.0], [25.0, 40.0], [25.0, 5.0]])
    a, b = fill_even_odd([left], SHAPE), fill_even_odd([right], SHAPE)
    assert not (a & b).any()
    assert np.array_equal(a | b, fill_even_odd([whole], SHAPE))
    assert a.sum() == 20 * 15


def test_rounding_noise_on_pixel_centres_changes_nothing():
    square = np.array([[5.0, 5.0], [5.0, 20.0], [25.0, 20.0], [25.0, 5.0]])
    noise = np.random.default_rng(4).normal(0.0, 1e-9, square.shape)
    assert np.array_equal(fill_even_odd([square + noise], SHAPE), fill_even_odd([square], SHAPE))


def test_the_direction_of_drawing_does_not_matter():
    outline = circle(15.2, 30.3, 9.1)
    assert np.array_equal(fill_even_odd([outline], SHAPE), fill_even_odd([outline[::-1]], SHAPE))


def test_contours_that_leave_the_grid_are_cut():
    rows, columns = centres()
    inside = fill_even_odd([circle(-3.0, 54.0, 12.2)], SHAPE)
    distance = np.hypot(rows + 3.0, columns - 54.0)
    clear = np.abs(distance - 12.2) > 1e-2
    assert np.array_equal(inside[clear], (distance < 12.2)[clear])
    assert not fill_even_odd([circle(-30.0, 20.0, 5.0)], SHAPE).any()


def test_planes_group_by_depth():
    assert planes_of([3.0, 1.0, 3.01, 0.99, 7.0], 0.05) == [[3, 1], [0, 2], [4]]


@pytest.mark.parametrize(
    ("planes", "slices", "expected", "gaps"),
    [
        ([2.0, 3.0, 4.0], 7, [-1, -1, 0, 1, 2, -1, -1], []),
        ([2.4], 6, [-1, -1, 0, -1, -1, -1], []),
        ([1.3, 2.3, 3.3], 6, [-1, 0, 1, 2, -1, -1], []),
        ([2.0, 4.0, 6.0], 9, [-1, 0, 0, 1, 1, 2, 2, -1, -1], []),
        ([1.0, 2.0, 5.0, 6.0], 8, [-1, 0, 1, -1, -1, 2, 3, -1], [1]),
        ([1.0, 1.33, 1.67, 2.0, 2.33], 5, [-1, 0, 3, -1, -1], []),
    ],
    ids=["on the slices", "one between", "all between", "every second", "left out", "finer than the slices"],
)
def test_which_slice_takes_which_plane(planes, slices, expected, gaps):
    chosen, found = slices_of_planes(planes, slices)
    assert found == gaps
    assert [p >= 0 for p in chosen] == [p >= 0 for p in expected]
    for k, plane in enumerate(chosen):
        if plane >= 0:
            assert abs(planes[plane] - k) == min(abs(p - k) for p in planes)


@pytest.mark.parametrize("spacing", [0.5, 1.0, 1.7, 2.0, 3.3])
def test_contours_keep_their_extent_whatever_their_spacing(spacing):
    """n planes at one spacing stand for n · spacing slices: the number of filled slices is that to within one."""
    planes = 20.3 + spacing * np.arange(12)
    chosen, gaps = slices_of_planes(planes.tolist(), 100)
    assert gaps == []
    assert abs(sum(p >= 0 for p in chosen) - 12 * max(spacing, 0.5)) <= 1.0

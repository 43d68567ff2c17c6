"""Mask → closed planar contours, one polygon a connected part of a slice, holes joined to it by keyholes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.measure import find_contours

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def _without_straights(polygon: FloatArray) -> FloatArray:
    """A closed polygon without vertices that lie on the line between their neighbours."""
    before, after = np.roll(polygon, 1, axis=0), np.roll(polygon, -1, axis=0)
    first, second = polygon - before, after - polygon
    turn = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    return polygon[np.abs(turn) > 1e-9]


def _area(polygon: FloatArray) -> float:
    x, y = polygon[:, 0], polygon[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2.0)


def _keyholed(outline: FloatArray, holes: list[FloatArray]) -> FloatArray:
    """One polygon of an outline and its holes; the nearest hole is joined first, so that no bridge crosses another hole."""
    while holes:
        tree = cKDTree(outline)
        found = [tree.query(hole) for hole in holes]
        nearest = int(np.argmin([distance.min() for distance, _ in found]))
        distance, where = found[nearest]
        start = int(distance.argmin())
        at = int(where[start])
        hole = np.roll(holes.pop(nearest), -start, axis=0)
        outline = np.concatenate([outline[: at + 1], hole, hole[:1], outline[at:]])
    return outline


def slice_polygons(inside: BoolArray) -> list[FloatArray]:
    """Polygons around the parts of one slice, at half the way between a pixel inside and its neighbour outside.

    Parameters
    ----------
    inside : ndarray of bool, shape (rows, columns)
        One slice of a mask.

    Returns
    -------
    list of ndarray, shape (n, 2)
        Vertices (row, column) in pixel indices, closed from the last to the first. Filling pixel centres by the even-odd rule gives
        ``inside`` back; the area differs from that of the pixels by half a pixel a contour.
    """
    labels, count = ndimage.label(inside)
    polygons = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        part = np.pad(labels[box] == number, 1)
        corner = np.array([box[0].start - 1.0, box[1].start - 1.0])
        rings = [_without_straights(ring[:-1]) + corner for ring in find_contours(part.astype(np.float64), 0.5)]  # type: ignore[no-untyped-call]
        rings.sort(key=_area, reverse=True)
        polygons.append(_keyholed(rings[0], rings[1:]))
    assert len(polygons) == count
    return polygons

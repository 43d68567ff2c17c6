"""From image planes to one regular grid: sorted along the normal, every irregularity refused by name."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from opensirt.dicom.attributes import number, vector
from opensirt.dicom.faults import Refused
from opensirt.vocabulary.errors import GeometryError
from opensirt.vocabulary.geometry import Grid

FloatArray = npt.NDArray[np.float64]

ORIENTATION_TOLERANCE = 1e-3
"""Largest departure of the direction cosines from unit length and right angle: DICOM writes them with 6 or more decimals, old
scanners with 3; at 1e-3 the far corner of a 500 mm slice is half a millimetre off."""

SAME_ORIENTATION_TOLERANCE = 1e-3
"""Largest difference of a direction cosine within one series, for the same reason."""

SAME_SPACING_TOLERANCE = 1e-3
"""Largest relative difference of pixel spacings within one series: decimal strings are rounded to 4 or more figures."""

EVEN_TOLERANCE = 0.1
"""Largest departure of a slice from the even grid fitted through all, in slice spacings: positions rounded to 0.1 mm depart by up to 0.08
of a spacing of 0.625 mm; a tenth of a slice is far below what a mask or a dose resolves. Missing slices are found by their steps."""

SHEAR_TOLERANCE = 0.1
"""Largest sideways drift over the whole stack, in pixels: below it a mask or a count changes its voxel nowhere."""

SAME_PLACE_MM = 1e-3
"""Two slices closer than this lie at one position."""


@attrs.frozen(eq=False)
class Plane:
    """The geometry of one image: position of its first pixel's centre, directions of row and column, spacing, size.

    Attributes
    ----------
    name : str
        File and frame for messages.
    position_mm : ndarray, shape (3,)
        LPS.
    along_row, along_column : ndarray, shape (3,)
        Unit vectors of growing column index and growing row index.
    spacing_mm : tuple of float
        Between rows, between columns.
    size : tuple of int
        Rows, columns.
    thickness_mm : float
        Slice thickness, 0 where not stated.
    """

    name: str
    position_mm: FloatArray
    along_row: FloatArray
    along_column: FloatArray
    spacing_mm: tuple[float, float]
    size: tuple[int, int]
    thickness_mm: float = 0.0

    @property
    def normal(self) -> FloatArray:
        """Row direction × column direction."""
        return np.asarray(np.cross(self.along_row, self.along_column))


@attrs.frozen(eq=False)
class Stack:
    """A regular grid and, for each of its slices, which plane it is (index into the planes given)."""

    grid: Grid
    order: tuple[int, ...]
    single: bool


def directions(cosines: Sequence[float], name: str) -> tuple[FloatArray, FloatArray]:
    """Unit vectors along row and column from Image Orientation (Patient).

    Raises
    ------
    Refused
        If they are not of unit length and at right angles.
    """
    row, column = np.array(cosines[:3], dtype=np.float64), np.array(cosines[3:], dtype=np.float64)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(float(lengths[0]) - 1.0), abs(float(lengths[1]) - 1.0), abs(float(row @ column))) > ORIENTATION_TOLERANCE:
        raise Refused("series.no_geometry", f"{name}: direction cosines {list(cosines)} are no unit vectors at right angles")
    row = row / lengths[0]
    column = column - (column @ row) * row
    return row, column / np.linalg.norm(column)


def pixel_spacing(data: Dataset) -> tuple[float, float]:
    """Pixel Spacing as (between rows, between columns) in mm.

    Raises
    ------
    Refused
        If it is missing or not positive.
    """
    between_rows, between_columns = vector(data, "PixelSpacing", 2, "series.no_geometry")
    if min(between_rows, between_columns) <= 0.0:
        raise Refused("series.no_geometry", f"PixelSpacing (0028,0030) is {between_rows}, {between_columns} mm")
    return between_rows, between_columns


def image_size(data: Dataset) -> tuple[int, int]:
    """Rows and columns.

    Raises
    ------
    Refused
        If either is missing or not positive.
    """
    rows, columns = int(number(data, "Rows")), int(number(data, "Columns"))
    if rows < 1 or columns < 1:
        raise Refused("series.no_geometry", f"an image of {rows} rows and {columns} columns")
    return rows, columns


def plane_of(data: Dataset, name: str) -> Plane:
    """The plane of a single-frame image.

    Raises
    ------
    Refused
        If position, orientation, spacing or size are missing or impossible.
    """
    position = np.array(vector(data, "ImagePositionPatient", 3, "series.no_geometry"))
    row, column = directions(vector(data, "ImageOrientationPatient", 6, "series.no_geometry"), name)
    return Plane(name, position, row, column, pixel_spacing(data), image_size(data), number(data, "SliceThickness", 0.0))


def require_one_kind(planes: Sequence[Plane]) -> None:
    """Refuse planes that differ in size, spacing or orientation."""
    first = planes[0]
    for plane in planes[1:]:
        if plane.size != first.size:
            raise Refused(
                "series.mixed", f"{plane.name} has {plane.size} rows and columns, {first.name} has {first.size}", plane.name
            )
        if not np.allclose(plane.spacing_mm, first.spacing_mm, rtol=SAME_SPACING_TOLERANCE, atol=0.0):
            raise Refused(
                "series.mixed", f"{plane.name}: spacing {plane.spacing_mm} mm, {first.name}: {first.spacing_mm} mm", plane.name
            )
        turned = float(np.abs(np.concatenate([plane.along_row - first.along_row, plane.along_column - first.along_column])).max())
        if turned > SAME_ORIENTATION_TOLERANCE:
            raise Refused(
                "series.mixed", f"{plane.name} is oriented otherwise than {first.name} (cosines differ by {turned:.3g})", plane.name
            )


def _require_distinct(depths: FloatArray, order: npt.NDArray[np.intp], planes: Sequence[Plane]) -> None:
    steps = np.diff(depths[order])
    same = np.flatnonzero(steps < SAME_PLACE_MM)
    if same.size:
        first, second = planes[order[same[0]]], planes[order[same[0] + 1]]
        raise Refused(
            "series.duplicate_position",
            f"{same.size + 1} or more images share a position, first {first.name} and {second.name} at {depths[order[same[0]]]:.2f} mm "
            "along the normal",
            second.name,
        )


def _require_even(along: FloatArray, planes: Sequence[Plane]) -> tuple[float, float]:
    """Start and spacing of the even grid fitted to sorted positions along the normal; refused where a slice is missing or out of step."""
    steps = np.diff(along)
    typical = float(np.median(steps))
    wide = np.flatnonzero(steps > 1.5 * typical)
    if wide.size:
        places = "; ".join(f"between {along[k]:.2f} and {along[k + 1]:.2f} mm" for k in wide[:5])
        missing = int(sum(round(steps[k] / typical) - 1 for k in wide))
        raise Refused(
            "series.gap",
            f"about {missing} of {along.size + missing} slices are missing ({places} along the normal, spacing {typical:.3g} mm)",
            planes[int(wide[0])].name,
        )
    count = np.arange(along.size) - (along.size - 1) / 2.0
    spacing = float(count @ along) / float(count @ count)
    start = float(along.mean()) + spacing * float(count[0])
    off = np.abs(along - (start + spacing * np.arange(along.size)))
    worst = int(off.argmax())
    if off[worst] > EVEN_TOLERANCE * spacing:
        raise Refused(
            "series.irregular",
            f"{planes[worst].name} lies {off[worst]:.3f} mm off an even spacing of {spacing:.4g} mm",
            planes[worst].name,
        )
    return start, spacing


def stack_planes(planes: Sequence[Plane], frame: str) -> Stack:
    """One grid through all planes, slices in the direction row × column.

    Parameters
    ----------
    planes : sequence of Plane
        In any order.
    frame : str
        Frame of Reference UID.

    Returns
    -------
    Stack
        Its grid takes spacing from the positions; slice thickness counts only for a single slice.

    Raises
    ------
    Refused
        For mixed kinds, two planes at one position, gaps, uneven or sheared stacks, and a single slice without thickness.
    """
    require_one_kind(planes)
    first = planes[0]
    normal = first.normal
    positions = np.array([plane.position_mm for plane in planes])
    depths = positions @ normal
    order = np.argsort(depths, kind="stable")
    origin = positions[order[0]]
    if len(planes) == 1:
        if first.thickness_mm <= 0.0:
            raise Refused("series.no_geometry", f"{first.name} is a single slice without SliceThickness (0018,0050)", first.name)
        step = first.thickness_mm * normal
    else:
        _require_distinct(depths, order, planes)
        start, spacing = _require_even(depths[order], [planes[k] for k in order])
        step = spacing * normal
        origin = origin + (start - depths[order[0]]) * normal
        drift = positions[order] - positions[order[0]] - np.outer(depths[order] - depths[order[0]], normal)
        sideways = float(np.linalg.norm(drift, axis=1).max())
        if sideways > SHEAR_TOLERANCE * min(first.spacing_mm):
            raise Refused("series.sheared", f"slices drift sideways by {sideways:.2f} mm from the first to the last", first.name)
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = first.along_column * first.spacing_mm[0]
    affine[:3, 2] = first.along_row * first.spacing_mm[1]
    affine[:3, 3] = origin
    try:
        grid = Grid((len(planes), *first.size), affine, frame)
    except GeometryError as error:
        raise Refused("series.no_geometry", error.what) from error
    return Stack(grid, tuple(int(k) for k in order), len(planes) == 1)

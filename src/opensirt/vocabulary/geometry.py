"""The geometry of a volume as its own value: shape, affine and frame of reference.

Arrays are C-contiguous ``a[k, j, i]`` (slice, row, column). The columns of ``affine_mm`` follow the array's axes:
``affine_mm @ (k, j, i, 1)`` is the LPS position in millimetres of the centre of voxel ``(k, j, i)``. Other conventions (RAS, x-first)
are turned in ``files/`` and ``dicom/`` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.vocabulary.errors import GeometryError, GridMismatch
from opensirt.vocabulary.units import MM3_PER_ML

FloatArray = npt.NDArray[np.float64]

UNSTATED_FRAME = "unstated"
"""Frame of a volume whose file format carries no frame of reference (NIfTI, MetaImage)."""

SAME_POSITION_TOLERANCE_VOXELS = 0.01
"""Two grids are one grid if no corner voxel moves by more than this fraction of the smallest spacing: DICOM writes positions
as decimal strings of 16 characters, so that honest copies of one geometry differ by 1e-5 mm; a hundredth of a voxel is far
above that and far below anything that matters for dose."""

_SMALLEST_SPACING_MM = 1e-3


def _as_affine(value: Any) -> FloatArray:
    affine = np.array(value, dtype=np.float64)
    affine.setflags(write=False)
    return affine


def _as_shape(value: Iterable[int]) -> tuple[int, int, int]:
    sizes = tuple(int(size) for size in value)
    if len(sizes) != 3 or min(sizes) < 1:
        raise GeometryError(f"a grid needs three positive sizes, got {sizes}", "", "check the volume's shape")
    return (sizes[0], sizes[1], sizes[2])


@attrs.frozen(eq=False)
class Grid:
    """A regular, possibly oblique and anisotropic, grid of voxels in patient space.

    Attributes
    ----------
    shape : tuple of int
        Number of voxels along (k, j, i).
    affine_mm : ndarray, shape (4, 4)
        Index (k, j, i, 1) → LPS position of the voxel's centre in mm.
    frame : str
        DICOM Frame of Reference UID, or :data:`UNSTATED_FRAME`.

    Raises
    ------
    GeometryError
        If the shape is not three positive integers or the affine is not finite, affine and invertible.
    """

    shape: tuple[int, int, int] = attrs.field(converter=_as_shape)
    affine_mm: FloatArray = attrs.field(converter=_as_affine)
    frame: str = UNSTATED_FRAME

    def __attrs_post_init__(self) -> None:
        affine = self.affine_mm
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.array_equal(affine[3], (0, 0, 0, 1)):
            raise GeometryError(f"not an affine of 4 × 4 with last row 0 0 0 1: {affine.tolist()}", "", "check the geometry")
        remedy = "check orientation and spacing in the file"
        if self.spacing_mm.min() < _SMALLEST_SPACING_MM:
            raise GeometryError(f"voxel axes are degenerate: spacing {self.spacing_mm.tolist()} mm", "a spacing is zero", remedy)
        if abs(self.axes_determinant) < 1e-3:
            raise GeometryError(
                f"voxel axes are degenerate: determinant of the directions {self.axes_determinant:.3g}",
                "two axes of the grid are parallel",
                remedy,
            )

    @property
    def spacing_mm(self) -> FloatArray:
        """Distance between voxel centres along (k, j, i), shape (3,), mm."""
        return np.asarray(np.linalg.norm(self.affine_mm[:3, :3], axis=0))

    @property
    def directions(self) -> FloatArray:
        """Unit vectors of the (k, j, i) axes in LPS as columns, shape (3, 3)."""
        return np.asarray(self.affine_mm[:3, :3] / self.spacing_mm)

    @property
    def axes_determinant(self) -> float:
        """Determinant of the unit directions: ±1 for orthogonal axes."""
        return float(np.linalg.det(self.directions))

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in mL."""
        return float(abs(np.linalg.det(self.affine_mm[:3, :3]))) / MM3_PER_ML

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape))

    def lps_mm(self, index_kji: npt.ArrayLike) -> FloatArray:
        """LPS positions in mm of (fractional) indices, shape (..., 3) → (..., 3)."""
        index = np.asarray(index_kji, dtype=np.float64)
        return np.asarray(index @ self.affine_mm[:3, :3].T + self.affine_mm[:3, 3])

    def index_kji(self, lps_mm: npt.ArrayLike) -> FloatArray:
        """Fractional indices (k, j, i) of LPS positions in mm, shape (..., 3) → (..., 3)."""
        offset = np.asarray(lps_mm, dtype=np.float64) - self.affine_mm[:3, 3]
        return np.asarray(offset @ np.linalg.inv(self.affine_mm[:3, :3]).T)

    def corners_mm(self) -> FloatArray:
        """LPS positions of the centres of the eight corner voxels, shape (8, 3), mm."""
        last = np.array(self.shape, dtype=np.float64) - 1.0
        corners = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)]) * last
        return self.lps_mm(corners)

    def cropped(self, start: tuple[int, int, int], stop: tuple[int, int, int]) -> Grid:
        """The sub-grid ``[start, stop)`` in index space, in the same frame."""
        affine = self.affine_mm.copy()
        affine[:3, 3] = self.lps_mm(start)
        return Grid(tuple(b - a for a, b in zip(start, stop, strict=True)), affine, self.frame)

    def in_frame(self, frame: str) -> Grid:
        """The same geometry declared to lie in another frame of reference; the caller answers for it."""
        return Grid(self.shape, self.affine_mm, frame)

    def is_same_as(self, other: Grid) -> bool:
        """Whether both are one grid: frame, shape, and every corner within the documented tolerance."""
        if self.frame != other.frame or self.shape != other.shape:
            return False
        distance = np.abs(self.corners_mm() - other.corners_mm()).max()
        return bool(distance <= SAME_POSITION_TOLERANCE_VOXELS * self.spacing_mm.min())

    def describe(self) -> str:
        """One line for messages: shape, spacing, frame."""
        spacing = " × ".join(f"{s:.4g}" for s in self.spacing_mm)
        return f"{self.shape} voxels of {spacing} mm (k, j, i) in frame {self.frame}"


def require_same_grid(first: Grid, second: Grid, what: str) -> None:
    """Refuse two volumes that do not lie on one grid.

    Parameters
    ----------
    first, second : Grid
        The two grids.
    what : str
        The two things in words, e.g. ``"activity and density"``.

    Raises
    ------
    GridMismatch
        With both geometries in the message.
    """
    if not first.is_same_as(second):
        raise GridMismatch(
            f"{what} lie on different grids",
            f"{first.describe()}, and {second.describe()}",
            "resample one onto the other's grid first (opensirt.imaging.resample)",
        )


def require_same_frame(first: Grid, second: Grid, what: str) -> None:
    """Refuse two volumes of different frames of reference (two unstated frames count as one).

    Raises
    ------
    GridMismatch
        If the frames differ.
    """
    if first.frame != second.frame:
        raise GridMismatch(
            f"{what} lie in different frames of reference",
            f"{first.frame} and {second.frame}",
            "register one to the other, or state that the frames are one",
        )

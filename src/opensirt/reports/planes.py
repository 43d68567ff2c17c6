"""Planes cut through volumes of any orientation, for display: axial, coronal and sagittal in patient space."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from opensirt.vocabulary.geometry import Grid

FloatArray = npt.NDArray[np.float64]

_AXES = {
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}
"""For each view the LPS direction of the picture's columns (to the right) and rows (downward): axial seen from the feet, coronal
from the front, sagittal from the patient's left, as radiologists hang them."""


class View(Enum):
    """The three standard views."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


@dataclass(frozen=True)
class Plane:
    """A rectangle of square pixels in patient space.

    Attributes
    ----------
    view : View
        Which standard view.
    centre_mm : tuple of float
        LPS position of the picture's centre, mm.
    width_mm, height_mm : float
        Size in mm.
    pixel_mm : float
        Pixel size in mm.
    """

    view: View
    centre_mm: tuple[float, float, float]
    width_mm: float
    height_mm: float
    pixel_mm: float = 1.0

    def points_mm(self) -> FloatArray:
        """LPS position of every pixel, shape (rows, columns, 3), mm."""
        right, down = (np.array(axis) for axis in _AXES[self.view.value])
        columns = int(round(self.width_mm / self.pixel_mm))
        rows = int(round(self.height_mm / self.pixel_mm))
        u = (np.arange(columns) - (columns - 1) / 2.0) * self.pixel_mm
        v = (np.arange(rows) - (rows - 1) / 2.0) * self.pixel_mm
        return np.asarray(np.array(self.centre_mm) + v[:, None, None] * down + u[None, :, None] * right, dtype=np.float64)

    def scale_bar_mm(self) -> float:
        """A round length that fits a quarter of the picture, mm."""
        return 50.0 if self.width_mm >= 200.0 else 20.0


def sample(array: npt.NDArray[Any], grid: Grid, plane: Plane, *, outside: float = np.nan) -> FloatArray:
    """Trilinear samples of a volume on a plane.

    Parameters
    ----------
    array : ndarray, shape ``grid.shape``
        The volume.
    grid : Grid
        Its geometry.
    plane : Plane
        Where to cut; in the same frame of reference.
    outside : float
        Value for pixels beyond the grid.

    Returns
    -------
    ndarray, shape (rows, columns)
        Samples in the volume's unit.
    """
    points = plane.points_mm()
    ends = grid.index_kji(points[[0, 0, -1, -1], [0, -1, 0, -1]])  # an affine map has its extremes at the corners
    low = np.maximum(np.floor(ends.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(ends.max(axis=0)).astype(int) + 2, np.array(grid.shape))
    if (high <= low).any():
        return np.full(points.shape[:2], outside)
    part = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    if outside == 0.0 and not part.any():
        return np.zeros(points.shape[:2])
    coordinates = np.moveaxis(grid.index_kji(points), -1, 0)
    values = np.asarray(part, dtype=np.float32)
    local = coordinates - low[:, None, None]
    sampled = np.asarray(map_coordinates(values, local, order=1, mode="nearest", prefilter=False), dtype=np.float64)
    limits = np.array(grid.shape, dtype=np.float64)[:, None, None] - 0.5
    beyond = ((coordinates < -0.5) | (coordinates > limits)).any(axis=0)
    sampled[beyond] = outside
    return sampled

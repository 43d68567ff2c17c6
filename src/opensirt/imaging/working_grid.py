"""The working grid: the one grid on which activity, dose, masks and uncertainty live.

It has the axes of the emission image, a spacing near its voxels but within 3 to 4 mm (or one that a person states), and holds what
matters: the body and the lungs with a margin. Along axes where it keeps the emission voxel's spacing it also keeps its places, so that
resampling copies there and blurs nothing. It is recorded with every result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from opensirt.vocabulary.errors import GeometryError, InvalidValue
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.geometry import Grid, require_same_frame
from opensirt.vocabulary.volumes import Mask

SPACING_RANGE_MM = (3.0, 4.0)
"""Spacing of the working grid: below 3 mm noise and cost grow without information (scout images resolve 8–16 mm); above 4 mm the beta
range of 11 mm would be sampled by fewer than three voxels."""
MARGIN_MM = 12.0
"""Margin around body and lungs: one beta range of Y-90 in soft tissue (11 mm, EANM 2022), rounded up."""
ORTHOGONAL = 1e-4
"""Allowed deviation of the determinant of the axes from ±1: half a degree between two axes."""
SAME_SPACING = 1e-6
"""Relative difference below which two spacings are one: a thousandth of a voxel over 1000 voxels."""
OUTSIDE_FIELD_WARNING = 0.01
"""Part of a structure outside a field above which a warning is due: 1 % is what a contour moves by a fraction of a voxel."""


def default_spacing_mm(emission: Grid) -> tuple[float, float, float]:
    """The emission voxel's spacing moved into 3–4 mm, per axis (k, j, i)."""
    low, high = SPACING_RANGE_MM
    k, j, i = (float(min(max(s, low), high)) for s in emission.spacing_mm)
    return k, j, i


def _bounds(
    points_mm: npt.NDArray[np.float64], directions: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    along = points_mm @ directions
    return along.min(axis=0), along.max(axis=0)


def _surface_points_mm(mask: Mask) -> npt.NDArray[np.float64]:
    occupied = [mask.inside.any(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    ranges = [np.flatnonzero(line)[[0, -1]] for line in occupied]
    corners = np.array(
        [[ranges[0][a], ranges[1][b], ranges[2][c]] for a in (0, 1) for b in (0, 1) for c in (0, 1)], dtype=np.float64
    )
    corners += np.array([[a - 0.5, b - 0.5, c - 0.5] for a in (0, 1) for b in (0, 1) for c in (0, 1)]) * 1.0
    return mask.grid.lps_mm(corners)


def working_grid(emission: Grid, around: Sequence[Mask], spacing_mm: float | None = None, *, within: Grid | None = None) -> Grid:
    """The working grid for an emission image and the masks that must fit into it.

    Parameters
    ----------
    emission : Grid
        Its axes are kept; must be orthogonal.
    around : sequence of Mask
        What must lie inside: body, lungs, liver; at least one that is not empty.
    spacing_mm : float, optional
        One spacing for all axes; :func:`default_spacing_mm` where it is not given.
    within : Grid, optional
        A grid (the CT's) beyond whose outer corners the working grid need not reach.

    Raises
    ------
    InvalidValue
        If no mask holds a voxel, or the spacing is not between 1 and 10 mm.
    GeometryError
        If the emission grid's axes are not orthogonal, or nothing is left within the given grid.
    """
    if abs(abs(emission.axes_determinant) - 1.0) > ORTHOGONAL:
        raise GeometryError(
            f"the emission grid's axes are not orthogonal (determinant of their directions {emission.axes_determinant:.6f})",
            "the working grid takes its axes from it",
            "resample the emission image onto an orthogonal grid first",
        )
    filled = [mask for mask in around if mask.voxels]
    if not filled:
        raise InvalidValue("no structure to lay the working grid around", "", "give a body, liver or lung mask that is not empty")
    for mask in filled:
        require_same_frame(mask.grid, emission, f"the mask of {mask.structure.key} and the emission image")
    spacing = np.array(default_spacing_mm(emission) if spacing_mm is None else (spacing_mm,) * 3)
    if not ((spacing >= 1.0) & (spacing <= 10.0)).all():
        raise InvalidValue(
            f"a working grid of {spacing.tolist()} mm", "useful spacings are 3 to 4 mm", "give a spacing between 1 and 10 mm"
        )
    directions = emission.directions
    low, high = _bounds(np.concatenate([_surface_points_mm(mask) for mask in filled]), directions)
    low, high = low - MARGIN_MM, high + MARGIN_MM
    if within is not None:
        box_low, box_high = _bounds(within.corners_mm(), directions)
        low, high = np.maximum(low, box_low - MARGIN_MM), np.minimum(high, box_high + MARGIN_MM)
    if (high <= low).any():
        raise GeometryError(
            f"no structure lies within the image: extents of {(high - low).tolist()} mm are left",
            "structures and image do not overlap, though they claim one frame of reference",
            "check the registration",
        )
    counts = [max(1, math.ceil(extent / s)) for extent, s in zip(high - low, spacing, strict=True)]
    first = (low + high) / 2.0 - (np.array(counts) - 1) / 2.0 * spacing
    origin = emission.affine_mm[:3, 3] @ directions
    for axis in np.flatnonzero(np.abs(spacing - emission.spacing_mm) <= SAME_SPACING * spacing):
        first[axis] = origin[axis] + math.floor((low[axis] + spacing[axis] / 2.0 - origin[axis]) / spacing[axis]) * spacing[axis]
        counts[axis] = math.ceil((high[axis] - first[axis]) / spacing[axis] + 0.5)
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    affine[:3, 3] = np.linalg.solve(directions.T, first)
    return Grid((counts[0], counts[1], counts[2]), affine, emission.frame)


def fraction_outside(mask: Mask, field: Grid) -> float:
    """Part of a structure's voxels whose centres lie beyond a field's boxes, 0 to 1; 0 for an empty structure."""
    require_same_frame(mask.grid, field, f"the mask of {mask.structure.key} and the field")
    last, within = np.array(field.shape) - 0.5, 0
    for k, plane in enumerate(mask.inside):  # plane by plane: the lungs of a fine CT are millions of voxels
        rows, columns = np.nonzero(plane)
        voxels = np.column_stack([np.full(rows.size, k), rows, columns])
        index = field.index_kji(mask.grid.lps_mm(voxels))
        within += int(np.count_nonzero(((index >= -0.5) & (index <= last)).all(axis=1)))
    return 1.0 - within / mask.voxels if mask.voxels else 0.0


def field_findings(masks: Sequence[Mask], field: Grid, image: str) -> tuple[Finding, ...]:
    """A warning for every structure that an image (``"SPECT"``, ``"CT"``) does not cover whole, with the part that lies outside."""
    findings = []
    for mask in masks:
        outside = fraction_outside(mask, field)
        if outside > OUTSIDE_FIELD_WARNING:
            findings.append(
                Finding(
                    "field.structure_outside",
                    Severity.WARNING,
                    f"{100.0 * outside:.1f} % of {mask.structure.key} lie outside the field of the {image} · what it holds there is not seen · "
                    "use an image that covers it, or read its numbers as lower limits",
                    mask.structure.key,
                )
            )
    return tuple(findings)

"""Masks by threshold, and the algebra of masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import MissingInput
from opensirt.vocabulary.geometry import Grid, require_same_grid
from opensirt.vocabulary.volumes import HounsfieldMap, Mask

BoolArray = npt.NDArray[np.bool_]

BODY_ABOVE_HU = -300
"""Skin and fat (−120 to −80 HU) against air and blankets: −300 HU lies between."""
LUNG_BELOW_HU = -400
"""Aerated lung reads −950 to −500 HU; −400 HU keeps the rim that breathing blurs."""
LUNG_CLOSING_MM = 5.0
"""Vessels inside the lung up to twice this width belong to it (hilar vessels do not)."""
CLOSING_SPACING_MM = 2.0
"""Spacing at which vessels are closed: finer than any vessel that matters, eight times cheaper than a CT's own."""
SMALLEST_LUNG_ML = 100.0
"""Air pockets below this volume (bowel, stomach, oesophagus) are not lung."""
GAS_BELOW_HU = -930
"""Mean of an air space below which it is gas in stomach or bowel, not lung: gas reads −1000 HU, blurred at its rim; inflated lungs with
emphysema have a mean of −900 to −860 HU."""
_LEAST_OF_LARGEST = 0.1
"""A lung holds at least a tenth of the other, or of both where they hang together by the trachea; smaller pieces are pockets."""


def _fill_in_plane(inside: BoolArray) -> BoolArray:
    """Fill holes slice by slice: background that does not reach the slice's border belongs to the body."""
    structure = np.zeros((3, 3, 3), dtype=bool)
    structure[1] = ndimage.generate_binary_structure(2, 1)
    labels, count = ndimage.label(~inside, structure=structure)
    border = np.zeros(count + 1, dtype=bool)
    for edge in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        border[np.unique(edge)] = True
    border[0] = False
    return np.asarray(~border[labels], dtype=np.bool_)


def body_by_threshold(ct: HounsfieldMap) -> Mask:
    """The patient's body: the largest connected piece above −300 HU, holes filled in each slice.

    Raises
    ------
    MissingInput
        If nothing lies above the threshold.
    """
    dense = ct.hu > BODY_ABOVE_HU
    if ct.padding_hu is not None and ct.padding_hu > BODY_ABOVE_HU:
        dense &= ct.hu != ct.padding_hu
    if not dense.any():
        raise MissingInput(f"no voxel above {BODY_ABOVE_HU} HU", ct.grid.describe(), "check that this is a CT in Hounsfield units")
    opened = ndimage.binary_opening(dense, iterations=1)
    labels, _ = ndimage.label(opened if opened.any() else dense)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return Mask(_fill_in_plane(labels == int(sizes.argmax())), ct.grid, Structure(StructureKind.BODY))


def lungs_by_threshold(ct: HounsfieldMap, body: Mask | None = None) -> Mask:
    """Both lungs: air inside the body below −400 HU, in pieces of at least 100 mL, vessels closed.

    Gas in stomach and bowel is left out by its mean below −930 HU. Trachea and main bronchi, where they hang together with the lungs,
    stay: 30 to 60 mL of air, less than 0.1 g.

    Parameters
    ----------
    ct : HounsfieldMap
        Chest or upper abdomen.
    body : Mask, optional
        On the CT's grid; found by :func:`body_by_threshold` where it is not given.

    Raises
    ------
    MissingInput
        If no piece of air inside the body is large enough to be lung.
    """
    inside = body_by_threshold(ct) if body is None else body
    require_same_grid(ct.grid, inside.grid, "the CT and the body mask")
    air = (ct.hu < LUNG_BELOW_HU) & inside.inside
    thin = tuple(max(1, round(2.0 / s)) for s in ct.grid.spacing_mm)
    air = ndimage.binary_opening(air, structure=np.ones(tuple(2 * (t // 2) + 1 for t in thin), dtype=bool))
    labels, count = ndimage.label(air)
    sizes_ml = np.bincount(labels.ravel(), minlength=count + 1) * ct.grid.voxel_volume_ml
    sizes_ml[0] = 0.0
    large = np.flatnonzero(sizes_ml >= SMALLEST_LUNG_ML)
    mean_hu = ndimage.mean(ct.hu, labels, large) if large.size else np.empty(0)
    lung_like = large[np.asarray(mean_hu) >= GAS_BELOW_HU]
    keep = np.zeros(count + 1, dtype=bool)
    if lung_like.size:
        keep[lung_like] = sizes_ml[lung_like] >= _LEAST_OF_LARGEST * sizes_ml[lung_like].max()
    if not keep.any():
        raise MissingInput(
            f"no lung-like air space of {SMALLEST_LUNG_ML:.0f} mL or more inside the body; the largest air space holds "
            f"{sizes_ml.max():.0f} mL",
            "the lungs are outside the CT's field, or this is not a CT",
            "give a lung contour, or let lung mass fall back to its declared value",
        )
    lungs = _closed(keep[labels], ct.grid) & inside.inside
    return Mask(lungs, ct.grid, Structure(StructureKind.LUNGS))


def _closed(inside: BoolArray, grid: Grid) -> BoolArray:
    """Morphological closing by a ball of :data:`LUNG_CLOSING_MM`, by distance; on every nth voxel where the grid is finer than 2 mm."""
    stride = tuple(max(1, int(CLOSING_SPACING_MM // s)) for s in grid.spacing_mm)
    coarse = inside[:: stride[0], :: stride[1], :: stride[2]]
    spacing = grid.spacing_mm * np.array(stride)
    box = ndimage.find_objects(coarse.astype(np.int8))[0]
    margin = np.ceil(2.0 * LUNG_CLOSING_MM / spacing).astype(int)
    cut = tuple(slice(max(0, s.start - m), s.stop + m) for s, m in zip(box, margin, strict=True))
    near = ndimage.distance_transform_edt(~coarse[cut], sampling=spacing) <= LUNG_CLOSING_MM
    closed = np.zeros_like(coarse)
    closed[cut] = ndimage.distance_transform_edt(np.pad(near, 1, mode="edge"), sampling=spacing)[1:-1, 1:-1, 1:-1] > LUNG_CLOSING_MM
    fine = closed
    for axis, step in enumerate(stride):
        fine = np.repeat(fine, step, axis=axis)
    n_k, n_j, n_i = inside.shape
    return np.asarray(fine[:n_k, :n_j, :n_i] | inside)


def union(masks: Sequence[Mask], structure: Structure) -> Mask:
    """Voxels that belong to any of the masks, all on one grid."""
    if not masks:
        raise MissingInput(f"no mask to unite into {structure.key}", "", "give at least one")
    inside = masks[0].inside.copy()
    for mask in masks[1:]:
        require_same_grid(masks[0].grid, mask.grid, f"{masks[0].structure.key} and {mask.structure.key}")
        inside |= mask.inside
    return Mask(inside, masks[0].grid, structure)


def intersection(first: Mask, second: Mask, structure: Structure) -> Mask:
    """Voxels that belong to both masks."""
    require_same_grid(first.grid, second.grid, f"{first.structure.key} and {second.structure.key}")
    return Mask(first.inside & second.inside, first.grid, structure)


def difference(first: Mask, minus: Sequence[Mask], structure: Structure) -> Mask:
    """Voxels of the first mask that belong to none of the others."""
    inside = first.inside.copy()
    for mask in minus:
        require_same_grid(first.grid, mask.grid, f"{first.structure.key} and {mask.structure.key}")
        inside &= ~mask.inside
    return Mask(inside, first.grid, structure)


def lungs_without_liver(lungs: Mask, liver: Mask) -> Mask:
    """Lungs without the voxels they share with the liver: a shared voxel counts once, as liver (Taranis rule)."""
    return difference(lungs, [liver], lungs.structure)


def cut_edges(mask: Mask, field: Grid, *, least_mm2: float = 0.0) -> tuple[str, ...]:
    """Names of the field's faces that a structure touches: an organ cut by the field of view.

    Parameters
    ----------
    mask : Mask
        On the field's grid.
    field : Grid
        The image's grid.
    least_mm2 : float
        Area on a face below which touching does not count (a trachea that leaves the field is not a cut lung).
    """
    require_same_grid(mask.grid, field, f"{mask.structure.key} and the image")
    names = (("first slice", "last slice"), ("first row", "last row"), ("first column", "last column"))
    touched = []
    for axis in range(3):
        faces = np.moveaxis(mask.inside, axis, 0)
        pixel_mm2 = float(np.prod(np.delete(field.spacing_mm, axis)))
        for index, name in ((0, names[axis][0]), (-1, names[axis][1])):
            if np.count_nonzero(faces[index]) * pixel_mm2 > least_mm2:
                touched.append(name)
    return tuple(touched)


def cut_by_field(mask: Mask, ct: HounsfieldMap, *, least_mm2: float = 0.0) -> tuple[str, ...]:
    """As :func:`cut_edges`, and ``"edge of the reconstructed circle"`` where the structure borders on declared padding.

    A CT reconstructed on a small circle cuts an organ far from the faces of its array.

    Parameters
    ----------
    mask : Mask
        On the CT's grid.
    ct : HounsfieldMap
        With its padding value, where the series declares one.
    least_mm2 : float
        Area of contact below which touching does not count.
    """
    faces = cut_edges(mask, ct.grid, least_mm2=least_mm2)
    if ct.padding_hu is None or not mask.voxels:
        return faces
    box = ndimage.find_objects(mask.inside.view(np.int8))[0]
    window = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
    inside, padding = mask.inside[window], ct.hu[window] == ct.padding_hu
    area_mm2 = 0.0
    for axis in range(3):
        here, there = np.moveaxis(inside, axis, 0), np.moveaxis(padding, axis, 0)
        contacts = np.count_nonzero(here[1:] & there[:-1]) + np.count_nonzero(here[:-1] & there[1:])
        area_mm2 += contacts * float(np.prod(np.delete(ct.grid.spacing_mm, axis)))
    return (*faces, "edge of the reconstructed circle") if area_mm2 > least_mm2 else faces


def cropped_to_content(mask: Mask) -> Mask:
    """The same structure on the smallest sub-grid that holds it, with one voxel of margin: small structures resample fast.

    An empty mask comes back unchanged.
    """
    ranges = []
    for axis in range(3):
        filled = np.flatnonzero(mask.inside.any(axis=tuple(other for other in range(3) if other != axis)))
        if filled.size == 0:
            return mask
        ranges.append((max(0, int(filled[0]) - 1), min(mask.grid.shape[axis], int(filled[-1]) + 2)))
    start = (ranges[0][0], ranges[1][0], ranges[2][0])
    stop = (ranges[0][1], ranges[1][1], ranges[2][1])
    part = mask.inside[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]]
    return Mask(part, mask.grid.cropped(start, stop), mask.structure)

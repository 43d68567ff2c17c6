"""DICOM SEG → masks on the grid of the image it refers to, or on its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from opensirt.dicom.attributes import first_item, items, number, numbers, text, vector
from opensirt.dicom.decoders import PixelFormat, pixel_format, require_size, stored_values
from opensirt.dicom.facts import frame_of, is_synthetic
from opensirt.dicom.faults import FaultBook, Refused
from opensirt.dicom.names import structure_named
from opensirt.dicom.rtstruct import Reference
from opensirt.dicom.scan import Header
from opensirt.dicom.slices import Plane, directions, image_size, pixel_spacing, require_one_kind
from opensirt.dicom.study import ImportedStructure, ReadOptions
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import GeometryError
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import Mask

FloatArray = npt.NDArray[np.float64]

ON_GRID_TOLERANCE = 0.05
"""Largest distance of a frame's corners from the voxels of the referenced series, in voxels, for it to be taken onto that grid."""

FRACTION_INSIDE = 0.5
"""A voxel of a fractional segmentation is inside from this fraction on."""

_KINDS = ("BINARY", "FRACTIONAL", "LABELMAP")


@attrs.frozen(eq=False)
class _Frames:
    """All frames of a segmentation: geometry and, unless it is a label map, the segment each belongs to."""

    planes: tuple[Plane, ...]
    segments: tuple[int, ...]
    step_mm: float


def _macro(group: Dataset, shared: Dataset, keyword: str) -> Dataset:
    return first_item(group, keyword) if items(group, keyword) else first_item(shared, keyword)


def _frames(data: Dataset, name: str) -> _Frames:
    shared = first_item(data, "SharedFunctionalGroupsSequence")
    planes, segments, step = [], [], 0.0
    for index, group in enumerate(items(data, "PerFrameFunctionalGroupsSequence")):
        position = vector(_macro(group, shared, "PlanePositionSequence"), "ImagePositionPatient", 3, "series.no_geometry")
        cosines = vector(_macro(group, shared, "PlaneOrientationSequence"), "ImageOrientationPatient", 6, "series.no_geometry")
        measures = _macro(group, shared, "PixelMeasuresSequence")
        row, column = directions(cosines, name)
        step = abs(number(measures, "SpacingBetweenSlices", 0.0)) or number(measures, "SliceThickness", 0.0)
        plane = Plane(f"{name} frame {index + 1}", np.array(position), row, column, pixel_spacing(measures), image_size(data), step)
        planes.append(plane)
        identity = _macro(group, shared, "SegmentIdentificationSequence")
        segments.append(int(number(identity, "ReferencedSegmentNumber", 0)))
    if not planes:
        raise Refused("seg.geometry", f"file {name} has no per-frame functional groups")
    require_one_kind(planes)
    return _Frames(tuple(planes), tuple(segments), step)


def _slices_on(grid: Grid, planes: Sequence[Plane]) -> list[int] | None:
    """Slice of ``grid`` that each plane is, or ``None`` if one of them lies off its voxels."""
    slices = []
    for plane in planes:
        if plane.size != grid.shape[1:]:
            return None
        rows, columns = plane.size
        down, across = plane.along_column * plane.spacing_mm[0], plane.along_row * plane.spacing_mm[1]
        corners = np.array([plane.position_mm + a * (rows - 1) * down + b * (columns - 1) * across for a in (0, 1) for b in (0, 1)])
        index = grid.index_kji(corners)
        k = round(float(index[:, 0].mean()))
        expected = np.array([[k, a * (rows - 1), b * (columns - 1)] for a in (0, 1) for b in (0, 1)])
        if not 0 <= k < grid.shape[0] or np.abs(index - expected).max() > ON_GRID_TOLERANCE:
            return None
        slices.append(k)
    return slices


def own_grid(planes: Sequence[Plane], step_mm: float, frame: str) -> tuple[Grid, list[int]]:
    """A grid through planes that may repeat and leave slices out, and the slice of each.

    The step is the smallest distance between two planes; every other distance must be a whole multiple of it. A single plane takes
    the spacing or thickness that the file states.

    Raises
    ------
    Refused
        ``seg.geometry`` if there is no such grid.
    """
    first = planes[0]
    depths = np.array([plane.position_mm @ first.normal for plane in planes])
    order = np.unique(np.round(depths, 3))
    step = float(np.diff(order).min()) if order.size > 1 else step_mm
    if step <= 0.0:
        raise Refused("seg.geometry", f"{first.name}: one plane and no thickness")
    exact = (depths - depths.min()) / step
    slices = np.rint(exact).astype(int)
    start = planes[int(depths.argmin())]
    drift = np.array([plane.position_mm - start.position_mm for plane in planes]) - np.outer(depths - depths.min(), first.normal)
    if np.abs(exact - slices).max() > ON_GRID_TOLERANCE or np.abs(drift).max() > ON_GRID_TOLERANCE * min(first.spacing_mm):
        raise Refused("seg.geometry", f"{first.name} and others lie off an even spacing of {step:.3g} mm")
    affine = np.eye(4)
    affine[:3, 0] = step * first.normal
    affine[:3, 1] = first.along_column * first.spacing_mm[0]
    affine[:3, 2] = first.along_row * first.spacing_mm[1]
    affine[:3, 3] = start.position_mm
    try:
        return Grid((int(slices.max()) + 1, *first.size), affine, frame), [int(k) for k in slices]
    except GeometryError as error:
        raise Refused("seg.geometry", error.what) from error


def _place(
    data: Dataset, frames: _Frames, references: Mapping[str, Reference], book: FaultBook, header: Header
) -> tuple[Grid, list[int], str]:
    """Grid, slice of each frame, and UID of the referenced series (empty where it was not imported)."""
    frame = text(data, "FrameOfReferenceUID")
    named = [text(series, "SeriesInstanceUID") for series in items(data, "ReferencedSeriesSequence")]
    here = [references[uid] for uid in named if uid in references]
    for reference in here:
        if frame and frame != reference.grid.frame:
            raise Refused("structure.other_frame", f"segmentation in frame {frame}, its image in {reference.grid.frame}")
        slices = _slices_on(reference.grid, frames.planes)
        if slices is not None:
            return reference.grid, slices, reference.series_uid
    if references and frame not in {reference.grid.frame for reference in references.values()}:
        raise Refused("structure.other_frame", f"segmentation in frame {frame or 'not stated'}, of which no image was imported")
    if not here:
        shown = ", ".join(named) or "none named"
        series_uid = text(data, "SeriesInstanceUID")
        book.add(
            "seg.reference_missing", f"file {header.name}: image series {shown}", series_uid=series_uid, instance=header.instance
        )
    grid, slices = own_grid(frames.planes, frames.step_mm, frame_of(data))
    return grid, slices, here[0].series_uid if here else ""


def _structure_of(segment: Dataset) -> tuple[Structure, str]:
    """Structure and label of a segment: by its label, or else by its coded property type."""
    label = text(segment, "SegmentLabel") or f"segment {text(segment, 'SegmentNumber')}"
    structure = structure_named(label)
    if structure.kind is StructureKind.OTHER:
        kind = first_item(segment, "SegmentedPropertyTypeCodeSequence")
        side = first_item(kind, "SegmentedPropertyTypeModifierCodeSequence")
        coded = structure_named(f"{text(side, 'CodeMeaning')} {text(kind, 'CodeMeaning')}".strip())
        if coded.kind is not StructureKind.OTHER:
            structure = Structure(coded.kind, structure.label if coded.label else "")
    return structure, label


def _inside(pixels: npt.NDArray[np.generic], kind: str, number_of_segment: int, largest: float) -> npt.NDArray[np.bool_]:
    if kind == "LABELMAP":
        return np.asarray(pixels == number_of_segment)
    if kind == "FRACTIONAL":
        return np.asarray(pixels.astype(np.float64) >= FRACTION_INSIDE * largest)
    return np.asarray(pixels != 0)


def read_seg(header: Header, references: Mapping[str, Reference], options: ReadOptions, book: FaultBook) -> list[ImportedStructure]:
    """All segments of one SEG object that hold a voxel; the others become faults.

    Overlapping segments are separate masks. Frames may come in any order and leave slices out (those are empty).

    Parameters
    ----------
    header : Header
        The segmentation.
    references : mapping of str to Reference
        Imported image series by UID.
    options : ReadOptions
        Largest size.
    book : FaultBook
        Takes every segment that is refused, and what does not stop one.

    Raises
    ------
    Refused
        If the object as a whole cannot be placed or decoded.
    """
    data = header.data
    series_uid = text(data, "SeriesInstanceUID")
    kind = text(data, "SegmentationType").upper()
    if kind not in _KINDS:
        raise Refused("seg.kind", f"file {header.name}: Segmentation Type (0062,0001) is {kind or 'missing'}", header.instance)
    form: PixelFormat = pixel_format(data)
    require_size(form.decoded_bytes, options.largest_bytes, f"file {header.name}")
    frames = _frames(data, header.name)
    if len(frames.planes) != form.frames:
        raise Refused(
            "seg.geometry", f"file {header.name}: {form.frames} frames, geometry for {len(frames.planes)}", header.instance
        )
    grid, slices, reference_uid = _place(data, frames, references, book, header)
    require_size(grid.size, options.largest_bytes, f"the grid of file {header.name}")
    pixels = stored_values(header, form)
    largest = (numbers(data, "MaximumFractionalValue") or (255.0,))[0]
    structures = []
    for segment in items(data, "SegmentSequence"):
        chosen = int(number(segment, "SegmentNumber", 0))
        structure, label = _structure_of(segment)
        if kind == "LABELMAP" and chosen == 0:
            continue  # the background may be listed as a segment
        mask = np.zeros(grid.shape, dtype=np.bool_)
        for index, k in enumerate(slices):
            if kind == "LABELMAP" or frames.segments[index] == chosen:
                mask[k] |= _inside(pixels[index], kind, chosen, largest)
        if not mask.any():
            book.add("structure.empty", f"segment {label!r}", series_uid=series_uid, instance=header.instance)
            continue
        if kind == "FRACTIONAL":
            what = f"segment {label!r} from {FRACTION_INSIDE:.0%} on"
            book.add("structure.threshold", what, series_uid=series_uid, instance=header.instance)
        structures.append(
            ImportedStructure(Mask(mask, grid, structure), label, "SEG", series_uid, reference_uid, is_synthetic(data))
        )
    return structures

"""RTSTRUCT → masks on the grid of the image that the structures were drawn on."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np
import numpy.typing as npt
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from opensirt.dicom.attributes import items, numbers, text
from opensirt.dicom.facts import is_synthetic
from opensirt.dicom.faults import FaultBook, Refused
from opensirt.dicom.names import structure_named
from opensirt.dicom.rasterise import fill_even_odd, planes_of, slices_of_planes
from opensirt.dicom.scan import Header
from opensirt.dicom.study import ImportedStructure
from opensirt.vocabulary.geometry import UNSTATED_FRAME, Grid
from opensirt.vocabulary.volumes import Mask

FloatArray = npt.NDArray[np.float64]

IN_PLANE_TOLERANCE = 0.1
"""Largest departure of a contour's points from one plane parallel to the slices, in slice spacings: contours written with 2 decimals
depart by 0.01 mm; a contour drawn on an oblique reformat by many slices."""

SAME_PLANE = 0.05
"""Contours nearer to each other than this, in slice spacings, lie in one plane."""

_CLOSED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR"})


@attrs.frozen(eq=False)
class Reference:
    """An imported image series that structures may have been drawn on: its grid and the SOP Instance UIDs of its images."""

    series_uid: str
    grid: Grid
    instances: frozenset[str]


def _points(contour: Dataset) -> FloatArray:
    """Vertices in LPS mm, shape (n, 3); parsed from the raw text where pydicom has not touched it, which is ten times as fast."""
    if "ContourData" not in contour:
        return np.empty((0, 3))
    raw = contour.get_item("ContourData")
    if isinstance(raw, RawDataElement) and isinstance(raw.value, bytes):
        try:
            flat = np.array([float(part) for part in raw.value.split(b"\\")] if raw.value.strip() else [])
        except ValueError as error:
            raise Refused("header.attribute_invalid", "ContourData (3006,0050) is not a list of numbers") from error
    else:
        flat = np.array(numbers(contour, "ContourData"))
    if flat.size % 3 or not np.isfinite(flat).all():
        raise Refused("header.attribute_invalid", f"ContourData (3006,0050) holds {flat.size} numbers, or some that are not finite")
    return flat.reshape(-1, 3)


def _referenced_series(data: Dataset, frame: str) -> list[str]:
    """Series UIDs that the structure set names for a frame (for any frame, where it names none for this one)."""
    found: list[str] = []
    every: list[str] = []
    for reference in items(data, "ReferencedFrameOfReferenceSequence"):
        for study in items(reference, "RTReferencedStudySequence"):
            for series in items(study, "RTReferencedSeriesSequence"):
                uid = text(series, "SeriesInstanceUID")
                every.append(uid)
                if text(reference, "FrameOfReferenceUID") == frame:
                    found.append(uid)
    return found or every


def find_reference(named: list[str], frame: str, references: Mapping[str, Reference], label: str) -> Reference:
    """The imported series that a structure belongs to.

    Raises
    ------
    Refused
        ``structure.reference_missing`` if none of the named series was imported, ``structure.other_frame`` if its frame is another one.
    """
    here = [references[uid] for uid in named if uid in references]
    if not here and not named:
        here = [reference for reference in references.values() if reference.grid.frame == frame]
        if len(here) > 1:
            here = []
    if not here:
        shown = ", ".join(named) or "none named"
        raise Refused("structure.reference_missing", f"structure {label!r}: image series {shown}")
    for reference in here:
        if frame in ("", reference.grid.frame) or reference.grid.frame.startswith(UNSTATED_FRAME):
            return reference  # an image without a frame is tied to its structures by its series' UID alone
    raise Refused("structure.other_frame", f"structure {label!r} lies in frame {frame}, its image in {here[0].grid.frame}")


def mask_from_contours(contours: list[FloatArray], grid: Grid, label: str) -> tuple[npt.NDArray[np.bool_], list[tuple[str, str]]]:
    """Mask of closed planar contours on ``grid``, and the faults that do not stop it, as (code, what).

    Parameters
    ----------
    contours : list of ndarray, shape (n, 3)
        Vertices in LPS mm.
    grid : Grid
        Grid of the image.
    label : str
        For messages.

    Raises
    ------
    Refused
        ``structure.not_in_plane`` or ``structure.off_grid``.
    """
    indices = [grid.index_kji(points) for points in contours]
    spread = max(float(np.ptp(points[:, 0])) for points in indices)
    if spread > IN_PLANE_TOLERANCE:
        raise Refused("structure.not_in_plane", f"structure {label!r}: a contour spans {spread:.2f} slices")
    depths = [float(points[:, 0].mean()) for points in indices]
    groups = planes_of(depths, SAME_PLANE)
    planes = [float(np.mean([depths[k] for k in group])) for group in groups]
    chosen, gaps = slices_of_planes(planes, grid.shape[0])
    inside = np.zeros(grid.shape, dtype=np.bool_)
    filled: dict[int, npt.NDArray[np.bool_]] = {}
    for k, plane in enumerate(chosen):
        if plane < 0:
            continue
        if plane not in filled:
            filled[plane] = fill_even_odd([indices[c][:, 1:] for c in groups[plane]], grid.shape[1:])
        inside[k] = filled[plane]
    faults = []
    if gaps:
        where = ", ".join(f"{planes[g] * grid.spacing_mm[0]:.1f}–{planes[g + 1] * grid.spacing_mm[0]:.1f} mm" for g in gaps[:5])
        faults.append(("structure.planes_missing", f"structure {label!r}: none between {where} from the first slice"))
    everything = np.concatenate(indices)
    low, high = everything.min(axis=0), everything.max(axis=0)
    if (low < -0.5).any() or (high > np.array(grid.shape) - 0.5).any():
        if not inside.any():
            raise Refused(
                "structure.off_grid", f"structure {label!r} spans indices {low.round(1).tolist()} to {high.round(1).tolist()}"
            )
        faults.append(("structure.cut", f"structure {label!r} spans indices {low.round(1).tolist()} to {high.round(1).tolist()}"))
    return inside, faults


def _closed_contours(roi: Dataset, label: str) -> tuple[list[FloatArray], set[str], list[tuple[str, str]]]:
    contours, images, faults = [], set(), []
    for contour in items(roi, "ContourSequence"):
        kind = text(contour, "ContourGeometricType")
        points = _points(contour)
        if kind not in _CLOSED or len(points) < 3:
            faults.append(("structure.contour_type", f"structure {label!r}: {kind or 'no type'} of {len(points)} points"))
            continue
        contours.append(points)
        images |= {text(image, "ReferencedSOPInstanceUID") for image in items(contour, "ContourImageSequence")}
    return contours, images - {""}, faults


def _one_structure(
    roi: Dataset, entry: Dataset, header: Header, references: Mapping[str, Reference], book: FaultBook
) -> ImportedStructure:
    data = header.data
    series_uid = text(data, "SeriesInstanceUID")
    label = text(entry, "ROIName") or f"ROI {text(entry, 'ROINumber')}"
    contours, images, faults = _closed_contours(roi, label)
    for code, what in faults:
        book.add(code, what, series_uid=series_uid, instance=header.instance)
    if not contours:
        raise Refused("structure.empty", f"structure {label!r}")
    frame = text(entry, "ReferencedFrameOfReferenceUID")
    reference = find_reference(_referenced_series(data, frame), frame, references, label)
    absent = images - reference.instances
    if absent:
        what = f"structure {label!r}: {len(absent)} of {len(images)} images"
        book.add("structure.slice_missing", what, series_uid=series_uid, instance=header.instance)
    inside, more = mask_from_contours(contours, reference.grid, label)
    for code, what in more:
        book.add(code, what, series_uid=series_uid, instance=header.instance)
    if not inside.any():
        raise Refused("structure.empty", f"structure {label!r} holds no voxel's centre")
    mask = Mask(inside, reference.grid, structure_named(label))
    return ImportedStructure(mask, label, "RTSTRUCT", series_uid, reference.series_uid, is_synthetic(data))


def read_rtstruct(header: Header, references: Mapping[str, Reference], book: FaultBook) -> list[ImportedStructure]:
    """All structures of one RTSTRUCT that can be drawn; the others become faults.

    Parameters
    ----------
    header : Header
        The structure set.
    references : mapping of str to Reference
        Imported image series by UID.
    book : FaultBook
        Takes every structure that is refused, and what does not stop one.
    """
    data = header.data
    series_uid = text(data, "SeriesInstanceUID")
    contours_of = {text(roi, "ReferencedROINumber"): roi for roi in items(data, "ROIContourSequence")}
    entries = items(data, "StructureSetROISequence")
    if not entries:
        book.add("structure.empty", f"file {header.name} defines no structure", series_uid=series_uid, instance=header.instance)
    structures = []
    for entry in entries:
        roi = contours_of.get(text(entry, "ROINumber"), Dataset())
        try:
            structures.append(_one_structure(roi, entry, header, references, book))
        except Refused as refusal:
            book.add(refusal.code, refusal.what, series_uid=series_uid, instance=refusal.instance or header.instance)
    return structures

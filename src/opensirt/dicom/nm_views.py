"""Which side of the patient a planar frame shows, and how it is turned so that both views share left and right."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from opensirt.dicom.attributes import first_item, items, numbers, text, texts
from opensirt.dicom.faults import FaultBook, Refused
from opensirt.dicom.scan import Header
from opensirt.dicom.slices import directions, image_size, pixel_spacing
from opensirt.vocabulary.geometry import UNSTATED_FRAME, Grid

Side = Literal["anterior", "posterior"]

_VIEW_CODES: dict[str, Side] = {"399321004": "anterior", "G-5215": "anterior", "399001007": "posterior", "G-5216": "posterior"}
"""Context group 26, anterior and posterior projection, in SNOMED CT and SNOMED RT."""

_FRONT = re.compile(r"(?<![a-z])(ant|anterior)(?![a-z])", re.IGNORECASE)
_BACK = re.compile(r"(?<![a-z])(post|posterior)(?![a-z])", re.IGNORECASE)
_ANGLE_TOLERANCE_DEG = 20.0
"""A detector this near to 0° or 180° looks at back or front: dual heads stand within a degree; 20° still tells them from laterals."""

PLANAR_DEPTH_MM = 1.0
"""Nominal depth of a planar view's single slice; a projection has none."""


def _detector(data: Dataset, index: int) -> Dataset:
    found = items(data, "DetectorInformationSequence")
    vector = numbers(data, "DetectorVector")
    if not found:
        return Dataset()
    number = int(vector[index]) if index < len(vector) else 1
    return found[number - 1] if 1 <= number <= len(found) else Dataset()


def _named(phrase: str) -> Side | None:
    front, back = bool(_FRONT.search(phrase)), bool(_BACK.search(phrase))
    if front == back:
        return None
    return "anterior" if front else "posterior"


def view_of(data: Dataset, index: int, header: Header, book: FaultBook) -> Side:
    """Side of frame ``index``: from the detector's view code, from a name in the header, or from its start angle (entered as a fault).

    Raises
    ------
    Refused
        ``nm.view_unknown`` if nothing tells.
    """
    detector = _detector(data, index)
    code = first_item(detector, "ViewCodeSequence")
    side = _VIEW_CODES.get(text(code, "CodeValue")) or _named(text(code, "CodeMeaning"))
    if side:
        return side
    frames = int(numbers(data, "NumberOfFrames")[0]) if numbers(data, "NumberOfFrames") else 1
    if frames == 1:  # a name in the header speaks for all frames, so it counts only where there is one
        for keyword in ("ViewPosition", "ImageID", "ImageComments", "SeriesDescription"):
            side = _named(text(data, keyword))
            if side:
                return side
    angle = numbers(detector, "StartAngle")
    if angle:
        # PS3.3 C.8.4.11: 0° at the patient's back
        for centre, name in ((0.0, "posterior"), (180.0, "anterior")):
            if abs((angle[0] - centre + 180.0) % 360.0 - 180.0) <= _ANGLE_TOLERANCE_DEG:
                series_uid = text(data, "SeriesInstanceUID")
                what = f"file {header.name} frame {index + 1}: start angle {angle[0]:.0f}° read as {name}"
                book.add("nm.view_from_angle", what, series_uid=series_uid, instance=header.instance)
                return "anterior" if name == "anterior" else "posterior"
    raise Refused("nm.view_unknown", f"file {header.name} frame {index + 1}", header.instance)


def _stored_axes(data: Dataset, index: int, side: Side) -> tuple[str, str]:
    """Patient direction of growing columns and rows of the stored frame, as letters L R and H F."""
    detector = _detector(data, index)
    for source in (detector, data):
        cosines = numbers(source, "ImageOrientationPatient")
        if len(cosines) == 6:
            row, column = directions(cosines, "planar view")
            if abs(row[0]) > np.sqrt(0.5) and abs(column[2]) > np.sqrt(0.5):
                return "L" if row[0] > 0 else "R", "H" if column[2] > 0 else "F"
    letters = tuple(part[:1].upper() for part in texts(data, "PatientOrientation"))
    if (
        len(letters) == 2
        and letters[0] in "LR"
        and letters[1] in "HF"
        and int(numbers(data, "NumberOfFrames")[0] if numbers(data, "NumberOfFrames") else 1) == 1
    ):
        return letters[0], letters[1]
    # as a detector sees it: the patient's head up; seen from the back, columns run to the patient's right
    return ("L" if side == "anterior" else "R"), "F"


def upright(frame: npt.NDArray[np.float32], data: Dataset, index: int, side: Side) -> tuple[npt.NDArray[np.float32], str]:
    """The frame with columns running to the patient's left and rows to the feet, and a note on what was done to it."""
    columns, rows = _stored_axes(data, index, side)
    turned = frame
    done = []
    if columns == "R":
        turned = turned[:, ::-1]
        done.append("mirrored left to right")
    if rows == "H":
        turned = turned[::-1, :]
        done.append("turned head up")
    how = " and ".join(done) if done else "as stored"
    return np.ascontiguousarray(turned), f"{side} view {how}: columns run to the patient's left, rows to the feet"


def _corner_mm(data: Dataset, index: int, side: Side, spacing_mm: tuple[float, float]) -> npt.NDArray[np.float64]:
    """LPS position of the first pixel of the upright view; the origin where the detector states no position and orientation."""
    detector = _detector(data, index)
    position, cosines = numbers(detector, "ImagePositionPatient"), numbers(detector, "ImageOrientationPatient")
    if len(position) != 3 or len(cosines) != 6:
        return np.zeros(3)
    along_row, along_column = directions(cosines, "planar view")
    columns, rows = _stored_axes(data, index, side)
    size = image_size(data)
    corner = np.array(position, dtype=np.float64)
    if columns == "R":
        corner = corner + (size[1] - 1) * spacing_mm[1] * np.asarray(along_row)
    if rows == "H":
        corner = corner + (size[0] - 1) * spacing_mm[0] * np.asarray(along_column)
    return corner


def planar_grid(data: Dataset, index: int, side: Side) -> Grid:
    """Grid of an upright planar view: columns along +x (left), rows along −z (feet), depth along y.

    The first pixel lies where the detector says; the origin is nominal where it says nothing.
    """
    rows, columns = image_size(data)
    between_rows, between_columns = pixel_spacing(data)
    affine = np.zeros((4, 4))
    affine[1, 0], affine[2, 1], affine[0, 2], affine[3, 3] = PLANAR_DEPTH_MM, -between_rows, between_columns, 1.0
    affine[:3, 3] = _corner_mm(data, index, side, (between_rows, between_columns))
    return Grid((1, rows, columns), affine, text(data, "FrameOfReferenceUID") or UNSTATED_FRAME)

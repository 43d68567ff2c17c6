"""RTDOSE → absorbed dose in Gy, scaled, with its geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import RTDoseStorage

from opensirt.dicom.attributes import number, numbers, text, vector
from opensirt.dicom.decoders import pixel_format, require_size, stored_values
from opensirt.dicom.facts import frame_of
from opensirt.dicom.faults import FaultBook, Refused
from opensirt.dicom.scan import scan
from opensirt.dicom.slices import EVEN_TOLERANCE, directions, image_size, pixel_spacing
from opensirt.dicom.study import DEFAULT_LARGEST_BYTES
from opensirt.vocabulary.errors import MissingInput, UnitError
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import DoseMap

SAME_ORIGIN_MM = 1e-2
"""A first offset this near to the z of the position, and not to 0, gives positions rather than distances (PS3.3 C.8.8.3.2)."""


def _offsets(data: Dataset, frames: int, z_mm: float) -> np.ndarray:
    """Distance of each frame from the first, in mm, in order of the file."""
    stated = np.array(numbers(data, "GridFrameOffsetVector"))
    if frames == 1 and stated.size <= 1:
        return np.zeros(1)
    if stated.size != frames or not np.isfinite(stated).all():
        raise Refused("series.no_geometry", f"Grid Frame Offset Vector (3004,000C) has {stated.size} values for {frames} frames")
    absolute = abs(stated[0]) > SAME_ORIGIN_MM and abs(stated[0] - z_mm) <= SAME_ORIGIN_MM
    if not absolute and abs(stated[0]) > SAME_ORIGIN_MM:
        raise Refused("series.no_geometry", f"Grid Frame Offset Vector (3004,000C) begins with {stated[0]:g}")
    return np.asarray(stated - stated[0])


def _grid(data: Dataset, frames: int) -> Grid:
    position = np.array(vector(data, "ImagePositionPatient", 3, "series.no_geometry"))
    row, column = directions(vector(data, "ImageOrientationPatient", 6, "series.no_geometry"), "RTDOSE")
    offsets = _offsets(data, frames, float(position[2]))
    step = float(offsets[-1]) / (frames - 1) if frames > 1 else number(data, "SliceThickness")
    if step == 0.0 or np.abs(offsets - step * np.arange(frames)).max() > EVEN_TOLERANCE * abs(step):
        raise Refused("series.irregular", f"frames at {offsets[:4].tolist()} … mm")
    spacing = pixel_spacing(data)
    affine = np.eye(4)
    affine[:3, 0] = np.cross(row, column) * step
    affine[:3, 1], affine[:3, 2], affine[:3, 3] = column * spacing[0], row * spacing[1], position
    return Grid((frames, *image_size(data)), affine, frame_of(data))


def read_rtdose(path: Path) -> DoseMap:
    """Absorbed dose of one RTDOSE file.

    Parameters
    ----------
    path : Path
        One file.

    Returns
    -------
    DoseMap
        Gy in ``a[k, j, i]``, frames in the order of the file.

    Raises
    ------
    MissingInput
        If the file is no RTDOSE.
    UnitError
        If Dose Units are not GY: relative doses have no scale.
    Refused
        If geometry or pixels cannot be read.
    """
    book = FaultBook()
    headers = scan(path, book, DEFAULT_LARGEST_BYTES, lambda fraction: None)
    if len(headers) != 1 or text(headers[0].data, "SOPClassUID") != RTDoseStorage:
        why = "; ".join(fault.message for fault in book.entries[:3])
        raise MissingInput(f"{path.name} is no RTDOSE", why, "give an RT Dose file, NIfTI or MetaImage")
    header = headers[0]
    units = text(header.data, "DoseUnits")
    if units.upper() != "GY":
        raise UnitError(
            f"{path.name} is in units of {units or 'nothing stated'}", "Dose Units (3004,0002) must be GY", "export it in Gy"
        )
    form = pixel_format(header.data)
    require_size(form.decoded_bytes, DEFAULT_LARGEST_BYTES, path.name)
    scaling = number(header.data, "DoseGridScaling")
    stored = stored_values(header, form)
    return DoseMap((stored * scaling).astype(np.float32), _grid(header.data, form.frames))

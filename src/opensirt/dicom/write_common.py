"""What every written object repeats: whose study, which series, when, and the mark of a virtual patient."""

from __future__ import annotations

import os
import tempfile
import uuid
from datetime import datetime
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from opensirt._version import __version__
from opensirt.dicom.facts import SYNTHETIC_MARK, SYNTHETIC_MODEL
from opensirt.vocabulary.errors import GeometryError, InvalidValue
from opensirt.vocabulary.geometry import Grid

MANUFACTURER = "opensirt"
LONGEST_LO = 64
"""Characters that the value representation LO holds (PS3.5, table 6.2-1)."""

_SPACE = uuid.UUID("6f70656e-7369-5274-8000-73796e746865")
_ORTHOGONAL = 1e-5
"""Largest cosine between two axes of a grid that DICOM images can state."""


def derived_uid(*parts: str) -> str:
    """A UID under 2.25 that depends on ``parts`` alone: the same parts give the same UID for ever (a UUID of version 5)."""
    return f"2.25.{uuid.uuid5(_SPACE, '|'.join(parts)).int}"


@attrs.frozen
class StudyIdentity:
    """Whose study it is, when it was made.

    Attributes
    ----------
    patient_name, patient_id : str
        As DICOM writes them (``Family^Given``).
    study_uid : str
        Study Instance UID; UIDs of series and instances are derived from it.
    description : str
        Study Description.
    at : datetime
        Start of the study, time-zone aware; the zone's offset is written as Timezone Offset From UTC.
    synthetic : bool
        Every object carries the mark of a virtual patient.
    body_part : str
        Body Part Examined.
    """

    patient_name: str
    patient_id: str
    study_uid: str
    description: str
    at: datetime
    synthetic: bool
    body_part: str = "ABDOMEN"

    def __attrs_post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise InvalidValue(f"the instant {self.at} of a study has no time zone", "", "give an offset, e.g. +01:00")

    def series_uid(self, name: str) -> str:
        """Series Instance UID of the series called ``name``."""
        return derived_uid(self.study_uid, name)


@attrs.frozen
class SeriesIdentity:
    """One series of a study: its name (UIDs derive from it), number, description, start and Frame of Reference UID."""

    name: str
    number: int
    description: str
    at: datetime
    frame: str


def offset_text(at: datetime) -> str:
    """Timezone Offset From UTC of an instant, ``"+0100"``."""
    return at.strftime("%z")[:5]


def marked(description: str, synthetic: bool) -> str:
    """A description that begins with SYNTHETIC for a virtual patient, cut to what LO holds."""
    return (f"SYNTHETIC {description}" if synthetic else description)[:LONGEST_LO]


def decimals(values: npt.ArrayLike) -> list[str]:
    """Numbers as decimal strings of at most 16 characters."""
    return [format_number_as_ds(float(value)) for value in np.asarray(values, dtype=np.float64).ravel()]


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """One coded concept."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def require_orthogonal(grid: Grid) -> npt.NDArray[np.float64]:
    """Unit axes of a grid as columns (k, j, i).

    Raises
    ------
    GeometryError
        If they are not at right angles: DICOM images state no sheared grid.
    """
    axes = grid.directions
    worst = float(np.abs(axes.T @ axes - np.eye(3)).max())
    if worst > _ORTHOGONAL:
        raise GeometryError(
            f"the axes of the grid are not at right angles (largest cosine {worst:.3g})",
            "DICOM images state row and column directions and a spacing along their normal only",
            "resample onto an orthogonal grid",
        )
    return axes


def object_base(study: StudyIdentity, series: SeriesIdentity, modality: str, sop_class: str, instance: int) -> Dataset:
    """Patient, study, series, equipment and SOP common attributes of one instance.

    Parameters
    ----------
    study, series
        Who, what, when.
    modality : str
        ``"CT"``, ``"NM"``, ``"RTSTRUCT"``.
    sop_class : str
        SOP Class UID.
    instance : int
        Instance Number, from 1; the SOP Instance UID is derived from it.
    """
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.PatientName, data.PatientID = study.patient_name, study.patient_id
    data.PatientBirthDate, data.PatientSex = "", "O"
    data.StudyInstanceUID, data.StudyID = study.study_uid, "1"
    data.StudyDescription = marked(study.description, study.synthetic)
    data.StudyDate, data.StudyTime = study.at.strftime("%Y%m%d"), study.at.strftime("%H%M%S")
    data.AccessionNumber = data.ReferringPhysicianName = ""
    data.SeriesInstanceUID, data.SeriesNumber = study.series_uid(series.name), series.number
    data.SeriesDescription = marked(series.description, study.synthetic)
    day, time = series.at.strftime("%Y%m%d"), series.at.strftime("%H%M%S")
    data.SeriesDate, data.SeriesTime = day, time
    data.Modality = modality
    data.Manufacturer = MANUFACTURER
    data.ManufacturerModelName = SYNTHETIC_MODEL if study.synthetic else MANUFACTURER
    data.SoftwareVersions, data.DeviceSerialNumber, data.InstitutionName = __version__, "none", MANUFACTURER
    data.TimezoneOffsetFromUTC = offset_text(series.at)
    data.SOPClassUID, data.SOPInstanceUID = sop_class, derived_uid(study.series_uid(series.name), str(instance))
    data.InstanceNumber = instance
    data.InstanceCreationDate, data.InstanceCreationTime = day, time
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = series.frame, ""
    if study.synthetic:
        data.ImageComments = SYNTHETIC_MARK
    return data


def set_pixels(data: Dataset, stored: npt.NDArray[np.int16] | npt.NDArray[np.uint16]) -> None:
    """Pixel data and the attributes that describe it; ``stored`` has shape (rows, columns) or (frames, rows, columns)."""
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = stored.shape[-2:]
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    data.PixelRepresentation = int(stored.dtype.kind == "i")
    data.PixelData = stored.astype(stored.dtype.newbyteorder("<"), copy=False).tobytes()


def save_whole(data: Dataset, path: Path) -> None:
    """Write a DICOM file that appears whole or not at all.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta = meta
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            data.save_as(stream, enforce_file_format=True)
        Path(temporary).chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

"""Absorbed dose → RTDOSE in the frame of reference of the CT, in Gy as scaled unsigned integers.

Sixteen bits by default: one least-significant bit is then 1/65535 of the highest dose (0.01 Gy in 600 Gy), and the object can be checked
with dciodvfy, which aborts on pixel data of 32 bits (dicom3tools 1.00 of 2022-06-18). Thirty-two bits are written on request.
"""

from __future__ import annotations

import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTDoseStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

from opensirt import clock
from opensirt._version import __version__
from opensirt.dicom.facts import SYNTHETIC_MARK
from opensirt.dicom.study import DoseContext
from opensirt.vocabulary.errors import GeometryError, GridMismatch
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import DoseMap

ORTHOGONAL_TOLERANCE = 1e-5
"""Largest cosine between two grid axes: RTDOSE can state no sheared grid."""

_STUDY_TYPE_2 = ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID")
_PATIENT_TYPE_2 = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_MANUFACTURER = "opensirt"


def _require_orthogonal(grid: Grid) -> tuple[npt.NDArray[np.float64], bool]:
    """Unit axes as columns (k, j, i), and whether slices run against row × column."""
    axes = grid.directions
    cosines = np.abs(axes.T @ axes - np.eye(3)).max()
    if cosines > ORTHOGONAL_TOLERANCE:
        raise GeometryError(
            f"the axes of the dose grid are not at right angles (largest cosine {cosines:.3g})",
            "RTDOSE states row and column directions and offsets along their normal only",
            "resample the dose onto an orthogonal grid",
        )
    normal = np.cross(axes[:, 2], axes[:, 1])
    return axes, bool(normal @ axes[:, 0] < 0.0)


def _decimals(values: npt.ArrayLike) -> list[str]:
    return [format_number_as_ds(float(value)) for value in np.asarray(values, dtype=np.float64).ravel()]


def _decimal_above(value: float) -> str:
    """The shortest step up from ``value`` that a decimal string of 16 characters holds."""
    exact = f"{value:.9e}"
    if float(exact) >= value:
        return exact
    return f"{value * (1.0 + 1e-9):.9e}"


def _identity(context: DoseContext, at: datetime) -> Dataset:
    """Patient, study, series and equipment."""
    data = Dataset()
    data.SpecificCharacterSet = context.attributes.get("SpecificCharacterSet", "ISO_IR 192").split("\\")
    for keyword in (*_PATIENT_TYPE_2, *_STUDY_TYPE_2):
        setattr(data, keyword, context.attributes.get(keyword, ""))
    data.StudyID = data.StudyID or "1"
    for keyword in ("IssuerOfPatientID", "StudyDescription", "TimezoneOffsetFromUTC"):
        if keyword in context.attributes:
            setattr(data, keyword, context.attributes[keyword])
    data.StudyInstanceUID = context.attributes.get("StudyInstanceUID") or generate_uid()
    data.SeriesInstanceUID = generate_uid()
    data.SOPClassUID = RTDoseStorage
    data.SOPInstanceUID = generate_uid()
    data.Modality = "RTDOSE"
    data.SeriesNumber = 1
    data.SeriesDescription = "Absorbed dose after full decay"
    data.OperatorsName = ""
    data.Manufacturer = _MANUFACTURER
    data.ManufacturerModelName = _MANUFACTURER
    data.DeviceSerialNumber = "none"
    data.SoftwareVersions = __version__
    data.InstanceNumber = 1
    data.InstanceCreationDate = at.strftime("%Y%m%d")
    data.InstanceCreationTime = at.strftime("%H%M%S")
    data.ContentDate, data.ContentTime = data.InstanceCreationDate, data.InstanceCreationTime
    if context.synthetic:
        data.ImageComments = SYNTHETIC_MARK
        data.SeriesDescription = f"{SYNTHETIC_MARK}: absorbed dose"[:64]
    return data


def _overview() -> Dataset:
    """What stands for the plan: DICOM has no plan object for radioembolisation, and PLAN would need a reference to an RT Plan."""
    overview = Dataset()
    overview.PlanOverviewIndex = 1
    overview.RTPlanLabel = "SIRT"
    overview.NumberOfFractionsIncluded = 1
    overview.PrescriptionOverviewSequence = []
    return overview


def _place(data: Dataset, grid: Grid, context: DoseContext) -> npt.NDArray[np.intp]:
    """Write the geometry; returns the order of slices in the file (offsets must start at 0 and run along the normal)."""
    axes, against = _require_orthogonal(grid)
    slices = np.arange(grid.shape[0])[::-1] if against else np.arange(grid.shape[0])
    spacing = grid.spacing_mm
    data.FrameOfReferenceUID = grid.frame
    data.PositionReferenceIndicator = context.attributes.get("PositionReferenceIndicator", "")
    data.ImagePositionPatient = _decimals(grid.lps_mm((slices[0], 0, 0)))
    data.ImageOrientationPatient = _decimals(np.concatenate([axes[:, 2], axes[:, 1]]))
    data.PixelSpacing = _decimals(spacing[1:])
    data.SliceThickness = _decimals([spacing[0]])[0]
    data.NumberOfFrames, data.Rows, data.Columns = grid.shape
    data.FrameIncrementPointer = 0x3004000C
    data.GridFrameOffsetVector = _decimals(np.arange(grid.shape[0]) * spacing[0])
    return slices


def rtdose_dataset(dose: DoseMap, context: DoseContext, bits: Literal[16, 32] = 16) -> Dataset:
    """The RTDOSE object of a dose map, in memory.

    Parameters
    ----------
    dose : DoseMap
        Gy after full decay, on an orthogonal grid in the CT's frame of reference.
    context : DoseContext
        Patient and study of the CT.
    bits : {16, 32}
        Width of a stored value.

    Raises
    ------
    GridMismatch
        If the dose does not lie in the context's frame of reference.
    GeometryError
        If the grid is sheared.
    """
    if dose.grid.frame != context.frame:
        raise GridMismatch(
            "the dose does not lie in the frame of reference of its CT",
            f"{dose.grid.frame} and {context.frame}",
            "register it first, or give the context of the image it belongs to",
        )
    data = _identity(context, clock.now())
    slices = _place(data, dose.grid, context)
    full_scale = 2**bits - 1
    highest = float(dose.dose_gy.max())
    # scale by the decimal string that will be read back, rounded up so that the highest dose still fits
    data.DoseGridScaling = _decimal_above(highest / full_scale) if highest > 0.0 else "1"
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits, bits - 1, 0
    data.DoseUnits, data.DoseType, data.DoseSummationType = "GY", "PHYSICAL", "PLAN_OVERVIEW"
    data.PlanOverviewSequence = [_overview()]
    stored = np.empty(dose.grid.shape, dtype=f"<u{bits // 8}")
    scaling = float(data.DoseGridScaling)
    for out, k in enumerate(slices):
        stored[out] = np.rint(dose.dose_gy[k].astype(np.float64) / scaling)
    data.PixelData = stored.tobytes()
    return data


def write_rtdose(dose: DoseMap, path: Path, context: DoseContext, bits: Literal[16, 32] = 16) -> None:
    """Write a dose map as RTDOSE; the file appears whole or not at all.

    Parameters
    ----------
    dose : DoseMap
        Gy after full decay, shape (k, j, i), on an orthogonal grid in the CT's frame.
    path : Path
        File to write; an existing one is replaced in one step.
    context : DoseContext
        What to repeat from the CT: ``ImportedVolume.context``.
    bits : {16, 32}
        Width of a stored value.

    Raises
    ------
    GridMismatch
        If the dose does not lie in the context's frame of reference.
    GeometryError
        If the grid is sheared.
    OSError
        If the file cannot be written.
    """
    data = rtdose_dataset(dose, context, bits)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta = meta
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            data.save_as(stream, enforce_file_format=True)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

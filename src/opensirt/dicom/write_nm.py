"""Emission images → NM objects: two planar views in one static image, and a reconstructed SPECT volume."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import NuclearMedicineImageStorage

from opensirt.dicom.write_common import (
    SeriesIdentity,
    StudyIdentity,
    code,
    decimals,
    object_base,
    require_orthogonal,
    save_whole,
    set_pixels,
)
from opensirt.vocabulary.errors import GeometryError, InvalidValue
from opensirt.vocabulary.geometry import require_same_grid
from opensirt.vocabulary.units import MBQ_PER_GBQ
from opensirt.vocabulary.volumes import CountsMap

LARGEST_STORED = 2**16 - 1
"""NM images hold at most 16 bits a pixel (PS3.3 C.8.4.8)."""


@attrs.frozen
class EmissionContext:
    """What was injected and how it was looked at.

    Attributes
    ----------
    radionuclide : tuple of str
        Code value, scheme and meaning of context group 18.
    radiopharmaceutical : str
        ``"Tc-99m MAA"``.
    injected_gbq : float
        Activity at ``administered_at``.
    administered_at : datetime
        Time-zone aware, at most a day before the acquisition: NM images state the time of day alone.
    window_kev : tuple of float
        Lower and upper limit of the energy window.
    frame_duration_ms : int
        Actual Frame Duration of one frame or projection.
    """

    radionuclide: tuple[str, str, str]
    radiopharmaceutical: str
    injected_gbq: float
    administered_at: datetime
    window_kev: tuple[float, float]
    frame_duration_ms: int

    def __attrs_post_init__(self) -> None:
        if self.administered_at.tzinfo is None:
            raise InvalidValue(f"the instant {self.administered_at} of an administration has no time zone", "", "give an offset")


def _stored(counts: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    whole = np.rint(counts)
    if not np.array_equal(whole, counts) or float(whole.max()) > LARGEST_STORED:
        raise InvalidValue(
            f"counts up to {float(counts.max()):.6g} do not fit a NM image of whole counts below 65536",
            "NM images hold 16-bit counts and no scale factor",
            "write whole counts, or store the volume as NIfTI",
        )
    return whole.astype(np.uint16)


def _window(context: EmissionContext) -> Dataset:
    limits = Dataset()
    limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = decimals(context.window_kev)
    window = Dataset()
    window.EnergyWindowName = "PHOTOPEAK"
    window.EnergyWindowRangeSequence = [limits]
    return window


def _injected(context: EmissionContext) -> Dataset:
    item = Dataset()
    item.RadionuclideCodeSequence = [code(*context.radionuclide)]
    item.Radiopharmaceutical = context.radiopharmaceutical
    item.RadiopharmaceuticalRoute = "Intra-arterial route"
    item.AdministrationRouteCodeSequence = [code("58100008", "SCT", "Intra-arterial route")]
    item.RadiopharmaceuticalStartTime = context.administered_at.strftime("%H%M%S")
    item.RadionuclideTotalDose = decimals([context.injected_gbq * MBQ_PER_GBQ])[0]
    return item


def _base(study: StudyIdentity, series: SeriesIdentity, context: EmissionContext, kind: str) -> Dataset:
    data = object_base(study, series, "NM", NuclearMedicineImageStorage, 1)
    data.ImageType = ["ORIGINAL", "PRIMARY", kind, "EMISSION"]
    data.BodyPartExamined = study.body_part
    data.AcquisitionDate, data.AcquisitionTime = series.at.strftime("%Y%m%d"), series.at.strftime("%H%M%S")
    data.ContentDate, data.ContentTime = data.AcquisitionDate, data.AcquisitionTime
    data.LossyImageCompression = "00"
    data.PatientOrientationCodeSequence = [code("102538003", "SCT", "recumbent")]
    data.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = [code("40199007", "SCT", "supine")]
    data.PatientGantryRelationshipCodeSequence = [code("102540008", "SCT", "headfirst")]
    data.NumberOfEnergyWindows, data.EnergyWindowInformationSequence = 1, [_window(context)]
    data.RadiopharmaceuticalInformationSequence = [_injected(context)]
    return data


def _detector() -> Dataset:
    item = Dataset()
    item.CollimatorType, item.CollimatorGridName, item.FocalDistance = "PARA", "LEHR", "0"
    item.FieldOfViewShape = "RECTANGLE"
    item.ZoomFactor = ["1", "1"]
    item.RadialPosition = "250"
    return item


def planar_dataset(
    anterior: CountsMap, posterior: CountsMap, study: StudyIdentity, series: SeriesIdentity, context: EmissionContext
) -> Dataset:
    """One static NM image of two frames, as two detectors see a supine patient: the posterior frame is mirrored.

    Parameters
    ----------
    anterior, posterior : CountsMap, shape (1, rows, columns)
        On one grid, columns towards the patient's left, rows towards the feet, in the patient's frame of reference.
    study, series, context
        Identity and what was injected.

    Raises
    ------
    GridMismatch, GeometryError
        If the views lie on different grids, or are not single slices of that orientation.
    InvalidValue
        If counts are not whole or above 65535.
    """
    require_same_grid(anterior.grid, posterior.grid, "anterior and posterior view")
    grid = anterior.grid
    axes = require_orthogonal(grid)
    if grid.shape[0] != 1 or axes[0, 2] < 0.5 or axes[2, 1] > -0.5:
        raise GeometryError(
            f"{grid.describe()} is not one upright planar view",
            "columns must run to the left, rows to the feet",
            "turn the view first",
        )
    data = _base(study, series, context, "STATIC")
    data.FrameIncrementPointer = [0x00540010, 0x00540020]
    data.NumberOfFrames, data.EnergyWindowVector, data.DetectorVector = 2, [1, 1], [1, 2]
    data.PixelSpacing = decimals(grid.spacing_mm[1:])
    views = (
        ("399321004", "Anterior projection", "180", axes[:, 2], grid.lps_mm((0, 0, 0))),
        ("399001007", "Posterior projection", "0", -axes[:, 2], grid.lps_mm((0, 0, grid.shape[2] - 1))),
    )
    heads = []
    for value, meaning, angle, along_row, corner in views:
        head = _detector()
        head.ImageOrientationPatient = decimals(np.concatenate([along_row, axes[:, 1]]))
        head.ImagePositionPatient = decimals(corner)
        head.StartAngle = angle
        head.ViewCodeSequence = [code(value, "SCT", meaning)]
        heads.append(head)
    data.NumberOfDetectors, data.DetectorInformationSequence = 2, heads
    data.ActualFrameDuration = context.frame_duration_ms
    stored = np.stack([_stored(anterior.counts[0]), _stored(posterior.counts[0])[:, ::-1]])
    data.CountsAccumulated = int(stored.sum(dtype=np.int64))
    set_pixels(data, stored)
    return data


def spect_dataset(counts: CountsMap, study: StudyIdentity, series: SeriesIdentity, context: EmissionContext) -> Dataset:
    """One reconstructed NM volume as a multi-frame image.

    Frames follow the grid's k axis; Spacing Between Slices is negative where k runs against row × column (PS3.3 C.8.4.15).

    Parameters
    ----------
    counts : CountsMap
        Whole counts on an orthogonal, possibly oblique grid.
    study, series, context
        Identity and what was injected.

    Raises
    ------
    GeometryError
        If the grid is sheared.
    InvalidValue
        If counts are not whole or above 65535.
    """
    grid, axes = counts.grid, require_orthogonal(counts.grid)
    normal = np.cross(axes[:, 2], axes[:, 1])
    step = float(grid.spacing_mm[0]) * (1.0 if normal @ axes[:, 0] > 0.0 else -1.0)
    data = _base(study, series, context, "RECON TOMO")
    data.FrameIncrementPointer = [0x00540080]
    data.NumberOfFrames = data.NumberOfSlices = grid.shape[0]
    data.SliceVector = list(range(1, grid.shape[0] + 1))
    data.PixelSpacing = decimals(grid.spacing_mm[1:])
    data.SpacingBetweenSlices = decimals([step])[0]
    data.SliceThickness = decimals([abs(step)])[0]
    data.ConvolutionKernel, data.ReconstructionDiameter = "NONE", decimals([grid.spacing_mm[2] * grid.shape[2]])[0]
    data.CorrectedImage = ["ATTN", "SCAT"]
    head = _detector()
    head.ImageOrientationPatient = decimals(np.concatenate([axes[:, 2], axes[:, 1]]))
    head.ImagePositionPatient = decimals(grid.lps_mm((0, 0, 0)))
    data.NumberOfDetectors, data.DetectorInformationSequence = 1, [head]
    turn = Dataset()
    turn.StartAngle, turn.AngularStep, turn.RotationDirection, turn.ScanArc = "0", "3", "CW", "360"
    turn.ActualFrameDuration, turn.NumberOfFramesInRotation = context.frame_duration_ms, 120
    turn.RadialPosition = "250"
    data.NumberOfRotations, data.RotationInformationSequence = 1, [turn]
    stored = _stored(counts.counts)
    data.CountsAccumulated = int(stored.sum(dtype=np.int64))
    set_pixels(data, stored)
    return data


def write_planar(
    views: tuple[CountsMap, CountsMap], path: Path, study: StudyIdentity, series: SeriesIdentity, context: EmissionContext
) -> None:
    """Write :func:`planar_dataset` of (anterior, posterior); the file appears whole or not at all."""
    save_whole(planar_dataset(views[0], views[1], study, series, context), path)


def write_spect(counts: CountsMap, path: Path, study: StudyIdentity, series: SeriesIdentity, context: EmissionContext) -> None:
    """Write :func:`spect_dataset`; the file appears whole or not at all."""
    save_whole(spect_dataset(counts, study, series, context), path)

"""Genuine DICOM files for tests, written with pydicom alone: oblique, anisotropic, non-cubic unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    RTStructureSetStorage,
    generate_uid,
)

from opensirt.dicom.read import read_study
from opensirt.dicom.study import ImportedStudy, ReadOptions

FRAME = "1.2.826.0.1.3680043.10.1424.1"
STUDY = "1.2.826.0.1.3680043.10.1424.2"
SPACING_KJI = (2.5, 1.7, 0.9)
SHAPE = (6, 11, 14)

Edit = Callable[[Dataset, int], None]


def rotation(z: float = 0.0, x: float = 0.0) -> np.ndarray:
    """Turn about z, then about x, in radians."""
    about_z = np.array([[np.cos(z), -np.sin(z), 0.0], [np.sin(z), np.cos(z), 0.0], [0.0, 0.0, 1.0]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, np.cos(x), -np.sin(x)], [0.0, np.sin(x), np.cos(x)]])
    return about_x @ about_z


AXIAL = np.eye(3)
ORIENTATIONS = {
    "head first supine": AXIAL,
    "feet first prone": np.diag([-1.0, -1.0, 1.0]),
    "sagittal": np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
    "coronal": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    "oblique": rotation(0.3, -0.2),
}
"""Row direction, column direction and normal as columns."""

OBLIQUE = ORIENTATIONS["oblique"]


def affine(axes: np.ndarray = OBLIQUE, spacing=SPACING_KJI, origin=(-31.4, 15.9, 26.5)) -> np.ndarray:
    """(k, j, i, 1) → LPS mm."""
    matrix = np.eye(4)
    matrix[:3, 0] = axes[:, 2] * spacing[0]
    matrix[:3, 1] = axes[:, 1] * spacing[1]
    matrix[:3, 2] = axes[:, 0] * spacing[2]
    matrix[:3, 3] = origin
    return matrix


def ds(values) -> list[str]:
    """Decimal strings of at most 16 characters."""
    return [f"{float(value):.10g}"[:16] for value in np.asarray(values).ravel()]


def base(sop_class: str, modality: str, series_uid: str) -> Dataset:
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = sop_class, generate_uid()
    data.Modality, data.SeriesInstanceUID, data.StudyInstanceUID = modality, series_uid, STUDY
    data.FrameOfReferenceUID = FRAME
    data.PatientID, data.PatientName = "T-1", "Test^Patient"
    data.Manufacturer, data.ManufacturerModelName = "Tests", "builder"
    data.StudyDate = data.SeriesDate = data.AcquisitionDate = "20260304"
    data.StudyTime = data.SeriesTime = data.AcquisitionTime = "101500"
    data.TimezoneOffsetFromUTC = "+0100"
    return data


def put_pixels(data: Dataset, stored: np.ndarray) -> None:
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = stored.shape[-2:]
    bits = stored.dtype.itemsize * 8
    data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
    data.PixelRepresentation = int(stored.dtype.kind == "i")
    data.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    data["PixelData"].VR = "OW"


def put_plane(data: Dataset, matrix: np.ndarray, k: int) -> None:
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    data.ImagePositionPatient = ds(matrix[:3, 3] + k * matrix[:3, 0])
    data.ImageOrientationPatient = ds(np.concatenate([matrix[:3, 2] / spacing[2], matrix[:3, 1] / spacing[1]]))
    data.PixelSpacing = ds(spacing[1:])
    data.SliceThickness = ds([spacing[0]])[0]


def save(data: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    data.file_meta = meta
    data.save_as(path, enforce_file_format=True)
    return path


def write_ct(
    folder: Path, stored: np.ndarray, matrix: np.ndarray, edit: Edit | None = None, series_uid: str = "1.2.3.10"
) -> list[Path]:
    """One file a slice, names in scrambled order; ``edit`` changes a dataset before it is written."""
    names = np.random.default_rng(7).permutation(len(stored))
    paths = []
    for k, pixels in enumerate(stored):
        data = base(CTImageStorage, "CT", series_uid)
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.InstanceNumber = k + 1
        put_plane(data, matrix, k)
        put_pixels(data, pixels)
        data.RescaleSlope, data.RescaleIntercept, data.RescaleType = "1", "-1024", "HU"
        if edit is not None:
            edit(data, k)
        paths.append(save(data, folder / f"{names[k]:04d}.dcm"))
    return paths


def radiopharmaceutical(nuclide: tuple[str, str], **more) -> Dataset:
    item, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = nuclide[0], "SCT", nuclide[1]
    item.RadionuclideCodeSequence = [code]
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


TC99M = ("72454006", "^99m^Technetium")
HO166 = ("C1943", "^166^Holmium")
Y90 = ("14691008", "^90^Yttrium")
GA68 = ("35337001", "^68^Gallium")
ZR89 = ("63360001", "^89^Zirconium")
F18 = ("77004003", "^18^Fluorine")


def window(name: str, low: float, high: float) -> Dataset:
    item, part = Dataset(), Dataset()
    part.EnergyWindowLowerLimit, part.EnergyWindowUpperLimit = low, high
    item.EnergyWindowName, item.EnergyWindowRangeSequence = name, [part]
    return item


def view(value: str, meaning: str) -> Dataset:
    item, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "SCT", meaning
    item.ViewCodeSequence = [code]
    return item


ANTERIOR = ("399321004", "Anterior projection")
POSTERIOR = ("399001007", "Posterior projection")


def nm_base(kind: str, stored: np.ndarray, series_uid: str) -> Dataset:
    data = base(NuclearMedicineImageStorage, "NM", series_uid)
    data.ImageType = ["ORIGINAL", "PRIMARY", kind, "EMISSION"]
    data.RadiopharmaceuticalInformationSequence = [radiopharmaceutical(TC99M, RadionuclideTotalDose="185")]
    put_pixels(data, stored)
    data.NumberOfFrames = len(stored)
    data.EnergyWindowInformationSequence = [window("Tc99m", 126.45, 154.55)]
    data.EnergyWindowVector = [1] * len(stored)
    data.NumberOfEnergyWindows = 1
    return data


def planar(stored: np.ndarray, series_uid: str = "1.2.3.20") -> Dataset:
    """Anterior and posterior frame of a whole-body pair as the detectors see them."""
    data = nm_base("WHOLE BODY", stored, series_uid)
    data.PixelSpacing = ["2.4", "1.8"]
    data.DetectorVector = [1, 2]
    data.NumberOfDetectors = 2
    data.DetectorInformationSequence = [view(*ANTERIOR), view(*POSTERIOR)]
    return data


def spect(stored: np.ndarray, matrix: np.ndarray, series_uid: str = "1.2.3.30", sign: int = 1) -> Dataset:
    """A multi-frame reconstruction; ``sign`` −1 writes the frames from the other end with a negative spacing."""
    frames = stored if sign > 0 else stored[::-1]
    data = nm_base("RECON TOMO", np.ascontiguousarray(frames), series_uid)
    detector = Dataset()
    put_plane(data, matrix, 0 if sign > 0 else len(stored) - 1)
    detector.ImagePositionPatient, detector.ImageOrientationPatient = data.ImagePositionPatient, data.ImageOrientationPatient
    del data.ImagePositionPatient, data.ImageOrientationPatient
    data.DetectorInformationSequence = [detector]
    data.SpacingBetweenSlices = ds([sign * np.linalg.norm(matrix[:3, 0])])[0]
    data.SliceVector = list(range(1, len(stored) + 1))
    return data


def write_pet(
    folder: Path, stored: np.ndarray, matrix: np.ndarray, edit: Edit | None = None, series_uid: str = "1.2.3.40"
) -> list[Path]:
    """One file a slice in Bq/mL, without decay correction unless ``edit`` says otherwise."""
    paths = []
    for k, pixels in enumerate(stored):
        data = base(PositronEmissionTomographyImageStorage, "PT", series_uid)
        data.ImageType = ["ORIGINAL", "PRIMARY"]
        data.SeriesType = ["STATIC", "IMAGE"]
        put_plane(data, matrix, k)
        put_pixels(data, pixels)
        data.RescaleSlope, data.RescaleIntercept, data.Units = "1", "0", "BQML"
        data.DecayCorrection, data.CorrectedImage = "NONE", ["ATTN", "SCAT", "NORM"]
        data.ActualFrameDuration, data.FrameReferenceTime = "1200000", "600000"
        data.RadiopharmaceuticalInformationSequence = [
            radiopharmaceutical(
                Y90,
                RadionuclideHalfLife="230760",
                RadionuclidePositronFraction="3.186e-05",
                RadionuclideTotalDose="2000000000",
                RadiopharmaceuticalStartDateTime="20260303150000",
            )
        ]
        if edit is not None:
            edit(data, k)
        paths.append(save(data, folder / f"pet{k:03d}.dcm"))
    return paths


def contour(points_mm: np.ndarray, image_uid: str = "", kind: str = "CLOSED_PLANAR") -> Dataset:
    item = Dataset()
    item.ContourGeometricType = kind
    item.NumberOfContourPoints = len(points_mm)
    item.ContourData = ds(points_mm)
    if image_uid:
        image = Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CTImageStorage, image_uid
        item.ContourImageSequence = [image]
    return item


def rtstruct(structures: dict[str, list[Dataset]], series_uid: str = "1.2.3.10", frame: str = FRAME) -> Dataset:
    data = base(RTStructureSetStorage, "RTSTRUCT", "1.2.3.50")
    del data.FrameOfReferenceUID
    series, study, reference = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = series_uid
    study.RTReferencedSeriesSequence = [series]
    reference.FrameOfReferenceUID, reference.RTReferencedStudySequence = frame, [study]
    data.ReferencedFrameOfReferenceSequence = [reference]
    entries, contours = [], []
    for number, (name, parts) in enumerate(structures.items(), start=1):
        entry, roi = Dataset(), Dataset()
        entry.ROINumber, entry.ROIName, entry.ReferencedFrameOfReferenceUID = number, name, frame
        roi.ReferencedROINumber = number
        if parts:
            roi.ContourSequence = parts
        entries.append(entry)
        contours.append(roi)
    data.StructureSetROISequence, data.ROIContourSequence = entries, contours
    return data


def read(folder: Path, **options) -> ImportedStudy:
    """Import a folder."""
    return read_study(folder, lambda fraction: None, ReadOptions(**options))


def codes(study: ImportedStudy) -> list[str]:
    """Fault codes in the order found."""
    return [fault.code for fault in study.faults]

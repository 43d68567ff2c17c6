"""Masks → RTSTRUCT (closed planar contours on the CT's slices) and SEG (binary segments)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, RTStructureSetStorage, SegmentationStorage

from opensirt._version import __version__
from opensirt.dicom.contours import slice_polygons
from opensirt.dicom.facts import SYNTHETIC_MARK, SYNTHETIC_MODEL
from opensirt.dicom.write_common import MANUFACTURER, SeriesIdentity, StudyIdentity, derived_uid, marked, object_base, save_whole
from opensirt.dicom.write_ct import ct_instance_uids, ct_template
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.geometry import require_same_grid
from opensirt.vocabulary.volumes import HounsfieldMap, Mask

_CONTOUR_DATA = Tag(0x3006, 0x0050)
_DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"
"""Retired SOP class that RT Referenced Study Sequence still has to name."""

_NAMES = {
    StructureKind.BODY: "Body",
    StructureKind.LIVER: "Liver",
    StructureKind.LUNGS: "Lungs",
    StructureKind.LEFT_LUNG: "Lung left",
    StructureKind.RIGHT_LUNG: "Lung right",
    StructureKind.TUMOUR: "Tumour",
    StructureKind.TERRITORY: "Territory",
    StructureKind.VESSELS: "Vessels",
    StructureKind.EXTRAHEPATIC: "Extrahepatic",
}
_COLOURS = {
    StructureKind.BODY: (190, 190, 190),
    StructureKind.LIVER: (190, 120, 60),
    StructureKind.LEFT_LUNG: (90, 170, 220),
    StructureKind.RIGHT_LUNG: (60, 130, 200),
    StructureKind.TUMOUR: (220, 40, 40),
    StructureKind.TERRITORY: (90, 180, 90),
    StructureKind.EXTRAHEPATIC: (230, 190, 40),
}
_ORGAN = ("91772007", "SCT", "Organ")
_ABNORMAL = ("49755003", "SCT", "Morphologically Abnormal Structure")
_BODY_STRUCTURE = ("91723000", "SCT", "Anatomical Structure")
_CODES = {
    StructureKind.LIVER: (_ORGAN, ("10200004", "SCT", "Liver")),
    StructureKind.LUNGS: (_ORGAN, ("39607008", "SCT", "Lung")),
    StructureKind.LEFT_LUNG: (_ORGAN, ("39607008", "SCT", "Lung")),
    StructureKind.RIGHT_LUNG: (_ORGAN, ("39607008", "SCT", "Lung")),
    StructureKind.TUMOUR: (_ABNORMAL, ("108369006", "SCT", "Neoplasm")),
}
"""Category and type; every other kind is written as an anatomical structure."""


@attrs.frozen
class DrawnOn:
    """The CT series that structures were drawn on, as :func:`opensirt.dicom.write_ct.write_ct` wrote it."""

    ct: HounsfieldMap
    series: SeriesIdentity


def structure_name(structure: Structure) -> str:
    """The name a structure gets in a file; :func:`opensirt.dicom.names.structure_named` reads it back."""
    stem = _NAMES.get(structure.kind, "")
    return " ".join(part for part in (stem, structure.label) if part) or structure.key


def _contour_data(points_mm: npt.NDArray[np.float64]) -> RawDataElement:
    # raw text: pydicom would make an object of every number
    text = "\\".join(f"{value:.3f}" for value in points_mm.ravel()).encode("ascii")
    text += b" " * (len(text) % 2)
    return RawDataElement(_CONTOUR_DATA, "DS", len(text), text, 0, False, True)


def contours_of(mask: Mask, instance_uids: Sequence[str]) -> list[Dataset]:
    """Items of Contour Sequence: every part of every slice as one closed planar polygon in LPS mm, rounded to 0.001 mm."""
    items = []
    for k in np.flatnonzero(mask.inside.any(axis=(1, 2))).tolist():
        for polygon in slice_polygons(mask.inside[k]):
            item = Dataset()
            image = Dataset()
            image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CTImageStorage, instance_uids[k]
            item.ContourImageSequence = [image]
            item.ContourGeometricType = "CLOSED_PLANAR"
            item.NumberOfContourPoints = len(polygon)
            index = np.column_stack([np.full(len(polygon), float(k)), polygon])
            item[_CONTOUR_DATA] = _contour_data(mask.grid.lps_mm(index))
            items.append(item)
    return items


def _referenced_frame(study: StudyIdentity, drawn_on: DrawnOn, uids: Sequence[str]) -> Dataset:
    images = []
    for uid in uids:
        image = Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CTImageStorage, uid
        images.append(image)
    series = Dataset()
    series.SeriesInstanceUID = study.series_uid(drawn_on.series.name)
    series.ContourImageSequence = images
    referenced = Dataset()
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = _DETACHED_STUDY, study.study_uid
    referenced.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID = drawn_on.ct.grid.frame
    frame.RTReferencedStudySequence = [referenced]
    return frame


def _require_drawable(masks: Sequence[Mask], drawn_on: DrawnOn) -> None:
    for mask in masks:
        require_same_grid(mask.grid, drawn_on.ct.grid, f"the mask of {mask.structure.key} and the CT")
        if mask.voxels == 0:
            raise InvalidValue(f"the mask of {mask.structure.key} is empty", "an empty structure has no contour", "leave it out")


def _numbered(mask: Mask, number: int, frame: str) -> tuple[Dataset, Dataset]:
    name = structure_name(mask.structure)
    roi = Dataset()
    roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, frame
    roi.ROIGenerationAlgorithm = "AUTOMATIC"
    observed = Dataset()
    observed.ObservationNumber, observed.ReferencedROINumber = number, number
    observed.ROIObservationLabel = name[:16]
    observed.RTROIInterpretedType = "EXTERNAL" if mask.structure.kind is StructureKind.BODY else "ORGAN"
    if mask.structure.kind is StructureKind.TUMOUR:
        observed.RTROIInterpretedType = "GTV"
    observed.ROIInterpreter = ""
    return roi, observed


def write_rtstruct(
    masks: Sequence[Mask],
    path: Path,
    study: StudyIdentity,
    series: SeriesIdentity,
    drawn_on: DrawnOn,
    report: Callable[[float], None],
) -> None:
    """Write masks as a structure set; the file appears whole or not at all.

    Parameters
    ----------
    masks : sequence of Mask
        On the CT's grid, none empty.
    path : Path
        File to write.
    study, series
        Identity.
    drawn_on : DrawnOn
        The CT series.
    report : callable
        Takes progress from 0 to 1.

    Raises
    ------
    GridMismatch
        If a mask does not lie on the CT's grid.
    InvalidValue
        If a mask is empty.
    OSError
        If the file cannot be written.
    """
    _require_drawable(masks, drawn_on)
    uids = ct_instance_uids(study, drawn_on.series, drawn_on.ct.grid.shape[0])
    data = object_base(study, series, "RTSTRUCT", RTStructureSetStorage, 1)
    data.OperatorsName = ""
    data.StructureSetLabel, data.StructureSetName = "opensirt", marked(series.description, study.synthetic)
    if study.synthetic:
        del data.ImageComments  # a structure set has none; its description carries the mark
        data.StructureSetDescription = SYNTHETIC_MARK
    data.StructureSetDate, data.StructureSetTime = data.SeriesDate, data.SeriesTime
    data.ReferencedFrameOfReferenceSequence = [_referenced_frame(study, drawn_on, uids)]
    rois, observations, contours = [], [], []
    for number, mask in enumerate(masks, start=1):
        roi, observed = _numbered(mask, number, drawn_on.ct.grid.frame)
        drawn = Dataset()
        drawn.ROIDisplayColor = list(_COLOURS.get(mask.structure.kind, (200, 200, 60)))
        drawn.ReferencedROINumber = number
        drawn.ContourSequence = contours_of(mask, uids)
        rois.append(roi)
        observations.append(observed)
        contours.append(drawn)
        report(number / len(masks))
    data.StructureSetROISequence, data.ROIContourSequence, data.RTROIObservationsSequence = rois, contours, observations
    data.ApprovalStatus = "UNAPPROVED"
    save_whole(data, path)


def _source_images(drawn_on: DrawnOn, study: StudyIdentity) -> list[Dataset]:
    template = ct_template(drawn_on.ct, study, drawn_on.series)
    grid = drawn_on.ct.grid
    images = []
    for k, uid in enumerate(ct_instance_uids(study, drawn_on.series, grid.shape[0])):
        image = copy.deepcopy(template)
        image.SOPInstanceUID, image.InstanceNumber = uid, k + 1
        image.ImagePositionPatient = [f"{value:.6f}" for value in grid.lps_mm((k, 0, 0))]
        image.Rows, image.Columns = grid.shape[1:]
        images.append(image)
    return images


def write_seg(masks: Sequence[Mask], path: Path, study: StudyIdentity, series: SeriesIdentity, drawn_on: DrawnOn) -> None:
    """Write masks as one binary segmentation, a segment a mask (they may overlap); the file appears whole or not at all.

    Parameters and errors as for :func:`write_rtstruct`.
    """
    # imported here: highdicom takes a second to load, and most runs write no segmentation
    from highdicom.content import AlgorithmIdentificationSequence
    from highdicom.seg import Segmentation, SegmentDescription
    from highdicom.sr.coding import CodedConcept

    _require_drawable(masks, drawn_on)
    algorithm = AlgorithmIdentificationSequence(
        name=MANUFACTURER, version=__version__, family=CodedConcept("123109", "DCM", "Manual Processing")
    )
    segments = []
    for number, mask in enumerate(masks, start=1):
        category, kind = _CODES.get(mask.structure.kind, (_BODY_STRUCTURE, _BODY_STRUCTURE))
        segments.append(
            SegmentDescription(
                segment_number=number,
                segment_label=structure_name(mask.structure),
                segmented_property_category=CodedConcept(*category),
                segmented_property_type=CodedConcept(*kind),
                algorithm_type="AUTOMATIC",
                algorithm_identification=algorithm,
            )
        )
    series_uid = study.series_uid(series.name)
    data = Segmentation(
        source_images=_source_images(drawn_on, study),
        pixel_array=np.stack([mask.inside for mask in masks], axis=-1).astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=segments,
        series_instance_uid=series_uid,
        series_number=series.number,
        sop_instance_uid=derived_uid(series_uid, "1"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=SYNTHETIC_MODEL if study.synthetic else MANUFACTURER,
        software_versions=__version__,
        device_serial_number="none",
        series_description=marked(series.description, study.synthetic),
        content_description=SYNTHETIC_MARK if study.synthetic else None,
    )
    _settle(data, study, series)
    save_whole(data, path)


def _settle(data: Dataset, study: StudyIdentity, series: SeriesIdentity) -> None:
    """Replace the instants and UIDs that highdicom draws afresh, so that one patient gives the same bytes for ever."""
    day, time = series.at.strftime("%Y%m%d"), series.at.strftime("%H%M%S")
    for keyword in ("ContentDate", "SeriesDate", "InstanceCreationDate"):
        setattr(data, keyword, day)
    for keyword in ("ContentTime", "SeriesTime", "InstanceCreationTime"):
        setattr(data, keyword, time)
    data.SOPClassUID = SegmentationStorage
    data.TimezoneOffsetFromUTC = series.at.strftime("%z")[:5]
    if study.synthetic:
        data.ImageComments = SYNTHETIC_MARK
    for equipment in data.get("ContributingEquipmentSequence", []):
        equipment.ContributionDateTime = series.at.strftime("%Y%m%d%H%M%S%z")
    organisation = derived_uid(study.series_uid(series.name), "dimensions")
    data.DimensionOrganizationSequence[0].DimensionOrganizationUID = organisation
    for index in data.DimensionIndexSequence:
        index.DimensionOrganizationUID = organisation

"""The facts of a series, and what an RTDOSE must repeat from it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from pydicom.dataset import Dataset

from opensirt.dicom.attributes import first_item, numbers, text
from opensirt.dicom.faults import FaultBook, Refused
from opensirt.dicom.instants import acquisition_start, date_time, seconds_of_day, stamp
from opensirt.dicom.radionuclides import nuclide_of
from opensirt.dicom.study import NOT_STATED, DoseContext, NotStated, SeriesFacts
from opensirt.vocabulary.geometry import UNSTATED_FRAME
from opensirt.vocabulary.units import BQ_PER_GBQ, BQ_PER_MBQ

SYNTHETIC_MARK = "SYNTHETIC - NOT A PATIENT"
"""Image Comments (0020,4000) of every object of a virtual patient contain this."""

SYNTHETIC_FAMILY_NAME = "SYNTHETIC"
"""Family name of every virtual patient."""

SYNTHETIC_MODEL = "opensirt synthetic"
"""Manufacturer's Model Name of every object of a virtual patient."""

SAME_CLOCK_S = 60.0
"""The two attributes for the radiopharmaceutical's start may be typed to the minute."""

_OFFSET = re.compile(r"[+-]\d{4}\s*$")

CONTEXT_KEYWORDS = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyDescription", "PositionReferenceIndicator", "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
)  # fmt: skip
"""Patient, study and frame attributes that an RTDOSE repeats from its CT."""


def frame_of(data: Dataset) -> str:
    """Frame of Reference UID; where there is none, a frame that no other series shares, so that nothing is taken to lie in it."""
    return text(data, "FrameOfReferenceUID") or f"{UNSTATED_FRAME}.{text(data, 'SeriesInstanceUID')}"


def require_frame(data: Dataset, book: FaultBook) -> str:
    """The frame of a volume; its absence is entered as a fault."""
    if not text(data, "FrameOfReferenceUID"):
        book.add("series.no_frame", text(data, "SeriesDescription") or "a volume", series_uid=text(data, "SeriesInstanceUID"))
    return frame_of(data)


def is_synthetic(data: Dataset) -> bool:
    """True if the object carries any of the marks of a virtual patient."""
    comments = "\n".join(
        text(data, keyword) for keyword in ("ImageComments", "StructureSetDescription", "SeriesDescription", "DoseComment")
    )
    family = text(data, "PatientName").split("^")[0].strip().upper()
    return SYNTHETIC_MARK in comments or family == SYNTHETIC_FAMILY_NAME or text(data, "ManufacturerModelName") == SYNTHETIC_MODEL


PLAUSIBLE_GBQ = (0.001, 50.0)
"""Injected activities outside this range are taken for a slip of units: work-up doses are tens of MBq, treatments up to some GBq."""


def injected_gbq(data: Dataset, book: FaultBook) -> float | NotStated:
    """Radionuclide Total Dose in GBq. PET states Bq, NM states MBq (PS3.3 C.8.9.2 and C.8.4.10); slips become faults."""
    found = numbers(first_item(data, "RadiopharmaceuticalInformationSequence"), "RadionuclideTotalDose")
    if not found or found[0] == 0.0:
        return NOT_STATED
    in_bq = found[0] if text(data, "Modality") == "PT" else found[0] * BQ_PER_MBQ
    amount = in_bq / BQ_PER_GBQ
    if not PLAUSIBLE_GBQ[0] <= amount <= PLAUSIBLE_GBQ[1]:
        what = f"Radionuclide Total Dose (0018,1074) is {found[0]:g} {'Bq' if text(data, 'Modality') == 'PT' else 'MBq'}"
        book.add("facts.injected_implausible", what, series_uid=text(data, "SeriesInstanceUID"))
        return NOT_STATED
    return amount


def administered_at(data: Dataset, zone: tzinfo | None) -> datetime | NotStated:
    """Radiopharmaceutical start: the date-time attribute, or the time alone on the day of the acquisition (the day before, if it
    would otherwise lie after it).

    Raises
    ------
    Refused
        If the date-time attribute lies after the acquisition, or date-time and time attributes disagree.
    """
    injected = first_item(data, "RadiopharmaceuticalInformationSequence")
    whole, clock = text(injected, "RadiopharmaceuticalStartDateTime"), text(injected, "RadiopharmaceuticalStartTime")
    scan = acquisition_start(data, zone)
    if whole:
        start = stamp(data, whole, "RadiopharmaceuticalStartDateTime", zone)
        if clock and not _OFFSET.search(whole) and abs(seconds_of_day(clock) - seconds_of_day(whole.strip()[8:])) > SAME_CLOCK_S:
            raise Refused("pet.administration_time", "RadiopharmaceuticalStartTime and RadiopharmaceuticalStartDateTime disagree")
        if scan is not None and start > scan:
            raise Refused("pet.administration_time", f"RadiopharmaceuticalStartDateTime {start.isoformat()} lies after the scan")
        return start
    if not clock or scan is None:
        return NOT_STATED
    same_day = Dataset()
    same_day.AcquisitionDate, same_day.AcquisitionTime = scan.strftime("%Y%m%d"), clock
    clock_start = date_time(same_day, "AcquisitionDate", "AcquisitionTime", scan.tzinfo)
    if clock_start is None:
        return NOT_STATED
    return clock_start if clock_start <= scan else clock_start - timedelta(days=1)


def series_facts(data: Dataset, instances: int, zone: tzinfo | None, book: FaultBook, notes: tuple[str, ...] = ()) -> SeriesFacts:
    """Facts of a series from one of its headers (the earliest acquired).

    Instants without a time zone are entered as faults for emission images only: a CT needs none.
    """
    series_uid, modality = text(data, "SeriesInstanceUID"), text(data, "Modality")
    acquired: datetime | NotStated = NOT_STATED
    administered: datetime | NotStated = NOT_STATED
    try:
        acquired = acquisition_start(data, zone) or NOT_STATED
        administered = administered_at(data, zone)
    except Refused as refusal:
        if modality in ("NM", "PT"):
            book.refuse(refusal, series_uid)
    injected = first_item(data, "RadiopharmaceuticalInformationSequence")
    agent = text(injected, "Radiopharmaceutical") or text(first_item(injected, "RadiopharmaceuticalCodeSequence"), "CodeMeaning")
    return SeriesFacts(
        series_uid=series_uid,
        study_uid=text(data, "StudyInstanceUID"),
        modality=modality,
        description=text(data, "SeriesDescription"),
        frame=frame_of(data),
        acquired_at=acquired,
        radionuclide=nuclide_of(data),
        radiopharmaceutical=agent or NOT_STATED,
        injected_gbq=injected_gbq(data, book),
        administered_at=administered,
        manufacturer=text(data, "Manufacturer"),
        model=text(data, "ManufacturerModelName"),
        synthetic=is_synthetic(data),
        instances=instances,
        notes=notes,
    )


def dose_context(data: Dataset) -> DoseContext:
    """What an RTDOSE must repeat from an image of the frame it lies in."""
    attributes = {keyword: text(data, keyword) for keyword in CONTEXT_KEYWORDS if text(data, keyword)}
    return DoseContext(attributes, frame_of(data), text(data, "SeriesInstanceUID"), is_synthetic(data))

"""Kinds of objects that this import does not read: one fault a series that says what to convert, or that nothing is needed."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import UID, EnhancedPETImageStorage, LegacyConvertedEnhancedPETImageStorage, RealWorldValueMappingStorage

from opensirt.dicom.attributes import first_item, items, text
from opensirt.dicom.faults import FaultBook
from opensirt.dicom.scan import Header

_ENHANCED_PET = frozenset({EnhancedPETImageStorage, LegacyConvertedEnhancedPETImageStorage})


def book_unread(sop_class: str, headers: Sequence[Header], book: FaultBook) -> None:
    """Enter why a series is not read.

    An Enhanced PET states its decay correction by an instant and leaves open whether decay within the frame was undone: 6 % for 20 minutes
    recorded as F-18. That is not guessed. A Real World Value Mapping gives numbers of other images another meaning (SUV, Bq/mL) than they
    state themselves; images are read by what they state.

    Parameters
    ----------
    sop_class : str
        SOP Class UID of the series.
    headers : sequence of Header
        Its files.
    book : FaultBook
        Takes the fault.
    """
    first = headers[0]
    series = text(first.data, "SeriesInstanceUID")
    instance = first.instance if len(headers) == 1 else ""
    what = f"{len(headers)} file{'s' if len(headers) > 1 else ''} of {UID(sop_class).name}"
    if sop_class in _ENHANCED_PET:
        frames = sum(int(text(header.data, "NumberOfFrames") or 1) for header in headers)
        book.add("pet.enhanced", f"{what}, {frames} frames{_units(first.data)}", series_uid=series, instance=instance)
    elif sop_class == RealWorldValueMappingStorage:
        meant = sorted({uid for header in headers for uid in _referenced(header.data)})
        of = f" for series {', '.join(meant)}" if meant else ""
        book.add("series.value_map", f"{what}{of}", series_uid=series, instance=instance)
    else:
        book.add("series.not_used", what, series_uid=series, instance=instance)


def _units(data: Dataset) -> str:
    shared = first_item(data, "SharedFunctionalGroupsSequence")
    mapping = first_item(shared, "RealWorldValueMappingSequence")
    unit = text(first_item(mapping, "MeasurementUnitsCodeSequence"), "CodeValue")
    return f" in {unit}" if unit else ""


def _referenced(data: Dataset) -> list[str]:
    found = [text(one, "SeriesInstanceUID") for one in items(data, "ReferencedSeriesSequence")]
    return [uid for uid in found if uid]

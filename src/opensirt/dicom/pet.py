"""PET in Bq/mL → activity of the true nuclide at one stated instant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from pydicom.dataset import Dataset

from opensirt.dicom.attributes import numbers, text, texts
from opensirt.dicom.facts import administered_at, dose_context, require_frame, series_facts
from opensirt.dicom.faults import FaultBook, Refused, Tally
from opensirt.dicom.nm import emission_stack, require_counts
from opensirt.dicom.pet_decay import Frame, Undone, branching, frame_of_image, header_nuclide, to_instant, true_nuclide, undo
from opensirt.dicom.scan import Header
from opensirt.dicom.study import ImportedVolume, ReadOptions
from opensirt.vocabulary.volumes import ActivityMap

_STATIC = frozenset({"", "STATIC", "WHOLE BODY"})


def _require_bq_per_ml(data: Dataset) -> None:
    units = text(data, "Units").upper()
    if units != "BQML":
        raise Refused("pet.units", f"Units (0054,1001) is {units or 'missing'}")
    if not numbers(data, "RescaleSlope"):
        raise Refused("header.attribute_missing", "RescaleSlope (0028,1053) is missing")
    intercept = numbers(data, "RescaleIntercept")
    if intercept and intercept[0] != 0.0:
        raise Refused("pet.intercept", f"RescaleIntercept (0028,1052) is {intercept[0]:g}")


def _require_static(data: Dataset) -> None:
    kind = (texts(data, "SeriesType") or ("",))[0].upper()
    if kind not in _STATIC:
        raise Refused("pet.kind", f"Series Type (0054,1000) is {kind}")


def _times(headers: Sequence[Header], options: ReadOptions, tally: Tally) -> list[Frame]:
    frames: list[Frame] = []
    for header in headers:
        with tally.image(header.name, header.instance):
            _require_bq_per_ml(header.data)
            frames.append(frame_of_image(header.data, options.time_zone))
    tally.require_all(len(headers))
    return frames


def _undone(
    headers: Sequence[Header], frames: Sequence[Frame], earliest: datetime, options: ReadOptions, tally: Tally
) -> list[Undone]:
    found: list[Undone] = []
    for header, frame in zip(headers, frames, strict=True):
        with tally.image(header.name, header.instance):
            found.append(undo(header.data, frame, header_nuclide(header.data), earliest, options.time_zone))
    tally.require_all(len(headers))
    return found


def read_pet(headers: Sequence[Header], options: ReadOptions, book: FaultBook, report: Callable[[float], None]) -> ImportedVolume:
    """One static PET series as activity at the earliest frame start.

    Parameters
    ----------
    headers : sequence of Header
        All images of the series.
    options : ReadOptions
        The true nuclide where the header names another, the time zone where the header states none.
    book : FaultBook
        Takes every image that is refused, and what does not stop the import.
    report : callable
        Fraction done.

    Returns
    -------
    ImportedVolume
        Bq/mL of the true nuclide; its facts' notes say how the header's decay correction was proven and undone.

    Raises
    ------
    Refused
        For other units, dynamic series, nuclides or decay corrections that are missing, unproven or contradictory, negative or
        non-finite values, and stacks that are no regular grid.
    """
    first = headers[0].data
    tally = Tally(book, text(first, "SeriesInstanceUID"))
    _require_static(first)
    frames = _times(headers, options, tally)
    administered_at(first, options.time_zone)  # refuses an administration after the scan
    header = header_nuclide(first)
    nuclide = true_nuclide(header, options.true_nuclide)
    scale = branching(header, nuclide)
    stated_earliest = min(frame.start for frame in frames)
    undone = _undone(headers, frames, stated_earliest, options, tally)
    at = min(one.start for one in undone)
    factors = {
        one.instance: to_instant(back, frame.duration_s, nuclide, at) * scale
        for one, back, frame in zip(headers, undone, frames, strict=True)
    }
    frame_uid = require_frame(first, book)
    values, stack = emission_stack(headers, options, book)
    for k, index in enumerate(stack.order):
        values[k] *= factors[headers[index].instance]
        report((k + 1) / len(stack.order))
    require_counts(values, headers[0])
    corrections = {part.upper() for part in texts(first, "CorrectedImage")}
    if corrections and "ATTN" not in corrections:
        book.add("pet.not_corrected", "Corrected Image (0028,0051) does not list ATTN", series_uid=tally.series_uid)
    ways = sorted({one.how for one in undone})
    notes = (
        f"decay correction {text(first, 'DecayCorrection').upper()} of {header.name} undone by: {'; '.join(ways)}",
        f"activity of {nuclide.name} at {at.isoformat()}, half-life {nuclide.half_life_h.value} h, positron fractions header/true {scale:.6g}",
    )
    facts = replace(series_facts(first, len(headers), options.time_zone, book, notes), acquired_at=at, frame=frame_uid)
    return ImportedVolume("activity", ActivityMap(values, stack.grid, nuclide, at), facts, dose_context(first))

"""Nuclear medicine images: planar views as counts that share left and right, SPECT volumes as counts (or Bq/mL where stated)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from opensirt.dicom.attributes import first_item, number, numbers, text, texts, vector
from opensirt.dicom.decoders import PixelFormat, pixel_format, require_size, stored_values
from opensirt.dicom.facts import dose_context, frame_of, require_frame, series_facts
from opensirt.dicom.faults import FaultBook, Refused, Tally
from opensirt.dicom.nm_activity import activity_map, is_activity
from opensirt.dicom.nm_views import planar_grid, upright, view_of
from opensirt.dicom.nm_windows import photopeak_frames
from opensirt.dicom.scan import Header
from opensirt.dicom.slices import Plane, Stack, directions, image_size, pixel_spacing, plane_of, stack_planes
from opensirt.dicom.study import ImportedVolume, PlanarView, ReadOptions
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import CountsMap

_PLANAR = frozenset({"STATIC", "WHOLE BODY"})
_VOLUME = "RECON TOMO"
_PROJECTIONS = frozenset({"TOMO", "GATED TOMO"})

FloatArray = npt.NDArray[np.float32]


def _kind(data: Dataset) -> str:
    values = texts(data, "ImageType")
    return values[2].upper() if len(values) > 2 else ""


def emission_values(stored: npt.NDArray[Any], data: Dataset, header: Header) -> FloatArray:
    """Stored values rescaled to float32 and checked: finite, not negative, not all zero.

    Raises
    ------
    Refused
        ``counts.not_finite``, ``counts.negative`` or ``counts.empty``.
    """
    slope, intercept = number(data, "RescaleSlope", 1.0), number(data, "RescaleIntercept", 0.0)
    values = (stored.astype(np.float64) * slope + intercept).astype(np.float32)
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise Refused("counts.not_finite", f"file {header.name}: {bad} values are NaN or infinite", header.instance)
    below = int((values < 0.0).sum())
    if below:
        raise Refused(
            "counts.negative", f"file {header.name}: {below} values are negative, lowest {values.min():.4g}", header.instance
        )
    return values


def require_counts(values: FloatArray, header: Header) -> None:
    """Refuse an image without a single count."""
    if not values.any():
        raise Refused("counts.empty", f"file {header.name}", header.instance)


def read_planar(headers: Sequence[Header], options: ReadOptions, book: FaultBook) -> list[PlanarView]:
    """All anterior and posterior frames of one planar series, columns running to the patient's left in both.

    Raises
    ------
    Refused
        If the pixels cannot be read or the photopeak window is not known.
    """
    views: list[PlanarView] = []
    for header in headers:
        views += _views_of(header, options, book)
    return views


def _views_of(header: Header, options: ReadOptions, book: FaultBook) -> list[PlanarView]:
    data = header.data
    series_uid = text(data, "SeriesInstanceUID")
    form = pixel_format(data)
    require_size(form.decoded_bytes, options.largest_bytes, f"file {header.name}")
    chosen, window_note = photopeak_frames(data, form.frames, header, book)
    values = emission_values(stored_values(header, form), data, header)
    facts = series_facts(data, 1, options.time_zone, book)
    views: list[PlanarView] = []
    for index in chosen:
        try:
            side = view_of(data, index, header, book)
        except Refused as refusal:
            book.refuse(refusal, series_uid)
            continue
        require_counts(values[index], header)
        counts, how = upright(values[index], data, index, side)
        notes = tuple(note for note in (window_note, how) if note)
        views.append(PlanarView(side, CountsMap(counts[np.newaxis], planar_grid(data, index, side)), replace(facts, notes=notes)))
    return views


def _spect_plane(data: Dataset, name: str) -> tuple[Plane, float]:
    """First plane of a multi-frame reconstruction and the signed distance to the next one along row × column.

    DICOM PS3.3 C.8.4.15: a positive Spacing Between Slices stacks the frames behind the first one (along row × column), a negative
    one in front of it. Slice Location is not looked at.
    """
    detector = first_item(data, "DetectorInformationSequence")
    source = detector if numbers(detector, "ImagePositionPatient") else data
    position = np.array(vector(source, "ImagePositionPatient", 3, "series.no_geometry"))
    source = detector if numbers(detector, "ImageOrientationPatient") else data
    row, column = directions(vector(source, "ImageOrientationPatient", 6, "series.no_geometry"), name)
    spacing = number(data, "SpacingBetweenSlices", 0.0) or number(data, "SliceThickness", 0.0)
    if spacing == 0.0 or not np.isfinite(spacing):
        raise Refused("series.no_geometry", f"{name} has neither SpacingBetweenSlices nor SliceThickness")
    return Plane(name, position, row, column, pixel_spacing(data), image_size(data)), spacing


def _multi_frame(header: Header, options: ReadOptions, book: FaultBook) -> tuple[FloatArray, Grid, str]:
    data = header.data
    form = pixel_format(data)
    require_size(form.decoded_bytes, options.largest_bytes, f"file {header.name}")
    chosen, note = photopeak_frames(data, form.frames, header, book)
    slots = [int(slot) for slot in numbers(data, "SliceVector")]
    where = [slots[index] for index in chosen] if len(slots) == form.frames else list(range(1, len(chosen) + 1))
    if where != list(range(1, len(where) + 1)):
        raise Refused(
            "nm.kind", f"file {header.name}: the slice vector does not number {len(where)} frames in order", header.instance
        )
    plane, spacing = _spect_plane(data, header.name)
    values = emission_values(stored_values(header, form), data, header)
    ordered = values if len(chosen) == form.frames else values[chosen]
    affine = np.eye(4)
    affine[:3, 0] = plane.normal * spacing
    affine[:3, 1] = plane.along_column * plane.spacing_mm[0]
    affine[:3, 2] = plane.along_row * plane.spacing_mm[1]
    affine[:3, 3] = plane.position_mm
    return ordered, Grid((len(chosen), *plane.size), affine, frame_of(data)), note


def emission_stack(headers: Sequence[Header], options: ReadOptions, book: FaultBook) -> tuple[FloatArray, Stack]:
    """Single-frame emission images as one volume, each slice with its own rescale slope; every bad image is named.

    Raises
    ------
    Refused
        If an image is refused or the planes form no regular grid.
    """
    tally = Tally(book, text(headers[0].data, "SeriesInstanceUID"))
    planes: list[Plane] = []
    forms: list[PixelFormat] = []
    for header in headers:
        with tally.image(header.name, header.instance):
            form, plane = pixel_format(header.data), plane_of(header.data, header.name)
            if form.frames != 1:
                raise Refused("series.mixed", f"{form.frames} frames among single-frame images")
            planes.append(plane)
            forms.append(form)
    tally.require_all(len(headers))
    require_size(2 * sum(form.decoded_bytes for form in forms), options.largest_bytes, f"a volume of {len(headers)} images")
    stack = stack_planes(planes, frame_of(headers[0].data))
    if stack.single:
        book.add("series.single_slice", headers[0].name, series_uid=tally.series_uid, instance=headers[0].instance)
    values = np.empty(stack.grid.shape, np.float32)
    for k, index in enumerate(stack.order):
        header = headers[index]
        with tally.image(header.name, header.instance):
            values[k] = emission_values(stored_values(header, forms[index])[0], header.data, header)
    tally.require_all(len(headers))
    return values, stack


def _single_frames(headers: Sequence[Header], options: ReadOptions, book: FaultBook) -> tuple[FloatArray, Grid, str]:
    values, stack = emission_stack(headers, options, book)
    return values, stack.grid, ""


def read_spect(
    headers: Sequence[Header], options: ReadOptions, book: FaultBook, report: Callable[[float], None]
) -> list[ImportedVolume]:
    """Reconstructed SPECT as counts, or as activity where the header states Bq/mL; one volume a multi-frame file.

    Raises
    ------
    Refused
        If geometry, window, units or values do not allow it.
    """
    volumes = []
    single = all(int(number(header.data, "NumberOfFrames", 1)) == 1 for header in headers) and len(headers) > 1
    groups: list[Sequence[Header]] = [headers] if single else [[header] for header in headers]
    for done, group in enumerate(groups):
        data = group[0].data
        require_frame(data, book)
        values, grid, note = _single_frames(group, options, book) if single else _multi_frame(group[0], options, book)
        require_counts(values, group[0])
        facts = series_facts(data, len(group), options.time_zone, book, (note,) if note else ())
        if is_activity(data):
            activity, how = activity_map(values, grid, group[0], facts, options)
            volumes.append(ImportedVolume("activity", activity, replace(facts, notes=(*facts.notes, how)), dose_context(data)))
        else:
            volumes.append(ImportedVolume("counts", CountsMap(values, grid), facts, dose_context(data)))
        report((done + 1) / len(groups))
    return volumes


def read_nm(
    headers: Sequence[Header], options: ReadOptions, book: FaultBook, report: Callable[[float], None]
) -> tuple[list[ImportedVolume], list[PlanarView]]:
    """One NM series: planar views or reconstructed volumes.

    Raises
    ------
    Refused
        For projections, dynamic and gated images, and as :func:`read_planar` and :func:`read_spect`.
    """
    kinds = {_kind(header.data) for header in headers}
    if kinds <= _PLANAR:
        return [], read_planar(headers, options, book)
    if kinds == {_VOLUME}:
        return read_spect(headers, options, book, report), []
    if kinds & _PROJECTIONS:
        raise Refused("nm.not_reconstructed", f"image type {', '.join(sorted(kinds))}", headers[0].instance)
    stated = ", ".join(sorted(kind or "not stated" for kind in kinds))
    raise Refused("nm.kind", f"image type {stated}", headers[0].instance)

"""CT series → Hounsfield volume: headers first, then pixels straight into one int16 array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from opensirt.dicom.attributes import first_item, items, number, numbers, text, texts, vector
from opensirt.dicom.decoders import PixelFormat, pixel_format, require_size, stored_values
from opensirt.dicom.facts import dose_context, require_frame, series_facts
from opensirt.dicom.faults import FaultBook, Refused, Tally
from opensirt.dicom.scan import Header
from opensirt.dicom.slices import Plane, Stack, directions, image_size, pixel_spacing, plane_of, stack_planes
from opensirt.dicom.study import ImportedVolume, ReadOptions
from opensirt.vocabulary.volumes import HounsfieldMap

_HU_TYPES = frozenset({"", "HU", "US"})
"""Rescale Type: HU, not stated (then HU by the CT image definition), or "unspecified" as some scanners write for HU."""
_LOWEST, _HIGHEST = np.iinfo(np.int16).min, np.iinfo(np.int16).max


@attrs.frozen(eq=False)
class _Slice:
    """One image of a CT: where it lies in which file, and how stored values become HU."""

    header: Header
    form: PixelFormat
    frame: int
    plane: Plane
    slope: float
    intercept: float


def is_localiser(data: Dataset) -> bool:
    """True for scout images, by Image Type."""
    return "LOCALIZER" in {value.upper() for value in texts(data, "ImageType")}


def _rescale(data: Dataset, name: str) -> tuple[float, float]:
    slope, intercept = numbers(data, "RescaleSlope"), numbers(data, "RescaleIntercept")
    if not slope or not intercept:
        raise Refused("ct.rescale_missing", f"{name} has no RescaleSlope and RescaleIntercept", name)
    if not np.isfinite([slope[0], intercept[0]]).all() or slope[0] <= 0.0:
        raise Refused("ct.not_hounsfield", f"{name}: slope {slope[0]}, intercept {intercept[0]}", name)
    kind = text(data, "RescaleType").upper()
    if kind not in _HU_TYPES:
        raise Refused("ct.not_hounsfield", f"{name} is in units of {kind}", name)
    return slope[0], intercept[0]


def _slices_of(header: Header, form: PixelFormat) -> list[_Slice]:
    """One slice for a plain CT, one for each frame of an enhanced CT."""
    if not items(header.data, "PerFrameFunctionalGroupsSequence"):
        slope, intercept = _rescale(header.data, header.name)
        return [_Slice(header, form, 0, plane_of(header.data, header.name), slope, intercept)]
    shared = first_item(header.data, "SharedFunctionalGroupsSequence")
    found = []
    for index, group in enumerate(items(header.data, "PerFrameFunctionalGroupsSequence")):
        name = f"{header.name} frame {index + 1}"
        position = vector(_macro(group, shared, "PlanePositionSequence"), "ImagePositionPatient", 3, "series.no_geometry")
        cosines = vector(_macro(group, shared, "PlaneOrientationSequence"), "ImageOrientationPatient", 6, "series.no_geometry")
        measures = _macro(group, shared, "PixelMeasuresSequence")
        row, column = directions(cosines, name)
        thickness = number(measures, "SliceThickness", 0.0)
        plane = Plane(name, np.array(position), row, column, pixel_spacing(measures), image_size(header.data), thickness)
        slope, intercept = _rescale(_macro(group, shared, "PixelValueTransformationSequence"), name)
        found.append(_Slice(header, form, index, plane, slope, intercept))
    return found


def _macro(group: Dataset, shared: Dataset, keyword: str) -> Dataset:
    return first_item(group, keyword) if items(group, keyword) else first_item(shared, keyword)


def _to_hu(stored: npt.NDArray[Any], piece: _Slice, out: npt.NDArray[np.int16], padding: tuple[float, float] | None) -> None:
    """Write HU of one slice into ``out``; padded pixels become the lowest int16 where their HU do not fit."""
    low, high = float(stored.min()), float(stored.max())
    whole = piece.slope == 1.0 and piece.intercept.is_integer()
    fits = _LOWEST <= low + piece.intercept and high + piece.intercept <= _HIGHEST
    if whole and fits and stored.dtype.itemsize == 2:
        wrapped = np.array(int(piece.intercept)).astype(np.int16)  # modulo 2^16: the sum is in range, whatever the summands are
        np.add(stored.view(np.int16), wrapped, out=out)
        return
    hu = np.rint(stored.astype(np.float64) * piece.slope + piece.intercept)
    if padding is not None:
        hu[(stored >= padding[0]) & (stored <= padding[1]) & ((hu < _LOWEST) | (hu > _HIGHEST))] = _LOWEST
    if hu.min() < _LOWEST or hu.max() > _HIGHEST:
        raise Refused("ct.hu_range", f"{piece.plane.name} holds {hu.min():.0f} to {hu.max():.0f} HU", piece.header.instance)
    out[...] = hu.astype(np.int16)


def _padding_range(data: Dataset, form: PixelFormat) -> tuple[float, float] | None:
    """Stored values that mark padding, lowest and highest; ``None`` where none is declared."""
    declared = numbers(data, "PixelPaddingValue")
    if not declared:
        return None
    ends = [declared[0], number(data, "PixelPaddingRangeLimit", declared[0])]
    if form.signed:  # the attribute is often written as unsigned whatever the pixels are
        wrap = 2.0**form.bits_allocated
        ends = [end - wrap if end >= wrap / 2.0 else end for end in ends]
    return min(ends), max(ends)


def _padding_hu(padding: tuple[float, float] | None, piece: _Slice) -> int | None:
    if padding is None:
        return None
    hu = round(padding[0] * piece.slope + piece.intercept)
    return hu if _LOWEST <= hu <= _HIGHEST else _LOWEST


@dataclass
class _Pixels:
    """Stored values of the file read last: an enhanced CT holds all its slices in one."""

    header: Header | None = None
    stored: npt.NDArray[Any] = field(default_factory=lambda: np.empty((0, 0, 0)))

    def of(self, piece: _Slice) -> npt.NDArray[Any]:
        if piece.header is not self.header:
            self.stored, self.header = stored_values(piece.header, piece.form), piece.header
        return np.asarray(self.stored[piece.frame])


def _fill(
    slices: Sequence[_Slice], stack: Stack, tally: Tally, report: Callable[[float], None]
) -> tuple[npt.NDArray[np.int16], int | None]:
    volume = np.empty(stack.grid.shape, dtype=np.int16)
    pixels = _Pixels()
    padding_hu: int | None = None
    for k, index in enumerate(stack.order):
        piece = slices[index]
        with tally.image(piece.plane.name, piece.header.instance):
            stored = pixels.of(piece)
            padding = _padding_range(piece.header.data, piece.form)
            mark = _padding_hu(padding, piece)
            _to_hu(stored, piece, volume[k], padding)
            if mark is not None and padding is not None:
                padding_hu = mark if padding_hu is None else padding_hu
                if mark != padding_hu or padding[0] != padding[1]:
                    volume[k][(stored >= padding[0]) & (stored <= padding[1])] = padding_hu
        report((k + 1) / len(stack.order))
    return volume, padding_hu


def read_ct(headers: Sequence[Header], options: ReadOptions, book: FaultBook, report: Callable[[float], None]) -> ImportedVolume:
    """One CT series as a volume in HU.

    Parameters
    ----------
    headers : sequence of Header
        All images of the series but localisers.
    options : ReadOptions
        Largest size; time zone for the facts.
    book : FaultBook
        Takes what does not stop the import (a single slice).
    report : callable
        Fraction done.

    Returns
    -------
    ImportedVolume
        HU in ``a[k, j, i]``, slices in the direction row × column.

    Raises
    ------
    Refused
        If the series is no regular volume in HU, or its pixels cannot be read.
    """
    first = headers[0].data
    series_uid = text(first, "SeriesInstanceUID")
    frames = {text(header.data, "FrameOfReferenceUID") for header in headers}
    if len(frames) > 1:
        raise Refused("series.mixed", f"{len(frames)} frames of reference in one series")
    tally = Tally(book, series_uid)
    slices: list[_Slice] = []
    declared = 0
    for header in headers:
        with tally.image(header.name, header.instance):
            form = pixel_format(header.data)
            declared += form.decoded_bytes
            slices += _slices_of(header, form)
    tally.require_all(len(headers))
    require_size(declared, options.largest_bytes, f"a CT of {len(headers)} images")
    stack = stack_planes([piece.plane for piece in slices], require_frame(first, book))
    if stack.single:
        what = f"spacing {stack.grid.spacing_mm[0]:.3g} mm from SliceThickness"
        book.add("series.single_slice", what, series_uid=series_uid, instance=headers[0].instance)
    volume, padding_hu = _fill(slices, stack, tally, report)
    tally.require_all(len(headers))
    facts = series_facts(first, len(headers), options.time_zone, book)
    return ImportedVolume("ct", HounsfieldMap(volume, stack.grid, padding_hu), facts, dose_context(first))

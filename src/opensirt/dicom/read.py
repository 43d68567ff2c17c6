"""Read a folder of DICOM: volumes, planar views, structures, facts, and every fault; one bad file never stops the others."""

from __future__ import annotations

import logging
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    RTStructureSetStorage,
    SegmentationStorage,
)

from opensirt.dicom.attributes import PARSER_ERRORS, text
from opensirt.dicom.ct import is_localiser, read_ct
from opensirt.dicom.decoders import require_pixel_length
from opensirt.dicom.facts import series_facts
from opensirt.dicom.faults import FaultBook, Refused
from opensirt.dicom.hygiene import LABEL_MAP_SEGMENTATION, MODALITY_OF_CLASS
from opensirt.dicom.nm import read_nm
from opensirt.dicom.pet import read_pet
from opensirt.dicom.rtstruct import Reference, read_rtstruct
from opensirt.dicom.scan import Header, scan
from opensirt.dicom.seg import read_seg
from opensirt.dicom.study import ImportedStructure, ImportedStudy, ImportedVolume, PlanarView, ReadOptions, SeriesFacts
from opensirt.dicom.unread import book_unread
from opensirt.vocabulary.errors import InvalidValue

_CT_CLASSES = frozenset({CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage})
_IMAGE_CLASSES = _CT_CLASSES | {NuclearMedicineImageStorage, PositronEmissionTomographyImageStorage}
_STRUCTURE_CLASSES = frozenset({RTStructureSetStorage, SegmentationStorage, LABEL_MAP_SEGMENTATION})
_SCAN_SHARE = 0.3
"""Share of the progress bar that the headers take."""


@dataclass
class _Import:
    """What has been found so far."""

    options: ReadOptions
    book: FaultBook = field(default_factory=FaultBook)
    volumes: list[ImportedVolume] = field(default_factory=list)
    planar: list[PlanarView] = field(default_factory=list)
    structures: list[ImportedStructure] = field(default_factory=list)
    facts: list[SeriesFacts] = field(default_factory=list)
    instances: dict[str, set[str]] = field(default_factory=dict)


def _by_series(headers: Sequence[Header], book: FaultBook) -> dict[tuple[str, str], list[Header]]:
    groups: dict[tuple[str, str], list[Header]] = defaultdict(list)
    for header in headers:
        sop_class, series = text(header.data, "SOPClassUID"), text(header.data, "SeriesInstanceUID")
        modality, implied = text(header.data, "Modality"), MODALITY_OF_CLASS.get(UID(sop_class))
        if implied and modality != implied:
            what = f"file {header.name}: Modality {modality or 'empty'}, SOP Class {UID(sop_class).name}"
            book.add("header.modality_mismatch", what, series_uid=series, instance=header.instance)
            continue
        if not series:
            book.add("header.attribute_missing", f"file {header.name} has no SeriesInstanceUID", instance=header.instance)
            continue
        groups[series, sop_class].append(header)
    return dict(groups)


def _check_patients(headers: Sequence[Header], book: FaultBook) -> None:
    patients = {(text(header.data, "PatientID"), text(header.data, "IssuerOfPatientID")) for header in headers}
    if len(patients) > 1:
        book.add("study.several_patients", f"{len(patients)} different patient identifiers in {len(headers)} files")


def _check_pixel_lengths(headers: Sequence[Header], book: FaultBook) -> None:
    # named here for every file, whatever else stops its series
    for header in headers:
        try:
            require_pixel_length(header)
        except Refused as refusal:
            if refusal.code == "pixels.length":
                book.refuse(refusal, text(header.data, "SeriesInstanceUID"), header.instance)


def _check_views(found: _Import) -> None:
    # anterior and posterior may be two series: a pair is looked for in the whole study
    sides = [view.view for view in found.planar]
    if sides and sorted(sides) != ["anterior", "posterior"]:
        what = f"{sides.count('anterior')} anterior and {sides.count('posterior')} posterior frames in the photopeak window"
        series = {view.facts.series_uid for view in found.planar}
        found.book.add("nm.views_incomplete", what, series_uid=series.pop() if len(series) == 1 else "")


def _without_localisers(headers: Sequence[Header], book: FaultBook) -> list[Header]:
    kept = [header for header in headers if not is_localiser(header.data)]
    if len(kept) < len(headers):
        series = text(headers[0].data, "SeriesInstanceUID")
        book.add("series.localiser", f"{len(headers) - len(kept)} of {len(headers)} images", series_uid=series)
    return kept


def _read_images(found: _Import, sop_class: str, headers: list[Header], report: Callable[[float], None]) -> None:
    if sop_class in _CT_CLASSES:
        kept = _without_localisers(headers, found.book)
        if kept:
            found.volumes.append(read_ct(kept, found.options, found.book, report))
    elif sop_class == NuclearMedicineImageStorage:
        volumes, views = read_nm(headers, found.options, found.book, report)
        found.volumes += volumes
        found.planar += views
    elif sop_class == PositronEmissionTomographyImageStorage:
        found.volumes.append(read_pet(headers, found.options, found.book, report))


def _read_structures(found: _Import, sop_class: str, headers: list[Header]) -> None:
    references = {
        volume.facts.series_uid: Reference(
            volume.facts.series_uid, volume.map.grid, frozenset(found.instances.get(volume.facts.series_uid, ()))
        )
        for volume in found.volumes
    }
    for header in headers:
        if sop_class == RTStructureSetStorage:
            found.structures += read_rtstruct(header, references, found.book)
        else:
            found.structures += read_seg(header, references, found.options, found.book)


def _guarded(found: _Import, headers: list[Header], read: Callable[[], None]) -> None:
    """Run one reader; whatever stops it becomes a fault of its series that names the series' files."""
    series = text(headers[0].data, "SeriesInstanceUID")
    try:
        read()
    except Refused as refusal:
        found.book.refuse(refusal, series, headers[0].instance if len(headers) == 1 else "")
    except InvalidValue as error:
        found.book.add("header.attribute_invalid", error.what, series_uid=series, instance=headers[0].instance)
    except PARSER_ERRORS as error:
        names = ", ".join(header.name for header in headers[:3])
        what = f"{len(headers)} files ({names} …): {type(error).__name__}"
        found.book.add("file.unreadable", what, series_uid=series, instance=headers[0].instance)


def _shares(groups: Sequence[list[Header]], report: Callable[[float], None]) -> Iterator[Callable[[float], None]]:
    """A progress function for each group, each taking its share of what the headers left."""
    total = sum(sum(header.size for header in group) for group in groups) or 1
    done = 0
    for group in groups:
        size = sum(header.size for header in group)

        def part(fraction: float, start: int = done, length: int = size) -> None:
            report(_SCAN_SHARE + (1.0 - _SCAN_SHARE) * (start + fraction * length) / total)

        yield part
        done += size


def read_study(folder: Path, report: Callable[[float], None], options: ReadOptions | None = None) -> ImportedStudy:
    """Read every DICOM object below a folder.

    Parameters
    ----------
    folder : Path
        Searched with all its sub-folders; links to folders are not followed.
    report : callable
        Called with the fraction done, 0 to 1.
    options : ReadOptions, optional
        What the caller knows and the files do not say.

    Returns
    -------
    ImportedStudy
        Volumes, planar views, structures and facts of everything that could be read, and all faults of everything else.

    Raises
    ------
    NotADirectoryError
        If ``folder`` is no folder; nothing else is raised for bad input.
    """
    if not Path(folder).is_dir():
        raise NotADirectoryError(
            f"{Path(folder).name} is not a folder · DICOM studies are read from folders · give the folder of the study"
        )
    found = _Import(options or ReadOptions())
    with _quiet_parser():
        _read_all(Path(folder), found, report)
    report(1.0)
    return ImportedStudy(
        tuple(found.volumes), tuple(found.planar), tuple(found.structures), tuple(found.facts), tuple(found.book.entries)
    )


@contextmanager
def _quiet_parser() -> Iterator[None]:
    """Silence what pydicom warns of and logs: it quotes values, patients' names among them. What matters is entered as a fault."""
    log = logging.getLogger("pydicom")

    def nothing(record: logging.LogRecord) -> bool:
        return False

    log.addFilter(nothing)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.removeFilter(nothing)


def _read_all(folder: Path, found: _Import, report: Callable[[float], None]) -> None:
    headers = scan(folder, found.book, found.options.largest_bytes, lambda done: report(_SCAN_SHARE * done))
    _check_patients(headers, found.book)
    _check_pixel_lengths(headers, found.book)
    groups = _by_series(headers, found.book)
    images = [(key, group) for key, group in groups.items() if key[1] in _IMAGE_CLASSES]
    for (key, group), part in zip(images, _shares([group for _, group in images], report), strict=True):
        found.instances[key[0]] = {header.instance for header in group}
        _guarded(found, group, lambda key=key, group=group, part=part: _read_images(found, key[1], group, part))  # type: ignore[misc]
    _check_views(found)
    for key, group in groups.items():
        if key[1] in _STRUCTURE_CLASSES:
            _guarded(found, group, lambda key=key, group=group: _read_structures(found, key[1], group))  # type: ignore[misc]
        elif key[1] not in MODALITY_OF_CLASS:
            _guarded(found, group, lambda key=key, group=group: book_unread(key[1], group, found.book))  # type: ignore[misc]
        _guarded(found, group, lambda group=group: found.facts.append(_facts_of(group, found)))  # type: ignore[misc]


def _facts_of(group: Sequence[Header], found: _Import) -> SeriesFacts:
    uid = text(group[0].data, "SeriesInstanceUID")
    for facts in [volume.facts for volume in found.volumes] + [view.facts for view in found.planar]:
        if facts.series_uid == uid:
            return facts
    return series_facts(group[0].data, len(group), found.options.time_zone, FaultBook())

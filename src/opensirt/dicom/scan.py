"""Find the DICOM files of a folder and read every header, no pixel; what cannot be read becomes a fault and the scan carries on."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, MediaStorageDirectoryStorage, generate_uid

from opensirt.dicom.attributes import PARSER_ERRORS, number, text
from opensirt.dicom.faults import FaultBook, Refused
from opensirt.dicom.hygiene import header_faults

_PREFIX_AT = 128
_MAGIC = b"DICM"
_DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
_CHUNK_BYTES = 1 << 20
_PIXEL_TAG = b"\xe0\x7f\x10\x00"
_UNDEFINED_LENGTH = 0xFFFFFFFF
_LONG_HEADER, _SHORT_HEADER = 12, 8
_FIRST_GROUPS = (0x0002, 0x0008)
_META_WITHIN = 4096
"""The transfer syntax stands within this many bytes of the start: the meta group holds a dozen short attributes."""
_LONGEST_FIRST_ELEMENT = 1 << 16
"""A file without preamble is taken for DICOM if its first element is of group 0002 or 0008 and no longer than this many bytes."""

_NEEDED = ("Modality", "PatientID", "IssuerOfPatientID", "ImageType", "FrameOfReferenceUID")


@dataclass(frozen=True, eq=False)
class Header:
    """One DICOM file without its pixels.

    Attributes
    ----------
    path : Path
        Where it lies; never shown.
    data : Dataset
        All attributes before the pixel data.
    syntax : str
        Transfer Syntax UID.
    pixels_at, pixels_length : int
        Offset and length in bytes of uncompressed pixels; −1 where they are encapsulated, deflated or absent.
    size : int
        Size of the file in bytes.
    """

    path: Path
    data: Dataset
    syntax: str
    pixels_at: int
    pixels_length: int
    size: int

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def instance(self) -> str:
        """SOP Instance UID or, where there is none, the file's name."""
        return text(self.data, "SOPInstanceUID") or self.name


def _files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    found = []
    for root, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        found += [Path(root, name) for name in names]
    return sorted(found)


def _looks_bare(head: bytes) -> bool:
    # a dataset without preamble: a first element of a first group, with a plausible length
    if len(head) < 8:
        return False
    group = int.from_bytes(head[:2], "little")
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    length = int.from_bytes(head[6:8] if explicit else head[4:8], "little")
    return group in _FIRST_GROUPS and length <= _LONGEST_FIRST_ELEMENT


def _refuse_deflate_bomb(stream: BinaryIO, largest_bytes: int, name: str) -> None:
    # pydicom inflates a whole file into memory before it parses the first attribute
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    total = 0
    while chunk := stream.read(_CHUNK_BYTES):
        while chunk:
            total += len(inflater.decompress(chunk, _CHUNK_BYTES))
            chunk = inflater.unconsumed_tail
            if total > largest_bytes:
                raise Refused("file.too_large", f"{name} inflates to more than {largest_bytes} bytes", name)


def _parse(path: Path, bare: bool, largest_bytes: int) -> Header:
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if not bare and DeflatedExplicitVRLittleEndian.encode() in stream.read(_META_WITHIN):
            meta = read_file_meta_info(path)
            stream.seek(_after_meta(meta))
            _refuse_deflate_bomb(stream, largest_bytes, path.name)
        stream.seek(0)
        data = dcmread(stream, stop_before_pixels=True, force=bare)
        syntax = text(data.file_meta, "TransferSyntaxUID") or ImplicitVRLittleEndian
        deflated = syntax == DeflatedExplicitVRLittleEndian
        start, length = (-1, -1) if deflated else _pixel_element(stream, size)
    return Header(path, data, str(syntax), start, length, size)


def _pixel_element(stream: BinaryIO, size: int) -> tuple[int, int]:
    """Where pydicom stopped: offset and length of little-endian uncompressed pixels, (−1, −1) for anything else."""
    at = stream.tell()
    head = stream.read(_LONG_HEADER)
    if head[:4] != _PIXEL_TAG:
        return -1, -1
    explicit = head[4:6] in (b"OW", b"OB")
    length = int.from_bytes(head[8:12] if explicit else head[4:8], "little")
    start = at + (_LONG_HEADER if explicit else _SHORT_HEADER)
    return (-1, -1) if length == _UNDEFINED_LENGTH else (start, min(length, size - start))


def _after_meta(meta: Dataset) -> int:
    # the first element of the meta group, of 12 bytes, holds the length of all that follow it
    return _PREFIX_AT + len(_MAGIC) + 12 + int(number(meta, "FileMetaInformationGroupLength", 0))


def _complete(header: Header, book: FaultBook) -> None:
    """Supply identifiers that a de-identification emptied: from the file meta information, and one series a folder and frame."""
    data, meta = header.data, header.data.file_meta
    for keyword, source in (("SOPClassUID", "MediaStorageSOPClassUID"), ("SOPInstanceUID", "MediaStorageSOPInstanceUID")):
        if not text(data, keyword) and text(meta, source):
            setattr(data, keyword, text(meta, source))
            book.add("header.uid_supplied", f"{keyword} is empty, taken from the file meta information")
    if not text(data, "SOPClassUID"):
        raise Refused("file.unreadable", f"file {header.name} has no SOP Class UID", header.name)
    if not text(data, "SeriesInstanceUID"):
        keywords = ("FrameOfReferenceUID", "Modality", "SeriesNumber", "SeriesDescription", "SOPClassUID")
        made = generate_uid(entropy_srcs=[str(header.path.parent), *(text(data, keyword) for keyword in keywords)])
        data.SeriesInstanceUID = made
        what = "SeriesInstanceUID is empty; files of one folder, frame, number and description are taken for one series"
        book.add("header.uid_supplied", what, series_uid=made)


def _read_header(path: Path, book: FaultBook, largest_bytes: int) -> Iterator[Header]:
    name = path.name
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return
        with path.open("rb") as stream:
            head = stream.read(_PREFIX_AT + len(_MAGIC))
        marked = head[_PREFIX_AT:] == _MAGIC
        bare = not marked and _looks_bare(head)
        if not marked and not bare:
            if path.suffix.lower() in _DICOM_SUFFIXES:
                book.add("file.not_dicom", f"file {name}", instance=name)
            return
        header = _parse(path, bare, largest_bytes)
        faults = list(header_faults(header.data, header.syntax, bare))
        _complete(header, book)
        if text(header.data, "SOPClassUID") == MediaStorageDirectoryStorage:
            return
        for keyword in _NEEDED:
            text(header.data, keyword)  # refuses here what could not be told apart later
        series, instance = text(header.data, "SeriesInstanceUID"), header.instance
        if bare:
            book.add("file.no_preamble", f"file {name}", series_uid=series, instance=instance)
        for code, what in faults:
            book.add(code, f"file {name}: {what}", series_uid=series, instance=instance)
        yield header
    except Refused as refusal:
        book.add(refusal.code, f"file {name}: {refusal.what}" if name not in refusal.what else refusal.what, instance=name)
    except PARSER_ERRORS as error:
        book.add("file.unreadable", f"file {name} ({type(error).__name__})", instance=name)


def scan(folder: Path, book: FaultBook, largest_bytes: int, report: Callable[[float], None]) -> list[Header]:
    """Headers of all DICOM files below ``folder``, in order of path; links to folders are not followed.

    Parameters
    ----------
    folder : Path
        Where to look; a single file is looked at alone.
    book : FaultBook
        Takes what cannot be read.
    largest_bytes : int
        Deflated files that inflate to more are refused.
    report : callable
        Called with the fraction done, 0 to 1.

    Returns
    -------
    list of Header
        Each SOP instance once.
    """
    headers: list[Header] = []
    seen: set[str] = set()
    paths = _files(folder)
    for done, path in enumerate(paths):
        for header in _read_header(path, book, largest_bytes):
            uid = text(header.data, "SOPInstanceUID")
            if uid and uid in seen:
                series = text(header.data, "SeriesInstanceUID")
                book.add("file.duplicate", f"file {header.name}", series_uid=series, instance=uid)
                continue
            seen.add(uid)
            headers.append(header)
        report((done + 1) / len(paths))
    return headers

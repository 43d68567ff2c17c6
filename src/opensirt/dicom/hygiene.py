"""Header rules that tell a damaged file from a healthy one, checked on the raw bytes of each attribute."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedCTImageStorage,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    RTStructureSetStorage,
    SegmentationStorage,
)

from opensirt.dicom.attributes import text

LONGEST_BYTES = {"AE": 16, "CS": 16, "SH": 16, "LO": 64, "UI": 64, "DS": 16, "IS": 12, "DA": 8, "AS": 4}
"""Longest value in bytes by value representation, DICOM PS3.5 table 6.2-1; for LO and SH the standard counts characters, so that
multi-byte character sets are given four bytes a character."""

LONGEST_NAME_GROUP = 64
"""Longest component group of a person's name in characters, DICOM PS3.5 table 6.2-1."""

_WIDE = 4
_TEXT_VRS = frozenset({"SH", "LO", "PN", "ST", "LT", "UT", "UC"})
_MULTIBYTE_VRS = frozenset({"SH", "LO"})
_INTERCHANGEABLE = frozenset({"US", "SS", "OB", "OW"})
_UNKNOWN = "UN"

LABEL_MAP_SEGMENTATION = UID("1.2.840.10008.5.1.4.1.1.66.7")
"""Label Map Segmentation Storage (DICOM supplement 243), younger than pydicom's dictionary."""

MODALITY_OF_CLASS = {
    CTImageStorage: "CT",
    EnhancedCTImageStorage: "CT",
    LegacyConvertedEnhancedCTImageStorage: "CT",
    NuclearMedicineImageStorage: "NM",
    PositronEmissionTomographyImageStorage: "PT",
    RTStructureSetStorage: "RTSTRUCT",
    SegmentationStorage: "SEG",
    LABEL_MAP_SEGMENTATION: "SEG",
}
"""Modality that each SOP class implies."""


def _raw_elements(data: Dataset) -> Iterator[RawDataElement]:
    for tag in data.keys():  # noqa: SIM118 - iterating a Dataset itself would parse every element
        element = data.get_item(tag)
        if isinstance(element, RawDataElement):
            yield element


def _label(tag: BaseTag) -> str:
    return keyword_for_tag(tag) or f"({tag.group:04X},{tag.element:04X})"


def _length_fault(element: RawDataElement, vr: str, multibyte: bool) -> str:
    value = element.value or b""
    if vr == "PN":
        width = 1 if not multibyte else _WIDE
        if any(len(group.rstrip(b" \0")) > LONGEST_NAME_GROUP * width for group in value.replace(b"\\", b"=").split(b"=")):
            return f"{_label(element.tag)} is longer than {LONGEST_NAME_GROUP} characters"
        return ""
    longest = LONGEST_BYTES.get(vr)
    if longest is None or len(value) <= longest:
        return ""
    if multibyte and vr in _MULTIBYTE_VRS:
        longest *= _WIDE
    if any(len(part.rstrip(b" \0")) > longest for part in value.split(b"\\")):
        return f"{_label(element.tag)} is longer than {longest} bytes"
    return ""


@lru_cache(maxsize=4096)
def _vr_fault(tag: BaseTag, vr: str) -> str:
    if tag.is_private or vr == _UNKNOWN or not dictionary_has_tag(tag):
        return ""
    allowed = dictionary_VR(tag)
    if vr in allowed or (vr in _INTERCHANGEABLE and any(part in allowed for part in _INTERCHANGEABLE)):
        return ""
    return f"{_label(tag)} is written as {vr}, the standard has {allowed}"


def _text_fault(element: RawDataElement, vr: str, declared: str) -> str:
    # whether the bytes can be what the declared character set says; their meaning does not matter
    value = element.value
    if vr not in _TEXT_VRS or not isinstance(value, bytes) or value.isascii():
        return ""
    if declared in ("", "ISO_IR 6", "ISO 2022 IR 6"):
        return f"{_label(element.tag)} holds bytes outside the default character set, and no other is declared"
    utf8 = _decodes(value)
    if declared == "ISO_IR 192" and not utf8:
        return f"{_label(element.tag)} is not valid in the declared character set UTF-8"
    if declared == "ISO_IR 100" and utf8:
        return f"{_label(element.tag)} is declared as Latin-1 and looks like UTF-8"
    return ""


def _decodes(value: bytes) -> bool:
    try:
        value.decode("utf-8", "strict")
    except UnicodeDecodeError:
        return False
    return True


def _private_fault(data: Dataset) -> str:
    if not any(tag.group % 2 for tag in data.keys()):  # noqa: SIM118
        return ""
    creators = {(tag.group, tag.element) for tag in data.keys() if tag.is_private and 0x10 <= tag.element <= 0xFF}  # noqa: SIM118
    for tag in data.keys():  # noqa: SIM118
        if tag.is_private and tag.element > 0xFF and (tag.group, tag.element >> 8) not in creators:
            return f"private attribute ({tag.group:04X},{tag.element:04X}) without a private creator"
    return ""


def header_faults(data: Dataset, syntax: str, bare: bool) -> Iterator[tuple[str, str]]:
    """Rules that the header breaks, as (fault code, what); no value of an attribute is ever quoted.

    Parameters
    ----------
    data : Dataset
        The header as parsed, elements still raw.
    syntax : str
        Declared Transfer Syntax UID.
    bare : bool
        The file has no preamble, so that a missing transfer syntax is no further fault.
    """
    declared = text(data, "SpecificCharacterSet")
    multibyte = declared not in ("", "ISO_IR 6", "ISO_IR 100")
    for element in _raw_elements(data):
        if element.value is not None and element.length != 0xFFFFFFFF and len(element.value) < element.length:
            yield "header.attribute_invalid", f"{_label(element.tag)} is cut short"
        vr = element.VR or ""
        if not vr:
            continue
        for what in (_vr_fault(element.tag, vr), _length_fault(element, vr, multibyte), _text_fault(element, vr, declared)):
            if what:
                yield "header.attribute_invalid", what
    if not bare and not text(data.file_meta, "TransferSyntaxUID"):
        yield "header.attribute_missing", "TransferSyntaxUID (0002,0010) is missing"
    explicit = not data.original_encoding[0]
    if explicit == (syntax == ImplicitVRLittleEndian):
        yield "header.attribute_invalid", "the data are not encoded as TransferSyntaxUID (0002,0010) declares"
    what = _private_fault(data)
    if what:
        yield "header.attribute_invalid", what
    meta_uid, uid = text(data.file_meta, "MediaStorageSOPInstanceUID"), text(data, "SOPInstanceUID")
    if meta_uid and uid and meta_uid != uid:
        yield "header.attribute_invalid", "SOPInstanceUID (0008,0018) differs from the one in the file meta information"

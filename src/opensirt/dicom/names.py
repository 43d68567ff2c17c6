"""Names of structures in RTSTRUCT and SEG → the closed list of structures; the table is part of the conformance page."""

from __future__ import annotations

import re

from opensirt.vocabulary.anatomy import Structure, StructureKind

_DERIVED = re.compile(
    r"\b(normal|healthy|uninvolved|non[ -]?tumou?r\w*|minus|remnant|without|lobe|segments?|seg|ptv|ctv|prv|ring|margin|dome)\b"
)
"""Names with one of these are not a whole organ, nor a tumour or territory as drawn: they come in as ``OTHER``."""

_TABLE: tuple[tuple[StructureKind, str], ...] = (
    (StructureKind.BODY, r"body|external|skin|patient outline|outer contour"),
    (StructureKind.TUMOUR, r"tumou?rs?|lesions?|gtv\w*|mets?|metastas[ei]s|hcc|neoplasms?|mass"),
    (StructureKind.TERRITORY, r"territor(?:y|ies)|perfus\w*|angiosome|treated volume|injection"),
    (StructureKind.LEFT_LUNG, r"left lung|lung left|l lung|lung l|lt lung|lung lt"),
    (StructureKind.RIGHT_LUNG, r"right lung|lung right|r lung|lung r|rt lung|lung rt"),
    (StructureKind.LUNGS, r"lungs?|both lungs|lungs total|total lungs?"),
    (StructureKind.VESSELS, r"vessels?|arter(?:y|ies)|veins?|portal|vena cava|aorta|ivc"),
    (
        StructureKind.EXTRAHEPATIC,
        r"extra ?hepatic|stomach|duodenum|gall ?bladder|pancreas|bowel|small intestine|jejunum|ileum|colon|o?esophagus|spleen",
    ),
    (StructureKind.LIVER, r"liver|whole liver|hepar|leber|foie|fegato|higado"),
)
"""Tried from the top: "liver metastasis" is a tumour, "hepatic artery" a vessel."""

NAME_TABLE = tuple((kind, re.compile(rf"\b(?:{pattern})\b")) for kind, pattern in _TABLE)
"""Kind → pattern over the name in lower case, with every separator as a space."""

_ONE_OF_A_KIND = frozenset(
    {StructureKind.BODY, StructureKind.LIVER, StructureKind.LUNGS, StructureKind.LEFT_LUNG, StructureKind.RIGHT_LUNG}
)
_NAMED_BY_PLACE = frozenset({StructureKind.EXTRAHEPATIC, StructureKind.VESSELS})
_SEPARATORS = re.compile(r"[\s_.,:;/\\()\[\]-]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def _plain(name: str) -> str:
    return _SEPARATORS.sub(" ", _CAMEL.sub(" ", name.strip())).strip()


def structure_named(name: str) -> Structure:
    """The structure that a name in a file stands for.

    Parameters
    ----------
    name : str
        ROI Name, Segment Label.

    Returns
    -------
    Structure
        Liver, lungs and body carry no label. A tumour's or territory's label is what stands beside the word (``"Tumour T1"`` →
        ``"T1"``), or the whole name; every other label is the whole name.
    """
    plain = _plain(name)
    lower = plain.lower()
    if not _DERIVED.search(lower):
        for kind, pattern in NAME_TABLE:
            match = pattern.search(lower)
            if match is None:
                continue
            if kind in _ONE_OF_A_KIND:
                return Structure(kind)
            if kind in _NAMED_BY_PLACE:
                rest = (
                    plain[match.end() :].strip()
                    if match.start() == 0 and plain[: match.end()].lower() in ("extrahepatic", "vessels")
                    else ""
                )
                return Structure(kind, rest or plain)
            rest = " ".join((plain[: match.start()] + plain[match.end() :]).split())
            return Structure(kind, rest or plain)
    return Structure(StructureKind.OTHER, plain)

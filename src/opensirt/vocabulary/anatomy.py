"""The closed list of structures that opensirt reasons about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class StructureKind(Enum):
    """What a mask is a mask of."""

    BODY = "body"
    LIVER = "liver"
    LUNGS = "lungs"
    LEFT_LUNG = "left_lung"
    RIGHT_LUNG = "right_lung"
    TUMOUR = "tumour"
    TERRITORY = "territory"
    """The volume perfused from one injection position."""
    VESSELS = "vessels"
    EXTRAHEPATIC = "extrahepatic"
    """An organ or focus outside liver and lungs: stomach, duodenum, gallbladder, pancreas …"""
    NORMAL_LIVER = "normal_liver"
    """Liver without tumour; derived by set algebra, never imported."""
    PERFUSED_NORMAL_LIVER = "perfused_normal_liver"
    OTHER = "other"


@dataclass(frozen=True)
class Structure:
    """A kind of structure and, where there are several of one kind, its label (``"T1"``, ``"right"``, ``"stomach"``)."""

    kind: StructureKind
    label: str = ""

    @property
    def key(self) -> str:
        """Stable dotted name: ``"tumour.T1"``, ``"liver"``."""
        return f"{self.kind.value}.{self.label}" if self.label else self.kind.value

    def __lt__(self, other: Structure) -> bool:
        return self.key < other.key


def structure_from_key(key: str) -> Structure:
    """The structure whose :attr:`Structure.key` is ``key``.

    Raises
    ------
    ValueError
        If the part before the first dot is no :class:`StructureKind`.
    """
    kind, _, label = key.partition(".")
    return Structure(StructureKind(kind), label)

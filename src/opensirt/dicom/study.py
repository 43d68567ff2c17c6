"""What an import hands over: volumes, planar views, structures, the facts of each series, and every fault.

Nothing here speaks DICOM: these are the values that cross the seam to the rest of the house.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import Enum
from types import MappingProxyType
from typing import Literal

from opensirt.vocabulary.findings import Fault
from opensirt.vocabulary.geometry import UNSTATED_FRAME
from opensirt.vocabulary.nuclides import Nuclide
from opensirt.vocabulary.volumes import ActivityMap, CountsMap, HounsfieldMap, Mask

DEFAULT_LARGEST_BYTES = 4 * 1024**3
"""Largest decoded size of one series in bytes: 8000 slices of 512 × 512 at 16 bits. A larger claim is a damaged or hostile header."""


class NotStated(Enum):
    """The type of a fact that the files do not state."""

    NOT_STATED = "not stated"


NOT_STATED = NotStated.NOT_STATED
"""A fact that the files do not state."""


@dataclass(frozen=True)
class ReadOptions:
    """What the caller knows and the files do not say.

    Attributes
    ----------
    true_nuclide : Nuclide or None
        What was really injected, where PET headers name another nuclide (scanners without an Y-90 protocol); ``None``: the header's.
    time_zone : tzinfo or None
        The zone of the department's clocks, for files without Timezone Offset From UTC (0008,0201); ``None``: such instants are faults.
    largest_bytes : int
        Series that claim more decoded bytes than this are refused before any memory is taken.
    """

    true_nuclide: Nuclide | None = None
    time_zone: tzinfo | None = None
    largest_bytes: int = DEFAULT_LARGEST_BYTES


@dataclass(frozen=True)
class SeriesFacts:
    """What a series says about itself; no patient's name, no birth date.

    Attributes
    ----------
    series_uid, study_uid : str
        DICOM UIDs.
    modality, description : str
        Modality (0008,0060) and Series Description (0008,103E).
    frame : str
        Frame of Reference UID, or ``"unstated"``.
    acquired_at : datetime or NotStated
        Start of the acquisition (earliest frame), time-zone aware.
    radionuclide, radiopharmaceutical : str or NotStated
        As the header names them, the nuclide in the form ``"Tc-99m"``.
    injected_gbq : float or NotStated
        Radionuclide Total Dose (0018,1074) in GBq at ``administered_at``.
    administered_at : datetime or NotStated
        Radiopharmaceutical start, time-zone aware.
    manufacturer, model : str
        Of the scanner.
    synthetic : bool
        The series carries the mark of a virtual patient.
    instances : int
        Number of files of the series.
    notes : tuple of str
        What the reader did or chose that a person may want to know (views mirrored, window chosen, decay correction undone).
    """

    series_uid: str
    study_uid: str
    modality: str
    description: str = ""
    frame: str = UNSTATED_FRAME
    acquired_at: datetime | NotStated = NOT_STATED
    radionuclide: str | NotStated = NOT_STATED
    radiopharmaceutical: str | NotStated = NOT_STATED
    injected_gbq: float | NotStated = NOT_STATED
    administered_at: datetime | NotStated = NOT_STATED
    manufacturer: str = ""
    model: str = ""
    synthetic: bool = False
    instances: int = 1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DoseContext:
    """What an RTDOSE must repeat from the images it belongs to.

    Attributes
    ----------
    attributes : mapping of str to str
        DICOM keyword → value as text: patient and study level (holds the patient's name: keep it with the images, never in a message).
    frame : str
        Frame of Reference UID of the CT.
    series_uid : str
        Series Instance UID of the CT.
    synthetic : bool
        The source carries the mark of a virtual patient; the dose will carry it too.
    """

    attributes: Mapping[str, str] = field(repr=False)
    frame: str = UNSTATED_FRAME
    series_uid: str = ""
    synthetic: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))

    def __reduce__(self) -> tuple[type[DoseContext], tuple[dict[str, str], str, str, bool]]:
        return DoseContext, (dict(self.attributes), self.frame, self.series_uid, self.synthetic)


@dataclass(frozen=True, eq=False)
class ImportedVolume:
    """One volume of a study.

    Attributes
    ----------
    kind : {"ct", "counts", "activity"}
        Which of the three kinds of map this is.
    map : HounsfieldMap or CountsMap or ActivityMap
        Values and geometry.
    facts : SeriesFacts
        Of its series.
    context : DoseContext
        What an RTDOSE in this volume's frame must repeat.
    """

    kind: Literal["ct", "counts", "activity"]
    map: HounsfieldMap | CountsMap | ActivityMap
    facts: SeriesFacts
    context: DoseContext


@dataclass(frozen=True, eq=False)
class PlanarView:
    """One planar view: columns run towards the patient's left, rows towards the feet, for the anterior and the posterior view alike.

    Attributes
    ----------
    view : {"anterior", "posterior"}
        Side of the detector.
    map : CountsMap
        Shape (1, rows, columns).
    facts : SeriesFacts
        Its notes say whether the stored view was mirrored.
    """

    view: Literal["anterior", "posterior"]
    map: CountsMap
    facts: SeriesFacts


@dataclass(frozen=True, eq=False)
class ImportedStructure:
    """One structure as a mask.

    Attributes
    ----------
    mask : Mask
        On the grid of the referenced series, or on its own grid (SEG whose reference is not in the folder).
    label : str
        The name in the file, unchanged.
    origin : {"RTSTRUCT", "SEG"}
        Kind of object.
    series_uid : str
        Series of the RTSTRUCT or SEG.
    reference_uid : str
        Series the structure was drawn on; empty where unknown.
    synthetic : bool
        The object carries the mark of a virtual patient.
    """

    mask: Mask
    label: str
    origin: Literal["RTSTRUCT", "SEG"]
    series_uid: str
    reference_uid: str = ""
    synthetic: bool = False


@dataclass(frozen=True, eq=False)
class ImportedStudy:
    """Everything a folder gave: what could be read, and every fault on the way."""

    volumes: tuple[ImportedVolume, ...]
    planar: tuple[PlanarView, ...]
    structures: tuple[ImportedStructure, ...]
    facts: tuple[SeriesFacts, ...]
    faults: tuple[Fault, ...]

    @property
    def synthetic(self) -> bool:
        """True if any object of the study carries the mark of a virtual patient."""
        return any(facts.synthetic for facts in self.facts)

"""A study inside a case: which volume plays which part, kept as ``study.json`` and loaded back as memory maps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import attrs

from opensirt.encoding import from_json, to_json
from opensirt.record.events import EventKind
from opensirt.store.case_folder import CaseFolder
from opensirt.vocabulary.errors import MissingInput
from opensirt.vocabulary.findings import Fault, Finding
from opensirt.vocabulary.volumes import ActivityMap, CountsMap, HounsfieldMap, Mask

SCHEMA = "opensirt.study"
VERSION = 1


@dataclass(frozen=True)
class SeriesSummary:
    """What a series says about itself; no name, no birth date. Unknown facts are empty strings, zero or ``None``."""

    series_uid: str
    modality: str
    description: str
    frame: str
    acquired_at: datetime | None
    radionuclide: str
    injected_gbq: float | None
    synthetic: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class StoredStructure:
    """One structure of the study: key, name in the file, kind of object, content hash of its mask."""

    key: str
    label: str
    origin: str
    sha256: str


@dataclass(frozen=True)
class StudyIndex:
    """Which volume plays which part."""

    ct_sha256: str
    emission_sha256: str
    anterior_sha256: str
    posterior_sha256: str
    structures: tuple[StoredStructure, ...]
    series: tuple[SeriesSummary, ...]
    faults: tuple[Fault, ...]
    findings: tuple[Finding, ...]
    synthetic: bool


@attrs.frozen(eq=False)
class LoadedStudy:
    """The study with its volumes; planar views are empty tuples where there are none."""

    index: StudyIndex
    ct: HounsfieldMap
    emission: CountsMap | ActivityMap
    planar: tuple[CountsMap, ...]
    structures: tuple[tuple[Mask, StoredStructure], ...]


def save_index(case: CaseFolder, index: StudyIndex) -> str:
    """Text of the index; also its canonical form on disk."""
    return to_json(index, SCHEMA, VERSION)


def load_index(case: CaseFolder) -> StudyIndex:
    """Index of the study that was imported last.

    Raises
    ------
    MissingInput
        If nothing was imported.
    """
    event = case.latest(EventKind.STUDY_IMPORTED)
    if event is None:
        raise MissingInput("the case holds no study", case.case_id, "import one: opensirt import DIR --case FOLDER")
    return from_json(case.load_artefact(event.artefacts[0]), StudyIndex, SCHEMA, VERSION)


def input_hashes(index: StudyIndex) -> tuple[tuple[str, str], ...]:
    """(role, content hash) of every volume and structure of a study."""
    rows = [("ct", index.ct_sha256), ("emission", index.emission_sha256)]
    rows += [("anterior", index.anterior_sha256), ("posterior", index.posterior_sha256)]
    return tuple((role, digest) for role, digest in rows if digest) + tuple((s.key, s.sha256) for s in index.structures)


def load_study(case: CaseFolder) -> LoadedStudy:
    """The study that was imported last.

    Raises
    ------
    MissingInput
        If nothing was imported, or CT or emission image are missing.
    """
    index = load_index(case)
    for name, digest in (("CT", index.ct_sha256), ("emission image", index.emission_sha256)):
        if not digest:
            faults = "; ".join(dict.fromkeys(fault.message for fault in index.faults[:5]))
            raise MissingInput(
                f"the study has no usable {name}",
                faults or "the folder held none",
                f"add one ({name}) in the same frame of reference and import again",
            )
    ct, emission = case.load_volume(index.ct_sha256), case.load_volume(index.emission_sha256)
    assert isinstance(ct, HounsfieldMap) and isinstance(emission, CountsMap | ActivityMap)
    planar = [case.load_volume(digest) for digest in (index.anterior_sha256, index.posterior_sha256) if digest]
    masks = [(case.load_volume(stored.sha256), stored) for stored in index.structures]
    return LoadedStudy(
        index,
        ct,
        emission,
        tuple(view for view in planar if isinstance(view, CountsMap)),
        tuple((mask, stored) for mask, stored in masks if isinstance(mask, Mask)),
    )

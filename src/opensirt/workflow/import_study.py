"""Use case: a folder of DICOM becomes a study inside a case, with every fault on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from opensirt.clock import now
from opensirt.dicom.read import read_study
from opensirt.dicom.study import ImportedStructure, ImportedStudy, ImportedVolume, NotStated, ReadOptions, SeriesFacts
from opensirt.encoding import parse_json, pretty_json, structure
from opensirt.files.images import TOTALSEGMENTATOR, read_label_map
from opensirt.files.label_numbers import read_numbers
from opensirt.record.events import EventKind
from opensirt.store.case_folder import CaseFolder, create_case, open_case, write_atomically
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, MissingInput
from opensirt.vocabulary.findings import Fault, Finding, Severity
from opensirt.vocabulary.nuclides import nuclide_named
from opensirt.vocabulary.offers import nearest
from opensirt.vocabulary.volumes import ActivityMap, CountsMap, HounsfieldMap, Mask
from opensirt.workflow.choose_structures import LABEL_MAP, Offered, choose_structures, require_known_origin
from opensirt.workflow.options import ImportOptions
from opensirt.workflow.study import SCHEMA, VERSION, SeriesSummary, StoredStructure, StudyIndex, save_index

T = TypeVar("T")

IDENTITY_FOLDER = "identity"
"""Patient and study attributes that an export must repeat, one file for each CT. Kept apart from everything else; without it exports
cannot be made, and without it the case holds no identity."""
SHOWN_FAULTS = 10


@dataclass(frozen=True)
class Identity:
    """What an RTDOSE repeats from its CT. Holds the patient's name: never shown, never logged."""

    attributes: dict[str, str] = field(repr=False)
    frame: str
    series_uid: str
    synthetic: bool


@dataclass(frozen=True)
class ImportSummary:
    """What an import did, for a person."""

    case_id: str
    synthetic: bool
    volumes: int
    planar_views: int
    structures: tuple[str, ...]
    faults: tuple[Fault, ...]
    findings: tuple[Finding, ...]


def _read_options(options: ImportOptions) -> ReadOptions:
    zone = None
    if options.time_zone:
        try:
            zone = ZoneInfo(options.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name of a folder of zones ("Europe")
            near = nearest(options.time_zone, available_timezones())
            meant = f"did you mean {near}? " if near else ""
            raise InvalidValue(
                f"no time zone is called {options.time_zone!r}", "", f"{meant}give an IANA name, e.g. Europe/London"
            ) from error
    return ReadOptions(true_nuclide=nuclide_named(options.true_nuclide) if options.true_nuclide else None, time_zone=zone)


def _optional(value: T | NotStated) -> T | None:
    return None if isinstance(value, NotStated) else value


def _summary(facts: SeriesFacts) -> SeriesSummary:
    return SeriesSummary(
        facts.series_uid,
        facts.modality,
        facts.description,
        facts.frame,
        _optional(facts.acquired_at),
        _optional(facts.radionuclide) or "",
        _optional(facts.injected_gbq),
        facts.synthetic,
        facts.notes,
    )


def identity_path(case: CaseFolder, ct_sha256: str) -> Path:
    """Where the identity that belongs to a CT is kept."""
    return case.path / IDENTITY_FOLDER / f"{ct_sha256}.json"


def load_identity(case: CaseFolder, ct_sha256: str) -> Identity | None:
    """The identity that belongs to a CT; ``None`` where the case holds none."""
    path = identity_path(case, ct_sha256)
    return structure(parse_json(path.read_text("utf-8")), Identity) if path.exists() else None


def _patient(attributes: Mapping[str, str]) -> tuple[str, str]:
    return attributes.get("IssuerOfPatientID", ""), attributes.get("PatientID", "")


def _require_one_patient(case: CaseFolder, attributes: Mapping[str, str]) -> None:
    """Refuse a study of another patient than the one the case already holds."""
    for path in sorted((case.path / IDENTITY_FOLDER).glob("*.json")):
        known = structure(parse_json(path.read_text("utf-8")), Identity)
        if _patient(known.attributes) != _patient(attributes):
            raise InconsistentInput(
                "the study belongs to another patient than the case", case.case_id, "import it into a case of its own"
            )


def require_volumes(summary: ImportSummary) -> None:
    """Refuse an import that found no volume, in one message.

    Raises
    ------
    MissingInput
        With the first faults.
    """
    if summary.volumes:
        return
    messages = list(dict.fromkeys(fault.message for fault in summary.faults))
    shown = "; ".join(messages[:SHOWN_FAULTS]) or "the folder holds no DICOM image"
    raise MissingInput("no volume could be read", shown, "mend the named files, or give another folder")


def _choose(
    volumes: Sequence[ImportedVolume], what: str, wanted: Callable[[ImportedVolume], bool]
) -> tuple[ImportedVolume | None, tuple[Finding, ...]]:
    """The wanted volume with most voxels; a finding names the others."""
    ranked = sorted(volumes, key=lambda v: (not wanted(v), -v.map.grid.size, v.facts.series_uid))
    if len(ranked) < 2:
        return (ranked[0] if ranked else None), ()
    others = ", ".join(v.facts.series_uid for v in ranked[1:])
    message = (
        f"{len(ranked)} {what} series; {ranked[0].facts.series_uid} is used, not {others} · the one that shares its frame of reference "
        "with the other image, then the one with most voxels · remove the others if this is wrong"
    )
    return ranked[0], (Finding("import.several_series", Severity.WARNING, message, what),)


def _pair(study: ImportedStudy) -> tuple[ImportedVolume | None, ImportedVolume | None, tuple[Finding, ...]]:
    """CT and emission image that belong together, and what a person must weigh about the choice.

    Raises
    ------
    InconsistentInput
        If both are of different patients.
    """
    frames = {v.map.grid.frame for v in study.volumes if v.kind == "ct"}
    emissions = [v for v in study.volumes if v.kind != "ct"]
    emission, first = _choose(emissions, "emission", lambda v: v.map.grid.frame in frames)
    frame = emission.map.grid.frame if emission is not None else ""
    ct, second = _choose([v for v in study.volumes if v.kind == "ct"], "CT", lambda v: v.map.grid.frame == frame)
    findings = [*first, *second]
    if ct is not None and emission is not None:
        if _patient(ct.context.attributes) != _patient(emission.context.attributes):
            raise InconsistentInput(
                "CT and emission image belong to different patients",
                f"series {ct.facts.series_uid} and {emission.facts.series_uid}",
                "give a folder with one patient",
            )
        if ct.map.grid.frame != emission.map.grid.frame:
            message = (
                "CT and emission image lie in different frames of reference · their positions cannot be compared · register them first, or "
                "use the CT of the hybrid scan"
            )
            findings.append(Finding("import.frames_differ", Severity.CRITICAL, message))
    for volume, what, need in (
        (ct, "CT", "contours, densities and masses rest on it"),
        (emission, "emission image", "it tells where the particles go"),
    ):
        if volume is None:
            message = f"no {what} could be read · {need}: this case cannot be planned · look at the faults, mend or add the series, and import again"
            findings.append(Finding("import.incomplete", Severity.CRITICAL, message, what))
    return ct, emission, tuple(findings)


def run_import(folder: Path, case_path: Path, options: ImportOptions, report: Callable[[float], None]) -> ImportSummary:
    """Read a folder of DICOM into a case (made if it does not exist).

    Parameters
    ----------
    folder : Path
        DICOM files, at any depth.
    case_path : Path
        Case folder; a new one, or an existing case to which a newer study is added.
    options : ImportOptions
        What the files do not say.
    report : callable
        Takes progress from 0 to 1.

    Returns
    -------
    ImportSummary
        With all faults. Nothing is written before everything has been read, and nothing at all if no volume could be read
        (:func:`require_volumes` tells).

    Raises
    ------
    InvalidValue
        If there is no such folder, or an option cannot be understood.
    InconsistentInput
        If CT and emission image, or the study and the case, are of different patients.
    """
    if not folder.is_dir():
        raise InvalidValue(f"{folder.name!r} is not a folder", "a study is read from a folder of DICOM files", "give the folder")
    require_known_origin(options.structures_from)
    if options.labels_map is not None and options.labels is None:
        raise InvalidValue(f"a list of label numbers ({options.labels_map.name}) without a label map", "", "give --labels as well")
    study = read_study(folder, lambda x: report(0.7 * x), _read_options(options))
    if not study.volumes:
        return _nothing(study)
    ct, emission, findings = _pair(study)
    extra = _labels(options, ct)
    case = _case(case_path, options, study)
    context = next(volume.context for volume in (ct, emission) if volume is not None)
    _require_one_patient(case, context.attributes)
    with case.writing():
        index = _keep(case, study, ct, emission, extra, findings, structures_from=options.structures_from)
        if ct is not None:
            identity = Identity(dict(ct.context.attributes), ct.context.frame, ct.context.series_uid, ct.context.synthetic)
            identity_path(case, index.ct_sha256).parent.mkdir(mode=0o700, exist_ok=True)
            write_atomically(identity_path(case, index.ct_sha256), pretty_json(identity).encode())
        artefact = case.save_artefact(save_index(case, index), SCHEMA, VERSION)
        case.append(EventKind.STUDY_IMPORTED, "operator", now(), artefacts=[artefact], numbers={"faults": float(len(index.faults))})
    report(1.0)
    names = tuple(stored.key for stored in index.structures)
    return ImportSummary(case.case_id, index.synthetic, len(study.volumes), len(study.planar), names, index.faults, index.findings)


def _nothing(study: ImportedStudy) -> ImportSummary:
    message = "no volume could be read; nothing was written · the faults say why · mend the named files, or give another folder"
    finding = Finding("import.no_volume", Severity.CRITICAL, message)
    return ImportSummary("", study.synthetic, 0, len(study.planar), (), study.faults, (finding,))


def _near(
    study: ImportedStudy, ct: ImportedVolume | None, emission: ImportedVolume | None
) -> tuple[tuple[ImportedStructure, ...], tuple[Finding, ...]]:
    """Structures in the frame of reference of the CT or the emission image in use; a finding names the others."""
    frames = {volume.map.grid.frame for volume in (ct, emission) if volume is not None}
    near = tuple(s for s in study.structures if s.mask.grid.frame in frames)
    far = sorted({s.label for s in study.structures if s.mask.grid.frame not in frames})
    if not far:
        return near, ()
    message = (
        f"{', '.join(far)} were drawn in another frame of reference than the images in use · they are left out · draw or export them on "
        "the CT in use"
    )
    return near, (Finding("import.structure_elsewhere", Severity.WARNING, message),)


def _labels(options: ImportOptions, ct: ImportedVolume | None) -> tuple[tuple[Mask, str], ...]:
    if options.labels is None:
        return ()
    if ct is None:
        raise InvalidValue(
            "a label map without a CT", options.labels.name, "the study must hold the CT that the labels were drawn on"
        )
    numbers = read_numbers(options.labels_map) if options.labels_map is not None else TOTALSEGMENTATOR
    masks = read_label_map(options.labels, numbers)
    grid = ct.map.grid
    placed = [Mask(mask.inside, mask.grid.in_frame(grid.frame), mask.structure) for mask in masks]
    return tuple(
        (mask if not mask.grid.is_same_as(grid) else Mask(mask.inside, grid, mask.structure), mask.structure.key) for mask in placed
    )


def _case(path: Path, options: ImportOptions, study: ImportedStudy) -> CaseFolder:
    """The case at a path, or a new one; a pseudonym that is stated must be that of the case.

    Raises
    ------
    InconsistentInput
        If the case has another.
    """
    if not (path / "case.json").exists():
        return _new_case(path, options, study)
    case = open_case(path)
    if options.case_id and options.case_id != case.case_id:
        raise InconsistentInput(
            f"the case is called {case.case_id}, not {options.case_id!r}",
            "a pseudonym is given once, when a case is made",
            "leave --id out, or name another case folder",
        )
    return case


def _new_case(path: Path, options: ImportOptions, study: ImportedStudy) -> CaseFolder:
    """A new case under a pseudonym: the stated one, or one derived from the study's UID by hash."""
    uid = next((facts.study_uid for facts in study.facts if facts.study_uid), path.name)
    case_id = options.case_id or "C-" + hashlib.sha256(uid.encode()).hexdigest()[:10].upper()
    return create_case(path, case_id, synthetic=study.synthetic, who="operator", at=now())


def _keep(
    case: CaseFolder,
    study: ImportedStudy,
    ct: ImportedVolume | None,
    emission: ImportedVolume | None,
    extra: tuple[tuple[Mask, str], ...],
    findings: tuple[Finding, ...],
    *,
    structures_from: str,
) -> StudyIndex:
    views = {view.view: case.save_volume(view.map) for view in reversed(study.planar)}
    near, elsewhere = _near(study, ct, emission)
    findings = (*findings, *elsewhere)
    offered = [Offered(s.mask, s.label, s.origin) for s in near] + [Offered(mask, label, LABEL_MAP) for mask, label in extra]
    chosen, doubled = choose_structures(offered, structures_from)
    stored = tuple(StoredStructure(o.mask.structure.key, o.label, o.origin, case.save_volume(o.mask)) for o in chosen)
    findings = (*findings, *doubled)
    return StudyIndex(
        case.save_volume(ct.map) if ct is not None and isinstance(ct.map, HounsfieldMap) else "",
        case.save_volume(emission.map) if emission is not None and isinstance(emission.map, CountsMap | ActivityMap) else "",
        views.get("anterior", ""),
        views.get("posterior", ""),
        stored,
        tuple(_summary(facts) for facts in study.facts),
        study.faults,
        findings,
        study.synthetic or case.synthetic,
    )

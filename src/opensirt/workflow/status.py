"""Use case: what a case holds, what happened to it, and which results no longer belong to its newest study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from opensirt.record.events import EventKind
from opensirt.store.case_folder import CaseFolder, open_case
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.workflow.stale import stale_results
from opensirt.workflow.study import StudyIndex, load_index

RESULTS = {EventKind.WORKUP_COMPUTED: "work-up", EventKind.PLAN_COMPUTED: "plan"}


@dataclass(frozen=True)
class StatusEvent:
    """One thing that happened: what, when, who, and the few numbers it reports."""

    seq: int
    kind: str
    at: datetime
    who: str
    numbers: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class StudyStatus:
    """The newest study: which images it holds, its structures with their origin, and how many faults its import had."""

    imported_at: datetime
    images: tuple[str, ...]
    structures: tuple[tuple[str, str], ...]
    faults: int


@dataclass(frozen=True)
class ResultStatus:
    """The newest result of a kind; ``stale`` with its reason where it was computed from other data than the newest study."""

    name: str
    computed_at: datetime
    stale: bool
    reason: str


@dataclass(frozen=True)
class CaseStatus:
    """A case in short."""

    case_id: str
    synthetic: bool
    study: StudyStatus | None
    results: tuple[ResultStatus, ...]
    events: tuple[StatusEvent, ...]
    verified: bool
    findings: tuple[Finding, ...]


def run_status(case_path: Path, report: Callable[[float], None], *, verify: bool = False) -> CaseStatus:
    """What a case holds; nothing is changed and no volume is loaded.

    Parameters
    ----------
    case_path : Path
        Case folder.
    report : callable
        Takes progress from 0 to 1.
    verify : bool
        Also read every volume and artefact once, against its hash.

    Raises
    ------
    CaseError
        If there is no case, or its chain of events (with ``verify`` anything in it) is damaged.
    """
    case = open_case(case_path)
    events, torn = case.events()
    report(0.1)
    if verify:
        case.verify()
    report(0.8)
    imported = case.latest(EventKind.STUDY_IMPORTED)
    index = load_index(case) if imported is not None else None
    stale = {finding.about: finding for finding in (stale_results(case) if index is not None else ())}
    results = tuple(_result(case, kind, name, stale) for kind, name in RESULTS.items() if case.latest(kind) is not None)
    report(1.0)
    return CaseStatus(
        case.case_id,
        case.synthetic,
        _study(index, imported.at) if index is not None and imported is not None else None,
        results,
        tuple(StatusEvent(e.seq, e.kind.value, e.at, e.who, tuple(e.numbers.items())) for e in events),
        verify,
        (*torn, *stale.values(), *_without_study(index)),
    )


def _result(case: CaseFolder, kind: EventKind, name: str, stale: dict[str, Finding]) -> ResultStatus:
    event = case.latest(kind)
    assert event is not None  # the caller asked
    return ResultStatus(name, event.at, name in stale, stale[name].message if name in stale else "")


def _study(index: StudyIndex, at: datetime) -> StudyStatus:
    held = (
        ("CT", index.ct_sha256),
        ("emission image", index.emission_sha256),
        ("anterior view", index.anterior_sha256),
        ("posterior view", index.posterior_sha256),
    )
    structures = tuple((stored.key, stored.origin) for stored in index.structures)
    return StudyStatus(at, tuple(name for name, digest in held if digest), structures, len(index.faults))


def _without_study(index: StudyIndex | None) -> tuple[Finding, ...]:
    if index is not None:
        return ()
    message = "the case holds no study yet · nothing can be computed · import one: opensirt import DIR --case FOLDER"
    return (Finding("case.no_study", Severity.NOTE, message),)

"""Events: what happened to a case, who did it, when, and to which artefact; chained by hash so that no line can be changed unseen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from opensirt.encoding import canonical_json, unstructure
from opensirt.vocabulary.activity import require_time_zone
from opensirt.vocabulary.errors import CaseError

FIRST = "0" * 64
"""What the first event of a chain names as the one before it."""


class EventKind(Enum):
    """The closed list of what can happen to a case so far."""

    CASE_CREATED = "case_created"
    STUDY_IMPORTED = "study_imported"
    WORKUP_COMPUTED = "workup_computed"
    PLAN_COMPUTED = "plan_computed"


@dataclass(frozen=True)
class Artefact:
    """A file that a case keeps: its schema, version and SHA-256."""

    schema: str
    version: int
    sha256: str


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes
    ----------
    case : str
        Pseudonym of the case; ``(case, seq)`` is unique.
    seq : int
        Number within the case, from 1.
    kind : EventKind
        What.
    who : str
        Role or account; never a patient.
    at : datetime
        When, time-zone aware.
    why : str
        Reason, where one is due.
    artefacts : tuple of Artefact
        What was produced.
    numbers : mapping
        The few numbers that a registry reports.
    previous : str
        SHA-256 of the event before, :data:`FIRST` for the first.
    sha256 : str
        SHA-256 over the canonical JSON of everything above.
    """

    case: str
    seq: int
    kind: EventKind
    who: str
    at: datetime
    why: str
    artefacts: tuple[Artefact, ...]
    numbers: Mapping[str, float] = field(default_factory=dict)
    previous: str = FIRST
    sha256: str = ""


@dataclass(frozen=True)
class Particulars:
    """What else an event says: reason, artefacts produced, numbers for the registry."""

    why: str = ""
    artefacts: Sequence[Artefact] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)


def chain_sha256(record: Mapping[str, object]) -> str:
    """SHA-256 over canonical JSON (sorted keys, no spaces, UTF-8) of a record that names the hash before it."""
    return hashlib.sha256(canonical_json(record).encode()).hexdigest()


def _digest(event: Event) -> str:
    return chain_sha256({key: value for key, value in unstructure(event).items() if key != "sha256"})


def next_event(
    case: str, before: Sequence[Event], kind: EventKind, who: str, at: datetime, more: Particulars | None = None
) -> Event:
    """The event that follows a chain, sealed with its hash.

    Raises
    ------
    InvalidValue
        If the instant has no time zone or a number is not finite.
    """
    require_time_zone(at, "the instant of an event")
    more = more or Particulars()
    previous = before[-1].sha256 if before else FIRST
    as_floats = {key: float(value) for key, value in more.numbers.items()}  # 1 and 1.0 are two texts but must be one hash
    open_event = Event(case, len(before) + 1, kind, who, at, more.why, tuple(more.artefacts), as_floats, previous)
    return replace(open_event, sha256=_digest(open_event))


def verify_chain(events: Sequence[Event], case: str) -> None:
    """Check case, numbers, links and hashes of a chain.

    Raises
    ------
    CaseError
        Naming the first event that does not fit.
    """
    previous = FIRST
    for number, event in enumerate(events, start=1):
        checks = {
            "case": event.case == case,
            "number": event.seq == number,
            "link": event.previous == previous,
            "content": event.sha256 == _digest(event),
        }
        wrong = [name for name, good in checks.items() if not good]
        if wrong:
            raise CaseError(
                f"event {number} of the case has a wrong {wrong[0]}",
                "the chain of events was altered after it was written",
                "restore the case from a backup",
            )
        previous = event.sha256

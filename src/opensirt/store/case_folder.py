"""A case is a folder: ``case.json``, ``events.jsonl``, ``volumes/<sha256>.npy`` with its geometry, ``artefacts/<sha256>.<ext>``.

Files are content-addressed and never changed. Whatever is written goes to a temporary file first, is flushed to the disk and renamed; the
event that makes it known is appended last. A run killed at any moment leaves the results before it whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from opensirt.encoding import canonical_json, structure, unstructure
from opensirt.record.events import Artefact, Event, EventKind, next_event, verify_chain
from opensirt.store.volume_files import Volume, geometry_of, volume_from
from opensirt.vocabulary.errors import CaseError, MissingInput
from opensirt.vocabulary.findings import Finding, Severity

SCHEMA = "opensirt.case"
VERSION = 1


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is either whole or absent, even if power fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class CaseFolder:
    """An opened case. Create with :func:`create_case`, open with :func:`open_case`."""

    path: Path
    case_id: str
    synthetic: bool

    def events(self) -> tuple[tuple[Event, ...], tuple[Finding, ...]]:
        """All whole events, verified; a torn last line (a write cut off by a crash) is left out and reported."""
        return _read_events(self.path / "events.jsonl")

    def save_volume(self, volume: Volume) -> str:
        """Keep a volume; returns its content hash. Keeping the same volume twice costs nothing."""
        digest = volume.sha256
        folder = self.path / "volumes"
        sidecar = folder / f"{digest}.json"
        if not sidecar.exists():
            array, geometry = geometry_of(volume)
            temporary = folder / f".{digest}.{os.getpid()}.tmp.npy"
            try:
                with temporary.open("wb") as file:
                    np.save(file, array)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(folder / f"{digest}.npy")
            finally:
                with suppress(FileNotFoundError):
                    temporary.unlink()
            write_atomically(sidecar, canonical_json(geometry).encode())
        return digest

    def load_volume(self, digest: str) -> Volume:
        """A volume by its content hash, as a read-only memory map.

        Raises
        ------
        MissingInput
            If the case does not hold it.
        """
        sidecar = self.path / "volumes" / f"{digest}.json"
        if not sidecar.exists():
            raise MissingInput(f"the case holds no volume {digest[:12]}…", self.case_id, "import the study again")
        array = np.load(self.path / "volumes" / f"{digest}.npy", mmap_mode="r")
        return volume_from(array, json.loads(sidecar.read_text("utf-8")))

    def save_artefact(self, text: str, schema: str, version: int, suffix: str = "json") -> Artefact:
        """Keep a document; returns what an event says of it."""
        data = text.encode()
        digest = hashlib.sha256(data).hexdigest()
        path = self.path / "artefacts" / f"{digest}.{suffix}"
        if not path.exists():
            write_atomically(path, data)
        return Artefact(schema, version, digest)

    def load_artefact(self, artefact: Artefact, suffix: str = "json") -> str:
        """The text of a document, its hash checked.

        Raises
        ------
        CaseError
            If it is missing or its content does not match its name.
        """
        path = self.path / "artefacts" / f"{artefact.sha256}.{suffix}"
        if not path.exists():
            raise CaseError(
                f"artefact {artefact.sha256[:12]}… of the case is missing", artefact.schema, "restore the case from a backup"
            )
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != artefact.sha256:
            raise CaseError(
                f"artefact {artefact.sha256[:12]}… was altered after it was written",
                artefact.schema,
                "restore the case from a backup",
            )
        return data.decode()

    def append(
        self,
        kind: EventKind,
        who: str,
        at: datetime,
        *,
        artefacts: Sequence[Artefact] = (),
        numbers: Mapping[str, float] | None = None,
    ) -> Event:
        """Append one event, durably; call inside :meth:`writing`."""
        events, _ = self.events()
        event = next_event(events, kind, who, at, artefacts=artefacts, numbers=numbers)
        _mend_torn_line(self.path / "events.jsonl")
        with (self.path / "events.jsonl").open("ab") as file:
            file.write(canonical_json(event).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return event

    def latest(self, kind: EventKind) -> Event | None:
        """The last event of a kind; ``None`` if there was none yet."""
        events, _ = self.events()
        found = [event for event in events if event.kind is kind]
        return found[-1] if found else None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the case for writing: a second writer is refused; the lock of a process that no longer runs is taken over."""
        lock = self.path / ".lock"
        _take_lock(lock)
        try:
            yield
        finally:
            with suppress(FileNotFoundError):
                lock.unlink()


def _take_lock(lock: Path) -> None:
    mine = f"{socket.gethostname()} {os.getpid()}"
    for _ in range(2):
        try:
            descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            holder = lock.read_text("utf-8").split() if lock.exists() else []
            if len(holder) == 2 and holder[0] == socket.gethostname() and not _runs(int(holder[1])):
                with suppress(FileNotFoundError):
                    lock.unlink()
                continue
            raise CaseError(
                "the case is being written by another process",
                " ".join(holder),
                f"wait for it; if it no longer runs, delete {lock.name} in the case folder",
            ) from None
        with os.fdopen(descriptor, "w") as file:
            file.write(mine)
        return
    raise CaseError("the case's lock could not be taken", lock.name, "try again")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _lines(path: Path) -> tuple[list[bytes], bytes]:
    data = path.read_bytes() if path.exists() else b""
    whole, _, torn = data.rpartition(b"\n")
    return (whole.split(b"\n") if whole else []), torn


def _read_events(path: Path) -> tuple[tuple[Event, ...], tuple[Finding, ...]]:
    lines, torn = _lines(path)
    events = tuple(structure(json.loads(line), Event) for line in lines)
    verify_chain(events)
    if not torn:
        return events, ()
    message = f"the last line of events.jsonl is incomplete ({len(torn)} bytes) · a run was cut off while writing it; everything before it is whole · nothing to do"
    return events, (Finding("case.torn_event", Severity.NOTE, message),)


def _mend_torn_line(path: Path) -> None:
    """Set a torn last line aside (``events.torn``) so that the next event starts a line of its own."""
    _, torn = _lines(path)
    if torn:
        with path.with_suffix(".torn").open("ab") as file:
            file.write(torn + b"\n")
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size - len(torn))
            file.flush()
            os.fsync(file.fileno())


def create_case(path: Path, case_id: str, *, synthetic: bool, who: str, at: datetime) -> CaseFolder:
    """Make a new case folder.

    Raises
    ------
    CaseError
        If the folder exists and is not empty.
    """
    if path.exists() and any(path.iterdir()):
        raise CaseError(
            f"folder {path.name!r} is not empty",
            "a case needs a folder of its own",
            "give another folder, or open the case that is there",
        )
    for folder in (path, path / "volumes", path / "artefacts"):
        folder.mkdir(parents=True, exist_ok=True)
    case = CaseFolder(path, case_id, synthetic)
    with case.writing():
        case.append(EventKind.CASE_CREATED, who, at)
        head: dict[str, Any] = {
            "schema": SCHEMA,
            "version": VERSION,
            "case_id": case_id,
            "synthetic": synthetic,
            "created_at": unstructure(at),
        }
        write_atomically(path / "case.json", (json.dumps(head, indent=2) + "\n").encode())
    return case


def open_case(path: Path) -> CaseFolder:
    """Open an existing case folder.

    Raises
    ------
    CaseError
        If it is no case, or one of another version.
    """
    head_path = path / "case.json"
    if not head_path.exists():
        raise CaseError(
            f"folder {path.name!r} holds no case.json",
            "it is not a case, or its creation was cut off",
            "import a study into a new case folder",
        )
    head = json.loads(head_path.read_text("utf-8"))
    if head.get("schema") != SCHEMA or head.get("version") != VERSION:
        raise CaseError(
            f"case.json is {head.get('schema')} version {head.get('version')}, not {SCHEMA} version {VERSION}",
            path.name,
            "open it with the program version that wrote it",
        )
    return CaseFolder(path, str(head["case_id"]), bool(head["synthetic"]))

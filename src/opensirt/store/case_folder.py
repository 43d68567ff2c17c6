"""A case is a folder: ``case.json``, ``events.jsonl``, ``volumes/<sha256>.npy`` with its geometry, ``artefacts/<sha256>.<ext>``.

Files are content-addressed and never changed. Whatever is written goes to a temporary file first, is flushed to the disk and renamed; the
event that makes it known is appended last. A run killed at any moment leaves the results before it whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from opensirt.encoding import canonical_json, from_json, parse_json, structure, to_json
from opensirt.record.events import Artefact, Event, EventKind, Particulars, next_event, verify_chain
from opensirt.store.volume_files import Volume, geometry_of, volume_from
from opensirt.vocabulary.errors import CaseError, InconsistentInput, InvalidValue, MissingInput, OpensirtError
from opensirt.vocabulary.findings import Finding, Severity

SCHEMA = "opensirt.case"
VERSION = 1
LOCK = ".lock"


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
class CaseHead:
    """What ``case.json`` says."""

    case_id: str
    synthetic: bool
    created_at: datetime


@dataclass(frozen=True)
class CaseFolder:
    """An opened case. Create with :func:`create_case`, open with :func:`open_case`."""

    path: Path
    case_id: str
    synthetic: bool

    def events(self) -> tuple[tuple[Event, ...], tuple[Finding, ...]]:
        """All whole events, verified; a torn last line (a write cut off by a crash) is left out and reported."""
        return _read_events(self.path / "events.jsonl", self.case_id)

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
        CaseError
            If its files are damaged.
        """
        sidecar = self.path / "volumes" / f"{digest}.json"
        if not sidecar.exists():
            raise MissingInput(f"the case holds no volume {digest[:12]}…", self.case_id, "import the study again")
        try:
            array = np.load(self.path / "volumes" / f"{digest}.npy", mmap_mode="r")
            return volume_from(array, parse_json(sidecar.read_text("utf-8")))
        except (OSError, ValueError, EOFError, KeyError) as error:
            raise CaseError(
                f"volume {digest[:12]}… of the case is damaged", self.case_id, "restore the case from a backup"
            ) from error

    def verify(self) -> None:
        """Read everything once: the chain of events, and every volume and artefact against its hash.

        Raises
        ------
        CaseError
            Naming the first that is damaged.
        """
        self.events()
        for sidecar in sorted((self.path / "volumes").glob("*.json")):
            if self.load_volume(sidecar.stem).sha256 != sidecar.stem:
                raise CaseError(
                    f"volume {sidecar.stem[:12]}… of the case is damaged", self.case_id, "restore the case from a backup"
                )
        for path in sorted((self.path / "artefacts").glob("[!.]*")):
            if hashlib.sha256(path.read_bytes()).hexdigest() != path.name.partition(".")[0]:
                raise CaseError(
                    f"artefact {path.name[:12]}… of the case is damaged", self.case_id, "restore the case from a backup"
                )

    def save_artefact(self, content: str | bytes, schema: str, version: int, suffix: str = "json") -> Artefact:
        """Keep a document; returns what an event says of it."""
        data = content.encode() if isinstance(content, str) else content
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
        why: str = "",
        artefacts: Sequence[Artefact] = (),
        numbers: Mapping[str, float] | None = None,
    ) -> Event:
        """Append one event, durably; call inside :meth:`writing`."""
        events, _ = self.events()
        event = next_event(self.case_id, events, kind, who, at, Particulars(why, artefacts, numbers or {}))
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
        """Hold the case for writing; a second writer is refused. The system frees the lock of a process that ends, however it ends.

        Raises
        ------
        CaseError
            If another process holds the case.
        """
        descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{socket.gethostname()} {os.getpid()}".encode(), 0)
            _sweep(self.path)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace")
        raise CaseError(
            "the case is being written by another process", f"host and process: {holder}", "wait for it, then run again"
        ) from error


def _sweep(path: Path) -> None:
    """Remove what a run that was cut off left half-written; nothing ever refers to it."""
    for folder in (path, path / "volumes", path / "artefacts"):
        for leftover in folder.glob(".*.tmp*"):
            leftover.unlink(missing_ok=True)


def _lines(path: Path) -> tuple[list[bytes], bytes]:
    data = path.read_bytes() if path.exists() else b""
    whole, _, torn = data.rpartition(b"\n")
    return (whole.split(b"\n") if whole else []), torn


def _read_events(path: Path, case_id: str) -> tuple[tuple[Event, ...], tuple[Finding, ...]]:
    lines, torn = _lines(path)
    events = tuple(_event(line, number) for number, line in enumerate(lines, start=1))
    verify_chain(events, case_id)
    if not torn:
        return events, ()
    message = f"the last line of events.jsonl is incomplete ({len(torn)} bytes) · a run was cut off while writing it; everything before it is whole · nothing to do"
    return events, (Finding("case.torn_event", Severity.NOTE, message),)


def _event(line: bytes, number: int) -> Event:
    try:
        return structure(parse_json(line.decode()), Event)
    except (InvalidValue, UnicodeDecodeError) as error:
        raise CaseError(
            f"event {number} of the case cannot be read",
            "the chain of events was altered after it was written",
            "restore the case from a backup",
        ) from error


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
    """Make a new case folder; it appears whole or not at all.

    Raises
    ------
    CaseError
        If the folder exists and is not empty.
    InvalidValue
        If the pseudonym is empty.
    """
    if not case_id.strip():
        raise InvalidValue("a case without a pseudonym", "", "give one, e.g. C-0042; never a name or hospital number")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise CaseError(
            f"folder {path.name!r} is not empty",
            "a case needs a folder of its own",
            "give another folder, or open the case that is there",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(making, ignore_errors=True)
    try:
        for folder in (making, making / "volumes", making / "artefacts"):
            folder.mkdir()
        head = CaseHead(case_id, synthetic, at)
        write_atomically(making / "case.json", to_json(head, SCHEMA, VERSION).encode())
        CaseFolder(making, case_id, synthetic).append(EventKind.CASE_CREATED, who, at)
        _sync_folder(making)
        making.rename(path)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    _sync_folder(path.parent)
    return CaseFolder(path, case_id, synthetic)


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
    try:
        head = from_json(head_path.read_text("utf-8"), CaseHead, SCHEMA, VERSION)
    except (InvalidValue, InconsistentInput, UnicodeDecodeError) as error:
        what = error.what if isinstance(error, OpensirtError) else "it is not UTF-8"
        raise CaseError(f"case.json cannot be used: {what}", path.name, "open it with the program version that wrote it") from error
    return CaseFolder(path, head.case_id, head.synthetic)

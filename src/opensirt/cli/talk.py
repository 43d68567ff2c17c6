"""How every command talks: results on stdout, everything else on stderr, errors as one message, and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import typer

from opensirt.cli.exit_codes import ExitCode
from opensirt.settings import apply_settings
from opensirt.vocabulary.errors import OpensirtError
from opensirt.vocabulary.findings import Fault, Finding, Severity

T = TypeVar("T")
Report = Callable[[float], None]
ERROR_SCHEMA = "opensirt.error"
ERROR_VERSION = 1
RESULT_VERSION = 1
MACHINE = "mend it (room on the disk, permission, a file in use) and run again"


@dataclass(frozen=True)
class Manner:
    """How one call of a command answers; ``bare`` JSON is printed without schema and version, a ``whole`` text tells its findings itself."""

    command: str
    as_json: bool = False
    strict: bool = False
    debug: bool = False
    bare: bool = False
    whole: bool = False


@contextmanager
def progress(title: str) -> Iterator[Report]:
    """A progress function; it draws a bar on stderr where that is a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda done: bar.update(task, completed=done)


def _never(_: object) -> bool:
    return False


def answer(
    work: Callable[[Report], T], lines: Callable[[T], Iterable[str]], manner: Manner, *, refused: Callable[[T], bool] = _never
) -> None:
    """Do the work of a command, print its result, and end with the exit status.

    Parameters
    ----------
    work : callable
        Takes a progress function and returns the result, a record.
    lines : callable
        The result in words, for people.
    manner : Manner
        Name of the command, ``--json``, ``--strict``, ``--debug``.
    refused : callable
        Whether a result means that the input could not be used (an import without volumes, which still tells all faults).
    """
    try:
        if manner.command != "doctor":  # which says itself what is wrong with them
            apply_settings()
        with progress(manner.command) as report:
            result = work(report)
        _print(result, lines, manner)
        status = ExitCode.LOOK if manner.strict and must_look(result) else ExitCode.DONE
        status = ExitCode.REFUSED if refused(result) else status
    except OpensirtError as error:
        status = _refuse(error, (error.what, error.where, error.remedy), ExitCode.REFUSED, manner)
    except BrokenPipeError:  # the reader of a pipe (head, less) has seen enough
        sys.stdout = open(os.devnull, "w")
        status = ExitCode.DONE
    except OSError as error:
        name = str(error.filename or "").rpartition("/")[2]
        what = error.strerror or type(error).__name__
        wrong_path = isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError | FileNotFoundError)
        remedy = (
            "check this path and the folders above it: a file may lie where a folder is meant, or nothing"
            if wrong_path
            else MACHINE
        )
        status = _refuse(error, (what, name, remedy), ExitCode.REFUSED if wrong_path else ExitCode.MACHINE, manner)
    except KeyboardInterrupt as error:
        status = _refuse(error, ("stopped", "", "earlier results are whole"), ExitCode.INTERRUPTED, manner)
    except Exception as error:  # noqa: BLE001 - the edge of the program: nobody above could say anything to the person
        what = f"unexpected {type(error).__name__}"
        status = _refuse(error, (what, "a defect of opensirt", "run again with --debug and report it"), ExitCode.UNEXPECTED, manner)
    raise typer.Exit(int(status))


def findings_of(result: Any) -> tuple[Finding, ...]:
    """The findings a result carries."""
    if isinstance(result, Mapping):
        return tuple(Finding(**(f | {"severity": Severity(f["severity"])})) for f in result.get("findings", ()))
    return tuple(getattr(result, "findings", ()))


def faults_of(result: Any) -> tuple[Fault, ...]:
    """The import faults a result carries."""
    return tuple(getattr(result, "faults", ()))


def must_look(result: Any) -> bool:
    """Whether a critical finding or an import fault came back."""
    return bool(faults_of(result)) or any(f.severity is Severity.CRITICAL for f in findings_of(result))


def remarks(result: Any) -> list[str]:
    """Findings, most severe first, and faults, one a line."""
    order = (Severity.CRITICAL, Severity.WARNING, Severity.NOTE)
    found = sorted(findings_of(result), key=lambda f: order.index(f.severity))
    return [f"{f.severity.value:<8} {f.code}: {f.message}" for f in found] + [
        f"fault    {f.code}: {f.message}" for f in faults_of(result)
    ]


def _print(result: Any, lines: Callable[[Any], Iterable[str]], manner: Manner) -> None:
    if manner.as_json:
        from opensirt.encoding import pretty_json, unstructure

        plain = unstructure(result)
        head = {"schema": f"opensirt.{manner.command}", "version": RESULT_VERSION}
        typer.echo(pretty_json(plain if manner.bare else head | plain), nl=False)
        return
    for line in lines(result):
        typer.echo(line)
    for line in () if manner.whole else remarks(result):
        typer.echo(line, err=True)


def _refuse(error: BaseException, parts: tuple[str, str, str], status: ExitCode, manner: Manner) -> ExitCode:
    if manner.debug:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    return refuse(type(error).__name__, parts, status, manner)


def refuse(kind: str, parts: tuple[str, str, str], status: ExitCode, manner: Manner) -> ExitCode:
    """Say why nothing came of it: one line on stderr, and under ``--json`` one document on stdout.

    Parameters
    ----------
    kind : str
        Class of the error.
    parts : tuple of str
        What, where, remedy.
    status : ExitCode
        How the command ends; handed back.
    manner : Manner
        Name of the command (empty where it could not be made out), ``--json``.
    """
    if manner.as_json:
        from opensirt.encoding import pretty_json

        keys = ("what", "where", "remedy")
        head: dict[str, object] = {"schema": ERROR_SCHEMA, "version": ERROR_VERSION, "command": manner.command}
        about = {"kind": kind, "exit_code": int(status)}
        typer.echo(pretty_json(head | about | dict(zip(keys, parts, strict=True))), nl=False)
    name = f"opensirt {manner.command}".rstrip()
    typer.echo(f"{name}: {' · '.join(part for part in parts if part)}", err=True)
    return status

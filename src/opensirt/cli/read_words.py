"""What a person types, turned into values: instants with offset, ``NAME=NUMBER`` pairs, stated limits and targets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import typer

from opensirt.vocabulary.errors import InvalidValue
from opensirt.workflow.options import StatedRule


def instant(text: str) -> datetime | None:
    """An instant with offset; ``None`` for an empty text.

    Raises
    ------
    typer.BadParameter
        If it is no ISO 8601 instant, or has no offset.
    """
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no instant; write e.g. 2026-03-04T10:00:00+01:00") from error
    if at.utcoffset() is None:
        raise typer.BadParameter(
            f"{text!r} has no offset; write e.g. {text}+01:00, the clock of which place it is decides the dose"
        )
    return at


def pairs(texts: Sequence[str], option: str) -> dict[str, float]:
    """``NAME=NUMBER`` pairs; numbers are finite and above 0, names come once.

    Raises
    ------
    typer.BadParameter
        Naming the pair that is not one.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not name or not number > 0.0 or math.isinf(number):
            raise typer.BadParameter(f"{option} {text!r}: write NAME=NUMBER with a number above 0, e.g. {option} tumour=120")
        if name in found:
            raise typer.BadParameter(f"{option} states {name!r} twice")
        found[name] = number
    return found


def require_folder(out: Path) -> None:
    """Refuse a folder for results that cannot be one, before any work is done.

    Raises
    ------
    InvalidValue
        If a file lies there, or where a folder above it is meant.
    """
    for path in (out, *out.parents):
        if path.exists():
            if not path.is_dir():
                raise InvalidValue(f"{path.name!r} is a file", "results are written into a folder", "give another path (--out)")
            return


def rules(role: str, texts: Sequence[str], reason: str) -> tuple[StatedRule, ...]:
    """Limits or targets in Gy that a person states."""
    return tuple(StatedRule(role, name, value, reason) for name, value in pairs(texts, f"--{role}").items())

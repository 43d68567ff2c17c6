"""What the machine or its owner decides, read once at the edge from environment variables; physics never reads it.

Every variable named here stands in ``docs/reference/settings.md``; a test fails where one does not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.threads import use_threads

THREADS_VARIABLE = "OPENSIRT_THREADS"


@dataclass(frozen=True)
class Settings:
    """The settings in force.

    Attributes
    ----------
    threads : int
        How many threads one long computation may use; at least 1.
    """

    threads: int


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings that the environment asks for; what it does not name has its documented default.

    Parameters
    ----------
    environ : mapping of str to str
        The environment; that of the process by default.

    Raises
    ------
    InvalidValue
        If a variable holds something it cannot mean.
    """
    return Settings(threads=_threads(environ.get(THREADS_VARIABLE, "")))


def apply_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings and put them in force for this process.

    Raises
    ------
    InvalidValue
        As :func:`read_settings`; nothing is then changed.
    """
    settings = read_settings(environ)
    use_threads(settings.threads)
    return settings


def _threads(text: str) -> int:
    if not text:
        return _usable_cores()
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise InvalidValue(
            f"{THREADS_VARIABLE} is {text!r}", "it says how many threads a computation may use", "give a whole number of at least 1"
        )
    return int(text)


def _usable_cores() -> int:
    """Cores that this process may use; fewer than the machine has where it runs in a container or under taskset."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

"""What a command's exit status means; ``docs/reference/exit-codes.md`` says the same, and a test keeps both together."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit status of every command."""

    DONE = 0
    """Done. Findings may still ask a person to look."""
    UNEXPECTED = 1
    """A defect of opensirt; ``--debug`` shows where."""
    USAGE = 2
    """The command line could not be understood."""
    REFUSED = 3
    """The input cannot be used: one message says what, where and what to do. Nothing was written."""
    LOOK = 4
    """Done under ``--strict``, and a critical finding or an import fault asks a person to look."""
    MACHINE = 5
    """The machine stood in the way: disk full, no permission, file in use."""
    INTERRUPTED = 130
    """Stopped with Ctrl-C. Earlier results are whole."""

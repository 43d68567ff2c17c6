"""How many threads one computation may use: one number for all of it, on which no result depends.

The edge of the program sets it (``OPENSIRT_THREADS``, :mod:`opensirt.settings`); everything that shares out work asks here. What is shared
out is independent piece by piece, or is cut into pieces whose number does not depend on the threads: results are the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from opensirt.vocabulary.errors import InvalidValue

T = TypeVar("T")
R = TypeVar("R")

UNSET_THREADS = 2
"""Threads of a process that nobody told how many it may use."""
_in_use = [UNSET_THREADS]


def use_threads(count: int) -> None:
    """Let computations use this many threads from now on.

    Raises
    ------
    InvalidValue
        If it is less than 1.
    """
    if count < 1:
        raise InvalidValue(f"{count} threads", "a computation needs one at least", "give a whole number of at least 1")
    _in_use[0] = count


def threads() -> int:
    """How many threads a computation may use; at least 1."""
    return _in_use[0]


def each(task: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The results of a task for every item, in order; items are independent. The first error is raised."""
    pieces = list(items)
    if threads() == 1 or len(pieces) < 2:
        return [task(item) for item in pieces]
    with ThreadPoolExecutor(min(threads(), len(pieces))) as pool:
        return list(pool.map(task, pieces))


def on_threads(task: Callable[[int], None], items: Sequence[int]) -> None:
    """Run a task for every item, a contiguous share of them on each thread; the first error is raised."""
    share = max(1, -(-len(items) // threads()))

    def run(first: int) -> None:
        for item in items[first : first + share]:
            task(item)

    each(run, range(0, len(items), share))

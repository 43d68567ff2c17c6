"""What every benchmark needs: medians of calls taken in turn, so that both sides meet the same machine, and peak memory of a process."""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

KIB_PER_MIB = 1024


def medians_s(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each call; all are called once first, then in turn, ``repeats`` times."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def _own_peak_mib() -> float:
    """Largest resident size of this process. Linux counts the parent's size at the fork into ``ru_maxrss``, not into ``VmHWM``."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text("utf-8").splitlines())
        return float(lines["VmHWM"].split()[0]) / KIB_PER_MIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB


def _measured(call: Callable[..., object], given: tuple, answer) -> None:
    call(*given)
    answer.put(_own_peak_mib())


def peak_mib(call: Callable[..., object], *given: object) -> float:
    """Largest resident size in MiB of a fresh process that imports what it needs and makes this call."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_measured, args=(call, given, answer))
    process.start()
    peak = answer.get()
    process.join()
    return float(peak)

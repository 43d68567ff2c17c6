"""``opensirt --help`` against Python's own start, in turn, each in a process of its own.

Run: ``python benchmarks/bench_help.py [--repeats N] [--limit SECONDS]``. Prints medians and their ratio, and ends with status 1 if help
takes longer than the limit (0.3 s).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "opensirt --help": [sys.executable, "-m", "opensirt", "--help"],
}


def seconds_of(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--limit", type=float, default=0.3)
    options = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(options.repeats + 1):
        for name, command in COMMANDS.items():
            times[name].append(seconds_of(command))
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}  # the first round fills the page cache
    for name, median in medians.items():
        print(f"{name:<16} {median:.3f} s")
    peer, ours = medians.values()
    print(f"ratio {ours / peer:.1f}; limit {options.limit:g} s: {'kept' if ours < options.limit else 'NOT kept'}")
    return int(ours >= options.limit)


if __name__ == "__main__":
    sys.exit(main())

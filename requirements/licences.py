"""List the licence of every program that opensirt needs at run time, as its own metadata state it.

Run it with the interpreter of the virtual environment; it ends with 1 when a licence is not permissive.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

PERMISSIVE = re.compile(
    r"\b(MIT(-CMU|-0)?|BSD|0BSD|Apache|ISC|PSF(-2\.0)?|PSFL|Python Software Foundation|HPND|Zlib|CC0|Unlicense|Historical Permission)\b",
    re.IGNORECASE,
)
COPYLEFT = re.compile(r"\b[AL]?GPL|GNU |\bMPL\b|\bEUPL\b|\bCDDL\b|non-?commercial|proprietary", re.IGNORECASE)
EXCEPTIONS = {
    "numpy": "BSD-3-Clause; its wheels carry libgfortran under GPL with the GCC runtime exception, which puts no duty on us",
    "scipy": "BSD-3-Clause; its wheels carry libgfortran under GPL with the GCC runtime exception, which puts no duty on us",
}


def locked_names(lock: Path) -> list[str]:
    """Names in a lock file."""
    return re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text("utf-8"), flags=re.MULTILINE)


def stated_licence(name: str) -> str | None:
    """The licence that an installed package states: expression, classifiers, first line of the text; None if not installed."""
    try:
        metadata = distribution(name).metadata
    except PackageNotFoundError:
        return None
    expression = metadata.get("License-Expression")
    classifiers = [c.split(" :: ")[-1] for c in metadata.get_all("Classifier") or [] if c.startswith("License :: ")]
    first_line = (metadata.get("License") or "").strip().split("\n")[0]
    return expression or "; ".join(classifiers) or first_line or "not stated"


def is_permissive(name: str, licence: str) -> bool:
    """Whether a licence lets an Apache-2.0 program depend on it without further duty than to name it."""
    if name in EXCEPTIONS:
        return True
    return bool(PERMISSIVE.search(licence)) and not COPYLEFT.search(licence)


def main() -> int:
    """Print the table; the number of licences that are not permissive decides the exit code."""
    refused = 0
    for name in locked_names(Path(__file__).parent / "core.txt"):
        licence = stated_licence(name)
        if licence is None:
            print(f"{name:28} not needed on this machine")
            continue
        fine = is_permissive(name, licence)
        refused += not fine
        print(f"{name:28} {EXCEPTIONS.get(name, licence)}{'' if fine else '   <-- NOT PERMISSIVE'}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())

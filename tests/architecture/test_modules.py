"""Rules for whole modules: length, name, and who may ask for the time, the environment and the disk."""

from __future__ import annotations

import ast

import pytest

from sources import PACKAGE, SCIENCE, dotted_calls, modules, place, tree

LONGEST_MODULE_LINES = 500
NO_NAMES_FOR_A_MODULE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "tools", "base"}
READING_THE_CLOCK = ("now", "utcnow", "today", "time.time", "time.time_ns")
TOUCHING_THE_DISK = {"open", "np.load", "np.save", "np.savez", "np.fromfile", "np.memmap", "numpy.load", "numpy.save"}


def test_no_module_is_too_long():
    lengths = {place(path): len(path.read_text("utf-8").splitlines()) for path in modules()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE_LINES} == {}


def test_every_module_is_named_for_its_idea():
    assert [place(path) for path in modules() if path.stem.lstrip("_") in NO_NAMES_FOR_A_MODULE] == []


def test_only_clock_asks_what_time_it_is():
    found = [
        f"{place(path)}:{line} {call}"
        for path in modules()
        if path != PACKAGE / "clock.py"
        for call, line in dotted_calls(path)
        if call.startswith(("datetime.", "date.", "dt.", "time.")) and call.endswith(READING_THE_CLOCK)
    ]
    assert found == []


def test_only_settings_reads_the_environment():
    found = []
    for path in modules():
        if path == PACKAGE / "settings.py":
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}:
                found.append(f"{place(path)}:{node.lineno}")
            if isinstance(node, ast.ImportFrom) and node.module == "os" and {"environ", "getenv"} & {a.name for a in node.names}:
                found.append(f"{place(path)}:{node.lineno}")
    assert found == []


@pytest.mark.parametrize("package", [name for name in SCIENCE if (PACKAGE / name).is_dir()])
def test_science_opens_no_file(package):
    """Package data come through ``importlib.resources``; such a stream may be given to ``np.load``, a path may not."""
    found = [
        f"{place(path)}:{line} {call}"
        for path in modules(package)
        for call, line in dotted_calls(path)
        if call in TOUCHING_THE_DISK and not (call.endswith(".load") and "importlib" in path.read_text("utf-8"))
    ]
    assert found == []

"""The truth shares nothing with what it is to test."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SYNTHETIC = Path(__file__).resolve().parents[2] / "src" / "opensirt" / "synthetic"
TRUTH_MODULES = ("anatomy", "camera", "patient", "real_ct", "transport", "uptake")
UNDER_TEST = ("opensirt.imaging", "opensirt.radioembolisation")


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("module", TRUTH_MODULES)
def test_no_module_of_the_truth_imports_what_it_tests(module):
    assert [name for name in imported(SYNTHETIC / f"{module}.py") if name.startswith(UNDER_TEST)] == []


def test_nor_does_it_load_it_by_another_way():
    code = f"import sys, opensirt.synthetic.real_ct; print([m for m in sys.modules if m.startswith({UNDER_TEST!r})])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_module_but_the_writers_is_checked():
    writers = {"__init__", "write", "demo"}
    assert {path.stem for path in SYNTHETIC.glob("*.py")} - writers == set(TRUTH_MODULES)

"""The layer picture of the design holds, and no package stands outside it."""

from __future__ import annotations

import subprocess
import sys
import tomllib

from sources import PACKAGE, ROOT, SCIENCE, place, tree


def _contracts() -> list[dict]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]


def test_every_contract_is_kept():
    command = "import sys; from importlinter.cli import lint_imports_command; sys.argv[1:] = ['--no-cache']; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_layer_contracts_leave_nothing_out():
    layers = [c for c in _contracts() if c["type"] == "layers"]
    assert {tuple(c["containers"]) for c in layers} == {("opensirt",), ("opensirt.radioembolisation",)}
    assert all(c["exhaustive"] for c in layers)
    assert [c.get("exhaustive_ignores", []) for c in layers] == [["__main__", "_version"], []]


def test_every_science_package_that_exists_is_bound_by_the_science_contract():
    (science,) = [c for c in _contracts() if c["name"].startswith("science")]
    present = {f"opensirt.{name}" for name in SCIENCE if (PACKAGE / name).is_dir()}
    assert set(science["source_modules"]) == present


def test_init_files_are_empty():
    filled = [place(path) for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE and tree(path).body]
    assert filled == []

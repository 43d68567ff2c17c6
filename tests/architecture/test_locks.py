"""The lock files install the same bytes on any machine and name none."""

from __future__ import annotations

import re
import tomllib
from itertools import combinations
from pathlib import Path

import pytest

from sources import ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
GPL_PACKAGES = {"pylibjpeg-libjpeg", "pymaxflow", "scikit-survival", "pyqt5", "pyqt6"}


def pins(lock: Path) -> dict[str, set[str]]:
    """Pinned versions by package."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text("utf-8"), flags=re.MULTILINE):
        found.setdefault(name.lower(), set()).add(version)
    return found


def test_the_four_locks_are_there():
    assert {lock.name for lock in LOCKS} == {"build.txt", "core.txt", "dev.txt", "docs.txt"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
@pytest.mark.parametrize("trace", ["://", "--index-url", "--extra-index-url", "--find-links", "file:", " @ ", " /", "\n/"])
def test_a_lock_names_no_registry_and_no_machine(lock: Path, trace: str):
    assert trace not in lock.read_text("utf-8")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_pin_has_its_hashes(lock: Path):
    blocks = re.split(r"\n(?=[A-Za-z0-9])", lock.read_text("utf-8").strip())
    assert len(blocks) == sum(len(versions) for versions in pins(lock).values())
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_what_is_installed_together_agrees():
    """A package may be pinned twice for different Pythons, but then alike in every lock."""
    disagreements = {
        f"{name}: {first.name} {one[name]}, {second.name} {other[name]}"
        for first, second in combinations(LOCKS, 2)
        for one, other in [(pins(first), pins(second))]
        for name in one.keys() & other.keys()
        if one[name] != other[name]
    }
    assert disagreements == set()


def test_every_dependency_is_locked_and_none_is_copyleft():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {re.split(r"[<>=!~;\[ ]", text)[0].lower() for text in project["dependencies"]}
    core = set(pins(ROOT / "requirements" / "core.txt"))
    assert wanted <= core
    assert core & GPL_PACKAGES == set()

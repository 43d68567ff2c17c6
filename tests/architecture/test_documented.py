"""What users may set or read is documented."""

from __future__ import annotations

import re

from sources import PACKAGE, ROOT

TERSE_FILES = ("LICENSE", "NOTICE", "CITATION.cff", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")


def test_every_setting_is_documented():
    variables = set(re.findall(r'"(OPENSIRT_[A-Z_]+)"', (PACKAGE / "settings.py").read_text("utf-8")))
    page = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    assert variables
    assert {name for name in variables if f"`{name}`" not in page} == set()


def test_every_setting_that_is_documented_exists():
    source = (PACKAGE / "settings.py").read_text("utf-8")
    page = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8").split("## For developers")[0]
    assert {name for name in re.findall(r"`(OPENSIRT_[A-Z_]+)`", page) if name not in source} == set()


def test_the_repository_explains_itself():
    assert [name for name in TERSE_FILES if not (ROOT / name).is_file()] == []
    version = re.search(r'= "(.+)"', (PACKAGE / "_version.py").read_text("utf-8"))
    assert version and f"version: {version.group(1)}" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_decisions_are_numbered_without_gaps():
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("[0-9][0-9][0-9][0-9]-*.md"))
    assert numbers == list(range(1, len(numbers) + 1))

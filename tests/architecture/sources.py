"""The source tree as the architecture tests see it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "opensirt"
SCIENCE = ("vocabulary", "imaging", "outcomes", "statistics", "literature", "radioembolisation", "ablation", "record")
MODALITIES = ("radioembolisation", "ablation")


def modules(*packages: str) -> list[Path]:
    """Python files of the package, or of some of its packages, in a fixed order."""
    folders = [PACKAGE / name for name in packages] if packages else [PACKAGE]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def place(path: Path) -> str:
    """A file as people name it: its path within the package."""
    return path.relative_to(PACKAGE).as_posix()


def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def dotted_calls(path: Path) -> Iterator[tuple[str, int]]:
    """Every call in a file as written (``datetime.now``) with its line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno

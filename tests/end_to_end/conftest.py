"""One demo for all tests that look at its results."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DEMO_SEED = 7


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Path:
    """Folder of one finished ``opensirt demo``, made in a process of its own."""
    out = tmp_path_factory.mktemp("demo") / "out"
    words = [sys.executable, "-m", "opensirt", "demo", "--out", str(out), "--seed", str(DEMO_SEED)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out

"""What every test may ask for: data beside the repository and system programs, both optional on a developer's machine.

Where something is missing a test skips and says why. With ``OPENSIRT_REQUIRE_ALL=1`` (continuous integration) it fails instead,
so that nothing is left out unseen.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]


def skip_or_fail(reason: str) -> None:
    """Skip the test; under ``OPENSIRT_REQUIRE_ALL=1`` fail it."""
    if os.environ.get("OPENSIRT_REQUIRE_ALL") == "1":
        pytest.fail(f"{reason} (and OPENSIRT_REQUIRE_ALL=1 lets nothing skip)", pytrace=False)
    pytest.skip(reason)


def _beside(name: str) -> Path:
    shared = Path(os.environ.get("OPENSIRT_SHARED", ROOT.parent / "shared"))
    folder = shared / name
    if not folder.is_dir():
        skip_or_fail(f"the optional folder {name!r} lies neither in ../shared nor where OPENSIRT_SHARED points")
    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture
def shared_data() -> Path:
    """Public test data (real CT, decay tables, fuzzed DICOM …) that lie beside the repository."""
    return _beside("data")


@pytest.fixture
def shared_reference() -> Path:
    """Our own Monte Carlo reference results, which lie beside the repository."""
    return _beside("reference")


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Path of a system program by its name, e.g. ``program("dciodvfy")``; skips where it is not installed."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None:
            skip_or_fail(
                f"the system program {name!r} is not installed (Debian: dicom3tools, dcmtk, plastimatch, chromium, poppler-utils)"
            )
        return str(found)

    return find


@pytest.fixture
def dciodvfy(program: Callable[[str], str]) -> str:
    """Path of the DICOM verifier of dicom3tools."""
    return program("dciodvfy")


@pytest.fixture
def plastimatch(program: Callable[[str], str]) -> str:
    """Path of plastimatch."""
    return program("plastimatch")


@pytest.fixture
def dcmdump(program: Callable[[str], str]) -> str:
    """Path of DCMTK's dump."""
    return program("dcmdump")


@pytest.fixture
def storescu(program: Callable[[str], str]) -> str:
    """Path of DCMTK's storage client."""
    return program("storescu")


@pytest.fixture
def need() -> Callable[[bool, str], None]:
    """``need(condition, reason)``: skip the test, or fail it in continuous integration, where the condition does not hold."""

    def check(condition: bool, reason: str) -> None:
        if not condition:
            skip_or_fail(reason)

    return check


settings.register_profile("steady", derandomize=True)
"""The same examples in every run, so that a red suite means a changed program. To look for new ones: HYPOTHESIS_PROFILE=default pytest …"""
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

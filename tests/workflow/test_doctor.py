"""The doctor tells a healthy installation from a sick one, without a network."""

from __future__ import annotations

import re
import socket
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from opensirt.workflow import doctor
from opensirt.workflow.doctor import run_doctor


def silent(_: float) -> None:
    pass


def test_this_installation_is_healthy_and_the_network_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    health = run_doctor(tmp_path, silent)
    assert [check for check in health.checks if not check.good] == []
    assert health.healthy
    assert health.findings == ()
    names = " ".join(check.name for check in health.checks)
    for part in ("python", "package pydicom", "decoder JPEG 2000", "data point_kernels.npz", "dose engines", "write access"):
        assert part in names
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_altered_data_and_a_closed_folder_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def version(name: str) -> str:
        if name == "highdicom":
            raise PackageNotFoundError(name)
        return "1"

    package, file, _ = doctor.PACKAGE_DATA[0]
    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "PACKAGE_DATA", ((package, file, "0" * 64),))
    monkeypatch.setenv("OPENSIRT_THREADS", "many")
    health = run_doctor(tmp_path / "nowhere", silent)
    assert {finding.about for finding in health.findings} == {
        "package highdicom",
        f"data {file}",
        "settings",
        "write access",
    }
    assert not health.healthy


def test_the_version_of_every_model_is_told(root: Path, tmp_path: Path):
    """Against the sources themselves: every constant that says a version in a science package."""
    told = {(model.module, model.name) for model in run_doctor(tmp_path, silent).models}
    source = root / "src" / "opensirt"
    written = {
        (".".join(path.relative_to(source).with_suffix("").parts), name)
        for package in doctor.SCIENCE
        for path in (source / package).rglob("*.py")
        for name in re.findall(r"^((?:[A-Z_]+_)?VERSION) = (?!\d)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert told == written
    for name in ("KERNEL_DATA_VERSION", "RESAMPLE_VERSION", "VOXEL_DOSE_VERSION", "VOXEL_KERNEL_VERSION", "PRODUCTS_VERSION"):
        assert name in {constant for _, constant in told}


def test_a_module_that_cannot_be_loaded_is_a_failed_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = doctor.import_module

    def load(name: str):
        if name == "opensirt.imaging.tissue":
            raise ImportError("numpy is broken")
        return real(name)

    monkeypatch.setattr(doctor, "import_module", load)
    health = run_doctor(tmp_path, silent)
    assert [check.name for check in health.checks if not check.good] == ["module imaging.tissue"]
    assert not health.healthy

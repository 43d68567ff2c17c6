"""The doctor tells a healthy installation from a sick one, without a network."""

from __future__ import annotations

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

"""Use case: whether this installation can do its work. Looks at the machine only, never at the network."""

from __future__ import annotations

import hashlib
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.abc import InspectLoader
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages

from opensirt._version import __version__
from opensirt.settings import read_settings
from opensirt.vocabulary.errors import OpensirtError
from opensirt.vocabulary.findings import Finding, Severity

OLDEST_PYTHON = (3, 11)
PACKAGE_DATA = (
    (
        "opensirt.radioembolisation.transport.data",
        "point_kernels.npz",
        "996e3f92186a32058ca6450293a6614425b73de4e462d0b278ed6c95bc1cbfa7",
    ),
)
"""(package, file, SHA-256) of the data that numbers depend on."""


SCIENCE = ("vocabulary", "imaging", "outcomes", "statistics", "literature", "radioembolisation", "ablation", "record")
"""Packages that hold models."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: ``good``, and what was seen."""

    name: str
    good: bool
    seen: str


@dataclass(frozen=True)
class ModelVersion:
    """A model or data set that numbers depend on: where it is defined (``imaging.resample``), its constant, its version."""

    module: str
    name: str
    version: str


@dataclass(frozen=True)
class Health:
    """What the doctor saw; ``findings`` holds a critical one for each check that failed."""

    program_version: str
    healthy: bool
    checks: tuple[Check, ...]
    models: tuple[ModelVersion, ...]
    findings: tuple[Finding, ...]


def _python() -> Check:
    wanted = ".".join(map(str, OLDEST_PYTHON))
    return Check("python", sys.version_info[:2] >= OLDEST_PYTHON, f"{platform.python_version()}, {wanted} or newer is needed")


def _packages() -> list[Check]:
    try:
        wanted = requires("opensirt") or []
    except PackageNotFoundError:
        return [Check("package opensirt", False, "is not installed; run: pip install -e .")]
    checks = []
    for line in wanted:
        if ";" in line:
            continue
        name = line.split("[")[0].split("<")[0].split(">")[0].split("=")[0].split("!")[0].split("~")[0].strip()
        try:
            checks.append(Check(f"package {name}", True, f"{version(name)} ({line})"))
        except PackageNotFoundError:
            checks.append(Check(f"package {name}", False, f"is missing ({line})"))
    return checks


def _decoders() -> list[Check]:
    from opensirt.dicom.available import available_decoders

    return [Check(f"decoder {name}", good, "present" if good else "missing") for name, good in available_decoders()]


def _package_data() -> list[Check]:
    checks = []
    for package, name, expected in PACKAGE_DATA:
        found = hashlib.sha256((files(package) / name).read_bytes()).hexdigest()
        checks.append(Check(f"data {name}", found == expected, f"SHA-256 {found[:12]}…, {expected[:12]}… is expected"))
    return checks


def _engines() -> list[Check]:
    from opensirt.radioembolisation.transport.engines import ENGINES

    return [Check("dose engines", len(ENGINES) > 0, ", ".join(f"{name} {engine.version}" for name, engine in ENGINES.items()))]


def model_versions() -> tuple[tuple[ModelVersion, ...], tuple[Check, ...]]:
    """Version of every model and data set that numbers depend on, and a failed check for each module that cannot be loaded."""
    found, failed = [], []
    for package in SCIENCE:
        if find_spec(f"opensirt.{package}") is None:
            continue
        for module in walk_packages(import_module(f"opensirt.{package}").__path__, f"opensirt.{package}."):
            place = module.name.removeprefix("opensirt.")
            try:
                held = vars(import_module(module.name))
            except Exception as error:  # noqa: BLE001 - whatever it is, this installation cannot work
                failed.append(Check(f"module {place}", False, f"{type(error).__name__} on loading"))
                continue
            names = [name for name in held if name == "VERSION" or name.endswith("_VERSION")]
            own = [name for name in names if isinstance(held[name], str) and _defined_in(module.name, name)]
            found += [ModelVersion(place, name, str(held[name])) for name in own]
    return tuple(found), tuple(failed)


def _defined_in(module: str, name: str) -> bool:
    """Whether a constant is assigned in a module, not imported into it."""
    spec = find_spec(module)
    source = spec.loader.get_source(module) if spec is not None and isinstance(spec.loader, InspectLoader) else None
    return source is not None and any(line.startswith((f"{name} =", f"{name}:")) for line in source.splitlines())


def _settings() -> Check:
    try:
        return Check("settings", True, f"{read_settings().threads} threads")
    except OpensirtError as error:
        return Check("settings", False, str(error))


def _writing(folder: Path) -> Check:
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"opensirt")
    except OSError as error:
        return Check("write access", False, f"{error.strerror} in {folder.name or folder}")
    return Check("write access", True, f"{folder.name or folder}")


def run_doctor(folder: Path, report: Callable[[float], None]) -> Health:
    """Check Python, packages, decoders, package data, settings and write access, and name the version of every model.

    Parameters
    ----------
    folder : Path
        Where results would be written.
    report : callable
        Takes progress from 0 to 1.
    """
    checks = [_python(), *_packages()]
    report(0.3)
    for look in (_decoders, _package_data, _engines):
        try:
            checks += look()
        except (ImportError, OSError) as error:
            checks.append(Check(look.__name__.strip("_").replace("_", " "), False, type(error).__name__))
    report(0.7)
    checks += [_settings(), _writing(folder)]
    models, failed = model_versions()
    checks += failed
    report(1.0)
    bad = [check for check in checks if not check.good]
    findings = tuple(Finding("doctor.bad", Severity.CRITICAL, f"{check.name}: {check.seen}", check.name) for check in bad)
    return Health(__version__, not bad, tuple(checks), models, findings)

"""Grids and identities for the tests of the writers, and the verifier's verdict."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from opensirt.dicom.write_common import SeriesIdentity, StudyIdentity, derived_uid
from opensirt.vocabulary.geometry import Grid

AT = datetime(2026, 3, 2, 9, 15, 30, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
FRAME = derived_uid("a frame for tests")
STUDY = StudyIdentity("SYNTHETIC^writer", "SYNTHETIC-0", derived_uid("a study for tests"), "writers", AT, synthetic=True)


def series(name: str, number: int = 1) -> SeriesIdentity:
    return SeriesIdentity(name, number, f"{name} of a test", AT, FRAME)


def oblique_grid(shape=(7, 11, 13), spacing=(2.5, 0.92, 0.95), *, angles_deg=(12.0, -7.0, 5.0), against=False) -> Grid:
    """Axes near (S, P, L), turned about all three axes; ``against``: slices run against row × column."""
    a, b, c = np.deg2rad(angles_deg)
    turn = (
        np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        @ np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        @ np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    )
    axes = turn @ np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    if against:
        axes[:, 0] *= -1.0
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(spacing)
    affine[:3, 3] = (-31.5, 17.25, 402.125)
    return Grid(shape, affine, FRAME)


def axial_grid(shape=(9, 40, 37), spacing=(2.5, 0.92, 0.95)) -> Grid:
    return oblique_grid(shape, spacing, angles_deg=(0.0, 0.0, 0.0))


def complaints(dciodvfy: str, path: Path) -> list[str]:
    """Errors and warnings of dicom3tools' verifier."""
    done = subprocess.run([dciodvfy, str(path)], capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("Error", "Warning"))]


def geometry_of(image) -> np.ndarray:
    """Affine (k, j, i) → LPS mm of a SimpleITK image."""
    axes = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine = np.eye(4)
    affine[:3, :3] = axes[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    return affine

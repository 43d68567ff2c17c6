"""Use case: the dose-volume histogram of a mask in a dose map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from opensirt.imaging.resample import occupancy
from opensirt.radioembolisation.dosimetry.dvh import DVH_VERSION, dvh
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.units import PERCENT
from opensirt.vocabulary.volumes import DoseMap, Mask, Occupancy
from opensirt.workflow.read_maps import in_frame_of, read_dose, read_mask

D_PERCENT = (2.0, 5.0, 50.0, 70.0, 90.0, 95.0, 98.0)
"""Shares of the volume, in per cent, for which D is reported by default."""
_LOST = 0.01
"""A structure that loses more of its volume than this at the edge of the dose grid is a finding."""


@dataclass(frozen=True)
class DvhPoint:
    """One point of a histogram: ``percent`` of the volume receives at least ``dose_gy``."""

    percent: float
    dose_gy: float


@dataclass(frozen=True)
class DvhSummary:
    """The histogram of one structure."""

    structure: str
    method_version: str
    volume_ml: float
    mean_gy: float
    minimum_gy: float
    maximum_gy: float
    d: tuple[DvhPoint, ...]
    """Lowest dose of the hottest ``percent`` % of the volume."""
    v: tuple[DvhPoint, ...]
    """Share that receives at least ``dose_gy``."""
    curve: tuple[DvhPoint, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class DvhOptions:
    """What is asked: label of the mask (every voxel that is not 0 where ``None``), D at volumes (%) and V at doses (Gy)."""

    label: int | None = None
    d_percent: tuple[float, ...] = D_PERCENT
    v_gy: tuple[float, ...] = ()


def run_dvh(dose_path: Path, mask_path: Path, options: DvhOptions, report: Callable[[float], None]) -> DvhSummary:
    """The exact histogram of a structure.

    Parameters
    ----------
    dose_path, mask_path : Path
        NIfTI or MetaImage: Gy, and a label map. A mask on another grid is carried to the dose's by the share it fills of each voxel.
    options : DvhOptions
        Label, D and V that are asked for.
    report : callable
        Takes progress from 0 to 1.
    """
    dose = read_dose(dose_path)
    mask = read_mask(mask_path, options.label)
    report(0.4)
    structure, findings = _placed(mask, dose)
    report(0.7)
    histogram = dvh(dose, structure)
    doses, shares = histogram.curve()
    report(1.0)
    return DvhSummary(
        histogram.structure,
        DVH_VERSION,
        histogram.volume_ml,
        histogram.mean_gy,
        histogram.minimum_gy,
        histogram.maximum_gy,
        tuple(DvhPoint(percent, histogram.d_gy(percent)) for percent in options.d_percent),
        tuple(DvhPoint(PERCENT * histogram.v(gy), gy) for gy in options.v_gy),
        tuple(DvhPoint(PERCENT * float(share), float(gy)) for gy, share in zip(doses, shares, strict=True)),
        findings,
    )


def _placed(mask: Mask, dose: DoseMap) -> tuple[Mask | Occupancy, tuple[Finding, ...]]:
    placed = Mask(mask.inside, in_frame_of(mask.grid, dose.grid), mask.structure)
    if placed.grid.is_same_as(dose.grid):
        return placed, ()
    carried = occupancy(placed, dose.grid)
    lost = 1.0 - carried.volume_ml / mask.volume_ml
    if lost <= _LOST:
        return carried, ()
    message = (
        f"{PERCENT * lost:.1f} % of {mask.structure.label!r} lie outside the dose grid and count nowhere · mean and D are of the rest "
        "· compute the dose on a larger grid"
    )
    return carried, (Finding("dvh.structure_cut", Severity.CRITICAL, message, mask.structure.label),)

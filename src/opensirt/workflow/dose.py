"""Use case: a dose map from an activity map and a density map or a CT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import attrs

from opensirt.dicom.study import DoseContext
from opensirt.dicom.write_dose import write_rtdose
from opensirt.files.images import is_image_file, write_image
from opensirt.imaging.resample import resample_density
from opensirt.imaging.tissue import AIR_G_PER_ML, CONVERSIONS, density_on
from opensirt.radioembolisation.transport.engines import engine_named
from opensirt.radioembolisation.transport.result import EnergyBook, EngineDose
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, MissingInput, UnsupportedInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import Nuclide, nuclide_named, require_half_life_of_dose
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.units import BQ_PER_GBQ
from opensirt.vocabulary.volumes import ActivityMap, DensityMap, HounsfieldMap, Mask
from opensirt.workflow.read_maps import (
    Administration,
    ReadActivity,
    in_frame_of,
    read_activity,
    read_density,
    read_hounsfield,
    read_mask,
)

PLAUSIBLE_GBQ = (0.01, 60.0)
"""Activities of one treatment: from a tenth of the smallest segmental dose to three full vials. Outside it the unit may not be Bq/mL."""


@dataclass(frozen=True)
class DoseOptions:
    """What a dose is computed from.

    Attributes
    ----------
    activity : Path
        Bq/mL at administration: NIfTI, MetaImage, or DICOM.
    nuclide : str
        ``"Y-90"`` or ``"Ho-166"``; ``"Lu-177"`` or ``"I-131"`` with ``effective_half_life_h``.
    engine : str
        ``"local"``, ``"kernel"`` or ``"kernel-density"``.
    density, ct : Path or None
        g/mL, or CT numbers; exactly one of them.
    soft_tissue : tuple of Path
        With ``ct``: masks (liver, tumours) inside which soft tissue is taken instead of the CT number.
    conversion : str
        With ``ct``: name of the conversion to density.
    dose_constant : str
        Name of the dose constant; the nuclide's default where empty.
    administered_at : datetime or None
        Instant of administration, where DICOM does not state it.
    effective_half_life_h : float or None
        Decay and clearance together, h: for nuclides that are not trapped, and only for them.
    """

    activity: Path
    nuclide: str
    engine: str
    density: Path | None = None
    ct: Path | None = None
    soft_tissue: tuple[Path, ...] = ()
    conversion: str = "Schneider 2000"
    dose_constant: str = ""
    administered_at: datetime | None = None
    effective_half_life_h: float | None = None


@dataclass(frozen=True)
class DoseSummary:
    """What a dose computation gave, for a person; the dose itself stands in the file."""

    file: str
    dose_sha256: str
    engine: str
    engine_version: str
    nuclide: str
    dose_constant: str
    gy_kg_per_gbq: float
    activity_gbq: float
    mean_gy: float
    maximum_gy: float
    energy: EnergyBook
    grid: str
    findings: tuple[Finding, ...]
    effective_half_life_h: float | None = None


@attrs.frozen(eq=False)
class _Density:
    map: DensityMap
    context: DoseContext | None
    findings: tuple[Finding, ...]


def run_dose(options: DoseOptions, out: Path, report: Callable[[float], None]) -> DoseSummary:
    """Compute a dose map and write it.

    Parameters
    ----------
    options : DoseOptions
        Activity, density or CT, nuclide, engine.
    out : Path
        ``.nii``, ``.nii.gz``, ``.mha`` or ``.mhd``; ``.dcm`` (RTDOSE) where activity or CT came from DICOM.
    report : callable
        Takes progress from 0 to 1.

    Returns
    -------
    DoseSummary
        Nothing is written before the dose is complete.
    """
    if (options.density is None) == (options.ct is None):
        raise InconsistentInput("give either a density map or a CT", "exactly one of both makes the masses", "--density or --ct")
    physical = nuclide_named(options.nuclide)
    nuclide = _nuclide_of_dose(physical, options.effective_half_life_h)
    constant = nuclide.dose_constant(options.dose_constant)
    engine = engine_named(options.engine)
    activity = read_activity(options.activity, Administration(physical, options.administered_at), lambda x: report(0.2 * x))
    density = _density(options, activity.map.grid, lambda x: report(0.2 + 0.2 * x))
    context = _context(out, activity, density)
    map_ = ActivityMap(activity.map.bq_per_ml, activity.map.grid, nuclide, activity.map.at)
    result = engine.dose(map_, density.map, constant, lambda x: report(0.4 + 0.5 * x))
    findings = (
        *density.findings,
        *_amount_findings(activity.map.total_bq / BQ_PER_GBQ),
        *result.beyond.findings(),
        *_clearance_findings(nuclide),
    )
    _write(result, out, context)
    report(1.0)
    dose = result.dose
    return DoseSummary(
        out.name,
        dose.sha256,
        result.engine,
        result.version,
        nuclide.name,
        constant.name,
        constant.value,
        activity.map.total_bq / BQ_PER_GBQ,
        float(dose.dose_gy.mean(dtype=float)),
        float(dose.dose_gy.max()),
        result.energy,
        dose.grid.describe(),
        findings,
        nuclide.half_life_h.value if nuclide.effective else None,
    )


def _nuclide_of_dose(physical: Nuclide, effective_half_life_h: float | None) -> Nuclide:
    if effective_half_life_h is not None:
        return physical.cleared_with(effective_half_life_h)
    require_half_life_of_dose(physical, "give --effective-half-life-h")
    return physical


def _density(options: DoseOptions, grid: Grid, report: Callable[[float], None]) -> _Density:
    if options.density is not None:
        given = read_density(options.density)
        placed = DensityMap(given.g_per_ml, in_frame_of(given.grid, grid))
        return _Density(resample_density(placed, grid, AIR_G_PER_ML), None, ())
    assert options.ct is not None  # one of both is there
    if options.conversion not in CONVERSIONS:
        raise UnsupportedInput(
            f"no density conversion is called {options.conversion!r}", "", offer(options.conversion, CONVERSIONS)
        )
    ct, context = read_hounsfield(options.ct, report)
    ct = HounsfieldMap(ct.hu, in_frame_of(ct.grid, grid), ct.padding_hu)
    masks = [read_mask(path) for path in options.soft_tissue]
    soft = [Mask(mask.inside, in_frame_of(mask.grid, grid), mask.structure) for mask in masks]
    tissue = density_on(ct, grid, soft, CONVERSIONS[options.conversion])
    return _Density(tissue.map, context, tissue.findings)


def _context(out: Path, activity: ReadActivity, density: _Density) -> DoseContext | None:
    """What an RTDOSE repeats; also refuses a file that cannot be written before any long work is done."""
    if not out.parent.is_dir():
        raise InvalidValue(f"there is no folder {out.parent.name!r} for {out.name}", "", "make it first, or give another path")
    if out.is_dir():
        raise InvalidValue(f"{out.name!r} is a folder", "a dose is written to one file", "give a file, e.g. dose.nii.gz in it")
    if is_image_file(out):
        return None
    if out.suffix.lower() != ".dcm":
        raise UnsupportedInput(f"{out.name} is no file that a dose can be written to", "", "give .nii, .nii.gz, .mha, .mhd or .dcm")
    frame = activity.map.grid.frame
    for context in (density.context, activity.context):
        if context is not None and context.frame == frame:
            return context
    raise MissingInput(
        f"{out.name} would be an RTDOSE without patient, study and frame of reference",
        "neither activity nor CT came from DICOM in one frame",
        "write .nii.gz or .mha, or give DICOM",
    )


def _amount_findings(activity_gbq: float) -> tuple[Finding, ...]:
    low, high = PLAUSIBLE_GBQ
    if low <= activity_gbq <= high:
        return ()
    message = (
        f"the activity map holds {activity_gbq:.3g} GBq in all · treatments hold {low:g} to {high:g} GBq, so its unit may not be Bq/mL "
        "· check the unit"
    )
    return (Finding("dose.activity_implausible", Severity.WARNING, message, "activity"),)


def _clearance_findings(nuclide: Nuclide) -> tuple[Finding, ...]:
    if not nuclide.effective:
        return ()
    message = (
        f"the dose follows one effective half-life, {nuclide.half_life_h.value:g} h, in every voxel · organs clear {nuclide.name} at different "
        "rates, and uptake takes time · where that matters, compute each organ with its own"
    )
    return (Finding("dose.one_effective_half_life", Severity.NOTE, message, "nuclide", nuclide.half_life_h.source),)


def _write(result: EngineDose, out: Path, context: DoseContext | None) -> None:
    if context is None:
        write_image(out, result.dose.dose_gy, result.dose.grid)
    else:
        write_rtdose(result.dose, out, context)

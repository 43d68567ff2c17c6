"""Single volumes from files a person names: activity, density, CT, dose and masks; NIfTI, MetaImage or DICOM."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.clock import now
from opensirt.dicom.faults import Refused
from opensirt.dicom.read import read_study
from opensirt.dicom.read_dose import read_rtdose
from opensirt.dicom.study import DoseContext, ImportedVolume, NotStated, ReadOptions
from opensirt.files.images import is_image_file, read_image
from opensirt.vocabulary.activity import hours_between
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import InvalidValue, MissingInput, UnitError
from opensirt.vocabulary.geometry import UNSTATED_FRAME, Grid
from opensirt.vocabulary.nuclides import Nuclide
from opensirt.vocabulary.volumes import ActivityMap, DensityMap, DoseMap, HounsfieldMap, Mask

DENSEST_G_PER_ML = 23.0
"""Nothing is denser than osmium (22.6 g/mL): a larger number is another unit."""
_ONE_FILE = "image.dcm"
"""Name under which a single DICOM file is read; messages name the file as the person does."""
_INT16 = np.iinfo(np.int16)


@dataclass(frozen=True)
class Administration:
    """What was injected and when; ``at`` where the files do not say it, ``None`` to take the files' word."""

    nuclide: Nuclide
    at: datetime | None = None


@attrs.frozen(eq=False)
class ReadActivity:
    """An activity map at administration, and what an RTDOSE must repeat where it came from DICOM."""

    map: ActivityMap
    context: DoseContext | None
    notes: tuple[str, ...] = ()


def _require_finite(values: npt.NDArray[Any], name: str) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise InvalidValue(f"{name} holds {count} values that are NaN or infinite", "", "repair or re-export the image")


def _numbers(path: Path) -> tuple[npt.NDArray[Any], Grid]:
    values, grid = read_image(path)
    _require_finite(values, path.name)
    return values, grid


def _dicom_volume(path: Path, kind: str, options: ReadOptions, report: Callable[[float], None]) -> ImportedVolume:
    """The only volume of a kind in a folder, or in one DICOM file."""
    if not path.exists():
        raise InvalidValue(f"there is no file or folder {path.name!r}", "", "check the path")
    if path.is_dir():
        study = read_study(path, report, options)
    else:
        with tempfile.TemporaryDirectory(prefix="opensirt-") as folder:
            shutil.copyfile(path, Path(folder) / _ONE_FILE)
            study = read_study(Path(folder), report, options)
    found = [volume for volume in study.volumes if volume.kind == kind]
    if len(found) == 1:
        return found[0]
    faults = "; ".join(dict.fromkeys(fault.message.replace(_ONE_FILE, path.name) for fault in study.faults[:3]))
    kinds = ", ".join(volume.kind for volume in study.volumes)
    what = f"{len(found)} volumes of kind {kind!r}, not one (found: {kinds})" if kinds else "no DICOM image that can be read"
    raise MissingInput(f"{path.name} holds {what}", faults, f"give a folder with one {kind} series, or a NIfTI or MetaImage file")


def read_activity(path: Path, given: Administration, report: Callable[[float], None]) -> ReadActivity:
    """Activity in Bq/mL at administration.

    Parameters
    ----------
    path : Path
        NIfTI or MetaImage in Bq/mL, taken as it is; or DICOM (PET or SPECT in Bq/mL), decayed from its own instant to administration.
    given : Administration
        Nuclide, and the instant of administration where the files do not state it.
    report : callable
        Takes progress from 0 to 1.

    Raises
    ------
    MissingInput
        If DICOM neither states the instant of administration nor was it given.
    """
    if is_image_file(path):
        values, grid = _numbers(path)
        return ReadActivity(ActivityMap(values, grid, given.nuclide, given.at or now()), None)
    volume = _dicom_volume(path, "activity", ReadOptions(true_nuclide=given.nuclide), report)
    assert isinstance(volume.map, ActivityMap)  # its kind says so
    at = given.at if given.at is not None else volume.facts.administered_at
    if isinstance(at, NotStated):
        raise MissingInput(
            f"{path.name} does not state when the activity was administered",
            f"its voxels hold Bq/mL at {volume.map.at.isoformat()}",
            "state the instant (--administered-at, with offset)",
        )
    return ReadActivity(_decayed(volume.map, given.nuclide, at), volume.context, volume.facts.notes)


def _decayed(activity: ActivityMap, nuclide: Nuclide, at: datetime) -> ActivityMap:
    if activity.nuclide != nuclide:
        raise InvalidValue(
            f"the image is of {activity.nuclide.name}, not {nuclide.name}", "", "name the nuclide that was injected (--nuclide)"
        )
    factor = nuclide.decay_factor(hours_between(activity.at, at))
    return ActivityMap(activity.bq_per_ml * np.float32(factor), activity.grid, nuclide, at)


def read_density(path: Path) -> DensityMap:
    """Mass density in g/mL from NIfTI or MetaImage.

    Raises
    ------
    UnitError
        If a voxel is denser than any element: the file is in kg/m³ or HU.
    """
    values, grid = _numbers(path)
    highest = float(values.max())
    if highest > DENSEST_G_PER_ML or float(values.min()) < 0.0:
        raise UnitError(
            f"{path.name} holds {float(values.min()):.4g} to {highest:.4g}, which are no densities in g/mL",
            "kg/m³ are 1000 times larger; CT numbers start at −1000",
            "divide by 1000, or give the CT with --ct",
        )
    return DensityMap(values, grid)


def read_hounsfield(path: Path, report: Callable[[float], None]) -> tuple[HounsfieldMap, DoseContext | None]:
    """CT numbers from NIfTI, MetaImage or DICOM; from DICOM with what an RTDOSE must repeat.

    Raises
    ------
    InvalidValue
        If a number does not fit 16 bits.
    """
    if not is_image_file(path):
        volume = _dicom_volume(path, "ct", ReadOptions(), report)
        assert isinstance(volume.map, HounsfieldMap)  # its kind says so
        return volume.map, volume.context
    values, grid = _numbers(path)
    rounded = np.rint(values) if values.dtype.kind == "f" else values
    if int(rounded.min()) < _INT16.min or int(rounded.max()) > _INT16.max:
        raise InvalidValue(
            f"{path.name} holds {float(values.min()):.6g} to {float(values.max()):.6g}", "CT numbers fit 16 bits", "give a CT in HU"
        )
    return HounsfieldMap(rounded.astype(np.int16), grid), None


def read_dose(path: Path) -> DoseMap:
    """Absorbed dose in Gy from NIfTI, MetaImage or RTDOSE.

    Raises
    ------
    InvalidValue
        If the file cannot be read.
    """
    if is_image_file(path):
        values, grid = _numbers(path)
        return DoseMap(values, grid)
    if path.is_dir():
        raise InvalidValue(f"{path.name!r} is a folder", "a dose is read from one file", "give the RTDOSE file, NIfTI or MetaImage")
    if not path.is_file():
        raise InvalidValue(f"there is no file {path.name!r}", "", "check the path")
    try:
        return read_rtdose(path)
    except Refused as refusal:
        raise InvalidValue(
            f"{path.name} cannot be read as RTDOSE: {refusal}", "", "give NIfTI, MetaImage or a whole RTDOSE"
        ) from refusal


def read_mask(path: Path, label: int | None = None) -> Mask:
    """One structure from a label map: voxels of number ``label``, or every voxel that is not 0.

    Raises
    ------
    InvalidValue
        If it holds other than whole numbers, or nothing of that number.
    """
    values, grid = _numbers(path)
    if values.dtype.kind == "f" and not np.array_equal(np.rint(values), values):
        raise InvalidValue(f"{path.name} holds values that are not whole numbers", "a mask numbers structures", "give a label map")
    inside = values != 0 if label is None else values == label
    if not inside.any():
        held = np.unique(values)[:20].tolist()
        wanted = "a voxel that is not 0" if label is None else f"label {label}"
        raise InvalidValue(f"{path.name} does not hold {wanted}; it holds {held}", "the structure is empty", "check file and label")
    name = path.name.partition(".")[0] + ("" if label is None else f"_{label}")
    return Mask(inside, grid, Structure(StructureKind.OTHER, name))


def in_frame_of(grid: Grid, other: Grid) -> Grid:
    """A grid without a stated frame (NIfTI, MetaImage) taken to lie in the frame of the image it is used with."""
    return grid.in_frame(other.frame) if grid.frame == UNSTATED_FRAME else grid

"""Volumes: siblings by meaning, so that a dose can never be passed for an activity.

Each constructor takes ownership of its array and sets it read-only without copying. Identity is the content hash.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.vocabulary.anatomy import Structure
from opensirt.vocabulary.errors import GridMismatch, InvalidValue
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import Nuclide
from opensirt.vocabulary.provenance import content_sha256

Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
Int16Array = npt.NDArray[np.int16]


def _owned(value: Any, dtype: Any) -> npt.NDArray[Any]:
    array = np.ascontiguousarray(value, dtype=dtype)
    array.setflags(write=False)
    return array


def _float32(value: Any) -> Float32Array:
    return _owned(value, np.float32)


def _int16(value: Any) -> Int16Array:
    return _owned(value, np.int16)


def _bool(value: Any) -> BoolArray:
    return _owned(value, np.bool_)


def _check(array: npt.NDArray[Any], grid: Grid, what: str) -> None:
    if array.shape != grid.shape:
        raise GridMismatch(f"{what} has shape {array.shape}", f"its grid has {grid.shape}", "give an array of the grid's shape")
    if array.dtype.kind != "f":
        return
    with np.errstate(invalid="ignore"):  # infinities of both signs: counted below
        total = float(array.sum(dtype=np.float64))
    if not np.isfinite(total):
        bad = int((~np.isfinite(array)).sum())
        raise InvalidValue(f"{what} holds {bad} values that are NaN or infinite", grid.describe(), "repair or re-export the image")
    if float(array.min()) < 0.0:
        count = int((array < 0).sum())
        raise InvalidValue(
            f"{what} holds {count} negative values, lowest {float(array.min()):.4g}",
            "counts, activities, densities and doses cannot be negative",
            "state what they are (unsubtracted background, signed export) and correct them before import",
        )


def _hash(kind: str, grid: Grid, array: npt.NDArray[Any], extra: str = "") -> str:
    # identity: SHA-256 over kind, geometry, frame and bytes
    header = f"{kind}|{grid.shape}|{array.dtype.str}|{grid.frame}|{extra}|".encode()
    return content_sha256([header, grid.affine_mm.tobytes(), np.ascontiguousarray(array).view(np.uint8).data])


@attrs.frozen(eq=False, slots=False)
class CountsMap:
    """Counts per voxel of an emission image (SPECT, planar view); not negative, float32."""

    counts: Float32Array = attrs.field(converter=_float32)
    grid: Grid

    def __attrs_post_init__(self) -> None:
        _check(self.counts, self.grid, "a counts map")

    @cached_property
    def sha256(self) -> str:
        """Content hash."""
        return _hash("counts", self.grid, self.counts)

    @property
    def total(self) -> float:
        """Sum of all counts."""
        return float(self.counts.sum(dtype=np.float64))


@attrs.frozen(eq=False, slots=False)
class ActivityMap:
    """Activity concentration in Bq/mL of one nuclide at one instant; not negative, float32."""

    bq_per_ml: Float32Array = attrs.field(converter=_float32)
    grid: Grid
    nuclide: Nuclide
    at: datetime

    def __attrs_post_init__(self) -> None:
        _check(self.bq_per_ml, self.grid, "an activity map")
        if self.at.tzinfo is None:
            raise InvalidValue(f"the instant {self.at} of an activity map has no time zone", "", "give an offset, e.g. +01:00")

    @cached_property
    def sha256(self) -> str:
        """Content hash."""
        return _hash("activity", self.grid, self.bq_per_ml, f"{self.nuclide.name}|{self.at.isoformat()}")

    @property
    def total_bq(self) -> float:
        """Total activity in Bq."""
        return float(self.bq_per_ml.sum(dtype=np.float64)) * self.grid.voxel_volume_ml


@attrs.frozen(eq=False, slots=False)
class HounsfieldMap:
    """CT numbers in HU as int16."""

    hu: Int16Array = attrs.field(converter=_int16)
    grid: Grid
    padding_hu: int | None = None
    """Value that marks voxels outside the reconstructed field of view; ``None`` where the series declares none."""

    def __attrs_post_init__(self) -> None:
        _check(self.hu, self.grid, "a CT volume")

    @cached_property
    def sha256(self) -> str:
        """Content hash."""
        return _hash("ct", self.grid, self.hu, str(self.padding_hu))


@attrs.frozen(eq=False, slots=False)
class DensityMap:
    """Mass density in g/mL; not negative, float32. No floor is applied: mass is ρV."""

    g_per_ml: Float32Array = attrs.field(converter=_float32)
    grid: Grid

    def __attrs_post_init__(self) -> None:
        _check(self.g_per_ml, self.grid, "a density map")

    @cached_property
    def sha256(self) -> str:
        """Content hash."""
        return _hash("density", self.grid, self.g_per_ml)

    @property
    def total_mass_g(self) -> float:
        """Total mass in g."""
        return float(self.g_per_ml.sum(dtype=np.float64)) * self.grid.voxel_volume_ml


@attrs.frozen(eq=False, slots=False)
class DoseMap:
    """Absorbed dose in Gy after full decay; not negative, float32."""

    dose_gy: Float32Array = attrs.field(converter=_float32)
    grid: Grid

    def __attrs_post_init__(self) -> None:
        _check(self.dose_gy, self.grid, "a dose map")

    @cached_property
    def sha256(self) -> str:
        """Content hash."""
        return _hash("dose", self.grid, self.dose_gy)


@attrs.frozen(eq=False, slots=False)
class BedMap:
    """Biologically effective dose in Gy of one tissue, voxel by voxel; not negative, float32. Never an absorbed dose."""

    bed_gy: Float32Array = attrs.field(converter=_float32)
    grid: Grid

    def __attrs_post_init__(self) -> None:
        _check(self.bed_gy, self.grid, "a BED map")

    @cached_property
    def sha256(self) -> str:
        """Content hash."""
        return _hash("bed", self.grid, self.bed_gy)


@attrs.frozen(eq=False, slots=False)
class Mask:
    """Which voxels belong to a structure, as bool."""

    inside: BoolArray = attrs.field(converter=_bool)
    grid: Grid
    structure: Structure

    def __attrs_post_init__(self) -> None:
        _check(self.inside, self.grid, f"the mask of {self.structure.key}")

    @cached_property
    def sha256(self) -> str:
        """Content hash."""
        return _hash("mask", self.grid, self.inside, self.structure.key)

    @property
    def voxels(self) -> int:
        """Number of voxels inside."""
        return int(np.count_nonzero(self.inside))

    @property
    def volume_ml(self) -> float:
        """Volume in mL."""
        return self.voxels * self.grid.voxel_volume_ml


@attrs.frozen(eq=False, slots=False)
class Occupancy:
    """Fraction of each voxel that a structure fills, 0 to 1, float32: a mask carried to a coarser grid without losing volume."""

    fraction: Float32Array = attrs.field(converter=_float32)
    grid: Grid
    structure: Structure

    def __attrs_post_init__(self) -> None:
        _check(self.fraction, self.grid, f"the occupancy of {self.structure.key}")
        top = float(self.fraction.max())
        if top > 1.0 + 1e-5:
            raise InvalidValue(f"an occupancy of {top:.6g} is above 1", self.structure.key, "check the resampling")

    @cached_property
    def sha256(self) -> str:
        """Content hash."""
        return _hash("occupancy", self.grid, self.fraction, self.structure.key)

    @property
    def volume_ml(self) -> float:
        """Volume in mL."""
        return float(self.fraction.sum(dtype=np.float64)) * self.grid.voxel_volume_ml

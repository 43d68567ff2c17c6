"""NIfTI: RAS millimetres, x first. Turned to LPS and (k, j, i) here and nowhere else."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

from opensirt.vocabulary.errors import GeometryError, InvalidValue
from opensirt.vocabulary.geometry import UNSTATED_FRAME, Grid

_LPS_OF_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_REVERSED = np.array([[0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
SFORM_QFORM_TOLERANCE_MM = 0.1
"""sform and qform of one file may differ by this much at any corner before the file is refused as ambiguous."""


def _affine(image: Any, name: str) -> npt.NDArray[np.float64]:
    header = image.header
    sform, s_code = header.get_sform(coded=True)
    qform, q_code = header.get_qform(coded=True)
    if s_code and q_code:
        last = np.array(image.shape[:3]) - 1
        corners = np.array([[a, b, c, 1.0] for a in (0, last[0]) for b in (0, last[1]) for c in (0, last[2])])
        apart = float(np.abs(corners @ (sform - qform).T).max())
        if apart > SFORM_QFORM_TOLERANCE_MM:
            raise GeometryError(
                f"sform and qform of {name} differ by {apart:.2f} mm", "the file states two positions", "rewrite it with one"
            )
    if not s_code and not q_code:
        raise GeometryError(
            f"{name} states no position (sform and qform codes are 0)",
            "left and right cannot be known",
            "rewrite it with a valid sform",
        )
    return np.asarray(sform if s_code else qform, dtype=np.float64)


def read_nifti(path: Path) -> tuple[npt.NDArray[Any], Grid]:
    """Values and grid of a 3-D NIfTI file.

    Returns
    -------
    values : ndarray, shape (k, j, i)
        Scaled by the header's slope and intercept; integers stay integers where no scaling is stated.
    grid : Grid
        LPS mm, frame unstated.

    Raises
    ------
    InvalidValue
        If the file cannot be read or is not three-dimensional.
    GeometryError
        If its position is missing or contradictory.
    """
    try:
        image = nibabel.load(path)
        data = np.asanyarray(image.dataobj)
    except (nibabel.filebasedimages.ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        raise InvalidValue(f"{path.name} cannot be read as NIfTI ({type(error).__name__})", "", "check the file") from error
    shape = tuple(n for n in data.shape)
    if len(shape) > 3 and all(n == 1 for n in shape[3:]):
        data = data.reshape(shape[:3])
    if data.ndim != 3:
        raise InvalidValue(f"{path.name} has {data.ndim} dimensions", "a volume has three", "give one time point or component")
    if data.dtype.kind not in "biuf":
        raise InvalidValue(f"{path.name} holds values of type {data.dtype}", "a volume holds one real number a voxel", "convert it")
    unit = image.header.get_xyzt_units()[0]
    scale = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}[unit]
    affine = _LPS_OF_RAS @ _affine(image, path.name)
    affine[:3] *= scale
    return np.ascontiguousarray(data.transpose(2, 1, 0)), Grid(data.shape[::-1], affine @ _REVERSED, UNSTATED_FRAME)


def write_nifti(path: Path, values: npt.NDArray[Any], grid: Grid) -> None:
    """Write a volume as NIfTI-1 (compressed for ``.nii.gz``), whole or not at all."""
    affine = _LPS_OF_RAS @ grid.affine_mm @ _REVERSED
    stored = values.astype(np.uint8) if values.dtype == np.bool_ else values
    image = nibabel.Nifti1Image(stored.transpose(2, 1, 0), affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code=1)
    image.set_qform(None, code=0)
    suffix = ".nii.gz" if path.name.endswith(".gz") else ".nii"
    temporary = path.with_name(f".{path.name}.{os.getpid()}{suffix}")
    try:
        nibabel.save(image, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

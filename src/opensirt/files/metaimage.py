"""MetaImage (``.mha``, ``.mhd``): LPS millimetres, x first; read and written by SimpleITK."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from opensirt.vocabulary.errors import GeometryError, InvalidValue
from opensirt.vocabulary.geometry import UNSTATED_FRAME, Grid

ORTHOGONAL_TOLERANCE = 1e-5
"""Largest cosine between two axes of a grid that counts as orthogonal: the rounding of directions written with six digits."""


def read_metaimage(path: Path) -> tuple[npt.NDArray[Any], Grid]:
    """Values (k, j, i) and grid (LPS mm, frame unstated) of a 3-D MetaImage.

    Raises
    ------
    InvalidValue
        If the file cannot be read, is not three-dimensional or has several components.
    """
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InvalidValue(f"{path.name} cannot be read as MetaImage", "", "check the file and its .raw or .zraw") from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        what = f"{image.GetDimension()} dimensions and {image.GetNumberOfComponentsPerPixel()} components"
        raise InvalidValue(f"{path.name} has {what}", "a volume has three dimensions and one component", "split it first")
    directions = np.array(image.GetDirection()).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3] = (directions * np.array(image.GetSpacing()))[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    return np.ascontiguousarray(sitk.GetArrayFromImage(image)), Grid(image.GetSize()[::-1], affine, UNSTATED_FRAME)


def require_orthogonal(grid: Grid, name: str) -> None:
    """Refuse axes that are not at right angles, which MetaImage's readers do not take.

    Raises
    ------
    GeometryError
        With the largest cosine between two axes.
    """
    axes = grid.directions
    cosine = float(np.abs(axes.T @ axes - np.eye(3)).max())
    if cosine > ORTHOGONAL_TOLERANCE:
        raise GeometryError(
            f"the grid of {name} has axes that are not at right angles (largest cosine {cosine:.3g})",
            "MetaImage cannot state it",
            "write NIfTI, or resample first",
        )


def _write_pair(image: sitk.Image, path: Path) -> None:
    """Header and data beside each other: data first, so that a header never names data that are not there."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        sitk.WriteImage(image, str(Path(folder) / path.name))
        for part in sorted(Path(folder).iterdir(), key=lambda p: p.suffix == ".mhd"):
            part.replace(path.with_name(part.name))


def write_metaimage(path: Path, values: npt.NDArray[Any], grid: Grid) -> None:
    """Write a volume as MetaImage, whole or not at all (``.mha``; an ``.mhd`` has its data beside it)."""
    require_orthogonal(grid, path.name)
    image = sitk.GetImageFromArray(values.astype(np.uint8) if values.dtype == np.bool_ else values)
    image.SetSpacing([float(s) for s in grid.spacing_mm[::-1]])
    image.SetOrigin([float(x) for x in grid.affine_mm[:3, 3]])
    image.SetDirection([float(d) for d in grid.directions[:, ::-1].ravel()])
    if path.suffix == ".mhd":
        _write_pair(image, path)
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.mha")
    try:
        sitk.WriteImage(image, str(temporary), useCompression=True)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

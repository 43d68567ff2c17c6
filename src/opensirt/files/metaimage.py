"""MetaImage (``.mha``, ``.mhd``): LPS millimetres, x first; read and written by SimpleITK."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.geometry import UNSTATED_FRAME, Grid


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


def write_metaimage(path: Path, values: npt.NDArray[Any], grid: Grid) -> None:
    """Write a volume as MetaImage, whole or not at all (``.mha``; an ``.mhd`` has its data beside it)."""
    image = sitk.GetImageFromArray(values)
    image.SetSpacing([float(s) for s in grid.spacing_mm[::-1]])
    image.SetOrigin([float(x) for x in grid.affine_mm[:3, 3]])
    image.SetDirection([float(d) for d in grid.directions[:, ::-1].ravel()])
    if path.suffix == ".mhd":
        sitk.WriteImage(image, str(path))
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.mha")
    try:
        sitk.WriteImage(image, str(temporary), useCompression=True)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

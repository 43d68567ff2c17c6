"""Volumes and label maps from and to files, chosen by the file's ending."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from opensirt.files.metaimage import read_metaimage, write_metaimage
from opensirt.files.nifti import read_nifti, write_nifti
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import Mask

NIFTI_ENDINGS = (".nii", ".nii.gz")
METAIMAGE_ENDINGS = (".mha", ".mhd")

TOTALSEGMENTATOR = {
    Structure(StructureKind.LIVER): (5,),
    Structure(StructureKind.EXTRAHEPATIC, "stomach"): (6,),
    Structure(StructureKind.LUNGS): (10, 11, 12, 13, 14),
    Structure(StructureKind.EXTRAHEPATIC, "duodenum"): (19,),
}
"""Numbers of the TotalSegmentator v2 "total" task for the structures used here."""


def is_image_file(path: Path) -> bool:
    """Whether the file's ending says NIfTI or MetaImage."""
    return path.name.lower().endswith((*NIFTI_ENDINGS, *METAIMAGE_ENDINGS))


def read_image(path: Path) -> tuple[npt.NDArray[Any], Grid]:
    """Values (k, j, i) and grid of a NIfTI or MetaImage file.

    Raises
    ------
    UnsupportedInput
        For another ending.
    InvalidValue
        If the file does not exist or cannot be read.
    """
    if not path.exists():
        raise InvalidValue(f"there is no file {path.name}", str(path.parent.name), "check the path")
    name = path.name.lower()
    if name.endswith(NIFTI_ENDINGS):
        return read_nifti(path)
    if name.endswith(METAIMAGE_ENDINGS):
        return read_metaimage(path)
    raise UnsupportedInput(
        f"{path.name} is neither NIfTI nor MetaImage", "", f"give one of {', '.join((*NIFTI_ENDINGS, *METAIMAGE_ENDINGS))}"
    )


def write_image(path: Path, values: npt.NDArray[Any], grid: Grid) -> None:
    """Write values (k, j, i) on a grid as NIfTI or MetaImage."""
    name = path.name.lower()
    if name.endswith(NIFTI_ENDINGS):
        write_nifti(path, values, grid)
    elif name.endswith(METAIMAGE_ENDINGS):
        write_metaimage(path, values, grid)
    else:
        raise UnsupportedInput(
            f"{path.name} is neither NIfTI nor MetaImage", "", f"give one of {', '.join((*NIFTI_ENDINGS, *METAIMAGE_ENDINGS))}"
        )


def read_label_map(path: Path, numbers: Mapping[Structure, tuple[int, ...]]) -> tuple[Mask, ...]:
    """One mask for each structure that the label map holds.

    Parameters
    ----------
    path : Path
        NIfTI or MetaImage with whole numbers.
    numbers : mapping
        Label numbers that make up each structure, e.g. :data:`TOTALSEGMENTATOR`.

    Raises
    ------
    InvalidValue
        If the file holds other than whole numbers, or none of the structures.
    """
    values, grid = read_image(path)
    finite = values if values.dtype.kind != "f" else np.nan_to_num(values, nan=0.5, posinf=0.5, neginf=0.5)
    whole = np.rint(finite).astype(np.int64)
    if not np.array_equal(whole, finite):
        raise InvalidValue(
            f"{path.name} holds values that are not whole numbers", "a label map numbers structures", "give a label map"
        )
    masks = [Mask(np.isin(whole, labels), grid, structure) for structure, labels in numbers.items()]
    found = tuple(mask for mask in masks if mask.voxels)
    if not found:
        wanted = sorted({label for labels in numbers.values() for label in labels})
        raise InvalidValue(
            f"{path.name} holds none of the labels {wanted}; it holds {np.unique(whole)[:20].tolist()}",
            "",
            "state the label numbers",
        )
    return found

"""Volumes on disk: one ``.npy`` and a small JSON with kind, geometry and what else the kind carries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from opensirt.vocabulary.anatomy import structure_from_key
from opensirt.vocabulary.errors import CaseError
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import nuclide_named
from opensirt.vocabulary.volumes import ActivityMap, CountsMap, DensityMap, DoseMap, HounsfieldMap, Mask

Volume = ActivityMap | CountsMap | DensityMap | DoseMap | HounsfieldMap | Mask


def geometry_of(volume: Volume) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """The array of a volume and the sidecar that describes it."""
    grid = volume.grid
    side: dict[str, Any] = {"shape": list(grid.shape), "affine_mm": grid.affine_mm.tolist(), "frame": grid.frame}
    match volume:
        case CountsMap():
            return volume.counts, side | {"kind": "counts"}
        case ActivityMap():
            return volume.bq_per_ml, side | {"kind": "activity", "nuclide": volume.nuclide.name, "at": volume.at.isoformat()}
        case HounsfieldMap():
            return volume.hu, side | {"kind": "ct", "padding_hu": volume.padding_hu}
        case DensityMap():
            return volume.g_per_ml, side | {"kind": "density"}
        case DoseMap():
            return volume.dose_gy, side | {"kind": "dose"}
        case Mask():
            return volume.inside, side | {"kind": "mask", "structure": volume.structure.key}


def volume_from(array: npt.NDArray[Any], side: Mapping[str, Any]) -> Volume:
    """The volume that an array and its sidecar describe; the array is kept as it is (a memory map stays one).

    Raises
    ------
    CaseError
        For an unknown kind.
    """
    grid = Grid(side["shape"], np.array(side["affine_mm"]), side["frame"])
    match side["kind"]:
        case "counts":
            return CountsMap(array, grid)
        case "activity":
            return ActivityMap(array, grid, nuclide_named(side["nuclide"]), datetime.fromisoformat(side["at"]))
        case "ct":
            return HounsfieldMap(array, grid, side["padding_hu"])
        case "density":
            return DensityMap(array, grid)
        case "dose":
            return DoseMap(array, grid)
        case "mask":
            return Mask(array, grid, structure_from_key(side["structure"]))
    raise CaseError(f"a volume of kind {side['kind']!r}", "", "open the case with the program version that wrote it")

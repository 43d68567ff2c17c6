"""A liver of 58 mm with two territories and two lesions, a lung beside it and a focus below, on an oblique anisotropic grid; blurred by scipy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from opensirt.radioembolisation.workup.compartments import ScoutImage
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.volumes import CountsMap, DensityMap, Occupancy
from strategies import grid_about

GRID = grid_about((5.0, -12.0, 40.0), (66, 44, 50), (3.8, 4.4, 4.1), (6.0, -9.0, 12.0))
FWHM_MM = 11.6
LIVER_MM, LIVER_RADIUS = (0.0, -15.0, 10.0), 58.0
LUNG_MM, LUNG_RADIUS = (10.0, -10.0, 112.0), 42.0


@dataclass(frozen=True)
class Contents:
    """Counts put into each part; ``split`` is the share of liver tissue's uptake given to the right."""

    lung: float = 0.06
    focus: float = 0.02
    tumour_to_normal: float = 5.0
    total: float = 2.0e6


def occupancy(distance) -> np.ndarray:
    """Share of each voxel where a distance function is negative, by 27 points per voxel."""
    offsets = (np.arange(3) - 1.0) / 3.0
    index = np.stack(np.meshgrid(*[np.arange(n) for n in GRID.shape], indexing="ij"), axis=-1).astype(float)
    inside = np.zeros(GRID.shape)
    for a in offsets:
        for b in offsets:
            for c in offsets:
                inside += distance(GRID.lps_mm(index + np.array([a, b, c]))) < 0.0
    return (inside / 27.0).astype(np.float32)


def ball(centre_mm, radius_mm):
    return lambda at: np.linalg.norm(at - np.asarray(centre_mm), axis=-1) - radius_mm


def part(kind: StructureKind, fraction: np.ndarray, label: str = "") -> Occupancy:
    return Occupancy(np.clip(fraction, 0.0, 1.0).astype(np.float32), GRID, Structure(kind, label))


def scout(contents: Contents = Contents(), *, shift_mm=(0.0, 0.0, 0.0), seed: int | None = None, unfed: bool = False):
    """The image, and the true share of every compartment."""
    liver = occupancy(ball(LIVER_MM, LIVER_RADIUS))
    one, two = occupancy(ball((-24.0, -10.0, 14.0), 21.0)), occupancy(ball((28.0, -26.0, 2.0), 14.0))
    right = liver * occupancy(lambda at: at[..., 0] - 4.0)
    left = np.maximum(liver - right, 0.0)
    if unfed:
        left = np.maximum(left - two, 0.0)
    lung = np.maximum(occupancy(ball(LUNG_MM, LUNG_RADIUS)) - liver, 0.0)
    focus = np.maximum(occupancy(ball((60.0, 0.0, -58.0), 11.0)) - liver, 0.0)
    body = np.ones(GRID.shape, np.float32)
    normal_right, normal_left = np.maximum(right - one - two, 0.0), np.maximum(left - one - two, 0.0)
    uptake = {
        "tumour.T1": one * contents.tumour_to_normal,
        "tumour.T2": two * (0.0 if unfed else contents.tumour_to_normal),
        "normal_liver.right": normal_right,
        "normal_liver.left": normal_left,
    }
    in_liver = sum(float(u.sum()) for u in uptake.values())
    scale = (1.0 - contents.lung - contents.focus) / in_liver
    maps = {key: u * scale for key, u in uptake.items()}
    maps["lungs"] = lung * (contents.lung / lung.sum())
    if contents.focus:
        maps["extrahepatic.stomach"] = focus * (contents.focus / focus.sum())
    shares = {key: float(m.sum()) for key, m in maps.items()}
    sigma = FWHM_MM / (2.0 * np.sqrt(2.0 * np.log(2.0))) / GRID.spacing_mm
    seen = ndimage.gaussian_filter(sum(maps.values()).astype(np.float64), sigma, mode="constant", truncate=6.0) * contents.total
    if any(shift_mm):
        seen = ndimage.shift(seen, np.asarray(shift_mm) / GRID.spacing_mm, order=5)
    seen = np.maximum(seen, 0.0)
    if seed is not None:
        seen = np.random.default_rng(seed).poisson(seen).astype(float)
    density = np.where(lung > 0.5, 0.26, 1.04).astype(np.float32)
    tumours = (part(StructureKind.TUMOUR, one, "T1"), part(StructureKind.TUMOUR, two, "T2"))
    organs = (part(StructureKind.EXTRAHEPATIC, focus, "stomach"),) if contents.focus else ()
    image = ScoutImage(
        CountsMap(seen.astype(np.float32), GRID),
        DensityMap(density, GRID),
        part(StructureKind.LIVER, liver),
        (part(StructureKind.LUNGS, lung),),
        tumours,
        (part(StructureKind.TERRITORY, right, "right"), part(StructureKind.TERRITORY, left, "left")),
        organs,
        part(StructureKind.BODY, body),
    )
    return image, shares

"""From CT numbers to mass density.

Schneider, Bortfeld and Schlegel, Phys Med Biol 2000;45:459 (stoichiometric calibration), as tabulated density intervals; and
``(HU + 1000)/1000``, the simple model of Kao et al. 2013 for lung mass, as a named alternative. Inside liver, tumours and vessels soft
tissue is taken instead of the CT number: contrast medium and lipiodol are not bone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.imaging.resample import paint, volume_average
from opensirt.vocabulary.errors import MissingInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.geometry import Grid, require_same_frame, require_same_grid
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.provenance import Constant, Mark
from opensirt.vocabulary.units import G_PER_KG, MM3_PER_ML
from opensirt.vocabulary.volumes import DensityMap, HounsfieldMap, Mask, Occupancy

_ALL = (slice(None), slice(None), slice(None))
AIR_G_PER_ML = 0.00121
"""Density of air at the lower end of Schneider's table, g/mL."""
SOFT_TISSUE = Constant(
    "soft_tissue.density",
    1.05,
    "g/mL",
    "1.03 to 1.06 g/mL are in use for liver (JuliaOri and Radulator 1.03, Lanconelli 1.04, Taranis 1.05, Ho-166 practice 1.06); their "
    "spread is the uncertainty",
    0.0125,
)
"""Default density inside liver, tumours and vessels."""
CT_FWHM_MM = Constant("ct.fwhm_mm", 1.0, "mm", "resolution of a diagnostic CT within the slice, about 1 mm", 0.0, Mark.ASSUMED)
"""Blur of the image on which contours are drawn, where it is not given."""
_CALIBRATION_HU = 10.0
_G_PER_ML_PER_HU = 0.001  # slope of every conversion near water


@dataclass(frozen=True)
class DensityConversion:
    """A named conversion: straight lines between knots (HU, g/mL).

    ``knots`` bound its validity: CT numbers beyond are a finding.
    """

    name: str
    hu: tuple[float, ...]
    g_per_ml: tuple[float, ...]
    source: str


SCHNEIDER = DensityConversion(
    "Schneider 2000",
    (-1000.0, -98.0, -97.0, 14.0, 23.0, 100.0, 101.0, 1600.0, 3000.0),
    (0.00121, 0.93, 0.930486, 1.03, 1.031, 1.1199, 1.0762, 1.9642, 2.8),
    "Schneider W, Bortfeld T, Schlegel W. Phys Med Biol 2000;45:459",
)
LINEAR_HU = DensityConversion(
    "(HU + 1000)/1000",
    (-1000.0, 3000.0),
    (0.0, 4.0),
    "Kao et al., Cardiovasc Intervent Radiol 2013, doi 10.1007/s00270-013-0783-z",
)
CONVERSIONS = {conversion.name: conversion for conversion in (SCHNEIDER, LINEAR_HU)}


@attrs.frozen(eq=False)
class TissueDensity:
    """A density map, what a person must weigh about it, and how it was made."""

    map: DensityMap
    findings: tuple[Finding, ...]
    conversion: str


def density_table(conversion: DensityConversion, lowest_hu: int, highest_hu: int) -> npt.NDArray[np.float32]:
    """Density for every whole CT number from ``lowest_hu`` to ``highest_hu``; beyond the knots the nearest knot's value.

    What lies beyond the knots is counted and reported by :func:`density_on`.
    """
    hu = np.arange(lowest_hu, highest_hu + 1, dtype=np.float64)
    return np.interp(hu, conversion.hu, conversion.g_per_ml).astype(np.float32)


def density_on(
    ct: HounsfieldMap,
    grid: Grid,
    soft_tissue: Sequence[Mask],
    conversion: DensityConversion = SCHNEIDER,
    soft: Constant = SOFT_TISSUE,
) -> TissueDensity:
    """Mass density on a grid: each CT voxel converted first, then averaged; soft tissue inside the given masks.

    Both on the CT's own voxels: a target voxel that is half liver and half lung is half soft tissue and half *lung*, not half of a
    mixture that already held the liver's contrast medium.

    Parameters
    ----------
    ct : HounsfieldMap
        In the grid's frame of reference.
    grid : Grid
        Where density is wanted.
    soft_tissue : sequence of Mask
        Liver, tumours, vessels: there CT numbers are not trusted. On any grid of that frame.
    conversion : DensityConversion
        Outside those masks.
    soft : Constant
        Density inside them, g/mL.

    Returns
    -------
    TissueDensity
        With findings for CT numbers beyond the conversion's range and for padding, both counted.

    Raises
    ------
    GridMismatch
        If frames of reference differ.
    """
    require_same_frame(ct.grid, grid, "the CT and the target grid")
    lowest, highest = int(ct.hu.min()), int(ct.hu.max())
    table = density_table(conversion, lowest, highest)
    if ct.padding_hu is not None and lowest <= ct.padding_hu <= highest:
        table[ct.padding_hu - lowest] = AIR_G_PER_ML
    painted = np.zeros(ct.grid.shape if soft_tissue else (0, 0, 0), dtype=np.bool_)
    for mask in soft_tissue:
        paint(painted, mask, ct.grid)

    def converted(window: tuple[slice, slice, slice]) -> npt.NDArray[np.float32]:
        density = np.take(table, ct.hu[window] - np.int32(lowest))
        if painted.size:
            density[painted[window]] = soft.value
        return density

    average = volume_average(converted, ct.grid, grid, AIR_G_PER_ML) if not ct.grid.is_same_as(grid) else converted(_ALL)
    return TissueDensity(DensityMap(average, grid), (*_range_findings(ct, conversion), *_padding_findings(ct)), conversion.name)


def _padding_findings(ct: HounsfieldMap) -> tuple[Finding, ...]:
    if ct.padding_hu is None:
        return ()
    count = int(np.count_nonzero(ct.hu == ct.padding_hu))
    if count == 0:
        return ()
    return (
        Finding(
            "tissue.padding",
            Severity.NOTE,
            f"{count} CT voxels ({100.0 * count / ct.grid.size:.1f} %) are padding outside the reconstructed field and count as air · look "
            "whether the field cuts the body",
        ),
    )


CT_FLOOR_HU = -1024.0
"""Lowest CT number of a 12-bit scanner: noise in air reaches it, and it means air."""


def _range_findings(ct: HounsfieldMap, conversion: DensityConversion) -> tuple[Finding, ...]:
    low, high = min(conversion.hu[0], CT_FLOOR_HU), conversion.hu[-1]
    beyond = (ct.hu < low) | (ct.hu > high)
    if ct.padding_hu is not None:
        beyond &= ct.hu != ct.padding_hu
    count = int(np.count_nonzero(beyond))
    if count == 0:
        return ()
    values = ct.hu[beyond]
    return (
        Finding(
            "tissue.hu_beyond_table",
            Severity.NOTE,
            f"{count} CT voxels lie beyond {low:.0f} to {high:.0f} HU (from {int(values.min())} to {int(values.max())}) and take the density of "
            f"the table's end · metal, air below −1000 HU or undeclared padding · look whether any lies near liver or lungs",
            source=conversion.source,
        ),
    )


def mass_g(density: DensityMap, region: Occupancy) -> float:
    """Mass of a structure: ``Σ ρ_v · V · occupancy``, g; no floor on ρ. Both lie on one grid."""
    require_same_grid(density.grid, region.grid, f"density and the occupancy of {region.structure.key}")
    total = np.sum(density.g_per_ml.astype(np.float64) * region.fraction)
    return float(total) * density.grid.voxel_volume_ml


def ct_mass_kg(ct: HounsfieldMap, mask: Mask, conversion: DensityConversion) -> float:
    """Mass of a structure on the CT's own grid, voxel by voxel, kg; the mask lies on the CT's grid.

    Raises
    ------
    GridMismatch
        If the mask lies on another grid.
    MissingInput
        If the mask is empty.
    """
    require_same_grid(ct.grid, mask.grid, f"the CT and the mask of {mask.structure.key}")
    values = ct.hu[mask.inside]
    if values.size == 0:
        raise MissingInput(f"the mask of {mask.structure.key} is empty", "it has no mass", "give a contour that holds voxels")
    table = density_table(conversion, int(values.min()), int(values.max()))
    total = float(table[values.astype(np.int32) - int(values.min())].sum(dtype=np.float64))
    return total * ct.grid.voxel_volume_ml / G_PER_KG


def native_density(native: HounsfieldMap, mask: Mask, conversion: DensityConversion = SCHNEIDER) -> Constant:
    """Mean density of a structure in a CT *without* contrast medium, to be used as soft tissue in a contrast phase, g/mL.

    Its uncertainty is that of a calibration of CT numbers of ±10 HU, as a uniform distribution, about 0.006 g/mL.

    Raises
    ------
    GridMismatch
        If the mask lies on another grid.
    MissingInput
        If the mask is empty.
    """
    mean = ct_mass_kg(native, mask, conversion) * G_PER_KG / mask.volume_ml
    spread = _CALIBRATION_HU / np.sqrt(3.0) * _G_PER_ML_PER_HU
    source = f"mean of {mask.structure.key} in the native CT, {conversion.name}"
    return Constant(f"{mask.structure.key}.native_density", mean, "g/mL", source, float(spread), Mark.DERIVED)


def volume_with_uncertainty(mask: Mask, *, fwhm_mm: float = CT_FWHM_MM.value) -> Measured:
    """Volume of a mask in mL; its contour is the one source of uncertainty, key ``contour.<structure>``.

    Gear et al. 2018: see :func:`relative_volume_uncertainty`. An exact 0 for an empty mask.
    """
    volume = mask.volume_ml
    if volume == 0.0:
        return Measured(0.0)
    relative = relative_volume_uncertainty(volume, mask.grid, fwhm_mm=fwhm_mm)
    return Measured(volume, {f"contour.{mask.structure.key}": volume * relative})


def relative_volume_uncertainty(volume_ml: float, grid: Grid, *, fwhm_mm: float = CT_FWHM_MM.value) -> float:
    """``u(V)/V = 3 u(d)/d`` with ``u(d)² = a²/6 + FWHM²/(4 ln 2)`` of the sphere of equal volume.

    ``a²/6`` are two edges, each anywhere within a voxel (a²/12); ``FWHM²/(4 ln 2)`` are two edges, each within the blur of the image on
    which the contour was drawn (variance FWHM²/(8 ln 2)). Gear JI et al., Eur J Nucl Med Mol Imaging 2018;45:2456. What two people would
    draw differently is not in it.

    Parameters
    ----------
    volume_ml : float
        Volume of the structure, above 0, mL.
    grid : Grid
        On which it is drawn; ``a`` is the geometric mean of its spacings.
    fwhm_mm : float
        Resolution of the image on which it was drawn, mm.
    """
    diameter_mm = (6.0 * volume_ml * MM3_PER_ML / np.pi) ** (1.0 / 3.0)
    voxel_mm = float(np.prod(grid.spacing_mm)) ** (1.0 / 3.0)
    u_diameter_mm = np.sqrt(voxel_mm**2 / 6.0 + fwhm_mm**2 / (4.0 * np.log(2.0)))
    return float(3.0 * u_diameter_mm / diameter_mm)

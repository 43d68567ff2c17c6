"""Density-corrected kernel: each source spreads in tissue of its own density, and distances beyond its tissue's edge count by density.

Two facts of transport guide it. In a uniform medium of any density the dose is ``K·A/(ρV)``: so the *activity per mass* is spread,
with the kernel scaled to the density of the source's tissue. Across an edge between tissues the dose (energy per mass) is continuous
and depends on the *water-equivalent* path: so beyond the edge of the source's tissue the homogeneous dose is read not at the voxel,
but at the point that lies as many grams per area beyond the edge. For a plane edge both are exact up to backscatter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, map_coordinates

from opensirt.radioembolisation.transport._fft import Box, support
from opensirt.radioembolisation.transport.result import EnergyBook, EngineDose, Report, emitted_j, energy_j, require_dosimetric
from opensirt.radioembolisation.transport.spread import electron_energy, orthogonal_spacing, photon_energy
from opensirt.radioembolisation.transport.voxel_kernel import voxel_kernel
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import DoseConstant
from opensirt.vocabulary.units import BQ_PER_GBQ, G_PER_KG
from opensirt.vocabulary.volumes import ActivityMap, DensityMap, DoseMap

Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

LUNG_BELOW_G_PER_ML = 0.6
"""Density that parts lung from soft tissue: inflated lung reads 0.1 to 0.5 g/mL, fat 0.9 and more."""
_DENSITY_STEP = 0.02
"""The kernel density of a tissue is its activity-weighted mean, rounded to 2 %, so that kernels can be cached."""


@dataclass(frozen=True)
class _Tissue:
    """Where one tissue lies, and the density its kernel is made for."""

    inside: BoolArray
    density_g_per_ml: float


def _tissue(inside: BoolArray, activity: Float32Array, density: Float32Array) -> _Tissue | None:
    weight = np.where(inside, activity, 0).astype(np.float64)
    total = float(weight.sum())
    if total == 0.0:
        return None
    mean = float((weight * density).sum()) / total
    step = _DENSITY_STEP * mean
    digits = max(0, int(-np.floor(np.log10(step))))
    return _Tissue(inside, round(mean, digits))


def _pulled_back(field: Float32Array, tissue: _Tissue, density: Float32Array, grid: Grid, box: Box) -> Float32Array:
    """The homogeneous field inside the tissue; outside it, read where the water-equivalent distance from the edge is the same."""
    spacing = np.array(orthogonal_spacing(grid))
    part = box.slices
    outside = ~tissue.inside[part]
    result = np.zeros_like(field)
    result[part] = field[part]
    if not outside.any():
        return result
    distance, nearest = distance_transform_edt(outside, sampling=spacing, return_indices=True)
    where = np.flatnonzero(outside)
    here = np.stack(np.unravel_index(where, outside.shape), axis=1).astype(np.float64)
    edge = np.stack([nearest[axis].ravel()[where] for axis in range(3)], axis=1).astype(np.float64)
    away = distance.ravel()[where][:, None]
    direction = (here - edge) * spacing / away
    half_voxel = 0.5 / np.max(np.abs(direction) / spacing, axis=1, keepdims=True)
    beyond = np.maximum(away - half_voxel, 0.0)
    scale = density[part].ravel()[where][:, None].astype(np.float64) / tissue.density_g_per_ml
    read = edge + direction * (half_voxel + beyond * scale) / spacing
    values = map_coordinates(field[part], read.T, order=1, mode="constant", cval=0.0, prefilter=False)
    flat = result[part].reshape(-1)
    flat[where] = values
    result[part] = flat.reshape(outside.shape)
    return result


class DensityKernel:
    """Kernel convolution with the density correction described above.

    In uniform media of any density equal to ``K·A/(ρV)``; first order at edges, where curvature and backscatter are neglected; wrong
    where several edges lie within the beta range (thin ribs, a sliver of lung between liver and chest wall). Ask Monte Carlo there.
    """

    name = "kernel-density"
    version = "1"

    def dose(self, activity: ActivityMap, density: DensityMap, constant: DoseConstant, report: Report) -> EngineDose:
        """See :class:`opensirt.radioembolisation.transport.result.DoseEngine`.

        Photons beyond the electrons' reach are spread in soft tissue and turned into dose by the activity-weighted mean density.
        """
        require_dosimetric(activity, density)
        grid, nuclide = activity.grid, activity.nuclide.name
        bq, rho = activity.bq_per_ml, density.g_per_ml
        lung = rho < LUNG_BELOW_G_PER_ML
        per_mass = np.zeros(grid.shape, dtype=np.float32)
        np.divide(bq, rho, out=per_mass, where=bq > 0)
        total = np.zeros(grid.shape, dtype=np.float32)
        kept = 0.0
        for step, region in enumerate((~lung, lung)):
            tissue = _tissue(region, bq, rho)
            if tissue is not None:
                source = np.where(region, per_mass, np.float32(0.0))
                spread = electron_energy(source, grid, nuclide, tissue.density_g_per_ml)
                share = float(bq[region].sum(dtype=np.float64)) / float(bq.sum(dtype=np.float64))
                kept += share * float(spread.sum(dtype=np.float64)) / float(source.sum(dtype=np.float64))
                kernel = voxel_kernel(nuclide, orthogonal_spacing(grid), density_g_per_ml=tissue.density_g_per_ml)
                reach = _reach_voxels(kernel.fraction.shape, tissue.density_g_per_ml, float(rho.min()), grid.shape)
                total += _pulled_back(spread, tissue, rho, grid, support(source).grown(reach, grid.shape))
            report(0.45 * (step + 1))
        emitted_bq = float(bq.sum(dtype=np.float64))
        photons = photon_energy(bq, grid, nuclide)
        kept += float(photons.sum(dtype=np.float64)) / emitted_bq
        total += photons / np.float32(float((bq.astype(np.float64) * rho).sum()) / emitted_bq)
        total *= np.float32(constant.value * G_PER_KG / BQ_PER_GBQ)
        emitted = emitted_j(activity, constant)
        deposited = energy_j(total, rho, grid.voxel_volume_ml)
        report(1.0)
        book = EnergyBook(emitted, deposited, emitted * (1.0 - kept))
        return EngineDose(DoseMap(total, grid), book, self.name, self.version, 0.02, 0.15)


def _reach_voxels(kernel_shape: tuple[int, ...], own: float, thinnest: float, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """How far electrons can get outside their tissue, in voxels: further where it is thinner, at most the grid."""
    factor = own / max(thinnest, own * 0.02)
    reach = [min(n, int(np.ceil((k // 2 + 1) * max(1.0, factor)))) for n, k in zip(shape, kernel_shape, strict=True)]
    return reach[0], reach[1], reach[2]

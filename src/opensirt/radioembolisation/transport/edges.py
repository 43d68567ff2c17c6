"""Density-corrected kernel: each source spreads in tissue of its own density, and distances beyond its tissue's edge count by density.

Two facts of transport guide it. In a uniform medium of any density the dose is ``K·A/(ρV)``: so the *activity per mass* is spread,
with the kernel scaled to the density of the source's tissue. Across an edge between tissues the dose (energy per mass) is continuous
and depends on the *water-equivalent* path: so beyond the edge of the source's tissue the homogeneous dose is read not at the voxel,
but at the point that lies as many grams per area beyond the edge, less what fans out behind a curved edge. For a plane edge both are exact
up to backscatter. Nothing is ever divided by the density of the target: dose in air is defined, and needs no floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, map_coordinates

from opensirt.radioembolisation.transport._planes import Box, PlaneConvolution, support
from opensirt.radioembolisation.transport.result import EnergyBook, EngineDose, Report, emitted_j, energy_j, require_dosimetric
from opensirt.radioembolisation.transport.spread import on_threads, orthogonal_spacing, photon_tail
from opensirt.radioembolisation.transport.voxel_kernel import voxel_kernel
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import DoseConstant
from opensirt.vocabulary.units import BQ_PER_GBQ, G_PER_KG
from opensirt.vocabulary.volumes import ActivityMap, DensityMap, DoseMap

Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

LUNG_BELOW_G_PER_ML = 0.6
"""Density that parts lung from soft tissue: inflated lung reads 0.1 to 0.5 g/mL, fat 0.9 and more."""
REACH_MM = 60.0
"""How far outside its tissue a source's dose is followed: the electrons' reach at 0.2 g/mL."""
_DENSITY_DIGITS = 2
"""The kernel density of a tissue is its activity-weighted mean, rounded to two significant digits, so that kernels can be cached."""
_CHUNK = 32
SOFT_UNCERTAINTY = 0.03
"""Mikell 2015: within 5 % of Monte Carlo in tumour and normal liver; as the half-width of a uniform distribution, 5 % / √3."""
LUNG_UNCERTAINTY = 0.15
"""Mikell 2015: density-corrected kernel +20 % in the right lung, d'Andrea 2024: −28 % in a lung phantom, both with a correction by the
target's density alone; ±25 % as the half-width of a uniform distribution."""


@dataclass(frozen=True)
class _Tissue:
    """Where one tissue lies, and the density its kernel is made for."""

    inside: BoolArray
    density_g_per_ml: float


def _tissue(inside: BoolArray, activity: Float32Array, density: Float32Array) -> _Tissue | None:
    weight = activity[inside].astype(np.float64)
    total = float(weight.sum())
    if total == 0.0:
        return None
    mean = float((weight * density[inside]).sum()) / total
    return _Tissue(inside, float(f"{mean:.{_DENSITY_DIGITS}g}"))


def _spread(source: Float32Array, grid: Grid, nuclide: str, density_g_per_ml: float) -> tuple[Float32Array, float]:
    """The source convolved with the voxel kernel of one density, and the sum that fell outside the grid."""
    kernel = voxel_kernel(nuclide, orthogonal_spacing(grid), density_g_per_ml=density_g_per_ml)
    near = PlaneConvolution(source, kernel.fraction, support(source), _CHUNK)
    out = np.zeros(grid.shape, dtype=np.float32)
    planes = range(min(near.planes.start, 0), max(near.planes.stop, grid.shape[0]))
    outside = np.zeros(len(planes))

    def finish(k: int) -> None:
        plane = near.plane(k)
        if plane is not None:
            outside[k - planes.start] = plane.outside
            if 0 <= k < grid.shape[0]:
                out[k, plane.rows, plane.columns] = plane.values

    for first in range(planes.start, planes.stop, _CHUNK):
        chunk = range(first, min(first + _CHUNK, planes.stop))
        on_threads(near.transform, near.sources(chunk))
        on_threads(finish, chunk)
    return out, float(outside.sum())


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
    distance = distance.astype(np.float32)
    steps = spacing.astype(np.float32)[:, None, None, None]
    edge = nearest.astype(np.float32)
    away = np.maximum(distance, np.float32(1e-3))
    direction = (np.indices(outside.shape, dtype=np.float32) - edge) * steps / away
    half_voxel = np.float32(0.5) / np.maximum(np.max(np.abs(direction) / steps, axis=0), np.float32(1e-6))
    scale = density[part] / np.float32(tissue.density_g_per_ml)
    depth = np.minimum(half_voxel, distance) + np.maximum(distance - half_voxel, np.float32(0.0)) * scale
    read = edge + direction * depth / steps
    where = outside & (distance <= REACH_MM)
    values = map_coordinates(field[part], read[:, where], order=1, mode="constant", cval=0.0, prefilter=False)
    values *= _fanning(read, scale)[where]
    window = result[part]
    window[outside] = 0.0
    window[where] = values
    return result


def _fanning(read: Float32Array, scale: Float32Array) -> Float32Array:
    """How much narrower the beam was where the dose is read: the tangential part of the map's Jacobian, between 0 and 1.

    Beyond a curved edge rays fan out over the *geometric* distance, while the dose is read at the shorter water-equivalent one. Energy
    is conserved if the dose is multiplied by the ratio of areas, ``det(∂read/∂x) / scale``.
    """
    g = [np.gradient(read[axis]) for axis in range(3)]
    determinant = (
        g[0][0] * (g[1][1] * g[2][2] - g[1][2] * g[2][1])
        - g[0][1] * (g[1][0] * g[2][2] - g[1][2] * g[2][0])
        + g[0][2] * (g[1][0] * g[2][1] - g[1][1] * g[2][0])
    )
    return np.asarray(np.clip(determinant / np.maximum(scale, np.float32(0.02)), 0.0, 1.0), dtype=np.float32)


class DensityKernel:
    """Kernel convolution with the density correction described above.

    In uniform media of any density equal to ``K·A/(ρV)``; first order at edges, where curvature and backscatter are neglected; wrong
    where several edges lie within the beta range (thin ribs, a sliver of lung between liver and chest wall). Ask Monte Carlo there.
    """

    name = "kernel-density"
    version = "1"

    def dose(self, activity: ActivityMap, density: DensityMap, constant: DoseConstant, report: Report) -> EngineDose:
        """See :class:`opensirt.radioembolisation.transport.result.DoseEngine`.

        Photons beyond the electrons' reach are spread in a uniform medium of the activity-weighted mean density.
        """
        require_dosimetric(activity, density)
        grid, nuclide = activity.grid, activity.nuclide.name
        bq, rho = activity.bq_per_ml, density.g_per_ml
        lung = rho < LUNG_BELOW_G_PER_ML
        per_mass = np.zeros(grid.shape, dtype=np.float32)
        np.divide(bq, rho, out=per_mass, where=bq > 0)
        total = np.zeros(grid.shape, dtype=np.float32)
        emitted_bq = float(bq.sum(dtype=np.float64))
        left = 0.0
        for step, region in enumerate((~lung, lung)):
            tissue = _tissue(region, bq, rho)
            if tissue is not None:
                source = np.where(region, per_mass, np.float32(0.0))
                field, outside = _spread(source, grid, nuclide, tissue.density_g_per_ml)
                share = float(bq[region].sum(dtype=np.float64)) / emitted_bq
                left += share * outside / float(source.sum(dtype=np.float64))
                reach = tuple(int(np.ceil(REACH_MM / s)) + 1 for s in orthogonal_spacing(grid))
                total += _pulled_back(field, tissue, rho, grid, _grown(support(source), reach, grid.shape))
            report(0.45 * (step + 1))
        medium = float(f"{float((bq.astype(np.float64) * rho).sum()) / emitted_bq:.{_DENSITY_DIGITS}g}")
        tail = photon_tail(bq, grid, nuclide, density_g_per_ml=medium, box=support(bq))
        photons = 0.0
        for k in range(grid.shape[0]):
            plane = tail.plane(k)
            photons += float(plane.sum())
            total[k] += plane / np.float32(medium)
        total *= np.float32(constant.value * G_PER_KG / BQ_PER_GBQ)
        emitted = emitted_j(activity, constant)
        beyond = voxel_kernel(nuclide, orthogonal_spacing(grid), density_g_per_ml=medium).beyond_fraction
        book = EnergyBook(emitted, energy_j(total, rho, grid.voxel_volume_ml), emitted * (left + beyond - photons / emitted_bq))
        report(1.0)
        return EngineDose(DoseMap(total, grid), book, self.name, self.version, SOFT_UNCERTAINTY, LUNG_UNCERTAINTY)


def _grown(box: Box, by: tuple[int, ...], shape: tuple[int, ...]) -> Box:
    start = tuple(max(0, s - g) for s, g in zip(box.start, by, strict=True))
    stop = tuple(min(n, e + g) for n, e, g in zip(shape, box.stop, by, strict=True))
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))

"""Density-corrected kernel: each pair of voxels exchanges energy as in a uniform medium of the mean density between them.

The energy that reaches unit mass at distance ``r`` in a uniform medium is ``f(ρ r) / 4πr²`` with one function ``f`` of the
water-equivalent path. Where density changes on the way, the path is ``ρ̄ r`` with ``ρ̄`` the mean density along the straight line from
source to target; that is the only change made. Dose is energy per mass, so nothing is divided by the density of the target: it is
defined in air, and needs no floor. In a uniform medium of any density the result is ``K·A/(ρV)``.
"""

from __future__ import annotations

from functools import lru_cache

import attrs
import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import label

from opensirt.radioembolisation.transport._planes import support
from opensirt.radioembolisation.transport._superposition import LANES, scatter
from opensirt.radioembolisation.transport.point_kernels import MEDIA, point_kernel
from opensirt.radioembolisation.transport.result import (
    DensitiesBeyond,
    EnergyBook,
    EngineDose,
    Report,
    emitted_j,
    energy_j,
    require_dosimetric,
)
from opensirt.radioembolisation.transport.spread import SOFT_TISSUE_G_PER_ML, orthogonal_spacing, photon_tail
from opensirt.radioembolisation.transport.voxel_kernel import Spacing, build_voxel_kernel
from opensirt.vocabulary.nuclides import DoseConstant
from opensirt.vocabulary.threads import on_threads
from opensirt.vocabulary.units import BQ_PER_GBQ, G_PER_KG
from opensirt.vocabulary.volumes import ActivityMap, DensityMap, DoseMap

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SOFT_UNCERTAINTY = 0.03
"""Mikell 2015: within 5 % of Monte Carlo in tumour and normal liver; as the half-width of a uniform distribution, 5 % / √3."""
LUNG_UNCERTAINTY = 0.16
"""Density-corrected kernels +20 % (right lung, Mikell 2015) and −28 % (lung phantom, d'Andrea 2024) against Monte Carlo; 28 % as the
half-width of a uniform distribution, 28 % / √3. Both corrected by the target's density alone; this engine follows the path between, and
is given the same uncertainty until it has been held against Monte Carlo in patients."""
LONGEST_PATH_MM = 50.0
"""Paths are followed this far. What goes further, in lung thinner than 0.17 g/mL or in air, shows as a difference in the energy book."""
THIN_BELOW_G_PER_ML = 0.6
THIN_HOLDS_FRACTION = 0.99
"""Where the mean density is below 0.6 g/mL, the kernel ends at the radius that holds 99 % of the electrons' energy (7.9 mm·g/mL for
Y-90) and is scaled to hold all of it: the last 1 % would take two thirds of the time."""
OPEN_AIR_BELOW_G_PER_ML = 0.02
"""Voxels below this density may be the air around the patient: ten times air, less than half of the thinnest lung."""
MATTER_ABOVE_G_PER_ML = 0.1
"""Voxels above this density count in the mean density of the medium that carries the photon tail: tissue, not the air around it."""

_THINNEST_G_PER_ML = 0.05
"""Paths of a lower mean density are treated as of this one: there the dose at 60 mm differs from that in vacuum by 1 %."""
_DENSEST_G_PER_ML = 2.6
_BUILT_AT_G_PER_ML = np.concatenate(
    [np.geomspace(_THINNEST_G_PER_ML, THIN_BELOW_G_PER_ML - 1e-3, 20), np.geomspace(THIN_BELOW_G_PER_ML, _DENSEST_G_PER_ML, 19)]
)
"""Densities at which voxel kernels are integrated, 8 to 14 % apart; a cubic in the logarithm of density goes through them."""
_PARTS = 2
"""Sources are dealt to this many dose volumes, which are summed at the end: fixed, so that sums do not depend on the threads; each takes
memory."""
_STEPS = 8
"""Reports of progress during one dose."""
_HALF_G_PER_ML = 0.5
_TABLE_NODES = 320
"""Steps of ``ρ / (ρ + 0.5)`` in the table: 1.7 % apart in density or less from 0.15 to 1.9 g/mL, linear between."""


@lru_cache(maxsize=1)
def _range_factors() -> tuple[FloatArray, FloatArray]:
    """Densities, and how much shorter in g/cm² electrons get there than in soft tissue: X50 of the kernels, soft tissue over medium."""
    soft = point_kernel("Y-90", "soft")
    known = [("lung", MEDIA["lung"]), ("adipose", MEDIA["adipose"]), ("bone", MEDIA["bone"])]
    pairs = [
        (m.density_g_per_ml, soft.radius_holding_mm(0.5) / (point_kernel("Y-90", n).radius_holding_mm(0.5) * m.density_g_per_ml))
        for n, m in known
    ]
    pairs += [(1.04, 1.0), (1.06, 1.0)]
    table = np.array(sorted(pairs))
    return table[:, 0], table[:, 1]


def range_factor(g_per_ml: Float32Array) -> Float32Array:
    """How much shorter, in g/cm², electrons get in a tissue of this density than in soft tissue of the same mass per area.

    1.011 in lung, 1.006 in fat, 0.972 in cortical bone (ratio of X50 of the Y-90 kernels in these media), linear between.
    """
    densities, factors = _range_factors()
    return np.interp(g_per_ml, densities, factors).astype(np.float32)


@attrs.frozen(eq=False)
class _Pairs:
    """Everything about the pairs of voxels of one grid and nuclide that does not depend on the patient."""

    offsets: IntArray
    table_row: IntArray
    parents: IntArray
    weights: Float32Array
    shells: IntArray
    nearest_mm: Float32Array
    table: Float32Array
    reaches: tuple[float, float]
    padding: tuple[int, int, int]


def _offsets(spacing: FloatArray) -> tuple[IntArray, IntArray]:
    """Offsets within the longest path (and one voxel more, for parents) in shells of equal largest index difference."""
    limit = LONGEST_PATH_MM + float(np.linalg.norm(spacing))
    half = np.floor(limit / spacing).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-h, h + 1) for h in half), indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid[np.linalg.norm(grid * spacing, axis=1) <= limit]
    shell = np.abs(grid).max(axis=1)
    order = np.argsort(shell, kind="stable")
    shells = np.searchsorted(shell[order], np.arange(shell.max() + 2))
    return grid[order], shells


def _parents(offsets: IntArray) -> tuple[IntArray, Float32Array]:
    """The four offsets around the point one shell nearer on the way to each offset, and their bilinear weights."""
    half = np.abs(offsets).max(axis=0)
    place = np.zeros(2 * half + 1, dtype=np.int64)
    place[tuple((offsets + half).T)] = np.arange(len(offsets))
    shell = np.maximum(np.abs(offsets).max(axis=1), 1)
    point = offsets * ((shell - 1) / shell)[:, None]
    low = np.floor(point + 1e-9).astype(np.int64)
    share = np.where(point - low < 1e-9, 0.0, point - low)
    across = np.argsort(share == 0.0, axis=1, kind="stable")[:, :2]
    index = np.zeros((len(offsets), 4), dtype=np.int64)
    weight = np.zeros((len(offsets), 4), dtype=np.float32)
    rows = np.arange(len(offsets))
    for corner in range(4):
        bits = np.zeros_like(offsets)
        bits[rows, across[:, 0]] = corner & 1
        bits[rows, across[:, 1]] = corner >> 1
        factor = np.where(bits == 1, share, 1.0 - share)
        weight[:, corner] = factor[rows, across[:, 0]] * factor[rows, across[:, 1]]
        index[:, corner] = place[tuple(np.clip(low + bits + half, 0, 2 * half).T)]
    index[weight == 0.0] = np.broadcast_to(index[:, :1], index.shape)[weight == 0.0]
    return index, weight


def _table(nuclide: str, spacing_mm: Spacing, size: IntArray) -> Float32Array:
    """Energy fraction over density for every offset of an octant, by density; shape (offsets, nodes)."""
    built = np.zeros((len(_BUILT_AT_G_PER_ML), *size))
    for node, density in enumerate(_BUILT_AT_G_PER_ML):
        kernel = point_kernel(nuclide, "soft").at_density(float(density))
        reach = _reaches(nuclide)[int(density >= THIN_BELOW_G_PER_ML)] / float(density)
        full = build_voxel_kernel(kernel, spacing_mm, min(reach, LONGEST_PATH_MM)).fraction
        full *= float(kernel.cumulative(kernel.electron_reach_mm) / kernel.cumulative(reach))
        octant = full[tuple(slice(n // 2, n // 2 + int(s)) for n, s in zip(full.shape, size, strict=True))]
        built[node][tuple(slice(0, n) for n in octant.shape)] = octant
    x = np.minimum(np.arange(_TABLE_NODES + 2) / _TABLE_NODES, 1.0 - 1e-9)
    density = np.clip(_HALF_G_PER_ML * x / (1.0 - x), _THINNEST_G_PER_ML, _DENSEST_G_PER_ML)
    spline = PchipInterpolator(np.log(_BUILT_AT_G_PER_ML), built.reshape(len(built), -1), axis=0)
    return np.ascontiguousarray((np.maximum(spline(np.log(density)), 0.0) / density[:, None]).T.astype(np.float32))


def _reaches(nuclide: str) -> tuple[float, float]:
    """Water-equivalent reach of electrons in thin and in other media, mm·g/mL."""
    kernel = point_kernel(nuclide, "soft").at_density(1.0)
    near = float(kernel.cumulative(kernel.electron_reach_mm))
    return kernel.radius_holding_mm(THIN_HOLDS_FRACTION * near), kernel.electron_reach_mm


@lru_cache(maxsize=4)
def _pairs(nuclide: str, spacing_mm: Spacing) -> _Pairs:
    spacing = np.array(spacing_mm)
    offsets, shells = _offsets(spacing)
    size = np.abs(offsets).max(axis=0) + 1
    rows = np.ravel_multi_index(tuple(np.abs(offsets).T), tuple(size))
    parents, weights = _parents(offsets)
    nearest = np.linalg.norm(np.maximum(np.abs(offsets) - 1, 0) * spacing, axis=1).astype(np.float32)
    padding = (int(size[0]), int(size[1]), int(size[2]) + LANES)
    return _Pairs(offsets, rows, parents, weights, shells, nearest, _table(nuclide, spacing_mm, size), _reaches(nuclide), padding)


class DensityKernel:
    """Superposition of voxel kernels by the mean density between source and target.

    Exact in uniform media of any density; first order elsewhere: electrons go straight, so that scatter across an edge (dose builds
    up or falls by some per cent within a few millimetres of lung or bone) is left out. Ask Monte Carlo there.
    """

    name = "kernel-density"
    version = "2"

    def dose(self, activity: ActivityMap, density: DensityMap, constant: DoseConstant, report: Report) -> EngineDose:
        """See :class:`opensirt.radioembolisation.transport.result.DoseEngine`.

        Photons beyond the electrons' reach are spread in a uniform medium of the mean density of all voxels above 0.1 g/mL, and
        turned into dose with that density.
        """
        require_dosimetric(activity, density)
        grid, nuclide = activity.grid, activity.nuclide.name
        bq, rho = activity.bq_per_ml, density.g_per_ml
        spacing = orthogonal_spacing(grid)
        medium = _mean_density(rho)
        tail = photon_tail(bq, grid, nuclide, density_g_per_ml=float(f"{medium:.2g}"), box=support(bq))
        pairs = _pairs(nuclide, spacing)
        report(0.1)
        factor = range_factor(rho)
        open_air = air_around(rho, bq)
        along = np.where(open_air, np.float32(SOFT_TISSUE_G_PER_ML), rho * factor)
        dose, left = _superposed(bq, along, pairs, report)
        beyond = _beyond(along, dose > 0.0)
        left += float(dose.sum(where=open_air, dtype=np.float64)) * SOFT_TISSUE_G_PER_ML
        dose *= factor
        photons = 0.0
        for k in range(grid.shape[0]):
            plane = tail.plane(k)
            photons += float(plane.sum())
            dose[k] += plane / np.float32(medium)
        dose *= np.float32(constant.value * G_PER_KG / BQ_PER_GBQ)
        per_bq_per_ml = constant.value / BQ_PER_GBQ * grid.voxel_volume_ml
        emitted = emitted_j(activity, constant)
        point = point_kernel(nuclide, "soft")
        tail_left = emitted * (1.0 - float(point.cumulative(point.electron_reach_mm))) - photons * per_bq_per_ml
        book = EnergyBook(emitted, energy_j(dose, rho, grid.voxel_volume_ml), left * per_bq_per_ml + tail_left)
        report(1.0)
        return EngineDose(DoseMap(dose, grid), book, self.name, self.version, SOFT_UNCERTAINTY, LUNG_UNCERTAINTY, beyond)


def air_around(g_per_ml: Float32Array, bq_per_ml: Float32Array) -> BoolArray:
    """Air that reaches the edge of the grid and holds no activity: around the body, not inside it.

    Lung, however thin, is not air: emphysema reads 0.05 g/mL, air 0.0012.

    Electrons that leave the body are followed as into tissue, and what they leave there is booked as having left: along straight paths
    it makes no difference to the body, and spares following them over decimetres of air.
    """
    regions, count = label((g_per_ml <= OPEN_AIR_BELOW_G_PER_ML) & (bq_per_ml <= 0.0))
    if count == 0:
        return np.zeros(g_per_ml.shape, dtype=np.bool_)
    at_edge = np.zeros(count + 1, dtype=np.bool_)
    for axis in range(3):
        for end in (0, -1):
            at_edge[np.unique(np.take(regions, end, axis=axis))] = True
    at_edge[0] = False
    return np.asarray(at_edge[regions])


def _beyond(along_g_per_ml: Float32Array, reached: BoolArray) -> DensitiesBeyond:
    """Voxels that electrons reach and whose density, as it counts along paths, the table of kernels does not hold."""
    return DensitiesBeyond(
        int(np.count_nonzero(reached & (along_g_per_ml < _THINNEST_G_PER_ML))),
        int(np.count_nonzero(reached & (along_g_per_ml > _DENSEST_G_PER_ML))),
        _THINNEST_G_PER_ML,
        _DENSEST_G_PER_ML,
    )


def _mean_density(g_per_ml: Float32Array) -> float:
    matter = g_per_ml > MATTER_ABOVE_G_PER_ML
    count = int(np.count_nonzero(matter))
    if count == 0:
        return MATTER_ABOVE_G_PER_ML
    return float(g_per_ml.sum(where=matter, dtype=np.float64)) / count


def _superposed(bq: Float32Array, mass_density: Float32Array, pairs: _Pairs, report: Report) -> tuple[Float32Array, float]:
    """Dose over K, and the activity equivalent of what left the grid, taken to go on at the density of the last voxel inside."""
    box = support(bq)
    low = [a - p for a, p in zip(box.start, pairs.padding, strict=True)]
    high = [b + p for b, p in zip(box.stop, pairs.padding, strict=True)]
    take = [np.clip(np.arange(a, b), 0, n - 1) for a, b, n in zip(low, high, bq.shape, strict=True)]
    density = np.ascontiguousarray(mass_density[np.ix_(*take)])
    activity = np.zeros(density.shape, dtype=np.float32)
    activity[tuple(slice(a - lo, b - lo) for a, b, lo in zip(box.start, box.stop, low, strict=True))] = bq[box.slices]
    rows = np.argwhere(activity.max(axis=2) > 0)
    columns = (pairs.padding[2], pairs.padding[2] + box.stop[2] - box.start[2])
    table = (pairs.table, np.float32(_HALF_G_PER_ML), np.float32(_TABLE_NODES))
    reaches = (np.float32(THIN_BELOW_G_PER_ML), np.float32(pairs.reaches[0]), np.float32(pairs.reaches[1]))
    geometry = (pairs.offsets, pairs.table_row, pairs.parents, pairs.weights, pairs.shells, pairs.nearest_mm)
    volumes = [np.zeros(density.shape, dtype=np.float32) for _ in range(_PARTS)]
    for step in range(_STEPS):

        def run(part: int, step: int = step) -> None:
            mine = rows[step * _PARTS + part :: _STEPS * _PARTS]
            scatter((mine, *columns, np.empty(LANES, np.float32)), activity, density, geometry, table, reaches, volumes[part])

        on_threads(run, range(_PARTS))
        report(0.1 + 0.85 * (step + 1) / _STEPS)
    for other in volumes[1:]:
        volumes[0] += other
    spread = volumes[0]
    dose = np.zeros(bq.shape, dtype=np.float32)
    inside = [(max(a, 0), min(b, n)) for a, b, n in zip(low, high, bq.shape, strict=True)]
    kept = spread[tuple(slice(a - lo, b - lo) for (a, b), lo in zip(inside, low, strict=True))]
    dose[tuple(slice(a, b) for a, b in inside)] = kept
    energy = np.multiply(spread, density, out=spread)
    return dose, float(energy.sum(dtype=np.float64) - kept.sum(dtype=np.float64))

"""Less noise from what is known: the homogeneous medium is solved by convolution, only the difference is drawn.

Every history is followed twice with the same random numbers, in the patient and in the homogeneous medium. With ``H`` and ``G`` the two
tallies and ``K`` the convolution of the same activity with the kernel of that medium, ``H + c (K − G)`` has the mean of ``H`` for any
``c`` that does not depend on this tally, and the least variance for ``c = cov(H, G) / var(G)``. ``c`` of each voxel comes from the other
half of the batches.

Sources from which no electron can reach a change of medium or density need no histories at all: their dose is the kernel's.
"""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, distance_transform_edt

from opensirt.radioembolisation.transport.montecarlo.batches import Sums
from opensirt.radioembolisation.transport.montecarlo.kernels import OwnKernel, own_voxel_kernel
from opensirt.radioembolisation.transport.montecarlo.outcome import Run
from opensirt.radioembolisation.transport.montecarlo.photons import convolved
from opensirt.radioembolisation.transport.montecarlo.problem import FloatArray, IntArray, Problem

BoolArray = npt.NDArray[np.bool_]

FASTEST_REACH_MM = 12.0
"""No electron of Y-90 gets further at density 1: range of 2.28 MeV in water 11.2 mm (ESTAR), in fat 11.4."""
LAYERS_MM = (1.5, 3.5, 6.0, FASTEST_REACH_MM)
"""Sources are sorted by their distance to the nearest change, in mm at density 1: the farther, the fewer histories they need."""
LEAST_DETERMINATION_RATIO = 0.3
"""Squared correlation below which a voxel is scored plainly: the coefficient's own noise would cost what it gains."""
SPARSE_RATIO = 0.5
"""Variance over squared mean of a single batch above which a voxel is hardly hit: two hits a batch."""
LEAST_SHARE_FRACTION = 0.2
"""Share of the activity that must lie in one medium and density for its kernel to pay."""
THIN_RATIO = 0.7
"""Changes to less than this part of the medium's density (lung) are sorted apart: what crosses them is spread over many more voxels."""
AIR_BELOW_G_PER_ML = 0.02


@attrs.frozen(eq=False)
class Variate:
    """The homogeneous side of a problem.

    Attributes
    ----------
    kernel : OwnKernel
        Of the medium that holds most activity.
    number : int
        That medium's number.
    g_per_ml : float
        Its density.
    layer : ndarray of int64
        For each source voxel: −1 if no electron from it reaches a change, 0 if it lies in another medium or density (scored plainly),
        1, 2 … by distance to the nearest change.
    """

    kernel: OwnKernel
    number: int
    g_per_ml: float
    layer: IntArray

    @property
    def started(self) -> BoolArray:
        """Source voxels from which histories are started."""
        return np.asarray(self.layer >= 0)

    @property
    def paired(self) -> BoolArray:
        """Source voxels whose histories are followed in the homogeneous medium too."""
        return np.asarray(self.layer > 0)

    @property
    def reaches_thin(self) -> BoolArray:
        """Source voxels from which electrons can reach thin tissue."""
        return np.asarray((self.layer >= 0) & (self.layer <= len(LAYERS_MM)))


def homogeneous_geometry(problem: Problem, number: int, g_per_ml: float) -> tuple[object, ...]:
    """The problem's box filled with one medium; beyond it lies vacuum, out of reach."""
    shape = problem.shape
    index = np.indices(shape, sparse=True)
    to_edge = np.minimum.reduce(np.broadcast_arrays(*[np.minimum(a, n - 1 - a) for a, n in zip(index, shape, strict=True)]))
    clear = np.minimum(to_edge, 255).astype(np.uint8)
    return np.full(shape, number, np.uint8), np.full(shape, g_per_ml, np.float32), clear, problem.spacing_cm


def _most_active(problem: Problem) -> tuple[int, float, float]:
    """Medium and density that hold most activity, and their share of it."""
    k, j, i = problem.voxels.T
    pairs = np.stack([problem.number[k, j, i].astype(np.float64), problem.g_per_ml[k, j, i].astype(np.float64)], axis=1)
    kinds, place = np.unique(pairs, axis=0, return_inverse=True)
    held = np.bincount(place.ravel(), weights=problem.share, minlength=len(kinds))
    best = int(np.argmax(held))
    return int(kinds[best, 0]), float(kinds[best, 1]), float(held[best])


def distance_mm(other: BoolArray, problem: Problem) -> FloatArray:
    """Least distance from each voxel, anywhere in it, to voxels of another kind."""
    near = binary_dilation(other, np.ones((3, 3, 3), dtype=bool))
    if not near.any():
        return np.full(problem.shape, np.inf)
    return np.asarray(distance_transform_edt(~near, sampling=problem.spacing_mm))


def _layers(distance_mm: FloatArray) -> IntArray:
    """1, 2 … by distance at density 1; −1 beyond reach."""
    layer = np.searchsorted(np.array(LAYERS_MM), distance_mm, side="right") + 1
    return np.asarray(np.where(distance_mm > FASTEST_REACH_MM, -1, np.minimum(layer, len(LAYERS_MM))), dtype=np.int64)


def variate_of(problem: Problem, nuclide: str, run: Run) -> Variate | None:
    """The homogeneous side of a problem, or nothing where no medium and density holds enough of the activity.

    Parameters
    ----------
    problem : Problem
        Its box must reach :data:`FASTEST_REACH_MM` beyond the activity at the density of every source.
    nuclide : str
        Names the kernel.
    run : Run
        Physics and spectrum.
    """
    number, g_per_ml, held = _most_active(problem)
    if held < LEAST_SHARE_FRACTION:
        return None
    medium = problem.media[number]
    kernel = own_voxel_kernel(
        nuclide, problem.energies_mev, problem.spacing_mm, medium=medium, density_g_per_ml=g_per_ml, physics=run.physics
    )
    same = (problem.number == number) & (problem.g_per_ml == np.float32(g_per_ml))
    k, j, i = problem.voxels.T
    thin = ~same & (problem.g_per_ml < THIN_RATIO * g_per_ml) & (problem.g_per_ml > AIR_BELOW_G_PER_ML)
    to_thin = _layers(distance_mm(thin, problem)[k, j, i] * g_per_ml)
    to_any = _layers(distance_mm(~same, problem)[k, j, i] * g_per_ml)
    layer = np.where(to_thin > 0, to_thin, np.where(to_any > 0, to_any + len(LAYERS_MM), -1))
    layer[~same[k, j, i]] = 0
    return Variate(kernel, number, g_per_ml, layer)


def kernel_solution(problem: Problem, variate: Variate, chosen: BoolArray) -> FloatArray:
    """Share of the energy that some of the sources give every voxel of the box in the homogeneous medium, flat.

    Parameters
    ----------
    problem, variate
        The problem and its homogeneous side.
    chosen : ndarray of bool
        Which source voxels.
    """
    volume = np.zeros(problem.shape, dtype=np.float32)
    if not chosen.any():
        return np.zeros(volume.size)
    k, j, i = problem.voxels[chosen].T
    largest = float(problem.share.max())
    volume[k, j, i] = problem.share[chosen] / largest
    return convolved(volume, variate.kernel.voxel.fraction).astype(np.float64).ravel() * largest


def coefficient(half: Sums, guess: FloatArray) -> FloatArray:
    """Coefficient of every voxel from one half of the batches: 0 where plain scoring does as well, 1 where both tallies are one.

    Parameters
    ----------
    half : Sums
        Paired.
    guess : ndarray
        Taken where the homogeneous tally is hardly hit, so that the batches say nothing: less than once a batch.
    """
    plain, homogeneous, together = half.variance(0), half.variance(2, 2), half.variance(0, 2)
    useful = together * np.abs(together) > LEAST_DETERMINATION_RATIO * plain * homogeneous
    ratio = np.divide(together, homogeneous, out=np.zeros_like(together), where=useful & (homogeneous > 0.0))
    hit = homogeneous < SPARSE_RATIO * half.mean(2) ** 2
    return np.asarray(np.where(hit, np.minimum(ratio, 1.0), guess))


def combined(halves: tuple[Sums, Sums], known: FloatArray, guess: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean of both halves of the batches, each with the coefficient of the other.

    Parameters
    ----------
    halves : tuple of Sums
        Paired, of at least three batches each.
    known : ndarray
        What the kernel gives for the sources that were followed twice.
    guess : ndarray
        Coefficient of voxels that are hardly hit.

    Returns
    -------
    mean, uncertainty : ndarray
        With its statistical standard uncertainty.
    used : ndarray
        How much of ``known`` is in the mean: an error of the kernel is in it to that part.
    """
    first, second = halves
    mean, variance, used = np.zeros_like(known), np.zeros_like(known), np.zeros_like(known)
    for half, other in ((first, second), (second, first)):
        c = coefficient(other, guess)
        mean += 0.5 * (half.mean(0) + c * (known - half.mean(2)))
        spread = half.variance(0) + c * c * half.variance(2, 2) - 2.0 * c * half.variance(0, 2)
        variance += 0.25 * np.maximum(spread, 0.0) / half.batches_number
        used += 0.5 * c
    return mean, np.sqrt(variance), used * known

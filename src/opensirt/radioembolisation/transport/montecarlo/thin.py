"""Lung that is shone upon from outside: histories of its own, which are split on their way in and given up when they cannot get there.

A voxel 2 cm deep in lung receives a hundredth of the dose of the liver beside it, from the few electrons that get so far. The homogeneous
medium says nothing about it. Electrons are split in two where they enter and at every millimetre (at density 1) of depth, each part counting
half, so that about as many travel at every depth; those whose range no longer reaches the wanted voxels are given up, and of those that are not likely to get there three in four, the
fourth counting for all. None of it changes a mean.
"""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from opensirt.radioembolisation.transport.montecarlo.control_variate import AIR_BELOW_G_PER_ML, THIN_RATIO, Variate, distance_mm
from opensirt.radioembolisation.transport.montecarlo.problem import VACUUM_G_PER_ML, IntArray, Problem

BoolArray = npt.NDArray[np.bool_]
HALVING_MM = 0.9
"""Depth, in mm at density 1, that halves the dose in lung beside liver."""
HIGHEST_LEVEL = 6
"""An electron is split into 64 at most."""
_MM_G_PER_ML_PER_G_PER_CM2 = 10.0


@attrs.frozen(eq=False)
class ThinSide:
    """The wanted voxels of thin tissue and what guides histories to them.

    Attributes
    ----------
    wanted : ndarray of bool, shape of the box
        Voxels whose dose comes from these histories.
    level : ndarray of uint8
        How often an electron has been split when it gets there.
    away_g_per_cm2 : ndarray of float32
        Least path from each voxel to a wanted one.
    lean : ndarray of float32, shape of the box and 4
        Likely path from each voxel's centre to thin tissue, g/cm², 0 in thin tissue; and the direction in which it grows.
    stratum : ndarray of int64
        Of every source voxel; −1 where no electron reaches thin tissue.
    """

    wanted: BoolArray
    level: npt.NDArray[np.uint8]
    away_g_per_cm2: npt.NDArray[np.float32]
    lean: npt.NDArray[np.float32]
    stratum: IntArray

    @property
    def multiple(self) -> int:
        """What a history counts must be a multiple of this."""
        return 1 << int(self.level.max())


def thin_tissue(problem: Problem, variate: Variate) -> BoolArray:
    """Voxels of tissue much thinner than the homogeneous medium: lung."""
    return np.asarray((problem.g_per_ml > AIR_BELOW_G_PER_ML) & (problem.g_per_ml < THIN_RATIO * variate.g_per_ml))


def thin_side(problem: Problem, variate: Variate, wanted: BoolArray) -> ThinSide | None:
    """Histories of their own for the thin tissue in which an uncertainty is wanted, or nothing where there is none.

    Parameters
    ----------
    problem, variate
        The problem and its homogeneous side, which says from where thin tissue is reached.
    wanted : ndarray of bool
        Voxels of the box.
    """
    thin = thin_tissue(problem, variate)
    chosen = thin & wanted
    reaching = variate.reaches_thin
    if not chosen.any() or not reaching.any():
        return None
    k, j, i = problem.voxels[reaching].T
    sources = np.zeros(problem.shape, dtype=np.bool_)
    sources[k, j, i] = True
    spacing = problem.spacing_mm
    depth = np.maximum(distance_transform_edt(~sources, sampling=spacing) - 0.5 * min(spacing), 0.0) * problem.g_per_ml
    level = np.where(chosen, np.minimum(depth / HALVING_MM + 1.0, HIGHEST_LEVEL), 0.0).astype(np.uint8)
    stratum = np.full(len(problem.voxels), -1, dtype=np.int64)
    stratum[reaching] = np.unique(variate.layer[reaching], return_inverse=True)[1].ravel()
    return ThinSide(chosen, level, _away(problem, thin, chosen), _lean(problem, thin), stratum)


def _away(problem: Problem, thin: BoolArray, chosen: BoolArray) -> npt.NDArray[np.float32]:
    """A lower bound: from dense tissue to anything thin through the least density of dense tissue; from thin tissue through the least of all."""
    inside = problem.g_per_ml > VACUUM_G_PER_ML  # beyond the grid electrons are lost
    open_ = thin | (inside & (problem.g_per_ml <= AIR_BELOW_G_PER_ML))
    dense = inside & ~open_
    away = distance_mm(chosen, problem) * float(problem.g_per_ml[inside].min())
    if dense.any():
        away[dense] = (distance_mm(open_, problem) * float(problem.g_per_ml[dense].min()))[dense]
    away[chosen] = 0.0
    return (away / _MM_G_PER_ML_PER_G_PER_CM2).astype(np.float32)


def _lean(problem: Problem, thin: BoolArray) -> npt.NDArray[np.float32]:
    """From where, and how far, thin tissue lies: a guess, good near a smooth edge."""
    spacing = problem.spacing_mm
    distance = distance_transform_edt(~thin, sampling=spacing)
    growing = np.stack(np.gradient(distance, *spacing), axis=-1)
    length = np.linalg.norm(growing, axis=-1, keepdims=True)
    direction = np.divide(growing, length, out=np.zeros_like(growing), where=length > 0.0)
    to_face = np.where(thin, 0.0, distance - 0.5 * min(spacing)) * problem.g_per_ml / _MM_G_PER_ML_PER_G_PER_CM2
    return np.concatenate([to_face[..., None], direction], axis=-1).astype(np.float32)

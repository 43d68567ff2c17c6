"""Partial-volume recovery: what each compartment really holds, given that the camera blurs.

Geometric transfer matrix (Rousset, Ma and Evans, J Nucl Med 1998;39:904): the counts seen in a region are a mixture of all regions'
true concentrations, ``t = W a`` with ``W_rs = Σ_v w_r(v) (B u_s)(v)``, where ``u_s`` is the occupancy of region s, ``B`` the blur and
``w_r`` the region's test weights. Only means are used, so uneven uptake inside a region does no harm. The width of the blur is
estimated from the image itself: the width at which the blurred model explains the counts around the organs' edges best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import attrs
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.measured import Measured

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

RECOVERY_VERSION = "1"
FWHM_PER_SIGMA = 2.3548200450309493
WIDTHS_MM = (6.0, 8.5, 11.0, 13.5, 16.0, 19.0, 23.0)
"""Widths (FWHM) at which the model is tried; between them the best is found by a parabola. Scout SPECT resolves 8 to 16 mm."""
_TRUNCATE = 3.5


@attrs.frozen(eq=False)
class Region:
    """One compartment: where it is, and where its counts are read.

    Attributes
    ----------
    key : str
        Its name.
    occupancy : ndarray, float32
        Share of each voxel that it fills (or relative uptake within it), not negative.
    test : ndarray, float32
        Weights of the voxels in which its counts are read; its occupancy unless spill-in must be avoided (lung).
    """

    key: str
    occupancy: Float32Array
    test: Float32Array


@attrs.frozen(eq=False)
class Recovered:
    """True concentrations (counts per unit occupancy) of the regions, and how they were found."""

    keys: tuple[str, ...]
    concentration: FloatArray
    transfer: FloatArray
    seen: FloatArray
    fwhm_mm: float

    def of(self, key: str) -> float:
        """Concentration of one region, counts per fully occupied voxel."""
        return float(self.concentration[self.keys.index(key)])


def blurred(array: Float32Array, spacing_mm: FloatArray, fwhm_mm: float) -> Float32Array:
    """Gaussian blur of a map, only in the box that its tails reach; shape kept, total kept up to the field's edge."""
    box = ndimage.find_objects((array != 0).astype(np.int8))
    if not box:
        return np.zeros_like(array)
    sigma = fwhm_mm / FWHM_PER_SIGMA / spacing_mm
    reach = np.ceil(_TRUNCATE * sigma).astype(int) + 1
    cut = tuple(slice(max(0, s.start - r), min(n, s.stop + r)) for s, r, n in zip(box[0], reach, array.shape, strict=True))
    out = np.zeros_like(array)
    out[cut] = ndimage.gaussian_filter(array[cut], sigma, mode="constant", truncate=_TRUNCATE)
    return out


def _all_blurred(regions: Sequence[Region], spacing_mm: FloatArray, fwhm_mm: float) -> list[Float32Array]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda region: blurred(region.occupancy, spacing_mm, fwhm_mm), regions))


def _transfer(regions: Sequence[Region], spread: Sequence[Float32Array]) -> FloatArray:
    tests = np.stack([region.test.ravel() for region in regions])
    return np.asarray(tests @ np.stack([array.ravel() for array in spread]).T, dtype=np.float64)


def solve(counts: Float32Array, regions: Sequence[Region], spread: Sequence[Float32Array], fwhm_mm: float) -> Recovered:
    """Solve the geometric transfer matrix for the regions' true concentrations.

    Parameters
    ----------
    counts : ndarray, float32
        Counts per voxel.
    regions : sequence of Region
        Non-empty, on the counts' grid.
    spread : sequence of ndarray
        Each region's occupancy, blurred.
    fwhm_mm : float
        Width of that blur, for the record.

    Raises
    ------
    InvalidValue
        If a region is empty or two regions cannot be told apart.
    """
    empty = [region.key for region in regions if not region.test.any()]
    if empty:
        raise InvalidValue(
            f"regions without a voxel: {', '.join(empty)}", "their counts cannot be read", "leave them out or check their masks"
        )
    transfer = _transfer(regions, spread)
    scale = np.sqrt(np.abs(np.diag(transfer)))
    condition = float(np.linalg.cond(transfer / np.outer(scale, scale)))
    if condition > 1e6:
        raise InvalidValue(
            f"regions {', '.join(region.key for region in regions)} cannot be told apart at {fwhm_mm:.1f} mm (condition {condition:.1g})",
            "two masks cover the same voxels",
            "merge them",
        )
    seen = np.array([float(np.sum(region.test.astype(np.float64) * counts)) for region in regions])
    return Recovered(tuple(region.key for region in regions), np.linalg.solve(transfer, seen), transfer, seen, fwhm_mm)


def recover(counts: Float32Array, regions: Sequence[Region], spacing_mm: FloatArray, fwhm_mm: float) -> Recovered:
    """Blur every region and solve; see :func:`solve`."""
    return solve(counts, regions, _all_blurred(regions, spacing_mm, fwhm_mm), fwhm_mm)


def model(recovered: Recovered, maps: Sequence[Float32Array]) -> Float32Array:
    """Sum of maps weighted by the recovered concentrations."""
    total = np.zeros_like(maps[0])
    for concentration, array in zip(recovered.concentration, maps, strict=True):
        total += np.float32(concentration) * array
    return total


def estimate_fwhm(
    counts: Float32Array, regions: Sequence[Region], spacing_mm: FloatArray, where: BoolArray, report: Callable[[float], None]
) -> Measured:
    """Width of the blur from the image itself, FWHM in mm.

    At each trial width the transfer matrix is solved and the blurred model compared with the counts around the organs' edges
    (``where``); a parabola through the three best sums of squares gives the width. The edges are cut into eight parts by the sign of
    each coordinate, each gives a width of its own, and their spread over √8 is the uncertainty, at least 3 %.

    Parameters
    ----------
    counts : ndarray, float32
        Counts per voxel.
    regions : sequence of Region
        All compartments.
    spacing_mm : ndarray, shape (3,)
        Voxel spacing along (k, j, i).
    where : ndarray of bool
        Voxels around edges, where the width shows.
    report : callable
        Takes progress from 0 to 1.

    Returns
    -------
    Measured
        With the contribution ``"psf_width"``.
    """
    index = np.argwhere(where)
    octant = ((index >= np.median(index, axis=0)) * np.array([4, 2, 1])).sum(axis=1)
    values = counts[where].astype(np.float64)
    squares = np.zeros((9, len(WIDTHS_MM)))
    for n, width in enumerate(WIDTHS_MM):
        spread = _all_blurred(regions, spacing_mm, width)
        residual = (values - model(solve(counts, regions, spread, width), spread)[where]) ** 2
        squares[:8, n] = np.bincount(octant, weights=residual, minlength=8)
        squares[8, n] = residual.sum()
        report((n + 1) / len(WIDTHS_MM))
    best = [_lowest(squares[row]) for row in range(9)]
    spread_mm = float(np.std(best[:8], ddof=1)) / np.sqrt(8.0)
    return Measured(best[8], {"psf_width": max(spread_mm, 0.03 * best[8])})


def _lowest(squares: FloatArray) -> float:
    """Position of the minimum of a parabola through the three lowest neighbouring trials; the end itself at an end."""
    widths = np.array(WIDTHS_MM)
    n = int(np.argmin(squares))
    if n in (0, len(widths) - 1):
        return float(widths[n])
    a, b, _ = np.polyfit(widths[n - 1 : n + 2], squares[n - 1 : n + 2], 2)
    return float(np.clip(-b / (2.0 * a), widths[n - 1], widths[n + 1]))

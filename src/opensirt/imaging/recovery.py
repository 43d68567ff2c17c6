"""Partial-volume recovery: what each compartment really holds, given that the camera blurs.

Geometric transfer matrix (Rousset, Ma and Evans, J Nucl Med 1998;39:904): the counts seen in a region are a mixture of all regions'
true concentrations, ``t = W a`` with ``W_rs = Σ_v w_r(v) (B u_s)(v)``, where ``u_s`` is the occupancy of region s, ``B`` the blur and
``w_r`` the region's test weights. Only means are used, so uneven uptake inside a region does no harm. The width of the blur is
estimated from the image itself: the width at which the blurred model explains the counts around the organs' edges best.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.threads import each

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

RECOVERY_VERSION = "2"
FWHM_PER_SIGMA = 2.3548200450309493
WIDTHS_MM = (6.0, 8.5, 11.0, 13.5, 16.0, 19.0, 23.0)
"""Widths (FWHM) at which the model is tried; between them the best is found by a parabola. Scout SPECT resolves 8 to 16 mm."""
NARROWER_MM = (4.0, 2.0)
WIDER_MM = (28.0, 35.0)
"""Tried one after the other where the image is explained best at an end of the widths before."""
_TRUNCATE = 3.5
UNEVEN_UPTAKE = 0.15
"""Relative spread of uptake within one organ from voxel to voxel, which limits how well the blurred model can explain the counts."""
SHIFT_ROUNDS = 3
"""The fit is linear in the shift; each round takes the shift found so far back. After two rounds 5 mm are found to 0.05 mm."""


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
    return each(lambda region: blurred(region.occupancy, spacing_mm, fwhm_mm), regions)


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


@attrs.frozen(eq=False)
class Blur:
    """How the camera blurs and where it lies: width (FWHM, mm) and shift of the emission image against the regions (mm along k, j, i).

    ``beyond`` says that the image is explained best at the narrowest (``"narrow"``) or widest (``"wide"``) width that was tried: the true one
    lies there or beyond, and its uncertainty is not known. Empty otherwise.
    """

    fwhm_mm: Measured
    shift_mm: tuple[Measured, Measured, Measured]
    beyond: str = ""


@attrs.frozen(eq=False)
class _Normal:
    """Normal equations of one trial width, one set per octant of the edges: ``A`` (8, n, n), and the columns they came from."""

    matrix: FloatArray
    columns: FloatArray
    regions: int


def aligned(counts: Float32Array, shift_mm: Sequence[float], spacing_mm: FloatArray) -> Float32Array:
    """The image moved back by a shift along (k, j, i), by cubic splines, which keep its resolution; values may ring below 0."""
    step = -np.asarray(shift_mm) / spacing_mm
    return np.asarray(ndimage.shift(counts, step, order=3, mode="nearest"), dtype=np.float32)


def estimate_blur(
    counts: Float32Array,
    regions: Sequence[Region],
    spacing_mm: FloatArray,
    where: BoolArray,
    rims: Sequence[Float32Array],
    report: Callable[[float], None],
) -> Blur:
    """Width of the blur and shift of the image against the contours, from the image itself.

    In the voxels around edges (``where``) the counts are explained by weighted least squares as a sum of the blurred regions, of three
    shifts (the model's gradients) and of contours drawn too far in or out (``rims``). The shift is taken back and the fit repeated, since a shift looks like blur: 4 mm make 11 mm seem 13.
    The width is the lowest point of a parabola through the lowest trial width and its neighbours; where the lowest lies at an end, narrower or
    wider ones are tried (:data:`NARROWER_MM`, :data:`WIDER_MM`). Uncertainties come from leaving out one eighth of the
    edges at a time (delete-one jackknife over octants; Efron and Tibshirani, An Introduction to the Bootstrap, chapter 11), at least 3 %
    of the width.

    Parameters
    ----------
    counts : ndarray, float32
        Counts per voxel.
    regions : sequence of Region
        All compartments.
    spacing_mm : ndarray, shape (3,)
        Voxel spacing along (k, j, i).
    where : ndarray of bool
        Voxels around edges, where width and shift show.
    rims : sequence of ndarray
        What regions would gain if their contours moved outward: an error of the contours must not pass for blur.
    report : callable
        Takes progress from 0 to 1.

    Returns
    -------
    Blur
        Width with the contribution ``"psf_width"``; shifts with ``"registration.slice"``, ``"registration.row"``, ``"registration.column"``.
    """
    index = np.argwhere(where)
    octant = ((index >= np.median(index, axis=0)) * np.array([4, 2, 1])).sum(axis=1)
    smooth = ndimage.gaussian_filter(counts, 5.0 / spacing_mm)[where].astype(np.float64) + 1.0
    weight = 1.0 / (smooth + (UNEVEN_UPTAKE * smooth) ** 2)
    together = [*regions, *(Region("rim", rim, rim) for rim in rims)]
    fits = {}
    for n, width in enumerate(WIDTHS_MM):
        fits[width] = _normal(counts, together, spacing_mm, where, (octant, weight), width)
        report((n + 1) / (len(WIDTHS_MM) + 1))
    while True:
        shift = np.zeros(3)
        for _ in range(SHIFT_ROUNDS):
            values = (aligned(counts, shift.tolist(), spacing_mm) if shift.any() else counts)[where].astype(np.float64)
            full, left_out = _fitted(fits, values, weight, octant)
            shift = shift - full[1:]
        more = _beyond_ends(fits, (full[0], *left_out[:, 0]))
        if not more:
            break
        for width in more:
            fits[width] = _normal(counts, together, spacing_mm, where, (octant, weight), width)
    spread = np.sqrt(7.0 / 8.0 * np.sum((left_out - left_out.mean(axis=0)) ** 2, axis=0))
    report(1.0)
    shifts = [
        Measured(float(shift[a]), {f"registration.{name}": float(spread[1 + a])})
        for a, name in enumerate(("slice", "row", "column"))
    ]
    fwhm_mm = Measured(float(full[0]), {"psf_width": float(max(spread[0], 0.03 * full[0]))})
    beyond = "narrow" if full[0] == min(fits) else "wide" if full[0] == max(fits) else ""
    return Blur(fwhm_mm, (shifts[0], shifts[1], shifts[2]), beyond)


def _beyond_ends(fits: Mapping[float, _Normal], best_mm: Sequence[float]) -> list[float]:
    """Widths to try next, because a best one lies at an end of those that were tried; none where all lie between or no more are left."""
    narrower = [width for width in NARROWER_MM if width < min(fits)][:1] if min(fits) in best_mm else []
    wider = [width for width in WIDER_MM if width > max(fits)][:1] if max(fits) in best_mm else []
    return narrower + wider


def _normal(
    counts: Float32Array,
    regions: Sequence[Region],
    spacing_mm: FloatArray,
    where: BoolArray,
    grouped: tuple[npt.NDArray[np.int64], FloatArray],
    width: float,
) -> _Normal:
    octant, weight = grouped
    spread = _all_blurred(regions, spacing_mm, width)
    columns = np.stack([array[where] for array in spread], axis=1).astype(np.float64)
    root = np.sqrt(weight)[:, None]
    held = np.linalg.lstsq(columns * root, counts[where] * root[:, 0], rcond=None)[0]
    whole = np.zeros_like(spread[0])
    for amount, array in zip(held, spread, strict=True):
        whole += np.float32(amount) * array
    slopes = [np.gradient(whole, spacing_mm[axis], axis=axis)[where] for axis in range(3)]
    columns = np.concatenate([columns, np.stack(slopes, axis=1)], axis=1)
    matrix = np.stack([(columns[octant == o] * weight[octant == o, None]).T @ columns[octant == o] for o in range(8)])
    return _Normal(matrix, columns, len(regions))


def _fitted(
    fits: Mapping[float, _Normal], values: FloatArray, weight: FloatArray, octant: npt.NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """(width, gradient coefficients) from all edges, shape (4,), and with each octant left out, shape (8, 4)."""
    weighted = weight * values
    own = np.bincount(octant, weights=weighted * values, minlength=8)
    widths = sorted(fits)
    ordered = [fits[width] for width in widths]
    sides = [np.stack([fit.columns[octant == o].T @ weighted[octant == o] for o in range(8)]) for fit in ordered]
    rows = []
    for kept in (np.ones(8), *(1.0 - np.eye(8))):
        squares, slopes = [], []
        for fit, side in zip(ordered, sides, strict=True):
            right = kept @ side
            solution = np.linalg.lstsq(np.tensordot(kept, fit.matrix, 1), right, rcond=1e-12)[0]
            squares.append(float(kept @ own - solution @ right))
            slopes.append(solution[fit.regions :])
        best = lowest_mm(widths, squares)
        steps = np.array([np.interp(best, widths, [s[axis] for s in slopes]) for axis in range(3)])
        rows.append(np.concatenate([[best], steps]))
    return rows[0], np.array(rows[1:])


def lowest_mm(widths_mm: Sequence[float], squares: Sequence[float]) -> float:
    """Lowest point of the parabola through the lowest trial and its two neighbours; the end itself where the lowest trial is an end.

    With ``f0 > f1 ≤ f2`` it lies between the midpoints of ``w0, w1`` and ``w1, w2`` by itself: nothing has to keep it there.

    Parameters
    ----------
    widths_mm : sequence of float
        Trial widths, ascending.
    squares : sequence of float
        Weighted sum of squares of each.
    """
    n = int(np.argmin(squares))
    if n in (0, len(widths_mm) - 1):
        return float(widths_mm[n])
    (w0, w1, w2), (f0, f1, f2) = widths_mm[n - 1 : n + 2], squares[n - 1 : n + 2]
    falling, rising = (f1 - f0) / (w1 - w0), (f2 - f1) / (w2 - w1)
    return float(0.5 * (w0 + w1) - 0.5 * falling * (w2 - w0) / (rising - falling))

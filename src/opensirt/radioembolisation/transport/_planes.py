"""Linear convolution of a volume with a small symmetric kernel, one plane at a time.

Each plane of activity is transformed once in two dimensions (it then still fits into the processor's cache), the planes within the
kernel's reach along k are added in the frequency domain with the kernel's own, real, transforms, and each plane of dose is transformed
back once. Planes without activity cost nothing, rows and columns outside the box that holds activity are never touched, and nothing is
padded along k.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import local

import numpy as np
import numpy.typing as npt
from scipy import fft

from opensirt.vocabulary.errors import InvalidValue

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

ROUNDING_FACTOR = 8.0
"""Rounding of a single-precision transform of N points is random with a spread of about ``ε √(log₂ N)`` of the root mean square
(ε = 6e-8; measured: largest of 10⁸ values 0.8 of that). Values below 8 times that spread are rounding; more negative ones a defect."""
_EPSILON = float(np.finfo(np.float32).eps) / 2.0


@dataclass(frozen=True)
class Box:
    """A half-open box of indices along (k, j, i)."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box as slices."""
        a, b = self.start, self.stop
        return slice(a[0], b[0]), slice(a[1], b[1]), slice(a[2], b[2])


@dataclass(frozen=True)
class Plane:
    """One plane of a convolution: the values inside the grid, and the book of what is not among them."""

    rows: slice
    columns: slice
    values: Float32Array
    outside: float
    """Sum of the values that fall outside the grid, rows and columns."""
    rounded: float
    """Sum of the values that were rounding and were set to zero."""


def support(volume: Float32Array) -> Box:
    """The smallest box that holds every non-zero voxel of a non-negative volume that is not zero everywhere."""
    over_k = np.array([plane.max() > 0 for plane in volume])
    kept = np.flatnonzero(over_k)
    flat = volume[kept[0] : kept[-1] + 1].max(axis=0) > 0
    rows, columns = np.flatnonzero(flat.any(axis=1)), np.flatnonzero(flat.any(axis=0))
    start = (int(kept[0]), int(rows[0]), int(columns[0]))
    return Box(start, (int(kept[-1]) + 1, int(rows[-1]) + 1, int(columns[-1]) + 1))


def _cosines(half: int, size: int, count: int) -> FloatArray:
    """Transform of a symmetric sequence given at 0 … half: matrix (count, half + 1)."""
    matrix = np.cos(2.0 * math.pi / size * np.outer(np.arange(count), np.arange(half + 1)))
    matrix[:, 1:] *= 2.0
    return np.asarray(matrix)


class PlaneConvolution:
    """A non-negative volume convolved with a kernel that is symmetric along every axis, plane by plane.

    Parameters
    ----------
    volume : ndarray, shape (nk, nj, ni)
        Single precision, not negative, not zero everywhere.
    kernel : ndarray, odd shape
        Non-negative, symmetric, centred.
    box : Box
        Holds every non-zero voxel of the volume.
    chunk : int
        Planes of the result that are asked for, in order, before the next sources are transformed: bounds memory.
    """

    def __init__(self, volume: Float32Array, kernel: FloatArray, box: Box, chunk: int) -> None:
        self._volume = volume
        self._box = box
        self._half = tuple(n // 2 for n in kernel.shape)
        wide = [self._box.stop[axis] - self._box.start[axis] + 2 * self._half[axis] for axis in (1, 2)]
        self._size = (int(fft.next_fast_len(wide[0], real=False)), int(fft.next_fast_len(wide[1], real=True)))
        hk, hj, hi = self._half
        octant = kernel[hk:, hj:, hi:]
        over_j = _cosines(hj, self._size[0], self._size[0])
        over_i = _cosines(hi, self._size[1], self._size[1] // 2 + 1)
        spectra = np.einsum("djf,yj->dyf", np.einsum("djx,fx->djf", octant, over_i), over_j)
        self._kernel = [np.repeat(spectrum, 2, axis=1).astype(np.float32) for spectrum in spectra]
        self._ring = np.empty((chunk + 2 * hk, self._size[0], self._size[1] + 2 - self._size[1] % 2), dtype=np.float32)
        self._squares: dict[int, float] = {}
        self._room = local()

    @property
    def planes(self) -> range:
        """Planes of the full linear convolution; some may lie outside the grid."""
        return range(self._box.start[0] - self._half[0], self._box.stop[0] + self._half[0])

    def sources(self, planes: range) -> range:
        """Planes of the volume that the given planes of the result need and that are not transformed yet."""
        low = max(planes.start - self._half[0], self._box.start[0])
        high = min(planes.stop + self._half[0], self._box.stop[0])
        return range(max(low, max(self._squares, default=low - 1) + 1), high)

    def transform(self, k: int) -> None:
        """Transform one plane of the volume into the ring of spectra; planes without activity are remembered as such."""
        (_, j0, i0), (_, j1, i1) = self._box.start, self._box.stop
        if not hasattr(self._room, "padded"):
            self._room.padded = np.zeros(self._size, dtype=np.float32)
        padded: Float32Array = self._room.padded
        _, hj, hi = self._half
        padded[hj : hj + j1 - j0, hi : hi + i1 - i0] = self._volume[k, j0:j1, i0:i1]
        self._squares[k] = float(np.einsum("ji,ji->", padded, padded))  # no BLAS: its threads would spin beside ours
        if self._squares[k] > 0.0:
            self._ring[k % len(self._ring)] = fft.rfft2(padded).view(np.float32)

    def plane(self, k: int) -> Plane | None:
        """One plane of the result, or nothing where no activity is within reach.

        Raises
        ------
        InvalidValue
            If a value is negative by more than rounding explains.
        """
        total = self._combined(k)
        if total is None:
            return None
        spectrum, squares = total
        everything = float(spectrum[0, 0])
        nk, nj, ni = self._volume.shape
        if not 0 <= k < nk:
            return Plane(slice(0, 0), slice(0, 0), np.zeros((0, 0), np.float32), everything, 0.0)
        whole = fft.irfft2(spectrum.view(np.complex64), self._size, overwrite_x=True)
        corner = [self._box.start[1] - self._half[1], self._box.start[2] - self._half[2]]
        end = [self._box.stop[1] + self._half[1], self._box.stop[2] + self._half[2]]
        low = [max(c, 0) for c in corner]
        high = [min(e, n) for e, n in zip(end, (nj, ni), strict=True)]
        values = whole[low[0] - corner[0] : high[0] - corner[0], low[1] - corner[1] : high[1] - corner[1]]
        points = self._size[0] * self._size[1]
        bound = ROUNDING_FACTOR * _EPSILON * math.sqrt(math.log2(points) * squares / points)
        lowest = float(values.min())
        if lowest < -bound:
            raise InvalidValue(
                f"a convolution of non-negative arrays came out at {lowest:.3g} where rounding explains {bound:.3g}",
                f"plane {k}",
                "report this as a defect",
            )
        held = kept = float(values.sum())
        if lowest < bound:
            np.multiply(values, values >= bound, out=values)
            kept = float(values.sum())
        return Plane(slice(low[0], high[0]), slice(low[1], high[1]), values, everything - held, held - kept)

    def _combined(self, k: int) -> tuple[Float32Array, float] | None:
        """Spectrum of plane ``k`` of the result, with the sum of squares of the activity within reach."""
        total: Float32Array | None = None
        squares = 0.0
        for distance, coefficients in enumerate(self._kernel):
            near = [n for n in sorted({k - distance, k + distance}) if self._squares.get(n, 0.0) > 0.0]
            if not near:
                continue
            squares += sum(self._squares[n] for n in near)
            pair = [self._ring[n % len(self._ring)] for n in near]
            if total is None:
                total = np.empty_like(coefficients)
                term = total
            elif not hasattr(self._room, "term"):
                self._room.term = term = np.empty_like(coefficients)
            else:
                term = self._room.term
            np.multiply(np.add(pair[0], pair[1], out=term) if len(pair) == 2 else pair[0], coefficients, out=term)
            if term is not total:
                total += term
        return None if total is None else (total, squares)

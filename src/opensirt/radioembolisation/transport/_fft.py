"""Linear convolution of a sparse volume with a small kernel: only the box that holds something is transformed, in single precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from opensirt.vocabulary.errors import InvalidValue

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

WORKERS = 2
NEGATIVE_BOUND = 3e-6
"""Largest negative value of a convolution of non-negative arrays in single precision, as a fraction of its maximum: rounding of a
transform of N points grows as ε √(log₂ N), ε = 6e-8; 3e-6 leaves a factor of ten."""


@dataclass(frozen=True)
class Box:
    """A half-open box of indices."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box as slices."""
        a, b = self.start, self.stop
        return slice(a[0], b[0]), slice(a[1], b[1]), slice(a[2], b[2])

    def grown(self, by: tuple[int, int, int], shape: tuple[int, ...]) -> Box:
        """The box grown on every side, cut to a shape."""
        start = tuple(max(0, s - g) for s, g in zip(self.start, by, strict=True))
        stop = tuple(min(n, e + g) for n, e, g in zip(shape, self.stop, by, strict=True))
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def support(volume: npt.NDArray[np.floating]) -> Box:
    """The smallest box that holds every non-zero voxel of a non-negative volume."""
    slabs = volume.max(axis=2) > 0
    rows = slabs.any(axis=1)
    columns = slabs.any(axis=0)
    first_k, last_k = np.flatnonzero(rows)[[0, -1]]
    first_j, last_j = np.flatnonzero(columns)[[0, -1]]
    depth = volume[first_k : last_k + 1, first_j : last_j + 1].max(axis=(0, 1)) > 0
    first_i, last_i = np.flatnonzero(depth)[[0, -1]]
    return Box((int(first_k), int(first_j), int(first_i)), (int(last_k) + 1, int(last_j) + 1, int(last_i) + 1))


def _shape_for(volume: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(fft.next_fast_len(n + m - 1, real=axis == 2) for axis, (n, m) in enumerate(zip(volume, kernel, strict=True)))


def convolve_box(volume: Float32Array, kernel: FloatArray, out: Float32Array, box: Box) -> None:
    """Add the linear convolution of ``volume[box]`` with ``kernel`` (odd sizes, centred) to ``out``.

    What falls outside ``out`` is dropped; the caller books it. Long boxes are cut along k into blocks that overlap-add, which bounds
    memory.

    Raises
    ------
    InvalidValue
        If the result is negative by more than rounding explains.
    """
    half = tuple(n // 2 for n in kernel.shape)
    depth = box.stop[0] - box.start[0]
    block = depth if depth <= 96 else -(-depth // -(-depth // 72))
    spectra: dict[tuple[int, ...], npt.NDArray[np.complex64]] = {}
    for first in range(box.start[0], box.stop[0], block):
        part = Box((first, *box.start[1:]), (min(first + block, box.stop[0]), *box.stop[1:]))
        piece = volume[part.slices]
        padded = _shape_for(piece.shape, kernel.shape)
        if padded not in spectra:
            spectra[padded] = fft.rfftn(kernel.astype(np.float32), padded, workers=WORKERS)
        spectrum = fft.rfftn(piece, padded, workers=WORKERS)
        spectrum *= spectra[padded]
        result = fft.irfftn(spectrum, padded, workers=WORKERS, overwrite_x=True)
        del spectrum
        target, source = [], []
        for axis in range(3):
            low = part.start[axis] - half[axis]
            high = part.stop[axis] + half[axis]
            target.append(slice(max(low, 0), min(high, out.shape[axis])))
            source.append(slice(max(low, 0) - low, min(high, out.shape[axis]) - low))
        kept = result[tuple(source)]
        lowest, highest = float(kept.min()), float(kept.max())
        if lowest < -NEGATIVE_BOUND * max(highest, 1e-30):
            raise InvalidValue(
                f"a convolution of non-negative arrays came out at {lowest:.3g} with a maximum of {highest:.3g}",
                "rounding explains at most a few millionths",
                "report this as a defect",
            )
        np.maximum(kept, 0.0, out=kept)
        out[tuple(target)] += kept

"""Unevenness that a camera cannot resolve: estimated from what it does resolve, and drawn.

Within one compartment the uptake is taken as a random field ``1 + h`` with covariance ``σ² exp(−r²/2ℓ²)``. The camera shows ``B h + n``: blur
and count noise. At a lag of a few voxels, where noise is no longer correlated, the covariance of what is seen tells ``σ`` and ``ℓ`` together; a prior
says what one image alone cannot. Given ``σ``, ``ℓ`` and the image, ``h`` has in the frequency domain the mean ``W r`` and the variance
``S (1 − W B)`` with the Wiener filter ``W = S B / (S B² + N)`` (Wiener 1949; conditional simulation after Matheron 1973). A dose needs ``K h``, with the
transform ``K`` of the voxel kernel: one product more.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

LAG_MM = 8.0
"""Distance at which the seen covariance is read: two voxels, beyond the reach of interpolation onto the working grid."""
LENGTHS_MM = (4.0, 5.5, 7.5, 10.0, 14.0, 20.0)
"""Correlation lengths that are weighed; shorter ones are smoothed by the kernel itself, longer ones are resolved by every camera."""
SPREADS = tuple(float(s) for s in np.exp(np.linspace(np.log(0.03), np.log(0.9), 24)))
"""Relative spreads that are weighed."""
MISFIT_RELATIVE = 0.05
"""Relative spread, voxel by voxel and without correlation, of what the blurred model of compartments fails to explain otherwise. Assumed; it also
bounds how far a filter may sharpen."""


@attrs.frozen
class TexturePrior:
    """Relative spread of uptake within a compartment before the image was asked: log-normal, assumed."""

    median_relative: float
    log_relative: float


@attrs.frozen(eq=False)
class Residual:
    """Counts over blurred model minus 1 in one box, zero outside ``inside``; ``noise`` is the variance of one voxel.

    ``deep`` are the voxels far enough from the compartment's edge that a misplaced edge does not pass for unevenness; all where too few are.
    """

    values: Float32Array
    inside: npt.NDArray[np.bool_]
    noise: float
    deep: npt.NDArray[np.bool_]


@attrs.frozen(eq=False)
class Texture:
    """Weights of pairs (spread, length) given the images of a class of compartments; sum 1."""

    weight: FloatArray

    def drawn(self, score: float) -> tuple[float, float]:
        """Spread and length at a quantile of the weights, given as a standard score."""
        from scipy.special import ndtr

        at = int(np.searchsorted(np.cumsum(self.weight.ravel()), min(float(ndtr(score)), 1.0 - 1e-12)))
        row, column = np.unravel_index(min(at, self.weight.size - 1), self.weight.shape)
        return SPREADS[row], LENGTHS_MM[column]

    @property
    def mean_spread_fraction(self) -> float:
        """Weighted mean of the spread."""
        return float(self.weight.sum(axis=1) @ np.array(SPREADS))


def _lags(inside: npt.NDArray[np.bool_], spacing: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Number of pairs of voxels at each offset, and the squared distance in mm²."""
    size = [2 * n for n in inside.shape]
    spectrum = fft.rfftn(inside.astype(np.float64), size)
    pairs = np.rint(fft.irfftn(np.abs(spectrum) ** 2, size))
    axes = [np.where(np.arange(n) < n // 2, np.arange(n), np.arange(n) - n) * s for n, s in zip(size, spacing, strict=True)]
    squared = axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2
    held = pairs > 0
    return np.asarray(pairs[held], dtype=np.float64), np.asarray(squared[held], dtype=np.float64)


def _seen(values: Float32Array, inside: npt.NDArray[np.bool_], spacing: FloatArray) -> tuple[float, float]:
    """Mean product of pairs one lag apart along the axes (mean removed), and the mean squared lag in mm²."""
    centred = np.where(inside, values - values[inside].mean(), np.float32(0.0)).astype(np.float64)
    total = count = squared = 0.0
    for axis, step in enumerate(spacing):
        n = max(1, round(LAG_MM / step))
        one, other = np.moveaxis(centred, axis, 0), np.moveaxis(inside, axis, 0)
        both = other[n:] & other[:-n]
        found = float(np.count_nonzero(both))
        total += float((one[n:] * one[:-n])[both].sum())
        count += found
        squared += found * (n * step) ** 2
    return (total / count, squared / count) if count else (0.0, 0.0)


def fitted_texture(residuals: Sequence[Residual], spacing: FloatArray, fwhm_sigma_mm: float, prior: TexturePrior) -> Texture:
    """Weights of spreads and lengths: prior times a normal likelihood of the seen covariance of each compartment.

    Parameters
    ----------
    residuals : sequence of Residual
        Compartments that share spread and length (all tumours; all normal liver).
    spacing : ndarray, shape (3,)
        mm along (k, j, i).
    fwhm_sigma_mm : float
        Standard deviation of the camera's blur.
    prior : TexturePrior
        Of the spread; lengths are equally likely beforehand.
    """
    spreads, lengths = np.array(SPREADS)[:, None], np.array(LENGTHS_MM)[None, :]
    log_weight = -0.5 * (np.log(spreads / prior.median_relative) / prior.log_relative) ** 2 + 0.0 * lengths
    for residual in residuals:
        covariance, squared_lag = _seen(residual.values, residual.deep, spacing)
        if squared_lag == 0.0:
            continue
        pairs, squared = _lags(residual.deep, spacing)
        share = pairs / pairs.sum()
        noise = 2.0 * (residual.noise + MISFIT_RELATIVE**2) ** 2 / np.count_nonzero(residual.deep)
        for column, length in enumerate(LENGTHS_MM):
            wide = length**2 + 2.0 * fwhm_sigma_mm**2
            lost = (length**2 / wide) ** 1.5
            correlation = lost * np.exp(-squared / (2.0 * wide))
            expected = lost * np.exp(-squared_lag / (2.0 * wide)) - float(share @ correlation)
            spread_of = 2.0 * float(share @ correlation**2)
            variance = spreads[:, 0] ** 4 * spread_of + noise
            log_weight[:, column] -= 0.5 * ((covariance - spreads[:, 0] ** 2 * expected) ** 2 / variance + np.log(variance))
    weight = np.exp(log_weight - log_weight.max())
    return Texture(np.asarray(weight / weight.sum()))


@attrs.frozen(eq=False)
class TextureField:
    """What is kept of one compartment's image to draw its unevenness in the dose domain, in one box.

    Attributes
    ----------
    shape : tuple of int
        Of the box, padded so that what wraps round stays outside the compartment.
    seen : ndarray, complex64
        Transform of the residual.
    squared : ndarray, float32
        Squared angular frequency, 1/mm², of the half spectrum.
    blur, kernel : ndarray, float32
        Transforms of the camera's blur and of the voxel kernel (of sum 1).
    noise : float
        Variance of one voxel.
    voxel_mm3 : float
        Volume of one voxel.
    """

    shape: tuple[int, int, int]
    seen: npt.NDArray[np.complex64]
    squared: Float32Array
    blur: Float32Array
    kernel: Float32Array
    noise: float
    voxel_mm3: float

    def draw(self, spread_fraction: float, length_mm: float, generator: np.random.Generator) -> Float32Array:
        """Unevenness of dose given the image, one draw; shape ``shape``."""
        spectrum, filter_ = self._filters(spread_fraction, length_mm)
        # white noise in the frequency domain: N variance; its real part is taken by the inverse, so the planes without a mirror hold twice that
        left = spectrum * (np.float32(1.0) - filter_ * self.blur)
        np.sqrt(np.maximum(left, np.float32(0.0), out=left), out=left)
        left *= np.float32(np.sqrt(np.prod(self.shape) / 2.0))
        left[..., 0] *= np.float32(np.sqrt(2.0))
        if self.shape[2] % 2 == 0:
            left[..., -1] *= np.float32(np.sqrt(2.0))
        pairs = generator.standard_normal((*self.squared.shape, 2), dtype=np.float32)
        total = pairs.view(np.complex64)[..., 0]
        total *= left
        total += filter_ * self.seen
        total *= self.kernel
        return np.asarray(fft.irfftn(total, self.shape, overwrite_x=True), dtype=np.float32)

    def expected(self, spread_fraction: float, length_mm: float) -> Float32Array:
        """Mean of all draws."""
        _, filter_ = self._filters(spread_fraction, length_mm)
        return np.asarray(fft.irfftn(filter_ * self.seen * self.kernel, self.shape), dtype=np.float32)

    def _filters(self, spread_fraction: float, length_mm: float) -> tuple[Float32Array, Float32Array]:
        density = spread_fraction**2 * (2.0 * np.pi) ** 1.5 * length_mm**3 / self.voxel_mm3
        spectrum = np.float32(density) * np.exp(np.float32(-0.5 * length_mm**2) * self.squared)
        seen = spectrum * self.blur
        return spectrum, seen / (seen * self.blur + np.float32(self.noise + MISFIT_RELATIVE**2))


def squared_frequency(shape: Sequence[int], spacing: FloatArray) -> Float32Array:
    """Squared angular frequency of the half spectrum, 1/mm²."""
    k, j = (2.0 * np.pi * np.fft.fftfreq(n, s) for n, s in zip(shape[:2], spacing[:2], strict=True))
    i = 2.0 * np.pi * np.fft.rfftfreq(shape[2], spacing[2])
    return np.asarray(k[:, None, None] ** 2 + j[:, None] ** 2 + i**2, dtype=np.float32)


def kernel_transform(fraction: FloatArray, shape: Sequence[int]) -> Float32Array:
    """Transform of a symmetric voxel kernel, scaled to sum 1, about index 0 of a box at least as large."""
    box = np.zeros(tuple(shape))
    half = tuple(n // 2 for n in fraction.shape)
    box[tuple(slice(0, n) for n in fraction.shape)] = fraction / fraction.sum()
    return np.asarray(fft.rfftn(np.roll(box, tuple(-h for h in half), (0, 1, 2))).real, dtype=np.float32)


def filled(values: Float32Array, inside: npt.NDArray[np.bool_], spacing: FloatArray, reach_mm: float) -> Float32Array:
    """Values carried on beyond the compartment and fading out over ``reach_mm``, so that filters meet no step at its edge."""
    weight = inside.astype(np.float32)
    held = np.where(inside, values, np.float32(0.0))
    sigma = reach_mm / spacing
    top = ndimage.gaussian_filter(held, sigma, mode="constant")
    bottom = ndimage.gaussian_filter(weight, sigma, mode="constant")
    outside = np.where(bottom > 1e-3, top / np.maximum(bottom, np.float32(1e-3)), np.float32(0.0))
    distance = ndimage.distance_transform_edt(~inside, sampling=spacing)
    fade = np.exp(-0.5 * (distance / reach_mm) ** 2).astype(np.float32)
    return np.asarray(np.where(inside, values, outside * fade), dtype=np.float32)


def field_of(
    residual: Residual, spacing: FloatArray, sigma_mm: float, fraction: FloatArray, padding: Sequence[int]
) -> TextureField:
    """The field of one compartment: box padded, residual carried on beyond the edge, transforms taken once."""
    shape = tuple(
        fft.next_fast_len(max(n + p, k), real=True) for n, p, k in zip(residual.values.shape, padding, fraction.shape, strict=True)
    )
    box = np.zeros(shape, dtype=np.float32)
    inside = np.zeros(shape, dtype=bool)
    part = tuple(slice(0, n) for n in residual.values.shape)
    box[part], inside[part] = residual.values, residual.inside
    squared = squared_frequency(shape, spacing)
    seen = fft.rfftn(filled(box, inside, spacing, max(sigma_mm, float(spacing.max())))).astype(np.complex64)
    blur = np.exp(np.float32(-0.5 * sigma_mm**2) * squared)
    size = (int(shape[0]), int(shape[1]), int(shape[2]))
    return TextureField(size, seen, squared, blur, kernel_transform(fraction, shape), residual.noise, float(np.prod(spacing)))

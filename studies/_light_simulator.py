"""A small virtual liver for coverage studies: truth, image and contours in under a second, by code that shares nothing with the estimator.

Fine grid of 2 mm; lesions in two territories; lung above a band of soft tissue. The true dose is a convolution with a kernel made here by drawing
decays from the radial energy distribution; that real transport differs from any kernel (within 5 % of Monte Carlo, Mikell 2015) is a factor per body.
What is drawn per body and never told: blur (its width, its change with position and axis), shift,
contour errors (of the whole and local), unevenness (spread and correlation length), tumour-to-normal ratios, counts, density of liver and lung, gain in lung.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from scipy import fft, ndimage

from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import CountsMap, DensityMap, Occupancy

FINE_MM, COARSE_MM = 2.0, 4.0
SHAPE = (100, 76, 88)
"""Fine voxels along slice, row, column: 200 × 152 × 176 mm."""
GY_KG_PER_GBQ = 49.67
SIGMA_PER_FWHM = 1.0 / 2.3548200450309493


@dataclass(frozen=True)
class Truth:
    """What was put in: doses (Gy) per fine voxel, true masks, and means over compartments."""

    dose_gy: np.ndarray
    tumours: dict[str, np.ndarray]
    normal: np.ndarray
    lung_mean_gy: float
    shunt_fraction: float
    territory_of: dict[str, str]
    right: np.ndarray

    def territory_mask(self, territory: str) -> np.ndarray:
        return self.right if territory == "right" else ~self.right


@dataclass(frozen=True)
class Body:
    """Truth, and what the estimator sees."""

    truth: Truth
    counts: CountsMap
    density: DensityMap
    liver: Occupancy
    lungs: tuple[Occupancy, ...]
    tumours: tuple[Occupancy, ...]
    territories: tuple[Occupancy, ...]
    body: Occupancy
    lung_ct_kg: float
    given_gbq: dict[str, float]


def smooth(rng: np.random.Generator, shape: tuple[int, ...], sigma_mm: float, spacing_mm: float = FINE_MM) -> np.ndarray:
    """White noise through a Gaussian of ``sigma_mm``, spread 1: covariance exp(−r²/4σ²)."""
    frequency = [np.fft.fftfreq(n, spacing_mm) for n in shape[:2]] + [np.fft.rfftfreq(shape[2], spacing_mm)]
    gains = [np.exp(-2.0 * (np.pi * sigma_mm * f) ** 2).astype(np.float32) for f in frequency]
    spectrum = fft.rfftn(rng.standard_normal(shape, dtype=np.float32))
    spectrum *= gains[0][:, None, None]
    spectrum *= gains[1][:, None] * gains[2]
    field = fft.irfftn(spectrum, shape)
    return np.asarray(field / field.std(), dtype=np.float32)


@lru_cache(maxsize=1)
def true_kernel() -> np.ndarray:
    """Share of a decay's energy per voxel of 2 mm about a uniform source voxel, soft tissue: two million decays, radial shares of Y-90."""
    text = (files("opensirt.synthetic.data") / "radial_energy.csv").read_text("utf-8")
    rows = np.array([[float(x) for x in line.split(",")] for line in text.splitlines() if line and not line.startswith("#")])
    radius_mm, within = rows[:, 0], rows[:, 1]
    rng = np.random.default_rng(20260105)
    count, half = 2_000_000, 6
    distance = np.interp(rng.random(count), within, radius_mm, right=1e3) / 1.04
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    end = rng.random((count, 3)) + direction * (distance / FINE_MM)[:, None]
    voxel = np.floor(end).astype(int) + half
    kept = ((voxel >= 0) & (voxel <= 2 * half)).all(axis=1)
    kernel = np.zeros((2 * half + 1,) * 3)
    np.add.at(kernel, tuple(voxel[kept].T), 1.0 / count)
    return (kernel + kernel[::-1, ::-1, ::-1]) / 2.0


def convolved(volume: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    size = [fft.next_fast_len(n + k, real=True) for n, k in zip(volume.shape, kernel.shape, strict=True)]
    whole = fft.irfftn(fft.rfftn(volume.astype(np.float32), size) * fft.rfftn(kernel.astype(np.float32), size), size)
    return whole[tuple(slice(k // 2, k // 2 + n) for n, k in zip(volume.shape, kernel.shape, strict=True))]


def block_mean(fine: np.ndarray) -> np.ndarray:
    k, j, i = (n // 2 for n in fine.shape)
    return fine[: 2 * k, : 2 * j, : 2 * i].reshape(k, 2, j, 2, i, 2).mean(axis=(1, 3, 5), dtype=np.float32)


def _places() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    axes = [((np.arange(n) - (n - 1) / 2) * FINE_MM).astype(np.float32) for n in SHAPE]
    return axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]


def _ellipsoid(centre: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Signed distance (mm), negative inside, good near the surface."""
    parts = [(x - c) for x, c in zip(_places(), centre, strict=True)]
    first = np.sqrt(sum((p / r) ** 2 for p, r in zip(parts, radii, strict=True)))
    second = np.sqrt(sum((p / r**2) ** 2 for p, r in zip(parts, radii, strict=True)))
    return (first * (first - 1.0) / np.maximum(second, 1e-6)).astype(np.float32)


def _drawn_contour(
    distance: np.ndarray, rng: np.random.Generator, whole_mm: float, local_mm: float, wobble_mm: float
) -> np.ndarray:
    """What a person draws: the surface displaced as a whole and in places. Fraction of each coarse voxel inside."""
    near = ndimage.find_objects((distance < 8.0).astype(np.int8))[0]
    box = tuple(slice(s.start // 2 * 2, -(-s.stop // 2) * 2) for s in near)
    moved = distance[box] - np.float32(rng.normal(0.0, whole_mm))
    if local_mm > 0:
        step = 2
        coarse = smooth(rng, tuple(-(-n // step) + 1 for n in moved.shape), wobble_mm, FINE_MM * step)
        field = ndimage.zoom(coarse, step, order=1, mode="nearest", grid_mode=True)
        moved = moved - np.float32(local_mm) * field[tuple(slice(0, n) for n in moved.shape)]
    drawn = np.zeros(tuple(n // 2 for n in distance.shape), dtype=np.float32)
    drawn[tuple(slice(s.start // 2, s.stop // 2) for s in box)] = block_mean((moved < 0).astype(np.float32))
    return drawn


def _camera(activity: np.ndarray, rng: np.random.Generator, fwhm_mm: float) -> np.ndarray:
    """Blur 6 % different per axis, and 8 % wider at one end of the liver than at the other; values on the coarse grid, fine shift applied."""
    axis = rng.uniform(0.94, 1.06, 3)
    slope = rng.uniform(-0.08, 0.08)
    shift = rng.normal(0.0, 2.0, 3) / FINE_MM
    narrow, wide = (
        ndimage.gaussian_filter(activity, fwhm_mm * f * axis * SIGMA_PER_FWHM / FINE_MM, mode="constant", truncate=3.5)
        for f in (1.0 - abs(slope), 1.0 + abs(slope))
    )
    along = np.linspace(0.0, 1.0, activity.shape[2], dtype=np.float32)
    mix = along if slope > 0 else 1.0 - along
    seen = narrow * (1.0 - mix) + wide * mix
    return block_mean(np.maximum(ndimage.shift(seen, shift, order=1, mode="nearest"), 0.0))


def _lesions(rng: np.random.Generator, liver: np.ndarray, plane: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Two to six ellipsoids of 11 to 24 mm, inside the liver, on one side of the plane, apart from each other; three tries of each size."""
    placed: list[tuple[np.ndarray, np.ndarray]] = []
    k, j, i = (axis.ravel() for axis in _places())
    for n in range(int(rng.integers(2, 7))):
        size = float(rng.uniform(15.0, 24.0) if n < 2 else rng.uniform(11.0, 20.0))
        side = -plane if n % 2 == 0 else plane
        for shrink in (1.0, 0.85, 0.7):
            radii = size * shrink * rng.uniform(0.85, 1.18, 3)
            depth = radii.max() + 2.0
            free = np.argwhere((liver < -depth) & (side < -depth))
            where = np.stack([k[free[:, 0]], j[free[:, 1]], i[free[:, 2]]], axis=1)
            for centre, other in placed:
                if len(where):
                    where = where[np.linalg.norm(where - centre, axis=1) > radii.max() + other.max() + 4.0]
            if len(where):
                placed.append((where[int(rng.integers(len(where)))].astype(np.float64), radii))
                break
    return placed


def simulate(seed: int) -> Body:
    """One body: truth, image, contours and density as an estimator may see them."""
    rng = np.random.default_rng(seed)
    liver = _ellipsoid(np.array([-28.0, 0.0, 0.0]), rng.uniform(0.94, 1.06, 3) * np.array([48.0, 52.0, 66.0]))
    z, _, x = _places()
    tilt = rng.uniform(-0.2, 0.2)
    plane = np.broadcast_to(x - np.float32(rng.uniform(4.0, 18.0)) + np.float32(tilt) * z, SHAPE)
    lung = np.broadcast_to(42.0 - z, SHAPE) + np.zeros(SHAPE, dtype=np.float32)
    lesions = {f"T{n + 1}": _ellipsoid(*row) for n, row in enumerate(_lesions(rng, liver, plane))}
    masks = {label: distance < 0 for label, distance in lesions.items()}
    inside, right = liver < 0, plane < 0
    relative = np.where(inside, np.exp(np.float32(rng.uniform(0.08, 0.25)) * smooth(rng, SHAPE, rng.uniform(7.0, 14.0))), 0.0)
    spread, length = rng.uniform(0.15, 0.40), rng.uniform(4.0, 9.0)
    texture = np.exp(np.float32(spread) * smooth(rng, SHAPE, length) - np.float32(spread**2 / 2))
    for mask in masks.values():
        relative[mask] = np.exp(rng.uniform(np.log(2.0), np.log(9.0))) * texture[mask]
    given = {"right": float(rng.uniform(0.35, 0.85)), "left": float(rng.uniform(0.15, 0.4))}
    shunt = float(np.exp(rng.uniform(np.log(0.02), np.log(0.12))))
    total = sum(given.values())
    gbq = np.zeros(SHAPE, dtype=np.float64)
    for label, side in (("right", right), ("left", ~right)):
        part = relative * (inside & side)
        gbq += part * (given[label] * (1.0 - shunt) / part.sum(dtype=np.float64))
    in_lung = lung < 0
    weight = in_lung * np.exp(0.2 * smooth(rng, SHAPE, 16.0))
    in_lungs = weight * (shunt * total / weight.sum(dtype=np.float64))
    density_kg_per_ml = float(rng.normal(1.04, 0.0125)) / 1000.0
    voxel_ml = FINE_MM**3 / 1000.0
    gy_kg_per_gbq = GY_KG_PER_GBQ * float(rng.normal(1.0, 0.0035)) * float(rng.uniform(0.95, 1.05))
    dose = convolved(gbq, true_kernel()) * (gy_kg_per_gbq / (density_kg_per_ml * voxel_ml))
    lung_ml = float(in_lung.sum()) * voxel_ml
    lung_kg = 0.26 * lung_ml / 1000.0
    truth = Truth(
        dose.astype(np.float32), masks, inside & ~np.any(list(masks.values()), axis=0), GY_KG_PER_GBQ * shunt * total / lung_kg, shunt,
        {label: "right" if (right & mask).sum() * 2 > mask.sum() else "left" for label, mask in masks.items()},
        right,
    )  # fmt: skip
    return _seen(rng, truth, (gbq, in_lungs), (liver, plane, lung, lesions), lung_kg, given)


def _seen(rng, truth, activity, distances, lung_kg, given) -> Body:  # type: ignore[no-untyped-def]
    liver, plane, lung, lesions = distances
    gain = float(rng.normal(1.0, 0.065))
    expected = _camera((activity[0] + gain * activity[1]).astype(np.float32), rng, float(rng.uniform(8.0, 16.0)))
    counts = float(np.exp(rng.uniform(np.log(8e5), np.log(3e6))))
    image = rng.poisson(expected * (counts / expected.sum(dtype=np.float64))).astype(np.float32)
    affine = np.zeros((4, 4))
    affine[2, 0] = affine[1, 1] = affine[0, 2] = COARSE_MM
    affine[3, 3] = 1.0
    grid = Grid(image.shape, affine, "light")
    local_mm, wobble_mm = 0.5, 10.0

    def part(kind: StructureKind, fraction: np.ndarray, label: str = "") -> Occupancy:
        return Occupancy(np.clip(fraction, 0.0, 1.0), grid, Structure(kind, label))

    whole = _drawn_contour(liver, rng, 1.0, local_mm, wobble_mm)
    lungs = _drawn_contour(lung, rng, 1.0, 0.0, wobble_mm) * (1.0 - whole)
    tumours = tuple(
        part(StructureKind.TUMOUR, _drawn_contour(distance, rng, 1.0, local_mm, wobble_mm), label)
        for label, distance in lesions.items()
    )
    side = block_mean((plane < 0).astype(np.float32))
    territories = (
        part(StructureKind.TERRITORY, whole * side, "right"),
        part(StructureKind.TERRITORY, whole * (1.0 - side), "left"),
    )
    lung_seen = 0.26 * float(rng.normal(1.0, 0.107))
    density = np.where(lungs > 0.5, np.float32(lung_seen), np.float32(1.04))
    ct_kg = lung_seen * float(lungs.sum(dtype=np.float64)) * COARSE_MM**3 / 1e6
    return Body(
        truth, CountsMap(image, grid), DensityMap(density, grid), part(StructureKind.LIVER, whole), (part(StructureKind.LUNGS, lungs),),
        tumours, territories, part(StructureKind.BODY, np.ones(image.shape, np.float32)), ct_kg, given,
    )  # fmt: skip

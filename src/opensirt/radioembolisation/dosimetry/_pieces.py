"""What one structure needs to be resampled, laid out once: dose per compartment, patterns of displacement and blur, unevenness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from opensirt.imaging.recovery import FWHM_PER_SIGMA, aligned, blurred
from opensirt.radioembolisation.dosimetry._texture import Residual, TextureField, kernel_transform
from opensirt.radioembolisation.transport.spread import SOFT_TISSUE_G_PER_ML
from opensirt.radioembolisation.transport.voxel_kernel import voxel_kernel
from opensirt.radioembolisation.workup.compartments import CompartmentUptake, ScoutImage
from opensirt.radioembolisation.workup.regions import Layout, layout_of
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import MissingInput
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.units import MM3_PER_ML
from opensirt.vocabulary.volumes import Occupancy

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Slices = tuple[slice, slice, slice]

FINE_MM = 2.0
"""Spacing of the grid on which tumours are resampled: 5 % of the volume of a lesion of 30 mm lie in its outer 0.25 mm, and a voxel of 4 mm
across its edge shares the dose of the tissue beside it."""
LARGEST_FINE_ML = 300.0
"""Larger tumours stay on the working grid: their edge is a small part of them."""
PURE = 0.95
"""Occupancy from which a voxel's counts are a compartment's own."""
EDGE_MM = 6.0
"""Depth to which a displaced contour moves the tissue under it, one standard deviation."""
_MARGIN_MM = 12.0
"""Reach of electrons in soft tissue: activity further away gives no dose."""
LIVER_KINDS = (StructureKind.TUMOUR, StructureKind.NORMAL_LIVER)
AXES = ("slice", "row", "column")


@attrs.frozen(eq=False)
class Piece:
    """One structure: its voxels, and how dose there depends on what is drawn.

    Attributes
    ----------
    key : str
        Of the structure.
    volume_ml : ndarray, shape (n,)
        Volume that each voxel stands for.
    compartments : tuple of str
        Compartments that give dose here.
    gy : ndarray, float32, shape (compartments, n)
        Dose of each with even uptake.
    scored : tuple of str
        Sources whose standard score moves the shape of the dose.
    patterns : ndarray, float32, shape (scored, n)
        Relative change of dose per score.
    edge : ndarray, float32, shape (n,)
        Relative change of dose per mm by which the contour is drawn too far out.
    at : ndarray, shape (3, n)
        Positions in voxels of the emission's box.
    place_mm : ndarray, float32, shape (3, n)
        Positions along (k, j, i), for fields that vary over the surface.
    texture : str
        Class of its unevenness: ``"tumour"``, ``"liver"``, or empty where only the mean is resampled.
    field : TextureField or None
        Unevenness.
    corners : tuple of ndarray
        Flat indices into the field's box and weights, shape (corners, n).
    """

    key: str
    volume_ml: FloatArray
    compartments: tuple[str, ...]
    gy: Float32Array
    scored: tuple[str, ...]
    patterns: Float32Array
    edge: Float32Array
    at: FloatArray
    place_mm: Float32Array
    texture: str
    field: TextureField | None = None
    corners: tuple[npt.NDArray[np.int64], Float32Array] = (np.zeros((0, 0), np.int64), np.zeros((0, 0), np.float32))

    @property
    def mean_gy(self) -> float:
        """Mean dose as laid out."""
        return float(np.sum(self.volume_ml * self.gy.sum(axis=0)) / self.volume_ml.sum())

    def scaled_to(self, stated_gy: float) -> Piece:
        """The same shape with a stated mean: what is planned with stays what is shown."""
        mean_gy = self.mean_gy
        return attrs.evolve(self, gy=self.gy * np.float32(stated_gy / mean_gy)) if mean_gy > 0.0 else self

    def with_field(self, field: TextureField, start: Sequence[int]) -> Piece:
        """The same piece with its unevenness, whose box begins at ``start`` in the emission's box."""
        return attrs.evolve(self, field=field, corners=_trilinear(self.at - np.array(start)[:, None], field.shape))


@attrs.frozen(eq=False)
class Emission:
    """The emission image as the compartments explain it, in the box of the liver.

    Attributes
    ----------
    box : tuple of slice
        Part of the working grid.
    layout : Layout
        Compartments on the whole grid.
    liver : ndarray of bool
        The whole liver in the box.
    log_slope : tuple of ndarray
        Gradient of the logarithm of the blurred model along (k, j, i), 1/mm.
    per_width : ndarray
        Relative change of recovered counts if the blur is one standard uncertainty wider.
    residual : ndarray
        Counts over blurred model minus 1.
    noise : ndarray
        Variance of that by count noise.
    """

    box: Slices
    layout: Layout
    liver: BoolArray
    spacing: FloatArray
    log_slope: tuple[Float32Array, Float32Array, Float32Array]
    per_width: Float32Array
    residual: Float32Array
    noise: Float32Array
    sigma_mm: float


def _box_of(inside: BoolArray, margin_mm: float, spacing: FloatArray) -> Slices:
    found = ndimage.find_objects(inside.astype(np.int8))[0]
    reach = np.ceil(margin_mm / spacing).astype(int)
    cut = [slice(max(0, s.start - int(r)), min(n, s.stop + int(r))) for s, r, n in zip(found, reach, inside.shape, strict=True)]
    return cut[0], cut[1], cut[2]


def emission_of(image: ScoutImage, uptake: CompartmentUptake, noise_factor: float) -> Emission:
    """Model of the emission image from the recovered shares, and what it leaves unexplained."""
    layout = layout_of(image, 20.0)
    spacing = image.counts.grid.spacing_mm
    box = _box_of(image.liver.fraction > 0, 2.0 * _MARGIN_MM, spacing)
    fwhm = uptake.fwhm_mm
    near = tuple(slice(max(0, s.start - r), s.stop + r) for s, r in zip(box, np.ceil(30.0 / spacing).astype(int), strict=True))
    inner = tuple(slice(s.start - n.start, s.stop - n.start) for s, n in zip(box, near, strict=True))
    sharp = np.zeros(image.counts.counts[near].shape, dtype=np.float32)
    for key, occupancy in zip(layout.keys, layout.maps, strict=True):
        held = float(occupancy.sum(dtype=np.float64))
        sharp += np.float32(max(uptake.compartment(key).share.value, 0.0) / held) * occupancy[near]
    seen = blurred(sharp, spacing, fwhm.value)[inner]
    wider = blurred(sharp, spacing, fwhm.value + fwhm.standard_uncertainty)[inner]
    shift = [s.value for s in uptake.shift_mm]
    counts = aligned(image.counts.counts[near], shift, spacing)[inner]
    liver = image.liver.fraction[box] >= 0.5
    scale = float(counts[liver].sum(dtype=np.float64)) / float(seen[liver].sum(dtype=np.float64))
    expected = np.maximum(seen * np.float32(scale), np.float32(1e-6 * float(seen.max()) * scale))
    log_seen = np.log(expected)
    slopes = [np.asarray(g / s, dtype=np.float32) for g, s in zip(np.gradient(log_seen), spacing, strict=True)]
    per_width = -np.log(np.maximum(wider * np.float32(scale), np.float32(1e-6 * float(seen.max()) * scale)) / expected)
    return Emission(
        box, layout, liver, spacing, (slopes[0], slopes[1], slopes[2]), np.asarray(per_width, dtype=np.float32),
        np.asarray(counts / expected - 1.0, dtype=np.float32), np.float32(noise_factor) / expected, fwhm.value / FWHM_PER_SIGMA,
    )  # fmt: skip


def residual_of(emission: Emission, occupancy: Float32Array, *, least: float = PURE) -> tuple[Residual, Slices] | None:
    """Residual in the box of a compartment; ``None`` where too few voxels are its own."""
    inside = occupancy[emission.box] >= least
    if np.count_nonzero(inside) < 8:
        return None
    box = _box_of(inside, 2.5 * float(emission.spacing.max()), emission.spacing)
    part = inside[box]
    values = np.where(part, emission.residual[box] - emission.residual[box][part].mean(), np.float32(0.0))
    return Residual(values.astype(np.float32), part, float(emission.noise[box][part].mean())), box


def _convolved(volume: Float32Array, fraction: FloatArray) -> Float32Array:
    shape = [int(fft.next_fast_len(n + k - 1, real=True)) for n, k in zip(volume.shape, fraction.shape, strict=True)]
    spread = fft.irfftn(fft.rfftn(volume, shape) * kernel_transform(fraction, shape), shape)
    return np.asarray(spread[tuple(slice(0, n) for n in volume.shape)], dtype=np.float32)


def _sources(emission: Emission, means: Mapping[str, Measured]) -> list[tuple[str, Float32Array]]:
    """Compartments of the liver with their map, scaled to mean dose: activity with even uptake, in units of local dose."""
    found = []
    for key, kind, occupancy in zip(emission.layout.keys, emission.layout.kinds, emission.layout.maps, strict=True):
        if kind not in LIVER_KINDS:
            continue
        if key not in means:
            raise MissingInput(
                f"no mean dose of {key}", f"given are {', '.join(sorted(means))}", "give the planned mean of every compartment"
            )
        found.append((key, np.float32(max(means[key].value, 0.0)) * occupancy[emission.box]))
    return found


def _trilinear(at: FloatArray, shape: Sequence[int]) -> tuple[npt.NDArray[np.int64], Float32Array]:
    """Flat indices and weights, shape (corners, n), of linear interpolation at positions (3, n); corners without weight are left out."""
    size = np.array(shape)[:, None]
    within = np.minimum(np.maximum(at, 0.0), size - 1.0)
    low = np.minimum(np.floor(within).astype(np.int64), size - 2)
    part = within - low
    rows, weights = [], []
    for corner in np.ndindex(2, 2, 2):
        step = np.array(corner)[:, None]
        weight = np.prod(np.where(step == 1, part, 1.0 - part), axis=0)
        if weight.any():
            rows.append(np.ravel_multi_index(tuple(low + step), tuple(shape)))
            weights.append(weight)
    return np.array(rows), np.array(weights, dtype=np.float32)


def _patterns(
    emission: Emission, at: FloatArray, outward: Float32Array, contour: tuple[str, float], shift: Sequence[Measured]
) -> tuple[tuple[str, ...], Float32Array, Float32Array]:
    """Relative change of dose per score of registration, blur and contour, and per mm of contour, at positions in the emission's box."""

    def read(array: Float32Array) -> Float32Array:
        return np.asarray(ndimage.map_coordinates(array, at, order=1, mode="nearest"), dtype=np.float32)

    slopes = [read(g) for g in emission.log_slope]
    rows = [np.float32(u.standard_uncertainty) * slope for u, slope in zip(shift, slopes, strict=True)]
    along = np.sum(outward * np.array(slopes), axis=0, dtype=np.float32)
    key, contour_mm = contour
    rows += [read(emission.per_width), np.float32(contour_mm) * along]
    names = (*(f"registration.{axis}" for axis in AXES), "psf_width", key)
    return names, np.array(rows, dtype=np.float32), along


def _outward(inside: BoolArray, spacing: FloatArray) -> list[Float32Array]:
    """Direction along (k, j, i) in which the surface moves; of length 1 there, fading out with depth: the middle does not move."""
    depth = ndimage.distance_transform_edt(inside, sampling=spacing) - ndimage.distance_transform_edt(~inside, sampling=spacing)
    slopes = np.array([-g / s for g, s in zip(np.gradient(depth), spacing, strict=True)])
    length = np.sqrt(np.sum(slopes**2, axis=0))
    fade = np.exp(-0.5 * (depth / EDGE_MM) ** 2) / np.maximum(length, 1e-6)
    return [np.asarray(s * fade, dtype=np.float32) for s in slopes]


def _spacing(spacing: FloatArray) -> tuple[float, float, float]:
    return float(spacing[0]), float(spacing[1]), float(spacing[2])


def _kernel(nuclide: str, spacing: FloatArray) -> FloatArray:
    return voxel_kernel(nuclide, _spacing(spacing), density_g_per_ml=SOFT_TISSUE_G_PER_ML).fraction


@attrs.frozen(eq=False)
class _Fine:
    """A tumour's surroundings on a finer grid: which voxels are tumour, and the compartments around it."""

    box: Slices
    factors: tuple[int, int, int]
    spacing: FloatArray
    inside: BoolArray
    sources: tuple[tuple[str, Float32Array], ...]

    @property
    def at(self) -> FloatArray:
        """Positions of the tumour's voxels in voxels of the emission's box."""
        index = np.argwhere(self.inside)
        start = np.array([s.start for s in self.box])
        return np.asarray(((index + 0.5) / np.array(self.factors) - 0.5 + start).T)


def _fine(key: str, emission: Emission, means: Mapping[str, Measured]) -> _Fine:
    """The level of occupancy that holds the tumour's volume is its surface; around it the other compartments fill what it leaves."""
    sources = dict(_sources(emission, means))
    maps = {name: emission.layout.maps[emission.layout.keys.index(name)][emission.box] for name in sources}
    spacing = emission.spacing
    voxels = float(maps[key].sum(dtype=np.float64))
    whole = voxels * float(spacing.prod()) / MM3_PER_ML > LARGEST_FINE_ML
    factors = [1 if whole else max(1, math.ceil(s / FINE_MM - 1e-6)) for s in spacing]
    box = _box_of(maps[key] > 0, _MARGIN_MM, spacing)

    def up(array: Float32Array) -> Float32Array:
        return np.asarray(ndimage.zoom(array[box], factors, order=1, mode="nearest", grid_mode=True), dtype=np.float32)

    level = up(maps[key])
    wanted = max(1, round(voxels * math.prod(factors)))
    inside = level >= np.partition(level.ravel(), -wanted)[-wanted]
    left = np.maximum(np.float32(1.0) - level, np.float32(0.1))
    found = [(key, inside * np.float32(max(means[key].value, 0.0)))]
    for name in sources:
        if name != key and maps[name][box].any():
            around = np.minimum(up(maps[name]) / left, np.float32(1.0)) * np.float32(max(means[name].value, 0.0))
            found.append((name, np.where(inside, np.float32(0.0), around)))
    return _Fine(box, (factors[0], factors[1], factors[2]), spacing / factors, inside, tuple(found))


def tumour_piece(
    key: str, emission: Emission, uptake: CompartmentUptake, means: Mapping[str, Measured], contour_mm: float, nuclide: str
) -> Piece:
    """A tumour on a grid of about 2 mm: its own dose and that of what surrounds it."""
    fine = _fine(key, emission, means)
    inside = fine.inside
    kernel = _kernel(nuclide, fine.spacing)
    rows = [_convolved(source, kernel)[inside] for _, source in fine.sources]
    outward = np.array([g[inside] for g in _outward(inside, fine.spacing)])
    at = fine.at
    scored, patterns, edge = _patterns(emission, at, outward, (f"contour.{key}", contour_mm), uptake.shift_mm)
    weight = np.full(at.shape[1], float(fine.spacing.prod()) / MM3_PER_ML)
    place = np.asarray(at * emission.spacing[:, None], dtype=np.float32)
    names = tuple(name for name, _ in fine.sources)
    return Piece(key, weight, names, np.array(rows), scored, patterns, edge, at, place, "tumour")


def liver_piece(
    region: Occupancy, emission: Emission, uptake: CompartmentUptake, means: Mapping[str, Measured], contour_mm: float, nuclide: str
) -> Piece:
    """A region of the liver on the working grid: every compartment that gives dose to it."""
    weight = region.fraction[emission.box]
    inside = weight > 0
    kernel = _kernel(nuclide, emission.spacing)
    sources = _sources(emission, means)
    rows = [_convolved(source, kernel)[inside] for _, source in sources]
    outward = np.array([g[inside] for g in _outward(emission.liver, emission.spacing)])
    at = np.argwhere(inside).T.astype(np.float64)
    scored, patterns, edge = _patterns(emission, at, outward, ("contour.liver", contour_mm), uptake.shift_mm)
    ml = weight[inside].astype(np.float64) * float(emission.spacing.prod()) / MM3_PER_ML
    place = np.asarray(at * emission.spacing[:, None], dtype=np.float32)
    names = tuple(name for name, _ in sources)
    return Piece(region.structure.key, ml, names, np.array(rows), scored, patterns, edge, at, place, "liver")


def plain_piece(region: Occupancy, dose_gy: Float32Array) -> Piece:
    """A structure outside the liver: the dose map itself, moved as a whole by its mean."""
    inside = region.fraction > 0
    count = int(np.count_nonzero(inside))
    ml = region.fraction[inside].astype(np.float64) * region.grid.voxel_volume_ml
    nothing = np.zeros((0, count), dtype=np.float32)
    key = region.structure.key
    return Piece(
        key, ml, (key,), dose_gy[inside][None], (), nothing, np.zeros(count, np.float32), np.zeros((3, count)), nothing, ""
    )

"""What one structure needs to be resampled, laid out once: dose per compartment, patterns of displacement and blur, unevenness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from opensirt.imaging.recovery import FWHM_PER_SIGMA, aligned, blurred
from opensirt.radioembolisation.dosimetry._fine_liver import REACH_MM, FineLiver, Slices, box_of, sharp
from opensirt.radioembolisation.dosimetry._texture import Residual, TextureField
from opensirt.radioembolisation.workup.compartments import CompartmentUptake, ScoutImage
from opensirt.radioembolisation.workup.regions import Layout, layout_of
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.volumes import Occupancy

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

LARGEST_FINE_ML = 300.0
"""Larger tumours are read by voxels of the working grid."""
PURE = 0.95
"""Occupancy from which a voxel's counts are a compartment's own."""
FEWEST_VOXELS = 8
"""A compartment with fewer voxels of its own tells nothing about its unevenness."""
DEEP_MM = 10.0
"""Depth from which an edge drawn wrongly or a blur that varies over the field no longer shows: about the width of the blur."""
FEWEST_DEEP = 1000
"""Fewer voxels than these at that depth tell less than all of them."""
EDGE_MM = 6.0
"""Depth to which a displaced contour moves the tissue under it, one standard deviation."""
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
    scale : float
        Stated mean over the mean of the dose map, for a structure that is resampled on the map.
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
    scale: float = 1.0
    field: TextureField | None = None
    corners: tuple[npt.NDArray[np.int64], Float32Array] = (np.zeros((0, 0), np.int64), np.zeros((0, 0), np.float32))

    @property
    def mean_gy(self) -> float:
        """Mean dose as laid out."""
        return float(np.sum(self.volume_ml * self.gy.sum(axis=0)) / self.volume_ml.sum())

    def scaled_to(self, stated_gy: float, map_gy: float) -> Piece:
        """The same shape with a stated mean: what is planned with stays what is shown."""
        if not self.texture:
            return attrs.evolve(self, scale=stated_gy / map_gy if map_gy > 0.0 else 1.0)
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
    blurred : mapping of str to ndarray
        Share of the blurred model that comes from each compartment.
    sigma_mm : float
        Standard deviation of the blur.
    """

    box: Slices
    layout: Layout
    liver: BoolArray
    spacing: FloatArray
    log_slope: tuple[Float32Array, Float32Array, Float32Array]
    per_width: Float32Array
    residual: Float32Array
    noise: Float32Array
    blurred: Mapping[str, Float32Array]
    sigma_mm: float


def emission_of(image: ScoutImage, uptake: CompartmentUptake, noise_factor: float) -> Emission:
    """Model of the emission image from the recovered shares, and what it leaves unexplained."""
    layout = layout_of(image, 20.0)
    spacing = image.counts.grid.spacing_mm
    box = box_of(image.liver.fraction > 0, 2.0 * REACH_MM, spacing)
    fwhm = uptake.fwhm_mm
    near = tuple(slice(max(0, s.start - r), s.stop + r) for s, r in zip(box, np.ceil(30.0 / spacing).astype(int), strict=True))
    inner = tuple(slice(s.start - n.start, s.stop - n.start) for s, n in zip(box, near, strict=True))
    total = np.zeros(image.counts.counts[near].shape, dtype=np.float32)
    own: dict[str, Float32Array] = {}
    for key, kind, occupancy in zip(layout.keys, layout.kinds, layout.maps, strict=True):
        per_voxel = max(uptake.compartment(key).share.value, 0.0) / float(occupancy.sum(dtype=np.float64))
        held = np.asarray(np.float32(per_voxel) * occupancy[near])
        total += held
        if kind in (StructureKind.TUMOUR, StructureKind.NORMAL_LIVER):
            own[key] = blurred(held, spacing, fwhm.value)[inner]
    seen, wider = (blurred(total, spacing, f)[inner] for f in (fwhm.value, fwhm.value + fwhm.standard_uncertainty))
    counts = aligned(image.counts.counts[near], [s.value for s in uptake.shift_mm], spacing)[inner]
    liver = image.liver.fraction[box] >= 0.5
    scale = np.float32(counts[liver].sum(dtype=np.float64) / seen[liver].sum(dtype=np.float64))
    least = np.float32(1e-6 * float(seen.max()))
    seen, wider = np.maximum(seen, least), np.maximum(wider, least)
    slopes = [np.asarray(g / s, dtype=np.float32) for g, s in zip(np.gradient(np.log(seen)), spacing, strict=True)]
    expected = seen * scale
    return Emission(
        box, layout, liver, spacing, (slopes[0], slopes[1], slopes[2]), np.asarray(np.log(seen / wider), dtype=np.float32),
        np.asarray(counts / expected - 1.0, dtype=np.float32), np.float32(noise_factor) / expected,
        {key: part / seen for key, part in own.items()}, fwhm.value / FWHM_PER_SIGMA,
    )  # fmt: skip


def residual_of(emission: Emission, keys: Sequence[str]) -> tuple[Residual, Slices] | None:
    """What the even model leaves of some compartments together, relative to their own part of it; ``None`` where too few voxels are their own.

    Where half of the counts spill in from elsewhere, 10 % more counts mean 20 % more uptake.
    """
    maps = [m[emission.box] for key, m in zip(emission.layout.keys, emission.layout.maps, strict=True) if key in keys]
    inside = np.sum(maps, axis=0) >= PURE
    if np.count_nonzero(inside) < FEWEST_VOXELS:
        return None
    box = box_of(inside, 2.5 * float(emission.spacing.max()), emission.spacing)
    part = inside[box]
    own = np.sum([emission.blurred[key][box] for key in keys], axis=0)[part]
    if float(own.min()) <= 0.0:
        return None
    relative = emission.residual[box][part] / own
    values = np.zeros(part.shape, dtype=np.float32)
    values[part] = relative - relative.mean()
    deep = ndimage.distance_transform_edt(part, sampling=emission.spacing) > DEEP_MM
    if np.count_nonzero(deep) < FEWEST_DEEP:
        deep = part
    return Residual(values, part, float((emission.noise[box][part] / own**2).mean()), deep), box


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
    rows: list[Float32Array] = [
        np.asarray(np.float32(u.standard_uncertainty) * slope) for u, slope in zip(shift, slopes, strict=True)
    ]
    along: Float32Array = np.asarray(np.sum(outward * np.array(slopes), axis=0, dtype=np.float32))
    key, contour_mm = contour
    rows += [read(emission.per_width), np.asarray(np.float32(contour_mm) * along)]
    names = (*(f"registration.{axis}" for axis in AXES), "psf_width", key)
    return names, np.array(rows, dtype=np.float32), along


def _outward(inside: BoolArray, spacing: FloatArray) -> list[Float32Array]:
    """Direction along (k, j, i) in which the surface moves; of length 1 there, fading out with depth: the middle does not move."""
    depth = ndimage.distance_transform_edt(inside, sampling=spacing) - ndimage.distance_transform_edt(~inside, sampling=spacing)
    slopes = np.array([-g / s for g, s in zip(np.gradient(depth), spacing, strict=True)])
    length = np.sqrt(np.sum(slopes**2, axis=0))
    fade = np.exp(-0.5 * (depth / EDGE_MM) ** 2) / np.maximum(length, 1e-6)
    return [np.asarray(s * fade, dtype=np.float32) for s in slopes]


def _positions(inside: BoolArray, start: Sequence[int], factors: Sequence[int]) -> FloatArray:
    """Centres of finer voxels, in voxels of the emission's box."""
    index = np.argwhere(inside) + np.array(start)
    return np.asarray(((index + 0.5) / np.array(factors) - 0.5).T)


def tumour_piece(key: str, emission: Emission, fine: FineLiver, shift: Sequence[Measured], contour_mm: float) -> Piece:
    """A tumour on the finer grid: its own dose and that of what surrounds it."""
    box, inside = fine.masks.inside[key]
    names, rows = [], []
    for name in fine.gy:
        row = fine.read(name, box)[inside]
        if name == key or float(row.max()) > 0.0:
            names.append(name)
            rows.append(row)
    outward = np.array([g[inside] for g in _outward(inside, fine.masks.spacing)])
    at = _positions(inside, [s.start for s in box], fine.masks.factors)
    scored, patterns, edge = _patterns(emission, at, outward, (f"contour.{key}", contour_mm), shift)
    ml = np.full(at.shape[1], fine.masks.voxel_ml)
    place = np.asarray(at * emission.spacing[:, None], dtype=np.float32)
    return Piece(key, ml, tuple(names), np.array(rows), scored, patterns, edge, at, place, "tumour")


def liver_piece(
    region: Occupancy, emission: Emission, fine: FineLiver, shift: Sequence[Measured], contour: tuple[str, float]
) -> Piece:
    """A region of the liver by voxels of the working grid; each stands for that part of it which lies in the region."""
    box = box_of(region.fraction[emission.box] > 0, 0.0, emission.spacing)
    inside = sharp(region.fraction[emission.box][box], fine.masks.factors)
    place = tuple(slice(s.start * f, s.stop * f) for s, f in zip(box, fine.masks.factors, strict=True))
    shape = [n for s, f in zip(box, fine.masks.factors, strict=True) for n in (s.stop - s.start, f)]
    count = inside.reshape(shape).sum(axis=(1, 3, 5))
    held = count > 0
    names, rows = list(fine.gy), []
    for name in names:
        own = np.where(inside, fine.read(name, (place[0], place[1], place[2])), np.float32(0.0))
        rows.append(own.reshape(shape).sum(axis=(1, 3, 5))[held] / count[held].astype(np.float32))
    at = np.argwhere(held).T.astype(np.float64) + np.array([s.start for s in box])[:, None]
    index = tuple(at.astype(np.int64))
    outward = np.array([g[index] for g in _outward(emission.liver, emission.spacing)])
    scored, patterns, edge = _patterns(emission, at, outward, contour, shift)
    ml = count[held].astype(np.float64) * fine.masks.voxel_ml
    where = np.asarray(at * emission.spacing[:, None], dtype=np.float32)
    kind = "tumour" if region.structure.kind is StructureKind.TUMOUR else "liver"
    return Piece(region.structure.key, ml, tuple(names), np.array(rows), scored, patterns, edge, at, where, kind)


def plain_piece(key: str) -> Piece:
    """A structure outside the liver: the histogram of the dose map itself, moved as a whole by its mean."""
    nothing = np.zeros((0, 0), dtype=np.float32)
    return Piece(key, np.zeros(0), (), nothing, (), nothing, np.zeros(0, np.float32), np.zeros((3, 0)), nothing, "")

"""Scanner and gamma camera: CT slices, SPECT with blur and Poisson noise, and two planar views with attenuation and scatter."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from opensirt.synthetic.anatomy import FINE_MM, Anatomy, Field, linear_along
from opensirt.synthetic.uptake import Uptake, smooth_field
from opensirt.vocabulary.anatomy import Structure
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import CountsMap, HounsfieldMap, Mask

FWHM_PER_SIGMA = 2.3548200450309493
ATTENUATION_CM2_PER_G = {"Y-90": 0.150, "Ho-166": 0.183}
"""Mass attenuation of water at 140.5 keV (Tc-99m, the scout of Y-90) and 80.6 keV (Ho-166), NIST XCOM, cm²/g."""


@attrs.frozen
class CameraSecrets:
    """What the estimator is never told.

    ``psf_fwhm_mm`` along (k, j, i); ``shift_mm`` between emission image and CT; ``lung_gain`` the error of attenuation and scatter
    correction in lung; ``contour_mm`` systematic placement error per structure, drawn when contours are made.
    """

    psf_fwhm_mm: tuple[float, float, float]
    shift_mm: tuple[float, float, float]
    lung_gain: float
    contour_sd_mm: float


@attrs.frozen
class ImagingOptions:
    """Matrices and counts."""

    ct_matrix: int = 256
    ct_slice_mm: float = 2.5
    spect_voxel_mm: tuple[float, float, float] = (4.42, 4.8, 4.8)
    spect_counts: float = 3.0e6
    planar_counts: float = 6.0e5
    contour_sd_mm: float = 1.0
    tilt_degrees: float = 0.0


def draw_secrets(rng: np.random.Generator, options: ImagingOptions) -> CameraSecrets:
    """Blur of 8–16 mm, a shift of 2 mm standard deviation per axis, 6.5 % lung quantification."""
    fwhm = float(rng.uniform(8.0, 16.0))
    axes = tuple(float(fwhm * f) for f in rng.uniform(0.95, 1.05, 3))
    shift = tuple(float(s) for s in rng.normal(0.0, 2.0, 3))
    return CameraSecrets(
        (axes[0], axes[1], axes[2]), (shift[0], shift[1], shift[2]), float(rng.normal(1.0, 0.065)), options.contour_sd_mm
    )


def _axis_grid(
    low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], spacing: tuple[float, float, float], frame: str
) -> Grid:
    """A grid with axes (S, P, L) that fills a box, spacing along (k, j, i)."""
    counts = [int(np.floor((b - a) / s)) for a, b, s in zip(low[::-1], high[::-1], spacing, strict=True)]
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2] = spacing
    middle = (low + high) / 2.0
    extent = np.array([(n - 1) * s for n, s in zip(counts, spacing, strict=True)])[::-1]
    affine[:3, 3] = middle - extent / 2.0
    affine[3, 3] = 1.0
    return Grid((counts[0], counts[1], counts[2]), affine, frame)


def fine_samples(
    field: Field, fine: Grid, grid: Grid, *, offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0), outside: float | None = 0.0
) -> Field:
    """Linear samples of a fine field at another grid's voxel centres moved by an offset; axis by axis where the axes agree.

    ``outside`` is the value beyond the fine grid; ``None`` takes the nearest.
    """
    moved = grid.affine_mm.copy()
    moved[:3, 3] -= np.array(offset_mm)
    matrix = np.linalg.inv(fine.affine_mm) @ moved
    if np.abs(matrix[:3, :3] - np.diag(np.diag(matrix[:3, :3]))).max() < 1e-9:
        sampled = field
        for axis in range(3):
            sampled = linear_along(sampled, axis, matrix[axis, axis] * np.arange(grid.shape[axis]) + matrix[axis, 3], outside)
        return sampled
    result = np.empty(grid.shape, dtype=np.float32)
    j, i = np.meshgrid(np.arange(grid.shape[1]), np.arange(grid.shape[2]), indexing="ij")
    for k in range(grid.shape[0]):
        points = matrix[:3, :3] @ np.stack([np.full(j.size, k), j.ravel(), i.ravel()]) + matrix[:3, 3:]
        mode, beyond = ("nearest", 0.0) if outside is None else ("constant", outside)
        result[k] = ndimage.map_coordinates(field, points, order=1, mode=mode, cval=beyond, prefilter=False).reshape(j.shape)
    return result


def ct_grid(anatomy: Anatomy, options: ImagingOptions) -> Grid:
    """Square matrix over the body with unequal row and column spacing."""
    corners = anatomy.grid.corners_mm()
    low, high = corners.min(axis=0), corners.max(axis=0)
    side = max(high[0] - low[0], high[1] - low[1]) + 8.0
    middle = (low + high) / 2.0
    low, high = (
        middle - np.array([side / 2, side / 2, (high - low)[2] / 2]),
        middle + np.array([side / 2, side / 2, (high - low)[2] / 2]),
    )
    pixel = side / options.ct_matrix
    grid = _axis_grid(low, high, (options.ct_slice_mm, pixel * 0.98, pixel), anatomy.grid.frame)
    affine = grid.affine_mm.copy()
    return Grid((grid.shape[0], options.ct_matrix, options.ct_matrix), affine, grid.frame)


def acquire_ct(anatomy: Anatomy, uptake: Uptake, rng: np.random.Generator, options: ImagingOptions) -> HounsfieldMap:
    """Arterial-phase CT: lesions enhance, noise 10 HU."""
    hu = anatomy.hu.copy()
    for number, lesion in enumerate(uptake.lesions):
        hu[uptake.distance[f"tumour.{lesion.label}"] < 0] = 118.0 + 14.0 * (number % 3)
    grid = ct_grid(anatomy, options)
    sampled = fine_samples(hu, anatomy.grid, grid, outside=-1000.0)
    noise = ndimage.gaussian_filter(rng.standard_normal(grid.shape).astype(np.float32), (0.3, 0.6, 0.6))
    noise *= np.float32(10.0) / noise.std()
    return HounsfieldMap(np.clip(np.rint(sampled + noise), -1024, 3071).astype(np.int16), grid)


def acquire_spect(
    anatomy: Anatomy, uptake: Uptake, secrets: CameraSecrets, rng: np.random.Generator, options: ImagingOptions
) -> CountsMap:
    """Corrected SPECT: blurred by the PSF, shifted against the CT, Poisson counts."""
    activity = uptake.concentration.copy()
    lung = (anatomy.distance["lung_left"] < 0) | (anatomy.distance["lung_right"] < 0)
    activity[lung] *= np.float32(secrets.lung_gain)
    sigma = [w / FWHM_PER_SIGMA / FINE_MM for w in secrets.psf_fwhm_mm]
    seen = ndimage.gaussian_filter(activity, sigma, mode="constant", truncate=4.0)
    corners = anatomy.grid.corners_mm()
    grid = _axis_grid(corners.min(axis=0) - 8.0, corners.max(axis=0) + 8.0, options.spect_voxel_mm, anatomy.grid.frame)
    if options.tilt_degrees:
        grid = _tilted(grid, options.tilt_degrees)
    sampled = fine_samples(seen, anatomy.grid, grid, offset_mm=secrets.shift_mm)
    expected = np.maximum(sampled, 0.0) * (grid.voxel_volume_ml / anatomy.grid.voxel_volume_ml) * options.spect_counts
    return CountsMap(rng.poisson(expected).astype(np.float32), grid)


def _tilted(grid: Grid, degrees: float) -> Grid:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0.0], [np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]])
    centre = grid.lps_mm((np.array(grid.shape) - 1) / 2.0)
    affine = grid.affine_mm.copy()
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = centre + turn @ (affine[:3, 3] - centre)
    return Grid(grid.shape, affine, grid.frame)


def acquire_planar(
    anatomy: Anatomy,
    uptake: Uptake,
    secrets: CameraSecrets,
    rng: np.random.Generator,
    options: ImagingOptions,
    *,
    nuclide: str = "Y-90",
) -> tuple[CountsMap, CountsMap]:
    """Anterior and posterior views: attenuation along the beam, depth-averaged blur, a quarter of scatter; both as seen from the front.

    Returns
    -------
    anterior, posterior : CountsMap, shape (1, rows, columns)
        Rows run downward (−S), columns to the patient's left, in the patient's frame; the plane lies at the mean depth of the body.
    """
    depth_g = np.cumsum(anatomy.g_per_ml, axis=1, dtype=np.float32) * np.float32(FINE_MM / 10.0)
    mu = np.float32(ATTENUATION_CM2_PER_G[nuclide])
    pixel = 4.8
    views = []
    for front in (True, False):
        path = depth_g if front else depth_g[:, -1:, :] - depth_g
        line = np.asarray(np.sum(uptake.concentration * np.exp(-mu * path), axis=1, dtype=np.float32))[::-1]
        sigma = float(np.mean(secrets.psf_fwhm_mm)) * 1.1 / FWHM_PER_SIGMA / FINE_MM
        direct = np.asarray(ndimage.gaussian_filter(line, sigma), dtype=np.float32)
        seen: Field = direct + 0.25 * ndimage.gaussian_filter(line, 34.0 / FINE_MM)
        rows, columns = (int(n * FINE_MM // pixel) for n in seen.shape)
        at = np.stack(
            np.meshgrid(
                (np.arange(rows) + 0.5) * pixel / FINE_MM - 0.5, (np.arange(columns) + 0.5) * pixel / FINE_MM - 0.5, indexing="ij"
            )
        )
        expected = ndimage.map_coordinates(seen, at, order=1, mode="nearest", prefilter=False)
        expected *= options.planar_counts / expected.sum()
        first = anatomy.grid.lps_mm(
            (
                anatomy.grid.shape[0] - 1 - (0.5 * pixel / FINE_MM - 0.5),
                (anatomy.grid.shape[1] - 1) / 2.0,
                0.5 * pixel / FINE_MM - 0.5,
            )
        )
        affine = np.array(
            [[0.0, 0.0, pixel, first[0]], [1.0, 0.0, 0.0, first[1]], [0.0, -pixel, 0.0, first[2]], [0.0, 0.0, 0.0, 1.0]]
        )
        views.append(
            CountsMap(rng.poisson(expected).astype(np.float32)[None], Grid((1, rows, columns), affine, anatomy.grid.frame))
        )
    return views[0], views[1]


def draw_contour(distance: Field, fine: Grid, grid: Grid, structure: Structure, sd_mm: float, rng: np.random.Generator) -> Mask:
    """A contour as a person draws it: the surface moved by one systematic distance and a smooth wobble of half of it."""
    inside = np.zeros(grid.shape, dtype=bool)
    near = ndimage.find_objects((distance < 12.0).astype(np.int8))
    if not near:
        return Mask(inside, grid, structure)
    low = tuple(int(s.start) for s in near[0])
    stop = tuple(int(s.stop) for s in near[0])
    part = fine.cropped((low[0], low[1], low[2]), (stop[0], stop[1], stop[2]))
    moved = distance[near[0]]
    if sd_mm > 0:
        wobble = np.float32(0.5 * sd_mm) * smooth_field(moved.shape, rng, 14.0)
        moved = moved - np.float32(rng.normal(0.0, sd_mm)) - wobble
    corners = grid.index_kji(part.corners_mm())
    first = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, np.array(grid.shape) - 1)
    last = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 1, np.array(grid.shape))
    begin, end = (int(first[0]), int(first[1]), int(first[2])), (int(last[0]), int(last[1]), int(last[2]))
    window = grid.cropped(begin, end)
    inside[tuple(slice(a, b) for a, b in zip(begin, end, strict=True))] = (
        fine_samples(moved.astype(np.float32), part, window, outside=50.0) < 0
    )
    return Mask(inside, grid, structure)

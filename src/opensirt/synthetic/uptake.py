"""Lesions, territories and where the particles go: the truth of a virtual patient."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from opensirt.synthetic.anatomy import FINE_MM, Anatomy, Field, coordinates, ellipsoid, linear_along

LOBES = ("right", "left")
UNFED_RIM_MM = np.float32(4.0)
"""Liver around a lesion that no territory feeds belongs to neither as well."""


@attrs.frozen
class Lesion:
    """An ellipsoidal metastasis: label, centre (LPS mm), radii (mm), tumour-to-normal concentration ratio, feeding territory
    (empty: none feeds it).
    """

    label: str
    centre_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]
    tumour_to_normal: float
    territory: str


@attrs.frozen
class UptakeOptions:
    """What a virtual patient has. ``None`` lets the seed decide."""

    lung_shunt_fraction: float | None = None
    extrahepatic_share: float = 0.0
    lesions: int | None = None
    unfed_lesion: bool = False


@attrs.frozen(eq=False)
class Uptake:
    """True distribution on the fine grid.

    Attributes
    ----------
    concentration : ndarray, float32
        Particles per voxel, summing to 1 (to less where the field of view cuts the lungs).
    source : ndarray, int8
        Injection each voxel's particles came through: 0 none, 1 right, 2 left, 3 both in proportion (lung, extrahepatic).
    distance : dict
        Signed distances (mm) of lesions (``"tumour.T1"``), territories (``"territory.right"``) and focus (``"extrahepatic.duodenum"``).
    lesions : tuple of Lesion
        The metastases.
    lung_shunt_fraction : float
        Lung over lung and liver.
    injected_share : dict
        Share of all particles given at each position.
    """

    concentration: Field
    source: npt.NDArray[np.int8]
    distance: dict[str, Field]
    lesions: tuple[Lesion, ...]
    lung_shunt_fraction: float
    injected_share: dict[str, float]


def smooth_field(shape: tuple[int, ...], rng: np.random.Generator, length_mm: float, spacing_mm: float = FINE_MM) -> Field:
    """A Gaussian random field of mean 0 and standard deviation 1 with a correlation length, made coarse and interpolated."""
    step = max(1, int(length_mm / spacing_mm / 2.0))
    coarse = tuple(-(-n // step) + 4 for n in shape)
    noise = ndimage.gaussian_filter(rng.standard_normal(coarse), 1.0, mode="wrap")
    noise /= noise.std()
    field: Field = noise.astype(np.float32)
    for axis, count in enumerate(shape):
        field = linear_along(field, axis, np.arange(count) / step, 0.0)
    return field


def _lesion_distance(anatomy: Anatomy, lesion: Lesion) -> Field:
    return ellipsoid(coordinates(anatomy.grid), lesion.centre_mm, lesion.radii_mm)


def lobe_distance(anatomy: Anatomy) -> Field:
    """Signed distance to the plane between right and left lobe (negative on the right), placed to give the right lobe about two thirds."""
    x, y, z = coordinates(anatomy.grid)
    normal = np.array([0.86, -0.48, 0.17])
    normal /= np.linalg.norm(normal)
    height = (normal[0] * x + normal[1] * y + normal[2] * z).astype(np.float32)
    inside = anatomy.distance["liver"] < 0
    cut = float(np.quantile(np.broadcast_to(height, anatomy.grid.shape)[inside], 0.66))
    return np.ascontiguousarray(np.broadcast_to(height - np.float32(cut), anatomy.grid.shape))


def _place(anatomy: Anatomy, plane: Field, rng: np.random.Generator, count: int) -> tuple[Lesion, ...]:
    """Lesions of 7 to 27 mm radius inside liver and field of view, two in the right lobe at least 18 mm, apart from each other."""
    liver = anatomy.distance["liver"]
    lesions: list[Lesion] = []
    for number in range(count):
        lobe = 0 if number in (0, 1) else int(rng.random() < 0.4) if number > 2 else 1
        mean = (
            float(rng.uniform(18.5, 27.0))
            if number < 2
            else float(rng.uniform(16.0, 20.0))
            if number == 2
            else float(rng.uniform(7.0, 17.0))
        )
        radii = tuple(float(mean * f) for f in rng.uniform(0.88, 1.14, 3))
        for shrink in (1.0, 0.85, 0.7, 0.55, 0.45):
            size = tuple(r * shrink for r in radii)
            depth = max(size) + 3.0
            side = plane < -depth if lobe == 0 else plane > depth
            free = np.argwhere((liver < -depth) & side)
            edge = np.minimum(free, np.array(liver.shape) - 1 - free).min(axis=1) * FINE_MM
            free = free[edge > depth]
            centres = anatomy.grid.lps_mm(free) if len(free) else np.empty((0, 3))
            for other in lesions:
                if len(centres):
                    gap = np.linalg.norm(centres - np.array(other.centre_mm), axis=1)
                    centres = centres[gap > max(size) + max(other.radii_mm) + 5.0]
            if len(centres):
                pick = centres[int(rng.integers(len(centres)))]
                ratio = float(np.exp(rng.uniform(np.log(2.0), np.log(10.0))))
                centre = (float(pick[0]), float(pick[1]), float(pick[2]))
                lesions.append(Lesion(f"T{len(lesions) + 1}", centre, (size[0], size[1], size[2]), ratio, LOBES[lobe]))
                break
    return tuple(lesions)


def _territories(liver: Field, plane: Field, unfed: list[Field]) -> dict[str, Field]:
    """The two territories, without the lesions that neither feeds and a rim around them."""
    hollow = [UNFED_RIM_MM - lesion for lesion in unfed]
    sides = {"right": plane, "left": -plane}
    return {f"territory.{lobe}": np.maximum.reduce([liver, sides[lobe], *hollow]) for lobe in LOBES}


def place_uptake(anatomy: Anatomy, rng: np.random.Generator, options: UptakeOptions) -> Uptake:
    """Draw lesions and let the particles flow.

    Parameters
    ----------
    anatomy : Anatomy
        The body.
    rng : numpy.random.Generator
        Draws lesions, ratios, unevenness, shares.
    options : UptakeOptions
        What is fixed in advance.
    """
    shape = anatomy.grid.shape
    plane = lobe_distance(anatomy)
    liver = anatomy.distance["liver"]
    count = options.lesions if options.lesions is not None else int(rng.integers(4, 8))
    lesions = _place(anatomy, plane, rng, count)
    if options.unfed_lesion and lesions:
        lesions = (*lesions[:-1], attrs.evolve(lesions[-1], tumour_to_normal=0.0, territory=""))
    distance = {f"tumour.{lesion.label}": _lesion_distance(anatomy, lesion) for lesion in lesions}
    distance |= _territories(liver, plane, [distance[f"tumour.{lesion.label}"] for lesion in lesions if not lesion.territory])
    box = ndimage.find_objects((liver < 0).astype(np.int8))[0]
    size = tuple(side.stop - side.start for side in box)
    relative = np.zeros(shape, dtype=np.float32)
    relative[box] = np.where(liver[box] < 0, np.exp(0.18 * smooth_field(size, rng, 16.0)), 0.0)
    inner = np.exp(0.28 * smooth_field(size, rng, 9.0)).astype(np.float32)
    for lesion in lesions:
        inside = distance[f"tumour.{lesion.label}"][box] < 0
        relative[box][inside] = lesion.tumour_to_normal * inner[inside]
    share_right = float(rng.uniform(0.55, 0.75))
    injected = {"right": share_right, "left": 1.0 - share_right}
    shunt = (
        options.lung_shunt_fraction
        if options.lung_shunt_fraction is not None
        else float(np.exp(rng.uniform(np.log(0.02), np.log(0.14))))
    )
    in_liver = 1.0 - options.extrahepatic_share
    concentration = np.zeros(shape, dtype=np.float64)
    source = np.zeros(shape, dtype=np.int8)
    for number, lobe in enumerate(LOBES):
        part = np.where(distance[f"territory.{lobe}"] < 0, relative, 0.0).astype(np.float64)
        concentration += part * (injected[lobe] * in_liver * (1.0 - shunt) / part.sum())
        source[part > 0] = number + 1
    _, y, _ = coordinates(anatomy.grid)
    gradient = 1.0 + 0.25 * np.clip((y - 10.0) / 80.0, -1.0, 1.0)
    lung = (anatomy.distance["lung_left"] < 0) | (anatomy.distance["lung_right"] < 0)
    if lung.any():
        weight = np.where(lung, anatomy.g_per_ml * gradient * np.exp(0.15 * smooth_field(shape, rng, 30.0)), 0.0).astype(np.float64)
        concentration += weight * (anatomy.lungs_seen_fraction * in_liver * shunt / weight.sum())
        source[lung] = 3
    if options.extrahepatic_share > 0.0:
        distance["extrahepatic.duodenum"] = _duodenum(anatomy)
        focus = (distance["extrahepatic.duodenum"] < 0) & (liver >= 0)
        concentration += focus * (options.extrahepatic_share / np.count_nonzero(focus))
        source[focus] = 3
    return Uptake(concentration.astype(np.float32), source, distance, lesions, shunt, injected)


def _duodenum(anatomy: Anatomy) -> Field:
    liver = anatomy.distance["liver"]
    near = np.argwhere((liver > 22.0) & (liver < 30.0) & (anatomy.distance["body"] < -40.0) & (anatomy.g_per_ml > 0.9))
    points = anatomy.grid.lps_mm(near)
    target = np.array([10.0, -8.0, -62.0])
    centre = points[int(np.argmin(np.linalg.norm(points - target, axis=1)))]
    return ellipsoid(coordinates(anatomy.grid), tuple(float(c) for c in centre), (13.0, 10.0, 16.0))

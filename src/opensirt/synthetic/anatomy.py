"""A body whose every point is known: smooth shapes in LPS millimetres, sampled on a 2 mm grid.

This code imports nothing of the imaging and dosimetry that it is made to test. Shapes are implicit functions scaled to a distance in
mm (negative inside), so that contours at any resolution are smooth. The body is asymmetric in all three axes.
"""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from opensirt.vocabulary.geometry import Grid

Field = npt.NDArray[np.float32]

FINE_MM = 2.0
"""Spacing of the truth."""
AIR_G_PER_ML = 0.00121
MARKERS_MM = ((-140.0, 60.0), (95.0, -70.0), (150.0, 150.0))
"""Left and head coordinate of dense beads below the couch, each far along an axis from the others: an axis swapped or flipped
moves them."""


@attrs.frozen(eq=False)
class Anatomy:
    """Density, CT numbers and signed distances (mm, negative inside) on the fine grid.

    ``distance`` has the keys body, liver, lung_left, lung_right, stomach; ``lung_density_bias`` is what the CT's apparent lung density
    is multiplied by (breathing, calibration): the scanner's secret. ``markers_lps_mm`` are the centres of the beads, and
    ``lungs_seen_fraction`` is the part of the lungs that the field of view holds (1 in a synthetic body).
    """

    grid: Grid
    g_per_ml: Field
    hu: Field
    distance: dict[str, Field]
    lung_density_bias: float
    markers_lps_mm: tuple[tuple[float, float, float], ...] = ()
    lungs_seen_fraction: float = 1.0


def fine_grid(low_mm: tuple[float, float, float], high_mm: tuple[float, float, float], frame: str) -> Grid:
    """A 2 mm grid along LPS axes (k = S, j = P, i = L) between two corners (x, y, z)."""
    counts = [int(np.ceil((b - a) / FINE_MM)) for a, b in zip(low_mm, high_mm, strict=True)]
    affine = np.zeros((4, 4))
    affine[2, 0] = affine[1, 1] = affine[0, 2] = FINE_MM
    affine[:3, 3] = low_mm
    affine[3, 3] = 1.0
    return Grid((counts[2], counts[1], counts[0]), affine, frame)


def coordinates(grid: Grid) -> tuple[Field, Field, Field]:
    """LPS coordinates x, y, z of an axis-aligned fine grid, broadcastable."""
    origin = grid.affine_mm[:3, 3]
    nk, nj, ni = grid.shape
    x = (origin[0] + FINE_MM * np.arange(ni, dtype=np.float32))[None, None, :]
    y = (origin[1] + FINE_MM * np.arange(nj, dtype=np.float32))[None, :, None]
    z = (origin[2] + FINE_MM * np.arange(nk, dtype=np.float32))[:, None, None]
    return x.astype(np.float32), y.astype(np.float32), z.astype(np.float32)


def linear_along(field: Field, axis: int, position: npt.NDArray[np.float64], outside: float | None) -> Field:
    """Linear samples along one axis at fractional indices; ``outside`` where they leave the field, the nearest value for ``None``."""
    count = field.shape[axis]
    if outside is None:
        position = np.clip(position, 0.0, count - 1.0)
    low = np.clip(np.floor(position).astype(np.intp), 0, count - 1)
    high = np.minimum(low + 1, count - 1)
    shape = [1, 1, 1]
    shape[axis] = -1
    weight = (position - low).astype(np.float32).reshape(shape)
    below = field.take(low, axis=axis)
    result = below + weight * (field.take(high, axis=axis) - below)
    if outside is not None:
        index = [slice(None)] * 3
        index[axis] = np.flatnonzero((position < 0.0) | (position > count - 1.0))  # type: ignore[call-overload]
        result[tuple(index)] = outside
    return np.asarray(result, dtype=np.float32)


def ellipsoid(xyz: tuple[Field, Field, Field], centre: tuple[float, ...], radii: tuple[float, ...], power: float = 2.0) -> Field:
    """Approximate distance in mm to a (super-)ellipsoid: ``(ρ − 1) · r̄`` with ρ the normalised radius; exact for spheres."""
    terms = [np.abs((c - np.float32(m)) / np.float32(r)) ** np.float32(power) for c, m, r in zip(xyz, centre, radii, strict=True)]
    rho = (terms[0] + terms[1] + terms[2]) ** np.float32(1.0 / power)
    return np.asarray((rho - 1.0) * np.float32(np.prod(radii) ** (1.0 / 3.0)), dtype=np.float32)


def tube(xyz: tuple[Field, Field, Field], points: list[tuple[float, float, float]], radius: float) -> Field:
    """Distance in mm to a tube along a polyline."""
    best: Field | None = None
    for start, end in zip(points[:-1], points[1:], strict=True):
        a, b = np.array(start), np.array(end)
        axis = b - a
        length2 = float(axis @ axis)
        t = sum((c - np.float32(m)) * np.float32(d) for c, m, d in zip(xyz, a, axis, strict=True)) / np.float32(length2)
        t = np.clip(t, 0.0, 1.0)
        square = sum((c - np.float32(m) - t * np.float32(d)) ** 2 for c, m, d in zip(xyz, a, axis, strict=True))
        distance = np.sqrt(square) - np.float32(radius)
        best = distance if best is None else np.minimum(best, distance)
    assert best is not None
    return np.asarray(best, dtype=np.float32)


def _smooth_union(first: Field, second: Field, width_mm: float) -> Field:
    mix = np.clip(0.5 + 0.5 * (second - first) / width_mm, 0.0, 1.0)
    return np.asarray(second + (first - second) * mix - width_mm * mix * (1.0 - mix), dtype=np.float32)


def _liver(xyz: tuple[Field, Field, Field], scale: float, tilt: float) -> Field:
    x, y, z = xyz
    turned = (x, (y - np.float32(tilt) * (z - 5.0)).astype(np.float32), z)
    right = ellipsoid(turned, (-72.0, 2.0, -2.0), (64.0 * scale, 74.0 * scale, 76.0 * scale), 2.3)
    left = ellipsoid(turned, (10.0, -42.0, 26.0), (66.0 * scale, 36.0 * scale, 33.0 * scale), 2.2)
    return _smooth_union(right, left, 18.0)


def _organs(xyz: tuple[Field, Field, Field], body: Field, liver: Field) -> dict[str, Field]:
    """Signed distances of everything but body and lungs; the liver cut back by what it lies against."""
    x, y, z = xyz
    flat = (z * 0.0).astype(np.float32)
    organs = {
        "heart": ellipsoid(xyz, (28.0, -30.0, 100.0), (50.0, 46.0, 55.0)),
        "spine": np.minimum(
            ellipsoid((x, y, flat), (0.0, 62.0, 0.0), (22.0, 19.0, 300.0)), tube(xyz, [(0, 92, -200), (0, 92, 300)], 9.0)
        ),
        "stomach": ellipsoid(xyz, (66.0, -38.0, -28.0), (42.0, 34.0, 50.0)),
        "spleen": ellipsoid(xyz, (118.0, 42.0, 2.0), (27.0, 40.0, 52.0)),
        "kidneys": np.minimum(
            ellipsoid(xyz, (-58.0, 62.0, -78.0), (27.0, 25.0, 54.0)), ellipsoid(xyz, (66.0, 60.0, -66.0), (26.0, 25.0, 56.0))
        ),
        "muscles": np.minimum(
            ellipsoid((x, y, flat), (-42.0, 84.0, 0.0), (30.0, 20.0, 300.0)),
            ellipsoid((x, y, flat), (42.0, 84.0, 0.0), (30.0, 20.0, 300.0)),
        ),
        "aorta": tube(xyz, [(16.0, 40.0, -200.0), (18.0, 42.0, 180.0)], 10.5),
        "cava": tube(xyz, [(-24.0, 40.0, -200.0), (-24.0, 36.0, 60.0), (-10.0, 14.0, 92.0)], 11.0),
        "gallbladder": ellipsoid(xyz, (-38.0, -52.0, -34.0), (15.0, 17.0, 30.0)),
    }
    artery = tube(xyz, [(16.0, 32.0, -18.0), (6.0, 0.0, -14.0), (-22.0, -10.0, -8.0), (-46.0, -4.0, 4.0), (-70.0, 6.0, 16.0)], 3.2)
    organs["artery"] = np.minimum(artery, tube(xyz, [(-22.0, -10.0, -8.0), (-4.0, -30.0, 14.0), (20.0, -44.0, 26.0)], 2.6))
    clear = np.maximum(-(organs["cava"] - 1.0), -(organs["spine"] - 8.0))
    organs["liver"] = np.maximum(np.maximum(liver, -(organs["gallbladder"] - 1.0)), clear).astype(np.float32)
    wave = np.sin(2.0 * np.pi * (z + 0.35 * y) / np.float32(26.0))
    ribs = np.maximum(np.abs(body + 19.0) - 4.5, (0.35 - wave) * 12.0)
    organs["ribs"] = np.where(z > -70.0, ribs, np.float32(50.0)).astype(np.float32)
    return organs


def _lungs(xyz: tuple[Field, Field, Field], body: Field, organs: dict[str, Field]) -> dict[str, Field]:
    """Signed distances of both lungs, kept clear of what they lie against."""
    wall = np.maximum(body + 24.0, -(organs["spine"] - 6.0))
    middle = np.maximum(-(organs["heart"] - 4.0), -(organs["aorta"] - 3.0))
    common = np.maximum(np.maximum(wall, middle), -(organs["liver"] - np.float32(4.0)))
    right = ellipsoid(xyz, (-84.0, 14.0, 118.0), (66.0, 82.0, 128.0), 2.4)
    left = ellipsoid(xyz, (88.0, 18.0, 124.0), (60.0, 80.0, 120.0), 2.4)
    return {
        "lung_right": np.maximum(np.maximum(right, common), -(organs["cava"] - 3.0)).astype(np.float32),
        "lung_left": np.maximum(np.maximum(left, common), np.maximum(-(organs["spleen"] - 6.0), -(organs["stomach"] - 6.0))).astype(
            np.float32
        ),
    }


def _bowel(xyz: tuple[Field, Field, Field]) -> Field:
    """A winding pattern for the loops below the liver, negative inside a loop."""
    x, y, z = xyz
    first = np.sin(x / 9.0 + 2.0 * np.sin(z / 23.0)) + np.sin(y / 11.0 + 2.0 * np.sin(x / 31.0))
    return np.asarray(0.1 - first - np.sin(z / 10.0 + 2.0 * np.sin(y / 29.0)), dtype=np.float32)


class _Paint:
    """Density and CT numbers while organs are laid over each other; the later one wins."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.density = np.full(shape, AIR_G_PER_ML, dtype=np.float32)
        self.hu = np.full(shape, -1000.0, dtype=np.float32)

    def fill(self, inside: npt.NDArray[np.bool_], g_per_ml: float, ct_number: float) -> None:
        """Give every voxel of ``inside`` one density and CT number."""
        where = np.broadcast_to(inside, self.hu.shape)
        self.density[where], self.hu[where] = g_per_ml, ct_number


def _painted(xyz: tuple[Field, Field, Field], body: Field, organs: dict[str, Field], liver_g_per_ml: float) -> _Paint:
    z = xyz[2]
    paint = _Paint(organs["liver"].shape)
    paint.fill(body < 0, 0.945, -95.0)
    paint.fill(body < -11.0, 1.045, 52.0)
    inner = (body < -27.0) & (z < 70.0)
    paint.fill(inner, 0.945, -98.0)
    paint.fill(inner & (z < 25.0) & (_bowel(xyz) < 0), 1.035, 30.0)
    for name, g_per_ml, ct_number in (
        ("muscles", 1.045, 55.0),
        ("kidneys", 1.05, 165.0),
        ("spleen", 1.055, 118.0),
        ("stomach", 1.03, 22.0),
        ("gallbladder", 1.02, 8.0),
        ("heart", 1.055, 165.0),
        ("ribs", 1.32, 420.0),
        ("spine", 1.20, 260.0),
        ("cava", 1.055, 75.0),
        ("liver", liver_g_per_ml, 72.0),
        ("artery", 1.06, 285.0),
        ("aorta", 1.06, 310.0),
    ):
        paint.fill(organs[name] < 0, g_per_ml, ct_number)
    return paint


def synthetic_anatomy(rng: np.random.Generator, frame: str) -> Anatomy:
    """A body with whole liver and lungs, asymmetric in every axis; sizes drawn from ``rng``.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws sizes, densities and the scanner's lung density bias.
    frame : str
        Frame of Reference UID.
    """
    scale = float(rng.uniform(0.92, 1.08))
    width, depth = 178.0 * float(rng.uniform(0.94, 1.08)), 118.0 * float(rng.uniform(0.95, 1.08))
    tilt = float(rng.uniform(0.0, 0.15))
    grid = fine_grid((-width - 14.0, -depth - 14.0, -152.0), (width + 18.0, depth + 24.0, 268.0), frame)
    xyz = coordinates(grid)
    x, y, z = xyz
    body = ellipsoid((x, y, (z * 0.0).astype(np.float32)), (3.0, 0.0, 0.0), (width, depth, 400.0), 2.3)
    organs = _organs(xyz, body, np.maximum(_liver(xyz, scale, tilt), body + 16.0))
    lungs = _lungs(xyz, body, organs)
    lung_mean = float(rng.uniform(0.22, 0.30))
    paint = _painted(xyz, body, organs, float(rng.uniform(1.03, 1.06)))
    bias = float(rng.normal(1.0, 0.09))
    lung_density = np.broadcast_to(lung_mean * (1.0 + 0.28 * np.clip((y - 14.0) / 82.0, -1.0, 1.0)), grid.shape)
    for lung in lungs.values():
        inside = lung < 0
        paint.density[inside] = lung_density[inside]
        paint.hu[inside] = 1000.0 * bias * lung_density[inside] - 1000.0
    paint.fill(np.maximum(np.abs(y - (depth + 12.0)) - 2.0, np.abs(x) - 170.0) < 0, 0.4, -600.0)
    markers = tuple((across, depth + 18.0, along) for across, along in MARKERS_MM)
    for centre in markers:
        paint.fill(ellipsoid(xyz, centre, (4.0, 4.0, 4.0)) < 0, 2.2, 1900.0)
    distance = {
        "body": np.ascontiguousarray(np.broadcast_to(body, grid.shape)),
        "liver": organs["liver"],
        "stomach": organs["stomach"],
    }
    return Anatomy(grid, paint.density, paint.hu, distance | lungs, bias, markers_lps_mm=markers)

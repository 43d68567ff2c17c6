"""Pictures of a plan: fused slices with isodoses and contours, drawn with matplotlib, never shown; the histograms' curves and colours."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from opensirt.radioembolisation.treatment.proposal import DvhCurve
from opensirt.reports.charts import LineChart, Series
from opensirt.reports.planes import Plane, View, sample
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.units import PERCENT
from opensirt.vocabulary.volumes import ActivityMap, CountsMap, DoseMap, HounsfieldMap, Mask

FloatArray = npt.NDArray[np.float64]

ABDOMEN_WINDOW_HU = (-160.0, 240.0)
"""CT window of abdominal soft tissue: level 40, width 400 HU."""

ISODOSE_STEPS_GY = (20.0, 50.0, 100.0, 150.0, 200.0, 300.0, 500.0, 800.0)

OKABE_ITO = {
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "grey": "#6b7280",
}
"""Colours that people with any of the common colour-vision deficiencies can tell apart (Okabe and Ito 2008)."""

STRUCTURE_COLOURS: Mapping[StructureKind, str] = {
    StructureKind.LIVER: OKABE_ITO["green"],
    StructureKind.NORMAL_LIVER: OKABE_ITO["green"],
    StructureKind.PERFUSED_NORMAL_LIVER: OKABE_ITO["yellow"],
    StructureKind.LUNGS: OKABE_ITO["sky"],
    StructureKind.TUMOUR: OKABE_ITO["vermillion"],
    StructureKind.TERRITORY: OKABE_ITO["purple"],
    StructureKind.EXTRAHEPATIC: OKABE_ITO["orange"],
}
_LESION_COLOURS = ("#D55E00", "#CC79A7", "#0072B2", "#000000", "#8C564B", "#E69F00", "#5B2C8A")
"""Lesions in the DVH, told apart by colour and by line."""
_CONTOUR_LINES: Mapping[StructureKind, tuple[tuple[float, ...], float]] = {
    StructureKind.LIVER: ((), 1.0),
    StructureKind.TUMOUR: ((), 1.7),
    StructureKind.TERRITORY: ((4.0, 2.0), 1.0),
    StructureKind.LUNGS: ((6.0, 1.5, 1.2, 1.5), 1.0),
    StructureKind.EXTRAHEPATIC: ((1.2, 1.2), 1.4),
}
"""Dashes and width (points) of contours, so that they differ on grey paper too."""
CONTOUR_LEGEND = tuple(
    (name, STRUCTURE_COLOURS[kind], *_CONTOUR_LINES[kind])
    for name, kind in (
        ("liver", StructureKind.LIVER),
        ("tumour", StructureKind.TUMOUR),
        ("territory", StructureKind.TERRITORY),
        ("lungs", StructureKind.LUNGS),
        ("extrahepatic", StructureKind.EXTRAHEPATIC),
    )
)
"""Name, colour, dashes and width of every contour drawn."""
WIDTH_IN, DPI = 7.1, 200
"""Size of a picture on paper (A4 less its margins), so that its letters keep their size, and its resolution."""


@dataclass(frozen=True)
class PlanPictures:
    """The volumes that a plan's pictures are drawn from; all in one frame of reference, on any grids.

    ``dose`` is the planned dose, ``emission`` the scout image, ``focus_mm`` the LPS point through which the planes are cut.
    """

    ct: HounsfieldMap
    emission: CountsMap | ActivityMap
    dose: DoseMap
    masks: tuple[Mask, ...]
    focus_mm: tuple[float, float, float]


def _png(figure: Figure) -> bytes:
    """Opaque pixels without a word about when or by what they were made: the same picture, the same bytes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    rgba = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgba[:, :, :3])).save(buffer, format="png", compress_level=4)
    return buffer.getvalue()


def _box_corners_mm(mask: Mask) -> FloatArray:
    """LPS positions of the outermost voxels' box, shape (8, 3); by projections, so that no list of voxels is made."""
    filled = [np.flatnonzero(mask.inside.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    ends = [(int(found[0]), int(found[-1])) for found in filled]
    return np.asarray(mask.grid.lps_mm(np.array(list(itertools.product(*ends)))), dtype=np.float64)


def _field(masks: Sequence[Mask], grid: Grid) -> tuple[FloatArray, FloatArray]:
    corners = grid.corners_mm()
    low, high = corners.min(axis=0), corners.max(axis=0)
    body = [mask for mask in masks if mask.structure.kind is StructureKind.BODY and mask.voxels]
    if body:
        points = _box_corners_mm(body[0])
        low, high = np.maximum(low, points.min(axis=0) - 10.0), np.minimum(high, points.max(axis=0) + 10.0)
    return low, high


def _planes(pictures: PlanPictures) -> list[Plane]:
    low, high = _field(pictures.masks, pictures.dose.grid)
    middle = (low + high) / 2.0
    size = high - low
    x, y, z = pictures.focus_mm
    return [
        Plane(View.AXIAL, (float(middle[0]), float(middle[1]), z), float(size[0]), float(size[1])),
        Plane(View.CORONAL, (float(middle[0]), y, float(middle[2])), float(size[0]), float(size[2])),
        Plane(View.SAGITTAL, (x, float(middle[1]), float(middle[2])), float(size[1]), float(size[2])),
    ]


@dataclass(frozen=True)
class _Cut:
    """One plane with what both pictures show of it: CT numbers, and the structures that it meets."""

    plane: Plane
    hu: FloatArray
    outlines: tuple[tuple[StructureKind, FloatArray], ...]


def _cuts(pictures: PlanPictures) -> list[_Cut]:
    cuts = []
    drawn = [mask for mask in pictures.masks if mask.structure.kind in _CONTOUR_LINES]
    for plane in _planes(pictures):
        hu = sample(pictures.ct.hu, pictures.ct.grid, plane, outside=-1000.0)
        sampled = [(mask.structure.kind, sample(mask.inside, mask.grid, plane, outside=0.0)) for mask in drawn]
        cuts.append(_Cut(plane, hu, tuple((kind, inside) for kind, inside in sampled if inside.max() >= 0.5)))
    return cuts


def _contours(axes: Axes, cut: _Cut) -> None:
    for kind, inside in cut.outlines:
        dashes, width = _CONTOUR_LINES[kind]
        style = (0, tuple(d / width for d in dashes)) if dashes else "-"
        axes.contour(inside, levels=[0.5], colors=[STRUCTURE_COLOURS[kind]], linewidths=[width], linestyles=[style])


def _base(axes: Axes, cut: _Cut, mark: str) -> None:
    hu, plane = cut.hu, cut.plane
    axes.imshow(hu, cmap="gray", vmin=ABDOMEN_WINDOW_HU[0], vmax=ABDOMEN_WINDOW_HU[1], interpolation="bilinear")
    axes.set_xticks([])
    axes.set_yticks([])
    rows, columns = hu.shape
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    bar = plane.scale_bar_mm() / plane.pixel_mm
    axes.plot([10, 10 + bar], [rows - 12, rows - 12], color="white", lw=2.5, solid_capstyle="butt")
    axes.text(10 + bar / 2, rows - 17, f"{plane.scale_bar_mm():.0f} mm", color="white", fontsize=7, ha="center", va="bottom")
    left, right = {"axial": ("R", "L"), "coronal": ("R", "L"), "sagittal": ("A", "P")}[plane.view.value]
    for x, text in ((0.015, left), (0.985, right)):
        align = "left" if x < 0.5 else "right"
        axes.text(x, 0.5, text, color="white", fontsize=9, ha=align, va="center", transform=axes.transAxes, weight="bold")
    axes.set_title(plane.view.value, fontsize=8, color="#111827", loc="left", pad=2)
    if mark:
        axes.text(0.985, 0.985, mark, color="white", fontsize=6, ha="right", va="top", transform=axes.transAxes, weight="bold")


def _figure_for(cuts: Sequence[_Cut]) -> tuple[Figure, list[Axes], Axes]:
    """Axes of the views side by side, all of one height, and of the colour bar on the right."""
    left, right, gap, head = 0.02, 0.62, 0.08, 0.2
    usable = WIDTH_IN - left - right
    aspects = [cut.plane.width_mm / cut.plane.height_mm for cut in cuts]
    tall = (usable - gap * (len(cuts) - 1)) / sum(aspects)
    height = tall + head + 0.04
    figure = Figure(figsize=(WIDTH_IN, height), dpi=DPI)
    axes, x = [], left
    for aspect in aspects:
        axes.append(figure.add_axes((x / WIDTH_IN, 0.04 / height, tall * aspect / WIDTH_IN, tall / height)))
        x += tall * aspect + gap
    return figure, axes, figure.add_axes((x / WIDTH_IN, 0.04 / height, 0.11 / WIDTH_IN, tall / height))


def _colour_top(dose: DoseMap) -> float:
    """Dose at the top of the colour scale: a round number that 98 % of the treated volume stay below."""
    treated = dose.dose_gy[dose.dose_gy > 0.05 * float(dose.dose_gy.max())] if dose.dose_gy.any() else np.ones(1)
    level = float(np.percentile(treated, 98.0))
    step = 10.0 ** np.floor(np.log10(max(level, 1.0)))
    return float(np.ceil(level / step * 2.0) / 2.0 * step)


def slices_png(pictures: PlanPictures, mark: str = "") -> tuple[bytes, bytes]:
    """Axial, coronal and sagittal CT through the focus, with contours: once with the planned dose, once with the scout image.

    Parameters
    ----------
    pictures : PlanPictures
        The volumes.
    mark : str
        Burnt into every view: "SYNTHETIC" for a virtual patient.

    Returns
    -------
    tuple of bytes
        PNG of the dose (as a wash, with isodose lines in Gy) and of the emission image.
    """
    cuts = _cuts(pictures)
    return _dose_png(pictures, cuts, mark), _emission_png(pictures, cuts, mark)


def _dose_png(pictures: PlanPictures, cuts: Sequence[_Cut], mark: str) -> bytes:
    figure, all_axes, bar_axes = _figure_for(cuts)
    top = _colour_top(pictures.dose)
    levels = [level for level in ISODOSE_STEPS_GY if level < float(pictures.dose.dose_gy.max())]
    for axes, cut in zip(all_axes, cuts, strict=True):
        _base(axes, cut, mark)
        dose = sample(pictures.dose.dose_gy, pictures.dose.grid, cut.plane, outside=0.0)
        alpha = np.clip(dose / (0.15 * top), 0.0, 1.0) * 0.5
        image = axes.imshow(dose, cmap="inferno", vmin=0.0, vmax=top, alpha=alpha, interpolation="bilinear")
        if levels:
            shades = [mpl.colormaps["YlOrRd_r"](0.75 - 0.65 * n / max(1, len(levels) - 1)) for n in range(len(levels))]
            lines = axes.contour(dose, levels=levels, colors=shades, linewidths=0.8)
            axes.clabel(lines, fmt="%.0f", fontsize=6, inline_spacing=1)
        _contours(axes, cut)
    opaque = mpl.cm.ScalarMappable(norm=image.norm, cmap=image.cmap)
    figure.colorbar(opaque, cax=bar_axes).set_label("absorbed dose (Gy)", fontsize=8)
    bar_axes.tick_params(labelsize=7)
    return _png(figure)


def _emission_png(pictures: PlanPictures, cuts: Sequence[_Cut], mark: str) -> bytes:
    figure, all_axes, bar_axes = _figure_for(cuts)
    emission = pictures.emission
    array = emission.counts if isinstance(emission, CountsMap) else emission.bq_per_ml
    unit = "counts per voxel" if isinstance(emission, CountsMap) else "Bq/mL"
    top = max(float(np.percentile(array[array > 0], 99.5)) if array.any() else 1.0, 1e-9)
    for axes, cut in zip(all_axes, cuts, strict=True):
        _base(axes, cut, mark)
        values = sample(array, emission.grid, cut.plane, outside=0.0)
        alpha = np.clip(values / (0.15 * top), 0.0, 1.0) * 0.6
        image = axes.imshow(values, cmap="viridis", vmin=0.0, vmax=top, alpha=alpha, interpolation="bilinear")
        _contours(axes, cut)
    opaque = mpl.cm.ScalarMappable(norm=image.norm, cmap=image.cmap)
    figure.colorbar(opaque, cax=bar_axes).set_label(unit, fontsize=8)
    bar_axes.tick_params(labelsize=7)
    return _png(figure)


def structure_colour(structure_key: str) -> str:
    """Colour of a structure in charts and legends, by its kind."""
    kind = structure_key.partition(".")[0]
    for known, colour in STRUCTURE_COLOURS.items():
        if known.value == kind:
            return colour
    return OKABE_ITO["grey"]


_LINES: tuple[tuple[tuple[float, ...], float], ...] = (
    ((), 1.7), ((6.0, 2.5), 1.5), ((1.5, 2.0), 1.7), ((7.0, 2.0, 1.5, 2.0), 1.5), ((10.0, 3.0), 1.2), ((3.0, 1.5), 1.4), ((), 0.9),
    ((6.0, 2.0, 1.2, 2.0, 1.2, 2.0), 1.3), ((1.2, 3.5), 1.5), ((12.0, 2.0, 3.0, 2.0), 1.2), ((4.0, 4.0), 1.0), ((2.0, 1.0), 1.0),
)  # fmt: skip
"""Dashes and width (points) of the curves of a chart, one after the other: they differ on grey paper too."""


def dvh_chart(curves: Sequence[DvhCurve], engine: str, labels: Mapping[str, str]) -> LineChart:
    """Cumulative DVH of every structure by one engine, each with its 90 % band; curves differ by colour and by line."""
    shown = [curve for curve in curves if curve.engine == engine]
    lesions = [curve.structure for curve in shown if curve.structure.startswith("tumour.")]
    series = []
    for place, curve in enumerate(shown):
        colour = structure_colour(curve.structure)
        if curve.structure in lesions:
            colour = _LESION_COLOURS[lesions.index(curve.structure) % len(_LESION_COLOURS)]
        dashes, width = _LINES[place % len(_LINES)]
        y, lower, upper = (tuple(PERCENT * v for v in values) for values in (curve.volume_fraction, curve.lower, curve.upper))
        label = labels.get(curve.structure, curve.structure.replace("territory.", "perfused volume, "))
        series.append(Series(label, colour, dashes, width, curve.dose_gy, y, lower, upper))
    reach = [dose for curve in shown for dose, volume in zip(curve.dose_gy, curve.upper, strict=True) if volume > 0.01]
    end = max(reach, default=1.0) * 1.02
    return LineChart(tuple(series), "absorbed dose (Gy)", "volume receiving at least this dose (%)", end, PERCENT)

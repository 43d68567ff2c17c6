"""Pictures of a plan: fused slices with isodoses and contours, DVH with bands, uncertainty budget. Drawn with matplotlib, never shown."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from opensirt.radioembolisation.treatment.proposal import DvhCurve
from opensirt.reports.numbers import source_words
from opensirt.reports.planes import Plane, View, sample
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.geometry import Grid
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
_DRAWN = (StructureKind.LIVER, StructureKind.LUNGS, StructureKind.TUMOUR, StructureKind.TERRITORY, StructureKind.EXTRAHEPATIC)
_LESION_COLOURS = ("#D55E00", "#CC79A7", "#0072B2", "#000000", "#8C564B", "#E69F00", "#5B2C8A")
"""Lesions in the DVH, told apart by colour and by line."""
_LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))


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
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", metadata={"Software": "opensirt"})
    return buffer.getvalue()


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "opensirt", "svg.fonttype": "none"}):
        FigureCanvasSVG(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "opensirt"})
    text = buffer.getvalue().decode()
    return text[text.index("<svg") :].encode()


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


def _contour(axes: Axes, mask: Mask, plane: Plane, style: Any) -> bool:
    drawn = sample(mask.inside, mask.grid, plane, outside=0.0)
    if drawn.max() < 0.5:
        return False
    colour = STRUCTURE_COLOURS.get(mask.structure.kind, OKABE_ITO["grey"])
    width = 1.6 if mask.structure.kind is StructureKind.TUMOUR else 1.1
    axes.contour(drawn, levels=[0.5], colors=[colour], linewidths=[width], linestyles=[style])
    return True


def _base(axes: Axes, pictures: PlanPictures, plane: Plane) -> None:
    hu = sample(pictures.ct.hu, pictures.ct.grid, plane, outside=-1000.0)
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
    axes.set_title(plane.view.value, fontsize=9, color="#111827", loc="left")


def _figure_for(planes: Sequence[Plane], title_height_in: float = 0.3) -> tuple[Figure, list[Axes], Axes]:
    widths = [plane.width_mm / plane.height_mm for plane in planes]
    height = 3.6
    figure = Figure(figsize=(height * sum(widths) + 1.0, height + title_height_in), dpi=130)
    grid = figure.add_gridspec(
        1, len(planes) + 1, width_ratios=[*widths, 0.05], wspace=0.03, left=0.005, right=0.94, bottom=0.02, top=0.92
    )
    axes = [figure.add_subplot(grid[0, n]) for n in range(len(planes))]
    return figure, axes, figure.add_subplot(grid[0, len(planes)])


def _colour_top(dose: DoseMap) -> float:
    """Dose at the top of the colour scale: a round number that 98 % of the treated volume stay below."""
    treated = dose.dose_gy[dose.dose_gy > 0.05 * float(dose.dose_gy.max())] if dose.dose_gy.any() else np.ones(1)
    level = float(np.percentile(treated, 98.0))
    step = 10.0 ** np.floor(np.log10(max(level, 1.0)))
    return float(np.ceil(level / step * 2.0) / 2.0 * step)


def dose_slices_png(pictures: PlanPictures) -> bytes:
    """Axial, coronal and sagittal CT through the focus with the dose as a wash, isodose lines in Gy, and contours."""
    planes = _planes(pictures)
    figure, all_axes, bar_axes = _figure_for(planes)
    top = _colour_top(pictures.dose)
    levels = [level for level in ISODOSE_STEPS_GY if level < float(pictures.dose.dose_gy.max())]
    for axes, plane in zip(all_axes, planes, strict=True):
        _base(axes, pictures, plane)
        dose = sample(pictures.dose.dose_gy, pictures.dose.grid, plane, outside=0.0)
        alpha = np.clip(dose / (0.15 * top), 0.0, 1.0) * 0.5
        image = axes.imshow(dose, cmap="inferno", vmin=0.0, vmax=top, alpha=alpha, interpolation="bilinear")
        if levels:
            shades = [mpl.colormaps["YlOrRd_r"](0.75 - 0.65 * n / max(1, len(levels) - 1)) for n in range(len(levels))]
            lines = axes.contour(dose, levels=levels, colors=shades, linewidths=0.8)
            axes.clabel(lines, fmt="%.0f", fontsize=6, inline_spacing=1)
        for mask in pictures.masks:
            if mask.structure.kind in _DRAWN:
                _contour(axes, mask, plane, "--" if mask.structure.kind is StructureKind.TERRITORY else "-")
    opaque = mpl.cm.ScalarMappable(norm=image.norm, cmap=image.cmap)
    figure.colorbar(opaque, cax=bar_axes).set_label("absorbed dose (Gy)", fontsize=8)
    bar_axes.tick_params(labelsize=7)
    return _png(figure)


def emission_slices_png(pictures: PlanPictures) -> bytes:
    """The scout emission image fused on CT in the same three planes, with contours."""
    planes = _planes(pictures)
    figure, all_axes, bar_axes = _figure_for(planes)
    emission = pictures.emission
    array = emission.counts if isinstance(emission, CountsMap) else emission.bq_per_ml
    unit = "counts per voxel" if isinstance(emission, CountsMap) else "Bq/mL"
    top = max(float(np.percentile(array[array > 0], 99.5)) if array.any() else 1.0, 1e-9)
    for axes, plane in zip(all_axes, planes, strict=True):
        _base(axes, pictures, plane)
        values = sample(array, emission.grid, plane, outside=0.0)
        alpha = np.clip(values / (0.15 * top), 0.0, 1.0) * 0.6
        image = axes.imshow(values, cmap="viridis", vmin=0.0, vmax=top, alpha=alpha, interpolation="bilinear")
        for mask in pictures.masks:
            if mask.structure.kind in _DRAWN:
                _contour(axes, mask, plane, "--" if mask.structure.kind is StructureKind.TERRITORY else "-")
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


def dvh_svg(curves: Sequence[DvhCurve], engine: str, labels: Mapping[str, str]) -> bytes:
    """Cumulative DVH of every structure by one engine, each with its 90 % band; tumours differ by line style."""
    figure = Figure(figsize=(8.2, 4.3))
    axes = figure.add_axes((0.08, 0.13, 0.66, 0.83))
    shown = [curve for curve in curves if curve.engine == engine]
    styles: dict[str, int] = {}
    handles = []
    lesions = [curve.structure for curve in shown if curve.structure.startswith("tumour.")]
    for curve in shown:
        colour = structure_colour(curve.structure)
        if curve.structure in lesions:
            colour = _LESION_COLOURS[lesions.index(curve.structure) % len(_LESION_COLOURS)]
        order = styles.get(colour, 0)
        styles[colour] = order + 1
        style = _LINE_STYLES[order % len(_LINE_STYLES)]
        axes.fill_between(curve.dose_gy, 100 * np.array(curve.lower), 100 * np.array(curve.upper), color=colour, alpha=0.13, lw=0)
        axes.plot(curve.dose_gy, 100 * np.array(curve.volume_fraction), color=colour, ls=style, lw=1.6)
        handles.append(Line2D([], [], color=colour, ls=style, lw=1.6, label=labels.get(curve.structure, curve.structure)))
    reach = [dose for curve in shown for dose, volume in zip(curve.dose_gy, curve.upper, strict=True) if volume > 0.01]
    axes.set_xlim(0.0, max(reach, default=1.0) * 1.02)
    axes.set_ylim(0.0, 101.0)
    axes.set_xlabel("absorbed dose (Gy)")
    axes.set_ylabel("volume receiving at least this dose (%)")
    axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.755, 0.97), frameon=False, fontsize=8)
    return _svg(figure)


def budget_svg(rows: Sequence[tuple[str, float, float]], unit: str) -> bytes:
    """Bar chart of the uncertainty budget: share of the variance per source, standard uncertainty written beside."""
    shown = list(rows[:8])
    figure = Figure(figsize=(6.2, 0.34 * len(shown) + 0.7))
    axes = figure.add_axes((0.42, 0.42 / (0.34 * len(shown) + 0.7), 0.44, 1.0 - 0.45 / (0.34 * len(shown) + 0.7)))
    names = [source_words(source) for source, _, _ in shown][::-1]
    shares = [100 * share for _, _, share in shown][::-1]
    bars = axes.barh(names, shares, color=OKABE_ITO["blue"], height=0.62)
    texts = [f"{abs(u):.2g} {unit}" if unit not in ("", "1") else f"{abs(u):.2g}" for _, u, _ in shown][::-1]
    axes.bar_label(bars, labels=texts, padding=3, fontsize=8)
    axes.set_xlim(0, max(100.0, max(shares, default=1.0) * 1.15))
    axes.set_xlabel("share of the variance (%)", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(figure)

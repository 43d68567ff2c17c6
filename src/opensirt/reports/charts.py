"""Line charts as plain geometry: drawn once, then written as SVG for the screen or as vectors into a PDF."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One curve with its band; ``dashes`` in points, empty for a solid line, so that curves differ without colour."""

    label: str
    colour: str
    dashes: tuple[float, ...]
    width: float
    x: tuple[float, ...]
    y: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True)
class LineChart:
    """Curves over one pair of axes from zero to the ends given."""

    series: tuple[Series, ...]
    x_label: str
    y_label: str
    x_end: float
    y_end: float


@dataclass(frozen=True)
class Line:
    """A line through points."""

    points: tuple[Point, ...]
    colour: str
    width: float
    dashes: tuple[float, ...] = ()


@dataclass(frozen=True)
class Area:
    """A filled area, see-through by ``opacity`` (0–1)."""

    points: tuple[Point, ...]
    colour: str
    opacity: float


@dataclass(frozen=True)
class Text:
    """A line of text; ``align`` is ``start``, ``middle`` or ``end``; ``upright`` text runs from bottom to top."""

    at: Point
    text: str
    size: float
    align: str = "start"
    upright: bool = False


@dataclass(frozen=True)
class Drawing:
    """Shapes on a sheet of ``width`` by ``height`` points, y counted downward."""

    width: float
    height: float
    shapes: tuple[Line | Area | Text, ...]


INK, SOFT = "#111827", "#c4c9d1"
_LEFT, _TOP, _BOTTOM, _LEGEND = 42.0, 8.0, 34.0, 162.0


def ticks(end: float, wanted: int = 6) -> tuple[float, ...]:
    """Round numbers from 0 to at most ``end``, about ``wanted`` of them."""
    raw = max(end, 1e-9) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= raw)
    return tuple(n * step for n in range(int(end / step + 1e-9) + 1))


def _thinned(points: list[Point], least: float = 0.3) -> tuple[Point, ...]:
    """Points that move by at least ``least`` points of paper, first and last kept."""
    kept = points[:1]
    for point in points[1:-1]:
        if math.dist(point, kept[-1]) >= least:
            kept.append(point)
    return tuple(kept + points[-1:]) if len(points) > 1 else tuple(kept)


def drawn(chart: LineChart, width: float = 510.0, height: float = 262.0) -> Drawing:
    """The chart's shapes: grid, bands, curves, axes, legend on the right."""
    right, floor = width - _LEGEND, height - _BOTTOM

    def at(x: float, y: float) -> Point:
        across = _LEFT + (right - _LEFT) * min(max(x / chart.x_end, 0.0), 1.0)
        down = floor - (floor - _TOP) * min(max(y / chart.y_end, 0.0), 1.0)
        return round(across, 2), round(down, 2)

    shapes: list[Line | Area | Text] = []
    for x in ticks(chart.x_end):
        shapes.append(Line((at(x, 0.0), at(x, chart.y_end)), SOFT, 0.4))
        shapes.append(Text((at(x, 0.0)[0], floor + 11.0), f"{x:g}", 8.0, "middle"))
    for y in ticks(chart.y_end, 5):
        shapes.append(Line((at(0.0, y), at(chart.x_end, y)), SOFT, 0.4))
        shapes.append(Text((_LEFT - 5.0, at(0.0, y)[1] + 2.8), f"{y:g}", 8.0, "end"))
    inside = [tuple(n for n, x in enumerate(series.x) if x <= chart.x_end) for series in chart.series]
    for series, within in zip(chart.series, inside, strict=True):
        over = [at(series.x[n], series.upper[n]) for n in within]
        under = [at(series.x[n], series.lower[n]) for n in reversed(within)]
        shapes.append(Area(_thinned(over) + _thinned(under), series.colour, 0.13))
    for series, within in zip(chart.series, inside, strict=True):
        curve = _thinned([at(series.x[n], series.y[n]) for n in within])
        shapes.append(Line(curve, series.colour, series.width, series.dashes))
    shapes.append(Line((at(0.0, chart.y_end), at(0.0, 0.0), at(chart.x_end, 0.0)), INK, 0.8))
    shapes.append(Text(((_LEFT + right) / 2.0, height - 6.0), chart.x_label, 8.5, "middle"))
    shapes.append(Text((10.0, (floor + _TOP) / 2.0), chart.y_label, 8.5, "middle", upright=True))
    for n, series in enumerate(chart.series):
        y = _TOP + 8.0 + 14.0 * n
        shapes.append(Line(((right + 12.0, y), (right + 40.0, y)), series.colour, series.width, series.dashes))
        shapes.append(Text((right + 45.0, y + 2.8), series.label, 7.5))
    return Drawing(width, max(height, _TOP + 14.0 * len(chart.series) + 8.0), tuple(shapes))


def svg(drawing: Drawing, alt: str) -> str:
    """The drawing as an SVG element that scales with its column."""
    parts = [f'<svg viewBox="0 0 {drawing.width:g} {drawing.height:g}" role="img" xmlns="http://www.w3.org/2000/svg">']
    parts.append(f"<title>{escape(alt)}</title>")
    for shape in drawing.shapes:
        if isinstance(shape, Text):
            x, y = shape.at
            turned = f' transform="rotate(-90 {x:g} {y:g})"' if shape.upright else ""
            parts.append(
                f'<text x="{x:g}" y="{y:g}" font-size="{shape.size:g}" text-anchor="{shape.align}" fill="{INK}"{turned}>{escape(shape.text)}</text>'
            )
            continue
        points = " ".join(f"{x:g},{y:g}" for x, y in shape.points)
        if isinstance(shape, Area):
            parts.append(f'<polygon points="{points}" fill="{shape.colour}" fill-opacity="{shape.opacity:g}"/>')
        else:
            dashes = f' stroke-dasharray="{" ".join(f"{d:g}" for d in shape.dashes)}"' if shape.dashes else ""
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{shape.colour}" stroke-width="{shape.width:g}"{dashes}/>'
            )
    return "".join(parts) + "</svg>"

"""Charts as geometry: round ticks, points inside the axes, well-formed SVG."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.reports.charts import Area, Line, LineChart, Series, Text, drawn, svg, ticks
from opensirt.reports.pictures import dvh_chart
from reports.plans import ENGINE, small_plan


def _chart(end: float = 200.0) -> LineChart:
    x, y = (0.0, end / 2.0, end, 2.0 * end), (100.0, 50.0, 0.0, 0.0)
    return LineChart((Series("a & b", "#0072B2", (3.0, 1.0), 1.5, x, y, y, y),), "dose", "volume", end, 100.0)


@given(st.floats(1e-3, 1e5))
def test_ticks_are_round_and_reach_the_end(end):
    found = ticks(end)
    step = found[1]
    mantissa = step / 10.0 ** len(f"{int(step)}"[1:]) if step >= 1.0 else float(f"{step:e}".split("e")[0])
    assert any(mantissa == pytest.approx(m) for m in (1.0, 2.0, 2.5, 5.0, 10.0))
    assert found[-1] <= end * (1.0 + 1e-6) < found[-1] + step * (1.0 + 1e-6)
    assert 3 <= len(found) <= 8


def test_the_middle_of_the_axes_lies_in_the_middle():
    """Half the dose at half the volume is drawn half way between the ends of both axes."""
    shapes = drawn(_chart()).shapes
    axes = next(s for s in shapes if isinstance(s, Line) and s.width == 0.8).points
    curve = next(s for s in shapes if isinstance(s, Line) and s.dashes == (3.0, 1.0) and len(s.points) > 2).points
    top, corner, right = axes
    assert curve[0] == pytest.approx(top) and curve[-1] == pytest.approx(right)
    assert curve[1] == pytest.approx(((corner[0] + right[0]) / 2.0, (corner[1] + top[1]) / 2.0), abs=0.01)


def test_svg_is_well_formed_and_says_what_it_shows():
    root = ElementTree.fromstring(svg(drawn(_chart()), "a < b"))
    assert root.tag.endswith("svg")
    texts = [element.text for element in root.iter() if element.tag.endswith(("text", "title"))]
    assert "a < b" in texts and "a & b" in texts and "dose" in texts


def test_curves_differ_without_colour():
    series = dvh_chart(small_plan(tumours=8).dvh, ENGINE, {}).series
    assert len(series) == 10
    assert len({(one.dashes, one.width) for one in series}) == len(series)


def test_every_shape_lies_on_the_sheet():
    sheet = drawn(dvh_chart(small_plan(tumours=30).dvh, ENGINE, {}))
    for shape in sheet.shapes:
        points = (shape.at,) if isinstance(shape, Text) else shape.points
        assert isinstance(shape, Text | Line | Area)
        assert all(0.0 <= x <= sheet.width and 0.0 <= y <= sheet.height for x, y in points)

"""Shared Hypothesis strategies: oblique, anisotropic, non-cubic grids, flipped axes, odd time zones, correlated measurements."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
from hypothesis import strategies as st

from opensirt.vocabulary.activity import Activity
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.nuclides import HO166, TC99M, Y90


def rotation(angles_degrees) -> np.ndarray:
    """Rotation about x, then y, then z, by right-handed angles."""
    a, b, c = np.radians(angles_degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def grid_about(centre_mm, shape, spacing_mm, angles_degrees=(0.0, 0.0, 0.0), order=(2, 1, 0), signs=(1, 1, 1), frame="F") -> Grid:
    """A grid whose middle lies at a point; axis ``t`` of the array runs along patient axis ``order[t]``, then all is rotated."""
    axes = np.zeros((3, 3))
    for t in range(3):
        axes[order[t], t] = signs[t]
    affine = np.eye(4)
    affine[:3, :3] = rotation(angles_degrees) @ axes * np.asarray(spacing_mm, dtype=float)
    affine[:3, 3] = np.asarray(centre_mm) - affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return Grid(tuple(shape), affine, frame)


_ANGLES = st.floats(-40.0, 40.0).map(lambda a: round(a, 2))
_ORDERS = st.permutations([0, 1, 2])
_SIGNS = st.tuples(*[st.sampled_from((-1, 1))] * 3)


_SIZES = st.integers(3, 9)
_SPACINGS_MM = st.floats(0.7, 8.0)
_POSITIVE = st.floats(0.5, 200.0)


@st.composite
def grids(draw, *, sizes=_SIZES, spacings_mm=_SPACINGS_MM, oblique=True, frame="F") -> Grid:
    """Any grid an image may come on: three different sizes and spacings, any order and direction of axes, oblique or not."""
    shape = draw(st.tuples(sizes, sizes, sizes).filter(lambda s: len(set(s)) == 3))
    spacing = draw(st.tuples(spacings_mm, spacings_mm, spacings_mm).filter(lambda s: min(abs(np.diff(sorted(s)))) > 0.05))
    angles = draw(st.tuples(_ANGLES, _ANGLES, _ANGLES)) if oblique else (0.0, 0.0, 0.0)
    centre = draw(st.tuples(*[st.floats(-300.0, 300.0)] * 3))
    return grid_about(centre, shape, spacing, angles, draw(_ORDERS), draw(_SIGNS), frame)


TIME_ZONES = st.sampled_from(
    [timezone(timedelta(minutes=m)) for m in (-570, -210, 0, 60, 120, 330, 345, 525, 765, 840)]  # e.g. Nepal +05:45, Chatham +12:45
)


@st.composite
def instants(draw) -> datetime:
    """Time-zone aware instants in ordinary and odd zones."""
    naive = draw(st.datetimes(datetime(2001, 1, 1), datetime(2060, 1, 1)))
    return naive.replace(tzinfo=draw(TIME_ZONES))


@st.composite
def activities(draw) -> Activity:
    """Activities of the record's nuclides."""
    return Activity(draw(st.floats(1e-6, 50.0)), draw(instants()), draw(st.sampled_from((Y90, HO166, TC99M))))


SOURCES = st.sampled_from(("liver_volume", "calibration", "contour", "counts"))


@st.composite
def measurements(draw, values=_POSITIVE) -> Measured:
    """Positive values with signed contributions of up to a tenth, of sources that several may share."""
    value = draw(values)
    relative = draw(st.dictionaries(SOURCES, st.floats(-0.1, 0.1).filter(lambda u: abs(u) > 1e-4), max_size=3))
    return Measured(value, {source: u * value for source, u in relative.items()})

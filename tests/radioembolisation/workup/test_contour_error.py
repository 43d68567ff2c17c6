"""Placement of contours against the published variance of a diameter, and its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.imaging.tissue import relative_volume_uncertainty
from opensirt.radioembolisation.workup.contour_error import OBSERVER_MM, contour_standard_mm, edge_standard_mm
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.geometry import Grid


def test_two_independent_edges_make_the_published_diameter() -> None:
    """u(V)/V = 3 u(d)/d with u(d)² = 2 u_edge², at 26.5 mL on 4 mm voxels of a PET of 5 mm."""
    grid = Grid((8, 8, 8), np.diag([4.0, 4.0, 4.0, 1.0]))
    diameter_mm = (6.0 * 26.5e3 / math.pi) ** (1.0 / 3.0)
    expected = 3.0 * math.sqrt(2.0) * edge_standard_mm((4.0, 4.0, 4.0), 5.0) / diameter_mm
    assert relative_volume_uncertainty(26.5, grid, fwhm_mm=5.0) == pytest.approx(expected, rel=1e-12)


def test_an_edge_uniform_within_a_voxel_has_its_spread() -> None:
    drawn = np.random.default_rng(1).uniform(-1.5, 1.5, 200_000)
    assert edge_standard_mm((3.0, 3.0, 3.0), 0.0) == pytest.approx(float(drawn.std()), rel=5e-3)


def test_usual_ct_is_what_observers_differ_by() -> None:
    assert contour_standard_mm((2.0, 0.7, 0.7), 1.0) == OBSERVER_MM
    assert contour_standard_mm((2.5, 0.8, 0.8), 1.0) == pytest.approx(OBSERVER_MM)


def test_a_lesion_drawn_on_spect() -> None:
    """13 mm FWHM: 5.5 mm of blur per edge, more than anything a reader does."""
    assert contour_standard_mm((4.4, 4.8, 4.8), 13.0) == pytest.approx(5.75, abs=0.1)


@given(st.floats(0.3, 10.0), st.floats(0.0, 20.0), st.floats(0.0, 3.0), st.floats(1.0, 3.0))
def test_a_coarser_image_is_never_better(spacing: float, fwhm: float, observer: float, factor: float) -> None:
    fine = contour_standard_mm((spacing,) * 3, fwhm, observer_mm=observer)
    assert contour_standard_mm((factor * spacing,) * 3, factor * fwhm, observer_mm=observer) >= fine - 1e-12
    assert fine >= observer


@pytest.mark.parametrize(("spacing", "fwhm"), [((0.0, 1.0, 1.0), 1.0), ((1.0, 1.0), 1.0), ((1.0, 1.0, 1.0), -1.0)])
def test_what_cannot_be(spacing: tuple[float, ...], fwhm: float) -> None:
    with pytest.raises(InvalidValue):
        contour_standard_mm(spacing, fwhm)

"""Standard volumes, remnants and growth against hand-made numbers and identities."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.outcomes.liver_volume import (
    Parenchyma,
    VautheyIntercept,
    degree_of_hypertrophy_points,
    kinetic_growth_rate_points_per_week,
    measured_remnant_fraction,
    relative_hypertrophy_fraction,
    remnant_findings,
    standardised_remnant_fraction,
    urata_ml,
    vauthey_ml,
)
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue

ROUNDING = 1e-9
surfaces = st.floats(0.7, 4.0)
volumes = st.floats(1.0, 5000.0)


def test_by_hand_at_1_8_square_metres():
    """1267.28 · 1.8 = 2281.104; 706.2 · 1.8 = 1271.16."""
    assert vauthey_ml(1.8) == pytest.approx(2281.104 - 794.0, abs=ROUNDING)
    assert vauthey_ml(1.8, VautheyIntercept.PRINTED) == pytest.approx(2281.104 - 794.41, abs=ROUNDING)
    assert urata_ml(1.8) == pytest.approx(1271.16 + 2.4, abs=ROUNDING)


@given(surfaces, surfaces)
def test_more_surface_more_liver(first: float, second: float):
    low, high = sorted((first, second))
    assert vauthey_ml(low) <= vauthey_ml(high)
    assert urata_ml(low) <= urata_ml(high)


@given(surfaces)
def test_the_lines_cross_once(bsa_m2: float):
    """1267.28 b − 794 = 706.2 b + 2.4 at b = 796.4 / 561.08."""
    assert (vauthey_ml(bsa_m2) > urata_ml(bsa_m2)) == (bsa_m2 > 796.4 / 561.08)


@pytest.mark.parametrize("bsa_m2", [0.0, -1.0, 0.62, 4.1, 18000.0, math.nan, math.inf])
def test_a_surface_that_has_no_adult_liver(bsa_m2: float):
    with pytest.raises(InvalidValue):
        vauthey_ml(bsa_m2)


def test_remnants_by_hand():
    assert standardised_remnant_fraction(450.0, 1500.0) == pytest.approx(0.3)
    assert measured_remnant_fraction(450.0, 1800.0, 300.0) == pytest.approx(0.3)
    assert degree_of_hypertrophy_points(0.25, 0.34) == pytest.approx(9.0)
    assert kinetic_growth_rate_points_per_week(0.25, 0.34, 6.0) == pytest.approx(1.5)
    assert relative_hypertrophy_fraction(400.0, 500.0) == pytest.approx(0.25)


@given(volumes, volumes, st.floats(500.0, 3000.0))
def test_degree_is_growth_over_the_standard_volume(before_ml: float, after_ml: float, standard_ml: float):
    before, after = (
        standardised_remnant_fraction(part, standard_ml) for part in (min(before_ml, standard_ml), min(after_ml, standard_ml))
    )
    expected = 100.0 * relative_hypertrophy_fraction(min(before_ml, standard_ml), min(after_ml, standard_ml)) * before
    assert degree_of_hypertrophy_points(before, after) == pytest.approx(expected, abs=1e-9)
    assert degree_of_hypertrophy_points(before, after) == -degree_of_hypertrophy_points(after, before)


@given(volumes, st.floats(0.0, 1.0))
def test_a_remnant_with_what_is_removed_is_the_whole(functional_ml: float, share: float):
    kept = measured_remnant_fraction(share * functional_ml, functional_ml + 100.0, 100.0)
    removed = measured_remnant_fraction(functional_ml - share * functional_ml, functional_ml + 100.0, 100.0)
    assert kept + removed == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(("remnant", "total", "tumour"), [(100.0, 300.0, 300.0), (100.0, 300.0, 400.0), (201.0, 300.0, 100.0)])
def test_parts_that_do_not_fit(remnant: float, total: float, tumour: float):
    with pytest.raises(InconsistentInput):
        measured_remnant_fraction(remnant, total, tumour)


def test_percent_for_a_fraction_is_told():
    with pytest.raises(InvalidValue, match=r"0\.30 for 30 %"):
        degree_of_hypertrophy_points(0.25, 34.0)


@pytest.mark.parametrize(
    ("fraction", "parenchyma", "code"),
    [
        (0.19, Parenchyma.NORMAL, "remnant.below_minimum"),
        (0.20, Parenchyma.NORMAL, "remnant.within_disputed_minimum"),
        (0.266, Parenchyma.NORMAL, ""),
        (0.2999, Parenchyma.CHEMOTHERAPY, "remnant.below_minimum"),
        (0.30, Parenchyma.CHEMOTHERAPY, ""),
        (0.39, Parenchyma.FIBROSIS, "remnant.below_minimum"),
        (0.45, Parenchyma.FIBROSIS, "remnant.within_disputed_minimum"),
        (0.50, Parenchyma.FIBROSIS, ""),
    ],
)
def test_minimum_remnants(fraction: float, parenchyma: Parenchyma, code: str):
    assert "".join(finding.code for finding in remnant_findings(fraction, parenchyma)) == code

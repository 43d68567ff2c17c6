"""Body surface: printed values, both forms of Du Bois, slips of unit."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.outcomes.body_surface import du_bois_from_metres_m2, du_bois_m2, mosteller_m2
from opensirt.vocabulary.errors import InvalidValue

PRINTED_DIGITS = 5e-4
"""Sources print three decimals."""
ROUNDED_FACTOR = 2e-5
"""0.20247 is 0.007184 · 100^0.725 rounded to five digits: at most 2.5e-5 relatively."""
heights = st.floats(30.0, 280.0)
weights = st.floats(1.0, 650.0)


def test_printed_examples():
    assert du_bois_m2(175.0, 70.0) == pytest.approx(1.848, abs=PRINTED_DIGITS)
    assert mosteller_m2(175.0, 70.0) == pytest.approx(1.8447, abs=5e-5)
    assert du_bois_m2(170.0, 70.0) == pytest.approx(1.8097, abs=5e-5)


@given(heights, weights)
def test_both_units_are_one_formula(height_cm: float, weight_kg: float):
    assert du_bois_from_metres_m2(height_cm / 100.0, weight_kg) == pytest.approx(
        du_bois_m2(height_cm, weight_kg), rel=ROUNDED_FACTOR
    )


@given(heights, weights)
def test_by_logarithms(height_cm: float, weight_kg: float):
    logarithm = math.log(0.007184) + 0.725 * math.log(height_cm) + 0.425 * math.log(weight_kg)
    assert math.log(du_bois_m2(height_cm, weight_kg)) == pytest.approx(logarithm, abs=1e-12)
    assert mosteller_m2(height_cm, weight_kg) ** 2 * 3600.0 == pytest.approx(height_cm * weight_kg, rel=1e-12)


@pytest.mark.parametrize("function", [du_bois_m2, mosteller_m2])
@pytest.mark.parametrize(
    "person", [(1.75, 70.0), (175.0, 70000.0), (0.0, 70.0), (175.0, -1.0), (math.nan, 70.0), (175.0, math.inf)]
)
def test_nobody_has_such_a_body(function, person):
    with pytest.raises(InvalidValue):
        function(*person)


def test_centimetres_for_metres():
    with pytest.raises(InvalidValue, match=r"1\.75 and not 175"):
        du_bois_from_metres_m2(175.0, 70.0)

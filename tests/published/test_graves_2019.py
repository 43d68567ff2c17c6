"""Graves et al. 2019, Y-90 in water: 0.9336 MeV per decay and 64.1 h give 49.80 Gy·kg/GBq (W21), and the constants by other evaluations.

Oracle: ``10⁹ · T½/ln 2 · E`` by hand, and the values of other evaluations in our list (clinical.md 1.4).
"""

from __future__ import annotations

import pytest

from opensirt.vocabulary.nuclides import HO166, Y90
from published.answers import results

PRINTED = 5e-3


def _constant(**given) -> float:
    return results("dose-constant", nuclide="Y-90", **given)["dose_constant_gy_kg_per_gbq"]


@pytest.mark.parametrize(
    ("half_life_h", "energy_mev", "expected"),
    [(64.1, 0.9336, 49.80), (64.1, 0.933106, 49.77), (64.04, 0.9267, 49.38), (64.1, 0.9367, 49.96)],
)
def test_w21_constants_by_evaluation(half_life_h, energy_mev, expected):
    assert _constant(half_life_h=half_life_h, energy_mev=energy_mev) == pytest.approx(expected, abs=PRINTED)


def test_w21_lies_within_three_per_mille_of_the_conventional_one():
    assert _constant(half_life_h=64.1, energy_mev=0.9336) == pytest.approx(49.67, rel=0.003)


def test_decays_per_gigabecquerel():
    assert Y90.decays_per_gbq == pytest.approx(3.3292e14, rel=2e-5)
    assert HO166.decays_per_gbq == pytest.approx(1.3919e14, rel=4e-5)

"""Kao et al. 2013 (doi 10.1007/s00270-013-0783-z): lung mass by CT, 822 g, instead of 1 kg (W39); its declared value and spread."""

from __future__ import annotations

import pytest

from opensirt.radioembolisation.workup.lung_mass import KAO_2013
from published.answers import results

PRINTED = 5e-4


@pytest.mark.parametrize(("mass_kg", "expected"), [(0.822, 9.668), (1.0, 7.947)])
def test_w39_lung_dose_with_the_mass_from_ct(mass_kg, expected):
    case = {"nuclide": "Y-90", "dose_constant": "49.67", "delivered_gbq": 2.0, "lung_shunt_fraction": 0.08}
    assert results("lung-dose", **case, lung_mass_kg=mass_kg)["lung_dose_gy"] == pytest.approx(expected, abs=PRINTED)


def test_the_declared_mass_is_the_published_one():
    assert (KAO_2013.value, KAO_2013.standard_uncertainty) == (0.822, 0.103)

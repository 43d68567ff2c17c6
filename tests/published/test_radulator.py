"""Radulator (github.com/momomojo/Radulator), its Y-90 suite: W1, W2, W5 and the negative W22 of our list.

Oracle: numbers of that suite, recomputed by hand from ``A = D·m/(K·(1−L))`` with m = 1000 mL · 1.03 g/mL and K = 49.67 Gy·kg/GBq.
"""

from __future__ import annotations

import pytest

from opensirt.radioembolisation.dosimetry.models import mono
from published.answers import codes, results

PRINTED = 5e-5
"""Half of the last printed digit of the values (2.3041, 11.444), relative."""

W1 = {
    "nuclide": "Y-90",
    "dose_constant": "49.67",
    "dose_gy": 100.0,
    "perfused_volume_ml": 1000.0,
    "density_g_per_ml": 1.03,
    "lung_shunt_fraction": 0.1,
    "lung_mass_kg": 1.0,
}


def test_w1_activity_energy_and_lung_dose():
    answer = results("mird-activity", **W1)
    assert answer["delivered_gbq"] == pytest.approx(2.3041, rel=PRINTED)
    assert answer["dispensed_gbq"] == answer["delivered_gbq"]
    assert answer["dispensed_mci"] == pytest.approx(62.3, abs=0.05)
    assert answer["energy_j"] == pytest.approx(103.0, rel=1e-12)
    assert answer["lung_dose_gy"] == pytest.approx(11.444, rel=PRINTED)


def test_w2_residual_raises_what_is_dispensed_and_leaves_the_lung_alone():
    answer = results("mird-activity", **W1, residual_fraction=0.1)
    assert answer["dispensed_gbq"] == pytest.approx(2.560, abs=5e-4)
    assert answer["delivered_gbq"] == pytest.approx(2.3041, rel=PRINTED)
    assert answer["lung_dose_gy"] == pytest.approx(11.444, rel=PRINTED)


@pytest.mark.parametrize(("dose_gy", "lung_gy", "exceeds"), [(116.5, 29.999, False), (116.51, 30.001, True)])
def test_w5_lung_limit_to_a_thousandth_of_a_gray(dose_gy, lung_gy, exceeds):
    case = W1 | {"dose_gy": dose_gy, "lung_shunt_fraction": 0.2}
    assert results("mird-activity", **case)["lung_dose_gy"] == pytest.approx(lung_gy, abs=5e-4)
    assert ("dose.lung_above_limit" in codes("mird-activity", **case)) is exceeds


def test_residual_lowers_every_dose_of_a_dispensed_activity():
    """2.56 GBq dispensed, a tenth stays behind: 2.304 arrive; lungs 49.67 · 2.304 · 0.1 = 11.444 Gy, liver 49.67 · 2.304 · 0.9 / 1.03 = 100 Gy."""
    rest = {key: value for key, value in W1.items() if key != "dose_gy"}
    answer = results("mird-dose", **rest, dispensed_gbq=2.56, residual_fraction=0.1)
    assert answer["delivered_gbq"] == pytest.approx(2.304, rel=1e-12)
    assert answer["lung_dose_gy"] == pytest.approx(11.444, rel=PRINTED)
    assert answer["dose_gy"] == pytest.approx(99.996, rel=PRINTED)


def test_w22_the_shunt_divides():
    wrong = 100.0 * 1.03 * (1.0 - 0.1) / 49.67
    assert wrong == pytest.approx(1.866, abs=5e-4), "the slip this guards against"
    for answer in (results("mird-activity", **W1)["delivered_gbq"], mono.activity_gbq(mono.MonoInputs(1.03, 0.1), 100.0, 49.67)):
        assert abs(answer - wrong) > 0.4


def test_the_activity_gives_the_dose_back():
    activity = results("mird-activity", **W1, residual_fraction=0.1)["dispensed_gbq"]
    rest = {key: value for key, value in W1.items() if key != "dose_gy"}
    assert results("mird-dose", **rest, residual_fraction=0.1, dispensed_gbq=activity)["dose_gy"] == pytest.approx(100.0, rel=1e-12)

"""Kao et al. 2013 (doi 10.1007/s00270-013-0783-z): lung mass by CT, 822 g, instead of 1 kg (W39); predictive partition of one artery."""

from __future__ import annotations

import pytest

from opensirt.radioembolisation.workup.lung_mass import KAO_2013
from published.answers import codes, results

PRINTED = 5e-4


@pytest.mark.parametrize(("mass_kg", "expected"), [(0.822, 9.668), (1.0, 7.947)])
def test_w39_lung_dose_with_the_mass_from_ct(mass_kg, expected):
    case = {"nuclide": "Y-90", "dose_constant": "49.67", "delivered_gbq": 2.0, "lung_shunt_fraction": 0.08}
    assert results("lung-dose", **case, lung_mass_kg=mass_kg)["lung_dose_gy"] == pytest.approx(expected, abs=PRINTED)


def test_the_declared_mass_is_the_published_one():
    assert (KAO_2013.value, KAO_2013.standard_uncertainty) == (0.822, 0.103)


W28_AS_RATIOS = {
    "nuclide": "Y-90",
    "dose_constant": "49.67",
    "tumour_mass_kg": 0.3,
    "normal_mass_kg": 1.5,
    "activity_ratio": 1.0,
    "artery_shunt_fraction": 0.1 / 1.05,
    "lung_mass_kg": 1.0,
}
"""TN 5 on 0.3 and 1.5 kg is R = 1; lung shunt 5 % of 2 GBq is TLSF = 0.1/(0.1 + 0.95)."""


def test_predictive_partition_by_hand():
    """120 Gy to 0.3 kg by 50 Gy·kg/GBq: A_T 0.72; R 1: A_N 0.72; TLSF 10 %: A_L 0.72/9 = 0.08; together 1.52 GBq."""
    rest = {key: value for key, value in W28_AS_RATIOS.items() if key not in ("dose_constant", "artery_shunt_fraction")}
    answer = results("predictive-partition-activity", **rest, tumour_dose_gy=120.0, artery_shunt_fraction=0.1)
    held = [answer[key] for key in ("tumour_gbq", "normal_gbq", "lung_gbq", "delivered_gbq")]
    assert held == pytest.approx([0.72, 0.72, 0.08, 1.52], rel=1e-12)
    assert (answer["normal_dose_gy"], answer["lung_dose_gy"]) == (pytest.approx(24.0, rel=1e-12), pytest.approx(4.0, rel=1e-12))


def test_predictive_partition_gives_w28():
    answer = results("predictive-partition-dose", **W28_AS_RATIOS, delivered_gbq=2.0)
    assert answer["tumour_dose_gy"] == pytest.approx(157.29, abs=5e-3)
    assert answer["normal_dose_gy"] == pytest.approx(31.46, abs=5e-3)
    assert answer["lung_dose_gy"] == pytest.approx(4.967, rel=1e-12)
    held = [answer[key] for key in ("tumour_gbq", "normal_gbq", "lung_gbq")]
    assert held == pytest.approx([0.95, 0.95, 0.1], rel=1e-12)
    again = results("predictive-partition-activity", **W28_AS_RATIOS, tumour_dose_gy=answer["tumour_dose_gy"])
    assert again["delivered_gbq"] == pytest.approx(2.0, rel=1e-12)


def test_ratios_of_concentration_and_of_the_whole_give_the_same():
    rest = {key: value for key, value in W28_AS_RATIOS.items() if key not in ("activity_ratio", "artery_shunt_fraction")}
    answer = results("predictive-partition-dose", **rest, tumour_to_normal=5.0, lung_shunt_fraction=0.05, delivered_gbq=2.0)
    assert answer["tumour_dose_gy"] == pytest.approx(157.29, abs=5e-3)


def test_tlsf_is_no_lung_shunt_fraction():
    """10 % as TLSF sends 0.08 of 1.52 GBq to the lungs (5.3 %), as LSF 10 %: not interchangeable."""
    rest = {key: value for key, value in W28_AS_RATIOS.items() if key != "artery_shunt_fraction"}
    by_artery = results("predictive-partition-dose", **rest, artery_shunt_fraction=0.1, delivered_gbq=1.52)
    by_all = results("predictive-partition-dose", **rest, lung_shunt_fraction=0.1, delivered_gbq=1.52)
    assert by_artery["lung_gbq"] == pytest.approx(0.08, rel=1e-12)
    assert by_all["lung_gbq"] == pytest.approx(0.152, rel=1e-12)


def test_activity_ratio_is_no_concentration_ratio():
    """950 : 950 counts in 0.3 and 1.5 kg: R is 1, TN is 5; 100 counts in the lungs: LSF 5 %, TLSF 9.52 %."""
    answer = results("uptake-ratios", tumour_counts=950, normal_counts=950, lung_counts=100, tumour_mass_kg=0.3, normal_mass_kg=1.5)
    assert answer["activity_ratio"] == pytest.approx(1.0, rel=1e-12)
    assert answer["tumour_to_normal"] == pytest.approx(5.0, rel=1e-12)
    assert answer["lung_shunt_fraction"] == pytest.approx(0.05, rel=1e-12)
    assert answer["artery_shunt_fraction"] == pytest.approx(0.0952, abs=5e-5)


def test_an_artery_without_normal_liver():
    rest = {key: value for key, value in W28_AS_RATIOS.items() if key != "activity_ratio"}
    case = rest | {"normal_mass_kg": 0.0, "artery_shunt_fraction": 0.1, "dose_constant": "50"}
    answer = results("predictive-partition-activity", **case, tumour_dose_gy=120.0)
    assert answer["delivered_gbq"] == pytest.approx(0.8, rel=1e-12)
    assert "perfusion.no_normal_liver" in codes("predictive-partition-activity", **case, tumour_dose_gy=120.0)

"""van Roekel, thesis (UMC Utrecht), p. 30: holmium by MIRD (W15, W32), planar geometric mean (W37), partition (W28, W29).

Oracle: printed numbers where there are any, else the printed formula worked by hand; each line says which.
"""

from __future__ import annotations

import math

import pytest

from opensirt.radioembolisation.dosimetry.models import partition
from published.answers import codes, results

EXACT = 1e-12


def _holmium(mass_kg: float, constant: str) -> float:
    return results(
        "mird-activity",
        nuclide="Ho-166",
        dose_constant=constant,
        dose_gy=60.0,
        perfused_mass_kg=mass_kg,
        lung_shunt_fraction=0.0,
        lung_mass_kg=1.0,
    )["delivered_gbq"]


def test_w15_sixty_gray_to_a_kilogram_is_printed_as_3780_mbq():
    assert _holmium(1.0, "15.87") == pytest.approx(3.781, abs=5e-4)
    assert _holmium(1.0, "15.87") == pytest.approx(3.780, rel=3e-4), "printed, rounded to 10 MBq/kg"


@pytest.mark.parametrize(("constant", "expected"), [("15.87", 6.805), ("16", 6.750)])
def test_w32_whole_liver_by_both_constants(constant, expected):
    assert _holmium(1.8, constant) == pytest.approx(expected, abs=5e-4)


def test_w32_by_the_printed_3780_mbq_per_kg():
    stated = 60.0 / 3.780
    answer = results(
        "mird-activity",
        nuclide="Ho-166",
        dose_constant=stated,
        dose_gy=60.0,
        perfused_mass_kg=1.8,
        lung_shunt_fraction=0.0,
        lung_mass_kg=1.0,
    )
    assert answer["delivered_gbq"] == pytest.approx(6.804, abs=5e-4)


def test_w37_planar_geometric_mean():
    answer = results(
        "lung-shunt-planar",
        lung_anterior_counts=12000,
        lung_posterior_counts=15000,
        liver_anterior_counts=150000,
        liver_posterior_counts=140000,
    )
    assert answer["lung_geometric_mean_counts"] == pytest.approx(13416.4, abs=0.05)
    assert answer["liver_geometric_mean_counts"] == pytest.approx(144913.8, abs=0.05)
    assert answer["lung_shunt_fraction"] == pytest.approx(0.08474, abs=5e-6)


W28 = {
    "nuclide": "Y-90",
    "dose_constant": "49.67",
    "tumour_mass_kg": 0.3,
    "normal_mass_kg": 1.5,
    "tumour_to_normal": 5.0,
    "lung_shunt_fraction": 0.05,
    "lung_mass_kg": 1.0,
}


def test_w28_partition_forward():
    answer = results("partition-dose", **W28, delivered_gbq=2.0)
    assert answer["tumour_dose_gy"] == pytest.approx(157.29, abs=5e-3)
    assert answer["normal_dose_gy"] == pytest.approx(31.46, abs=5e-3)
    assert answer["lung_dose_gy"] == pytest.approx(4.967, rel=EXACT)
    held = [answer[key] for key in ("tumour_gbq", "normal_gbq", "lung_gbq")]
    assert held == pytest.approx([0.95, 0.95, 0.1], rel=EXACT)


def test_w29_at_a_ratio_of_one_all_liver_gets_the_same():
    answer = results("partition-dose", **(W28 | {"tumour_to_normal": 1.0}), delivered_gbq=2.0)
    assert answer["tumour_dose_gy"] == pytest.approx(52.43, abs=5e-3)
    assert answer["normal_dose_gy"] == pytest.approx(answer["tumour_dose_gy"], rel=EXACT)
    assert "perfusion.low_uptake" in codes("partition-dose", **(W28 | {"tumour_to_normal": 1.0}), delivered_gbq=2.0)


def test_partition_backward_and_what_binds():
    """D_N (TN·m_T + m_N)/(K (1−L)) by hand: 40 · 3 / (49.67 · 0.95) = 2.5430 GBq; tumour 150 Gy: 30 · 3 / 47.1865 = 1.9073 GBq."""
    answer = results("partition-activity", **W28, tumour_target_gy=150.0, normal_limit_gy=40.0, lung_limit_gy=30.0)
    assert answer["normal_limit_activity_gbq"] == pytest.approx(2.5431, abs=5e-5)
    assert answer["target_activity_gbq"] == pytest.approx(1.9073, abs=5e-5)
    assert answer["lung_limit_activity_gbq"] == pytest.approx(30.0 / (49.67 * 0.05), rel=EXACT)
    assert answer["binding_limit"] == "normal_limit_gy"
    assert answer["largest_allowed_gbq"] == answer["normal_limit_activity_gbq"]


def test_a_target_above_the_limits_is_said():
    case = W28 | {"tumour_target_gy": 205.0, "normal_limit_gy": 40.0}
    assert "plan.goals_in_conflict" in codes("partition-activity", **case)


def test_segmentectomy_without_normal_liver():
    """All that is not shunted lies in the tumour: 49.67 · 2 · 0.95 / 0.3."""
    case = {key: value for key, value in W28.items() if key != "tumour_to_normal"} | {"normal_mass_kg": 0.0}
    assert results("partition-dose", **case, delivered_gbq=2.0)["tumour_dose_gy"] == pytest.approx(49.67 * 1.9 / 0.3, rel=EXACT)
    assert "perfusion.no_normal_liver" in codes("partition-dose", **case, delivered_gbq=2.0)


def test_without_a_shunt_the_lung_sets_no_bound():
    inputs = partition.PartitionInputs(0.3, 1.5, 5.0, 0.0)
    assert math.isinf(partition.activity_for_lung_gbq(inputs, 30.0, 49.67))
    case = W28 | {"lung_shunt_fraction": 0.0, "lung_limit_gy": 30.0}
    assert "plan.lung_limit_open" in codes("partition-activity", **case)
    assert "lung_limit_activity_gbq" not in results("partition-activity", **case)

"""BED and EQD2 of the fact sheet (6.3: W35), gEUD (W41), convexity (W43), logistic tumour control (W44, D50 of J Nucl Med 2020;61:104), dose rates (W51).

Oracle: worked out outside the package from ``BED = D (1 + D/(α/β) · T_rep/(T_rep + T½))``; W44 with γ50 = 1, chosen for the test only.
"""

from __future__ import annotations

import pytest

from opensirt.vocabulary.errors import UnsupportedInput
from opensirt.workflow.calc import calc
from published.answers import codes, results

PRINTED = 0.051
"""The table prints one decimal."""
LU177_HALF_LIFE_H = 6.647 * 24.0

FACTORS = [("Y-90", 2.5, 0.03754), ("Y-90", 1.5, 0.02287), ("Ho-166", 2.5, 0.08532), ("Ho-166", 1.5, 0.05300)]

TABLE = [
    *[("Y-90", 2.5, 2.5, *row) for row in ((40, 64.0, 35.6), (60, 114.1, 63.4), (70, 143.6, 79.8))],
    *[("Y-90", 2.5, 2.5, *row) for row in ((100, 250.2, 139.0), (120, 336.2, 186.8), (150, 487.8, 271.0))],
    *[("Y-90", 2.75, 2.5, *row) for row in ((40, 61.8, None), (60, 109.1, None), (120, 316.6, None))],
    *[("Y-90", 10.0, 1.5, *row) for row in ((40, 43.7, 36.4), (120, 152.9, 127.4), (150, 201.4, 167.9), (205, 301.1, 250.9))],
    *[("Ho-166", 2.5, 2.5, *row) for row in ((40, 94.6, 52.6), (60, 182.9, 101.6))],
    *[("Ho-166", 10.0, 1.5, *row) for row in ((60, 79.1, 65.9), (100, 153.0, 127.5), (150, 269.3, 224.4))],
    ("Ho-166", 2.75, 2.5, 60, 171.7, None),
    ("Lu-177", 2.5, 2.5, 40, 49.9, 27.7),
]


def payload(nuclide: str, ratio: float, repair: float, dose: float) -> dict:
    case = {"dose_gy": dose, "nuclide": nuclide, "alpha_beta_gy": ratio, "repair_half_time_h": repair}
    return case | ({"effective_half_life_h": LU177_HALF_LIFE_H} if nuclide == "Lu-177" else {})


@pytest.mark.parametrize(("nuclide", "repair", "factor"), FACTORS)
def test_repair_factors(nuclide, repair, factor):
    assert results("bed", **payload(nuclide, 10.0, repair, 1.0))["repair_factor"] == pytest.approx(factor, abs=5.1e-6)


@pytest.mark.parametrize(("nuclide", "ratio", "repair", "dose", "bed", "eqd2"), TABLE)
def test_w35_bed_and_eqd2(nuclide, ratio, repair, dose, bed, eqd2):
    answer = results("bed", **payload(nuclide, ratio, repair, dose))
    assert answer["bed_gy"] == pytest.approx(bed, abs=PRINTED)
    assert eqd2 is None or answer["eqd2_gy"] == pytest.approx(eqd2, abs=PRINTED)
    assert results("eqd2", **payload(nuclide, ratio, repair, dose))["eqd2_gy"] == answer["eqd2_gy"]
    assert results("eqd2-from-bed", bed_gy=answer["bed_gy"], alpha_beta_gy=ratio)["eqd2_gy"] == pytest.approx(answer["eqd2_gy"])


@pytest.mark.parametrize(("nuclide", "ratio", "repair", "dose", "bed", "eqd2"), TABLE)
def test_the_inverse_finds_the_dose_again(nuclide, ratio, repair, dose, bed, eqd2):
    case = payload(nuclide, ratio, repair, dose)
    answer = results("bed", **case)
    del case["dose_gy"]
    assert results("dose-from-bed", bed_gy=answer["bed_gy"], **case)["dose_gy"] == pytest.approx(dose, rel=1e-12)
    assert results("dose-from-eqd2", eqd2_gy=answer["eqd2_gy"], **case)["dose_gy"] == pytest.approx(dose, rel=1e-12)


def test_named_tissues_give_the_same():
    answer = results("bed", dose_gy=60.0, nuclide="Y-90", tissue="liver-2.5")
    assert answer["bed_gy"] == pytest.approx(114.1, abs=PRINTED)
    assert results("bed", dose_gy=60.0, nuclide="Y-90", tissue="liver-2.75")["bed_gy"] == pytest.approx(109.1, abs=PRINTED)
    assert results("bed", dose_gy=205.0, nuclide="Y-90", tissue="tumour-10")["bed_gy"] == pytest.approx(301.1, abs=PRINTED)


@pytest.mark.parametrize(("exponent", "expected"), [(1.0, 100.0), (-5.0, 27.570), (4.0, 132.627)])
def test_w41_generalised_equivalent_uniform_dose(exponent, expected):
    answer = results("eud", doses_gy=[20, 60, 100, 140, 180], exponent=exponent)
    assert answer["eud_gy"] == pytest.approx(expected, abs=5.1e-4)


def test_w43_mean_of_voxel_bed_is_above_the_bed_of_the_mean():
    answer = results("eubed", doses_gy=[20, 60, 100, 140, 180], nuclide="Y-90", tissue="tumour-10")
    # Σ D² / 5 = 13200, mean 100: BED of the mean 100 + 100²·G/10, mean BED 100 + 13200·G/10
    assert answer["bed_of_mean_dose_gy"] == pytest.approx(100.0 + 1000.0 * 1.5 / 65.6, rel=1e-12)
    assert answer["mean_bed_gy"] == pytest.approx(100.0 + 1320.0 * 1.5 / 65.6, rel=1e-12)
    assert answer["eubed_gy"] < answer["bed_of_mean_dose_gy"] < answer["mean_bed_gy"]


@pytest.mark.parametrize(("dose", "expected"), [(146.0, 0.0588), (292.0, 0.5), (400.0, 0.7788)])
def test_w44_logistic_tumour_control(dose, expected):
    case = {"eud_gy": dose, "gamma50": 1.0, "product": "glass", "indication": "HCC"}
    assert results("tcp-logistic", d50_gy=292.0, **case)["tcp"] == pytest.approx(expected, abs=5.1e-5)
    assert results("tcp-logistic", parameters="glass-dose-292", **case)["tcp"] == pytest.approx(expected, abs=5.1e-5)
    assert results("ntcp-logistic", td50_gy=292.0, eud_gy=dose, gamma50=1.0)["ntcp"] == pytest.approx(expected, abs=5.1e-5)


@pytest.mark.parametrize(("nuclide", "rate"), [("Y-90", 1.0814), ("Ho-166", 2.5864)])
def test_w51_initial_dose_rate(nuclide, rate):
    answer = results("dose-time", nuclide=nuclide, dose_fraction=0.5, dose_gy=100.0)
    assert answer["initial_dose_rate_gy_per_h"] == pytest.approx(rate, abs=5.1e-5)
    assert answer["dose_rate_gy_per_h"] == pytest.approx(rate / 2.0, abs=5.1e-5)
    assert answer["elapsed_h"] == pytest.approx({"Y-90": 64.1, "Ho-166": 26.8}[nuclide], rel=1e-12)


def test_sessions_are_summed_in_bed_and_never_in_dose():
    """40 Gy Y-90 (64.0), 60 Gy Ho-166 (182.9), 20 Gy in 2 Gy fractions (20 · 1.8 = 36) and 40 Gy Lu-177 (49.9) in liver of α/β 2.5 Gy."""
    sessions = {
        "glass": {"dose_gy": 40.0, "nuclide": "Y-90"},
        "holmium": {"dose_gy": 60.0, "nuclide": "Ho-166"},
        "beam": {"dose_gy": 20.0, "fraction_gy": 2.0},
        "peptide": {"dose_gy": 40.0, "half_life_h": LU177_HALF_LIFE_H},
    }
    answer = calc("cumulative-bed", {"sessions": sessions, "alpha_beta_gy": 2.5, "repair_half_time_h": 2.5})
    assert answer["result"]["bed_gy"] == pytest.approx(64.0 + 182.9 + 36.0 + 49.9, abs=4 * PRINTED)
    assert answer["result"]["beam.bed_gy"] == pytest.approx(36.0, rel=1e-12)
    assert answer["result"]["eqd2_gy"] == pytest.approx(answer["result"]["bed_gy"] / 1.8, rel=1e-12)
    found = {finding["code"] for finding in answer["findings"]}
    assert {"radiobiology.no_cumulative_limit", "radiobiology.different_rates"} <= found


def test_no_parameters_exist_for_neuroendocrine_tumours():
    case = {"eud_gy": 200.0, "gamma50": 1.0, "product": "glass", "indication": "NET"}
    with pytest.raises(UnsupportedInput, match="NET"):
        calc("tcp-logistic", case | {"parameters": "glass-dose-292"})
    assert "radiobiology.no_parameters" in codes("tcp-logistic", d50_gy=292.0, **case)


@pytest.mark.parametrize(
    ("parameters", "product", "indication", "expected"),
    [
        ("glass-dose-292", "resin", "HCC", {"radiobiology.other_product"}),
        ("glass-dose-292", "glass", "mCRC", {"radiobiology.other_indication"}),
        ("resin-60", "resin", "HCC", {"radiobiology.other_indication", "radiobiology.no_spread"}),
        ("glass-dose-292", "glass", "HCC", set()),
    ],
)
def test_parameters_of_another_product_or_tumour_are_told(parameters, product, indication, expected):
    found = codes("tcp-logistic", parameters=parameters, product=product, indication=indication, eud_gy=200.0, gamma50=1.0)
    assert found - {"radiobiology.gamma_stated"} == expected


def test_an_unread_toxicity_parameter_says_so():
    found = codes("ntcp-logistic", parameters="resin-liver-52", product="resin", indication="HCC", eud_gy=40.0, gamma50=1.0)
    assert "radiobiology.unverified" in found


def test_the_spread_of_parameters_reaches_the_answer():
    stated = calc("bed", {"dose_gy": 205.0, "nuclide": "Y-90", "alpha_beta_gy": 10.0, "repair_half_time_h": 1.5})
    named = calc("bed", {"dose_gy": 205.0, "nuclide": "Y-90", "tissue": "tumour-10"})
    assert stated["result"]["bed_gy"] == pytest.approx(named["result"]["bed_gy"], rel=1e-12)
    assert set(stated["contributions"]["bed_gy"]) == {"half_life"}
    shares = named["contributions"]["bed_gy"]
    # dBED/d ln(α/β) = −(BED − D); ln of the range 1 to 49 over √12
    assert shares["alpha_beta.tumour"] == pytest.approx(-(named["result"]["bed_gy"] - 205.0) * 3.8918202981 / 12**0.5, rel=1e-5)
    low, high = named["interval_90"]["bed_gy"]
    assert low < 205.0 and high > 400.0


def test_tcp_interval_stays_a_probability():
    answer = calc("tcp-logistic", {"eud_gy": {"value": 350.0, "relative_uncertainty": 0.4}, "d50_gy": 292.0, "gamma50": 2.0})
    low, high = answer["result"]["logit_interval_90"]
    assert 0.0 < low < answer["result"]["tcp"] < high < 1.0


def test_spheres_of_a_dose_and_their_tail():
    glass = results("sphere-tail", product="glass", mean_dose_gy=120.0, density_g_per_ml=1.04, below_gy=[100.0])
    resin = results("sphere-tail", product="resin", mean_dose_gy=120.0, density_g_per_ml=1.04, below_gy=[100.0])
    # D ρ / K = 120 · 0.00104 / 49.67 GBq/mL over 2500 and 50 Bq
    assert glass["spheres_per_ml"] == pytest.approx(1005.0, abs=0.5)
    assert resin["spheres_per_ml"] == pytest.approx(50 * glass["spheres_per_ml"], rel=1e-9)
    assert glass["d95_over_mean"] < resin["d95_over_mean"] < 1.0
    assert resin["below_100gy_fraction"] < glass["below_100gy_fraction"]
    later = results("sphere-density", product="glass", activity_gbq=2.0, volume_ml=1000.0, elapsed_h=168.0)
    assert later["spheres"] / 1e6 == pytest.approx(4.92, abs=5.1e-3)
    assert later["spheres_per_ml"] == pytest.approx(later["spheres"] / 1000.0, rel=1e-12)

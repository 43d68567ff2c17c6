"""Liver function, toxicity and volumes through ``calc``: ALBI (W16), CTCAE v5.0, Child-Pugh, Vauthey and Urata (W36), Mosteller and Du Bois (W7).

Oracle: the formulas worked by hand, and the sheet's rows.
"""

from __future__ import annotations

import pytest

from opensirt.vocabulary.errors import OpensirtError
from published.answers import codes, results

LAST_DIGIT = 5e-4


@pytest.mark.parametrize(
    ("bilirubin", "albumin", "score", "johnson", "grade"),
    [
        (20.52, 35, -2.109, -2.116, 2),
        (15, 40, -2.624, -2.632, 1),
        (10, 42, -2.9100, None, 1),
        (17, 40, -2.5879, None, 2),
        (20.5, 38, -2.3642, None, 2),
        (34, 35, -1.9642, None, 2),
    ],
)
def test_w16_albi(bilirubin: float, albumin: float, score: float, johnson: float | None, grade: int):
    answer = results("albi", bilirubin_umol_per_l=bilirubin, albumin_g_per_l=albumin)
    assert answer["albi_score"] == pytest.approx(score, abs=LAST_DIGIT)
    assert answer["albi_grade"] == grade
    if johnson is not None:
        other = results("albi", bilirubin_umol_per_l=bilirubin, albumin_g_per_l=albumin, coefficient="0.0852")
        assert other["albi_score"] == pytest.approx(johnson, abs=LAST_DIGIT)
        assert answer["score_with_0_0852"] == other["albi_score"]


def test_albi_refuses_other_units():
    for case in ({"bilirubin_umol_per_l": 1.2, "albumin_g_per_l": 35}, {"bilirubin_umol_per_l": 20, "albumin_g_per_l": 3.5}):
        with pytest.raises(OpensirtError):
            results("albi", **case)


def test_albi_near_a_cut():
    """0.66 · log₁₀(18.6) − 0.085 · 40.5 = 0.8379 − 3.4425 = −2.6046."""
    assert "albi.near_cut" in codes("albi", bilirubin_umol_per_l=18.6, albumin_g_per_l=40.5)


@pytest.mark.parametrize(("value", "grade"), [(21, 0), (22, 1), (31.5, 1), (32, 2), (63, 2), (64, 3), (210, 3), (211, 4)])
def test_bilirubin_with_a_normal_baseline(value: float, grade: int):
    assert results("ctcae-lab", test="bilirubin", value=value, uln=21, baseline=15)["grade_v5"] == grade


@pytest.mark.parametrize(("value", "v5", "v4"), [(30, 0, 1), (31, 1, 1), (64, 2, 3), (91, 3, 3)])
def test_bilirubin_with_an_abnormal_baseline(value: float, v5: int, v4: int):
    answer = results("ctcae-lab", test="bilirubin", value=value, uln=21, baseline=30)
    assert (answer["grade_v5"], answer["grade_v4"]) == (v5, v4)
    assert answer["baseline_grade"] == 1


@pytest.mark.parametrize(
    ("test", "uln", "baseline", "value", "grade"),
    [
        ("alt", 40, 60, 70, 0),
        ("alt", 40, 60, 90, 1),
        ("alt", 40, 60, 181, 2),
        ("alt", 40, 30, 121, 2),
        ("alp", 120, 150, 240, 0),
        ("alp", 120, 150, 300, 1),
        ("alp", 120, 150, 376, 2),
    ],
)
def test_enzymes(test: str, uln: float, baseline: float, value: float, grade: int):
    assert results("ctcae-lab", test=test, value=value, uln=uln, baseline=baseline)["grade_v5"] == grade


def test_milligrams_and_micromoles_agree():
    one = results("ctcae-lab", test="bilirubin", value=3.7, uln=1.2, baseline=0.8, unit="mg/dL")
    other = results("ctcae-lab", test="bilirubin", value=3.7 * 17.1, uln=1.2 * 17.1, baseline=0.8 * 17.1)
    assert one["grade_v5"] == other["grade_v5"] == 3
    assert one["times_limit"] == pytest.approx(other["times_limit"], rel=1e-12)


def test_a_limit_in_another_unit_is_found():
    assert "ctcae.unit_suspect" in codes("ctcae-lab", test="bilirubin", value=64, uln=1.2, baseline=30)


@pytest.mark.parametrize(
    ("case", "points", "letter"),
    [
        ((20, 40, 1.0, "none", "none"), 5, "A"),
        ((34, 35, 1.7, "none", "none"), 8, "B"),
        ((33.9, 35.1, 1.69, "mild", "none"), 6, "A"),
        ((50, 28, 2.3, "mild", "none"), 9, "B"),
        ((51, 27, 2.4, "moderate-severe", "3-4"), 15, "C"),
    ],
)
def test_child_pugh(case: tuple, points: int, letter: str):
    keys = ("bilirubin_umol_per_l", "albumin_g_per_l", "inr", "ascites", "encephalopathy")
    answer = results("child-pugh", **dict(zip(keys, case, strict=True)))
    assert (answer["child_pugh_points"], answer["child_pugh_class"]) == (points, letter)


@pytest.mark.parametrize(
    ("change", "treatment", "grade"),
    [
        ({"ast": 0}, "none", 0),
        ({"ast": 1, "ggt": 1}, "none", 1),
        ({"ast": 2}, "none", 2),
        ({"bilirubin": 2, "ascites": 2}, "none", 2),
        ({"bilirubin": 3}, "non-invasive", 3),
        ({"bilirubin": 3}, "invasive", 4),
        ({"bilirubin": 3}, "fatal", 5),
    ],
)
def test_reild_grades_after_braat(change: dict[str, int], treatment: str, grade: int):
    assert results("reild-grade", new_grades=change, treatment=treatment, diagnosed="yes")["reild_grade"] == grade


def test_reild_definitions_are_never_merged():
    signs = {key: "yes" for key in ("bilirubin_above_normal", "albumin_below_normal", "jaundice", "new_ascites")}
    answer = results(
        "reild-definitions",
        days_since_treatment_d=100,
        bilirubin_umol_per_l=60,
        tumour_progression="no",
        biliary_obstruction="no",
        **signs,
    )
    assert {name: answer[name]["met"] for name in ("braat", "handbook", "sangro", "decompensation")} == {
        "braat": "yes",
        "handbook": "yes",
        "sangro": "no",
        "decompensation": "yes",
    }


def test_w36_standard_volumes_at_1_8_square_metres():
    answer = results("standard-liver-volume", bsa_m2=1.8)
    assert answer["vauthey_ml"] == pytest.approx(1487.1, abs=0.05)
    assert answer["vauthey_794_41_ml"] == pytest.approx(1486.7, abs=0.05)
    assert answer["urata_ml"] == pytest.approx(1273.6, abs=0.05)


def test_remnant():
    """450 / 1487.104 = 0.30260; 450 / (1800 − 300) = 0.3."""
    answer = results("future-liver-remnant", bsa_m2=1.8, remnant_ml=450, total_ml=1800, tumour_ml=300, parenchyma="normal")
    assert answer["remnant_of_vauthey_fraction"] == pytest.approx(0.30260, abs=5e-6)
    assert answer["remnant_of_measured_fraction"] == pytest.approx(0.3, rel=1e-12)
    assert "remnant.below_minimum" in codes("future-liver-remnant", bsa_m2=1.8, remnant_ml=445, parenchyma="chemotherapy")
    with pytest.raises(OpensirtError):
        results("future-liver-remnant", bsa_m2=1.8, remnant_ml=450, total_ml=1800)


def test_hypertrophy():
    """(500 − 400)/400 = 25 %; 100 · 100/1487.104 = 6.7245 points; over 12 weeks 0.56037 a week."""
    answer = results("hypertrophy", before_ml=400, after_ml=500, bsa_m2=1.8, interval_weeks=12)
    assert answer["relative_hypertrophy_fraction"] == pytest.approx(0.25)
    assert answer["degree_of_hypertrophy_points"] == pytest.approx(6.7245, abs=5e-5)
    assert answer["kinetic_growth_rate_points_per_week"] == pytest.approx(0.56037, abs=5e-6)
    assert answer["hypertrophy_response"] is True
    assert results("hypertrophy", before_ml=400, after_ml=439)["hypertrophy_response"] is False


def test_w7_body_surface():
    answer = results("body-surface", height_cm=175, weight_kg=70)
    assert answer["mosteller_m2"] == pytest.approx(1.8447, abs=5e-5)
    assert answer["du_bois_m2"] == pytest.approx(1.848, abs=LAST_DIGIT)


@pytest.mark.parametrize(
    ("quantity", "value", "unit", "key", "expected"),
    [
        ("bilirubin", 1.2, "mg/dL", "bilirubin_umol_per_l", 20.52),
        ("bilirubin", 17.1, "umol/L", "bilirubin_mg_per_dl", 1.0),
        ("albumin", 3.5, "g/dL", "albumin_g_per_l", 35.0),
        ("albumin", 35, "g/L", "albumin_g_per_dl", 3.5),
    ],
)
def test_units(quantity: str, value: float, unit: str, key: str, expected: float):
    assert results("lab-units", quantity=quantity, value=value, unit=unit)[key] == pytest.approx(expected, rel=1e-12)

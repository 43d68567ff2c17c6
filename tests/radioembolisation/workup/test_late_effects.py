"""Spared liver, dose over sessions, and what was seen late (Su et al. 2017): by hand-made numbers and a second implementation."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest

from opensirt.radioembolisation.workup.late_effects import (
    SU_FIGURES,
    Extent,
    LiverVolumes,
    TreatmentCourse,
    late_effects,
    spared_liver,
    wilson_90_percent,
)
from opensirt.vocabulary.earlier import EarlierSession, EarlierTreatments
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue
from opensirt.vocabulary.findings import Severity
from opensirt.vocabulary.measured import Measured

ROUNDING = 1e-9
PRINTED_TENTH = 0.0501
"""Percentages are printed to a tenth."""
PRINTED = {
    Extent.PART: (15, {"cirrhosis_like": 26.7, "ascites": 13.3, "varices": 6.7, "spleen": 21.9}),
    Extent.WHOLE: (
        39,
        {"cirrhosis_like": 56.4, "ascites": 41.0, "varices": 15.4, "spleen": 64.7, "decompensation": 20.5, "decompensation_unexplained": 5.1},
    ),
}  # fmt: skip


def volumes(liver: float, tumour: float, treated: float, inside: float) -> LiverVolumes:
    return LiverVolumes(Measured(liver), Measured(tumour), Measured(treated), Measured(inside))


def by_key(numbers) -> dict[str, float]:
    return {number.key.removeprefix("late."): number.measured.value for number in numbers}


@pytest.mark.parametrize("extent", Extent)
def test_the_figures_are_the_published_ones_with_their_patients(extent):
    patients, figures = PRINTED[extent]
    found = {figure.key: figure for figure in SU_FIGURES if figure.extent is extent}
    assert {key: figure.percent for key, figure in found.items()} == figures
    assert {figure.patients for figure in found.values()} == {patients}
    assert all("Su et al. 2017" in figure.source for figure in found.values())


def test_numbers_affected_are_the_only_ones_that_give_the_published_share():
    for figure in SU_FIGURES:
        if figure.affected is None:
            continue
        fits = [k for k in range(figure.patients + 1) if abs(100.0 * k / figure.patients - figure.percent) <= PRINTED_TENTH]
        assert fits == [figure.affected]


@pytest.mark.parametrize(("affected", "patients"), [(4, 15), (0, 15), (15, 15), (22, 39), (2, 39), (1, 1)])
def test_wilson_interval_against_scipy(affected, patients):
    low, high = binomtest(affected, patients).proportion_ci(0.90, method="wilson")
    assert wilson_90_percent(affected, patients) == pytest.approx((100.0 * low, 100.0 * high), abs=1e-9)


@pytest.mark.parametrize(("affected", "patients"), [(-1, 3), (4, 3), (0, 0)])
def test_shares_that_cannot_be_are_refused(affected, patients):
    with pytest.raises(InvalidValue):
        wilson_90_percent(affected, patients)


def test_spared_liver_by_hand():
    # 2000 mL liver with 400 mL tumour, 1100 mL treated with 300 mL of it: 800 of 1600 mL normal liver spared
    found = by_key(spared_liver(volumes(2000.0, 400.0, 1100.0, 300.0), Measured(1.8)))
    assert found == pytest.approx(
        {
            "treated_ml": 1100.0,
            "treated_fraction": 0.55,
            "spared_ml": 800.0,
            "spared_fraction": 0.5,
            "standard_vauthey_ml": 1267.28 * 1.8 - 794.0,
            "spared_of_vauthey_fraction": 800.0 / (1267.28 * 1.8 - 794.0),
            "standard_urata_ml": 706.2 * 1.8 + 2.4,
            "spared_of_urata_fraction": 800.0 / (706.2 * 1.8 + 2.4),
        },
        rel=ROUNDING,
    )
    assert set(by_key(spared_liver(volumes(2000.0, 400.0, 1100.0, 300.0)))) == {
        "treated_ml",
        "treated_fraction",
        "spared_ml",
        "spared_fraction",
    }


@given(liver=st.floats(500.0, 4000.0), tumour=st.floats(0.0, 1.0), treated=st.floats(0.0, 1.0), inside=st.floats(0.0, 1.0))
def test_treated_and_spared_make_up_the_liver(liver, tumour, treated, inside):
    tumour_ml, treated_ml = 0.9 * tumour * liver, treated * liver
    inside_ml = inside * min(tumour_ml, treated_ml)
    assume(treated_ml - inside_ml <= liver - tumour_ml)
    found = by_key(spared_liver(volumes(liver, tumour_ml, treated_ml, inside_ml)))
    normal = liver - tumour_ml
    assert found["spared_ml"] + (treated_ml - inside_ml) == pytest.approx(normal, rel=ROUNDING)
    assert found["spared_fraction"] * normal == pytest.approx(found["spared_ml"], rel=1e-6, abs=1e-6)


def test_a_contour_s_uncertainty_passes_through_with_its_sign():
    # liver and treated volume grow with one contour: ∂(1 − t/l) = −(u_t·l − t·u_l)/l²
    both = LiverVolumes(Measured(2000.0, {"contour": 60.0}), Measured(0.0), Measured(1000.0, {"contour": 40.0}), Measured(0.0))
    share = next(n for n in spared_liver(both) if n.key == "late.spared_fraction").measured
    assert share.contributions["contour"] == pytest.approx(-(40.0 * 2000.0 - 1000.0 * 60.0) / 2000.0**2, rel=1e-6)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ((2000.0, 2000.0, 500.0, 100.0), InconsistentInput),
        ((2000.0, 100.0, 2100.0, 100.0), InconsistentInput),
        ((2000.0, 100.0, 500.0, 200.0), InconsistentInput),
        ((2000.0, 600.0, 100.0, 200.0), InconsistentInput),
        ((2000.0, 600.0, 1900.0, 100.0), InconsistentInput),
        ((2000.0, -1.0, 500.0, 0.0), InvalidValue),
    ],
)
def test_parts_larger_than_their_whole_are_refused(wrong, error):
    with pytest.raises(error):
        volumes(*wrong)


def earlier(*doses: float | None, **more) -> EarlierTreatments:
    return EarlierTreatments(
        tuple(EarlierSession(f"s{n}", normal_liver_gy=gy, product="glass") for n, gy in enumerate(doses)),
        **({"prrt_gbq": 0.0} | more),
    )


def test_doses_of_sessions_add_up():
    course = TreatmentCourse(Extent.PART, "NET", Measured(21.0, {"calibration": 2.1}), "glass", earlier(18.5, 7.25))
    found = late_effects(volumes(2000.0, 200.0, 900.0, 150.0), course)
    total = next(n for n in found.numbers if n.key == "late.cumulative_normal_liver_gy")
    assert total.measured.value == pytest.approx(46.75, rel=ROUNDING)
    assert total.measured.contributions == pytest.approx({"calibration": 2.1}, rel=1e-6)
    assert [each.name for each in total.inputs] == ["this treatment", "s0", "s1"]
    codes = {finding.code: finding for finding in found.findings}
    assert "no published limit" in codes["late.no_cumulative_limit"].message
    assert "late.products_differ" not in codes


def test_what_is_not_known_is_said():
    small = volumes(2000.0, 200.0, 900.0, 150.0)
    told = {f.code for f in late_effects(small, TreatmentCourse(Extent.PART)).findings}
    assert "late.earlier_not_stated" in told
    found = late_effects(small, TreatmentCourse(Extent.PART, "NET", Measured(20.0), "glass", earlier(None, 10.0, prrt_gbq=None)))
    assert {"late.dose_not_known", "late.prrt_not_stated"} <= {f.code for f in found.findings}
    nothing = late_effects(small, TreatmentCourse(Extent.PART, earlier=EarlierTreatments(prrt_gbq=0.0)))
    assert "cumulative_normal_liver_gy" not in by_key(nothing.numbers)


def test_products_and_peptide_receptor_therapy_are_kept_apart():
    course = TreatmentCourse(
        Extent.PART, "NET", Measured(20.0), "ho166", earlier(10.0, prrt_gbq=29.6, prrt_nuclide="Lu-177", prrt_days_ago=353.0)
    )
    told = {f.code: f.message for f in late_effects(volumes(2000.0, 200.0, 900.0, 150.0), course).findings}
    assert "glass, ho166" in told["late.products_differ"]
    assert all(part in told["late.prrt"] for part in ("29.6 GBq Lu-177", "353 days ago", "not in the sum"))


@pytest.mark.parametrize("extent", Extent)
def test_what_was_seen_late_belongs_to_the_extent(extent):
    found = late_effects(volumes(2000.0, 200.0, 900.0, 150.0), TreatmentCourse(extent, earlier=EarlierTreatments()))
    seen = next(f for f in found.findings if f.code == "late.seen")
    assert seen.severity is (Severity.WARNING if extent is Extent.WHOLE else Severity.NOTE)
    assert all(f"{figure.percent:g} %" in seen.message for figure in found.figures)
    assert {figure.extent for figure in found.figures} == {extent}
    assert "analogy" not in seen.message
    other = late_effects(volumes(2000.0, 200.0, 900.0, 150.0), TreatmentCourse(extent, "HCC"))
    assert "by analogy only" in next(f for f in other.findings if f.code == "late.seen").message


def test_a_small_liver_and_a_whole_one_at_once_are_said():
    codes = {f.code for f in late_effects(volumes(1499.0, 100.0, 1499.0, 100.0), TreatmentCourse(Extent.PART)).findings}
    assert {"late.small_liver", "late.whole_liver_in_one_session", "late.extent_contradicts_volume"} <= codes
    codes = {f.code for f in late_effects(volumes(1500.0, 100.0, 700.0, 100.0), TreatmentCourse(Extent.PART)).findings}
    assert not {"late.small_liver", "late.whole_liver_in_one_session", "late.extent_contradicts_volume"} & codes


def test_sessions_that_together_may_reach_the_whole_liver_are_said():
    def told(share: float) -> bool:
        before = EarlierTreatments((EarlierSession("left", treated_fraction=share),))
        found = late_effects(volumes(2000.0, 0.0, 1200.0, 0.0), TreatmentCourse(Extent.PART, earlier=before))
        return "late.sessions_reach_whole_liver" in {f.code for f in found.findings}

    assert told(0.4) and not told(0.3)


def test_nothing_treated_spares_everything():
    found = by_key(
        spared_liver(LiverVolumes(Measured(1800.0, {"c": 50.0}), Measured(100.0), Measured(0.0, {"c": 5.0}), Measured(0.0)))
    )
    assert math.isclose(found["spared_fraction"], 1.0)


def test_the_page_shows_the_figures():
    page = (Path(__file__).parents[3] / "docs" / "methods" / "late-effects.md").read_text("utf-8")
    for figure in SU_FIGURES:
        interval = figure.interval_90_percent
        shown = f"{figure.percent:.1f} %" + (f" ({figure.affected}; {interval[0]:.1f}–{interval[1]:.1f} %)" if interval else "")
        assert shown in page

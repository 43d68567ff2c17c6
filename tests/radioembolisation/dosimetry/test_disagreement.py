"""Why models differ: the general formula gives every model's own activity, and the factors of the reasons multiply up to the ratio.

Oracles: the models themselves (each written apart from the general formula), the axioms of Shapley's value, and two cases worked by hand.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensirt.radioembolisation.dosimetry.assumptions import assumptions_of, prescribed_gbq
from opensirt.radioembolisation.dosimetry.disagreement import TOGETHER, compare_models, ratio_of, shapley
from opensirt.radioembolisation.dosimetry.models.catalogue import MODELS
from opensirt.radioembolisation.dosimetry.models.facts import NOT_STATED, CompartmentFacts, InjectionFacts, Unknown
from opensirt.radioembolisation.dosimetry.models.goals import VOLUMES, Goal
from opensirt.radioembolisation.dosimetry.models.protocol import Prescription
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.products import GLASS, HOLMIUM, RESIN
from radioembolisation.dosimetry.patients import GOAL, LIMIT, TARGET, aim, holmium, m, patient, patients

IDENTITY = 1e-12
"""Logarithms and exponentials of a handful of factors in double precision."""
HAND = 5e-4


@settings(deadline=None, max_examples=60)
@given(patients())
def test_the_general_formula_gives_every_models_own_activity(facts):
    answered = 0
    for key, model in MODELS.items():
        answer = model.activity(facts, GOAL)
        if isinstance(answer, Prescription):
            answered += 1
            again = prescribed_gbq(assumptions_of(key, facts, answer), facts)
            assert again == pytest.approx(answer.prescribed_gbq.value, rel=IDENTITY), key
    assert answered >= 6


@settings(deadline=None, max_examples=40)
@given(patients())
def test_factors_multiply_up_to_the_ratio_of_every_pair(facts):
    found = compare_models(facts, GOAL)
    held = dict(found.answered())
    assert len(found.pairs) == len(held) * (len(held) - 1)
    for pair in found.pairs:
        ratio = held[pair.second].value / held[pair.first].value
        assert pair.ratio.value == pytest.approx(ratio, rel=IDENTITY)
        assert math.prod(reason.factor for reason in pair.reasons) == pytest.approx(ratio, rel=IDENTITY)
        sizes = [abs(math.log(reason.factor)) for reason in pair.reasons]
        assert all(a >= b - IDENTITY for a, b in zip(sizes, sizes[1:], strict=False)), "largest first"
        back = {r.assumption: r.factor for r in found.between(pair.second, pair.first).reasons}
        if TOGETHER not in back:
            for reason in pair.reasons:
                assert reason.factor * back[reason.assumption] == pytest.approx(1.0, rel=IDENTITY), "there and back"


DROPPABLE = (
    *("perfused_tumour_ml", "perfused_normal_ml", "liver_tumour_ml", "liver_normal_ml", "tumour_to_normal", "activity_ratio"),
    *("lung_shunt_fraction", "artery_shunt_fraction", "lung_mass_kg", "height_cm", "compartments"),
)
AIMS = st.lists(
    st.builds(
        aim,
        st.sampled_from(VOLUMES),
        st.sampled_from([TARGET, LIMIT]),
        st.floats(5.0, 300.0),
        st.sampled_from(["mird", "partition"]),
    )
    | st.builds(aim, st.sampled_from(VOLUMES), st.sampled_from([TARGET, LIMIT]), st.floats(5.0, 300.0)),
    max_size=4,
)
GONE = {"T": CompartmentFacts(StructureKind.TUMOUR, m(10.0), m(50.0))}


@settings(deadline=None, max_examples=150)
@given(
    patients(),
    st.sets(st.sampled_from(DROPPABLE), max_size=4),
    st.sampled_from([{}, {"perfused_normal_ml": m(0.0)}, {"perfused_tumour_ml": m(0.0)}, {"compartments": GONE}]),
    AIMS,
)
def test_whatever_is_missing_every_pair_is_explained(facts, dropped, changed, aims):
    """Any fact may be missing, any volume 0, any aims stated: reasons, no failure, and factors still multiply up to the ratio."""
    partial = replace(facts, **changed | {name: NOT_STATED for name in dropped})
    found = compare_models(partial, Goal(tuple(aims)))
    held = dict(found.answered())
    assert len(found.activities) == len(MODELS)
    assert all(isinstance(row.answer, Prescription) or row.answer.reason for row in found.activities)
    for pair in found.pairs:
        ratio = held[pair.second].value / held[pair.first].value
        assert math.prod(reason.factor for reason in pair.reasons) == pytest.approx(ratio, rel=IDENTITY)


def test_reasons_of_a_case_by_hand():
    """MIRD against partition on one aim: perfused mean 100 Gy at 1.2 L.

    MIRD: 100 · 1.2 · 1.03 / 50 / 0.94 / 0.97; partition for the same aim: 100 · 1.2 · 1.05 / 49.67 / 0.94. A mean of the perfused volume does
    not depend on TN, so that uptake is no reason; what is left are three plain factors, whatever the order.
    """
    facts = patient()
    found = compare_models(facts, Goal((aim(StructureKind.TERRITORY, TARGET, 100.0),)))
    pair = found.between("partition", "mird")
    factors = {reason.assumption: reason.factor for reason in pair.reasons}
    assert set(factors) == {"residual_fraction", "density_g_per_ml", "gy_kg_per_gbq"}
    assert factors["residual_fraction"] == pytest.approx(1.0 / 0.97, rel=IDENTITY)
    assert factors["density_g_per_ml"] == pytest.approx(1.03 / 1.05, rel=IDENTITY)
    assert factors["gy_kg_per_gbq"] == pytest.approx(49.67 / 50.0, rel=IDENTITY)
    assert [reason.assumption for reason in pair.reasons] == ["residual_fraction", "density_g_per_ml", "gy_kg_per_gbq"]


def test_two_reasons_that_depend_on_their_order_are_averaged():
    """Partition reads 40 Gy to normal liver with TN 4; MIRD reads 80 Gy to the perfused volume, uniform; same constant, density, no residual.

    D_N/A with TN 4, volumes 300 and 900: K'/2100 per mL; uniform: K'/1200. Activities (over K'): partition 40·2100 = 84 000, MIRD 80·1200 = 96 000;
    half-way states: 40 Gy to normal liver with uniform uptake 48 000, 80 Gy to the perfused volume with TN 96 000. Uptake first: 48/84, then aim 96/48;
    aim first: 96/84, then uptake 1. Means of the logarithms: uptake √(48/84), aim √(96/48 · 96/84).
    """
    facts = patient(
        residual_fraction=m(0.0),
        density_g_per_ml=m(1.05),
        constant=RESIN.nuclide.dose_constant("49.67"),
        liver_normal_ml=NOT_STATED,
    )
    goal = Goal(
        (
            aim(StructureKind.PERFUSED_NORMAL_LIVER, LIMIT, 40.0, "partition"),
            aim(StructureKind.TERRITORY, TARGET, 80.0, "mird"),
        )
    )
    found = compare_models(facts, goal)
    factors = {reason.assumption: reason.factor for reason in found.between("partition", "mird").reasons}
    assert factors["uptake"] == pytest.approx(math.sqrt(48.0 / 84.0), rel=IDENTITY)
    assert factors["aims"] == pytest.approx(math.sqrt(96.0 / 48.0 * 96.0 / 84.0), rel=IDENTITY)
    assert set(factors) == {"uptake", "aims"}
    assert found.between("partition", "mird").ratio.value == pytest.approx(96.0 / 84.0, rel=IDENTITY)


def test_body_surface_against_dose_is_one_reason_and_the_shunt_another():
    found = compare_models(patient(), GOAL)
    factors = {reason.assumption: reason.factor for reason in found.between("partition", "bsa").reasons}
    assert set(factors) == {"basis", "shunt"}
    assert factors["shunt"] == pytest.approx(0.94, rel=IDENTITY), "6 %: no step of resin, partition divides by 0.94"


def test_sentences_name_the_factor_and_both_sides():
    for pair in compare_models(patient(), GOAL).pairs:
        for reason in pair.reasons:
            assert re.match(r"× \d+\.\d{3} by .+: .+ in place of .+", reason.sentence), reason.sentence
            assert f"{reason.factor:.3f}" in reason.sentence


def test_a_models_aims_that_both_share_are_left_out_of_the_sentence():
    reasons = {r.assumption: r.sentence for r in compare_models(patient(), GOAL).between("partition", "mird").reasons}
    assert "80 Gy to perfused volume in place of 120 Gy to tumour" in reasons["aims"]
    assert "lungs" not in reasons["aims"]


def test_the_widest_pair_is_the_finding():
    found = compare_models(patient(), GOAL)
    held = found.answered()
    assert [gbq.value for _, gbq in held] == sorted(gbq.value for _, gbq in held)
    ratio = found.largest_to_smallest_ratio
    assert isinstance(ratio, Measured) and ratio.value == pytest.approx(held[-1][1].value / held[0][1].value, rel=IDENTITY)
    (finding,) = found.findings
    names = {row.key: row.name for row in found.activities}
    assert finding.code == "disagreement.wide" and names[held[0][0]] in finding.message and names[held[-1][0]] in finding.message


def test_a_model_that_has_no_answer_says_why_and_stays_in_the_table():
    found = compare_models(patient(height_cm=Unknown("not measured")), GOAL)
    rows = {row.key: row for row in found.activities}
    assert set(rows) == set(MODELS)
    assert isinstance(rows["bsa"].answer, Unknown) and "not measured" in rows["bsa"].answer.reason
    assert [each.quantity for each in rows["bsa"].missing] == ["height_cm"]
    assert isinstance(rows["bsa"].interval_90_gbq, Unknown) and isinstance(rows["bsa"].doses, Unknown)
    assert all("bsa" not in (pair.first, pair.second) for pair in found.pairs)
    with pytest.raises(InvalidValue, match="bsa"):
        found.between("partition", "bsa")


def test_one_model_alone_is_no_comparison():
    found = compare_models(patient(), GOAL, {"mird": MODELS["mird"]})
    assert found.pairs == () and isinstance(found.largest_to_smallest_ratio, Unknown)
    assert [finding.code for finding in found.findings] == ["disagreement.too_few"]


def test_above_twenty_percent_resin_rules_leave_the_comparison():
    keys = {key for key, _ in compare_models(patient(lung_shunt_fraction=m(0.22)), GOAL).answered()}
    assert keys == {"mird", "partition", "predictive-partition", "multi-compartment"}


def test_nothing_differs_nothing_is_said():
    """One constant, one density, no residual, one aim that does not depend on uptake."""
    facts = patient(density_g_per_ml=m(1.05), constant=GLASS.nuclide.dose_constant("50"), residual_fraction=m(0.0), product=GLASS)
    found = compare_models(facts, Goal((aim(StructureKind.TERRITORY, TARGET, 100.0),)))
    assert found.between("partition", "mird").reasons == ()
    assert found.between("partition", "mird").ratio.value == pytest.approx(1.0, rel=IDENTITY)


def test_common_sources_cancel_in_a_ratio():
    first, second = Measured(2.0, {"shunt": 0.2, "own": 0.1}), Measured(4.0, {"shunt": 0.4})
    ratio = ratio_of(second, first)
    assert ratio.value == 2.0 and set(ratio.contributions) == {"own"}
    assert ratio.contributions["own"] == pytest.approx(-2.0 * 0.05)


def test_scout_and_density_of_holmium_against_mird():
    """MIRD: 80·1.2·1.03/(15.87·0.94)/0.97; scout: 80·1.2·1.06/(15.87·0.94) − 0.25."""
    found = compare_models(holmium(), GOAL)
    pair = found.between("mird", "ho166-scout")
    mird, scout = 80 * 1.2 * 1.03 / (15.87 * 0.94) / 0.97, 80 * 1.2 * 1.06 / (15.87 * 0.94) - 0.25
    assert pair.ratio.value == pytest.approx(scout / mird, rel=IDENTITY)
    assert {reason.assumption for reason in pair.reasons} == {"residual_fraction", "density_g_per_ml", "scout_gbq"}
    assert "bsa" in dict(found.answered()), "a resin rule stays in the table, flagged"
    (row,) = [row for row in found.activities if row.key == "bsa"]
    assert "model.other_product" in {finding.code for finding in row.findings}


def test_a_mixture_without_activity_is_said_instead_of_a_number():
    """Compartments without normal liver, read by a model that shares by TN: 40 Gy to normal liver has no activity under some mixtures."""
    facts = patient(
        compartments={
            "T": CompartmentFacts(StructureKind.TUMOUR, m(100.0), m(300.0)),
            "gut": CompartmentFacts(StructureKind.EXTRAHEPATIC, m(1.0), m(10.0)),
        },
        liver_normal_ml=NOT_STATED,
    )
    goal = Goal(
        (
            aim(StructureKind.PERFUSED_NORMAL_LIVER, LIMIT, 40.0, "partition"),
            aim(StructureKind.TUMOUR, TARGET, 120.0, "multi-compartment"),
        )
    )
    pair = compare_models(facts, goal).between("partition", "multi-compartment")
    (reason,) = pair.reasons
    assert reason.assumption == TOGETHER and reason.factor == pytest.approx(pair.ratio.value, rel=IDENTITY)


@given(st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=6))
def test_shapley_of_a_sum_is_each_ones_own(parts):
    def total(members: int) -> float:
        return sum(part for n, part in enumerate(parts) if members >> n & 1)

    assert shapley(total, len(parts)) == pytest.approx(parts, abs=1e-12)


@given(st.lists(st.floats(-5.0, 5.0), min_size=16, max_size=16))
def test_shapley_is_complete_and_symmetric(values):
    shares = shapley(lambda members: values[members], 4)
    assert math.fsum(shares) == pytest.approx(values[15] - values[0], abs=1e-12)
    swap = [0, 2, 1, 3]  # bits 0 and 1 exchanged, in the lowest two
    exchanged = shapley(lambda members: values[members & ~3 | swap[members & 3]], 4)
    assert exchanged == pytest.approx((shares[1], shares[0], *shares[2:]), abs=1e-12)


def test_shapley_of_a_game_by_hand():
    """A left glove and two right gloves: a pair is worth 1 (Shapley 1953's kind of game): 4/6, 1/6, 1/6."""
    value = {0b000: 0, 0b001: 0, 0b010: 0, 0b100: 0, 0b011: 1, 0b101: 1, 0b110: 0, 0b111: 1}
    assert shapley(lambda members: float(value[members]), 3) == pytest.approx((4 / 6, 1 / 6, 1 / 6), rel=IDENTITY)


def test_an_unknown_model_has_no_assumptions():
    with pytest.raises(UnsupportedInput):
        assumptions_of("oracle", InjectionFacts(product=HOLMIUM), Prescription(m(1.0), m(1.0)))


def test_hand_worked_activities_of_the_example_patient():
    """By hand: BSA 1.87938 m² (0.007184·172^0.725·75^0.425), + 350/1850 − 0.2; lobar (1.67938 + 0.25)·1200/1850 … partition 120·(4·.315+.945)/(4·49.67·.94)."""
    held = {key: gbq.value for key, gbq in compare_models(patient(), GOAL).answered()}
    surface = 0.007184 * 172.0**0.725 * 75.0**0.425
    assert held["bsa"] == pytest.approx(surface - 0.2 + 350.0 / 1850.0, abs=HAND)
    assert held["bsa-modified"] == pytest.approx((surface - 0.2 + 0.25) * 1200.0 / 1850.0, abs=HAND)
    assert held["empirical"] == 2.0
    assert held["partition"] == pytest.approx(120.0 * (4 * 0.315 + 0.945) / (4 * 49.67 * 0.94), abs=HAND)
    assert held["predictive-partition"] == pytest.approx(120.0 * (4 * 0.315 + 0.945) / (4 * 50.0 * 0.94), abs=HAND)
    assert held["multi-compartment"] == pytest.approx(120.0 * 0.315 / (49.67 * 0.94 * 500.0 / 960.0), abs=HAND)
    assert held["mird"] == pytest.approx(80.0 * 1.2 * 1.03 / (50.0 * 0.94 * 0.97), abs=HAND)

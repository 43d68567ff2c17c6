"""Planning: linear programmes small enough to solve by hand, and what must hold of every optimum."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from opensirt.radioembolisation.dosimetry.influence import Influence
from opensirt.radioembolisation.planning.optimise import (
    PlanProblem,
    evaluate,
    given,
    optimise,
    probability_above,
    unapplied_findings,
)
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InvalidValue, PlanInfeasible, UnsupportedInput
from opensirt.vocabulary.limits import DoseRule, Role
from opensirt.vocabulary.measured import Measured

OPTIMUM = 1e-7
"""HiGHS keeps feasibility and optimality to 1e-7 of the rows."""
MOVED = 1e-5
"""Contributions are differences of two solutions of the programme."""


def limit(kind: StructureKind, value_gy: float) -> DoseRule:
    return DoseRule(f"limit {kind.value}", Role.LIMIT, kind, value_gy, "test")


def target(value_gy: float) -> DoseRule:
    return DoseRule("target", Role.TARGET, StructureKind.TUMOUR, value_gy, "test")


def problem(rows: dict[str, dict[str, float]], rules, tumours, relative: dict[str, float] | None = None) -> PlanProblem:
    spread = relative or {}
    measured = {
        key: {t: Measured(v, {source: v * r for source, r in spread.items()}) for t, v in row.items()} for key, row in rows.items()
    }
    return PlanProblem(Influence("by hand", "1", measured), tuple(rules), tumours)


LUNG, LIVER = limit(StructureKind.LUNGS, 30.0), limit(StructureKind.NORMAL_LIVER, 40.0)
ONE = {"tumour.T1": {"right": 60.0}, "normal_liver": {"right": 16.0}, "lungs": {"right": 5.0}}
TWO = {
    "tumour.T1": {"right": 60.0, "left": 0.0},
    "tumour.T2": {"right": 0.0, "left": 100.0},
    "normal_liver": {"right": 16.0, "left": 10.0},
    "lungs": {"right": 5.0, "left": 4.0},
}
FED = {"right": ("tumour.T1",), "left": ("tumour.T2",)}


def test_one_injection_goes_to_the_nearest_limit():
    """Liver allows 40/16 = 2.5 GBq, lungs 30/5 = 6."""
    plan = optimise(problem(ONE, (LUNG, LIVER), {"right": ("tumour.T1",)}), "up-to-limits")
    assert plan.activities_gbq["right"].value == pytest.approx(2.5, rel=OPTIMUM)
    binding = {outcome.structure for outcome in plan.outcomes if outcome.binding}
    assert binding == {"normal_liver"}


@pytest.mark.parametrize(("mass_kg", "shunt", "perfused_gy"), [(1.03, 0.1, 100.0), (0.4, 0.0, 150.0), (1.8, 0.19, 60.0)])
def test_single_compartment_reduces_to_mird(mass_kg, shunt, perfused_gy):
    """V3.2: one compartment, one target: A = D·m/(K·(1−L)), residual added when it is dispensed."""
    rows = {"tumour.T1": {"right": 49.67 * (1.0 - shunt) / mass_kg}, "lungs": {"right": 49.67 * shunt}}
    plan = optimise(problem(rows, (LUNG, target(perfused_gy)), {"right": ("tumour.T1",)}), "reach-target")
    expected = perfused_gy * mass_kg / (49.67 * (1.0 - shunt))
    assert plan.activities_gbq["right"].value == pytest.approx(expected, rel=OPTIMUM)


def test_two_injections_share_one_liver_limit():
    """Equal tumour doses x: activities x/60 and x/100; liver 16x/60 + 10x/100 = 40 gives x = 109.09 Gy; lungs stay below 30."""
    plan = optimise(problem(TWO, (LUNG, LIVER), FED), "up-to-limits")
    x = 40.0 / (16.0 / 60.0 + 10.0 / 100.0)
    assert plan.activities_gbq["right"].value == pytest.approx(x / 60.0, rel=OPTIMUM)
    assert plan.activities_gbq["left"].value == pytest.approx(x / 100.0, rel=OPTIMUM)


def test_a_limit_on_perfused_volumes_holds_for_each():
    rows = TWO | {"territory.right": {"right": 20.0, "left": 0.0}, "territory.left": {"right": 0.0, "left": 30.0}}
    plan = optimise(problem(rows, (limit(StructureKind.TERRITORY, 60.0),), FED), "up-to-limits")
    assert {t: a.value for t, a in plan.activities_gbq.items()} == {"right": pytest.approx(3.0), "left": pytest.approx(2.0)}


def test_what_the_weakest_cannot_use_goes_to_the_others():
    """A limit that only the right injection meets stops it at 1 GBq (60 Gy); the left goes on to its own limit, 5 GBq."""
    rows = TWO | {"normal_liver.right": {"right": 30.0, "left": 0.0}, "normal_liver.left": {"right": 0.0, "left": 6.0}}
    rules = (limit(StructureKind.PERFUSED_NORMAL_LIVER, 30.0),)
    plan = optimise(problem(rows, rules, FED), "up-to-limits")
    assert plan.activities_gbq["right"].value == pytest.approx(1.0, rel=1e-6)
    assert plan.activities_gbq["left"].value == pytest.approx(5.0, rel=1e-6)


def test_reaching_a_target_takes_the_least_activity():
    plan = optimise(problem(TWO, (LUNG, LIVER, target(90.0)), FED), "reach-target")
    assert plan.activities_gbq["right"].value == pytest.approx(1.5, rel=OPTIMUM)
    assert plan.activities_gbq["left"].value == pytest.approx(0.9, rel=OPTIMUM)


def test_goals_in_conflict_are_named_with_their_numbers():
    with pytest.raises(PlanInfeasible) as error:
        optimise(problem(TWO, (LUNG, LIVER, target(150.0)), FED), "reach-target")
    assert "limit normal_liver" in str(error.value)
    assert "55.0 Gy against 40 Gy" in str(error.value), "2.5 · 16 + 1.5 · 10"
    assert "lungs" not in str(error.value).split("·")[0], "18.5 Gy of 30 is no conflict"


def test_without_any_limit_there_is_no_largest_activity():
    with pytest.raises(PlanInfeasible, match="nothing bounds"):
        optimise(problem(ONE, (), {"right": ("tumour.T1",)}), "up-to-limits")


def test_a_target_without_a_target_is_refused():
    with pytest.raises(InvalidValue, match="no target"):
        optimise(problem(ONE, (LIVER,), {"right": ("tumour.T1",)}), "reach-target")


def test_a_territory_without_tumour_gets_nothing():
    plan = optimise(problem(TWO, (LUNG, LIVER), {"right": ("tumour.T1",), "left": ()}), "up-to-limits")
    assert plan.activities_gbq["left"].value == 0.0
    assert plan.activities_gbq["right"].value == pytest.approx(2.5, rel=OPTIMUM)


def test_territories_without_any_tumour_are_refused():
    with pytest.raises(InvalidValue, match="feeds a tumour"):
        problem(TWO, (LUNG,), {"right": (), "left": ()})


def test_a_rule_that_nothing_answers_to_is_a_critical_finding():
    rows = {key: row for key, row in ONE.items() if key != "lungs"}
    plan = optimise(problem(rows, (LUNG, LIVER), {"right": ("tumour.T1",)}), "up-to-limits")
    assert plan.unapplied == (LUNG,)
    (finding,) = unapplied_findings(plan)
    assert (finding.code, finding.severity.value, finding.about) == ("plan.rule_not_applied", "critical", "lungs")
    assert given(problem(ONE, (LUNG, LIVER), {"right": ("tumour.T1",)}), {"right": 1.0}).unapplied == ()


def test_the_uncertainty_of_the_binding_dose_becomes_that_of_the_activity():
    """a = 40/d: a source of +5 % in d moves a by 1/1.05 − 1."""
    plan = optimise(problem(ONE, (LUNG, LIVER), {"right": ("tumour.T1",)}, {"dose_constant": 0.05}), "up-to-limits")
    moved = plan.activities_gbq["right"].contributions["dose_constant"]
    assert moved == pytest.approx(2.5 * (1.0 / 1.05 - 1.0), rel=MOVED)


def test_a_plan_that_stands_at_a_limit_is_not_certain_for_that():
    """150 Gy need 2.5 GBq and put the liver at its 40 Gy; with 5 % less per GBq they would need 2.632, which the limit forbids."""
    rows = {"tumour.T1": {"right": Measured(60.0, {"contour": -3.0})}, "normal_liver": {"right": Measured(16.0)}}
    stated = PlanProblem(Influence("by hand", "1", rows), (LIVER, target(150.0)), {"right": ("tumour.T1",)})
    activity = optimise(stated, "reach-target").activities_gbq["right"]
    assert activity.value == pytest.approx(2.5, rel=OPTIMUM)
    assert activity.contributions["contour"] == pytest.approx(150.0 / 57.0 - 2.5, rel=MOVED)


def test_an_unknown_intent_is_refused():
    with pytest.raises(UnsupportedInput, match="up-to-limits, reach-target"):
        optimise(problem(ONE, (LIVER,), {"right": ("tumour.T1",)}), "guess")


def test_stated_activities_are_only_evaluated():
    plan = given(problem(TWO, (LUNG, LIVER), FED, {"calibration": 0.1}), {"right": 2.0, "left": 1.0})
    liver = next(outcome for outcome in plan.outcomes if outcome.structure == "normal_liver")
    assert liver.dose.value == pytest.approx(42.0)
    assert liver.dose.contributions["calibration"] == pytest.approx(4.2), "one source adds over injections"
    sigma = math.sqrt(math.log1p(0.01))
    above = 0.5 * (1.0 + math.erf(math.log(42.0 / 40.0) / sigma / math.sqrt(2.0)))
    assert liver.probability_exceeded == pytest.approx(above, rel=1e-9)


@pytest.mark.parametrize("stated", [{"right": 1.0}, {"right": 1.0, "left": 1.0, "middle": 1.0}])
def test_stated_activities_must_name_the_territories(stated):
    with pytest.raises(InvalidValue, match="activities for"):
        given(problem(TWO, (LUNG,), FED), stated)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_stated_activities_must_be_amounts(bad):
    with pytest.raises(InvalidValue, match="activity of"):
        given(problem(TWO, (LUNG,), FED), {"right": bad, "left": 1.0})


def test_probability_at_the_level_itself():
    assert probability_above(Measured(40.0, {"a": 4.0}), 40.0) == pytest.approx(0.5)
    assert probability_above(Measured(41.0), 40.0) == 1.0
    assert probability_above(Measured(39.0), 40.0) == 0.0
    assert probability_above(Measured(0.0), 40.0) == 0.0


PER_GBQ = st.floats(1.0, 200.0)


@st.composite
def random_problems(draw, territories: int):
    names = [f"t{n}" for n in range(territories)]
    rows = {f"tumour.{t}": {u: draw(PER_GBQ) if u == t else 0.0 for u in names} for t in names}
    rows["normal_liver"] = {t: draw(st.floats(1.0, 40.0)) for t in names}
    rows["lungs"] = {t: draw(st.floats(0.1, 15.0)) for t in names}
    return rows, {t: (f"tumour.{t}",) for t in names}


def _lowest_tumour(plan) -> float:
    return min(outcome.dose.value for outcome in plan.outcomes if outcome.structure.startswith("tumour"))


@settings(max_examples=60, deadline=None)
@hypothesis_given(random_problems(3), st.floats(10.0, 90.0))
def test_the_optimum_keeps_limits_touches_one_and_is_the_analytic_one(drawn, liver_gy):
    """With every tumour in one territory the largest common dose is the smallest of limit / Σ (d_limit/d_tumour)."""
    rows, fed = drawn
    rules = (LUNG, limit(StructureKind.NORMAL_LIVER, liver_gy), target(1.0))
    plan = optimise(problem(rows, rules, fed), "up-to-limits")
    bounds = {"lungs": 30.0, "normal_liver": liver_gy}
    common = min(value / sum(rows[key][t] / rows[f"tumour.{t}"][t] for t in fed) for key, value in bounds.items())
    assert _lowest_tumour(plan) == pytest.approx(common, rel=1e-6)
    for outcome in plan.outcomes:
        if outcome.rule.role is Role.LIMIT:
            assert outcome.dose.value <= outcome.rule.value_gy * (1.0 + 1e-6)
    assert any(outcome.binding for outcome in plan.outcomes)


@settings(max_examples=40, deadline=None)
@hypothesis_given(random_problems(2), st.floats(10.0, 90.0), st.floats(0.3, 0.99))
def test_a_lower_limit_never_raises_an_activity_or_a_dose(drawn, liver_gy, factor):
    rows, fed = drawn
    wide = optimise(problem(rows, (LUNG, limit(StructureKind.NORMAL_LIVER, liver_gy), target(1.0)), fed), "up-to-limits")
    strict = optimise(problem(rows, (LUNG, limit(StructureKind.NORMAL_LIVER, liver_gy * factor), target(1.0)), fed), "up-to-limits")
    assert _lowest_tumour(strict) <= _lowest_tumour(wide) * (1.0 + 1e-6)
    for key, most in (("normal_liver", liver_gy * factor), ("lungs", 30.0)):
        dose = next(outcome.dose.value for outcome in strict.outcomes if outcome.structure == key)
        assert dose <= most * (1.0 + 1e-6)


@settings(max_examples=40, deadline=None)
@hypothesis_given(random_problems(2), st.floats(1.05, 3.0))
def test_activity_falls_when_the_shunt_rises(drawn, factor):
    rows, fed = drawn
    leaky = rows | {"lungs": {t: value * factor for t, value in rows["lungs"].items()}}
    only_lung = (LUNG, target(1.0))
    before = optimise(problem(rows, only_lung, fed), "up-to-limits").activities_gbq
    after = optimise(problem(leaky, only_lung, fed), "up-to-limits").activities_gbq
    for t in fed:
        assert after[t].value == pytest.approx(before[t].value / factor, rel=1e-6)


@settings(max_examples=40, deadline=None)
@hypothesis_given(random_problems(2), PER_GBQ, st.floats(1.0, 40.0))
def test_one_more_position_for_the_same_tumour_never_needs_more_liver_dose(drawn, per_gbq, liver):
    """V3.6 for the least-activity intent: the old plan stays possible, so the optimum cannot get worse."""
    rows, fed = drawn
    rules = (limit(StructureKind.NORMAL_LIVER, 1e6), target(50.0))
    before = optimise(problem(rows, rules, fed), "reach-target")
    more = {key: row | {"extra": {"tumour.t0": per_gbq, "normal_liver": liver}.get(key, 0.0)} for key, row in rows.items()}
    after = optimise(problem(more, rules, fed | {"extra": ("tumour.t0",)}), "reach-target")
    total = [sum(a.value for a in plan.activities_gbq.values()) for plan in (before, after)]
    assert total[1] <= total[0] * (1.0 + 1e-6)


def test_evaluate_agrees_with_plain_arithmetic():
    rng = np.random.default_rng(5)
    a, b = rng.uniform(0.1, 3.0, 2)
    outcomes = evaluate(problem(TWO, (LUNG, LIVER), FED), {"right": a, "left": b})
    doses = {outcome.structure: outcome.dose.value for outcome in outcomes}
    assert doses == {"lungs": pytest.approx(5 * a + 4 * b), "normal_liver": pytest.approx(16 * a + 10 * b)}

"""What stands beside the doses of a plan agrees with them, and with itself."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path

import pytest

from opensirt.encoding import from_json
from opensirt.radioembolisation.treatment.proposal import SCHEMA, VERSION, PlanProposal
from opensirt.synthetic.camera import ImagingOptions
from opensirt.synthetic.patient import PatientOptions, virtual_patient
from opensirt.synthetic.uptake import UptakeOptions
from opensirt.synthetic.write import write_virtual_patient
from opensirt.vocabulary.errors import InvalidValue, PlanInfeasible
from opensirt.workflow.import_study import run_import
from opensirt.workflow.options import ImportOptions, PlanOptions, StatedRule
from opensirt.workflow.patient import read_patient
from opensirt.workflow.plan import run_plan, with_files

pytestmark = pytest.mark.slow

SUM = 1e-6
DROPPED = 2e-3
"""Resampled budgets leave out sources of less than a ten-thousandth of the variance each; a plan has a dozen or two."""
PRINTED = 0.01
"""Numbers in tables are printed to three or four figures."""
AT = datetime.fromisoformat("2026-03-11T10:00:00+01:00")


@pytest.fixture(scope="module")
def plan(demo: Path) -> PlanProposal:
    return from_json((demo / "plan" / "plan.json").read_text("utf-8"), PlanProposal, SCHEMA, VERSION)


def _tables(plan: PlanProposal, key: str):
    return [table for table in plan.tables if table.key == key]


def test_every_table_has_its_numbers(plan: PlanProposal) -> None:
    known = {number.key for number in plan.numbers}
    assert len(known) == len(plan.numbers)
    named = {cell.number_key for table in plan.tables for row in table.rows for cell in row if cell.number_key}
    assert named <= known
    assert {table.key for table in plan.tables} == {
        *(
            "models",
            "model_reasons",
            "radiobiology",
            "dvh_metrics",
            "order",
            "order_injections",
            "schedule",
            "eligibility",
            "late_effects",
        )
    }


def test_activity_to_dispense_is_what_is_delivered_and_the_residual(plan: PlanProposal) -> None:
    for injection in plan.injections:
        delivered = plan.number(injection.activity_key).measured
        dispensed = plan.number(f"dispensed.{injection.territory}")
        residual = next(c.value for c in dispensed.constants if c.key.endswith(".residual"))
        assert dispensed.measured.value == pytest.approx(delivered.value / (1.0 - residual), rel=SUM)
        assert dispensed.measured.relative_uncertainty < 1.5 * delivered.relative_uncertainty


def test_factors_of_reasons_multiply_up_to_the_ratio(plan: PlanProposal) -> None:
    for table in _tables(plan, "model_reasons"):
        ratio = float(table.title.split(" for ")[1].split(" times")[0])
        product = math.prod(float(row[0].text.removeprefix("× ")) for row in table.rows)
        assert product == pytest.approx(ratio, rel=2 * PRINTED)


def test_metrics_are_ordered_and_lie_in_their_intervals(plan: PlanProposal) -> None:
    metrics = {number.key: number for number in plan.numbers if number.key.startswith("metric.")}
    tumours = {key.split(".D")[0] for key in metrics if key.startswith("metric.tumour.")}
    assert tumours
    for tumour in tumours:
        d95, d70, d50 = (metrics[f"{tumour}.D{x}"].measured.value for x in (95, 70, 50))
        assert d95 < d70 < d50
    assert metrics["metric.normal_liver.V30"].measured.value > metrics["metric.normal_liver.V70"].measured.value
    for number in metrics.values():
        low, high = number.interval_90
        assert low <= number.measured.value <= high
        assert low < high


def test_shares_of_every_budget_sum_to_one(plan: PlanProposal) -> None:
    assert plan.budgets
    for budget in plan.budgets:
        assert sum(share.variance_fraction for share in budget.shares) == pytest.approx(1.0, abs=DROPPED)
        for share in budget.shares:
            assert share.halved_interval_fraction == pytest.approx(
                math.sqrt(1.0 - 0.75 * min(share.variance_fraction, 1.0)), abs=1e-3
            )


def test_doses_carry_calibration_and_residual(plan: PlanProposal) -> None:
    headline = plan.engine.replace(" ", "_")
    for key in ("normal_liver", "lungs"):
        dose = plan.number(f"dose.{key}.{headline}").measured
        assert dose.contributions["calibration"] == pytest.approx(0.05 * dose.value)
        assert dose.contributions["residual"] < 0.0


def test_voxel_bed_lies_above_bed_of_the_mean(plan: PlanProposal) -> None:
    beds = {n.key.removeprefix("bed."): n for n in plan.numbers if n.key.startswith("bed.")}
    headline = plan.engine.replace(" ", "_")
    assert "normal_liver" in beds
    for key, bed in beds.items():
        assert (
            bed.measured.value > plan.number(f"dose.{key}.{headline}").measured.value * 0.8
        )  # the map's mean may lie below the planned one


def test_schedule_halves_with_the_half_life(plan: PlanProposal) -> None:
    (table,) = _tables(plan, "schedule")
    rows = {float(row[0].text): row for row in table.rows}
    column = next(n for n, head in enumerate(table.columns) if head.startswith("right"))
    now, tomorrow = (float(rows[hours][column].text.split()[0]) for hours in (0.0, 24.0))
    assert tomorrow / now == pytest.approx(2.0 ** (-24.0 / 64.1), rel=PRINTED)


def test_facts_about_the_patient_reach_models_limits_and_eligibility(demo: Path, tmp_path: Path) -> None:
    facts = {
        "schema": "opensirt.patient", "version": 1, "height_cm": 170.0, "weight_kg": 70.0,
        "reserve": {"bilirubin_mg_per_dl": 0.8, "good_function": True, "pretreated": False},
        "eligibility": {"inr_ratio": 1.9}, "earlier": {"sessions": [{"name": "first", "lung_gy": 45.0, "normal_liver_gy": 12.0}]},
    }  # fmt: skip
    path = tmp_path / "patient.json"
    path.write_text(json.dumps(facts))
    options = with_files(PlanOptions(treatment_at=AT, product="resin", samples=0), path, None, None)
    assert options.patient == read_patient(path)
    plan = run_plan(demo / "case", options, tmp_path / "plan", lambda _: None)
    activities = {n.key for n in plan.numbers if n.key.startswith("model_activity.")}
    assert any(key.endswith(".bsa") for key in activities)
    lungs = [check for check in plan.limits if check.structure == "lungs"]
    assert min(check.value_gy for check in lungs) == pytest.approx(5.0)  # 50 Gy less the 45 Gy of the first session
    (table,) = _tables(plan, "eligibility")
    assert next(row for row in table.rows if row[0].text == "INR")[4].text == "met"
    with pytest.raises(PlanInfeasible, match="earlier"):
        facts["earlier"]["sessions"][0]["lung_gy"] = 51.0
        path.write_text(json.dumps(facts))
        run_plan(demo / "case", with_files(options, path, None, None), tmp_path / "none", lambda _: None)
    assert not (tmp_path / "none").exists()


def test_a_dose_of_the_perfused_volume_lets_mird_answer(demo: Path, tmp_path: Path) -> None:
    rule = StatedRule("target", "perfused_volume", 60.0, "asked by the test")
    plan = run_plan(demo / "case", PlanOptions(treatment_at=AT, samples=0, rules=(rule,)), tmp_path / "plan", lambda _: None)
    keys = {n.key for n in plan.numbers if n.key.startswith("model_activity.")}
    assert {f"model_activity.{i.territory}.mird" for i in plan.injections} <= keys


def test_too_few_draws_are_refused(demo: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="draws"):
        run_plan(demo / "case", PlanOptions(treatment_at=AT, samples=5), tmp_path / "plan", lambda _: None)


def test_a_lesion_that_nothing_feeds_leaves_the_others_sure(tmp_path: Path) -> None:
    options = PatientOptions(
        seed=10004,
        uptake=UptakeOptions(extrahepatic_share=0.02, unfed_lesion=True),
        imaging=ImagingOptions(ct_matrix=96, ct_slice_mm=6.0),
        truth_decays=1_000,
    )
    written = write_virtual_patient(virtual_patient(options, lambda _: None), tmp_path / "patient", lambda _: None)
    run_import(written.dicom_folder, tmp_path / "case", ImportOptions(), lambda _: None)
    plan = run_plan(tmp_path / "case", PlanOptions(treatment_at=AT, samples=20), tmp_path / "plan", lambda _: None)
    codes = {finding.code for finding in plan.findings}
    assert {"perfusion.lesion_not_fed", "compartments.negative_uptake", "radiobiology.dose_unclear"} <= codes
    headline = plan.engine.replace(" ", "_")
    for key in ("normal_liver", "tumour.T1", "tumour.T2", "lungs"):
        assert plan.number(f"dose.{key}.{headline}").measured.relative_uncertainty < 0.3
    for injection in plan.injections:
        assert plan.number(injection.activity_key).measured.relative_uncertainty < 0.3

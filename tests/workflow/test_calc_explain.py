"""Every formula explains itself in words that a physicist can check by hand."""

from __future__ import annotations

import re

import pytest

from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.workflow.calc import MODELS, calc, calc_example, run_model
from opensirt.workflow.calc_explain import explain, symbol_rows
from opensirt.workflow.calc_fields import Kind
from opensirt.workflow.calc_symbols import symbols_in, unit_in

HEADINGS = ["symbols", "answer", "constants", "sources", "findings"]


def section(text: str, heading: str) -> str:
    return text.split(f"\n{heading}\n", 1)[1].split("\n\n", 1)[0]


@pytest.mark.parametrize("name", MODELS)
def test_every_formula_tells_question_equation_answer_and_where_it_comes_from(name: str):
    text = "\n".join(explain(name, calc_example(name), "example").lines)
    answer = calc(name, calc_example(name))
    assert text.startswith(f"{name}: {MODELS[name].about}\n")
    assert [line for line in text.splitlines() if line in HEADINGS] == HEADINGS
    for part in answer["formula"].split(";"):
        assert part.strip() in text
    assert all(f"({key})" in section(text, "answer") for key in answer["units"])
    assert all(constant["source"] in section(text, "constants") for constant in answer["constants"])
    assert all(source in section(text, "sources") for source in answer["sources"])
    assert all(finding["message"] in text for finding in answer["findings"])


@pytest.mark.parametrize("name", MODELS)
def test_every_symbol_of_every_equation_is_told(name: str):
    model, values, outcome = run_model(name, calc_example(name))
    rows = {row.symbol: row for row in symbol_rows(model, values, outcome, "example")}
    wanted = {symbol for number in outcome.numbers for symbol in symbols_in(number.formula)}
    assert {symbol for symbol in wanted if not rows[symbol].meaning} == set()


@pytest.mark.parametrize("name", MODELS)
def test_every_number_that_was_stated_stands_in_the_text(name: str):
    text = "\n".join(explain(name, calc_example(name)).lines)
    for field in MODELS[name].fields:
        if field.example is not None and field.key != "dose_constant":
            assert f"({field.key}, stated)" in text


def test_hand_made_answer_of_the_partition_model():
    # 49.67 · 2 · 0.9 / (5 · 0.3 + 1.5) = 29.802 Gy; TN = 5 makes 149.01 Gy; the variance is the constant's: 0.35 % of each
    text = "\n".join(explain("partition-dose", calc_example("partition-dose")).lines)
    assert re.search(r"^  D_N +29\.80\u202fGy ", text, re.MULTILINE)
    assert re.search(r"^  K +49\.67 ± 0\.17\u202fGy·kg/GBq ", text, re.MULTILINE)
    assert re.search(r"^  m_T +0\.3\u202fkg ", text, re.MULTILINE)
    assert "(tumour_dose_gy): 149.01\u202fGy, 90 % interval 148.15–149.87" in text
    assert "100 % of the variance: dose constant (0.52\u202fGy)" in text


def test_the_budget_names_sources_by_share():
    payload = calc_example("lung-dose") | {"lung_shunt_fraction": {"value": 0.1, "standard_uncertainty": 0.03}}
    text = "\n".join(explain("lung-dose", payload | {"lung_mass_kg": {"value": 1.0, "relative_uncertainty": 0.1}}).lines)
    # relative: 0.3 of the shunt, 0.1 of the mass, 0.0035 of the constant: 90 %, 10 %, below 0.5 %
    budget = section(text, "answer")
    assert re.search(r"90 % of the variance: lung shunt fraction", budget)
    assert re.search(r"10 % of the variance: lung mass kg", budget)
    assert "and 1 source below 0.5 % each" in budget
    assert re.search(r"^  L +0\.100 ± 0\.030 ", text, re.MULTILINE)


def test_findings_of_a_payload_stand_in_the_text():
    explanation = explain("lung-dose", calc_example("lung-dose") | {"delivered_gbq": 8.0})
    assert [finding.code for finding in explanation.findings] == ["dose.lung_above_limit"]
    assert "critical dose.lung_above_limit" in "\n".join(explanation.lines)


def test_what_calc_refuses_explain_refuses():
    with pytest.raises(UnsupportedInput):
        explain("nothing", {})
    with pytest.raises(InvalidValue):
        explain("decay", {"nuclide": "Y-90"})


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        ("dispensed_gbq", "GBq"),
        ("density_g_per_ml", "g/mL"),
        ("s_value_mgy_per_mbq_s", "mGy/MBq·s"),
        ("dose_constant_gy_kg_per_gbq", "Gy·kg/GBq"),
        ("initial_dose_rate_gy_per_h", "Gy/h"),
        ("lung_shunt_fraction", ""),
        ("tumour_to_normal", ""),
        ("d_percent", "%"),
        ("tumour.T1.gbq", "GBq"),
    ],
)
def test_units_are_read_from_keys(key: str, unit: str):
    assert unit_in(key) == unit


def test_a_field_without_a_unit_is_a_pure_number():
    pure = re.compile(
        r"fraction|ratio|to_normal|factor|percent|number|grade|score|relative|probability|exponent|count|gamma50|^inr$"
    )
    bare = {
        f"{model.name}.{field.key}"
        for model in MODELS.values()
        for field in model.fields
        if "unit" not in {other.key for other in model.fields}  # such a formula states the unit beside the number
        and field.kind in (Kind.POSITIVE, Kind.NOT_NEGATIVE, Kind.NUMBER)
        and not unit_in(field.key)
        and not pure.search(field.key)
    }
    assert bare == set()

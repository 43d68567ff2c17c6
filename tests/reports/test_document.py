"""What a report says, before it is paper or screen: every number explained, every finding there, nothing that is not in the plan."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from opensirt.encoding import to_json
from opensirt.radioembolisation.treatment.delivery_calendar import DeliveryCalendar, ProductDelivery
from opensirt.radioembolisation.treatment.order_tables import order_tables
from opensirt.radioembolisation.treatment.orders import order
from opensirt.radioembolisation.treatment.proposal import SCHEMA, VERSION, Cell, PlanTable
from opensirt.reports import document as d
from opensirt.reports.numbers import told, value_text
from opensirt.reports.plan_content import plan_document
from opensirt.reports.plan_decision import AGAINST_PLAN, FROM_VIALS, MOST_TUMOURS, sorted_findings
from opensirt.reports.plan_sections import CURVES_DRAWN
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.products import GLASS
from opensirt.vocabulary.provenance import Constant, Mark, content_sha256
from reports import plans
from reports.plans import CREATED, TABLE_KEYS, flat, inlines, said, shown, small_pictures, small_plan

pytestmark = pytest.mark.slow

AMOUNT = re.compile(r"\d[\s\u00a0\u202f]*(?:(?:Gy|GBq|MBq|mL|g|kg|mm)\b|%)(?! interval)")
"""A number with its unit: on the pages before the methods it must be one that is explained."""
METHODS = "methods"
CALENDAR = DeliveryCalendar("s", "Europe/London", {"glass": ProductDelivery((0, 1, 2, 3, 4), cut_off_days=7)})


@pytest.fixture(scope="module")
def plan():
    return small_plan()


@pytest.fixture(scope="module")
def report(plan) -> d.ReportDocument:
    return plan_document(plan, small_pictures())


def test_every_number_on_a_page_has_an_entry(report):
    keys = {entry.key for entry in report.entries}
    pages = shown(report)
    assert len(pages) > 30
    assert {one.entry for one in pages} <= keys
    for entry in report.entries:
        assert entry.formula and entry.method and entry.version and entry.method_number >= 1, entry.key


def test_no_amount_stands_on_the_pages_without_an_entry(report, plan):
    """Amounts outside findings, titles and captions of pictures, and notes that the plan brings, are numbers that open an explanation."""
    allowed = {*(f.message for f in plan.findings), *(f.message.partition(" · ")[0] for f in plan.findings), plan.intent}
    for block in flat(report.blocks):
        if isinstance(block, d.Heading) and block.anchor == METHODS:
            return
        if isinstance(block, d.Figure):
            continue
        for inline in inlines(block):
            if isinstance(inline, d.Run) and inline.text not in allowed and not inline.text.startswith("Research and audit"):
                remark = isinstance(block, d.Table) and inline in block.caption and inline.text.startswith("Vials that hold")
                assert remark or not AMOUNT.search(inline.text), inline.text
    raise AssertionError("the methods page is missing")


def test_every_number_of_the_plan_is_in_the_appendix_with_its_value_and_budget(report, plan):
    for number in plan.numbers:
        entry = report.entry(number.key)
        assert entry.value == value_text(number)
        assert len(entry.budget) == len(number.measured.contributions)
        if entry.budget:
            assert sum(line.share for line in entry.budget) == pytest.approx(1.0)
        assert [report.constants[n - 1] for n in entry.constants] == list(number.constants)
        assert entry.inputs == number.inputs
    assert any(isinstance(block, d.Entries) for block in flat(report.blocks))


def test_entries_are_numbered_in_order_and_their_anchors_differ(report, plan):
    assert [entry.number for entry in report.entries] == list(range(1, len(report.entries) + 1))
    assert len({entry.anchor for entry in report.entries}) == len(report.entries)
    order = list(dict.fromkeys(one.entry for one in shown(report)))
    brought = {check.number_key for check in plan.limits}  # a limit's chance brings the dose that it rests on
    pages = [report.entry(key).number for key in order if not key.startswith(("check.", "ledger")) and key not in brought]
    assert pages == sorted(pages)


def test_methods_name_every_entry_once(report):
    tables = [
        b
        for b in flat(report.blocks)
        if isinstance(b, d.Table) and len(b.columns) == 5 and b.rows and b.rows[0][0] == (d.Run("M1"),)
    ]
    assert len(tables) == 1
    named = []
    for row in tables[0].rows:
        for part in row[4][0].text.split(", "):
            first, _, last = part.partition("–")
            named += range(int(first), int(last or first) + 1)
    assert sorted(named) == [entry.number for entry in report.entries]


def test_all_findings_and_faults_stand_in_full(report, plan):
    listed = [f for block in flat(report.blocks) if isinstance(block, d.Findings) for f in block.findings]
    assert sorted(f.code for f in listed) == sorted(f.code for f in plan.findings)
    assert [f.severity for f in listed] == [Severity.CRITICAL, Severity.WARNING, Severity.NOTE]
    assert "slice 17 is missing" in said(report)


def test_the_decision_page_holds_what_a_person_decides_on(report, plan):
    page = report.blocks[0]
    assert isinstance(page, d.OnePage)
    blocks = list(flat([page]))
    text = "\n".join(i.text for block in blocks for i in inlines(block) if isinstance(i, d.Run | d.Shown))
    for wanted in (
        "CASE-0042",
        "Wed 11 Mar 2026, 10:00 UTC+01:00",
        "1.79",
        "whole normal liver",
        "50 %",
        "< 1 %",
        "no target stated",
    ):
        assert wanted in text, wanted
    assert "fixes the activity" in text and "25 Gy" in text  # also the limit that no structure answers to
    assert plan.findings[0].message in text and "a scout is not the treatment" in text
    assert "verify after it" not in text  # a warning by its first clause; whole on the next page
    assert sum(isinstance(i, d.TickBox) for block in blocks for i in inlines(block)) == 2
    signatures = [block for block in blocks if isinstance(block, d.Signatures)]
    assert len(signatures) == 1 and len(signatures[0].roles) == 3


def test_of_many_tumours_the_least_and_the_most_stand_on_the_decision_page():
    report = plan_document(small_plan(tumours=15), small_pictures())
    text = "\n".join(i.text for block in flat([report.blocks[0]]) for i in inlines(block) if isinstance(i, d.Run))
    assert len(re.findall(r"^tumour T\d+$", text, re.M)) == MOST_TUMOURS + 1  # one more is the lesion that an injection feeds
    assert {"tumour T1", "tumour T3", "tumour T13", "tumour T15"} <= set(text.split("\n"))
    assert f"{15 - MOST_TUMOURS} more tumours" in text


def test_tables_of_the_plan_are_shown_with_note_and_literature_and_silent_when_absent(report, plan):
    text = said(report)
    for key in TABLE_KEYS:
        assert f"Title of {key}" in text and f"Note of {key}." in text and f"Literature of {key}" in text, key
    assert "a second reader" in text and "63 %\u00a0of\u00a0now" in text
    bare = said(plan_document(replace(plan, tables=(), budgets=()), small_pictures()))
    assert "Title of" not in bare and "a second reader" not in bare
    assert "contour (liver)" in bare  # the budget of the activities still stands


def test_the_document_belongs_to_one_plan(report, plan):
    assert report.created_at == CREATED
    assert report.plan_sha256 == content_sha256([to_json(plan, SCHEMA, VERSION).encode()])
    assert report.synthetic and report.title.startswith("SYNTHETIC")
    real = plan_document(small_plan(synthetic=False), small_pictures())
    assert not real.synthetic and "SYNTHETIC" not in real.title


def test_a_plan_without_anything_to_weigh_says_so():
    report = plan_document(small_plan(findings=()), small_pictures())
    assert "No critical finding and no warning." in said(report)
    assert "No findings." in said(report)


def test_of_like_severity_what_forbids_or_harms_stands_first_and_gas_last():
    codes = (
        "dose.density_thinner_than_table",
        "disagreement.wide",
        "limits.no_target",
        "late.seen",
        "eligibility.not_known_absolute",
    )
    found = sorted_findings([Finding(code, Severity.WARNING, "m") for code in codes])
    assert [finding.code for finding in found] == list(reversed(codes))
    critical = Finding("dose.density_thinner_than_table", Severity.CRITICAL, "m")
    assert sorted_findings([*found, critical])[0] is critical


def test_a_target_is_reached_and_a_limit_exceeded(plan):
    target = replace(plan.limits[0], role="target", probability_exceeded=0.8)
    report = plan_document(replace(plan, limits=(target, plan.limits[1])), small_pictures())
    assert report.entry("check.0").label.startswith("Chance of reaching the target")
    assert report.entry("check.1").label.startswith("Chance of exceeding the limit")
    assert "80 % reach" in said(report)


def test_a_parameter_that_nobody_stated_is_called_so(plan):
    text = said(plan_document(replace(plan, parameters=(("calendar", "default"),)), small_pictures()))
    assert "not stated" in text and "\ndefault" not in text


def test_notes_alone_are_counted():
    notes = tuple(Finding(f"a.{n}", Severity.NOTE, f"remark {n}") for n in range(2))
    assert "2 notes" in said(plan_document(small_plan(findings=notes), small_pictures()))


def _page(plan) -> str:
    return "".join(
        i.text
        for block in flat([plan_document(plan, small_pictures()).blocks[0]])
        for i in inlines(block)
        if isinstance(i, d.Run | d.Shown)
    )


def test_without_an_order_the_best_single_vial_stands_on_the_decision_page(plan):
    text = _page(replace(plan, tables=()))
    assert "3 GBq, calibrated Sun 08 Mar, 12:00 UTC−04:00; −17" in text
    assert "20 GBq" not in text
    assert "see Vials and order" in _page(plan)  # an order whose columns are unknown is not read wrongly


def test_with_an_order_the_decision_page_says_what_the_order_says(plan):
    """One vial alone would be another answer than the order's: both pages must say the same."""
    tables = order_tables(order(GLASS, {"right": 2.4, "left": 1.1}, datetime(2026, 3, 11, 9, 0, tzinfo=UTC), CALENDAR))
    vials, injections = tables
    text = _page(replace(plan, tables=tables))
    for row in injections.rows:
        assert f"{row[injections.columns.index(FROM_VIALS)].text} GBq" in text
        assert row[injections.columns.index(AGAINST_PLAN)].text.replace("-", "−").replace(" %", "\u00a0%") in text
    for row in vials.rows:
        assert f"{row[0].text}: {row[1].text} GBq of {row[2].text[:15]}" in text


def test_a_wide_table_is_cut_into_sheets_that_repeat_the_first_column(plan):
    columns = ("delay, h", *(f"tumour.T{n % 2 + 1}, Gy {n}" for n in range(20)))
    rows = tuple(tuple(Cell(f"{row * 100 + n}.5 %") for n in range(21)) for row in range(3))
    report = plan_document(replace(plan, tables=(PlanTable("schedule", "Wide", columns, rows),)), small_pictures())
    sheets = [b for b in flat(report.blocks) if isinstance(b, d.Table) and b.columns[0].title == (d.Run("Delay, h"),)]
    assert len(sheets) >= 2
    titles = [c.title[0].text for sheet in sheets for c in sheet.columns if c.title[0].text != "Delay, h"]
    assert titles == [f"Tumour T{n % 2 + 1}, Gy {n}" for n in range(20)]
    for sheet in sheets:
        assert [row[0][0].text for row in sheet.rows] == ["0.5\u00a0%", "100.5\u00a0%", "200.5\u00a0%"]
    assert max(len(s.columns) for s in sheets) - min(len(s.columns) for s in sheets) <= 2  # of like width


def test_structures_stand_by_their_names_and_minus_is_a_minus():
    labels = {"normal_liver.right": "normal liver, right", "tumour.T1": "tumour T1", "liver": "another"}
    assert (
        told("normal_liver.right at -3.5 % of liver, tumour.T1, e.g. 2026-03-01", labels)
        == "normal liver, right at −3.5\u00a0% of liver, tumour T1, e.g. 2026-03-01"
    )


def test_residual_and_activity_to_dispense_stand_beside_the_vials(plan):
    """1.79 GBq to deliver and 10 % left behind are 1.99 GBq to dispense."""
    residual = Constant("residual.x", 0.1, "1", "a median", 0.02, Mark.FOUND)
    amount = replace(
        plans.number("dispensed.right", "Activity to dispense, right", 1.79 / 0.9, "GBq", residual=0.1), constants=(residual,)
    )
    tables = order_tables(order(GLASS, {"right": 2.4}, datetime(2026, 3, 11, 9, 0, tzinfo=UTC), CALENDAR))
    text = _page(replace(plan, numbers=(*plan.numbers, amount), tables=tables))
    assert "right 1.99\u202fGBq" in text and "residual R = 10\u00a0% [found]" in text


def test_every_limit_has_an_entry_with_its_source(report, plan):
    for place, check in enumerate(plan.limits):
        entry = report.entry(f"level.{place}")
        assert entry.value == f"{check.value_gy:g} Gy" and entry.sources == (check.source,)
    marked = {one.entry for one in shown(report) if one.marked}
    assert {f"level.{place}" for place in range(len(plan.limits))} <= marked


def test_a_unit_in_the_head_is_not_repeated_in_the_cells(plan):
    table = PlanTable(
        "radiobiology",
        "B",
        ("structure", "BED, Gy", "BED"),
        ((Cell("a"), Cell(number_key="extra.T1"), Cell(number_key="extra.T1")),),
    )
    report = plan_document(replace(plan, tables=(table,)), small_pictures())
    cells = [one.text for one in shown(report) if one.entry == "extra.T1"]
    assert cells == ["162", "162\u202fGy"]


def test_the_entry_of_numbers_that_stand_as_text_holds_the_formula(report):
    entries = {entry.method: entry.formula for entry in report.entries if entry.key.startswith("table.")}
    assert "A_cal · 2^(−t / T½)" in entries["Title of order"] and "A_cal · 2^(−t / T½)" in entries["Title of schedule"]
    assert "formulae stand in the methods" in entries["Title of of_a_later_release"]


def test_few_curves_stand_in_the_histogram_of_first_rank():
    report = plan_document(small_plan(tumours=15), small_pictures())
    charts = [block.chart for block in report.blocks if isinstance(block, d.Chart)]
    assert len(charts) == 1 and len(charts[0].series) == CURVES_DRAWN
    assert {"normal liver", "lungs"} <= {series.label for series in charts[0].series}

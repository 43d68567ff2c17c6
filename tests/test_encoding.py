"""JSON there and back, every fault at once, nothing turned silently into something else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum

import pytest
from hypothesis import given

import strategies
from opensirt.encoding import canonical_json, from_json, parse_json, pretty_json, structure, to_json, unstructure
from opensirt.radioembolisation.treatment.proposal import (
    SCHEMA,
    VERSION,
    ComparisonRow,
    DvhCurve,
    InjectionProposal,
    LedgerLine,
    LimitCheck,
    PlanProposal,
    StructureSummary,
    VialOption,
)
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue
from opensirt.vocabulary.findings import Fault, Finding, Severity
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.provenance import Constant, Input, Mark, ReportedNumber, Shape

AT = datetime(2026, 3, 4, 10, 0, tzinfo=timezone(timedelta(hours=5, minutes=45)))


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Leaf:
    amount: float
    count: int
    sure: bool
    name: str
    colour: Colour = Colour.RED
    shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...]
    at: datetime = AT
    measured: Measured = field(default_factory=lambda: Measured(1.0))


def proposal() -> PlanProposal:
    number = ReportedNumber(
        "dose.tumour.T1.kernel",
        "Dose, tumour T1",
        Measured(142.5, {"liver_volume": -3.25, "calibration": 7.0}),
        "Gy",
        "D = K·A/m",
        "kernel",
        "2",
        (Input("A", "2.5", "GBq", "plan"),),
        (Constant("Y-90.half_life_h", 64.1, "h", "ICRP 107", 0.06, Mark.FOUND),),
        Shape.NORMAL,
        ("a paper",),
        ("ab" * 32,),
    )
    return PlanProposal(
        schema=SCHEMA, version=VERSION, program_version="0", created_at=AT, case_id="C-1", synthetic=True, product="glass",
        nuclide="Y-90", indication="NET", setting="", dose_constant="49.67", engine="kernel", treatment_at=AT.astimezone(UTC),
        working_grid="(3, 4, 5)", intent="given", numbers=(number,),
        structures=(StructureSummary("tumour.T1", "größter Herd", "SEG", "v", "m", "cd" * 32),),
        injections=(InjectionProposal("right", "a", ("T1",), "p", "tn"),),
        comparison=(ComparisonRow("tumour.T1", "kernel", number.key), ComparisonRow("lungs", "mono", "", "does not apply")),
        limits=(LimitCheck("lung", "limit", "lungs", 30.0, number.key, True, 0.25, "a guideline", "found"),),
        vials=(VialOption("right", 3.0, AT, 2.0, -0.01, AT, 1.5, False, "too weak"),),
        dvh=(DvhCurve("tumour.T1", "kernel", (0.0, 1.0), (1.0, 0.5), (1.0, 0.4), (1.0, 0.6)),),
        ledger=(LedgerLine("resampling", 10.0, 9.0, 1.0, "counts"),),
        findings=(Finding("a.b", Severity.CRITICAL, "look"),), faults=(Fault("c.d", "bad", "1.2.3"),),
        input_sha256=(("ct", "ef" * 32),), parameters=(("spacing_mm", "default"),),
    )  # fmt: skip


def test_a_plan_comes_back_as_it_went():
    plan = proposal()
    text = to_json(plan, SCHEMA, VERSION)
    assert from_json(text, PlanProposal, SCHEMA, VERSION) == plan
    assert "größter Herd" in text  # UTF-8, not escapes
    assert json.loads(text)["created_at"] == "2026-03-04T10:00:00+05:45"  # the offset it was stated with


@given(strategies.measurements(), strategies.instants())
def test_measured_values_and_instants_come_back(measured: Measured, at: datetime):
    tree = Tree((Leaf(0.1, 3, True, "x", shares={"a": 1.5}),), at, measured)
    back = structure(json.loads(canonical_json(tree)), Tree)
    assert back == tree
    assert back.at.utcoffset() == at.utcoffset()


def test_canonical_json_sorts_keys_and_spends_no_space():
    assert canonical_json({"b": [1, 2.5, None], "a": "µ"}) == '{"a":"µ","b":[1,2.5,null]}'
    assert canonical_json({"a": "µ", "b": (1, 2.5, None)}) == canonical_json({"b": [1, 2.5, None], "a": "µ"})


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_not_written(bad: float):
    for write in (canonical_json, pretty_json):
        with pytest.raises(InvalidValue, match=r"outer\.list\[1\]"):
            write({"outer": {"list": [0.0, bad]}})


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_not_finite_is_not_read(word: str):
    with pytest.raises(InvalidValue, match=word.lstrip("-")):
        parse_json(f'{{"a": {word}}}')


def test_a_key_stated_twice_is_refused():
    with pytest.raises(InvalidValue, match="gbq twice"):
        parse_json('{"gbq": 1.0, "gbq": 2.0}')


GOOD = {"amount": 1.5, "count": 2, "sure": True, "name": "x", "colour": "red", "shares": {}}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("amount", "1.5"),
        ("amount", True),
        ("amount", None),
        ("count", 2.7),  # int(2.7) is 2: never silently
        ("count", "2"),
        ("count", True),
        ("sure", "no"),  # bool("no") is True
        ("sure", 0),
        ("name", 5),
        ("colour", "green"),
        ("shares", {"a": "much"}),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused_with_its_path(key: str, value: object):
    with pytest.raises(InvalidValue, match=key):
        structure(GOOD | {key: value}, Leaf)


def test_a_whole_number_may_stand_for_a_measure():
    assert structure(GOOD | {"amount": 2}, Leaf).amount == 2.0


def test_all_faults_come_at_once_each_with_its_path():
    leaves = [GOOD | {"count": 2.5}, {k: v for k, v in GOOD.items() if k != "name"}, GOOD | {"tpyo": 1}]
    with pytest.raises(InvalidValue) as caught:
        structure({"leaves": leaves, "at": "2026-03-04T10:00:00", "measured": {"value": 1.0, "contributions": {"a": None}}}, Tree)
    what = caught.value.what
    for part in ("leaves[0].count", "leaves[1]", "name", "leaves[2]", "tpyo", "$.at", "time zone", "$.measured"):
        assert part in what


@pytest.mark.parametrize("value", ["soon", 17, None, "2026-13-04T10:00:00Z"])
def test_an_instant_is_iso_with_offset(value: object):
    with pytest.raises(InvalidValue, match="instant"):
        structure({"leaves": [], "at": value}, Tree)


def test_a_document_of_another_schema_or_version_is_refused():
    text = to_json(Tree(()), "opensirt.tree", 2)
    assert from_json(text, Tree, "opensirt.tree", 2) == Tree(())
    for schema, version in (("opensirt.tree", 1), ("opensirt.bush", 2)):
        with pytest.raises(InconsistentInput, match="opensirt.tree"):
            from_json(text, Tree, schema, version)
    with pytest.raises(InconsistentInput):
        from_json("[]", Tree, "opensirt.tree", 2)


def test_what_is_not_json_says_where():
    with pytest.raises(InvalidValue, match="line 2, column 1"):
        from_json('{"schema":\n', Tree, "opensirt.tree", 2)


def test_a_hundred_thousand_brackets_do_not_end_the_program():
    with pytest.raises(InvalidValue):
        parse_json("[" * 100_000)


def test_only_a_record_is_a_document():
    with pytest.raises(InvalidValue):
        to_json([1, 2], "opensirt.tree", 1)


def test_plain_types_stay_plain():
    assert unstructure(Leaf(1.0, 2, False, "x")) == {
        "amount": 1.0, "count": 2, "sure": False, "name": "x", "colour": "red", "shares": {},
    }  # fmt: skip

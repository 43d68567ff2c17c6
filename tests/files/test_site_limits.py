"""A site's own limits as a file: what is written is read back, and every fault of the file is told at once."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from opensirt.files.site_limits import read_site_limits, site_limits_from_json, site_limits_to_json
from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, MissingInput
from opensirt.vocabulary.limit_data import Role
from opensirt.vocabulary.limits import rules_for
from opensirt.vocabulary.site_limits import Basis, LimitAddition, LimitChange, SiteLimits

TOLD = {"reason": "audit of 2025", "by": "Dr Example", "on": "2026-05-04"}
DOCUMENT = {
    "schema": "opensirt.site_limits",
    "version": 1,
    "site": "Exampleton",
    "replaces": [
        {"key": "resin.normal_liver.unilobar", "value_gy": 35, **TOLD},
        {"key": "glass.tumour.NET", "value_gy": 150.0, "basis": "person", **TOLD},
    ],
    "adds": [
        {
            "key": "exampleton.lobectomy",
            "name": "whole normal liver, lobectomy",
            "role": "limit",
            "volume": "normal_liver",
            "value_gy": 45.0,
            "product": "resin",
            "indications": ["NET", "mCRC"],
            "settings": ["lobectomy"],
            **TOLD,
        }
    ],
}
DAY = date(2026, 5, 4)
MEANT = SiteLimits(
    "Exampleton",
    (
        LimitChange("resin.normal_liver.unilobar", 35.0, "audit of 2025", "Dr Example", DAY),
        LimitChange("glass.tumour.NET", 150.0, "audit of 2025", "Dr Example", DAY, Basis.PERSON),
    ),
    (
        LimitAddition(
            "exampleton.lobectomy", "whole normal liver, lobectomy", Role.LIMIT, StructureKind.NORMAL_LIVER, 45.0, "audit of 2025",
            "Dr Example", DAY, "resin", ("NET", "mCRC"), ("lobectomy",),
        ),
    ),
)  # fmt: skip


def faults_of(**changes) -> str:
    with pytest.raises(InvalidValue) as caught:
        site_limits_from_json(json.dumps(DOCUMENT | changes), "limits.json")
    return str(caught.value)


def test_a_file_is_read(tmp_path: Path):
    path = tmp_path / "limits.json"
    path.write_text(json.dumps(DOCUMENT), "utf-8")
    assert read_site_limits(path) == MEANT


def test_what_is_written_is_read_back():
    assert site_limits_from_json(site_limits_to_json(MEANT)) == MEANT
    assert site_limits_from_json(site_limits_to_json(SiteLimits("Exampleton"))) == SiteLimits("Exampleton")


def test_a_read_file_moves_the_rules():
    site = site_limits_from_json(json.dumps(DOCUMENT))
    assert rules_for("resin", "mCRC", "unilobar", site=site).permitted_gy(StructureKind.NORMAL_LIVER) == 35.0
    assert rules_for("resin", "mCRC", "lobectomy", site=site).permitted_gy(StructureKind.NORMAL_LIVER) == 45.0


def test_every_fault_is_told_at_once():
    text = faults_of(
        sites="Exampleton",
        replaces=[
            {"key": "resin.normal_liver.unilobr", "value_gy": 35.0, **TOLD},
            {"key": "resin.normal_liver.unilobar", "value_gy": -1, "reason": "", "by": "Dr Example", "on": "4 May"},
            {"key": "resin.normal_liver.unilobar", "value_gy": True, "basis": "committee", "colour": "red", "on": "2026-05-04", "by": "x"},
        ],
        adds=[
            {"key": "lung.single", "name": "x", "role": "advice", "volume": "liver", "value_gy": 1.0, "product": "gold", **TOLD},
            {"key": "x", "name": "x", "role": "limit", "volume": "lungs", "value_gy": 1.0, "product": "glass", "settings": ["x"], "indications": "NET", **TOLD},
            7,
        ],
    )  # fmt: skip
    for part in (
        "sites: not known here; did you mean site?",
        "replaces[0].key: 'resin.normal_liver.unilobr' is unknown; did you mean resin.normal_liver.unilobar?",
        "replaces[1].value_gy: -1 is no finite dose above 0 Gy",
        "replaces[1].reason: '' is no text",
        "replaces[1].on: '4 May' is no day",
        "replaces[2].value_gy: True",
        "replaces[2].reason: missing",
        "replaces[2].basis: 'committee' is unknown",
        "replaces[2].colour: not known here",
        "adds[0].key: lung.single is a published entry",
        "adds[0].role: 'advice' is unknown",
        "adds[0].volume: 'liver' is unknown",
        "adds[0].product: 'gold' is unknown",
        "adds[1].settings: 'x' is unknown",
        "adds[1].indications: 'NET' is no list of names",
        "adds[2]: an object is expected",
        "limits.json",
    ):
        assert part in text


def test_one_entry_twice_is_a_fault():
    row = {"key": "resin.normal_liver.unilobar", "value_gy": 35.0, **TOLD}
    assert "resin.normal_liver.unilobar stands twice for a site" in faults_of(replaces=[row, row])
    assert "exampleton.lobectomy stands twice" in faults_of(adds=DOCUMENT["adds"] * 2)
    assert len(site_limits_from_json(json.dumps(DOCUMENT | {"replaces": [row, row | {"basis": "person"}]})).changes) == 2


def test_values_that_allow_more_to_a_lower_reserve_are_a_fault():
    rows = [{"key": "ho166.normal_liver.bilobar_good_function", "value_gy": 35.0, **TOLD}]
    text = faults_of(replaces=rows)
    assert "a lower hepatic reserve would be allowed more" in text
    rows.append({"key": "ho166.normal_liver.bilobar", "value_gy": 35.0, **TOLD})
    assert len(site_limits_from_json(json.dumps(DOCUMENT | {"replaces": rows})).changes) == 2


@pytest.mark.parametrize("change", [{"schema": "opensirt.delivery_calendar"}, {"version": 2}, {"version": None}])
def test_another_schema_or_version_is_refused(change):
    with pytest.raises(InconsistentInput):
        site_limits_from_json(json.dumps(DOCUMENT | change))


def test_no_file_no_text_no_object(tmp_path: Path):
    with pytest.raises(MissingInput):
        read_site_limits(tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes(b'{"site": "K\xf6ln"}')
    with pytest.raises(InvalidValue, match="UTF-8"):
        read_site_limits(tmp_path / "latin.json")
    with pytest.raises(InvalidValue, match="not JSON"):
        site_limits_from_json("{")
    with pytest.raises(InconsistentInput):
        site_limits_from_json("[]")
    assert "replaces: a list of objects" in faults_of(replaces={})


def test_the_example_of_the_documentation_is_a_file_that_can_be_read():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "site-limits.md").read_text("utf-8")
    site = site_limits_from_json(page.split("```json\n")[1].split("```")[0])
    assert (len(site.changes), len(site.additions)) == (2, 1)

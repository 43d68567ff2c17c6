"""The package's limits are read strictly: every slip in the data is told, with its path, all at once."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.limit_data import decode_limits, limit_set

TEXT = files("opensirt.vocabulary.data").joinpath("limits.json").read_text("utf-8")


def place_of(key: str) -> int:
    return [row["key"] for row in json.loads(TEXT)["rules"]].index(key)


def broken(change) -> str:
    data = json.loads(TEXT)
    change(data)
    with pytest.raises(InvalidValue) as caught:
        decode_limits(json.dumps(data))
    return str(caught.value)


def test_the_data_are_sound_and_every_entry_has_a_source():
    found = limit_set()
    assert all(entry.source and entry.name for entry in found.entries)
    assert all((entry.value_gy is None) == bool(entry.reason) for entry in found.entries)
    assert {entry.value_gy for entry in found.entries if "garbled" in entry.name} == {None}


LOW = place_of("glass.normal_liver.bilirubin_low")
NET = place_of("glass.tumour.NET")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["rules"][3].update(gray=3.0), "rules[3].gray: unknown key"),
        (
            lambda d: d["rules"][2].update(volume="normal_livre"),
            "rules[2].volume: 'normal_livre' is unknown; did you mean normal_liver?",
        ),
        (lambda d: d["rules"][2].pop("source"), "rules[2].source: missing"),
        (lambda d: d["rules"][2].update(source="hearsay"), "rules[2].source: 'hearsay' is unknown"),
        (lambda d: d["rules"][0].update(value_gy=-30.0), "rules[0].value_gy: -30.0 is no finite number above 0"),
        (lambda d: d["rules"][0].update(value_gy="30"), "rules[0].value_gy: '30' is no finite number above 0"),
        (lambda d: d["rules"][0].update(value_gy=None), "rules[0].value_gy: no value, and no why and reason"),
        (lambda d: d["rules"][NET].update(value_gy=120.0), f"rules[{NET}].why: a value stands, and a reason why there is none"),
        (lambda d: d["rules"][0].update(mark="certain"), "rules[0].mark: 'certain' is unknown"),
        (lambda d: d["rules"][0].update(role="advice"), "rules[0].role: 'advice' is unknown"),
        (lambda d: d["rules"][LOW].update(product="gold"), f"rules[{LOW}].product: 'gold' is unknown"),
        (lambda d: d["rules"][LOW]["settings"].append("trilobar"), f"rules[{LOW}].settings: 'trilobar' is unknown"),
        (lambda d: d["rules"][LOW]["requires"].update(albumin=30), f"rules[{LOW}].requires.albumin: unknown key"),
        (lambda d: d["rules"][LOW].update(value_gy=45.0), "a lower hepatic reserve would be allowed more"),
        (lambda d: d["rules"][1].update(key="lung.single"), "rules: lung.single stands twice"),
        (
            lambda d: d["settings"]["glass"][0].update(name="bilirubin-low"),
            "settings.glass: a list of settings with different names",
        ),
        (
            lambda d: d["settings"]["glass"].reverse() or d["settings"]["glass"][0].update(states={"good_function": True}),
            "settings.glass[0].states",
        ),
        (lambda d: d["sources"].update(vanroekel=""), "sources: an object of texts"),
        (lambda d: d.update(schema="other"), "schema: 'other'"),
        (lambda d: d.pop("date"), "limits.date: missing"),
    ],
)
def test_a_slip_in_the_data_is_told_with_its_path(change, says):
    assert says in broken(change)


def test_all_slips_are_told_at_once():
    def change(data) -> None:
        data["rules"][0].update(value_gy=0, colour="red")
        data["rules"][4].pop("mark")

    text = broken(change)
    assert all(part in text for part in ("rules[0].value_gy", "rules[0].colour", "rules[4].mark: missing"))


def test_a_key_that_stands_twice_is_refused():
    with pytest.raises(InvalidValue, match="stands twice"):
        decode_limits(TEXT.replace('"version": "3"', '"version": "3", "version": "4"'))
    with pytest.raises(InvalidValue, match="not JSON"):
        decode_limits(TEXT[:-5])


def test_the_page_shows_every_entry_with_its_value():
    page = (Path(__file__).parents[2] / "docs" / "methods" / "limits.md").read_text("utf-8")
    rows = {line.split("|")[1].strip().strip("`"): line.split("|") for line in page.splitlines() if line.startswith("| `")}
    found = limit_set()
    assert set(rows) == {entry.key for entry in found.entries}
    for entry in found.entries:
        shown = rows[entry.key][4].strip()
        assert shown.startswith("**none**" if entry.value_gy is None else f"{entry.value_gy:g}")
        assert all(part in rows[entry.key][5] for part in (*entry.indications, *entry.settings))
    assert f"set version {found.version}, of {found.date}" in page

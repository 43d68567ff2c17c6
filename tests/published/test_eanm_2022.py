"""EANM procedure guideline 2022 (Weber et al.), Tables 2 to 4, from outside: what ``calc limits`` answers for the printed cells."""

from __future__ import annotations

import pytest

from opensirt.workflow.calc import calc

GOOD = {"bilirubin_mg_per_dl": 0.8, "pretreated": "no", "good_function": "yes", "reserve_fraction": 0.4}
POOR = {"bilirubin_mg_per_dl": 1.4, "pretreated": "yes", "good_function": "no", "reserve_fraction": 0.2}

CELLS = (
    # Table 2, glass
    ("glass", "HCC", "segmentectomy", GOOD, "territory_target_gy", 400.0),
    ("glass", "HCC", "lobectomy", GOOD, "territory_target_gy", 150.0),
    ("glass", "HCC", "lobectomy", GOOD, "perfused_normal_liver_target_gy", 88.0),
    ("glass", "HCC", "bilobar", POOR, "normal_liver_limit_gy", 50.0),
    ("glass", "HCC", "bilobar", GOOD, "normal_liver_limit_gy", 90.0),
    ("glass", "HCC", "bilobar", {}, "normal_liver_limit_gy", 50.0),
    ("glass", "ICC", "unilobar", GOOD, "normal_liver_limit_gy", 90.0),
    ("glass", "mCRC", "unilobar", POOR, "normal_liver_limit_gy", 50.0),
    ("glass", "HCC", "unilobar", POOR, "tumour_target_gy", 205.0),
    ("glass", "ICC", "unilobar", POOR, "tumour_target_gy", 260.0),
    ("glass", "mCRC", "unilobar", POOR, "tumour_target_gy", 189.0),
    # Table 3, resin
    ("resin", "mCRC", "segmentectomy", {}, "territory_target_gy", 150.0),
    ("resin", "mCRC", "lobectomy", GOOD, "perfused_normal_liver_target_gy", 70.0),
    ("resin", "NET", "unilobar", POOR, "normal_liver_limit_gy", 40.0),
    ("resin", "NET", "bilobar", GOOD, "normal_liver_limit_gy", 40.0),
    ("resin", "NET", "bilobar", POOR, "normal_liver_limit_gy", 30.0),
    ("resin", "NET", "bilobar", {}, "normal_liver_limit_gy", 30.0),
    ("resin", "HCC", "bilobar", {}, "tumour_target_gy", 100.0),
    ("resin", "ICC", "bilobar", {}, "tumour_target_gy", 100.0),
    ("resin", "mCRC", "bilobar", {}, "tumour_target_gy", 100.0),
    # Table 4, Ho-166
    ("ho166", "NET", "unilobar", {}, "territory_limit_gy", 60.0),
    ("ho166", "NET", "lobectomy", POOR, "normal_liver_limit_gy", 60.0),
    ("ho166", "NET", "unilobar", POOR, "normal_liver_limit_gy", 60.0),
    ("ho166", "NET", "bilobar", POOR, "normal_liver_limit_gy", 40.0),
    ("ho166", "NET", "bilobar", GOOD, "normal_liver_limit_gy", 60.0),
    ("ho166", "ICC", "bilobar", {}, "tumour_target_gy", 150.0),
    ("ho166", "mCRC", "bilobar", {}, "tumour_target_gy", 90.0),
    # lungs, every product (van Roekel thesis p. 21, 30, 41)
    *((product, "NET", "", {}, "lungs_limit_gy", 30.0) for product in ("glass", "resin", "ho166")),
)


@pytest.mark.parametrize(("product", "indication", "setting", "facts", "key", "gy"), CELLS)
def test_printed_cells(product, indication, setting, facts, key, gy):
    payload = {"product": product, "indication": indication, **({"setting": setting} if setting else {}), **facts}
    answer = calc("limits", payload)
    assert answer["result"][key] == gy
    assert answer["sources"] and answer["constants"]


@pytest.mark.parametrize("product", ["glass", "resin", "ho166"])
@pytest.mark.parametrize("setting", ["", "unilobar", "bilobar", "lobectomy", "segmentectomy", "whole-liver"])
def test_neuroendocrine_tumours_have_no_row(product, setting):
    answer = calc("limits", {"product": product, "indication": "NET", **({"setting": setting} if setting else {}), **GOOD})
    assert "tumour_target_gy" not in answer["result"]
    assert f"{product}.tumour.NET" in {row["key"] for row in answer["result"]["without_value"]}


def test_ranges_and_garbled_cells():
    answer = calc("limits", {"product": "glass", "indication": "HCC", "setting": "unilobar", **GOOD})["result"]
    shown = {row["key"]: row["aim_gy"] for row in answer["shown"]}
    assert shown["glass.perfused.single_compartment"] == [80.0, 150.0]
    assert next(row["aim_gy"] for row in answer["rules"] if row["key"] == "glass.tumour.HCC") == [250.0, 300.0]
    garbled = [row for row in answer["without_value"] if row["why"] == "unreadable"]
    assert len(garbled) == 2 and all(row["value_gy"] is None for row in garbled)

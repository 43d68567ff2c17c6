"""The coverage study's own arithmetic, and one body through it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def study(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("interval_coverage", root / "studies" / "interval_coverage.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["interval_coverage"] = module
    spec.loader.exec_module(module)
    return module


def rows(study: ModuleType, quantity: str, errors, half: float, value: float = 50.0):
    return [
        study.Row(seed, quantity, "x", value - error, value, value - half, value + half, "contour.liver", {})
        for seed, error in enumerate(errors)
    ]


def test_honest_intervals_pass(study) -> None:
    """Normal errors of 3 on 50: 6 % spread, half-width 1.645 × 3."""
    errors = np.random.default_rng(1).normal(0.0, 3.0, 4000)
    found = study.summary("liver", rows(study, "liver", errors, 1.645 * 3.0))
    assert found.covered == pytest.approx(0.90, abs=0.02)
    assert found.half_width == pytest.approx(100.0 * 1.645 * 3.0 / 50.0)
    assert found.half_width / found.called_for == pytest.approx(1.0, abs=0.04)
    assert found.passes and found.largest == "contour (4000 of 4000)"


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_intervals_too_narrow_or_too_wide_fail(study, factor: float) -> None:
    errors = np.random.default_rng(2).normal(0.0, 3.0, 4000)
    assert not study.summary("liver", rows(study, "liver", errors, factor * 1.645 * 3.0)).passes


def test_a_bias_counts_as_error(study) -> None:
    found = study.summary("shunt", rows(study, "shunt", np.full(50, 2.0), 1.0))
    assert found.covered == 0.0 and found.bias == pytest.approx(2.0) and found.called_for == pytest.approx(3.29)


def test_a_line_cut_by_a_kill_is_computed_again(study, tmp_path: Path, monkeypatch) -> None:
    kept = tmp_path / "rows.jsonl"
    first = [study.asdict(row) for row in rows(study, "liver", [1.0], 5.0)]
    kept.write_text(json.dumps(first) + "\n" + '[{"seed": 1, "quan', "utf-8")
    found = study.collect([0], kept, 1, lambda _: None)
    assert [row.seed for row in found] == [0]


@pytest.mark.slow
def test_one_body_goes_through(study) -> None:
    found = study.estimate(10_001)
    assert {row.quantity for row in found} == {"shunt", "liver", "lung", "tumour"}
    for row in found:
        assert row.low < row.value < row.high and abs(row.value - row.truth) < 5.0 * (row.high - row.low) / 3.29, row

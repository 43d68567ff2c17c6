"""The chain study's own arithmetic, its simulator's kernel, and one body through it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from opensirt.radioembolisation.transport.voxel_kernel import voxel_kernel


@pytest.fixture(scope="module")
def study(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("chain_coverage", root / "studies" / "chain_coverage.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["chain_coverage"] = module
    spec.loader.exec_module(module)
    return module


def rows(study: ModuleType, quantity: str, errors, half: float, value: float = 50.0):
    return [
        study.Row(seed, quantity, "x", 20.0, value - error, value, value - half, value + half, value, "contour.liver")
        for seed, error in enumerate(errors)
    ]


def test_honest_intervals_hold(study) -> None:
    """Normal errors of 3 on 50: 6 % spread, half-width 1.645 × 3."""
    errors = np.random.default_rng(1).normal(0.0, 3.0, 4000)
    found = study.summary("tumour mean", rows(study, "tumour mean", errors, 1.645 * 3.0))
    assert found.covered == pytest.approx(0.90, abs=0.02)
    assert found.half_width == pytest.approx(100.0 * 1.645 * 3.0 / 50.0)
    assert found.half_width / found.spread == pytest.approx(1.0, abs=0.04)
    assert found.passes and found.largest == "contour (100%)"


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_intervals_too_narrow_or_too_wide_fall_short(study, factor: float) -> None:
    errors = np.random.default_rng(2).normal(0.0, 3.0, 4000)
    assert not study.summary("tumour mean", rows(study, "tumour mean", errors, factor * 1.645 * 3.0)).passes


def test_what_cannot_move_is_left_out_and_counted(study) -> None:
    sure = rows(study, "TCP", np.zeros(30), 0.1, value=99.8)
    moving = rows(study, "TCP", np.full(10, 2.0), 5.0)
    found = study.summary("TCP", [*sure, *moving])
    assert (found.count, found.left_out) == (10, 30)
    wrong = [study.Row(1, "TCP", "x", 20.0, 40.0, 99.8, 99.7, 99.9, 99.8, "contour.liver")]
    assert study.summary("TCP", wrong).covered == 0.0, "a sure interval that misses counts"


def test_a_killed_run_is_taken_up(study, tmp_path: Path, monkeypatch) -> None:
    made: list[int] = []

    def estimate(seed: int):
        made.append(seed)
        return [study.Row(seed, "TCP", "x", 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, "a")]

    monkeypatch.setattr(study, "estimate", estimate)
    kept = tmp_path / "rows.csv"
    study.collect([0, 1], kept, lambda _: None)
    kept.write_text(kept.read_text("utf-8") + "2,TCP,x,1.0,2.0,3.", "utf-8")
    found = study.collect([0, 1, 2], kept, lambda _: None)
    assert made == [0, 1, 2] and [row.seed for row in found] == [0, 1, 2]
    assert study.read_rows(kept) == found


def test_the_simulator_kernel_is_that_of_the_engine(study) -> None:
    """Two ways to the same physics: decays drawn one by one, and quadrature over pairs of voxels. 0.5 % of the centre is four standard deviations."""
    drawn = study.simulate.__globals__["true_kernel"]()
    made = voxel_kernel("Y-90", (2.0, 2.0, 2.0), density_g_per_ml=1.04).fraction
    half = [n // 2 for n in made.shape]
    window = tuple(slice(h - 3, h + 4) for h in half)
    np.testing.assert_allclose(drawn[3:10, 3:10, 3:10], made[window], atol=0.005 * float(made.max()))


@pytest.mark.slow
def test_one_body_goes_through(study) -> None:
    found = study.estimate(10_001)
    assert {row.quantity for row in found} >= {
        "lung mean",
        "normal liver mean",
        "tumour mean",
        "tumour D95",
        "TCP",
        "normal liver V30",
    }
    for row in found:
        assert row.low <= row.value <= row.high, row
        if row.quantity in ("tumour mean", "tumour D50", "normal liver mean"):
            assert abs(row.value - row.truth) < 5.0 * (row.high - row.low) / 3.29, row

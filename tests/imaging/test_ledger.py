"""The count ledger closes, ties from step to step, and never changes what was written."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from opensirt.imaging.ledger import CountLedger
from opensirt.imaging.resample import resample_counts
from opensirt.vocabulary.errors import InconsistentInput
from opensirt.vocabulary.volumes import CountsMap
from strategies import grid_about


def test_entries_tie_together():
    ledger = (
        CountLedger()
        .entry("import", 1000.0, 990.0, 10.0, note="outside the energy window")
        .entry("working grid", 990.0, 900.0, 90.0)
    )
    assert [e.before for e in ledger.entries[1:]] == [e.kept for e in ledger.entries[:-1]]
    assert ledger.rows[1] == ("working grid", 990.0, 900.0, 90.0, "counts", "")


def test_a_step_that_does_not_follow_is_refused_unless_it_says_why():
    ledger = CountLedger().entry("import", 1000.0, 990.0, 10.0)
    with pytest.raises(InconsistentInput, match="kept 990"):
        ledger.entry("working grid", 1000.0, 900.0, 100.0)
    with pytest.raises(InconsistentInput, match="kept 990"):
        ledger.entry("to activity", 990.0, 990.0, 0.0, unit="Bq")
    assert len(ledger.entry("planar", 500.0, 480.0, 20.0, note="a branch: planar view").entries) == 2


@pytest.mark.parametrize(("before", "kept", "lost"), [(1000.0, 900.0, 99.0), (float("nan"), 1.0, 1.0), (1.0, float("inf"), 0.0)])
def test_an_entry_that_does_not_close_is_refused(before, kept, lost):
    with pytest.raises(InconsistentInput, match="does not close"):
        CountLedger().entry("step", before, kept, lost)


def test_a_ledger_is_a_value():
    first = CountLedger().entry("import", 10.0, 10.0, 0.0)
    second = first.entry("crop", 10.0, 7.0, 3.0)
    assert len(first.entries) == 1 and len(second.entries) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        second.entries[0].kept = 11.0  # type: ignore[misc]


def test_a_resampling_that_loses_counts_closes_in_the_ledger():
    grid = grid_about((0, 0, 0), (21, 34, 27), (4.1, 3.3, 3.7), (3, -9, 14))
    target = grid_about((20, 5, -8), (15, 12, 17), (3.0, 3.5, 4.0), (-5, 4, 2))
    counts = CountsMap(np.random.default_rng(1).poisson(40.0, grid.shape).astype(np.float32), grid)
    result = resample_counts(counts, target)
    assert result.outside > 0.1 * result.before
    CountLedger().entry("to the working grid", result.before, result.kept, result.outside)

"""Defects found in open peers (peers.md 5.13) that no other file of ours is about; the table in docs/reference/peers-defects.md names all."""

from __future__ import annotations

import numpy as np
import pytest

from opensirt.radioembolisation.dosimetry.dvh import dvh
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.volumes import DoseMap, Mask

GRID = Grid((1, 1, 5), np.diag([4.0, 3.0, 2.0, 1.0]))
PRINTED = 5e-4
"""Half of the last printed digit of clinical.md 9.2, W41."""


def _dvh(*dose_gy: float):
    grid = Grid((1, 1, len(dose_gy)), GRID.affine_mm)
    dose = DoseMap(np.array(dose_gy, dtype=np.float32).reshape(grid.shape), grid)
    return dvh(dose, Mask(np.ones(grid.shape, bool), grid, Structure(StructureKind.TUMOUR, "T1")))


@pytest.mark.parametrize(("exponent", "expected"), [(1.0, 100.000), (-5.0, 27.570), (4.0, 132.627)])
def test_geud_of_five_voxels(exponent, expected):
    """W41: gEUD of equal voxels of 20, 60, 100, 140, 180 Gy."""
    assert _dvh(20, 60, 100, 140, 180).geud_gy(exponent) == pytest.approx(expected, abs=PRINTED)


def test_a_cold_voxel_lowers_the_equivalent_uniform_dose():
    """Defect 13: a peer skips voxels of zero dose, so that cold tumour raises its EUD. Here one cold voxel takes it to 0."""
    assert _dvh(100, 100, 100, 100).geud_gy(-5.0) == pytest.approx(100.0)
    assert _dvh(100, 100, 100, 0).geud_gy(-5.0) == 0.0
    assert _dvh(100, 100, 100, 1).geud_gy(-5.0) < 2.0


def test_geud_tends_to_minimum_mean_and_maximum():
    """Invariant of clinical.md 9.3."""
    doses = _dvh(20, 60, 100, 140, 180)
    assert doses.geud_gy(1.0) == pytest.approx(doses.mean_gy, rel=1e-6)
    assert doses.geud_gy(-400.0) == pytest.approx(20.0, rel=0.01)
    assert doses.geud_gy(400.0) == pytest.approx(180.0, rel=0.01)


@pytest.mark.parametrize("exponent", [0.0, float("nan"), float("inf")])
def test_an_exponent_that_means_nothing_is_refused(exponent):
    with pytest.raises(InvalidValue, match="exponent"):
        _dvh(20, 60).geud_gy(exponent)

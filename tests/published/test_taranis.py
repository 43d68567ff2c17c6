"""Taranis (github.com/4burakfe/SlicerRadioembolizationDosimetry), its test suite: W8 to W12 of our list, and its DVH convention (W53).

Oracle: numbers of that suite, recomputed by hand.
"""

from __future__ import annotations

import numpy as np
import pytest

from opensirt.imaging.segment import lungs_without_liver
from opensirt.radioembolisation.dosimetry.dvh import dvh_of
from opensirt.radioembolisation.workup.lung_shunt import spect_lung_shunt
from opensirt.vocabulary.anatomy import Structure, StructureKind
from opensirt.vocabulary.units import G_PER_KG
from opensirt.vocabulary.volumes import Mask
from published.answers import codes, results
from strategies import grid_about

EXACT = 1e-12

LUNG = {"nuclide": "Y-90", "dose_constant": "49.67"}


def test_w8_lung_dose_and_its_twin():
    first = results("lung-dose", **LUNG, delivered_gbq=2.0, lung_shunt_fraction=0.1, lung_mass_kg=1.0)["lung_dose_gy"]
    twin = results("lung-dose", **LUNG, delivered_gbq=1.0, lung_shunt_fraction=0.1, lung_mass_kg=0.5)["lung_dose_gy"]
    assert first == pytest.approx(9.934, rel=EXACT)
    assert twin == pytest.approx(first, rel=EXACT)


def test_w9_above_thirty_gray_warns():
    case = {**LUNG, "delivered_gbq": 8.0, "lung_shunt_fraction": 0.08, "lung_mass_kg": 1.0}
    assert results("lung-dose", **case)["lung_dose_gy"] == pytest.approx(31.79, abs=5e-3)
    assert codes("lung-dose", **case) == {"dose.lung_above_limit"}


def test_w10_shunt_with_shared_voxels_counted_as_liver():
    assert results("lung-shunt-spect", lung_counts=40, liver_counts=720)["lung_shunt_fraction"] == pytest.approx(0.05263, abs=5e-6)


def test_w10_from_masks_that_overlap():
    """Lung 60 counts and liver 720, of which 20 lie in voxels of both: a shared voxel is liver, so 40 and 720."""
    grid = grid_about((10.0, -5.0, 40.0), (4, 3, 5), (3.1, 4.7, 2.3), (12.0, -20.0, 31.0))
    counts, lung, liver = (np.zeros(grid.shape, dtype=t) for t in (np.float32, bool, bool))
    counts[0], lung[0] = 40.0 / 15, True
    counts[1], lung[1], liver[1] = 20.0 / 15, True, True
    counts[2], liver[2] = 700.0 / 15, True
    lungs = lungs_without_liver(Mask(lung, grid, Structure(StructureKind.LUNGS)), Mask(liver, grid, Structure(StructureKind.LIVER)))
    found = spect_lung_shunt(float(counts[lungs.inside].sum()), float(counts[liver].sum()))
    assert found == pytest.approx(0.05263, abs=5e-6)


@pytest.mark.parametrize(("conversion", "mass_g", "within_g"), [("linear", 300.0, 1e-3), ("schneider", 310.0, 0.5)])
def test_w11_mass_of_a_litre_of_lung(conversion, mass_g, within_g):
    mass = results("lung-mass-hu", volume_ml=1000.0, mean_hu=-700.0, conversion=conversion)["mass_kg"] * G_PER_KG
    assert mass == pytest.approx(mass_g, abs=within_g), "float32 table for the first, printed to 1 g for the second"


def test_w12_a_third_outside_the_liver_warns():
    assert results("extrahepatic-share", extrahepatic_counts=32, total_counts=100)["extrahepatic_fraction"] == pytest.approx(0.32)
    assert codes("extrahepatic-share", extrahepatic_counts=32, total_counts=100) == {"extrahepatic.share"}
    assert codes("extrahepatic-share", extrahepatic_counts=20, total_counts=100) == set()


TEN = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]


@pytest.mark.parametrize("order", [TEN, TEN[::-1], [50, 100, 10, 90, 20, 80, 30, 70, 40, 60]])
def test_w53_dvh_of_ten_voxels(order):
    answer = results("dvh", doses_gy=order, d_percent=[100, 95, 90, 70, 50], v_gy=[50, 100])
    assert [answer[f"d{x}_gy"] for x in (100, 95, 90, 70, 50)] == [10.0, 10.0, 20.0, 40.0, 60.0]
    assert answer["v50gy_fraction"] == pytest.approx(0.6, rel=EXACT)
    assert answer["v100gy_fraction"] == pytest.approx(0.1, rel=EXACT)
    assert answer["mean_gy"] == pytest.approx(55.0, rel=EXACT)


def test_w53_every_tenth_lands_on_its_voxel():
    histogram = dvh_of("s", np.array(TEN, dtype=float), np.full(10, 0.1))
    assert [histogram.d_gy(10.0 * n) for n in range(1, 11)] == [float(d) for d in TEN[::-1]]

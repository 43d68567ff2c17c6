"""Lanconelli et al. 2012, 4 mm voxels in soft tissue: self dose of 1 kBq (W46) beside local deposition (W45).

Oracle: hand arithmetic: 1000 Bq · 64.1 h · 3600 / ln 2 = 332.92 MBq·s; times 0.858 mGy; a uniform infinite medium takes ΣS = 2.2517.
"""

from __future__ import annotations

import pytest

from published.answers import results


def test_w45_local_deposition():
    answer = results(
        "local-dose-voxel", nuclide="Y-90", dose_constant="49.67", voxel_mm=[4, 4, 4], density_g_per_ml=1.04, activity_bq=1000
    )
    assert answer["mass_g"] == pytest.approx(0.06656, rel=1e-12)
    assert answer["dose_gy"] == pytest.approx(0.7462, abs=5e-5)


@pytest.mark.parametrize(("s_value", "expected"), [(0.858, 0.28564), (2.2517, 0.74964)])
def test_w46_self_dose_and_uniform_medium(s_value, expected):
    answer = results("s-value-dose", nuclide="Y-90", activity_bq=1000, s_value_mgy_per_mbq_s=s_value)
    assert answer["cumulated_mbq_s"] == pytest.approx(332.92, abs=5e-3)
    assert answer["dose_gy"] == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize(
    ("nuclide", "constant", "density", "expected"),
    [
        ("Y-90", "49.67", 1.00, 49.67),
        ("Y-90", "49.67", 1.03, 48.22),
        ("Y-90", "49.67", 1.06, 46.86),
        ("Ho-166", "15.87", 1.03, 15.41),
        ("Ho-166", "15.87", 1.06, 14.97),
    ],
)
def test_gray_per_megabecquerel_per_millilitre(nuclide, constant, density, expected):
    answer = results(
        "local-dose-voxel",
        nuclide=nuclide,
        dose_constant=constant,
        voxel_mm=[2.0, 3.0, 5.0],
        density_g_per_ml=density,
        concentration_bq_per_ml=1e6,
    )
    assert answer["dose_gy"] == pytest.approx(expected, abs=5e-3)

"""radiologykey.com, chapter on Y-90 dosimetry: 0.61 GBq in the lungs give 30 Gy to 1 kg (W18), by each constant in use."""

from __future__ import annotations

import pytest

from published.answers import results


@pytest.mark.parametrize(("constant", "expected"), [("49.38", 0.6075), ("49.67", 0.6040), ("50", 0.6000)])
def test_w18_activity_in_the_lungs_at_thirty_gray(constant, expected):
    answer = results("lung-limit", nuclide="Y-90", dose_constant=constant, lung_limit_gy=30.0, lung_mass_kg=1.0)
    assert answer["shunted_gbq"] == pytest.approx(expected, abs=5e-5)

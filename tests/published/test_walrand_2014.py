"""Walrand et al. 2014 (glass, 120 Gy): what the number of spheres alone says, and what it does not.

Published: with equal shares at every branching, lobules centred at 103 Gy, 20 Gy wide at half height; toxicity of 70 Gy resin like 120 Gy glass.
"""

from __future__ import annotations

import numpy as np
import pytest

from opensirt.radioembolisation.dosimetry.radiobiology.sphere_number import SphereCloud, sphere_tail
from published.answers import codes, results

pytestmark = pytest.mark.slow

CENTRE = 0.06
"""Relative: ours is the mode over points, theirs over lobules, which average the dose of points."""
WIDTHS_GY = (20.0, 35.0)
"""Points are less averaged than lobules: at least as wide, and not twice."""


def test_equal_shares_of_glass():
    count = results("sphere-density", product="glass", mean_dose_gy=120.0, density_g_per_ml=1.04)["spheres_per_ml"]
    tail = sphere_tail(120.0, SphereCloud("Y-90", count, 0.0125))
    density = np.diff(tail.cumulative)
    dose_gy = 60.0 * (tail.relative_dose[1:] + tail.relative_dose[:-1])
    wide = dose_gy[density > density.max() / 2.0]
    assert dose_gy[density.argmax()] == pytest.approx(103.0, rel=CENTRE)
    assert WIDTHS_GY[0] < wide[-1] - wide[0] < WIDTHS_GY[1]


def test_sphere_number_alone_does_not_make_120_gy_of_glass_equal_70_gy_of_resin():
    """And the answer says that uneven perfusion is not in it."""
    glass = {"product": "glass", "mean_dose_gy": 120.0, "below_gy": [40.0]}
    resin = {"product": "resin", "mean_dose_gy": 70.0, "below_gy": [40.0]}
    assert results("sphere-tail", **glass)["d95_gy"] > 1.2 * results("sphere-tail", **resin)["d95_gy"]
    assert results("sphere-tail", **glass)["below_40gy_fraction"] < 1e-6
    assert "spheres.even_perfusion" in codes("sphere-tail", **glass)

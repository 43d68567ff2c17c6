"""Hoang et al., J Vasc Interv Radiol, 662 administrations: median of 2.20 h from assay to delivery is 2.35 % of decay (W17); residuals."""

from __future__ import annotations

import pytest

from opensirt.vocabulary.products import GLASS, RESIN
from published.answers import results


def test_w17_decay_between_assay_and_delivery():
    answer = results("decay", nuclide="Y-90", amount_gbq=1.28, elapsed_h=2.20)
    assert answer["decayed_percent"] == pytest.approx(2.35, abs=5e-3)
    assert 1.28 - answer["amount_gbq"] == pytest.approx(0.030, abs=5e-4), "median loss as printed, GBq"


@pytest.mark.parametrize(("product", "median"), [(GLASS, 0.0061), (RESIN, 0.0301)])
def test_residuals_are_the_published_medians(product, median):
    assert product.residual_fraction.value == median
    assert "Hoang" in product.residual_fraction.source

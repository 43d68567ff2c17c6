"""Products against the fact sheet (clinical.md 2.1): nuclide, sizes, ranges, and what nobody verified marked as such."""

from __future__ import annotations

import pytest

from opensirt.vocabulary.errors import UnsupportedInput
from opensirt.vocabulary.nuclides import HO166, Y90
from opensirt.vocabulary.products import GLASS, PRODUCTS, product_named
from opensirt.vocabulary.provenance import Mark


def test_glass_vials_as_printed():
    assert GLASS.supply.sizes_gbq == (3.0, 5.0, 7.0, 10.0, 15.0, 20.0)
    assert [round(size / 0.037) for size in GLASS.supply.sizes_gbq] == [81, 135, 189, 270, 405, 541], "mCi; the insert prints 540"
    assert (GLASS.supply.calibration_weekday, GLASS.supply.calibration_hour, GLASS.supply.time_zone) == (6, 12, "America/New_York")


def test_what_was_not_read_in_a_source_is_marked():
    assert GLASS.supply.mark is Mark.UNVERIFIED
    assert GLASS.supply.shelf_life_days.mark is Mark.UNVERIFIED


@pytest.mark.parametrize(
    ("key", "nuclide", "bq", "low", "high"),
    [("glass", Y90, 2500.0, 1250.0, 2500.0), ("resin", Y90, 50.0, 40.0, 80.0), ("ho166", HO166, 300.0, 200.0, 450.0)],
)
def test_spheres(key, nuclide, bq, low, high):
    product = product_named(key)
    assert product.nuclide is nuclide
    assert product.bq_per_sphere.value == bq
    assert product.bq_per_sphere_range == (low, high)
    assert low <= bq <= high


def test_every_constant_has_a_source():
    for product in PRODUCTS.values():
        assert product.bq_per_sphere.source
        assert product.residual_fraction.source
        assert product.nuclide.published_constants


def test_an_unknown_product():
    with pytest.raises(UnsupportedInput, match="glass, resin, ho166"):
        product_named("gold")

"""Products as the sources cited in each constant have them: nuclide, sizes, ranges, and what nobody verified marked as such."""

from __future__ import annotations

import pytest

from opensirt.vocabulary.errors import UnsupportedInput
from opensirt.vocabulary.nuclides import HO166, Y90
from opensirt.vocabulary.products import GLASS, HOLMIUM, PRODUCTS, RESIN, DrawnVials, MadeToOrder, WholeVials, product_named
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


def test_each_kind_of_supply_is_a_type_of_its_own():
    assert [type(product.vials) for product in (GLASS, RESIN, HOLMIUM)] == [WholeVials, DrawnVials, MadeToOrder]
    assert [product.supply for product in (RESIN, HOLMIUM)] == [None, None], "no vials that are given whole"
    assert GLASS.supply is GLASS.vials


def test_resin_and_holmium_as_published():
    """3.0 GBq ± 10 % (Selwyn 2008); 6 to 12 GBq, 33 million in 600 mg (CVIR 2019;42:1240); 540 to 600 mg (van Roekel)."""
    assert RESIN.vials.size_gbq.value == 3.0
    assert RESIN.vials.size_gbq.standard_uncertainty == pytest.approx(0.1 * 3.0 / 3**0.5, rel=0.02), (
        "± 10 % as a uniform distribution"
    )
    assert RESIN.vials.days_before_calibration == (0, 1, 2, 3)
    assert HOLMIUM.vials.activity_range_gbq == (6.0, 12.0)
    assert HOLMIUM.vials.mass_range_mg == (540.0, 600.0)
    assert HOLMIUM.vials.spheres_per_mg.value * 600.0 == 33e6
    assert {RESIN.vials.mark, HOLMIUM.vials.mark, RESIN.vials.shelf_life_days.mark} == {Mark.UNVERIFIED}


def test_the_residual_whose_product_is_not_certain_says_so():
    for product in (GLASS, RESIN):
        assert product.residual_fraction.mark is Mark.UNVERIFIED
        assert "which median belongs to which product: not certain" in product.residual_fraction.source
    assert "Drescher" in HOLMIUM.residual_fraction.source


def test_the_device_catalogue_is_complete():
    for product in PRODUCTS.values():
        device = product.device
        assert all((device.manufacturer, device.brand, device.material, device.source, product.nuclide.name))
        assert device.brand in product.name

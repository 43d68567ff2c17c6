"""Parameters of radiobiology: every one has a source, a mark and, where a source allows it, a spread; nothing exists where nothing was found."""

from __future__ import annotations

import math

import pytest

from opensirt.vocabulary.errors import UnsupportedInput
from opensirt.vocabulary.limits import INDICATIONS
from opensirt.vocabulary.products import PRODUCTS
from opensirt.vocabulary.provenance import Mark
from opensirt.vocabulary.radiobiology import (
    RESPONSES,
    TISSUES,
    response_named,
    tissue_named,
    tumour_control_for,
)

PUBLISHED = {
    "liver-2.75": (2.75, 2.5, None),
    "liver-2.5": (2.5, 2.5, None),
    "normal-3": (3.0, 2.5, None),
    "lung-4": (4.0, 2.5, None),
    "tumour-10": (10.0, 1.5, 0.036),
    "tumour-generic": (10.0, 1.5, 0.1),
    "lung-tumour-12.4": (12.4, 1.5, 0.03),
}
D50 = {
    "glass-dose-292": 292.0,
    "glass-bed-441": 441.0,
    "glass-250": 250.0,
    "resin-60": 60.0,
    "external-53": 53.0,
    "resin-liver-52": 52.0,
}


@pytest.mark.parametrize("key", PUBLISHED)
def test_values_are_the_published_ones(key):
    tissue = tissue_named(key)
    alpha = tissue.alpha_per_gy.value if tissue.alpha_per_gy else None
    assert (tissue.alpha_beta_gy.value, tissue.repair_half_time_h.value, alpha) == PUBLISHED[key]


def test_nothing_is_there_that_was_not_found():
    assert set(TISSUES) == set(PUBLISHED)
    assert {key: each.d50_gy.value for key, each in RESPONSES.items()} == D50


def test_every_parameter_has_a_source_and_a_spread():
    constants = [c for t in TISSUES.values() for c in (t.alpha_beta_gy, t.repair_half_time_h, t.alpha_per_gy) if c is not None]
    assert all(constant.source and constant.standard_uncertainty > 0.0 for constant in constants)
    assert all("spread" in each.d50_gy.source for each in RESPONSES.values())
    assert all(
        ("spread not read" in each.d50_gy.source) == (each.d50_gy.standard_uncertainty == 0.0) for each in RESPONSES.values()
    )


def test_what_nobody_read_is_marked():
    assert TISSUES["liver-2.5"].alpha_beta_gy.mark is Mark.UNVERIFIED
    assert RESPONSES["resin-liver-52"].d50_gy.mark is Mark.UNVERIFIED
    assert TISSUES["liver-2.75"].alpha_beta_gy.mark is Mark.FOUND


def test_spread_of_tumour_parameters_spans_what_fits_leave_open():
    """Log-uniform over the range: the standard deviation of the logarithm is ln(high/low)/√12."""
    tumour = TISSUES["tumour-10"]
    assert tumour.alpha_beta_gy.standard_uncertainty / 10.0 == pytest.approx(math.log(49.0) / math.sqrt(12.0))
    assert tumour.alpha_per_gy.standard_uncertainty / 0.036 == pytest.approx(math.log(1000.0) / math.sqrt(12.0))


@pytest.mark.parametrize("product", PRODUCTS)
def test_no_set_belongs_to_neuroendocrine_tumours(product):
    assert tumour_control_for(product, "NET") == ()


def test_sets_belong_to_one_product():
    assert {each.key for each in tumour_control_for("glass", "HCC")} == {"glass-dose-292", "glass-bed-441"}
    assert all(tumour_control_for(product, indication) == () for product in ("resin", "ho166") for indication in INDICATIONS)


def test_unknown_names():
    with pytest.raises(UnsupportedInput, match="liver-2.5"):
        tissue_named("liver-25")
    with pytest.raises(UnsupportedInput, match="glass-dose-292"):
        response_named("resin-liver-52", "tumour control")

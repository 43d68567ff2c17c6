"""Planar lung shunt with background through ``calc``: all of it or none."""

from __future__ import annotations

import pytest

from opensirt.vocabulary.errors import OpensirtError
from opensirt.workflow.calc import calc, calc_example
from opensirt.workflow.calc_explain import explain

NAME = "lung-shunt-planar"
BACKGROUND = {
    "background_anterior_counts": 500,
    "background_posterior_counts": 400,
    "background_anterior_pixels": 200,
    "background_posterior_pixels": 200,
    "lung_pixels": 1600,
    "liver_pixels": 1000,
}


def test_with_background():
    answer = calc(NAME, calc_example(NAME) | BACKGROUND)
    assert answer["result"]["lung_shunt_fraction"] == pytest.approx(0.063759, abs=5e-7)  # by hand: tests of lung_shunt
    assert answer["result"]["lung_geometric_mean_counts"] == pytest.approx(9715.97, abs=0.01)
    assert answer["findings"] == []
    assert "n_B" in answer["formula"]
    assert {"background.anterior", "background.posterior"} < set(answer["contributions"]["lung_shunt_fraction"])


def test_without_background_a_note_says_so():
    answer = calc(NAME, calc_example(NAME))
    assert [finding["code"] for finding in answer["findings"]] == ["lung_shunt.no_background"]
    assert answer["result"]["lung_shunt_fraction"] == pytest.approx(0.08474, abs=5e-6)


@pytest.mark.parametrize("left_out", BACKGROUND)
def test_half_a_background_is_refused_by_name(left_out: str):
    stated = {key: value for key, value in BACKGROUND.items() if key != left_out}
    with pytest.raises(OpensirtError, match=left_out):
        calc(NAME, calc_example(NAME) | stated)


def test_unequal_background_and_stated_noise_are_refused():
    with pytest.raises(OpensirtError, match="both views"):
        calc(NAME, calc_example(NAME) | BACKGROUND | {"background_posterior_pixels": 100})
    with pytest.raises(OpensirtError, match="Poisson"):
        calc(NAME, calc_example(NAME) | {"lung_anterior_counts": {"value": 12000, "standard_uncertainty": 5}})


def test_it_explains_itself():
    text = "\n".join(explain(NAME, calc_example(NAME) | BACKGROUND).lines)
    assert "C_L,v − n_L · B_v / n_B" in text
    assert "(liver_pixels, stated)" in text

"""A refused name gets the nearest known one, or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.vocabulary.offers import nearest, offer

PRODUCTS = ("glass", "resin", "ho166")


@pytest.mark.parametrize(
    ("name", "near"), [("galss", "glass"), ("GLASS", "glass"), ("resine", "resin"), ("Ho-166", "ho166"), ("sand", ""), ("", "")]
)
def test_the_nearest_name(name: str, near: str):
    assert nearest(name, PRODUCTS) == near


def test_case_of_letters_is_kept_as_known():
    assert nearest("t1", ["T1", "T2"]) == "T1"


def test_the_remedy_names_every_choice():
    assert offer("galss", PRODUCTS) == "did you mean glass? choose one of glass, resin, ho166"
    assert offer("sand", PRODUCTS) == "choose one of glass, resin, ho166"
    assert offer("sand", ()) == "there is none to choose from"


@given(st.lists(st.text("abcdefgh", min_size=3), min_size=1, unique=True), st.data())
def test_a_known_name_is_its_own_nearest(known: list[str], data: st.DataObject):
    name = data.draw(st.sampled_from(known))
    assert nearest(name, known) == name

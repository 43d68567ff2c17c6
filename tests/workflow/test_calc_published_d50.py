"""A stated D50 that equals a published one carries its source, and a finding where product or tumour are others."""

from __future__ import annotations

import pytest

from opensirt.workflow.calc import calc, calc_example


@pytest.mark.parametrize(
    ("other", "code"),
    [({"product": "resin"}, "radiobiology.other_product"), ({"indication": "NET"}, "radiobiology.other_indication")],
)
def test_a_published_d50_of_another_product_or_tumour_is_told(other, code):
    example = calc_example("tcp-logistic")
    assert code not in {finding["code"] for finding in calc("tcp-logistic", example)["findings"]}
    answer = calc("tcp-logistic", example | other)
    assert code in {finding["code"] for finding in answer["findings"]}
    assert "292" in str(answer["constants"])

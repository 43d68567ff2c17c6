"""Budgets in words: shares, what halving does, and a text for every source that the code writes."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.radioembolisation.dosimetry.budget import (
    SOURCES,
    budget_of,
    budget_of_shares,
    narrower_if_halved,
    source_text,
)
from opensirt.radioembolisation.dosimetry.resampling import UNEVEN
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.measured import Measured


def _literal(node: ast.expr) -> str:
    """The part of a key that stands in the source: the whole of a constant, the beginning of an f-string, nothing of a variable."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
        return str(node.values[0].value)
    return ""


def keys_written(package: Path) -> dict[str, str]:
    """Family of every source that the program writes → a file that writes it."""
    found: dict[str, str] = {}
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            keys: list[str] = []
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name.endswith("Measured") and len(node.args) > 1 and isinstance(node.args[1], ast.Dict):
                    keys = [_literal(key) for key in node.args[1].keys if key is not None]
                elif name.endswith("with_contribution"):
                    keys = [_literal(node.args[0])]
                elif name.endswith("from_relative"):
                    keys = [str(keyword.arg) for keyword in node.keywords]
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
                if ast.unparse(node.targets[0].value) == "changes":
                    keys = [_literal(node.targets[0].slice)]
            found |= {key.partition(".")[0]: path.name for key in keys if key}
    return found


def test_every_source_that_is_written_has_a_label_and_a_remedy(root: Path) -> None:
    written = keys_written(root / "src" / "opensirt")
    assert {"contour", "count_noise", "psf_width", "transport", "lung_density"} <= set(written), "the collector is blind"
    assert {family: place for family, place in written.items() if family not in SOURCES} == {}
    assert UNEVEN.partition(".")[0] in SOURCES


def test_words() -> None:
    assert source_text("contour.tumour.T1").label == "contour of tumour T1"
    assert source_text("registration.slice").label == "emission image against CT"
    assert source_text("tumour_volume_ml").label == "tumour volume ml"


def test_a_hand_made_budget() -> None:
    """u = 5 from 4 and 3: shares 0.64 and 0.36; half of 4 leaves √(4 + 9) = 3.606 of 5."""
    budget = budget_of(Measured(100.0, {"contour.tumour.T1": -4.0, "count_noise.lungs": 1.8, "count_noise.tumour.T1": 2.4}), "Gy")
    assert [line.source for line in budget.lines] == ["contour.tumour.T1", "count_noise"]
    assert [line.variance_fraction for line in budget.lines] == pytest.approx([0.64, 0.36])
    assert [line.standard_uncertainty for line in budget.lines] == pytest.approx([4.0, 3.0])
    assert budget.lines[0].narrower_if_halved_fraction == pytest.approx(1.0 - math.sqrt(13.0) / 5.0)
    assert budget.sentence.startswith("contour of tumour T1 makes 64% of the variance")


def test_an_exact_number_has_no_budget() -> None:
    assert budget_of(Measured(3.0), "Gy").lines == () and budget_of(Measured(3.0), "Gy").sentence == ""


@given(
    st.dictionaries(
        st.sampled_from(["contour.liver", "transport", "psf_width", "registration.row", "registration.slice", "x.y", "half_life"]),
        st.floats(-1e3, 1e3).filter(lambda u: abs(u) > 1e-6),
        min_size=1,
    )
)
def test_shares_sum_to_one_and_fall(contributions: dict[str, float]) -> None:
    budget = budget_of(Measured(1.0, contributions), "Gy")
    shares = [line.variance_fraction for line in budget.lines]
    assert math.fsum(shares) == pytest.approx(1.0)
    named = [line.variance_fraction for line in budget.lines if line.source]
    assert named == sorted(named, reverse=True)
    total = math.sqrt(math.fsum(line.standard_uncertainty**2 for line in budget.lines))
    assert total == pytest.approx(budget.standard_uncertainty)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_no_share_beyond_the_whole(share: float) -> None:
    with pytest.raises(InvalidValue):
        narrower_if_halved(share)


def test_halving_the_only_source_halves_the_interval() -> None:
    assert narrower_if_halved(1.0) == pytest.approx(0.5) and narrower_if_halved(0.0) == 0.0


def test_shares_of_a_metric() -> None:
    budget = budget_of_shares({UNEVEN: 0.7, "psf_width": 0.3}, 10.0, "Gy")
    assert [line.label for line in budget.lines] == ["uneven uptake", "width of the camera's blur"]

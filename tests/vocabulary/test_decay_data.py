"""The shipped decay data against the published tables themselves, and what a slip in them does."""

from __future__ import annotations

import json
import math
from importlib.resources import files

import pytest

from opensirt.vocabulary.decay_data import BetaShape, decay_data_named, read_decay_data
from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput

NAMES = ("Y-90", "Ho-166", "Lu-177", "Tc-99m", "I-131")
ENDPOINT_MEV = 0.003
"""Between evaluations: endpoints differ by up to 1.4 keV (Y-90), levels by 0.1 keV."""


def shipped() -> dict:
    return json.loads((files("opensirt.vocabulary.data") / "decay.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_every_line_and_branch_is_that_of_icrp_107(name, shared_data):
    table = json.loads((shared_data / "decay" / f"icrp107_{name}.json").read_text())["emissions"]
    data = decay_data_named(name)
    for kind, lines in (
        ("gamma", data.gammas),
        ("X", data.x_rays),
        ("IE", data.conversion_electrons),
        ("auger", data.auger_electrons),
    ):
        assert [[line.energy_mev, line.yield_per_decay] for line in lines] == sorted(table[kind]), kind
    assert sorted([b.mean_mev, b.yield_per_decay] for b in data.betas) == sorted(table["beta-"])
    assert max(b.endpoint_mev for b in data.betas) == pytest.approx(table["b-spectra"][-1][0], abs=1e-9)


@pytest.mark.parametrize(
    ("name", "per_decay", "mev"), [("Y-90", 1.0, 0.932905), ("Ho-166", 1.0, 0.664993), ("Lu-177", 1.0, 0.13327)]
)
def test_number_and_energy_of_betas(name, per_decay, mev):
    data = decay_data_named(name)
    assert math.fsum(b.yield_per_decay for b in data.betas) == pytest.approx(per_decay, abs=2e-5)
    assert data.beta_mev == pytest.approx(mev, abs=1e-6)


def _transitions(text: str) -> dict[float, str]:
    """Endpoint in MeV and forbiddenness of each beta branch of an evaluation in ENSDF format."""
    return {float(line[9:19].split()[0]) / 1000: line[77:79].strip() for line in text.splitlines() if line[5:9] == "  B "}


@pytest.mark.parametrize("name", ["Y-90", "Ho-166", "Lu-177", "Tc-99m"])
def test_endpoints_and_forbiddenness_are_those_of_the_second_evaluation(name, shared_data):
    known = _transitions((shared_data / "decay" / f"lnhb_{name}.txt").read_text())
    for branch in decay_data_named(name).betas:
        nearest = min(known, key=lambda endpoint: abs(endpoint - branch.endpoint_mev))
        assert nearest == pytest.approx(branch.endpoint_mev, abs=ENDPOINT_MEV), branch
        if branch.yield_per_decay > 1e-7:
            assert (known[nearest] == "1U") == (branch.shape is BetaShape.UNIQUE_FIRST_FORBIDDEN), branch


def test_internal_pairs_of_y90():
    pairs = decay_data_named("Y-90").pairs
    assert pairs is not None
    assert pairs.per_decay.value == 31.86e-6 and pairs.per_decay.standard_uncertainty == 0.47e-6
    assert "Willowson" in pairs.per_decay.source
    assert pairs.kinetic_mev == pytest.approx(1.7607 - 2 * 0.51099895, abs=1e-7)
    assert decay_data_named("Lu-177").pairs is None


def test_the_second_evaluation_differs_as_published():
    """Y-90: 926.7 keV and 163.7 keV against 932.9 keV; Lu-177: the 208 keV gamma 10.38 % against 11.0 %."""
    y90, lu177 = decay_data_named("Y-90"), decay_data_named("Lu-177")
    assert y90.second is not None and lu177.second is not None
    assert y90.second.beta_mev == pytest.approx(0.99983 * 0.9267 + 0.00017 * 0.1637, abs=1e-6)
    assert y90.second.beta_mev / y90.beta_mev == pytest.approx(0.9932, abs=1e-4)
    assert y90.second.half_life_h.value == pytest.approx(64.0416)
    strongest = max(lu177.second.gamma_yields, key=lambda constant: constant.value)
    assert (strongest.value, strongest.standard_uncertainty) == (0.1038, 0.0007)


def test_an_unknown_nuclide_is_refused():
    with pytest.raises(UnsupportedInput, match="Ho-165"):
        decay_data_named("Ho-165")


def test_slips_in_the_data_are_errors():
    def slip(change) -> str:
        document = shipped()
        change(document)
        return json.dumps(document)

    def schema(document: dict) -> None:
        document["schema"] = "opensirt.limits"

    def yields(document: dict) -> None:
        document["nuclides"]["Y-90"]["gammas"][0][1] = -1.0

    def mean(document: dict) -> None:
        document["nuclides"]["Ho-166"]["betas"][0]["mean_mev"] = 2.0

    def life(document: dict) -> None:
        document["nuclides"]["I-131"]["half_life"]["value"] = 0.0

    for change in (schema, yields, mean, life):
        with pytest.raises(InvalidValue):
            read_decay_data(slip(change))
    assert set(read_decay_data(slip(lambda document: None))) == set(NAMES)

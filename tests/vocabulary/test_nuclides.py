"""Half-lives, energies and dose constants against the decay data themselves and against published constants."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.vocabulary.decay_data import decay_data_named
from opensirt.vocabulary.errors import InvalidValue, MissingInput, UnsupportedInput
from opensirt.vocabulary.nuclides import (
    CLEARED,
    HO166,
    I131,
    LU177,
    NUCLIDES,
    TC99M,
    THERAPEUTIC,
    Y90,
    nuclide_named,
    require_half_life_of_dose,
)
from opensirt.vocabulary.provenance import Constant

ELECTRONS, PHOTONS = ("beta-", "IE", "auger"), ("gamma", "X", "annihilation")
RECORD = 2e-5
"""Relative: the record states six digits."""


def _energy_mev(emissions: dict, kinds: tuple[str, ...]) -> float:
    return math.fsum(energy * per_decay for kind in kinds for energy, per_decay in emissions.get(kind, []))


@pytest.mark.parametrize("nuclide", NUCLIDES.values(), ids=lambda n: n.name)
def test_half_life_and_energies_are_those_of_icrp_107(nuclide, shared_data):
    data = json.loads((shared_data / "decay" / f"icrp107_{nuclide.name}.json").read_text())
    hours = data["half_life"] * {"h": 1.0, "d": 24.0}[data["time_unit"]]
    assert nuclide.half_life_h.value == pytest.approx(hours, rel=1e-12)
    places = 1e-3 if nuclide is TC99M else RECORD  # Tc-99m makes images only and is given to three digits
    known = {kind.lower(): lines for kind, lines in data["emissions"].items()}
    electrons = sum(_energy_mev(known, (kind,)) for kind in known if kind.startswith(("beta-", "ie", "ce", "ic", "aug", "acr")))
    photons = sum(_energy_mev(known, (kind,)) for kind in known if kind in ("gamma", "x"))
    assert nuclide.electron_mev.value == pytest.approx(electrons, rel=places)
    assert nuclide.photon_mev.value == pytest.approx(
        photons, rel=1e-3, abs=3e-6
    )  # Y-90: bremsstrahlung is no emission; 1.2 keV·10⁻³


def test_w21_the_constant_of_the_record_is_half_life_times_energy():
    """By hand: 64.1 h · 3600 / ln 2 · 1e9 decays of 0.933106 MeV → 49.77 Gy·kg/GBq; within 0.3 % of 49.67 and of 49.80."""
    by_hand = 64.1 * 3600 / math.log(2) * 1e9 * (0.933106 + 1.2e-6) * 1.602176634e-13
    assert Y90.record_constant.value == pytest.approx(by_hand, rel=1e-12)
    assert Y90.record_constant.value == pytest.approx(49.67, rel=0.003)
    assert Y90.record_constant.value == pytest.approx(49.80, rel=0.001)


def test_published_constants_are_on_offer_and_the_first_is_the_default():
    assert [c.value for c in Y90.published_constants] == [49.67, 49.38, 50.0]
    assert Y90.dose_constant().value == 49.67 and HO166.dose_constant().value == 15.87
    assert Y90.dose_constant("49.38").value == 49.38 and Y90.dose_constant("icrp107") == Y90.record_constant
    with pytest.raises(UnsupportedInput, match=r"49\.67, 49\.38, 50, icrp107"):
        Y90.dose_constant("48")


@pytest.mark.parametrize("nuclide", THERAPEUTIC, ids=lambda n: n.name)
def test_every_constant_in_use_lies_within_the_stated_spread_of_the_default(nuclide):
    """Uniform distribution: its ends lie at √3 standard uncertainties; 2.0 leaves room for rounding."""
    default = nuclide.dose_constant().gy_kg_per_gbq
    for other in nuclide.dose_constants:
        assert abs(default.value - other.value) <= 2.0 * default.standard_uncertainty, other.name


@pytest.mark.parametrize(("elapsed_h", "percent_lost"), [(2.20, 2.35), (6.0, 6.3)])
def test_w17_decay_of_y90(elapsed_h, percent_lost):
    assert 100 * (1 - Y90.decay_factor(elapsed_h)) == pytest.approx(percent_lost, abs=0.03)


@given(st.sampled_from(list(NUCLIDES.values())), st.floats(-300, 300), st.floats(-300, 300))
def test_decay_factors_multiply(nuclide, first_h, second_h):
    product = nuclide.decay_factor(first_h) * nuclide.decay_factor(second_h)
    assert nuclide.decay_factor(first_h + second_h) == pytest.approx(product, rel=1e-9)
    assert nuclide.decay_factor(nuclide.half_life_h.value) == pytest.approx(0.5, rel=1e-12)


def test_w45_a_voxel_of_local_deposition():
    """4 mm cube, density 1.04, 1 kBq of Y-90, 49.67: 0.06656 g and 0.7462 Gy."""
    mass_g = 0.4**3 * 1.04
    assert mass_g == pytest.approx(0.06656)
    assert Y90.dose_constant().value * 1e-6 / (mass_g / 1000) == pytest.approx(0.7462, abs=5e-5)


def test_w51_initial_dose_rates():
    """For 100 Gy in all: 1.0814 Gy/h (Y-90), 2.5864 Gy/h (Ho-166)."""
    assert 100 * Y90.decay_constant_per_h == pytest.approx(1.0814, abs=5e-5)
    assert 100 * HO166.decay_constant_per_h == pytest.approx(2.5864, abs=5e-5)


def test_every_constant_has_its_source_and_unit():
    for nuclide in NUCLIDES.values():
        for constant in (
            nuclide.half_life_h,
            nuclide.electron_mev,
            nuclide.photon_mev,
            *(c.gy_kg_per_gbq for c in nuclide.dose_constants),
        ):
            assert constant.source and constant.unit and constant.key.startswith(nuclide.name)


def test_an_unknown_nuclide_is_refused():
    with pytest.raises(UnsupportedInput, match="Re-188"):
        nuclide_named("Re-188")


@pytest.mark.parametrize("nuclide", CLEARED, ids=lambda n: n.name)
@given(st.floats(0.01, 1.0))
def test_clearance_scales_decays_and_every_constant_alike(nuclide, share):
    cleared = nuclide.cleared_with(share * nuclide.half_life_h.value)
    assert cleared.decays_per_gbq == pytest.approx(share * nuclide.decays_per_gbq, rel=1e-12)
    for before, after in zip(nuclide.dose_constants, cleared.dose_constants, strict=True):
        assert after.name == before.name and after.value == pytest.approx(share * before.value, rel=1e-12)
    assert cleared.name == nuclide.name and cleared != nuclide
    require_half_life_of_dose(cleared, "")


def test_clearance_adds_its_uncertainty():
    stated = Constant("Lu-177.effective_half_life_h", 70.0, "h", "three SPECT scans", 7.0)
    constant = LU177.cleared_with(stated).dose_constant().gy_kg_per_gbq
    assert constant.standard_uncertainty / constant.value == pytest.approx(math.hypot(0.1, 0.0009 / 0.147923), rel=1e-9)
    assert "effective half-life 70 h" in constant.source


def test_a_dose_of_what_does_not_stay_needs_an_effective_half_life():
    for nuclide in CLEARED:
        with pytest.raises(MissingInput, match=f"{nuclide.name} without an effective half-life"):
            require_half_life_of_dose(nuclide, "state it")
    for nuclide in (*THERAPEUTIC, TC99M):
        require_half_life_of_dose(nuclide, "state it")


@pytest.mark.parametrize(
    ("nuclide", "hours", "error"),
    [
        (LU177, 160.0, InvalidValue),
        (LU177, 0.0, InvalidValue),
        (LU177, -5.0, InvalidValue),
        (I131, math.nan, InvalidValue),
        (Y90, 50.0, UnsupportedInput),
        (TC99M, 5.0, UnsupportedInput),
        (LU177.cleared_with(70.0), 60.0, UnsupportedInput),
    ],
)
def test_effective_half_lives_that_cannot_be(nuclide, hours, error):
    with pytest.raises(error):
        nuclide.cleared_with(hours)


@pytest.mark.parametrize("nuclide", NUCLIDES.values(), ids=lambda n: n.name)
def test_the_record_is_the_sum_of_the_decay_data(nuclide):
    data = decay_data_named(nuclide.name)
    places = 1e-3 if nuclide is TC99M else RECORD
    assert nuclide.half_life_h.value == pytest.approx(data.half_life_h, rel=1e-12)
    assert nuclide.electron_mev.value == pytest.approx(data.electron_mev, rel=places)
    assert nuclide.photon_mev.value == pytest.approx(data.photon_mev, rel=1e-3, abs=1e-7)
    if data.second is not None:
        spread = abs(data.second.half_life_h.value - data.half_life_h)
        assert nuclide.half_life_h.standard_uncertainty >= 0.9 * max(spread, data.second.half_life_h.standard_uncertainty)
    if data.second is not None and data.second.beta_yields:
        assert nuclide.electron_mev.standard_uncertainty >= 0.9 * abs(data.second.beta_mev - data.beta_mev)

"""BED. Oracle: the double integral of Lea and Catcheside over dose rate and repair, by quadrature; closed limits; convexity."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from opensirt.radioembolisation.dosimetry.radiobiology.bed import (
    ACUTE_FACTOR,
    PROTRACTED_FACTOR,
    bed_from_eqd_gy,
    bed_gy,
    bed_map,
    dose_from_bed_gy,
    dose_rate_gy_per_h,
    effective_half_life_h,
    eqd_gy,
    repair_factor,
    time_to_fraction_h,
)
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.geometry import Grid
from opensirt.vocabulary.nuclides import HO166, Y90
from opensirt.vocabulary.volumes import DoseMap
from strategies import grids

QUADRATURE = 1e-6
"""Relative: what the quadrature of a smooth exponential reaches with room to spare."""
SINGLE = 3e-6
"""Relative: three roundings of single precision, 6e-8 each, and room for 60 Gy + 60²·G/(α/β)."""

DOSES = st.floats(0.1, 1500.0)
RATIOS = st.floats(1.0, 49.0)
FACTORS = st.floats(0.0, 1.0)
HOURS = st.floats(0.3, 500.0)


def lea_catcheside(half_life_h: float, repair_half_time_h: float) -> float:
    """``G = 2/D² ∫ Ḋ(t) ∫_0^t Ḋ(w) e^{−µ(t−w)} dw dt`` for an exponential dose rate of total 1, by nested quadrature."""
    decay, repair = math.log(2.0) / half_life_h, math.log(2.0) / repair_half_time_h

    def rate(t: float) -> float:
        return decay * math.exp(-decay * t)

    def pending(t: float) -> float:
        return integrate.quad(lambda w: rate(w) * math.exp(-repair * (t - w)), 0.0, t, epsabs=1e-13, limit=400)[0]

    # in units of 1 / decay, so that the integrand is spread evenly
    return 2.0 * integrate.quad(lambda x: rate(x / decay) * pending(x / decay) / decay, 0.0, 60.0, epsabs=1e-12, limit=400)[0]


@pytest.mark.parametrize("half_life_h", [Y90.half_life_h.value, HO166.half_life_h.value, 159.5, 4.0])
@pytest.mark.parametrize("repair_half_time_h", [0.5, 1.5, 2.5, 8.0])
def test_repair_factor_is_the_double_integral(half_life_h, repair_half_time_h):
    assert repair_factor(half_life_h, repair_half_time_h) == pytest.approx(
        lea_catcheside(half_life_h, repair_half_time_h), rel=QUADRATURE
    )


@given(DOSES, RATIOS, FACTORS)
def test_bed_lies_between_dose_and_the_acute_limit(dose, ratio, factor):
    found = bed_gy(dose, ratio, factor)
    assert dose <= found <= bed_gy(dose, ratio, ACUTE_FACTOR) == dose * (1.0 + dose / ratio)
    assert bed_gy(dose, ratio, PROTRACTED_FACTOR) == dose


@given(DOSES, RATIOS, HOURS)
def test_slow_decay_gives_the_dose_itself_and_fast_decay_the_acute_limit(dose, ratio, repair):
    assert bed_gy(dose, ratio, repair_factor(1e12, repair)) == pytest.approx(dose, rel=1e-6)
    assert bed_gy(dose, ratio, repair_factor(1e-9, repair)) == pytest.approx(bed_gy(dose, ratio, 1.0), rel=1e-6)


@given(st.floats(0.0, 1500.0), RATIOS, FACTORS)
def test_inverse_of_forward(dose, ratio, factor):
    assert dose_from_bed_gy(bed_gy(dose, ratio, factor), ratio, factor) == pytest.approx(dose, rel=1e-12, abs=1e-12)


@given(DOSES, RATIOS, st.floats(0.5, 20.0))
def test_fractions_forward_and_back(dose, ratio, fraction):
    assert eqd_gy(bed_from_eqd_gy(dose, ratio, fraction), ratio, fraction) == pytest.approx(dose, rel=1e-12)


def test_eqd2_of_acute_two_gray_fractions_is_their_dose():
    """30 acute exposures of 2 Gy, fully repaired between: their BEDs add, and EQD2 is 60 Gy."""
    assert eqd_gy(30 * bed_gy(2.0, 3.0, ACUTE_FACTOR), 3.0) == pytest.approx(60.0, rel=1e-12)


@given(DOSES, RATIOS)
def test_eqd2_tends_to_dose_times_a_constant_for_small_doses(dose, ratio):
    """For small doses BED → D, so that EQD2 → D / (1 + 2/(α/β)); in ratio to the dose, exactly."""
    small = dose * 1e-9
    assert eqd_gy(bed_gy(small, ratio, 0.04), ratio) * (1.0 + 2.0 / ratio) == pytest.approx(small, rel=1e-6)


@given(st.lists(st.floats(0.0, 800.0), min_size=2, max_size=30), RATIOS, st.floats(0.005, 1.0))
def test_w43_convexity(doses, ratio, factor):
    values = np.array(doses)
    mean_of_bed = float(np.mean([bed_gy(d, ratio, factor) for d in values]))
    bed_of_mean = bed_gy(float(values.mean()), ratio, factor)
    # the gap is the variance times G/(α/β)
    assert mean_of_bed - bed_of_mean == pytest.approx(values.var() * factor / ratio, rel=1e-9, abs=1e-9 * max(1.0, mean_of_bed))
    if values.std() > 1e-3:
        assert mean_of_bed > bed_of_mean


@given(grids(), RATIOS, FACTORS, st.integers(0, 2**32 - 1))
def test_map_is_the_formula_voxel_by_voxel(grid: Grid, ratio, factor, seed):
    dose = DoseMap(np.random.default_rng(seed).gamma(2.0, 60.0, grid.shape).astype(np.float32), grid)
    found = bed_map(dose, ratio, factor)
    k, j, i = np.unravel_index(seed % dose.dose_gy.size, grid.shape)
    assert float(found.bed_gy[k, j, i]) == pytest.approx(bed_gy(float(dose.dose_gy[k, j, i]), ratio, factor), rel=SINGLE)
    assert found.grid == grid and found.bed_gy.dtype == np.float32
    assert found.sha256 != dose.sha256
    assert np.all(found.bed_gy >= dose.dose_gy * (1.0 - SINGLE))


def test_effective_half_life():
    assert effective_half_life_h(100.0, 100.0) == pytest.approx(50.0)
    assert effective_half_life_h(64.1, 1e12) == pytest.approx(64.1, rel=1e-9)


@given(DOSES, HOURS, st.floats(0.0, 0.999))
def test_dose_rate_integrates_to_the_dose(dose, half_life, fraction):
    elapsed = time_to_fraction_h(fraction, half_life)
    given_by_then = integrate.quad(lambda t: dose_rate_gy_per_h(dose, half_life, t), 0.0, elapsed, epsrel=1e-10)[0]
    assert given_by_then == pytest.approx(fraction * dose, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: repair_factor(0.0, 1.0),
        lambda: repair_factor(64.1, -1.0),
        lambda: repair_factor(math.inf, 1.0),
        lambda: bed_gy(-1.0, 10.0, 0.1),
        lambda: bed_gy(1.0, 0.0, 0.1),
        lambda: bed_gy(1.0, 10.0, 1.01),
        lambda: bed_gy(math.nan, 10.0, 0.1),
        lambda: dose_from_bed_gy(-1.0, 10.0, 0.1),
        lambda: eqd_gy(10.0, 2.5, 0.0),
        lambda: bed_from_eqd_gy(-1.0, 2.5),
        lambda: effective_half_life_h(64.1, 0.0),
        lambda: time_to_fraction_h(1.0, 64.1),
        lambda: dose_rate_gy_per_h(1.0, 64.1, -1.0),
    ],
)
def test_what_cannot_be(ask):
    with pytest.raises(InvalidValue):
        ask()

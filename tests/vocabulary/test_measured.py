"""Propagation of uncertainty against closed forms, against the GUM's own example, and against drawing at random."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.measured import Measured, exact, from_relative, propagate
from strategies import measurements

FIRST_ORDER = 1e-6
"""Relative, to the closed form of first order: central differences of a thousandth of the standard uncertainty."""
FOUR_SIGMA = 4.0
"""Drawing at random: one false alarm in 16 000."""


def _u(value: float, **sources: float) -> Measured:
    return Measured(value, sources)


def test_independent_sources_add_in_quadrature():
    y = propagate(lambda a, b: a + b, a=_u(10.0, x=3.0), b=_u(5.0, y=4.0))
    assert y.value == 15.0
    assert y.standard_uncertainty == pytest.approx(5.0, rel=FIRST_ORDER)


def test_equal_sources_add_with_their_signs():
    together = propagate(lambda a, b: a + b, a=_u(10.0, x=3.0), b=_u(5.0, x=4.0))
    apart = propagate(lambda a, b: a - b, a=_u(10.0, x=3.0), b=_u(5.0, x=3.0))
    opposed = propagate(lambda a, b: a + b, a=_u(10.0, x=3.0), b=_u(5.0, x=-3.0))
    assert together.standard_uncertainty == pytest.approx(7.0, rel=FIRST_ORDER)
    assert apart.standard_uncertainty == pytest.approx(0.0, abs=1e-9)
    assert opposed.standard_uncertainty == pytest.approx(0.0, abs=1e-9)


def test_a_ratio_of_quantities_with_one_calibration_does_not_depend_on_it():
    """Lung shunt: counts in lungs over all counts; the camera's sensitivity cancels, counting noise does not."""
    lungs, liver = _u(40.0, calibration=4.0, lung_counts=2.0), _u(720.0, calibration=72.0)
    shunt = propagate(lambda lungs, liver: lungs / (lungs + liver), lungs=lungs, liver=liver)
    assert shunt.contributions["calibration"] == pytest.approx(0.0, abs=1e-9)
    assert shunt.contributions["lung_counts"] == pytest.approx(2.0 * 720.0 / 760.0**2, rel=FIRST_ORDER)


def test_a_closed_form_of_a_dose():
    """D = K A (1 − L) / m: relative parts of A and m, and L/(1 − L) times that of L."""
    a, m, lung = from_relative(2.0, calibration=0.05), from_relative(1.5, liver_volume=0.04), Measured(0.1, {"shunt": 0.02})
    dose = propagate(lambda a, m, lung: 49.67 * a * (1 - lung) / m, a=a, m=m, lung=lung)
    assert dose.value == pytest.approx(49.67 * 2 * 0.9 / 1.5)
    relative = math.sqrt(0.05**2 + 0.04**2 + (0.02 / 0.9) ** 2)
    assert dose.relative_uncertainty == pytest.approx(relative, rel=1e-5)
    assert dose.contributions["liver_volume"] < 0 < dose.contributions["calibration"]
    assert dose.largest_contribution == "calibration"


def test_the_example_of_the_gum_annex_h2():
    """JCGM 100:2008, H.2, tables H.2 and H.4: resistance, reactance and impedance from voltage, current and phase, correlated.

    The published correlations are written as shared sources by a Cholesky factor of the covariance.
    """
    mean = np.array([4.9990, 0.019661, 1.04446])
    u = np.array([0.0032, 0.0000095, 0.00075])
    correlation = np.array([[1, -0.36, 0.86], [-0.36, 1, -0.65], [0.86, -0.65, 1]])
    factor = np.linalg.cholesky(correlation * np.outer(u, u))
    v, i, phi = (Measured(mean[r], {f"s{c}": factor[r, c] for c in range(3)}) for r in range(3))
    resistance = propagate(lambda v, i, phi: v / i * math.cos(phi), v=v, i=i, phi=phi)
    reactance = propagate(lambda v, i, phi: v / i * math.sin(phi), v=v, i=i, phi=phi)
    impedance = propagate(lambda v, i: v / i, v=v, i=i)
    assert (resistance.value, reactance.value, impedance.value) == pytest.approx((127.732, 219.847, 254.260), abs=2e-3)
    published = (0.071, 0.295, 0.236)
    found = [y.standard_uncertainty for y in (resistance, reactance, impedance)]
    assert found == pytest.approx(published, abs=0.002)  # the published correlations are rounded to two digits


@given(measurements(), measurements(), measurements())
def test_products_and_quotients_have_relative_parts_that_add(a, b, c):
    y = propagate(lambda a, b, c: a * b / c, a=a, b=b, c=c)
    for source in {*a.contributions, *b.contributions, *c.contributions}:
        parts = [x.contributions.get(source, 0.0) / x.value for x in (a, b, c)]
        assert y.contributions.get(source, 0.0) / y.value == pytest.approx(parts[0] + parts[1] - parts[2], abs=2e-7)


@given(measurements(), st.floats(-5.0, 5.0))
def test_a_linear_function_is_exact(a, factor):
    y = propagate(lambda a: factor * a + 1.0, a=a)
    assert y.standard_uncertainty == pytest.approx(abs(factor) * a.standard_uncertainty, rel=1e-6, abs=1e-9)


@given(measurements(), measurements())
def test_propagation_in_two_steps_is_propagation_in_one(a, b):
    at_once = propagate(lambda a, b: (a + b) * a, a=a, b=b)
    inner = propagate(lambda a, b: a + b, a=a, b=b)
    in_steps = propagate(lambda s, a: s * a, s=inner, a=a)
    for source in at_once.contributions:
        assert in_steps.contributions[source] == pytest.approx(at_once.contributions[source], rel=1e-5, abs=1e-6)


def test_random_draws_agree_with_the_propagation_and_its_interval():
    random = np.random.default_rng(20)
    sources = {key: random.standard_normal(400_000) for key in ("volume", "calibration", "shunt")}
    mass = Measured(1.8, {"volume": 0.09})
    activity = Measured(2.4, {"calibration": 0.12, "volume": -0.03})
    lung = Measured(0.06, {"shunt": 0.012})
    dose = propagate(lambda mass, activity, lung: 49.67 * activity * (1 - lung) / mass, mass=mass, activity=activity, lung=lung)

    def draw(x: Measured) -> np.ndarray:
        return x.value + sum(c * sources[key] for key, c in x.contributions.items())

    drawn = 49.67 * draw(activity) * (1 - draw(lung)) / draw(mass)
    assert dose.standard_uncertainty == pytest.approx(drawn.std(), rel=0.02)  # the second order of 5 to 7 % is below 1 %
    for low, high in (dose.normal_interval_90, dose.lognormal_interval_90):
        inside = ((drawn > low) & (drawn < high)).mean()
        assert inside == pytest.approx(0.90, abs=FOUR_SIGMA * math.sqrt(0.09 / 400_000) + 0.005)


def test_the_90_percent_intervals():
    """Quantile 1.64485 of the normal distribution; the log-normal one by its definition, relative uncertainty 50 %."""
    assert _u(100.0, a=10.0).normal_interval_90 == pytest.approx((83.5515, 116.4485), abs=1e-4)
    low, high = _u(100.0, a=50.0).lognormal_interval_90
    sigma = math.sqrt(math.log(1.25))
    assert (low, high) == pytest.approx((100 * math.exp(-1.644854 * sigma), 100 * math.exp(1.644854 * sigma)), rel=1e-6)
    assert low * high == pytest.approx(1e4) and low > 0
    with pytest.raises(InvalidValue, match="positive"):
        _ = _u(0.0, a=1.0).lognormal_interval_90


@given(measurements())
def test_intervals_hold_the_value_and_agree_for_small_uncertainties(x):
    for low, high in (x.normal_interval_90, x.lognormal_interval_90):
        assert low <= x.value * (1 + 1e-12) and x.value <= high * (1 + 1e-12)
    small = Measured(x.value, {k: 0.01 * c for k, c in x.contributions.items()})
    assert small.lognormal_interval_90 == pytest.approx(small.normal_interval_90, rel=1e-4)


def test_an_exact_value_has_no_uncertainty():
    for value in (exact(3.0), Measured(3.0, {"nothing": 0.0})):
        assert value.standard_uncertainty == value.relative_uncertainty == 0.0
        assert value.largest_contribution == "" and value.normal_interval_90 == (3.0, 3.0)
    assert Measured(0.0, {"a": 1.0}).relative_uncertainty == math.inf
    assert propagate(lambda a: a**2, a=exact(3.0)) == Measured(9.0)


def test_a_further_source_adds_with_its_sign_under_an_existing_key():
    x = _u(1.0, a=0.3).with_contribution("b", 0.4).with_contribution("a", -0.3)
    assert dict(x.contributions) == {"b": 0.4}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(bad):
    with pytest.raises(InvalidValue, match="finite"):
        Measured(bad)
    with pytest.raises(InvalidValue, match="finite"):
        Measured(1.0, {"a": bad})
    with pytest.raises(InvalidValue, match="finite"):
        propagate(lambda a: a * bad, a=_u(1.0, a=0.1))


def test_a_value_cannot_be_changed_and_survives_a_worker():
    given_ = {"a": 1.0}
    x = Measured(2.0, given_)
    given_["a"] = 5.0
    assert x.contributions["a"] == 1.0
    with pytest.raises(TypeError):
        x.contributions["a"] = 2.0  # type: ignore[index]
    assert pickle.loads(pickle.dumps(x)) == x

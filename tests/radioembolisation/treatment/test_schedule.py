"""What a delay costs. Oracle: ``2^(−d/T½)`` of elapsed hours, tolerance bounds in closed form, shelf instants written out in UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.radioembolisation.treatment.combinations import OrderRules
from opensirt.radioembolisation.treatment.delivery_calendar import DeliveryCalendar, ProductDelivery
from opensirt.radioembolisation.treatment.orders import order
from opensirt.radioembolisation.treatment.schedule import DELAYS_H, schedule
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.products import GLASS, HOLMIUM, PRODUCTS, RESIN

LONDON = ZoneInfo("Europe/London")
CALENDAR = DeliveryCalendar("a site", "Europe/London", {key: ProductDelivery(tuple(range(7))) for key in PRODUCTS})
AT = datetime(2026, 11, 4, 10, tzinfo=LONDON)
EXACT = 1e-12
ONE_SECOND = timedelta(seconds=1)


def left(hours: float, half_life_h: float = 64.1) -> float:
    return math.exp(-math.log(2.0) * hours / half_life_h)


@pytest.mark.parametrize(("product", "percent"), [(GLASS, 6.3), (RESIN, 6.3), (HOLMIUM, 14.4)])
def test_six_hours_of_delay(product, percent):
    made = order(product, {"r": 6.0 if product is HOLMIUM else 2.4}, AT, CALENDAR)
    zero, six = schedule(made, delays_h=(0.0, 6.0)).rows
    assert 100.0 * (1.0 - six.delivered_gbq["r"] / zero.delivered_gbq["r"]) == pytest.approx(percent, abs=0.05)
    assert 100.0 * (1.0 - six.vials_gbq[0] / zero.vials_gbq[0]) == pytest.approx(percent, abs=0.05)


def test_the_rows_by_hand():
    """5 GBq of 1 November 17:00 UTC at 4 November 10:00 UTC is 65 h old; a dose of 60 Gy/GBq."""
    made = order(GLASS, {"right": 2.4}, AT, CALENDAR, residual_fraction=0.01)
    table = schedule(made, {"tumour": {"right": 60.0}})
    assert [row.delay_h for row in table.rows] == list(DELAYS_H) == [float(h) for h in range(-24, 49)]
    for row in table.rows:
        held = 5.0 * left(65.0 + row.delay_h)
        assert row.vials_gbq == (pytest.approx(held, rel=EXACT),)
        assert row.delivered_gbq["right"] == pytest.approx(0.99 * held, rel=EXACT)
        assert row.doses_gy["tumour"] == pytest.approx(60.0 * 0.99 * held, rel=EXACT)
        assert row.percent_of_plan["right"] == pytest.approx(100.0 * 0.99 * held / 2.4, rel=EXACT)
        assert row.at.astimezone(UTC) == datetime(2026, 11, 4, 10, tzinfo=UTC) + timedelta(hours=row.delay_h)
        assert row.within_tolerance is (abs(0.99 * held / 2.4 - 1.0) <= 0.1)
        assert row.on_shelf


def test_a_delay_is_elapsed_time_across_a_clock_change():
    """Saturday 24 October 2026 22:00 in London (21:00 UTC) and six hours later: 03:00 by the clock, one hour having come twice."""
    made = order(GLASS, {"r": 1.0}, datetime(2026, 10, 24, 22, tzinfo=LONDON), CALENDAR)
    (row,) = schedule(made, delays_h=(6.0,)).rows
    assert row.at.isoformat() == "2026-10-25T03:00:00+00:00"


@pytest.mark.parametrize("tolerance", [0.05, 0.1, 0.25])
def test_bounds_of_the_tolerance(tolerance):
    """2.4 GBq from 5 GBq at 65 h: r = 5 · 2^(−65/64.1)/2.4; it falls to 1 + ε and 1 − ε after 64.1 · log₂(r/(1 ± ε)) hours."""
    ratio = 5.0 * left(65.0) / 2.4
    made = order(GLASS, {"r": 2.4}, AT, CALENDAR, residual_fraction=0.0)
    table = schedule(made, tolerance_fraction=tolerance)
    for instant, bound in ((table.earliest, 1.0 + tolerance), (table.latest, 1.0 - tolerance)):
        assert abs(instant - (AT.astimezone(UTC) + timedelta(hours=64.1 * math.log2(ratio / bound)))) < ONE_SECOND
    assert table.latest_redrawn is None, "a glass vial is given whole"
    assert table.findings == ()


def test_the_bounds_stop_at_calibration_and_expiry():
    """Sunday 8 November 18:00 UTC, an hour after calibration, 3 GBq: ten per cent more would be eight hours before it; and a vial near expiry."""
    made = order(GLASS, {"r": 2.9}, datetime(2026, 11, 8, 18, tzinfo=UTC), CALENDAR, residual_fraction=0.0)
    assert schedule(made).earliest == datetime(2026, 11, 8, 17, tzinfo=UTC)
    rules = OrderRules(calibrated_at=datetime(2026, 10, 25, 16, tzinfo=UTC))
    made = order(
        GLASS, {"r": 20.0 * left(286.0)}, datetime(2026, 11, 6, 14, tzinfo=UTC), CALENDAR, residual_fraction=0.0, rules=rules
    )
    table = schedule(made)
    assert table.latest == datetime(2026, 11, 6, 16, tzinfo=UTC), "12 days after 25 October 16:00 UTC"
    assert [row.on_shelf for row in table.rows if row.delay_h in (2.0, 3.0)] == [True, False]


def test_resin_can_be_drawn_anew_until_the_vial_is_short():
    """2 of 3 GBq are needed: the vial holds 2 until 64.1 · log₂(3/2) = 37.5 h later, past its expiry at 24 h; 2.9 until 3.13 h."""
    made = order(RESIN, {"r": 2.0}, AT, CALENDAR, residual_fraction=0.0)
    assert abs(schedule(made).latest_redrawn - (AT + timedelta(hours=24))) < ONE_SECOND
    made = order(RESIN, {"r": 2.9}, AT, CALENDAR, residual_fraction=0.0)
    table = schedule(made, delays_h=(3.0, 4.0))
    assert abs(table.latest_redrawn - (AT + timedelta(hours=64.1 * math.log2(3.0 / 2.9)))) < ONE_SECOND
    assert table.rows[0].redrawn_percent > 100.0 > table.rows[1].redrawn_percent
    assert table.rows[1].redrawn_percent == pytest.approx(100.0 * 3.0 * left(4.0) / 2.9, rel=EXACT)


def test_injections_that_err_to_both_sides():
    """2.4 GBq get 3.2 % too much, 0.31 GBq 23 % too little: no instant suits both within 10 %."""
    made = order(GLASS, {"r": 2.4, "l": 0.31}, AT, CALENDAR, residual_fraction=0.0)
    table = schedule(made)
    assert (table.earliest, table.latest) == (None, None)
    assert [finding.code for finding in table.findings] == ["schedule.no_instant"]
    assert not any(row.within_tolerance for row in table.rows)


def test_a_planned_instant_outside_of_its_own_tolerance():
    made = order(GLASS, {"r": 0.31}, AT, CALENDAR, residual_fraction=0.0)
    table = schedule(made)
    assert [finding.code for finding in table.findings] == ["schedule.planned_instant_outside"]
    assert table.latest < AT


def test_doses_of_two_injections_add():
    made = order(RESIN, {"r": 1.0, "l": 0.5}, AT, CALENDAR)
    (row,) = schedule(made, {"liver": {"r": 30.0, "l": 10.0}, "right tumour": {"r": 100.0}}, delays_h=(10.0,)).rows
    assert row.doses_gy == {
        "liver": pytest.approx(35.0 * left(10.0), rel=EXACT),
        "right tumour": pytest.approx(100.0 * left(10.0), rel=EXACT),
    }


def test_bad_input():
    made = order(RESIN, {"r": 1.0}, AT, CALENDAR)
    for change in ({"tolerance_fraction": 1.0}, {"tolerance_fraction": -0.1}, {"delays_h": ()}, {"delays_h": (math.nan,)}):
        with pytest.raises(InvalidValue):
            schedule(made, **change)
    with pytest.raises(InvalidValue, match="no such injection"):
        schedule(made, {"tumour": {"left": 1.0}})


@given(st.floats(0.3, 10.0), st.floats(0.01, 0.3), st.sampled_from((GLASS, RESIN)))
def test_bounds_and_rows_agree(delivered, tolerance, product):
    try:
        made = order(product, {"r": delivered}, AT, CALENDAR)
    except InvalidValue:
        return
    table = schedule(made, delays_h=tuple(h / 4.0 for h in range(-96, 193)), tolerance_fraction=tolerance)
    for row in table.rows:
        inside = table.earliest is not None and table.earliest - ONE_SECOND <= row.at <= table.latest + ONE_SECOND
        outside = table.earliest is None or not table.earliest + ONE_SECOND <= row.at <= table.latest - ONE_SECOND
        good = row.within_tolerance and row.on_shelf
        assert inside if good else outside

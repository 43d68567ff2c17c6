"""Activity has an instant: decay over any time zones, naive instants refused."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.vocabulary.activity import Activity, hours_between, require_time_zone
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.nuclides import HO166, Y90
from strategies import activities, instants


def test_one_half_life_across_time_zones_and_a_day_line():
    """Calibrated at noon in Kathmandu (+05:45), used in Chatham (+12:45) 26.8 h later."""
    assay = Activity(8.0, datetime(2026, 3, 4, 12, 0, tzinfo=timezone(timedelta(hours=5, minutes=45))), HO166)
    later = datetime(2026, 3, 5, 21, 48, tzinfo=timezone(timedelta(hours=12, minutes=45)))
    assert hours_between(assay.at, later) == pytest.approx(26.8)
    assert assay.decayed_to(later).amount_gbq == pytest.approx(4.0, rel=1e-12)


def test_summer_time_does_not_add_an_hour():
    """Offsets count, not clocks: 01:30+01:00 to 03:30+02:00 is one hour."""
    before = datetime(2026, 3, 29, 1, 30, tzinfo=timezone(timedelta(hours=1)))
    after = datetime(2026, 3, 29, 3, 30, tzinfo=timezone(timedelta(hours=2)))
    assert hours_between(before, after) == pytest.approx(1.0)


def test_w34_an_order_70_hours_before():
    """2.4 GBq at treatment is 5.116 GBq of Y-90 70 h before (64.1 h)."""
    at = datetime(2026, 5, 7, 10, tzinfo=UTC)
    assert Activity(2.4, at, Y90).decayed_to(at - timedelta(hours=70)).amount_gbq == pytest.approx(5.116, abs=5e-4)


@given(activities(), instants())
def test_decay_goes_both_ways_and_keeps_what_it_is(activity, instant):
    if abs(hours_between(activity.at, instant)) > 500 * activity.nuclide.half_life_h.value:
        return
    moved = activity.decayed_to(instant)
    elapsed = (instant.astimezone(UTC) - activity.at.astimezone(UTC)).total_seconds() / 3600
    assert moved.amount_gbq == pytest.approx(activity.amount_gbq * 2.0 ** (-elapsed / activity.nuclide.half_life_h.value), rel=1e-9)
    assert moved.at == instant and moved.nuclide is activity.nuclide
    if moved.amount_gbq > 1e-250:
        assert moved.decayed_to(activity.at).amount_gbq == pytest.approx(activity.amount_gbq, rel=1e-6)


@given(st.datetimes())
def test_naive_instants_are_refused_everywhere(naive):
    aware = datetime(2026, 3, 4, tzinfo=UTC)
    for attempt in (
        lambda: require_time_zone(naive, "an instant"),
        lambda: Activity(1.0, naive, Y90),
        lambda: Activity(1.0, aware, Y90).decayed_to(naive),
        lambda: hours_between(naive, aware),
    ):
        with pytest.raises(InvalidValue, match="time zone"):
            attempt()


def test_the_doubt_stated_in_the_message_is_true():
    assert 100 * (1 - math.exp(-math.log(2) * 6 / 64.1)) == pytest.approx(6, abs=0.5)
    assert 100 * (1 - math.exp(-math.log(2) * 6 / 26.8)) == pytest.approx(14, abs=0.5)


@pytest.mark.parametrize("amount", [-1e-9, float("nan"), float("inf")])
def test_impossible_amounts_are_refused(amount):
    with pytest.raises(InvalidValue, match="GBq"):
        Activity(amount, datetime(2026, 3, 4, tzinfo=UTC), Y90)

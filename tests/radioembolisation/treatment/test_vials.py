"""Glass vials: tables worked by hand from UTC instants, across both clock changes of New York, expiry, bad input.

Oracle: ``2^(−t/64.1 h)`` with ``t`` taken from UTC instants written out here. New York is UTC−5 in winter, UTC−4 in summer; in 2026 clocks
change on 8 March and 1 November at 2:00.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.radioembolisation.treatment.vials import (
    calibrations_before,
    expiry,
    instant_holding,
    require_on_shelf,
    spheres_delivered,
    vial_activity_gbq,
    vial_options,
)
from opensirt.vocabulary.activity import hours_between
from opensirt.vocabulary.errors import InvalidValue, UnsupportedInput
from opensirt.vocabulary.products import GLASS, HOLMIUM, RESIN
from strategies import TIME_ZONES

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
SIZES = (3.0, 5.0, 7.0, 10.0, 15.0, 20.0)
EXACT = 1e-12


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def left(hours: float) -> float:
    return 2.0 ** (-hours / 64.1)


@pytest.mark.parametrize(
    ("treatment", "calibrations"),
    [
        # Wednesday 11 March 2026, 15:00 in Berlin: Sunday 8 March 12:00 is summer time there (16:00 UTC), 1 March is winter (17:00 UTC)
        (datetime(2026, 3, 11, 15, tzinfo=BERLIN), (utc(2026, 3, 8, 16), utc(2026, 3, 1, 17))),
        # Wednesday 4 November 2026: Sunday 1 November 12:00 is winter again (17:00 UTC), 25 October was summer (16:00 UTC)
        (datetime(2026, 11, 4, 10, tzinfo=NEW_YORK), (utc(2026, 11, 1, 17), utc(2026, 10, 25, 16))),
        # Saturday, six days after: the vial of the week before is 13 days old and gone
        (datetime(2026, 6, 13, 9, tzinfo=BERLIN), (utc(2026, 6, 7, 16),)),
        # Sunday 11:59 New York: not yet calibrated today
        (datetime(2026, 6, 14, 11, 59, tzinfo=NEW_YORK), (utc(2026, 6, 7, 16),)),
        (datetime(2026, 6, 14, 12, tzinfo=NEW_YORK), (utc(2026, 6, 14, 16), utc(2026, 6, 7, 16))),
    ],
)
def test_calibrations_whose_vials_are_on_the_shelf(treatment, calibrations):
    found = tuple(at.astimezone(UTC) for at in calibrations_before(GLASS, treatment))
    expected = tuple(at for at in calibrations if treatment - at <= timedelta(days=12))
    assert found == expected


def test_the_table_of_a_wednesday_across_the_clock_change():
    """1 March 12:00 New York to 11 March 15:00 Berlin: 1 March 17:00 UTC to 11 March 14:00 UTC is 237 h, not 238."""
    treatment = datetime(2026, 3, 11, 15, tzinfo=BERLIN)
    options = vial_options(GLASS, "right", 2.0, treatment, residual_fraction=0.01)
    hours = {utc(2026, 3, 8, 16): 70.0, utc(2026, 3, 1, 17): 237.0}
    assert len(options) == 12
    for option in options:
        elapsed = hours[option.calibrated_at.astimezone(UTC)]
        assert option.activity_at_treatment_gbq == pytest.approx(option.size_gbq * left(elapsed), rel=EXACT)
        assert option.days_after_calibration == pytest.approx(elapsed / 24.0, rel=EXACT)
        excess = option.size_gbq * left(elapsed) * 0.99 / 2.0 - 1.0
        assert option.relative_excess == pytest.approx(excess, rel=1e-9, abs=1e-12)
        assert option.usable is (abs(excess) <= 0.25)


def test_both_instants_in_one_zone_across_the_clock_change():
    """Clocks of one zone subtracted as they stand would give 238 h for 25 October 12:00 to 4 November 10:00; it is 239 h."""
    calibrated, treatment = datetime(2026, 10, 25, 12, tzinfo=NEW_YORK), datetime(2026, 11, 4, 10, tzinfo=NEW_YORK)
    assert hours_between(calibrated, treatment) == 239.0
    assert vial_activity_gbq(GLASS, 20.0, calibrated, treatment) == pytest.approx(20.0 * left(239.0), rel=EXACT)
    assert vial_activity_gbq(GLASS, 20.0, calibrated, treatment.astimezone(UTC)) == pytest.approx(20.0 * left(239.0), rel=EXACT)


@pytest.mark.parametrize("calibrated", [datetime(2026, 3, 1, 12, tzinfo=NEW_YORK), datetime(2026, 10, 25, 12, tzinfo=NEW_YORK)])
@pytest.mark.parametrize("share", [0.9, 0.3, 0.08])
def test_the_instant_at_which_a_vial_holds_an_activity(calibrated, share):
    at = instant_holding(GLASS, 10.0, calibrated, 10.0 * share)
    assert vial_activity_gbq(GLASS, 10.0, calibrated, at) == pytest.approx(10.0 * share, rel=1e-9), "to a microsecond"


def test_the_instant_of_an_option_gives_the_plan_exactly():
    for option in vial_options(GLASS, "right", 2.0, datetime(2026, 3, 11, 15, tzinfo=BERLIN), residual_fraction=0.05):
        held = vial_activity_gbq(GLASS, option.size_gbq, option.calibrated_at, option.equals_plan_at)
        assert held * 0.95 == pytest.approx(2.0, rel=1e-9)
        assert (
            option.equals_plan_at.utcoffset()
            == datetime(2026, 3, 11, 15, tzinfo=BERLIN)
            .replace(year=option.equals_plan_at.year, month=option.equals_plan_at.month, day=option.equals_plan_at.day)
            .utcoffset()
        )


def test_best_fit_comes_first():
    """70 h after calibration 5 GBq hold 2.345 GBq: nearest to 2.4."""
    best = vial_options(GLASS, "right", 2.4, datetime(2026, 3, 11, 15, tzinfo=BERLIN), residual_fraction=0.0)[0]
    assert (best.size_gbq, best.days_after_calibration) == (5.0, pytest.approx(70.0 / 24.0))


def test_expiry_is_twelve_elapsed_days():
    calibrated = datetime(2026, 10, 25, 12, tzinfo=NEW_YORK)
    assert hours_between(calibrated, expiry(GLASS, calibrated)) == 288.0
    require_on_shelf(GLASS, calibrated, calibrated)
    require_on_shelf(GLASS, calibrated, expiry(GLASS, calibrated))
    with pytest.raises(InvalidValue, match="expiry"):
        require_on_shelf(GLASS, calibrated, expiry(GLASS, calibrated).astimezone(UTC) + timedelta(seconds=1))
    with pytest.raises(InvalidValue, match="before the vial's calibration"):
        require_on_shelf(GLASS, calibrated, calibrated - timedelta(minutes=1))


def test_the_default_residual_is_the_published_median():
    stated = vial_options(GLASS, "r", 2.0, utc(2026, 6, 10, 8), residual_fraction=0.0061)
    assert vial_options(GLASS, "r", 2.0, utc(2026, 6, 10, 8)) == stated


def test_spheres_of_a_vial():
    option = vial_options(GLASS, "r", 2.0, utc(2026, 6, 10, 8))[0]
    assert spheres_delivered(GLASS, option) == option.size_gbq * 400_000.0


@pytest.mark.parametrize("product", [RESIN, HOLMIUM])
def test_products_without_a_supply_say_so(product):
    with pytest.raises(UnsupportedInput, match="not given whole"):
        vial_options(product, "r", 2.0, utc(2026, 6, 10, 8))


@pytest.mark.parametrize("delivered", [0.0, -1.0, float("nan"), float("inf")])
def test_an_activity_that_is_none(delivered):
    with pytest.raises(InvalidValue, match="to deliver"):
        vial_options(GLASS, "r", delivered, utc(2026, 6, 10, 8))


@pytest.mark.parametrize("residual", [1.0, -0.1, float("nan")])
def test_a_residual_that_is_none(residual):
    with pytest.raises(InvalidValue, match="residual"):
        vial_options(GLASS, "r", 2.0, utc(2026, 6, 10, 8), residual_fraction=residual)


def test_naive_instants_are_refused():
    with pytest.raises(InvalidValue, match="no time zone"):
        vial_options(GLASS, "r", 2.0, datetime(2026, 6, 10, 8))


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)), TIME_ZONES)
def test_every_instant_has_a_vial_from_this_week_and_none_too_old(naive, zone):
    treatment = naive.replace(tzinfo=zone)
    found = calibrations_before(GLASS, treatment)
    assert 1 <= len(found) <= 2
    for n, at in enumerate(found):
        local = at.astimezone(NEW_YORK)
        assert (local.weekday(), local.hour, local.minute) == (6, 12, 0)
        assert 0.0 <= hours_between(at, treatment) <= 288.0
        assert 168.0 * n - 1.0 <= hours_between(at, treatment) <= 168.0 * (n + 1) + 1.0

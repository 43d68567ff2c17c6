"""Orders and schedules as tables of the plan: the numbers of the values stand in them, and nothing is left out."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from opensirt.radioembolisation.treatment.combinations import OrderRules
from opensirt.radioembolisation.treatment.delivery_calendar import DeliveryCalendar, ProductDelivery
from opensirt.radioembolisation.treatment.order_tables import order_tables, schedule_table
from opensirt.radioembolisation.treatment.orders import order
from opensirt.radioembolisation.treatment.schedule import schedule
from opensirt.vocabulary.products import GLASS, HOLMIUM, PRODUCTS, RESIN

AT = datetime(2026, 11, 4, 10, tzinfo=ZoneInfo("Europe/London"))
CALENDAR = DeliveryCalendar("s", "Europe/London", {key: ProductDelivery((0, 1, 2, 3, 4), cut_off_days=7) for key in PRODUCTS})


def texts(table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_the_vials_of_a_glass_order():
    """5 GBq of 1 November 12:00 EST (65 h) hold 2.476 GBq, with 0.61 % left behind 2.461: 2.5 % more than 2.4."""
    vials, injections = order_tables(order(GLASS, {"right": 2.4}, AT, CALENDAR))
    (row,) = texts(vials)
    assert row[:4] == ["1", "5", "Sun 01 Nov 2026 12:00 -05:00 America/New_York", "2.476"]
    assert row[5:8] == ["0.000", "2.71", "Fri 13 Nov 2026 17:00 +00:00"]
    assert "2.0 (2.0 to 4.0)" in row
    assert "Order by 2026-10-28" in vials.note
    (row,) = texts(injections)
    assert row == ["right", "Wed 04 Nov 2026 10:00 +00:00", "2.400", "2.415", "2.476 (vial 1)", "2.461", "+2.5 %", "2.00"]


@pytest.mark.parametrize(("product", "gbq"), [(GLASS, 2.4), (RESIN, 1.6), (HOLMIUM, 6.0)])
def test_the_schedule(product, gbq):
    made = order(product, {"right": gbq}, AT, CALENDAR)
    table = schedule_table(made, schedule(made, {"tumour.T1": {"right": 50.0}}))
    (now,) = [row for row in texts(table) if row[0] == "+0"]
    assert now[1] == "Wed 04 Nov 2026 10:00 +00:00"
    assert f"{50.0 * made.delivered_gbq['right']:.1f}" in now
    assert now[-1] == "within"
    assert "Within ± 10 %" in table.note
    assert ("Drawn anew" in table.note) is (product is not GLASS)
    assert table.key == "schedule"


def test_a_schedule_of_odd_steps_is_shown_as_it_is():
    made = order(RESIN, {"right": 1.6}, AT, CALENDAR)
    assert len(schedule_table(made, schedule(made, delays_h=(0.25, 0.5))).rows) == 2


def test_a_verdict_names_the_structure_above_its_limit():
    """52 Gy at the planned instant against 50: 52 · 2^(−d/64.1) is 50 after 64.1 · log₂ 1.04 = 3.63 h, 13:37."""
    made = order(RESIN, {"right": 1.6}, AT, CALENDAR)
    per_gbq = {"normal_liver": {"right": 52.0 / 1.6}, "territory.right": {"right": 50.0}}
    table = schedule_table(made, schedule(made, per_gbq), {"normal_liver": 50.0, "lungs": 25.0})
    verdicts = {row[0]: row[-1] for row in texts(table)}
    assert verdicts["+0"] == verdicts["+3"] == "within, above limit of normal_liver"
    assert verdicts["+4"] == "within"
    assert verdicts["+48"] == "outside usable period"
    assert "normal_liver is above its limit of 50 Gy until Wed 04 Nov 2026 13:37" in table.note
    assert "no dose of lungs" in table.note
    assert "territory.right, Gy" in table.columns
    assert schedule_table(made, schedule(made, per_gbq)).rows[0][-1].text == "outside"


def test_holmium_before_its_day_has_no_draw():
    """A day earlier the dose would hold 2^(24/26.8) = 1.86 of the plan, but it is not there yet."""
    made = order(HOLMIUM, {"right": 6.0}, AT, CALENDAR)
    first = texts(schedule_table(made, schedule(made)))[0]
    assert (first[0], first[-2], first[-1]) == ("-24", "–", "outside usable period")


def test_an_order_day_that_has_passed():
    made = order(GLASS, {"right": 2.4}, AT, CALENDAR, rules=OrderRules(placed_at=datetime(2026, 11, 2, 9, tzinfo=AT.tzinfo)))
    assert "Order by 2026-10-28 (this day has passed)." in order_tables(made)[0].note


def test_a_dose_that_meets_its_limit_is_not_above_it():
    """The limit is the planned dose less a rounding of 1e-9: within; a thousandth less: above."""
    made = order(RESIN, {"right": 1.6}, AT, CALENDAR)
    delays = schedule(made, {"lungs": {"right": 10.0}}, delays_h=(0.0,))
    dose = delays.rows[0].doses_gy["lungs"]
    assert texts(schedule_table(made, delays, {"lungs": dose * (1.0 - 1e-9)}))[0][-1] == "within"
    assert texts(schedule_table(made, delays, {"lungs": dose * 0.999}))[0][-1] == "within, above limit of lungs"

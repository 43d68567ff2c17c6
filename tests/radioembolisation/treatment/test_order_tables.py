"""Orders and schedules as tables of the plan: the numbers of the values stand in them, and nothing is left out."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

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

"""The site's delivery calendar: the default says that nothing is verified, files round-trip, and all faults are told at once."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.files.delivery_calendar import (
    default_delivery_calendar,
    delivery_calendar_from_json,
    delivery_calendar_to_json,
    read_delivery_calendar,
)
from opensirt.radioembolisation.treatment.delivery_calendar import CalibrationClock, DeliveryCalendar, ProductDelivery, at_site
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, MissingInput
from opensirt.vocabulary.products import GLASS, HOLMIUM, PRODUCTS, RESIN
from opensirt.vocabulary.provenance import Mark

SITE = {
    "schema": "opensirt.delivery_calendar",
    "version": 1,
    "site": "Royal Example",
    "time_zone": "Europe/London",
    "closed_dates": ["2026-12-25", "2026-12-28"],
    "products": {
        "glass": {
            "delivery_weekdays": ["monday", "tuesday"],
            "cut_off_days": 10,
            "calibration_weekday": "sunday",
            "calibration_time": "12:00",
            "calibration_time_zone": "America/New_York",
            "sizes_gbq": [3.0, 3.5, 4.0],
            "shelf_life_days": 12,
            "source": "instructions for use of June 2026",
            "mark": "found",
        },
        "resin": {"delivery_weekdays": ["thursday"], "calibration_time": "18:00", "calibration_time_zone": "Europe/London"},
    },
}


def test_the_default_claims_nothing():
    calendar = default_delivery_calendar()
    assert set(calendar.products) == set(PRODUCTS)
    assert {named.mark for named in calendar.products.values()} == {Mark.UNVERIFIED}
    assert {named.cut_off_days for named in calendar.products.values()} == {None}
    assert calendar.products["resin"].clock is None, "no source for the hour of calibration was found"
    assert at_site(GLASS, calendar) == GLASS
    assert (at_site(RESIN, calendar), at_site(HOLMIUM, calendar)) == (RESIN, HOLMIUM)


def test_a_site_in_full(tmp_path):
    path = tmp_path / "calendar.json"
    path.write_text(json.dumps(SITE), "utf-8")
    calendar = read_delivery_calendar(path)
    assert (calendar.site, calendar.time_zone) == ("Royal Example", "Europe/London")
    assert calendar.closed_dates == (date(2026, 12, 25), date(2026, 12, 28))
    glass = calendar.products["glass"]
    assert (glass.delivery_weekdays, glass.cut_off_days, glass.calibration_weekday) == ((0, 1), 10, 6)
    assert glass.clock == CalibrationClock(12, 0, "America/New_York")
    assert calendar.products["resin"].clock == CalibrationClock(18, 0, "Europe/London")
    site = at_site(GLASS, calendar)
    assert site.vials.sizes_gbq == (3.0, 3.5, 4.0)
    assert site.vials.mark is Mark.FOUND
    assert "June 2026" in site.vials.source
    assert at_site(RESIN, calendar).vials.mark is Mark.UNVERIFIED, "the shelf life is still nobody's"


def test_all_faults_at_once():
    bad = json.loads(json.dumps(SITE))
    bad["time_zone"] = "Europe/Camelot"
    bad["closed_dates"] = ["2026-02-30", "2026-12-25"]
    bad["colour"] = "blue"
    del bad["site"]
    bad["products"]["gold"] = {}
    bad["products"]["ho166"] = []
    bad["products"]["glass"] |= {
        "delivery_weekdays": ["monday", "funday"],
        "cut_off_days": -1,
        "calibration_time": "25:00",
        "sizes_gbq": [3.0, 0.0, True],
        "shelf_life_days": 400,
        "mark": "certain",
        "days_before_calibration": [1],
    }
    bad["products"]["resin"] = {"calibration_time": "18:00", "days_before_calibration": [1.5]}
    with pytest.raises(InvalidValue) as error:
        delivery_calendar_from_json(json.dumps(bad), "calendar.json")
    text = str(error.value)
    for part in (
        "time_zone: 'Europe/Camelot'",
        "closed_dates: [0] '2026-02-30'",
        "colour: not known here",
        "site: missing",
        "products.gold: no product",
        "products.ho166: not an object",
        "products.glass.delivery_weekdays: [1] 'funday'",
        "products.glass.cut_off_days: -1",
        "products.glass.calibration_time: '25:00'",
        "products.glass.sizes_gbq: [1] 0 is not above 0, [2] True is no number",
        "products.glass.shelf_life_days: 400",
        "products.glass.mark: 'certain'",
        "products.glass.days_before_calibration: not known here",
        "products.resin.delivery_weekdays: missing",
        "products.resin.calibration_time and calibration_time_zone: state both or neither",
        "products.resin.days_before_calibration: [0] 1.5",
        "calendar.json",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[]", InconsistentInput),
        ('{"schema": "opensirt.delivery_calendar", "version": 2}', InconsistentInput),
        ('{"schema": "opensirt.plan", "version": 1}', InconsistentInput),
        ('{"schema": "opensirt.delivery_calendar", "version": 1}', InvalidValue),
        (
            '{"schema": "opensirt.delivery_calendar", "version": 1, "site": "s", "time_zone": "UTC", "products": {"glass": {"delivery_weekdays": []}}}',
            InvalidValue,
        ),
        ('{"schema": "a", "schema": "b"}', InvalidValue),
        ("not JSON", InvalidValue),
    ],
)
def test_documents_that_are_none(text, error):
    with pytest.raises(error):
        delivery_calendar_from_json(text)


def test_files_that_are_none(tmp_path):
    with pytest.raises(MissingInput):
        read_delivery_calendar(tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes(b'{"site": "Universit\xe4t"}')
    with pytest.raises(InvalidValue, match="UTF-8"):
        read_delivery_calendar(tmp_path / "latin.json")


_days = st.lists(st.integers(0, 6), min_size=1, unique=True).map(lambda days: tuple(sorted(days)))
_clocks = st.none() | st.builds(
    CalibrationClock,
    st.integers(0, 23),
    st.integers(0, 59),
    st.sampled_from(("America/New_York", "Asia/Kathmandu", "Pacific/Chatham")),
)
_common = {
    "delivery_weekdays": _days,
    "cut_off_days": st.none() | st.integers(0, 30),
    "source": st.sampled_from(("", "instructions for use")),
    "mark": st.sampled_from(tuple(Mark)),
}
_life = st.none() | st.floats(0.5, 30.0)
_glass = st.builds(
    ProductDelivery,
    **_common,
    clock=_clocks,
    shelf_life_days=_life,
    calibration_weekday=st.none() | st.integers(0, 6),
    sizes_gbq=st.lists(st.floats(0.5, 30.0), max_size=4).map(lambda sizes: tuple(sorted(sizes))),
)
_resin = st.builds(
    ProductDelivery, **_common, clock=_clocks, shelf_life_days=_life, days_before_calibration=st.sampled_from(((), (0,), (0, 1, 2)))
)
_calendars = st.builds(
    DeliveryCalendar,
    site=st.sampled_from(("Royal Example", "Universitätsklinikum")),
    time_zone=st.sampled_from(("Europe/London", "UTC", "Australia/Lord_Howe")),
    products=st.fixed_dictionaries({"glass": _glass}, optional={"resin": _resin, "ho166": st.builds(ProductDelivery, **_common)}),
    closed_dates=st.lists(st.dates(date(2026, 1, 1), date(2030, 1, 1)), unique=True, max_size=3).map(
        lambda days: tuple(sorted(days))
    ),
)


@given(_calendars)
def test_write_read_compare(calendar):
    assert delivery_calendar_from_json(delivery_calendar_to_json(calendar)) == calendar


def test_the_example_of_the_documentation_is_read(root):
    page = (root / "docs" / "how-to" / "delivery-calendar.md").read_text("utf-8")
    calendar = delivery_calendar_from_json(page.split("```json\n")[1].split("```")[0])
    assert set(calendar.products) == set(PRODUCTS)
    assert at_site(GLASS, calendar).vials.mark is Mark.FOUND

"""How numbers are written for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from opensirt.reports.numbers import (
    counted,
    instant_text,
    interval_text,
    offset_text,
    signed_percent,
    source_words,
    told,
    value_text,
)
from opensirt.vocabulary.measured import Measured
from opensirt.vocabulary.provenance import ReportedNumber, Shape

NARROW = "\u202f"


def _number(value: float, u: float, unit: str = "Gy", shape: Shape = Shape.LOGNORMAL) -> ReportedNumber:
    return ReportedNumber("k", "l", Measured(value, {"a": u}), unit, "f", "m", "1", shape=shape)


@pytest.mark.parametrize(
    ("value", "u", "text"),
    [
        (142.31, 17.0, "142"),
        (132.41, 8.4, "132.4"),
        (6.0576, 0.8, "6.06"),
        (12345.6, 480.0, f"12{NARROW}346"),
        (0.9046, 0.0, "0.905"),
    ],
)
def test_two_digits_of_the_uncertainty_or_three_of_an_exact_value(value, u, text):
    assert value_text(_number(value, u)) == f"{text}{NARROW}Gy"


def test_a_normal_interval_by_hand():
    """6.27 ± 1.6449 · 0.4 = 5.612 to 6.928."""
    assert interval_text(_number(6.27, 0.4, "%", Shape.NORMAL)) == "5.61–6.93"


def test_a_lognormal_interval_by_hand():
    """ln spread √ln(1 + 0.2²) = 0.19804; factor exp(1.6449 · 0.19804) = 1.3851; 100/1.3851 = 72.2, 138.5."""
    assert interval_text(_number(100.0, 20.0)) == "72–139"


def test_an_interval_below_zero_has_no_dash_beside_a_minus():
    assert interval_text(_number(0.5, 1.0, "%", Shape.NORMAL)) == "−1.1 to 2.1"


def test_exact_is_said():
    assert interval_text(_number(3.0, 0.0)) == "exact"


def test_instants_by_hand():
    at = datetime(2026, 3, 1, 12, 5, tzinfo=timezone(timedelta(hours=-4, minutes=-30)))
    assert instant_text(at) == "Sun 01 Mar 2026, 12:05 UTC−04:30"
    assert instant_text(at, year=False) == "Sun 01 Mar, 12:05 UTC−04:30"
    assert offset_text(datetime(2026, 1, 1, tzinfo=UTC).utcoffset()) == "UTC+00:00"


def test_signs_and_counts():
    assert signed_percent(0.161, 1) == f"+16.1{NARROW}%" and signed_percent(-0.1) == f"−10{NARROW}%"
    assert counted(3005293.0) == f"3{NARROW}005{NARROW}293" and counted(0.125) == "0.12"
    assert source_words("contour.tumour.T1") == "contour (tumour T1)"


@pytest.mark.parametrize(("value", "u", "text"), [(1.0, 1e-10, "1"), (1e-14, 1e-10, "0"), (0.0, 0.0, "0"), (2.0, 0.0, "2")])
def test_what_only_rounding_leaves_is_exact_and_short(value, u, text):
    number = _number(value, u, "1", Shape.NORMAL)
    assert (value_text(number), interval_text(number)) == (text, "exact")


def test_zero_has_no_sign():
    assert signed_percent(0.0001, 1) == signed_percent(-0.0001, 1) == f"0.0{NARROW}%"


def test_keys_without_a_structure_of_the_plan_stand_in_words():
    text = "tumour.T4, territory.right and normal_liver of ho166 by glass"
    assert told(text, {}) == (
        "tumour T4, territory right and normal liver of holmium-166 poly-lactic acid microspheres (QuiremSpheres) by glass"
    )

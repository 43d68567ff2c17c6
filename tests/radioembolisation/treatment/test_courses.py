"""Courses: sums written out by hand; what must not be added; findings."""

from __future__ import annotations

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.radioembolisation.treatment.courses import Course, CourseKind, Session, SessionInjection, course_sums
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.measured import Measured, total
from opensirt.vocabulary.products import GLASS, HOLMIUM, RESIN
from strategies import measurements

LONDON = ZoneInfo("Europe/London")
OCTOBER, NOVEMBER = datetime(2026, 10, 7, 10, tzinfo=LONDON), datetime(2026, 11, 11, 10, tzinfo=LONDON)
LOBAR = CourseKind.LOBAR_SEQUENTIAL


def injection(territory: str, gbq: float, ml: float | None = None) -> SessionInjection:
    return SessionInjection(territory, Measured(gbq), None if ml is None else Measured(ml))


def session(at=OCTOBER, product=GLASS, injections=None, bed=None, **dose_gy) -> Session:
    given_injections = injections or (injection("right", 2.4, 1100.0),)
    return Session(
        at,
        product,
        given_injections,
        {k: Measured(v) for k, v in dose_gy.items()},
        {k: Measured(v) for k, v in (bed or {}).items()},
    )


def codes(sums) -> set[str]:
    return {finding.code for finding in sums.findings}


def test_two_lobes_in_two_sessions():
    second = session(NOVEMBER, GLASS, (injection("left", 1.2, 600.0),), normal_liver=14.0, lungs=3.0)
    sums = course_sums(Course(LOBAR, (second, session(normal_liver=32.0, lungs=6.0)), Measured(2000.0)))
    assert {nuclide: gbq.value for nuclide, gbq in sums.delivered_gbq.items()} == {"Y-90": pytest.approx(3.6)}
    assert sums.dose_gy["normal_liver"]["Y-90"].value == pytest.approx(46.0)
    assert sums.dose_gy["lungs"]["Y-90"].value == pytest.approx(9.0)
    assert sums.treated_volume_ml.value == pytest.approx(1700.0)
    assert sums.treated_fraction.value == pytest.approx(0.85)
    assert sums.intervals_days == (pytest.approx(35.0 + 1.0 / 24.0),), "clocks went back in between"
    assert codes(sums) == {"course.no_cumulative_limit"}


def test_glass_and_resin_share_a_nuclide_and_add():
    sums = course_sums(Course(LOBAR, (session(liver=30.0), session(NOVEMBER, RESIN, liver=12.0))))
    assert sums.dose_gy["liver"]["Y-90"].value == pytest.approx(42.0)
    assert "course.territory_again" in codes(sums)


def test_doses_of_different_nuclides_are_never_added():
    sums = course_sums(Course(LOBAR, (session(liver=30.0), session(NOVEMBER, HOLMIUM, liver=40.0))))
    assert {nuclide: dose.value for nuclide, dose in sums.dose_gy["liver"].items()} == {"Y-90": 30.0, "Ho-166": 40.0}
    assert sums.bed_gy == {}
    assert set(sums.delivered_gbq) == {"Y-90", "Ho-166"}
    (finding,) = [f for f in sums.findings if f.code == "course.mixed_nuclides"]
    assert "state the BED" in finding.message


def test_bed_adds_over_nuclides_only_if_every_session_has_it():
    both = Course(LOBAR, (session(bed={"liver": 45.0}, liver=30.0), session(NOVEMBER, HOLMIUM, bed={"liver": 70.0}, liver=40.0)))
    assert course_sums(both).bed_gy["liver"].value == pytest.approx(115.0)
    half = Course(LOBAR, (session(bed={"liver": 45.0}, liver=30.0), session(NOVEMBER, HOLMIUM, liver=40.0)))
    assert course_sums(half).bed_gy == {}


def test_equal_sources_stay_correlated_over_sessions():
    """Calibration 5 % of 2 and of 1 GBq adds to 0.15; counts of each session, 0.03 and 0.04, to 0.05."""
    parts = [
        Measured(2.0, {"calibration": 0.1, "counts.first": 0.03}),
        Measured(1.0, {"calibration": 0.05, "counts.second": 0.04}),
    ]
    course = Course(
        LOBAR,
        tuple(Session(at, GLASS, (SessionInjection(t, p),)) for at, t, p in zip((OCTOBER, NOVEMBER), "rl", parts, strict=True)),
    )
    sum_gbq = course_sums(course).delivered_gbq["Y-90"]
    assert sum_gbq.standard_uncertainty == pytest.approx(math.hypot(0.15, 0.05))


def test_a_volume_that_each_session_defines_anew_is_not_added():
    course = Course(LOBAR, (session(perfused_normal_liver=60.0), session(NOVEMBER, perfused_normal_liver=50.0)))
    sums = course_sums(course)
    assert {key: by["Y-90"].value for key, by in sums.dose_gy.items()} == {
        "perfused_normal_liver (session 1)": 60.0,
        "perfused_normal_liver (session 2)": 50.0,
    }
    assert "course.volume_of_a_session" in codes(sums)
    one = course_sums(Course(CourseKind.SUPERSELECTIVE, (session(perfused_normal_liver=60.0),)))
    assert set(one.dose_gy) == {"perfused_normal_liver"}


def test_a_labelled_territory_adds():
    doses = {"territory.right": Measured(20.0)}
    course = Course(LOBAR, tuple(Session(at, GLASS, (injection("right", 1.0),), doses) for at in (OCTOBER, NOVEMBER)))
    assert course_sums(course).dose_gy["territory.right"]["Y-90"].value == 40.0


def test_a_territory_treated_again_counts_its_volume_once():
    again = session(NOVEMBER, GLASS, (injection("right", 1.0, 900.0),))
    sums = course_sums(Course(LOBAR, (session(), again), Measured(2000.0)))
    assert sums.treated_volume_ml.value == 1100.0, "the larger of both"
    assert "course.territory_again" in codes(sums)


@pytest.mark.parametrize(
    ("kind", "right_ml", "left_ml", "liver_ml", "expected"),
    [
        (CourseKind.WHOLE_LIVER_SINGLE, 1100.0, 600.0, 1900.0, {"course.whole_liver_at_once"}),
        (CourseKind.SUPERSELECTIVE, 1100.0, 600.0, 1720.0, {"course.whole_liver_at_once"}),
        (CourseKind.SUPERSELECTIVE, 200.0, 100.0, 1400.0, {"course.small_liver"}),
        (CourseKind.SUPERSELECTIVE, 200.0, 100.0, 1500.0, set()),
        (CourseKind.LOBAR_SEQUENTIAL, 1100.0, 600.0, 2000.0, {"course.incomplete"}),
        (CourseKind.SUPERSELECTIVE, 1500.0, 600.0, 2000.0, {"course.whole_liver_at_once", "course.territories_exceed_liver"}),
    ],
)
def test_findings_of_liver_and_kind(kind, right_ml, left_ml, liver_ml, expected):
    both = session(injections=(injection("right", 2.0, right_ml), injection("left", 1.0, left_ml)))
    sums = course_sums(Course(kind, (both,), Measured(liver_ml)))
    assert codes(sums) == expected
    assert all("van Roekel" in f.source for f in sums.findings if f.code in {"course.whole_liver_at_once", "course.small_liver"})


def test_a_missing_volume_is_said_and_not_taken_as_nothing():
    both = session(injections=(injection("right", 2.0, 1000.0), injection("left", 1.0)))
    sums = course_sums(Course(CourseKind.SUPERSELECTIVE, (both,), Measured(2000.0)))
    assert (sums.treated_volume_ml, sums.treated_fraction) == (None, None)
    assert "course.volume_missing" in codes(sums)


def test_courses_that_cannot_be():
    for bad in (
        lambda: Course(LOBAR, ()),
        lambda: Course(LOBAR, (session(), session())),
        lambda: Course(CourseKind.WHOLE_LIVER_SINGLE, (session(), session(NOVEMBER))),
        lambda: Course(LOBAR, (session(),), Measured(0.0)),
        lambda: session(datetime(2026, 10, 7, 10)),
        lambda: Session(OCTOBER, GLASS, ()),
        lambda: session(injections=(injection("r", 1.0), injection("r", 1.0))),
        lambda: session(injections=(injection("r", -1.0),)),
        lambda: session(injections=(injection("r", 1.0, -1.0),)),
        lambda: session(liver=-1.0),
        lambda: session(bed={"liver": -1.0}),
    ):
        with pytest.raises(InvalidValue):
            bad()


@given(st.lists(measurements(), min_size=1, max_size=5))
def test_a_sum_does_not_depend_on_the_order(parts):
    one, other = total(parts), total(reversed(parts))
    assert one.value == pytest.approx(other.value, rel=1e-12)
    assert one.standard_uncertainty == pytest.approx(other.standard_uncertainty, rel=1e-9, abs=1e-12)
    assert one.standard_uncertainty <= math.fsum(part.standard_uncertainty for part in parts) * (1.0 + 1e-9)

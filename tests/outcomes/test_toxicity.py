"""CTCAE laboratory grades at every boundary, against the sheet's rows typed anew, and slips of unit."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.outcomes.toxicity import (
    LABS,
    Grade,
    Lab,
    LabReading,
    grade_v4,
    grade_v5,
    in_canonical_unit,
    shift_from_baseline,
    unit_findings,
)
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, MissingInput

NORMAL_ROWS = {
    "ast": ((1, 3), (3, 5), (5, 20), (20, None)),
    "alt": ((1, 3), (3, 5), (5, 20), (20, None)),
    "alp": ((1, 2.5), (2.5, 5), (5, 20), (20, None)),
    "ggt": ((1, 2.5), (2.5, 5), (5, 20), (20, None)),
    "bilirubin": ((1, 1.5), (1.5, 3), (3, 10), (10, None)),
}
"""Multiples of the upper limit of normal: above the first, up to the second. NCI CTCAE v5.0, Investigations."""
ABNORMAL_FIRST = {"ast": 1.5, "alt": 1.5, "alp": 2.0, "ggt": 2.0}
"""Multiples of an abnormal baseline at which grade 1 begins, this value included; bilirubin: above 1."""
LIMITS = {"ast": 40, "alt": 40, "alp": 120, "ggt": 60, "bilirubin": 20}


def reading(key: str, value: object, limit: object, baseline: object = None, anticoagulated: bool = False) -> LabReading:
    exact = [None if each is None else Fraction(str(each)) for each in (value, limit, baseline)]
    assert exact[0] is not None
    return LabReading(LABS[key], exact[0], exact[1], exact[2], anticoagulated)


def row_of(rows, multiple: Fraction) -> int:
    for grade, (low, high) in enumerate(rows, start=1):
        if multiple > Fraction(str(low)) and (high is None or multiple <= Fraction(str(high))):
            return grade
    return 0


def expected_v5(key: str, value: Fraction, limit: Fraction, baseline: Fraction | None) -> int:
    if baseline is None or baseline <= limit:
        return row_of(NORMAL_ROWS[key], value / limit)
    multiple = value / baseline
    if key in ABNORMAL_FIRST:
        first = Fraction(str(ABNORMAL_FIRST[key]))
        rows = ((first, NORMAL_ROWS[key][0][1]), *NORMAL_ROWS[key][1:])
        return 1 if multiple == first else row_of(rows, multiple)
    return row_of(NORMAL_ROWS[key], multiple)


tests = st.sampled_from(sorted(NORMAL_ROWS))
halves = st.integers(1, 4000).map(lambda n: Fraction(n, 2))


@given(tests, halves, st.one_of(st.none(), halves))
def test_liver_tests_against_the_sheet(key: str, value: Fraction, baseline: Fraction | None):
    limit = Fraction(LIMITS[key])
    given_reading = LabReading(LABS[key], value, limit, baseline)
    assert int(grade_v5(given_reading).category) == expected_v5(key, value, limit, baseline)
    assert int(grade_v4(given_reading).category) == row_of(NORMAL_ROWS[key], value / limit)


@given(st.sampled_from(list(Lab)), halves, halves, st.one_of(st.none(), halves))
def test_worse_values_never_grade_lower(lab: Lab, first: Fraction, second: Fraction, baseline: Fraction | None):
    low, high = sorted((first, second))
    grades = [grade_v5(LabReading(lab, value, Fraction(35), baseline)).category for value in (low, high)]
    assert grades[0] >= grades[1] if lab.value.falls else grades[0] <= grades[1]


@given(tests, halves, halves)
def test_a_normal_baseline_changes_nothing(key: str, value: Fraction, share: Fraction):
    limit = Fraction(LIMITS[key])
    baseline = min(share, limit)
    assert (
        grade_v5(LabReading(LABS[key], value, limit, baseline)).category
        is grade_v4(LabReading(LABS[key], value, limit, None)).category
    )


@given(tests, st.integers(1, 60), st.one_of(st.none(), st.integers(1, 60)))
def test_only_ratios_count(key: str, value: int, baseline: int | None):
    one = reading(key, value, 20, baseline)
    other = reading(key, 7 * value, 140, None if baseline is None else 7 * baseline)
    assert grade_v5(one).category is grade_v5(other).category


@pytest.mark.parametrize(
    ("key", "limit", "values"),
    [
        ("albumin", 35, {35: 0, 34.9: 1, 30: 1, 29.9: 2, 20: 2, 19.9: 3}),
        ("platelets", 150, {150: 0, 149: 1, 75: 1, 74: 2, 50: 2, 49: 3, 25: 3, 24: 4}),
        ("neutrophils", 1.8, {1.8: 0, 1.7: 1, 1.5: 1, 1.4: 2, 1: 2, 0.9: 3, 0.5: 3, 0.4: 4}),
        ("lymphocytes", 1.1, {1.1: 0, 1.0: 1, 0.8: 1, 0.7: 2, 0.5: 2, 0.4: 3, 0.2: 3, 0.1: 4}),
        ("inr", None, {1.2: 0, 1.21: 1, 1.5: 1, 1.51: 2, 2.5: 2, 2.51: 3}),
        ("creatinine", 100, {100: 0, 101: 1, 150: 1, 151: 2, 300: 2, 301: 3, 600: 3, 601: 4}),
    ],
)
def test_other_tests_at_their_boundaries(key: str, limit: object, values: dict[float, int]):
    assert {value: int(grade_v5(reading(key, value, limit)).category) for value in values} == values


def test_creatinine_takes_the_worse_of_limit_and_baseline():
    assert int(grade_v5(reading("creatinine", 95, 100, 60)).category) == 2, "1.58 × baseline, within normal limits"
    assert int(grade_v5(reading("creatinine", 95, 100, 30)).category) == 3, "3.2 × baseline"


def test_inr_on_anticoagulation_counts_from_the_baseline():
    assert int(grade_v5(reading("inr", 2.5, None, 2.5, True)).category) == 0
    assert int(grade_v5(reading("inr", 2.6, None, 2.5, True)).category) == 1
    assert int(grade_v5(reading("inr", 2.6, None, 2.5)).category) == 3
    with pytest.raises(MissingInput):
        reading("inr", 2.6, None, None, True)
    with pytest.raises(InconsistentInput):
        reading("ast", 50, 40, 30, True)


@pytest.mark.parametrize(
    ("value", "baseline", "new", "new_grade"),
    [(64, 15, True, 3), (64, 63, True, 3), (64, 70, False, 0), (21, 21, False, 0), (64, None, None, None)],
)
def test_what_is_new_since_baseline(value: int, baseline: int | None, new: bool | None, new_grade: int | None):
    shift = shift_from_baseline(reading("bilirubin", value, 21, baseline))
    assert shift.is_new is new
    assert (None if shift.new_grade is None else int(shift.new_grade)) == new_grade


def test_an_unknown_baseline_is_said():
    assert "ctcae.no_baseline" in {finding.code for finding in grade_v5(reading("ast", 50, 40)).findings}
    assert "ctcae.no_baseline" not in {finding.code for finding in grade_v5(reading("ast", 50, 40, 30)).findings}


def test_what_was_not_read_in_v4_is_said():
    assert "ctcae.row_not_verified" in {finding.code for finding in grade_v4(reading("inr", 1.5, None)).findings}
    assert "ctcae.row_not_verified" not in {finding.code for finding in grade_v4(reading("ast", 50, 40)).findings}


@pytest.mark.parametrize(
    ("key", "case", "critical"),
    [
        ("bilirubin", (64, 1.2, 30), 1),  # the limit in mg/dL
        ("bilirubin", (1.9, 21, 30), 1),  # the value in mg/dL
        ("bilirubin", (64, 21, 0.8), 1),  # the baseline in mg/dL
        ("bilirubin", (3.7, 1.2, 0.8), 2),  # value plausible either way, limit and baseline not
        ("bilirubin", (64, 21, 30), 0),
        ("albumin", (3.1, 3.5, 4.0), 3),
        ("albumin", (31, 35, 40), 0),
    ],
)
def test_slips_of_unit(key: str, case: tuple[float, float, float], critical: int):
    found = unit_findings(reading(key, *case))
    assert len(found) == critical
    assert {finding.code for finding in found} <= {"ctcae.unit_suspect"}
    assert all("reads like" in finding.message for finding in found)


def test_units():
    assert in_canonical_unit(Lab.BILIRUBIN, Fraction(2), "mg/dL") == Fraction("34.2")
    assert (
        in_canonical_unit(Lab.BILIRUBIN, Fraction(2), "\u00b5mol/L")
        == in_canonical_unit(Lab.BILIRUBIN, Fraction(2), "\u03bcmol/L")
        == 2
    )
    assert in_canonical_unit(Lab.ALBUMIN, Fraction("3.5"), "g/dL") == 35
    assert in_canonical_unit(Lab.CREATININE, Fraction(1), "mg/dL") == Fraction("88.4")
    with pytest.raises(InvalidValue, match="umol/L or mg/dL"):
        in_canonical_unit(Lab.BILIRUBIN, Fraction(2), "g/L")


@pytest.mark.parametrize("case", [(-1, 40, 30), (50, 0, 30), (50, 40, 0)])
def test_values_that_cannot_be(case: tuple[int, int, int]):
    with pytest.raises(InvalidValue):
        reading("ast", *case)


def test_no_limit_no_grade():
    with pytest.raises(MissingInput, match="lower limit"):
        reading("albumin", 30, None)


def test_grade_four_of_albumin_is_clinical():
    answer = grade_v5(reading("albumin", 12, 35))
    assert answer.category is Grade.THREE
    assert "ctcae.grade_4_is_clinical" in {finding.code for finding in answer.findings}


@pytest.mark.parametrize(("key", "first"), [("ast", "1.5"), ("alt", "1.5"), ("alp", "2"), ("ggt", "2"), ("bilirubin", "1")])
def test_the_first_multiple_of_an_abnormal_baseline(key: str, first: str):
    """Enzymes: the first multiple is grade 1 already; bilirubin: only beyond it."""
    limit = LIMITS[key]
    baseline = Fraction(2 * limit)
    at, below = baseline * Fraction(first), baseline * (Fraction(first) - Fraction(1, 1000))
    grades = [int(grade_v5(LabReading(LABS[key], value, Fraction(limit), baseline)).category) for value in (at, below)]
    assert grades == ([0, 0] if key == "bilirubin" else [1, 0])

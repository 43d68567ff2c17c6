"""Published contraindications (van Roekel thesis p. 21, EANM handbook): each threshold from both sides, and what is not known never passes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.radioembolisation.workup.eligibility import CRITERIA, EligibilityFacts, Sense, State, Weight, eligibility
from opensirt.vocabulary.earlier import EarlierSession, EarlierTreatments
from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.findings import Severity
from opensirt.vocabulary.measured import Measured

# Written down from the source a second time: weight, then a value that does not meet the criterion, the threshold, one that does.
PRINTED = {
    "portal_hypertension": (Weight.ABSOLUTE, False, None, True),
    "life_expectancy_months": (Weight.ABSOLUTE, 3.1, 3.0, 2.9),
    "active_hepatitis": (Weight.ABSOLUTE, False, None, True),
    "gastrointestinal_deposition": (Weight.ABSOLUTE, False, None, True),
    "lung_gy": (Weight.ABSOLUTE, Measured(29.9), Measured(30.0), Measured(30.1)),
    "bilirubin_umol_per_l": (Weight.RELATIVE, 34.1, 34.2, 34.3),
    "leukocytes_1e9_per_l": (Weight.RELATIVE, 2.1, 2.0, 1.9),
    "platelets_1e9_per_l": (Weight.RELATIVE, 51.0, 50.0, 49.0),
    "gfr_ml_per_min": (Weight.RELATIVE, 36.0, 35.0, 34.0),
    "inr_ratio": (Weight.RELATIVE, 1.4, 1.5, 1.6),
    "antiangiogenics": (Weight.RELATIVE, False, None, True),
    "systemic_weeks_ago": (Weight.RELATIVE, 5.0, 4.0, 3.5),
    "ast_uln_ratio": (Weight.CAUTION, 4.9, 5.0, 5.1),
    "alt_uln_ratio": (Weight.CAUTION, 4.9, 5.0, 5.1),
}
WELL = EligibilityFacts(earlier=EarlierTreatments(), **{key: row[1] for key, row in PRINTED.items()})
SEVERITIES = {Weight.ABSOLUTE: Severity.CRITICAL, Weight.RELATIVE: Severity.WARNING, Weight.CAUTION: Severity.WARNING}


def states(facts: EligibilityFacts) -> dict[str, State]:
    return {row.criterion.key: row.state for row in eligibility(facts).rows}


def test_every_criterion_of_the_source_is_there_with_weight_and_source():
    assert {c.key: c.weight for c in CRITERIA} == {key: row[0] for key, row in PRINTED.items()} | {
        "lung_cumulative_gy": Weight.ABSOLUTE
    }
    assert all(c.source for c in CRITERIA)


def test_a_patient_whom_nothing_speaks_against():
    found = eligibility(WELL)
    assert set(states(WELL).values()) == {State.NOT_MET}
    assert found.findings == ()
    assert all(row.stated for row in found.rows)


@pytest.mark.parametrize("key", PRINTED)
def test_each_threshold_from_both_sides(key):
    weight, fine, edge, met = PRINTED[key]
    assert states(replace(WELL, **{key: fine}))[key] is State.NOT_MET
    assert states(replace(WELL, **{key: met}))[key] is State.MET
    if edge is not None:
        assert states(replace(WELL, **{key: edge}))[key] is State.NOT_MET
    told = [finding for finding in eligibility(replace(WELL, **{key: met})).findings if finding.code == f"eligibility.{key}"]
    assert [finding.severity for finding in told] == [SEVERITIES[weight]]
    assert told[0].source


@pytest.mark.parametrize("key", PRINTED)
def test_what_is_not_known_is_neither_met_nor_passed(key):
    facts = replace(WELL, **{key: None})
    found = eligibility(facts)
    assert states(facts)[key] is State.NOT_KNOWN
    name = next(c.name for c in CRITERIA if c.key == key)
    told = [finding for finding in found.findings if finding.code.startswith("eligibility.not_known")]
    assert any(name in finding.message for finding in told)
    if PRINTED[key][0] is Weight.ABSOLUTE:
        assert Severity.WARNING in {finding.severity for finding in told}


def test_of_a_patient_of_whom_nothing_is_known_nothing_passes():
    assert set(states(EligibilityFacts()).values()) == {State.NOT_KNOWN}
    assert len([f for f in eligibility(EligibilityFacts()).findings if f.code.startswith("eligibility.not_known")]) == len(Weight)


@given(facts=st.dictionaries(st.sampled_from(sorted(PRINTED)), st.integers(1, 3)), earlier=st.booleans())
def test_a_criterion_passes_only_where_its_fact_is_stated(facts, earlier):
    stated = {key: PRINTED[key][index] for key, index in facts.items() if PRINTED[key][index] is not None}
    found = states(EligibilityFacts(earlier=EarlierTreatments() if earlier else None, **stated))
    for key in PRINTED:
        assert (found[key] is State.NOT_KNOWN) == (key not in stated)


@pytest.mark.parametrize(
    ("now", "before", "state"),
    [
        (20.0, (20.0,), State.NOT_MET),
        (20.0, (20.0, 10.0), State.NOT_MET),  # exactly 50
        (20.0, (20.0, 10.1), State.MET),
        (20.0, (20.0, None), State.NOT_KNOWN),
        (20.0, (31.0, None), State.MET),  # what is known is more already
        (None, (20.0,), State.NOT_KNOWN),
        (None, (51.0,), State.MET),
        (20.0, None, State.NOT_KNOWN),
        (51.0, None, State.MET),
        (None, None, State.NOT_KNOWN),
    ],
)
def test_lung_dose_over_all_treatments(now, before, state):
    earlier = (
        None if before is None else EarlierTreatments(tuple(EarlierSession(f"s{n}", lung_gy=gy) for n, gy in enumerate(before)))
    )
    facts = replace(WELL, lung_gy=None if now is None else Measured(now), earlier=earlier)
    assert states(facts)["lung_cumulative_gy"] is state


def test_a_lung_dose_whose_interval_crosses_the_limit_is_said():
    # 26 Gy, standard uncertainty 4 Gy: log-normal 90 % up to 33.4 Gy
    found = eligibility(replace(WELL, lung_gy=Measured(26.0, {"lung_shunt": 4.0})))
    assert [finding.code for finding in found.findings] == ["eligibility.lung_interval"]
    assert eligibility(replace(WELL, lung_gy=Measured(20.0, {"lung_shunt": 2.0}))).findings == ()


def test_bilirubin_of_two_milligrams_is_on_the_threshold():
    assert states(replace(WELL, bilirubin_umol_per_l=2.0 * 17.1))["bilirubin_umol_per_l"] is State.NOT_MET


def test_somebody_who_never_had_systemic_therapy():
    found = next(
        row for row in eligibility(replace(WELL, systemic_weeks_ago=math.inf)).rows if row.criterion.key == "systemic_weeks_ago"
    )
    assert (found.state, found.stated) == (State.NOT_MET, "never")


@pytest.mark.parametrize("key", [c.key for c in CRITERIA if c.sense is not Sense.PRESENT and c.key in PRINTED])
@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_numbers_that_cannot_be_are_refused(key, bad):
    if key == "systemic_weeks_ago" and bad == math.inf:
        return
    with pytest.raises(InvalidValue):
        EligibilityFacts(**{key: Measured(bad) if key == "lung_gy" else bad})

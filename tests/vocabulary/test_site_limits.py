"""What a site states in place of published limits: it stands, it is seen, it never turns the order of the reserve around."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.earlier import EarlierSession, EarlierTreatments
from opensirt.vocabulary.errors import InconsistentInput, InvalidValue, PlanInfeasible
from opensirt.vocabulary.limit_data import Role
from opensirt.vocabulary.limits import rules_for, rules_with
from opensirt.vocabulary.provenance import Mark
from opensirt.vocabulary.reserve import PatientReserve
from opensirt.vocabulary.site_limits import Basis, LimitAddition, LimitChange, SiteLimits

DAY = date(2026, 5, 4)
LIVER, TUMOUR, LUNGS = StructureKind.NORMAL_LIVER, StructureKind.TUMOUR, StructureKind.LUNGS
LOW = "glass.normal_liver.bilirubin_low"
HIGH = "glass.normal_liver.bilirubin_high"


def change(key: str, gy: float, basis: Basis = Basis.SITE) -> LimitChange:
    return LimitChange(key, gy, "own series of 40 patients", "Dr Example", DAY, basis)


def codes(found) -> list[str]:
    return [finding.code for finding in found.findings]


def test_a_replaced_value_stands_and_the_published_one_stays_visible():
    found = rules_with(rules_for("glass", "HCC", "bilirubin-low"), SiteLimits("Exampleton", (change(LOW, 70.0),)))
    rule = next(rule for rule in found.rules if rule.volume is LIVER)
    assert (rule.value_gy, rule.mark, rule.key) == (70.0, Mark.ASSUMED, LOW)
    assert rule.source == "site Exampleton: Dr Example, 2026-05-04: own series of 40 patients"
    told = [finding for finding in found.findings if finding.code == "limits.replaced_by_site"]
    assert len(told) == 1
    assert all(part in told[0].message for part in ("70 Gy", "90 Gy", "Dr Example", "own series"))
    assert "EANM" in told[0].source


def test_what_stands_by_analogy_is_not_said_of_a_site_s_own_value():
    published = rules_for("glass", "NET", "bilirubin-low")
    assert "limits.by_analogy" in codes(published)
    assert "limits.by_analogy" not in codes(rules_with(published, SiteLimits("Exampleton", (change(LOW, 70.0),))))


def test_a_person_goes_before_the_site():
    both = SiteLimits("Exampleton", (change(LOW, 70.0), change(LOW, 80.0, Basis.PERSON)))
    found = rules_with(rules_for("glass", "HCC", "bilirubin-low"), both)
    assert found.permitted_gy(LIVER) == 80.0
    assert "limits.replaced_by_person" in codes(found)


def test_a_site_may_state_the_target_that_no_source_has():
    found = rules_with(rules_for("glass", "NET", "bilirubin-high"), SiteLimits("Exampleton", (change("glass.tumour.NET", 150.0),)))
    assert [rule.value_gy for rule in found.rules if rule.volume is TUMOUR] == [150.0]
    assert "glass.tumour.NET" not in {each.key for each in found.absent}
    assert "limits.no_target" not in codes(found)
    assert "no source found" in next(f.message for f in found.findings if f.code == "limits.replaced_by_site")


def test_an_addition_stands_where_it_was_said_to():
    added = LimitAddition(
        "x.liver",
        "normal liver, our own",
        Role.LIMIT,
        LIVER,
        35.0,
        "local audit",
        "Dr Example",
        DAY,
        "resin",
        ("NET",),
        ("lobectomy",),
    )
    site = SiteLimits("Exampleton", (), (added,))
    found = rules_with(rules_for("resin", "NET", "lobectomy"), site)
    assert found.permitted_gy(LIVER) == 35.0
    assert "limits.no_liver_limit" not in codes(found)
    assert "limits.added_by_site" in codes(found)
    for case in (("resin", "HCC", "lobectomy"), ("resin", "NET", "unilobar"), ("glass", "NET", "lobectomy")):
        assert rules_with(rules_for(*case), site) == rules_for(*case)


def test_nothing_stated_changes_nothing():
    for case in (("glass", "HCC", "unilobar"), ("resin", "NET", "segmentectomy"), ("ho166", "mCRC", "")):
        assert rules_with(rules_for(*case), SiteLimits()) == rules_for(*case)


def test_a_site_cannot_allow_more_to_a_lower_reserve():
    with pytest.raises(InconsistentInput, match="lower hepatic reserve"):
        rules_with(rules_for("glass", "HCC", "unilobar"), SiteLimits("Exampleton", (change(HIGH, 95.0),)))
    both = SiteLimits("Exampleton", (change(HIGH, 95.0), change(LOW, 120.0)))
    assert rules_with(rules_for("glass", "HCC", "unilobar"), both).permitted_gy(LIVER) == 95.0


@given(
    high=st.floats(1.0, 300.0),
    low=st.floats(1.0, 300.0),
    bilirubin=st.tuples(st.floats(0.2, 5.0), st.floats(0.2, 5.0)),
    setting=st.sampled_from(["unilobar", "bilobar", "bilirubin-low", "lobectomy", ""]),
)
def test_with_a_site_s_values_too_a_lower_reserve_is_allowed_no_more(high, low, bilirubin, setting):
    site = SiteLimits("Exampleton", (change(HIGH, high), change(LOW, low)))

    def permitted(mg_dl: float) -> float:
        reserve = PatientReserve(mg_dl, pretreated=False)
        return rules_for("glass", "NET", setting, reserve=reserve, site=site).permitted_gy(LIVER)

    if high > low:
        with pytest.raises(InconsistentInput):
            permitted(bilirubin[0])
    else:
        assert permitted(max(bilirubin)) <= permitted(min(bilirubin))


def test_a_person_may_open_a_cumulative_limit_that_is_used_up():
    earlier = EarlierTreatments((EarlierSession("first", lung_gy=51.0),))
    with pytest.raises(PlanInfeasible):
        rules_for("glass", "NET", "bilirubin-high", earlier=earlier)
    person = SiteLimits("", (change("lung.cumulative", 60.0, Basis.PERSON),))
    found = rules_for("glass", "NET", "bilirubin-high", earlier=earlier, site=person)
    assert found.permitted_gy(LUNGS) == pytest.approx(9.0)
    assert "limits.replaced_by_person" in codes(found)


def test_a_site_s_cumulative_limit_on_the_liver_counts_what_was_given():
    earlier = EarlierTreatments((EarlierSession("first", lung_gy=2.0, normal_liver_gy=25.0),))
    site = SiteLimits("Exampleton", (change("normal_liver.cumulative", 70.0),))
    found = rules_for("ho166", "NET", "bilobar-good-function", earlier=earlier, site=site)
    assert found.permitted_gy(LIVER) == pytest.approx(45.0)
    assert rules_for("ho166", "NET", "bilobar-good-function", site=site).permitted_gy(LIVER) == 60.0


@pytest.mark.parametrize(
    ("gy", "reason", "by"), [(0.0, "why", "who"), (float("inf"), "why", "who"), (50.0, " ", "who"), (50.0, "why", "")]
)
def test_nobody_changes_a_limit_without_dose_reason_and_name(gy, reason, by):
    with pytest.raises(InvalidValue):
        LimitChange(LOW, gy, reason, by, DAY)
    with pytest.raises(InvalidValue):
        LimitAddition("x", "x", Role.LIMIT, LIVER, gy, reason, by, DAY)


@pytest.mark.parametrize(
    ("gy", "says"),
    [(45.0, "stricter than the published value"), (50.0, "it is the published value"), (55.0, "no longer kept")],
)
def test_a_replaced_limit_says_truly_what_becomes_of_the_published_one(gy, says):
    site = SiteLimits("Exampleton", (change("glass.normal_liver.bilirubin_high", gy),))
    found = rules_with(rules_for("glass", "HCC", "bilirubin-high"), site)
    assert says in next(f.message for f in found.findings if f.code == "limits.replaced_by_site")

"""Limits and targets against the printed tables (EANM 2022, Tables 2 to 4): every cell, no value where no source has one, and the one promise
that matters: a lower hepatic reserve never raises a permitted dose."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.earlier import EarlierSession, EarlierTreatments
from opensirt.vocabulary.errors import InvalidValue, PlanInfeasible, UnsupportedInput
from opensirt.vocabulary.findings import Severity
from opensirt.vocabulary.limits import (
    INDICATIONS,
    LIMITS_DATE,
    LIMITS_VERSION,
    LUNG_CUMULATIVE_GY,
    LUNG_SINGLE,
    SETTINGS,
    TARGETS,
    Role,
    RuleSet,
    rules_for,
    with_earlier,
)
from opensirt.vocabulary.reserve import NOTHING_STATED, PatientReserve

LUNGS, LIVER, PERFUSED = StructureKind.LUNGS, StructureKind.NORMAL_LIVER, StructureKind.PERFUSED_NORMAL_LIVER
TERRITORY, TUMOUR = StructureKind.TERRITORY, StructureKind.TUMOUR
BEST = PatientReserve(0.5, pretreated=False, good_function=True, reserve_fraction=0.6, child_pugh="A", albi_grade=1)
WORST = PatientReserve(3.5, pretreated=True, good_function=False, reserve_fraction=0.1, child_pugh="C", albi_grade=3)
ANY = INDICATIONS

# The tables, written down here a second time from the printed cells: product, setting, indications, reserve → volume, role, Gy.
PRINTED = (
    # lungs: 30 Gy per treatment (van Roekel p. 21, 30, 41)
    *((product, setting, ANY, WORST, LUNGS, Role.LIMIT, 30.0) for product in SETTINGS for setting in SETTINGS[product]),
    # glass, Table 2
    ("glass", "segmentectomy", ("HCC",), BEST, TERRITORY, Role.TARGET, 400.0),
    ("glass", "lobectomy", ("HCC",), BEST, TERRITORY, Role.TARGET, 150.0),
    ("glass", "lobectomy", ("HCC",), BEST, PERFUSED, Role.TARGET, 88.0),
    ("glass", "bilobar", ANY, BEST, LIVER, Role.LIMIT, 90.0),
    ("glass", "bilobar", ANY, WORST, LIVER, Role.LIMIT, 50.0),
    ("glass", "unilobar", ANY, BEST, LIVER, Role.LIMIT, 90.0),
    ("glass", "unilobar", ANY, WORST, LIVER, Role.LIMIT, 50.0),
    ("glass", "bilirubin-low", ANY, NOTHING_STATED, LIVER, Role.LIMIT, 90.0),
    ("glass", "bilirubin-high", ANY, BEST, LIVER, Role.LIMIT, 50.0),
    *(("glass", setting, ("HCC",), WORST, TUMOUR, Role.TARGET, 205.0) for setting in SETTINGS["glass"]),
    *(("glass", setting, ("ICC",), WORST, TUMOUR, Role.TARGET, 260.0) for setting in SETTINGS["glass"]),
    *(("glass", setting, ("mCRC",), WORST, TUMOUR, Role.TARGET, 189.0) for setting in SETTINGS["glass"]),
    # resin, Table 3 and Levillain
    ("resin", "segmentectomy", ANY, WORST, TERRITORY, Role.TARGET, 150.0),
    ("resin", "lobectomy", ANY, BEST, PERFUSED, Role.TARGET, 70.0),
    ("resin", "unilobar", ANY, WORST, LIVER, Role.LIMIT, 40.0),
    ("resin", "bilobar", ANY, BEST, LIVER, Role.LIMIT, 40.0),
    ("resin", "bilobar", ANY, WORST, LIVER, Role.LIMIT, 30.0),
    ("resin", "bilobar-pretreated", ANY, BEST, LIVER, Role.LIMIT, 30.0),
    ("resin", "bilobar-good-function", ANY, NOTHING_STATED, LIVER, Role.LIMIT, 40.0),
    *(("resin", setting, ("HCC", "ICC", "mCRC"), BEST, TUMOUR, Role.TARGET, 100.0) for setting in SETTINGS["resin"]),
    # Ho-166, Table 4
    *(("ho166", setting, ANY, BEST, TERRITORY, Role.LIMIT, 60.0) for setting in SETTINGS["ho166"]),
    ("ho166", "lobectomy", ANY, WORST, LIVER, Role.LIMIT, 60.0),
    ("ho166", "unilobar", ANY, WORST, LIVER, Role.LIMIT, 60.0),
    ("ho166", "bilobar", ANY, WORST, LIVER, Role.LIMIT, 40.0),
    ("ho166", "bilobar", ANY, BEST, LIVER, Role.LIMIT, 60.0),
    ("ho166", "bilobar-good-function", ANY, NOTHING_STATED, LIVER, Role.LIMIT, 60.0),
    *(("ho166", setting, ("ICC",), WORST, TUMOUR, Role.TARGET, 150.0) for setting in SETTINGS["ho166"]),
    *(("ho166", setting, ("mCRC",), WORST, TUMOUR, Role.TARGET, 90.0) for setting in SETTINGS["ho166"]),
)
PRINTED_TARGETS = {
    ("glass", "HCC"): 205.0, ("glass", "ICC"): 260.0, ("glass", "mCRC"): 189.0,
    ("resin", "HCC"): 100.0, ("resin", "ICC"): 100.0, ("resin", "mCRC"): 100.0,
    ("ho166", "ICC"): 150.0, ("ho166", "mCRC"): 90.0,
}  # fmt: skip
CASES = [
    (product, indication, setting) for product, names in SETTINGS.items() for setting in ("", *names) for indication in INDICATIONS
]
# By (product, setting, indication): volumes on which a cell has no value.
NO_VALUE = {
    ("glass", "unilobar", "HCC"): {"glass.normal_liver.unilobar", "glass.perfused_normal_liver.low_reserve"},
    ("glass", "unilobar", "mCRC"): {"glass.normal_liver.unilobar"},
    ("glass", "unilobar", "NET"): {"glass.normal_liver.unilobar", "glass.tumour.NET"},
    ("glass", "segmentectomy", "mCRC"): {"glass.perfused.segmentectomy.metastases"},
    ("glass", "lobectomy", "ICC"): {"glass.perfused.lobectomy.metastases"},
    ("resin", "lobectomy", "mCRC"): {"resin.normal_liver.ablative"},
    ("resin", "segmentectomy", "HCC"): {"resin.normal_liver.ablative"},
    ("resin", "bilobar", "NET"): {"resin.tumour.NET"},
    ("ho166", "segmentectomy", "HCC"): {"ho166.normal_liver.segmentectomy", "ho166.tumour.HCC"},
    ("ho166", "bilobar", "NET"): {"ho166.tumour.NET"},
    ("resin", "unilobar", "ICC"): set(),
}
ALWAYS_WITHOUT_VALUE = {"normal_liver.cumulative", "normal_liver.prrt"}


def codes(found: RuleSet) -> list[str]:
    return [finding.code for finding in found.findings]


@pytest.mark.parametrize(("product", "setting", "indications", "reserve", "volume", "role", "gy"), PRINTED)
def test_every_printed_cell(product, setting, indications, reserve, volume, role, gy):
    for indication in INDICATIONS:
        found = rules_for(product, indication, setting, reserve=reserve)
        values = [rule.value_gy for rule in found.rules if rule.volume is volume and rule.role is role]
        if indication in indications:
            assert values == [gy]


def test_no_rule_stands_that_no_cell_has():
    printed = {
        (product, setting, indication, volume, role, gy)
        for product, setting, indications, _, volume, role, gy in PRINTED
        for indication in indications
    }
    # the whole normal liver where a value stands by analogy: another extent than the one it was stated for
    analogies = {("glass", s, 90.0) for s in ("segmentectomy", "lobectomy", "whole-liver")}
    analogies |= {("glass", s, 50.0) for s in ("segmentectomy", "lobectomy", "whole-liver", "bilirubin-low")}
    analogies |= {("resin", "whole-liver", 40.0), ("resin", "whole-liver", 30.0), ("resin", "bilobar-good-function", 30.0)}
    analogies |= {("ho166", "whole-liver", 40.0), ("ho166", "whole-liver", 60.0), ("ho166", "bilobar-good-function", 40.0)}
    for product, indication, setting in CASES:
        for reserve in (BEST, WORST, NOTHING_STATED):
            for rule in rules_for(product, indication, setting, reserve=reserve).rules if setting else ():
                cell = (product, setting, indication, rule.volume, rule.role, rule.value_gy)
                assert cell in printed or (rule.volume is LIVER and (product, setting, rule.value_gy) in analogies), rule.key


def test_ranges_that_the_sources_print():
    hcc = rules_for("glass", "HCC", "unilobar")
    shown = {rule.key: rule for rule in hcc.shown}
    assert shown["glass.perfused.single_compartment"].aim_gy == (80.0, 150.0)
    assert shown["lung.cumulative"].value_gy == 50.0 == LUNG_CUMULATIVE_GY
    assert TARGETS[("glass", "HCC")].aim_gy == (250.0, 300.0)
    assert TARGETS[("resin", "ICC")].aim_gy == TARGETS[("resin", "HCC")].aim_gy == (100.0, 120.0)
    assert {rule.key: rule.aim_gy for rule in rules_for("resin", "mCRC", "unilobar").shown}["resin.tumour.mCRC.metabolic"] == (
        40.0,
        60.0,
    )


def test_targets_are_the_printed_ones():
    assert {key: rule.value_gy for key, rule in TARGETS.items()} == PRINTED_TARGETS


@pytest.mark.parametrize(("cell", "expected"), NO_VALUE.items(), ids=["-".join(cell) for cell in NO_VALUE])
def test_what_no_source_has_is_absent_and_says_why(cell, expected):
    product, setting, indication = cell
    found = rules_for(product, indication, setting)
    assert {each.key for each in found.absent} == expected | ALWAYS_WITHOUT_VALUE
    assert all(each.reason and each.source for each in found.absent)
    assert not {rule.key for rule in found.rules} & {each.key for each in found.absent}
    assert ("limits.cell_not_read" in codes(found)) == any("unilobar" in key and "glass" in key for key in expected)


@pytest.mark.parametrize(("product", "indication", "setting"), CASES)
def test_every_rule_has_a_source_and_lungs_come_first(product, indication, setting):
    found = rules_for(product, indication, setting)
    assert found.rules[0] == LUNG_SINGLE
    assert all(rule.source and rule.key for rule in (*found.rules, *found.shown))
    assert (found.version, found.date) == (LIMITS_VERSION, LIMITS_DATE)
    assert LIMITS_VERSION and len(LIMITS_DATE.split("-")) == 3


@pytest.mark.parametrize(("product", "indication", "setting"), CASES)
def test_no_target_is_invented_for_neuroendocrine_tumours(product, indication, setting):
    found = rules_for(product, indication, setting, reserve=BEST)
    has_target = any(rule.role is Role.TARGET and rule.volume is TUMOUR for rule in (*found.rules, *found.shown))
    assert has_target == ((product, indication) in PRINTED_TARGETS)
    assert ("limits.no_target" in codes(found)) == (not has_target)


@pytest.mark.parametrize(("product", "setting"), [("resin", "lobectomy"), ("resin", "segmentectomy"), ("ho166", "segmentectomy")])
def test_a_liver_without_limit_is_critical(product, setting):
    found = rules_for(product, "NET", setting, reserve=BEST)
    assert math.isinf(found.permitted_gy(LIVER))
    assert [f.severity for f in found.findings if f.code == "limits.no_liver_limit"] == [Severity.CRITICAL]


@pytest.mark.parametrize("indication", ["NET", "ICC", "mCRC"])
def test_a_limit_found_in_another_indication_stands_by_analogy(indication):
    assert codes(rules_for("glass", indication, "bilirubin-low")).count("limits.by_analogy") == 1
    assert "limits.by_analogy" not in codes(rules_for("glass", "HCC", "bilirubin-low"))


@pytest.mark.parametrize(("product", "setting"), [("glass", "lobectomy"), ("glass", "whole-liver"), ("resin", "whole-liver")])
def test_a_limit_found_in_another_setting_stands_by_analogy(product, setting):
    assert "limits.other_setting" in codes(rules_for(product, "HCC", setting))
    assert "limits.other_setting" not in codes(rules_for(product, "HCC", "bilobar"))


@pytest.mark.parametrize(("product", "strictest"), [("glass", 50.0), ("resin", 30.0), ("ho166", 40.0)])
def test_without_a_setting_the_strictest_stands_and_is_said(product, strictest):
    for reserve in (NOTHING_STATED, WORST):
        found = rules_for(product, "mCRC", "", reserve=reserve)
        assert found.permitted_gy(LIVER) == strictest
        assert "limits.setting_not_stated" in codes(found)


@pytest.mark.parametrize(("product", "gy"), [("glass", 90.0), ("resin", 40.0), ("ho166", 60.0)])
def test_without_a_setting_facts_choose_as_if_the_strictest_extent_had_been_stated(product, gy):
    good = PatientReserve(0.7, pretreated=False, good_function=True)
    earlier = EarlierTreatments((EarlierSession("first", lung_gy=1.0),))
    for reserve in (good, NOTHING_STATED, WORST):
        unsaid, said = (
            rules_for(product, "HCC", setting, reserve=reserve, earlier=EarlierTreatments()) for setting in ("", "bilobar")
        )
        assert unsaid.rules == said.rules
    found = rules_for(product, "HCC", "", reserve=good, earlier=EarlierTreatments())
    assert found.permitted_gy(LIVER) == gy
    told = next(f.message for f in found.findings if f.code == "limits.setting_not_stated")
    assert "'bilobar'" in told and f"{gy:g} Gy" in told and "limits.reserve_low" not in codes(found)
    if product != "ho166":  # its table asks for a good function alone
        kept_down = rules_for(product, "HCC", "", reserve=good, earlier=earlier)
        assert kept_down.permitted_gy(LIVER) < gy
        assert any("treated before" in f.message for f in kept_down.findings if f.code == "limits.reserve_low")
        assert all("above 1.1" not in rule.name and "pretreated" not in rule.name for rule in kept_down.rules)


@pytest.mark.parametrize(
    ("product", "setting", "reserve", "gy", "code"),
    [
        ("glass", "unilobar", PatientReserve(1.0, pretreated=False), 90.0, None),
        ("glass", "unilobar", PatientReserve(1.1, pretreated=False), 50.0, "limits.reserve_low"),  # neither below nor above: the stricter
        ("glass", "unilobar", PatientReserve(18.81 / 17.1, pretreated=False), 50.0, "limits.reserve_low"),  # 1.1 by conversion
        ("glass", "unilobar", PatientReserve(1.099, pretreated=False), 90.0, None),
        ("glass", "unilobar", PatientReserve(1.0), 50.0, "limits.reserve_not_stated"),
        ("glass", "unilobar", PatientReserve(pretreated=False), 50.0, "limits.reserve_not_stated"),
        ("glass", "unilobar", PatientReserve(1.0, pretreated=True), 50.0, "limits.reserve_low"),
        ("glass", "bilirubin-low", PatientReserve(2.5), 50.0, "limits.reserve_contradicts_setting"),
        ("glass", "bilirubin-low", PatientReserve(pretreated=True), 50.0, "limits.reserve_contradicts_setting"),
        ("resin", "bilobar", NOTHING_STATED, 30.0, "limits.reserve_not_stated"),
        ("resin", "bilobar", PatientReserve(pretreated=False, good_function=True), 40.0, None),
        ("resin", "bilobar", PatientReserve(pretreated=False, good_function=False), 30.0, "limits.reserve_low"),
        ("resin", "bilobar", PatientReserve(pretreated=False, good_function=True, child_pugh="B"), 30.0, "limits.reserve_low"),
        ("ho166", "bilobar", PatientReserve(good_function=True), 60.0, None),
        ("ho166", "bilobar", PatientReserve(good_function=True, albi_grade=3), 40.0, "limits.reserve_low"),
        ("ho166", "bilobar", PatientReserve(2.1, good_function=True), 40.0, "limits.reserve_low"),
        ("ho166", "bilobar", PatientReserve(2.0, good_function=True), 60.0, None),
        ("ho166", "bilobar", PatientReserve(child_pugh="A", albi_grade=1), 40.0, "limits.reserve_not_stated"),
    ],
)  # fmt: skip
def test_facts_choose_the_limit(product, setting, reserve, gy, code):
    found = rules_for(product, "NET", setting, reserve=reserve)
    assert found.permitted_gy(LIVER) == gy
    told = [each for each in codes(found) if each.startswith("limits.reserve")]
    assert told == ([code] if code else [])


def test_a_lobectomy_target_needs_the_reserve():
    for fraction, stands in ((0.31, True), (0.30, False), (None, False), (0.0, False)):
        found = rules_for("resin", "mCRC", "lobectomy", reserve=PatientReserve(reserve_fraction=fraction))
        assert any(rule.volume is PERFUSED for rule in found.rules) == stands


# --- the promise ------------------------------------------------------------------------------------------------------------------------

BILIRUBIN = st.one_of(st.floats(0.1, 40.0), st.sampled_from([1.1, 1.0999999, 1.1000001, 2.0, 2.0000001, 18.81 / 17.1]))
FACTS = {
    "bilirubin_mg_per_dl": (BILIRUBIN, lambda a, b: max(a, b)),
    "pretreated": (st.booleans(), lambda a, b: a or b),
    "good_function": (st.booleans(), lambda a, b: a and b),
    "reserve_fraction": (st.floats(0.0, 1.0), lambda a, b: min(a, b)),
    "child_pugh": (st.sampled_from("ABC"), lambda a, b: max(a, b)),
    "albi_grade": (st.sampled_from((1, 2, 3)), lambda a, b: max(a, b)),
}


@st.composite
def worse_and_better(draw) -> tuple[PatientReserve, PatientReserve]:
    """Two reserves with the same facts missing, the first as bad as the second or worse in every fact."""
    better, worse = {}, {}
    for fact, (values, worst) in FACTS.items():
        if draw(st.booleans()):
            better[fact] = draw(values)
            worse[fact] = worst(better[fact], draw(values))
    return PatientReserve(**worse), PatientReserve(**better)


def doses(found: RuleSet, role: Role) -> dict[StructureKind, float]:
    """Lowest limit, or highest target, on each volume; no limit permits anything, no target asks for nothing."""
    volumes = (LUNGS, LIVER, PERFUSED, TERRITORY, TUMOUR)
    if role is Role.LIMIT:
        return {volume: found.permitted_gy(volume) for volume in volumes}
    return {v: max((r.value_gy for r in found.rules if r.role is role and r.volume is v), default=0.0) for v in volumes}


def no_higher(low: RuleSet, high: RuleSet) -> bool:
    return all(doses(low, role)[volume] <= dose for role in Role for volume, dose in doses(high, role).items())


@settings(max_examples=1500, deadline=None)
@given(case=st.sampled_from(CASES), pair=worse_and_better())
def test_a_lower_hepatic_reserve_never_raises_a_permitted_dose(case, pair):
    worse, better = pair
    product, indication, setting = case
    assert no_higher(
        rules_for(product, indication, setting, reserve=worse), rules_for(product, indication, setting, reserve=better)
    )


@settings(max_examples=500, deadline=None)
@given(case=st.sampled_from(CASES), known=st.sets(st.sampled_from(sorted(FACTS))), fewer=st.sets(st.sampled_from(sorted(FACTS))))
def test_what_is_not_stated_permits_no_more_than_the_best_that_could_be(case, known, fewer):
    product, indication, setting = case
    best = {fact: getattr(BEST, fact) for fact in known}
    less = {fact: value for fact, value in best.items() if fact not in fewer}
    found = rules_for(product, indication, setting, reserve=PatientReserve(**less))
    assert no_higher(found, rules_for(product, indication, setting, reserve=PatientReserve(**best)))


@pytest.mark.parametrize(("product", "indication", "setting"), CASES)
def test_nothing_stated_is_the_strictest_where_the_setting_states_nothing(product, indication, setting):
    silent = rules_for(product, indication, setting)
    if setting not in ("bilirubin-low", "bilobar-good-function"):
        assert doses(silent, Role.LIMIT) == doses(rules_for(product, indication, setting, reserve=WORST), Role.LIMIT)
    if setting in ("bilirubin-high", "bilobar-pretreated"):  # their names state a poor reserve
        return
    unsaid = rules_for(product, indication, "", reserve=BEST).permitted_gy(LIVER)
    assert unsaid <= rules_for(product, indication, setting, reserve=BEST).permitted_gy(LIVER)


@pytest.mark.parametrize("fact", ["bilirubin_mg_per_dl", "pretreated", "good_function", "child_pugh", "albi_grade"])
def test_each_fact_is_read(fact):
    """The property would hold of a function that reads nothing: each fact, made worst, lowers something somewhere."""
    worse = replace(BEST, **{fact: getattr(WORST, fact)})
    assert any(
        doses(rules_for(p, i, s, reserve=worse), Role.LIMIT)[LIVER] < doses(rules_for(p, i, s, reserve=BEST), Role.LIMIT)[LIVER]
        for p, i, s in CASES
    )


# --- earlier treatments -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("earlier_gy", "left_gy"), [((12.0,), 38.0), ((12.0, 13.5), 24.5), ((0.0,), 50.0), ((49.0,), 1.0)])
def test_what_earlier_treatments_left_of_fifty_gray_is_a_limit(earlier_gy, left_gy):
    earlier = EarlierTreatments(tuple(EarlierSession(f"s{n}", lung_gy=gy) for n, gy in enumerate(earlier_gy)))
    found = rules_for("glass", "NET", "bilirubin-high", earlier=earlier)
    lungs = [rule.value_gy for rule in found.rules if rule.volume is LUNGS]
    assert lungs == [30.0, pytest.approx(left_gy, rel=1e-12)]
    assert found.permitted_gy(LUNGS) == pytest.approx(min(30.0, left_gy), rel=1e-12)
    assert "limits.earlier_not_stated" not in codes(found)


def test_nothing_left_of_the_lung_limit_is_an_error():
    earlier = EarlierTreatments((EarlierSession("first", lung_gy=28.0), EarlierSession("second", lung_gy=22.0)))
    with pytest.raises(PlanInfeasible, match="50 Gy of 50 Gy"):
        rules_for("glass", "NET", "", earlier=earlier)


def test_an_earlier_lung_dose_that_is_not_known_is_never_zero():
    earlier = EarlierTreatments((EarlierSession("first", lung_gy=8.0), EarlierSession("second")))
    found = rules_for("resin", "NET", "bilobar", earlier=earlier)
    assert [f.severity for f in found.findings if f.code == "limits.earlier_not_known"] == [Severity.CRITICAL]
    assert found.permitted_gy(LUNGS) == 30.0


def test_earlier_treatments_that_nobody_stated_are_said_to_be_unchecked():
    assert "limits.earlier_not_stated" in codes(rules_for("glass", "NET", "bilirubin-high"))
    none = rules_for("glass", "NET", "bilirubin-high", earlier=EarlierTreatments())
    assert "limits.earlier_not_stated" not in codes(none)
    assert [rule.value_gy for rule in none.rules if rule.volume is LUNGS] == [30.0]


def test_an_earlier_session_is_pretreatment_whatever_was_stated():
    earlier = EarlierTreatments((EarlierSession("first", lung_gy=1.0),))
    assert rules_for("glass", "HCC", "unilobar", reserve=BEST, earlier=earlier).permitted_gy(LIVER) == 50.0
    assert rules_for("glass", "HCC", "unilobar", reserve=BEST, earlier=EarlierTreatments()).permitted_gy(LIVER) == 90.0


def test_the_normal_liver_has_no_cumulative_limit():
    earlier = EarlierTreatments((EarlierSession("first", lung_gy=1.0, normal_liver_gy=80.0),), prrt_gbq=29.6)
    found = rules_for("glass", "NET", "bilirubin-high", earlier=earlier)
    assert [rule.value_gy for rule in found.rules if rule.volume is LIVER] == [50.0]
    assert ALWAYS_WITHOUT_VALUE <= {each.key for each in found.absent}


def test_earlier_treatments_do_nothing_to_rules_without_a_cumulative_limit():
    bare = RuleSet((LUNG_SINGLE,), ())
    assert with_earlier(bare, None) == bare


# --- bad input --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("product", "indication", "setting"),
    [("gold", "NET", ""), ("glass", "melanoma", ""), ("resin", "NET", "bilirubin-low"), ("glass", "NET", "bilobar-good-function")],
)
def test_what_is_not_known_is_refused(product, indication, setting):
    with pytest.raises(UnsupportedInput):
        rules_for(product, indication, setting)


@pytest.mark.parametrize(
    "facts",
    [
        {"bilirubin_mg_per_dl": 0.0},
        {"bilirubin_mg_per_dl": math.nan},
        {"reserve_fraction": 30.0},
        {"reserve_fraction": -0.1},
        {"child_pugh": "D"},
        {"albi_grade": 0},
    ],
)
def test_facts_that_cannot_be_are_refused(facts):
    with pytest.raises((InvalidValue, UnsupportedInput)):
        PatientReserve(**facts)


@pytest.mark.parametrize(
    "facts", [{"lung_gy": -1.0}, {"normal_liver_gy": math.inf}, {"treated_fraction": 60.0}, {"days_ago": -3.0}]
)
def test_sessions_that_cannot_be_are_refused(facts):
    with pytest.raises(InvalidValue):
        EarlierSession("first", **facts)


def test_two_sessions_of_one_name_are_refused():
    with pytest.raises(InvalidValue, match="one name"):
        EarlierTreatments((EarlierSession("first"), EarlierSession("first")))

"""Limits and targets against the printed tables (clinical.md 4 and 11): every value, no value where no source has one, nothing invented."""

from __future__ import annotations

import pytest

from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import UnsupportedInput
from opensirt.vocabulary.limits import INDICATIONS, LIMITS, LUNG_CUMULATIVE_GY, SETTINGS, TARGETS, Role, rules_for

PRINTED_LIMITS = {
    ("glass", "bilirubin-high"): 50.0,
    ("glass", "bilirubin-low"): 90.0,
    ("resin", "unilobar"): 40.0,
    ("resin", "bilobar"): 40.0,
    ("resin", "bilobar-pretreated"): 30.0,
    ("ho166", "unilobar"): 60.0,
    ("ho166", "bilobar"): 40.0,
    ("ho166", "bilobar-good-function"): 60.0,
}
PRINTED_TARGETS = {
    ("glass", "HCC"): 205.0,
    ("glass", "ICC"): 260.0,
    ("glass", "mCRC"): 189.0,
    ("resin", "HCC"): 100.0,
    ("resin", "ICC"): 100.0,
    ("resin", "mCRC"): 100.0,
    ("ho166", "ICC"): 150.0,
    ("ho166", "mCRC"): 90.0,
}
CASES = [
    (product, indication, setting) for product, settings in SETTINGS.items() for setting in settings for indication in INDICATIONS
]


def test_limits_are_the_printed_ones_on_whole_normal_liver():
    found = {key: [rule.value_gy for rule in rules if rule.volume is StructureKind.NORMAL_LIVER] for key, rules in LIMITS.items()}
    assert found == {key: [value] for key, value in PRINTED_LIMITS.items()}


@pytest.mark.parametrize("setting", SETTINGS["ho166"])
def test_holmium_limits_the_perfused_volume_to_sixty_gray(setting):
    found = [rule.value_gy for rule in LIMITS[("ho166", setting)] if rule.volume is StructureKind.TERRITORY]
    assert found == [60.0]


def test_targets_are_the_printed_ones():
    assert {key: rule.value_gy for key, rule in TARGETS.items()} == PRINTED_TARGETS


@pytest.mark.parametrize(("product", "indication", "setting"), CASES)
def test_every_rule_has_a_source_and_lungs_come_first(product, indication, setting):
    rules = rules_for(product, indication, setting).rules
    assert (rules[0].volume, rules[0].value_gy) == (StructureKind.LUNGS, 30.0)
    assert all(rule.source for rule in rules)
    assert LUNG_CUMULATIVE_GY == 50.0


@pytest.mark.parametrize("product", list(SETTINGS))
def test_no_target_is_invented_for_neuroendocrine_tumours(product):
    found = rules_for(product, "NET", SETTINGS[product][0])
    assert not [rule for rule in found.rules if rule.role is Role.TARGET]
    assert "limits.no_target" in {finding.code for finding in found.findings}


def test_no_target_for_holmium_in_hepatocellular_carcinoma():
    assert "limits.no_target" in {finding.code for finding in rules_for("ho166", "HCC", "bilobar").findings}


@pytest.mark.parametrize("indication", ["NET", "ICC", "mCRC"])
def test_a_limit_found_in_another_indication_stands_by_analogy(indication):
    codes = [finding.code for finding in rules_for("glass", indication, "bilirubin-low").findings]
    assert codes.count("limits.by_analogy") == 1
    assert "limits.by_analogy" not in {finding.code for finding in rules_for("glass", "HCC", "bilirubin-low").findings}


@pytest.mark.parametrize("product", list(SETTINGS))
def test_without_a_setting_the_strictest_stands_and_is_said(product):
    found = rules_for(product, "mCRC", "")
    strictest = min(value for (name, _), value in PRINTED_LIMITS.items() if name == product)
    assert [rule.value_gy for rule in found.rules if rule.volume is StructureKind.NORMAL_LIVER] == [strictest]
    assert "limits.setting_not_stated" in {finding.code for finding in found.findings}


def test_worse_liver_function_never_raises_a_permitted_dose():
    for worse, better in (
        (("glass", "bilirubin-high"), ("glass", "bilirubin-low")),
        (("resin", "bilobar-pretreated"), ("resin", "bilobar")),
        (("ho166", "bilobar"), ("ho166", "bilobar-good-function")),
    ):
        assert LIMITS[worse][0].value_gy <= LIMITS[better][0].value_gy


@pytest.mark.parametrize(
    ("product", "indication", "setting"),
    [("gold", "NET", ""), ("glass", "melanoma", ""), ("resin", "NET", "bilirubin-low"), ("glass", "NET", "bilobar")],
)
def test_what_is_not_known_is_refused(product, indication, setting):
    with pytest.raises(UnsupportedInput):
        rules_for(product, indication, setting)

"""Dose limits and targets as cited, versioned data: which product, which indication, which setting, and to which volume each refers.

Nothing here decides: a limit warns, and a person may replace it with a reason. Where no source exists there is no value, and for
metastases of neuroendocrine tumours no target is invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.errors import UnsupportedInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.provenance import Mark

LIMITS_VERSION = "1"

EANM22 = "EANM procedure guideline 2022 (Weber et al.)"
VAN_ROEKEL = "van Roekel thesis, UMC Utrecht, p. 21, 30, 41"


class Role(Enum):
    """Whether a dose must stay below or should be reached."""

    LIMIT = "limit"
    TARGET = "target"


@dataclass(frozen=True)
class DoseRule:
    """One limit or target on a mean absorbed dose.

    Attributes
    ----------
    name : str
        For people.
    role : Role
        Limit (stay below) or target (reach).
    volume : StructureKind
        The volume whose mean it refers to: lungs, whole normal liver, perfused normal liver, perfused volume with its
        tumours (territory), each tumour.
    value_gy : float
        Gy.
    source, mark
        Where it comes from and how far to trust it.
    indication : str
        Indication it was stated for; empty for any.
    condition : str
        What must hold for it to apply, in words.
    """

    name: str
    role: Role
    volume: StructureKind
    value_gy: float
    source: str
    mark: Mark = Mark.FOUND
    indication: str = ""
    condition: str = ""


LUNG_SINGLE = DoseRule("lung, one treatment", Role.LIMIT, StructureKind.LUNGS, 30.0, VAN_ROEKEL)
LUNG_CUMULATIVE_GY = 50.0

_GLASS_STRICT = DoseRule(
    "whole normal liver, bilirubin above 1.1 mg/dL",
    Role.LIMIT,
    StructureKind.NORMAL_LIVER,
    50.0,
    f"{EANM22}, Table 2 footnote (unilobar, cirrhotic HCC, no earlier treatment)",
    Mark.FOUND,
    "HCC",
    "bilirubin above 1.1 mg/dL",
)
_GLASS_WIDE = DoseRule(
    "whole normal liver, bilirubin below 1.1 mg/dL",
    Role.LIMIT,
    StructureKind.NORMAL_LIVER,
    90.0,
    f"{EANM22}, Table 2 footnote (unilobar, cirrhotic HCC, no earlier treatment)",
    Mark.FOUND,
    "HCC",
    "bilirubin below 1.1 mg/dL",
)


def _normal(product: str, value: float, condition: str, source: str) -> DoseRule:
    return DoseRule(
        f"whole normal liver ({product}, {condition})", Role.LIMIT, StructureKind.NORMAL_LIVER, value, source, condition=condition
    )


def _tumour(indication: str, value: float, source: str) -> DoseRule:
    return DoseRule(f"tumour, {indication}", Role.TARGET, StructureKind.TUMOUR, value, source, indication=indication)


_HOLMIUM_PERFUSED = DoseRule(
    "perfused volume (Ho-166), tumours included",
    Role.LIMIT,
    StructureKind.TERRITORY,
    60.0,
    f"{EANM22}, Table 4; van Roekel thesis p. 30",
)

LIMITS: dict[tuple[str, str], tuple[DoseRule, ...]] = {
    ("glass", "bilirubin-high"): (_GLASS_STRICT,),
    ("glass", "bilirubin-low"): (_GLASS_WIDE,),
    ("resin", "unilobar"): (_normal("resin", 40.0, "unilobar", f"{EANM22}, Table 3; Levillain 2021"),),
    ("resin", "bilobar"): (_normal("resin", 40.0, "bilobar", f"{EANM22}, Table 3; Levillain 2021"),),
    ("resin", "bilobar-pretreated"): (
        _normal("resin", 30.0, "bilobar, pretreated or compromised", f"{EANM22}, Table 3; Levillain 2021"),
    ),
    ("ho166", "unilobar"): (_normal("Ho-166", 60.0, "lobectomy or unilobar", f"{EANM22}, Table 4"), _HOLMIUM_PERFUSED),
    ("ho166", "bilobar"): (_normal("Ho-166", 40.0, "bilobar", f"{EANM22}, Table 4"), _HOLMIUM_PERFUSED),
    ("ho166", "bilobar-good-function"): (
        _normal("Ho-166", 60.0, "bilobar, good liver function", f"{EANM22}, Table 4"),
        _HOLMIUM_PERFUSED,
    ),
}
"""Limits on liver by (product, setting)."""

TARGETS: dict[tuple[str, str], DoseRule] = {
    ("glass", "HCC"): _tumour("HCC", 205.0, f"{EANM22}, Table 2; DOSISPHERE-01"),
    ("glass", "ICC"): _tumour("ICC", 260.0, f"{EANM22}, Table 2"),
    ("glass", "mCRC"): _tumour("mCRC", 189.0, f"{EANM22}, Table 2"),
    ("resin", "HCC"): _tumour("HCC", 100.0, f"{EANM22}, Table 3 (100 to 120 Gy)"),
    ("resin", "ICC"): _tumour("ICC", 100.0, f"{EANM22}, Table 3 (100 to 120 Gy)"),
    ("resin", "mCRC"): _tumour("mCRC", 100.0, f"{EANM22}, Table 3"),
    ("ho166", "ICC"): _tumour("ICC", 150.0, f"{EANM22}, Table 4"),
    ("ho166", "mCRC"): _tumour("mCRC", 90.0, f"{EANM22}, Table 4"),
}
"""Tumour targets by (product, indication). There is no row for NET: no source was found."""

INDICATIONS = ("NET", "HCC", "ICC", "mCRC")
SETTINGS: dict[str, tuple[str, ...]] = {
    "glass": ("bilirubin-high", "bilirubin-low"),
    "resin": ("bilobar-pretreated", "bilobar", "unilobar"),
    "ho166": ("bilobar", "bilobar-good-function", "unilobar"),
}
"""Settings by product; the first is the strictest, and stands where nobody states another."""


@dataclass(frozen=True)
class RuleSet:
    """The rules in force for one plan, and what a person must know about them."""

    rules: tuple[DoseRule, ...]
    findings: tuple[Finding, ...]
    version: str = LIMITS_VERSION


def rules_for(product: str, indication: str, setting: str) -> RuleSet:
    """Limits and targets for a product, an indication and a setting.

    Parameters
    ----------
    product : str
        Key of :data:`opensirt.vocabulary.products.PRODUCTS`.
    indication : str
        One of :data:`INDICATIONS`.
    setting : str
        One of ``SETTINGS[product]``; the strictest where empty.

    Raises
    ------
    UnsupportedInput
        For an unknown product, indication or setting.
    """
    if product not in SETTINGS:
        raise UnsupportedInput(f"no limits are known for the product {product!r}", "", offer(product, SETTINGS))
    if indication not in INDICATIONS:
        raise UnsupportedInput(f"no indication is called {indication!r}", "", offer(indication, INDICATIONS))
    stated = setting or SETTINGS[product][0]
    if stated not in SETTINGS[product]:
        raise UnsupportedInput(f"no setting of {product} is called {stated!r}", "", offer(stated, SETTINGS[product]))
    findings = []
    if not setting:
        findings.append(
            Finding(
                "limits.setting_not_stated",
                Severity.WARNING,
                f"no setting was stated; the strictest limit of {product}, {stated!r}, stands · state the setting that holds for this patient",
            )
        )
    limits = LIMITS[(product, stated)]
    for rule in limits:
        if rule.indication and rule.indication != indication:
            findings.append(
                Finding(
                    "limits.by_analogy",
                    Severity.WARNING,
                    f"the limit {rule.value_gy:g} Gy on {rule.name} was derived in {rule.indication}; for {indication} it stands by analogy only · "
                    "decide whether it holds here, or state the centre's own limit",
                    source=rule.source,
                )
            )
    rules: tuple[DoseRule, ...] = (LUNG_SINGLE, *limits)
    target = TARGETS.get((product, indication))
    if target is None:
        findings.append(
            Finding(
                "limits.no_target",
                Severity.WARNING,
                f"no published tumour dose target exists for {indication} with {product}; none is invented · the plan shows what the limits allow; "
                "the centre states a target of its own or none",
                source=EANM22,
            )
        )
        return RuleSet(rules, tuple(findings))
    return RuleSet((*rules, target), tuple(findings))

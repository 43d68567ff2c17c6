"""Dose limits and targets in force for one patient: which product, which indication, which setting, and to which volume each refers.

The values are cited data (:mod:`opensirt.vocabulary.limit_data`). Nothing here decides: a limit warns, and a person may replace it with a
reason. Where no source exists there is no value, and for metastases of neuroendocrine tumours no target is invented. Where a limit depends on
the liver, the strictest stands until facts are stated that allow another: a lower hepatic reserve never raises a permitted dose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from opensirt.vocabulary.anatomy import StructureKind
from opensirt.vocabulary.dose_rules import AbsentRule, DoseRule, RuleSet
from opensirt.vocabulary.earlier import EarlierTreatments
from opensirt.vocabulary.errors import InconsistentInput, PlanInfeasible, UnsupportedInput
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.limit_data import INDICATIONS, LimitEntry, Role, Setting, Why, limit_set, order_faults
from opensirt.vocabulary.offers import offer
from opensirt.vocabulary.provenance import Mark
from opensirt.vocabulary.reserve import NOTHING_STATED, PatientReserve, ReserveCondition, Unmet, unmet
from opensirt.vocabulary.site_limits import Basis, LimitChange, SiteLimits

__all__ = [
    "INDICATIONS",
    "LIMITS_DATE",
    "LIMITS_VERSION",
    "LUNG_CUMULATIVE",
    "LUNG_CUMULATIVE_GY",
    "LUNG_SINGLE",
    "SETTINGS",
    "TARGETS",
    "AbsentRule",
    "DoseRule",
    "Role",
    "RuleSet",
    "rules_for",
    "rules_with",
    "site_order_faults",
    "with_earlier",
]


def _rule(entry: LimitEntry, value_gy: float) -> DoseRule:
    return DoseRule(
        entry.name,
        entry.role,
        entry.volume,
        value_gy,
        entry.source,
        entry.mark,
        entry.stated_for,
        entry.condition,
        entry.key,
        entry.aim_gy,
        entry.printed,
    )


def _entry(key: str) -> LimitEntry:
    return next(entry for entry in limit_set().entries if entry.key == key)


def _valued(key: str) -> DoseRule:
    entry = _entry(key)
    if entry.value_gy is None:
        raise UnsupportedInput(f"the limit {key} has no value", entry.reason, "state one with a reason")
    return _rule(entry, entry.value_gy)


LIMITS_VERSION = limit_set().version
LIMITS_DATE = limit_set().date
LUNG_SINGLE = _valued("lung.single")
LUNG_CUMULATIVE = _valued("lung.cumulative")
LUNG_CUMULATIVE_GY = LUNG_CUMULATIVE.value_gy
SETTINGS: dict[str, tuple[str, ...]] = {
    product: tuple(setting.name for setting in settings) for product, settings in limit_set().settings.items()
}
"""Settings by product; the first is the strictest extent, assumed where nobody states another; facts choose within it."""
TARGETS: dict[tuple[str, str], DoseRule] = {
    (entry.product, indication): _rule(entry, entry.value_gy)
    for entry in limit_set().entries
    for indication in entry.indications
    if entry.role is Role.TARGET and entry.volume is StructureKind.TUMOUR and entry.enforced and entry.value_gy is not None
}
"""Tumour targets by (product, indication). There is no row for NET: no source was found."""


@dataclass(frozen=True)
class _Chosen:
    """Of a family of alternatives the one that stands, and the ones that would allow more with what they miss."""

    entry: LimitEntry | None
    higher: tuple[tuple[LimitEntry, tuple[Unmet, ...]], ...]


def _choose(family: Sequence[LimitEntry], reserve: PatientReserve, setting: ReserveCondition) -> _Chosen:
    lacking = [(entry, unmet(entry.requires, reserve, setting)) for entry in family]
    met = [entry for entry, parts in lacking if not parts]
    standing = max(met, key=lambda entry: entry.value_gy or 0.0, default=None)
    refused = tuple((entry, parts) for entry, parts in lacking if parts)
    return _Chosen(standing, refused)


def rules_for(
    product: str,
    indication: str,
    setting: str,
    *,
    reserve: PatientReserve = NOTHING_STATED,
    earlier: EarlierTreatments | None = None,
    site: SiteLimits | None = None,
) -> RuleSet:
    """Limits and targets for a product, an indication and a setting, chosen by what is stated about the liver.

    Parameters
    ----------
    product : str
        Key of :data:`opensirt.vocabulary.products.PRODUCTS`.
    indication : str
        One of :data:`INDICATIONS`.
    setting : str
        One of ``SETTINGS[product]``; the strictest extent where empty.
    reserve : PatientReserve
        Facts about the liver; what is not stated leads to the strictest limit, with a finding.
    earlier : EarlierTreatments, optional
        Earlier treatments: what they left of the cumulative lung limit is a limit of this one. ``None`` where nobody stated them.
    site : SiteLimits, optional
        What the site, or a person for this patient, puts in place of published values.

    Raises
    ------
    UnsupportedInput
        For an unknown product, indication or setting.
    PlanInfeasible
        If earlier treatments left nothing of the cumulative lung limit.
    """
    known = _setting(product, indication, setting)
    if earlier is not None and earlier.sessions:
        reserve = replace(reserve, pretreated=True)
    findings: list[Finding] = []
    applying = [entry for entry in limit_set().entries if entry.applies(product, indication, known.name)]
    valued = [entry for entry in applying if entry.value_gy is not None]
    rules: list[DoseRule] = []
    for family in _families(entry for entry in valued if entry.enforced):
        chosen = _choose(family, reserve, known.states)
        if chosen.entry is not None and chosen.entry.value_gy is not None:
            rules.append(_rule(chosen.entry, chosen.entry.value_gy))
            findings += _analogies(chosen.entry, indication, known.name)
        findings += _reserve_findings(chosen, known.states)
    findings = [*_setting_findings(product, setting, known, rules), *findings]
    shown = tuple(_rule(entry, entry.value_gy) for entry in valued if not entry.enforced and entry.value_gy is not None)
    absent = tuple(_absent(entry) for entry in applying if entry.value_gy is None)
    findings += _absent_findings(product, indication, known.name, rules, absent)
    published = RuleSet(tuple(rules), tuple(findings), LIMITS_VERSION, LIMITS_DATE, shown, absent, product, indication, known.name)
    return with_earlier(published if site is None else rules_with(published, site), earlier)


def _setting(product: str, indication: str, name: str) -> Setting:
    if product not in SETTINGS:
        raise UnsupportedInput(f"no limits are known for the product {product!r}", "", offer(product, SETTINGS))
    if indication not in INDICATIONS:
        raise UnsupportedInput(f"no indication is called {indication!r}", "", offer(indication, INDICATIONS))
    stated = name or SETTINGS[product][0]
    if stated not in SETTINGS[product]:
        raise UnsupportedInput(f"no setting of {product} is called {stated!r}", "", offer(stated, SETTINGS[product]))
    return limit_set().setting(product, stated)


def _families(entries: Iterable[LimitEntry]) -> tuple[tuple[LimitEntry, ...], ...]:
    """Alternatives together, in the order of the data; an entry without family is one of its own."""
    families: dict[str, list[LimitEntry]] = {}
    for entry in entries:
        families.setdefault(entry.family or entry.key, []).append(entry)
    return tuple(tuple(family) for family in families.values())


def _absent(entry: LimitEntry) -> AbsentRule:
    return AbsentRule(entry.key, entry.name, entry.role, entry.volume, entry.why or Why.NOT_FOUND, entry.reason, entry.source)


def _setting_findings(product: str, stated: str, known: Setting, rules: Sequence[DoseRule]) -> tuple[Finding, ...]:
    if stated:
        return ()
    limits = [rule for rule in rules if rule.role is Role.LIMIT and rule.volume is StructureKind.NORMAL_LIVER]
    values = ", ".join(f"{rule.value_gy:g} Gy on {rule.name}" for rule in limits) or "no limit on the normal liver"
    message = (
        f"no setting was stated; the strictest extent of {product}, {known.name!r}, is assumed · within it the stated facts choose: "
        f"{values} · state the setting that holds for this patient"
    )
    return (Finding("limits.setting_not_stated", Severity.WARNING, message),)


def _analogies(entry: LimitEntry, indication: str, setting: str) -> tuple[Finding, ...]:
    found = []
    what = f"the {entry.role.value} {entry.value_gy:g} Gy on {entry.name}"
    then = "decide whether it holds here, or state the centre's own"
    if entry.stated_for and entry.stated_for != indication:
        message = f"{what} was derived in {entry.stated_for}; for {indication} it stands by analogy only · {then}"
        found.append(Finding("limits.by_analogy", Severity.WARNING, message, entry.volume.value, entry.source))
    if entry.stated_settings and setting not in entry.stated_settings:
        message = f"{what} was stated for {', '.join(entry.stated_settings)}; for {setting} it stands by analogy only · {then}"
        found.append(Finding("limits.other_setting", Severity.WARNING, message, entry.volume.value, entry.source))
    return tuple(found)


def _reserve_findings(chosen: _Chosen, setting: ReserveCondition) -> tuple[Finding, ...]:
    found = []
    for entry, parts in chosen.higher:
        now = f"{chosen.entry.value_gy:g} Gy stands" if chosen.entry is not None else "nothing stands"
        what = f"{entry.role.value} on {entry.name}: {now}, not {entry.value_gy:g} Gy"
        spoken = [part for part in parts if part.stated]
        silent = [part for part in parts if not part.stated]
        if not spoken:
            asks = ", ".join(part.part for part in silent)
            message = f"{what} · it asks for {asks}, which is not stated · state it if it holds"
            found.append(Finding("limits.reserve_not_stated", Severity.WARNING, message, entry.volume.value, entry.source))
            continue
        asks = "; ".join(f"{part.part} ({part.stated} is stated)" for part in spoken)
        against = not unmet(entry.requires, NOTHING_STATED, setting)
        if against:
            message = f"{what} · the setting says {asks} · the stricter stands; make setting and facts agree"
            found.append(Finding("limits.reserve_contradicts_setting", Severity.WARNING, message, entry.volume.value, entry.source))
        else:
            message = f"{what} · it asks for {asks} · the liver's reserve sets the stricter one"
            found.append(Finding("limits.reserve_low", Severity.NOTE, message, entry.volume.value, entry.source))
    return tuple(found)


def _absent_findings(
    product: str, indication: str, setting: str, rules: Sequence[DoseRule], absent: Sequence[AbsentRule]
) -> tuple[Finding, ...]:
    found = []
    for each in absent:
        if each.why is Why.UNREADABLE:
            message = f"{each.name} has no value here: {each.reason} · look it up before relying on the limits of {setting}"
            found.append(Finding("limits.cell_not_read", Severity.NOTE, message, each.volume.value, each.source))
    if not any(rule.role is Role.LIMIT and rule.volume is StructureKind.NORMAL_LIVER for rule in rules):
        message = (
            f"no published limit on the whole normal liver exists for {product}, {setting}; none is invented · "
            "nothing keeps the liver's dose down but what a person states · state the centre's own limit"
        )
        found.append(Finding("limits.no_liver_limit", Severity.CRITICAL, message, StructureKind.NORMAL_LIVER.value))
    if not any(rule.role is Role.TARGET and rule.volume is StructureKind.TUMOUR for rule in rules):
        source = next((each.source for each in absent if each.volume is StructureKind.TUMOUR), "")
        message = (
            f"no published tumour dose target exists for {indication} with {product}; none is invented · the plan shows what the limits allow; "
            "the centre states a target of its own or none"
        )
        found.append(Finding("limits.no_target", Severity.WARNING, message, StructureKind.TUMOUR.value, source))
    return tuple(found)


def site_order_faults(site: SiteLimits) -> tuple[str, ...]:
    """Where a site's own values would allow more to a lower hepatic reserve; empty in sound ones. A person's decision for one patient is none."""
    own = {change.key: change.value_gy for change in site.changes if change.basis is Basis.SITE}
    return order_faults([replace(entry, value_gy=own.get(entry.key, entry.value_gy)) for entry in limit_set().entries])


def rules_with(rules: RuleSet, site: SiteLimits) -> RuleSet:
    """Published rules with a site's own values in their place and beside them; every value replaced stays visible as a finding.

    Parameters
    ----------
    rules : RuleSet
        From :func:`rules_for`.
    site : SiteLimits
        Entries for other products, indications and settings, and for alternatives that do not stand here, are passed over.

    Raises
    ------
    InconsistentInput
        If the site's values would allow more to a lower hepatic reserve.
    """
    if faults := site_order_faults(site):
        raise InconsistentInput("; ".join(faults), site.site, "lower the one, or raise the other")
    findings: list[Finding] = []

    def own(rule: DoseRule) -> DoseRule:
        change = site.change(rule.key) if rule.key else None
        if change is None:
            return rule
        findings.append(_replaced(rule.role, rule.name, rule.value_gy, change, site.site, rule.source))
        return replace(
            rule, value_gy=change.value_gy, source=_answers(change, site.site), mark=Mark.ASSUMED, indication="", aim_gy=None
        )

    kept = [own(rule) for rule in rules.rules]
    beside = [own(rule) for rule in rules.shown]
    absent = []
    for each in rules.absent:
        change = site.change(each.key)
        if change is None:
            absent.append(each)
            continue
        findings.append(_replaced(each.role, f"{each.name} ({each.reason})", None, change, site.site, each.source))
        answer = DoseRule(
            each.name, each.role, each.volume, change.value_gy, _answers(change, site.site), Mark.ASSUMED, key=each.key
        )
        (kept if _entry(each.key).enforced else beside).append(answer)
    for addition in site.additions:
        if addition.applies(rules.product, rules.indication, rules.setting):
            where = f"{addition.basis.value} {site.site}".strip()
            source = f"{where}: {addition.by}, {addition.on.isoformat()}: {addition.reason}"
            kept.append(
                DoseRule(addition.name, addition.role, addition.volume, addition.value_gy, source, Mark.ASSUMED, key=addition.key)
            )
            message = f"{addition.role.value} of {addition.value_gy:g} Gy on {addition.name}, which no published table has, was added by {where} · {addition.reason}"
            findings.append(
                Finding(f"limits.added_by_{addition.basis.value}", Severity.NOTE, message, addition.volume.value, source)
            )
    before = _absent_findings(rules.product, rules.indication, rules.setting, rules.rules, rules.absent)
    after = _absent_findings(rules.product, rules.indication, rules.setting, kept, absent)
    gone = {*(set(before) - set(after)), *_stale_analogies(rules, site)}
    told = [finding for finding in rules.findings if finding not in gone]
    return replace(rules, rules=tuple(kept), findings=(*told, *findings), shown=tuple(beside), absent=tuple(absent))


def _stale_analogies(rules: RuleSet, site: SiteLimits) -> tuple[Finding, ...]:
    changed = [entry for entry in limit_set().entries if entry.value_gy is not None and site.change(entry.key)]
    return tuple(finding for entry in changed for finding in _analogies(entry, rules.indication, rules.setting))


def _answers(change: LimitChange, site: str) -> str:
    return f"{f'{change.basis.value} {site}'.strip()}: {change.by}, {change.on.isoformat()}: {change.reason}"


def _replaced(role: Role, name: str, published_gy: float | None, change: LimitChange, site: str, source: str) -> Finding:
    if published_gy is None:
        instead, then = "none", "no value is published here; this one is not a published one"
    else:
        instead = f"{published_gy:g} Gy"
        looser = change.value_gy > published_gy if role is Role.LIMIT else change.value_gy < published_gy
        if change.value_gy == published_gy:
            then = "it is the published value"
        else:
            then = (
                "the published value is no longer kept" if looser else "it is stricter than the published value, which is kept too"
            )
    message = f"{role.value} on {name}: {change.value_gy:g} Gy stands in place of {instead} · {_answers(change, site)} · {then}"
    return Finding(f"limits.replaced_by_{change.basis.value}", Severity.WARNING, message, change.key, source)


def with_earlier(rules: RuleSet, earlier: EarlierTreatments | None) -> RuleSet:
    """The same rules with what earlier treatments left of a cumulative limit as a limit of this treatment.

    There is a cumulative limit for the lungs. None was found for the normal liver: one stands there only if a site states it.

    Parameters
    ----------
    rules : RuleSet
        With the cumulative limits among what is shown.
    earlier : EarlierTreatments, optional
        ``None`` where nobody stated them: a finding says that nothing was checked.

    Raises
    ------
    PlanInfeasible
        If nothing is left.
    """
    for whole in rules.shown:
        if whole.key in _CUMULATIVE:
            rules = _less_earlier(rules, whole, earlier)
    return rules


_CUMULATIVE = {LUNG_CUMULATIVE.key: "the lungs", "normal_liver.cumulative": "the normal liver"}


def _less_earlier(rules: RuleSet, whole: DoseRule, earlier: EarlierTreatments | None) -> RuleSet:
    organ, about = _CUMULATIVE[whole.key], whole.volume.value
    if earlier is None:
        message = f"earlier treatments are not stated: the {whole.value_gy:g} Gy that {organ} may receive in all treatments together were not checked · state them, or that there were none"
        return _told(rules, Finding("limits.earlier_not_stated", Severity.NOTE, message, about, whole.source))
    if not earlier.sessions:
        return rules
    given = earlier.lung if whole.volume is StructureKind.LUNGS else earlier.normal_liver
    left_gy = whole.value_gy - given.total_gy
    if left_gy <= 0.0:
        raise PlanInfeasible(
            f"{organ} received {given.total_gy:g} Gy of {whole.value_gy:g} Gy in earlier treatments",
            "nothing is left of the cumulative limit",
            "do not add to it, or state another limit with a reason",
        )
    if given.unknown:
        message = (
            f"the dose of {organ} in {', '.join(given.unknown)} is not known: the sum is {given.total_gy:g} Gy at least, and what is left of "
            f"{whole.value_gy:g} Gy is less than {left_gy:g} Gy · find out what was given"
        )
        rules = _told(rules, Finding("limits.earlier_not_known", Severity.CRITICAL, message, about, whole.source))
    name = f"{whole.name}: {whole.value_gy:g} Gy less {given.total_gy:g} Gy of earlier ones"
    rest = replace(whole, name=name, value_gy=left_gy, mark=Mark.DERIVED if whole.mark is Mark.FOUND else whole.mark)
    first = [rule for rule in rules.rules if rule.volume is StructureKind.LUNGS]
    others = [rule for rule in rules.rules if rule.volume is not StructureKind.LUNGS]
    return replace(rules, rules=(*first, rest, *others))


def _told(rules: RuleSet, finding: Finding) -> RuleSet:
    return replace(rules, findings=(*rules.findings, finding))

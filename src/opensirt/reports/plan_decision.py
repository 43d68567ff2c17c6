"""The decision page of a plan: what is proposed, against which limits, what a person must weigh, and where they sign."""

from __future__ import annotations

from collections.abc import Sequence

from opensirt.radioembolisation.treatment.proposal import InjectionProposal, LimitCheck, PlanProposal, VialOption
from opensirt.reports.document import (
    Block,
    Column,
    Heading,
    Inline,
    OnePage,
    Paragraph,
    Run,
    Shown,
    Signatures,
    Table,
    TickBox,
    Tone,
    Words,
)
from opensirt.reports.explanations import NOTHING, TARGET, Explanations, chance_text
from opensirt.reports.numbers import instant_text, signed_percent, told
from opensirt.reports.plan_tables import table_entry
from opensirt.vocabulary.findings import Finding, Severity
from opensirt.vocabulary.units import PERCENT

SCOPE = "Research and audit software: it computes, explains and warns; a person decides and signs."
ROLES = ("Dosimetry prepared by", "Dosimetry checked by (second person)", "Findings weighed, activity prescribed by")
VIAL, AT_CALIBRATION = "vial", "activity at calibration, GBq"
FROM_VIALS, AGAINST_PLAN = "from vials, GBq", "against plan"
"""Heads of the columns of the plan's tables of the order that the decision page repeats."""
MOST_TUMOURS = 6
"""Tumours listed one by one on the decision page; of more, the three least and the three most dosed stand for all."""
WEIGHTS = (
    "eligibility.", "eligibility.not_known_absolute", "plan.extrahepatic_dose", "order.exceeds_limit", "plan.limit_exceeded",
    "dose.lung_above", "lung_shunt.above_limit", "plan.lung_limit_open", "plan.normal_limit_open", "late.", "plan.goals_in_conflict",
    "plan.target_missed", "limits.", "eligibility.not_known_relative", "eligibility.not_known_caution", "plan.prediction", "plan.instant_not_stated", "plan.setting", "order.", "disagreement.",
    "lung_shunt.", "plan.", "", "registration.", "radiobiology.", "spheres.", "vials.", "dose.", "tissue.",
)  # fmt: skip
"""Beginnings of the codes of findings, the weightiest first; the longest beginning counts, and a code of no other one stands at the empty one."""
_ORDER = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.NOTE: 2}
_KINDS = ("tumour", "normal_liver", "lungs", "extrahepatic")


def words(text: str, tone: Tone = Tone.PLAIN) -> Words:
    """A line of text in one tone."""
    return (Run(text, tone),)


def sorted_findings(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings, the gravest first."""
    return tuple(sorted(findings, key=lambda finding: (_ORDER[finding.severity], weight(finding), finding.code, finding.about)))


def weight(finding: Finding) -> int:
    """Place of a finding among those of its severity: what forbids or harms first, what is technical last."""
    nearest = max((prefix for prefix in WEIGHTS if finding.code.startswith(prefix)), key=len)
    return WEIGHTS.index(nearest)


def decision_page(plan: PlanProposal, findings: Sequence[Finding], why: Explanations) -> OnePage:
    """The first page.

    Parameters
    ----------
    plan : PlanProposal
        Everything that is said.
    findings : sequence of Finding
        The gravest first.
    why : Explanations
        Takes the entries of the numbers shown.
    """
    about = (
        f" · {plan.product} ({plan.nuclide}) · indication {plan.indication}, {plan.setting} · made {instant_text(plan.created_at)}"
    )
    guide = f"{SCOPE} Brackets hold 90 % intervals. Every number is explained in appendix A."
    injections = _injections(plan, why)  # before the rest: entries are numbered as they appear
    instant: Words = (
        Run("For the treatment instant "), Run(instant_text(plan.treatment_at), Tone.STRONG), Run(". "), *_binding_words(plan, why),
    )  # fmt: skip
    blocks: tuple[Block, ...] = (
        Heading(1, "Plan proposal for radioembolisation", "top"),
        Paragraph((Run("Case "), Run(plan.case_id, Tone.STRONG), Run(about))),
        Paragraph(words(guide, Tone.SOFT), small=True),
        Heading(2, "What is proposed", "decide"),
        Paragraph(words(plan.intent)),
        injections,
        *_order_line(plan, why),
        Paragraph(instant),
        Heading(2, "Doses against limits and targets", "limits"),
        _doses(plan, why),
        Heading(2, "What a person must weigh", "weigh"),
        *_to_weigh(plan, findings),
        Heading(2, "Signatures", "sign"),
        Signatures(ROLES),
    )
    return OnePage(blocks)


def _binding_words(plan: PlanProposal, why: Explanations) -> Words:
    binding = [(place, check) for place, check in enumerate(plan.limits) if check.binding and check.number_key]
    if not binding:
        return words("No limit fixes the activities.")
    text: list[Inline] = [Run("What fixes the activities: ")]
    for n, (place, check) in enumerate(binding):
        text += [
            Run(f"{'; ' if n else ''}{check.name}, "),
            Shown(f"{check.value_gy:g} Gy", why.level(check, place), strong=True),
        ]
    return (*text, Run(". At a limit that fixes them the chance of exceeding it is about one half by construction."))


def _injections(plan: PlanProposal, why: Explanations) -> Table:
    columns = (
        Column(words("Injection"), 1.0), Column(words("Activity to deliver"), 1.75), Column(words("Perfused volume"), 1.75),
        Column(words("Tumour-to-normal ratio"), 1.5), Column(words("Lesions fed"), 1.4), Column(words("Vial to order"), 2.3),
    )  # fmt: skip
    rows = tuple(
        (
            words(injection.territory, Tone.STRONG),
            (why.shown(injection.activity_key, strong=True),),
            (why.shown(injection.perfused_volume_key),),
            (why.shown(injection.tumour_to_normal_key),),
            words(", ".join(injection.tumours) or "none"),
            _vial_words(plan, injection, why),
        )
        for injection in plan.injections
    )
    return Table(columns, rows)


def best_vial(vials: Sequence[VialOption], territory: str) -> tuple[int, VialOption] | None:
    """Place and value of the vial that fits an injection best; None where no vial is usable."""
    fitting = [(place, vial) for place, vial in enumerate(vials) if vial.territory == territory and vial.usable]
    return fitting[0] if fitting else None


def _vial_words(plan: PlanProposal, injection: InjectionProposal, why: Explanations) -> Words:
    if any(table.key == "order" for table in plan.tables):
        return _ordered_words(plan, injection.territory, why)
    found = best_vial(plan.vials, injection.territory)
    if found is None:
        return words("no listed vial fits" if plan.vials else "none listed for this product")
    place, vial = found
    entry = why.vial(vial, place)
    size = Shown(f"{vial.size_gbq:g} GBq", entry, strong=True, marked=False)
    calibrated = f", calibrated {instant_text(vial.calibrated_at, year=False)}; "
    return (size, Run(calibrated), Shown(signed_percent(vial.relative_excess), entry), Run(" against plan"))


def _ordered_words(plan: PlanProposal, territory: str, why: Explanations) -> Words:
    """What the order gives an injection: read from the plan's own table of the order, so that both pages say the same."""
    for place, table in enumerate(plan.tables):
        if table.key != "order_injections" or not {FROM_VIALS, AGAINST_PLAN} <= set(table.columns):
            continue
        from_vials, against = table.columns.index(FROM_VIALS), table.columns.index(AGAINST_PLAN)
        for row in table.rows:
            if row[0].text == territory:
                entry = table_entry(table, place, why)
                against_plan = Shown(told(row[against].text, {}), entry)
                return (
                    Shown(f"{row[from_vials].text} GBq;", entry, strong=True, marked=False),
                    Run(" "),
                    against_plan,
                    Run(" against plan"),
                )
    return words("see Vials and order")


def _order_line(plan: PlanProposal, why: Explanations) -> tuple[Block, ...]:
    """The vials to order in one line, from the plan's own table of the order."""
    for place, table in enumerate(plan.tables):
        if table.key == "order" and table.columns[:2] == (VIAL, AT_CALIBRATION):
            entry = table_entry(table, place, why)
            line: list[Inline] = [Run("Vials to order: ", Tone.STRONG)]
            for row in table.rows:
                vial = f"{row[0].text}: {row[1].text} GBq of {told(row[2].text, {})}"
                line += [
                    Shown(f"{vial}{'' if row is table.rows[-1] else ';'}", entry, marked=row is table.rows[-1]),
                    Run("." if row is table.rows[-1] else " "),
                ]
            return (Paragraph((*line, *_residual_words(plan, why)), small=True),)
    return ()


def _residual_words(plan: PlanProposal, why: Explanations) -> Words:
    """What to dispense, so that the residual may stay behind: the plan's own numbers and the residual that they hold."""
    keys = {number.key for number in plan.numbers}
    dispensed = [i.territory for i in plan.injections if f"dispensed.{i.territory}" in keys]
    if not dispensed:
        return ()
    line: list[Inline] = [Run(" To dispense, the residual included: ")]
    for place, territory in enumerate(dispensed):
        line += [Run(f"{', ' if place else ''}{territory} "), why.shown(f"dispensed.{territory}", interval=False)]
    residuals = {c for t in dispensed for c in plan.number(f"dispensed.{t}").constants if "residual" in c.key}
    for constant in sorted(residuals, key=lambda constant: constant.key):
        share = Shown(f"{PERCENT * constant.value:.2g}\u00a0%", f"dispensed.{dispensed[0]}", marked=False)
        line += [Run("; residual R = "), share, Run(f" [{constant.mark.value}]", Tone.SOFT)]
    return (*line, Run("."))


def _doses(plan: PlanProposal, why: Explanations) -> Table:
    columns = (
        Column(words("Structure"), 1.75), Column(words("Planned mean dose"), 2.1), Column(words("Limit or target"), 2.8),
        Column(words("Chance of exceeding / reaching"), 1.2, right=True), Column(words("Source"), 2.6),
    )  # fmt: skip
    labels = {structure.key: structure.label for structure in plan.structures}
    planned = {row.structure: row.number_key for row in plan.comparison if row.model == plan.engine and row.number_key}
    checks: dict[str, list[tuple[int, LimitCheck]]] = {}
    for place, check in enumerate(plan.limits):
        checks.setdefault(check.structure, []).append((place, check))
    free = [key for key in planned if key not in checks and key.partition(".")[0] in _KINDS]
    free, left_out = _fewer_tumours(plan, free, planned)
    kinds = {kind: place for place, kind in enumerate(_KINDS)}
    rows: list[tuple[Words, ...]] = []
    for key in sorted((*free, *checks), key=lambda key: kinds.get(key.partition(".")[0], len(kinds))):
        name = words(labels.get(key, key))
        for place, check in checks.get(key, []):
            rows.append((name, (why.shown(check.number_key),), *_check_words(check, place, why)))
        if key not in checks:
            stated = words("no target stated" if key.startswith("tumour.") else "no limit stated", Tone.SOFT)
            rows.append((name, (why.shown(planned[key]),), stated, (NOTHING,), ()))
    caption = f"Mean absorbed doses of {plan.engine}."
    if left_out:
        caption += f" {left_out} more tumours lie between those listed; all stand under models side by side."
    return Table(columns, tuple(rows), words(caption), dense=True)


def _check_words(check: LimitCheck, place: int, why: Explanations) -> tuple[Words, Words, Words]:
    if not check.number_key:
        unanswered = why.level(check, place)
        level: Words = (
            Run(f"{check.role}, {check.name}: "),
            Shown(f"{check.value_gy:g} Gy", unanswered),
            Run("; no structure of the case answers to it"),
        )
        return level, (NOTHING,), words(check.source, Tone.SOFT)
    entry = why.chance(check, place)
    level = (Run(f"{check.role}, {check.name}: "), Shown(f"{check.value_gy:g} Gy", why.level(check, place), strong=True))
    if check.binding:
        level += (Run(" "), Run("fixes the activity", Tone.BINDING))
    return (
        level,
        (Shown(f"{chance_text(check)} reach" if check.role == TARGET else chance_text(check), entry),),
        (Run(f"{check.source} "), Run(check.mark, Tone.TAG)),
    )


def _fewer_tumours(plan: PlanProposal, keys: Sequence[str], planned: dict[str, str]) -> tuple[list[str], int]:
    tumours = [key for key in keys if key.startswith("tumour.")]
    if len(tumours) <= MOST_TUMOURS:
        return list(keys), 0
    ranked = sorted(tumours, key=lambda key: plan.number(planned[key]).measured.value)
    ends = ranked[: MOST_TUMOURS // 2] + ranked[-(MOST_TUMOURS // 2) :]
    return [key for key in keys if key not in tumours or key in ends], len(tumours) - len(ends)


def _to_weigh(plan: PlanProposal, findings: Sequence[Finding]) -> tuple[Block, ...]:
    """Critical findings in full, warnings by their first clause, each with a box to tick; notes are counted."""
    grave = [finding for finding in findings if finding.severity is not Severity.NOTE]
    labels = {structure.key: structure.label for structure in plan.structures}
    notes = len(findings) - len(grave)
    more = [_count(notes, "note")] if notes else []
    more += [_count(len(plan.faults), "fault") + " met while reading the study"] if plan.faults else []
    rest = f"The full text of every finding{''.join(f', {one}' for one in more)}: next pages."
    if not grave:
        return (Paragraph(words(f"No critical finding and no warning. {rest}")),)
    rows = tuple(
        (
            (TickBox(),),
            words("▲ CRITICAL", Tone.SEVERE) if finding.severity is Severity.CRITICAL else words(finding.severity.value),
            _in_short(finding, labels),
        )
        for finding in grave
    )
    columns = (Column((), 0.3), Column((), 1.15), Column((), 8.8))
    return Table(columns, rows, dense=True), Paragraph(words(f"Tick what was weighed. {rest}", Tone.SOFT), small=True)


def _in_short(finding: Finding, labels: dict[str, str]) -> Words:
    """A critical finding whole and strong, any other by its first clause; structures by their names."""
    if finding.severity is Severity.CRITICAL:
        return words(told(finding.message, labels), Tone.STRONG)
    return words(told(finding.message.partition(" · ")[0], labels))


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"

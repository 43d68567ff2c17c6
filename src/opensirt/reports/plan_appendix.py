"""The last pages of a plan's report: how it was computed, every number explained, constants, inputs by hash, parameters in force."""

from __future__ import annotations

from collections.abc import Sequence

from opensirt.radioembolisation.treatment.proposal import PlanProposal
from opensirt.reports.document import (
    AnyBlock,
    Bullets,
    Column,
    Entries,
    Entry,
    Heading,
    PageBreak,
    Paragraph,
    Run,
    Shown,
    Table,
    Tone,
    Words,
)
from opensirt.reports.explanations import Explanations
from opensirt.reports.numbers import counted
from opensirt.reports.plan_decision import words

INTERVALS = (
    "Every interval is the central 90 % of a distribution with the value and the standard uncertainty of its budget: log-normal for positive "
    "quantities (value = median, spread of the logarithm √ln(1 + (u/value)²)), normal where a value may lie near zero. Contributions are "
    "sensitivity × standard uncertainty, to first order; one source that enters several quantities is fully correlated, different sources "
    "are independent (JCGM 100:2008, sections 4 and 5)."
)
DIGITS = "A value is shown to two significant digits of its standard uncertainty, an exact one to three significant digits."
HALVED = "If one source were halved, the interval would become √(1 − ¾ · share of the variance) of its present width."
PREDICTION = (
    "Intervals hold how well the images, contours and constants are known. They do not hold how well a scout distribution predicts where the "
    "treatment will go."
)
NOTHING_RESCALED = "What left a step stands beside it; nothing is rescaled to hide a loss."


def methods_page(plan: PlanProposal, why: Explanations) -> list[AnyBlock]:
    """What was computed, how, by which version, after which source; and the count ledger."""
    ledger = _ledger(plan, why)
    facts: tuple[Words, ...] = (
        (Run("Dose of the decision page", Tone.STRONG), Run(f": {plan.engine}.")),
        (Run("Dose constant", Tone.STRONG), Run(f": {plan.dose_constant}.")),
        (Run("Working grid", Tone.STRONG), Run(f": {plan.working_grid}.")),
        (Run("Intervals", Tone.STRONG), Run(f". {INTERVALS}")),
        (Run("Digits", Tone.STRONG), Run(f". {DIGITS}")),
        (Run("What would shrink an interval", Tone.STRONG), Run(f". {HALVED}")),
        (Run("What intervals do not hold", Tone.STRONG), Run(f". {PREDICTION}")),
    )
    columns = (
        Column(words("No."), 0.5, right=True), Column(words("Method and version"), 2.9), Column(words("Formula"), 3.1),
        Column(words("Source"), 2.2), Column(words("Entries"), 1.8),
    )  # fmt: skip
    rows = tuple(
        (
            words(f"M{line.number}"), (Run(line.method), Run(f", version {line.version}", Tone.SOFT)), words(line.formula),
            words("; ".join(line.sources) or "–"), words(ranges(line.entries)),
        )
        for line in why.methods
    )  # fmt: skip
    return [PageBreak(), Heading(2, "Methods", "methods"), Bullets(facts), Table(columns, rows, dense=True), *ledger]


def _ledger(plan: PlanProposal, why: Explanations) -> list[AnyBlock]:
    if not plan.ledger:
        return []
    columns = (
        Column(words("Step"), 2.4), Column(words("Before"), 1.3, right=True), Column(words("Kept"), 1.3, right=True),
        Column(words("Outside or lost"), 1.3, right=True), Column(words("Unit"), 0.7), Column(words("Note"), 3.4),
    )  # fmt: skip
    formula = "before = kept + outside or lost"
    entry = why.add(
        Entry(
            "ledger",
            0,
            "x-ledger",
            "Count ledger",
            "",
            "",
            "",
            formula,
            "sums over the working grid before and after a step",
            0,
            "1",
        )
    )
    rows = []
    for line in plan.ledger:
        amounts = (Shown(counted(amount), entry, marked=False) for amount in (line.before, line.kept, line.lost))
        rows.append((words(line.step), *((amount,) for amount in amounts), words(line.unit), words(line.note, Tone.SOFT)))
    caption: Words = (Shown("Sums", entry), Run(f" before and after each step. {NOTHING_RESCALED}"))
    return [Heading(3, "Count ledger", "ledger"), Table(columns, tuple(rows), caption, dense=True)]


def ranges(numbers: Sequence[int]) -> str:
    """Numbers in order as ``1–4, 7``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)


def _stated(value: str) -> str:
    """A parameter's value for people; what nobody stated is called so."""
    return "not stated" if value in ("default", "") else value


def appendix(plan: PlanProposal, why: Explanations) -> list[AnyBlock]:
    """Entries of every number, constants with source and mark, inputs by hash, parameters in force."""
    guide = "Numbers in square brackets on the pages are entries of this list. Cn is a constant of appendix B, Mn a method of the methods page with its literature; images stand with their hashes in appendix C."
    blocks: list[AnyBlock] = [PageBreak(), Heading(2, "Appendix A. Every number explained", "appendix-numbers")]
    blocks += [Paragraph(words(guide), small=True), Entries(), Heading(2, "Appendix B. Constants", "appendix-constants")]
    columns = (
        Column(words("No."), 0.5, right=True), Column(words("Constant"), 2.4), Column(words("Value ± standard uncertainty"), 2.2),
        Column(words("Source"), 4.3), Column(words("Mark"), 1.3),
    )  # fmt: skip
    rows = []
    for place, constant in enumerate(why.constants, start=1):
        unit = "" if constant.unit == "1" else f" {constant.unit}"
        spread = f" ± {constant.standard_uncertainty:.2g}" if constant.standard_uncertainty else ""
        value = f"{constant.value:.6g}{spread}{unit}"
        rows.append(
            (words(f"C{place}"), words(constant.key), words(value), words(constant.source), words(constant.mark.value, Tone.TAG))
        )
    marks = "Marks: found = read in the named source; derived = computed from it; unverified = not read in a source; assumed = a declared convention."
    blocks.append(Table(columns, tuple(rows), words(marks), dense=True))
    blocks.append(Heading(2, "Appendix C. Inputs", "appendix-inputs"))
    inputs = tuple((words(role), words(digest, Tone.CODE)) for role, digest in plan.input_sha256)
    of_inputs = (Column(words("Input"), 1.8), Column(words("SHA-256 of its content"), 6.0))
    blocks.append(Table(of_inputs, inputs, dense=True))
    blocks.append(Heading(2, "Appendix D. Parameters in force", "appendix-parameters"))
    named = (Column(words("Parameter"), 2.4), Column(words("Value"), 6.0))
    blocks.append(Table(named, tuple((words(name), words(_stated(value))) for name, value in plan.parameters), dense=True))
    blocks.append(Paragraph(words(f"opensirt {plan.program_version} · {plan.schema} {plan.version}", Tone.SOFT), small=True))
    return blocks

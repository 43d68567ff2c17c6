"""Tables that other parts of the program put into a plan, made ready for a page: each with heading, note and literature."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opensirt.radioembolisation.treatment.proposal import Cell, PlanProposal, PlanTable
from opensirt.reports.document import AnyBlock, Column, Entry, Heading, Inline, Run, Shown, Table, Tone, Words
from opensirt.reports.explanations import NOTHING, Explanations
from opensirt.reports.numbers import interval_text, told, value_text

_NUMBER = re.compile(r"[<>≤≥~×]?\s*[+−-]?\d")
_HEAD_UNIT = re.compile(r", (\S+)$|\((\S+)\)$")
_DECAY = "A(t) = A_cal · 2^(−t / T½), T½ among the constants of appendix B"
_DELIVERED = "delivered = (1 − R) · Σ A(t) of the vials of an injection; against plan: delivered / planned − 1"
TEXT_RULES = {
    "order": f"{_DECAY}; spheres = activity at calibration / activity per sphere at calibration",
    "order_injections": f"{_DECAY}; {_DELIVERED}; to dispense = planned / (1 − R)",
    "schedule": f"{_DECAY}; {_DELIVERED}; each dose scales with the activities delivered at that instant, by the doses per GBq of the plan",
    "models": "the formula of every model stands at its activity and in the methods; numbers in words are the levels that set it",
    "model_reasons": "ratio of the activities of two models, split by the assumptions in which they differ; the factors multiply up to the ratio",
    "radiobiology": "the formula of every quantity stands at its number and in the methods",
    "dvh_metrics": "D_x is the least dose of the x % most dosed, V_x the share with at least x Gy; shares of the variance come from the budget",
    "late_effects": "figures as published, or from the formula at the number beside them",
    "eligibility": "levels and values as stated by the criterion's source and in the case",
}
"""By the key of a table: how its numbers that stand as text come about."""
_SHORTEST, _LONGEST = 5.0, 44.0
"""Letters between which the longest text of a column counts towards its width."""
_LETTERS_ACROSS = 112.0
"""Letters of small type that stand side by side on paper, the room between columns counted."""
_GAP, _WIDER = 1.8, 1.1
"""Letters of room beside a column; room for a word that may hold wide letters."""
_SHORT_TEXT = 16


def tables_named(plan: PlanProposal, keys: Sequence[str], why: Explanations) -> list[AnyBlock]:
    """Blocks of the plan's tables of those keys, in the order of the plan; nothing where it has none.

    Numbers of the plan keep their own entries; numbers that stand as text are explained by one entry for the whole table. A table
    too wide for paper is cut into several that repeat its first column.
    """
    blocks: list[AnyBlock] = []
    for place, table in enumerate(plan.tables):
        if table.key in keys:
            blocks += _blocks(plan, table, place, why)
    return blocks


def table_entry(table: PlanTable, place: int, why: Explanations) -> str:
    """Key of the entry for the numbers that stand as text in a table; empty where there is none."""
    texts = [cell.text for row in table.rows for cell in row if cell.text and not cell.number_key]
    if not any(_NUMBER.match(text) for text in texts):
        return ""
    label = f"Numbers of the table: {table.title}"
    rule = TEXT_RULES.get(
        table.key, "each number is read or computed as the note and the sources of the table say; formulae stand in the methods"
    )
    formula = f"{rule}. {_capital(table.note)}" if table.note else rule
    return why.add(
        Entry(f"table.{place}", 0, f"x-table-{place}", label, "", "", "", formula, table.title, 0, "1", sources=table.sources)
    )


@dataclass(frozen=True)
class _Part:
    """The columns of a table that stand side by side on one sheet, by their places."""

    places: tuple[int, ...]
    widths: tuple[float, ...]


def _blocks(plan: PlanProposal, table: PlanTable, place: int, why: Explanations) -> list[AnyBlock]:
    labels = {structure.key: structure.label for structure in plan.structures}
    anchor = f"t-{place}-{''.join(c if c.isalnum() and c.isascii() else '-' for c in table.key)}"
    entry = table_entry(table, place, why)
    caption: list[Inline] = [Shown("Numbers without an entry of their own", entry), Run(". ")] if entry else []
    if table.note:
        caption.append(Run(_capital(told(table.note, labels))))
    below: Words = (Run(f"Literature: {'; '.join(table.sources)}.", Tone.SOFT),) if table.sources else ()
    blocks: list[AnyBlock] = [Heading(3, table.title, anchor)]
    parts = _parts(plan, table, labels)
    for number, part in enumerate(parts, start=1):
        columns = tuple(
            Column((Run(_capital(told(table.columns[n], labels))),), width, _is_numeric(table, n))
            for n, width in zip(part.places, part.widths, strict=True)
        )
        rows = tuple(tuple(_cell(row[n], unit_of(table.columns[n]), entry, labels, why) for n in part.places) for row in table.rows)
        above: Words = tuple(caption) if number == 1 else (Run(f"{table.title}, continued", Tone.SOFT),)
        blocks.append(Table(columns, rows, above, dense=True, below=below if number == len(parts) else ()))
    return blocks


def _capital(text: str) -> str:
    """The first word with a capital unless it is a symbol such as gEUD."""
    first = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if first.islower() and len(first) > 1 else text


def unit_of(title: str) -> str:
    """The unit that a column's head states: ``BED, Gy`` → ``Gy``, ``BED (Gy)`` → ``Gy``; empty where it states none."""
    found = _HEAD_UNIT.search(title)
    return found.group(1) or found.group(2) if found else ""


def _cell(cell: Cell, unit: str, entry: str, labels: Mapping[str, str], why: Explanations) -> Words:
    if cell.number_key:
        return (why.shown(cell.number_key, unit=not (unit and unit == why.unit(cell.number_key))),)
    if not cell.text:
        return (NOTHING,)
    text = told(cell.text, labels)
    return (Shown(text, entry, marked=False),) if entry and _NUMBER.match(cell.text) else (Run(text),)


def _is_numeric(table: PlanTable, column: int) -> bool:
    """Whether a column is set flush right: all of it short numbers that stand as text."""
    texts = [row[column].text for row in table.rows if row[column].text]
    keys = [row[column].number_key for row in table.rows if row[column].number_key]
    return bool(texts) and not keys and all(_NUMBER.match(text) and len(text) <= _SHORT_TEXT for text in texts)


def _parts(plan: PlanProposal, table: PlanTable, labels: Mapping[str, str]) -> tuple[_Part, ...]:
    """Columns in as many sheets as paper needs: no word is broken, the first column stands on every sheet."""
    known = {number.key: (f"{value_text(number)}\u00a0[99]", f"({interval_text(number)})") for number in plan.numbers}
    least, wanted = [], []
    for n, title in enumerate(table.columns):
        texts = [told(row[n].text, labels) for row in table.rows if row[n].text]
        pairs = [known[row[n].number_key] for row in table.rows if row[n].number_key in known]
        words = [w for text in (told(title, labels), *texts) for w in text.split(" ")] + [w for pair in pairs for w in pair]
        lengths = [len(text) for text in texts] + [len(" ".join(pair)) for pair in pairs]
        least.append(max(_SHORTEST, _WIDER * max((len(w) for w in words), default=0)) + _GAP)
        wanted.append(max(least[-1], min(max(lengths, default=0), _LONGEST) + _GAP))
    across = _LETTERS_ACROSS
    parts = _cut(least, across)
    while len(_cut(least, 0.95 * across)) == len(parts) > 1:  # sheets of like width rather than a full one and a rest
        across *= 0.95
        parts = _cut(least, across)
    return tuple(_Part(tuple(part), _shared(part, least, wanted)) for part in parts)


def _cut(least: Sequence[float], across: float) -> list[list[int]]:
    """Columns by their places, sheet by sheet: as many as fit ``across`` beside the first."""
    parts: list[list[int]] = [[]]
    for n, width in enumerate(least):
        if len(parts[-1]) > 1 and sum(least[m] for m in parts[-1]) + width > across:
            parts.append([0])
        parts[-1].append(n)
    return parts


def _shared(part: Sequence[int], least: Sequence[float], wanted: Sequence[float]) -> tuple[float, ...]:
    """Widths of the columns of one sheet: what each needs at least, the rest by what each would like."""
    spare = max(_LETTERS_ACROSS - sum(least[n] for n in part), 0.0)
    more = [wanted[n] - least[n] for n in part]
    total = sum(more)
    if total <= 0.0:
        return tuple(least[n] for n in part)
    return tuple(least[n] + more[place] * min(1.0, spare / total) for place, n in enumerate(part))

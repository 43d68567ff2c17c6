"""Tables that other parts of the program put into a plan, made ready for a page: each with heading, note and literature."""

from __future__ import annotations

import re
from collections.abc import Sequence

from opensirt.radioembolisation.treatment.proposal import Cell, PlanProposal, PlanTable
from opensirt.reports.document import AnyBlock, Column, Entry, Heading, Inline, Run, Shown, Table, Tone, Words
from opensirt.reports.explanations import NOTHING, Explanations
from opensirt.reports.numbers import interval_text, value_text

_NUMBER = re.compile(r"[<>≤≥~]?\s*[+−-]?\d")
_SHORTEST, _LONGEST = 6, 44
"""Characters between which the widest cell of a column counts towards its width."""
_MANY_COLUMNS = 6
_LETTERS = 1.4
"""Room for a word of a head, in letters of the wide sort."""


def tables_named(plan: PlanProposal, keys: Sequence[str], why: Explanations) -> list[AnyBlock]:
    """Blocks of the plan's tables of those keys, in the order of the plan; nothing where it has none.

    Numbers of the plan keep their own entries; numbers that stand as text are explained by one entry for the whole table.
    """
    blocks: list[AnyBlock] = []
    for place, table in enumerate(plan.tables):
        if table.key in keys:
            blocks += _blocks(plan, table, place, why)
    return blocks


def _blocks(plan: PlanProposal, table: PlanTable, place: int, why: Explanations) -> list[AnyBlock]:
    anchor = f"t-{place}-{''.join(c if c.isalnum() and c.isascii() else '-' for c in table.key)}"
    entry = _table_entry(table, place, why)
    caption: list[Inline] = [Shown("Numbers without an entry of their own", entry), Run(". ")] if entry else []
    if table.note:
        caption.append(Run(table.note))
    widths = _widths(plan, table)
    columns = tuple(
        Column((Run(title),), width, _is_numeric(table, n))
        for n, (title, width) in enumerate(zip(table.columns, widths, strict=True))
    )
    rows = tuple(tuple(_cell(cell, entry, why) for cell in row) for row in table.rows)
    below: Words = (Run(f"Literature: {'; '.join(table.sources)}.", Tone.SOFT),) if table.sources else ()
    return [Heading(3, table.title, anchor), Table(columns, rows, tuple(caption), dense=True, below=below)]


def _table_entry(table: PlanTable, place: int, why: Explanations) -> str:
    texts = [cell.text for row in table.rows for cell in row if cell.text and not cell.number_key]
    if not any(_NUMBER.match(text) for text in texts):
        return ""
    label = f"Numbers of the table: {table.title}"
    formula = table.note or "as stated by the sources"
    return why.add(
        Entry(f"table.{place}", 0, f"x-table-{place}", label, "", "", "", formula, table.title, 0, "1", sources=table.sources)
    )


def _cell(cell: Cell, entry: str, why: Explanations) -> Words:
    if cell.number_key:
        return (why.shown(cell.number_key),)
    if not cell.text:
        return (NOTHING,)
    return (Shown(cell.text, entry, marked=False),) if entry and _NUMBER.match(cell.text) else (Run(cell.text),)


def _is_numeric(table: PlanTable, column: int) -> bool:
    """Whether a column is set flush right: all of it short numbers that stand as text."""
    texts = [row[column].text for row in table.rows if row[column].text]
    keys = [row[column].number_key for row in table.rows if row[column].number_key]
    return bool(texts) and not keys and all(_NUMBER.match(text) and len(text) <= 14 for text in texts)


def _widths(plan: PlanProposal, table: PlanTable) -> tuple[float, ...]:
    known = {number.key: f"{value_text(number)} ({interval_text(number)})" for number in plan.numbers}
    longest = _LONGEST if len(table.columns) <= _MANY_COLUMNS else _LONGEST // 2
    widths = []
    for n, title in enumerate(table.columns):
        lengths: list[float] = [len(row[n].text or known.get(row[n].number_key, "")) for row in table.rows]
        words: list[float] = [len(word) for row in table.rows for word in row[n].text.split()] + [
            _LETTERS * len(word) for word in title.split()
        ]
        widths.append(float(min(max(_SHORTEST, *words, *lengths, 1), longest)))
    return tuple(widths)

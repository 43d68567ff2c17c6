"""A report before it is paper or screen: frozen blocks in reading order, and the entries that explain every number on them.

One :class:`ReportDocument` is rendered by :mod:`opensirt.reports.html` and by :mod:`opensirt.reports.pdf`; neither adds a fact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from opensirt.reports.charts import LineChart
from opensirt.vocabulary.findings import Finding
from opensirt.vocabulary.provenance import Constant, Input


class Tone(Enum):
    """How a run of text is set."""

    PLAIN = "plain"
    STRONG = "strong"
    SOFT = "soft"
    CODE = "code"
    TAG = "tag"
    BINDING = "binding"
    SEVERE = "severe"


@dataclass(frozen=True)
class Run:
    """A piece of text in one tone."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Shown:
    """A number as it stands on a page: its text, its 90 % interval, and the entry of the appendix that explains it.

    ``marked`` tells whether the entry's number is printed beside it (tables whose cells share one entry print it once).
    """

    text: str
    entry: str
    interval: str = ""
    strong: bool = False
    marked: bool = True


@dataclass(frozen=True)
class Bar:
    """A horizontal bar of ``share`` (0–1) of the cell's width."""

    share: float


@dataclass(frozen=True)
class TickBox:
    """An empty box for a pen."""


@dataclass(frozen=True)
class Sample:
    """A short piece of a contour's line, for a legend: colour as ``#rrggbb`` and the line's dashes in points."""

    colour: str
    dashes: tuple[float, ...] = ()
    width: float = 1.4


@dataclass(frozen=True)
class LineEnd:
    """A line break inside a cell or paragraph."""


Inline = Run | Shown | Bar | TickBox | Sample | LineEnd
Words = tuple[Inline, ...]


@dataclass(frozen=True)
class Heading:
    """A heading of level 1 (the document) to 3; ``anchor`` is where links and the outline point."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True)
class Paragraph:
    """Running text; ``small`` for remarks."""

    words: Words
    small: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list of remarks."""

    items: tuple[Words, ...]


@dataclass(frozen=True)
class Column:
    """Head and share of the width of one column."""

    title: Words
    width: float = 1.0
    right: bool = False


@dataclass(frozen=True)
class Table:
    """A table; rows are as long as ``columns``, ``quiet`` ones (by index) are set back; ``below`` is what stands under it."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Words, ...], ...]
    caption: Words = ()
    quiet: tuple[int, ...] = ()
    dense: bool = False
    below: Words = ()


@dataclass(frozen=True)
class Findings:
    """Findings in full, the gravest first."""

    findings: tuple[Finding, ...]
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Figure:
    """A picture (PNG) with its caption; ``alt`` says what is seen to those who do not see it."""

    png: bytes
    alt: str
    caption: Words


@dataclass(frozen=True)
class Chart:
    """A line chart, drawn as vectors."""

    chart: LineChart
    alt: str
    caption: Words


@dataclass(frozen=True)
class Signatures:
    """Empty lines for the persons who answer: (what they sign for) each."""

    roles: tuple[str, ...]


@dataclass(frozen=True)
class BudgetLine:
    """One source of a number's uncertainty: signed contribution as text, share of the variance (0–1)."""

    source: str
    contribution: str
    share: float


@dataclass(frozen=True)
class Entry:
    """Everything that explains one number: an entry of the appendix on paper, a panel that opens on screen.

    ``number`` counts from 1 in order of first appearance; ``constants`` are numbers of the appendix's table of constants.
    """

    key: str
    number: int
    anchor: str
    label: str
    value: str
    interval: str
    spread: str
    formula: str
    method: str
    method_number: int
    version: str
    inputs: tuple[Input, ...] = ()
    constants: tuple[int, ...] = ()
    budget: tuple[BudgetLine, ...] = ()
    sources: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    """(role, hash) of the volumes behind it; the role is empty where the plan does not name it."""


@dataclass(frozen=True)
class Entries:
    """The entries of the appendix, at the place where they are printed."""


@dataclass(frozen=True)
class PageBreak:
    """What follows begins on a new page."""


Block = Heading | Paragraph | Bullets | Table | Findings | Figure | Chart | Signatures | Entries | PageBreak


@dataclass(frozen=True)
class OnePage:
    """Blocks that belong on one page together; set smaller, never cut, where they are too long."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Folded:
    """Blocks of second rank: folded behind ``summary`` on screen, in full on paper."""

    summary: str
    blocks: tuple[Block, ...]


AnyBlock = Block | OnePage | Folded


@dataclass(frozen=True)
class ReportDocument:
    """A whole report.

    Attributes
    ----------
    title : str
        Of the document; holds no name of a person.
    case_id, program_version, plan_sha256 : str
        Printed at the foot of every page; ``plan_sha256`` is the hash of ``plan.json`` as written.
    created_at : datetime
        When the plan was made: the document's date, so that the same plan gives the same bytes.
    synthetic : bool
        Marks every page and every picture.
    blocks : tuple
        In reading order.
    entries : tuple of Entry
        By ``number``.
    constants : tuple of Constant
        In the order of their numbers, from 1.
    """

    title: str
    case_id: str
    program_version: str
    plan_sha256: str
    created_at: datetime
    synthetic: bool
    blocks: tuple[AnyBlock, ...]
    entries: tuple[Entry, ...]
    constants: tuple[Constant, ...]

    def entry(self, key: str) -> Entry:
        """The entry of that key; KeyError where there is none."""
        for entry in self.entries:
            if entry.key == key:
                return entry
        raise KeyError(key)

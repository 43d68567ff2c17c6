"""A report as PDF on A4: the same document, the same bytes. Fonts are embedded, nothing on a page depends on the day or the place."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from PIL import Image as PictureFile
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    Image,
    KeepTogether,
    PageTemplate,
    Spacer,
)
from reportlab.platypus import PageBreak as NewPage
from reportlab.platypus import Paragraph as Text
from reportlab.platypus import Table as Grid

from opensirt.reports import pdf_parts as parts
from opensirt.reports.document import (
    AnyBlock,
    Bullets,
    Chart,
    Entries,
    Entry,
    Figure,
    Findings,
    Folded,
    Heading,
    OnePage,
    PageBreak,
    Paragraph,
    ReportDocument,
    Run,
    Signatures,
    Table,
    Tone,
    Words,
)
from opensirt.reports.explanations import entry_facts
from opensirt.reports.numbers import told

WIDTH, HEIGHT = A4
LEFT, RIGHT, TOP, BOTTOM = 15 * mm, 15 * mm, 17 * mm, 17 * mm
COLUMN = WIDTH - LEFT - RIGHT
PAGE_ROOM = HEIGHT - TOP - BOTTOM
SCALES = (0.999, 0.96, 0.92, 0.88, 0.84, 0.8)
"""Sizes tried, one after the other, for blocks that belong on one page; below them the page is let run on."""
SYNTHETIC = "SYNTHETIC – NOT A PATIENT"
_LEAST_BELOW_HEADING = 34 * mm
"""Room without which a heading begins on the next page."""
_HEADING = 10 * mm
_NARROW = 31 * mm
"""Columns narrower than this show a number's interval below it."""
_CELL_PADDING = 6.0
"""Points left and right of a cell's text, together."""
_KEPT_WHOLE = 12
"""Rows up to which a table is not torn apart."""
_CHART, _SECOND_CHART = 262.0, 150.0
"""Heights of a chart of first and of second rank, points."""
_SEVERITY = {"critical": ("CRITICAL", parts.SEVERE, 3.5), "warning": ("WARNING", "#8a5a00", 1.6), "note": ("NOTE", parts.SOFT, 0.6)}


@dataclass(frozen=True)
class _Page:
    """What every block may need to know of the whole, and the size it is set in."""

    document: ReportDocument
    by_key: dict[str, Entry]
    styles: parts.Styles

    chart_height: float = _CHART

    def text(self, words: Words, style: Any, *, stacked: bool = False) -> Text:
        return Text(parts.markup(words, self.by_key, stacked=stacked), style)


class _Outlined(Text):  # type: ignore[misc]
    """A heading that puts itself into the outline."""

    def __init__(self, heading: Heading, style: Any) -> None:
        super().__init__(parts.text_of(heading.text), style)
        self.heading = heading

    def draw(self) -> None:
        """Paint the heading, set its bookmark and its line of the outline."""
        self.canv.bookmarkHorizontal(self.heading.anchor, 0.0, self.height + 6.0)
        level = max(self.heading.level - 2, 0)
        self.canv.addOutlineEntry(
            self.heading.text, self.heading.anchor, level=level, closed=level == 0 and self.heading.level == 2
        )
        super().draw()
        if self.heading.level == 2:
            self.canv.setStrokeColor(parts.LINE_COLOUR)
            self.canv.setLineWidth(0.6)
            self.canv.line(0.0, -1.5, self.width, -1.5)


class _CountedCanvas(Canvas):  # type: ignore[misc]
    """A canvas that knows only at its end how many pages there are: every foot refers to one form that is drawn last."""

    def save(self) -> None:
        """Draw the form that holds the number of pages, then write the file."""
        self.beginForm("page-count", 0, 0, 30, 10)
        self.setFont(parts.REGULAR, 6.5)
        self.setFillColor(parts.SOFT_COLOUR)
        self.drawString(0, 0, str(self.getPageNumber() - 1))
        self.endForm()
        super().save()


def render_pdf(document: ReportDocument) -> bytes:
    """The report as PDF.

    Parameters
    ----------
    document : ReportDocument
        What is said.

    Returns
    -------
    bytes
        PDF 1.4; the same document gives the same bytes in every process.
    """
    parts.prepare()
    page = _Page(document, {entry.key: entry for entry in document.entries}, parts.styles(1.0))
    story = _story(document.blocks, page)
    buffer = io.BytesIO()
    template = BaseDocTemplate(
        buffer, pagesize=A4, leftMargin=LEFT, rightMargin=RIGHT, topMargin=TOP, bottomMargin=BOTTOM, title=document.title,
        author="opensirt", subject=f"case {document.case_id}, plan.json SHA-256 {document.plan_sha256}", creator=f"opensirt {document.program_version}",
        lang="en-GB", displayDocTitle=1, invariant=1, pageCompression=1, initialFontName=parts.REGULAR,
    )  # fmt: skip
    frame = Frame(LEFT, BOTTOM, COLUMN, PAGE_ROOM, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0)
    template.addPageTemplates(PageTemplate("page", [frame], onPage=lambda canvas, _: _margins(canvas, document)))
    template.build(story, canvasmaker=_CountedCanvas)
    return buffer.getvalue()


def _margins(canvas: Canvas, document: ReportDocument) -> None:
    """Head, foot and mark of a page, painted beneath its content."""
    if canvas.getPageNumber() == 1:
        made = document.created_at.astimezone(UTC)
        canvas.setDateFormatter(lambda *_: f"D:{made:%Y%m%d%H%M%S}+00'00'")
    canvas.saveState()
    if document.synthetic:
        _mark(canvas)
    canvas.setFont(parts.REGULAR, 6.5)
    canvas.setFillColor(parts.SOFT_COLOUR)
    canvas.setStrokeColor(parts.LINE_COLOUR)
    canvas.setLineWidth(0.5)
    canvas.line(LEFT, BOTTOM - 3 * mm, WIDTH - RIGHT, BOTTOM - 3 * mm)
    canvas.drawString(LEFT, BOTTOM - 6.2 * mm, f"Case {document.case_id} · opensirt {document.program_version}")
    canvas.drawString(LEFT, BOTTOM - 9.4 * mm, f"plan.json SHA-256 {document.plan_sha256}")
    place = f"page {canvas.getPageNumber()} of "
    at = WIDTH - RIGHT - 8 * mm
    canvas.drawRightString(at, BOTTOM - 6.2 * mm, place)
    canvas.translate(at, BOTTOM - 6.2 * mm)
    canvas.doForm("page-count")
    canvas.restoreState()


def _mark(canvas: Canvas) -> None:
    canvas.saveState()
    canvas.setFillColor(HexColor("#f6f0f4"))
    canvas.translate(WIDTH / 2.0, HEIGHT / 2.0)
    canvas.rotate(52.0)
    canvas.setFont(parts.BOLD, 96.0)
    canvas.drawCentredString(0.0, -30.0, "SYNTHETIC")
    canvas.restoreState()
    canvas.setFillColor(HexColor(parts.MARK))
    canvas.rect(LEFT, HEIGHT - 12.5 * mm, COLUMN, 5.5 * mm, stroke=0, fill=1)
    canvas.setFillColor(HexColor("#ffffff"))
    canvas.setFont(parts.BOLD, 8.5)
    canvas.drawCentredString(WIDTH / 2.0, HEIGHT - 10.8 * mm, SYNTHETIC)


def _story(blocks: Sequence[AnyBlock], page: _Page) -> list[Flowable]:
    """The flowables of blocks in order; a heading never stands without what it heads."""
    story: list[Flowable] = []
    waiting: list[Flowable] = []
    for block in blocks:
        if isinstance(block, Heading):
            waiting.append(_Outlined(block, page.styles.headings[block.level - 1]))
            continue
        render: Callable[[Any, _Page], list[Flowable]] = _RENDERERS[type(block)]
        flow = render(block, page)
        if waiting and flow and isinstance(flow[0], KeepTogether):
            flow = [KeepTogether([*waiting, *flow[0]._content]), *flow[1:]]
        elif waiting and flow:
            flow = flow[1:] if isinstance(flow[0], CondPageBreak) else flow  # else it could part the heading from its table
            flow = [CondPageBreak(_LEAST_BELOW_HEADING + _HEADING * len(waiting)), *waiting, *flow]
        story += flow
        waiting = []
    return [*story, *waiting]


def _paragraph(block: Paragraph, page: _Page) -> list[Flowable]:
    return [page.text(block.words, page.styles.small if block.small else page.styles.body)]


def _bullets(block: Bullets, page: _Page) -> list[Flowable]:
    return [Text(f"<bullet>–</bullet>{parts.markup(item, page.by_key)}", page.styles.listed) for item in block.items]


def _table(block: Table, page: _Page) -> list[Flowable]:
    total = sum(column.width for column in block.columns)
    widths = [COLUMN * column.width / total for column in block.columns]
    style = page.styles
    left, right = (style.dense, style.dense_right) if block.dense else (style.cell, style.cell_right)
    cells: list[list[Any]] = []
    headed = any(column.title for column in block.columns)
    if headed:
        heads = zip(block.columns, widths, strict=True)
        cells.append(
            [page.text(_breakable(c.title, w, style.head.fontSize), style.head_right if c.right else style.head) for c, w in heads]
        )
    for place, row in enumerate(block.rows):
        line: list[Any] = []
        for words, column, width in zip(row, block.columns, widths, strict=True):
            set_back = tuple(Run(i.text, Tone.SOFT) if isinstance(i, Run) else i for i in words) if place in block.quiet else words
            picture = parts.drawn_cell(words, width - _CELL_PADDING, style.scale)
            stacked = width < _NARROW and not column.right
            line.append(picture or page.text(set_back, right if column.right else left, stacked=stacked))
        cells.append(line)
    if not cells:
        return [page.text((Run("None."),), style.small)]
    grid = Grid(cells, widths, repeatRows=1 if headed else 0, style=_table_style(headed, style.scale, block.dense), hAlign="LEFT")
    above = [page.text(block.caption, style.small)] if block.caption else []
    below = [*([Spacer(1, 2.0), page.text(block.below, style.small)] if block.below else []), Spacer(1, 4.0 * style.scale)]
    if len(block.rows) <= _KEPT_WHOLE and style.scale == 1.0:
        return [KeepTogether([*above, grid, *below])]
    return [CondPageBreak(_LEAST_BELOW_HEADING), *above, grid, *below]


def _breakable(title: Words, width: float, size: float) -> Words:
    """A column's head whose words may break at their last hyphen where they are wider than the column."""

    def broken(word: str) -> str:
        head, hyphen, tail = word.rpartition("-")
        return f"{head}- {tail}" if hyphen and stringWidth(word, parts.REGULAR, size) > width - _CELL_PADDING else word

    return tuple(Run(" ".join(broken(w) for w in i.text.split(" ")), i.tone) if isinstance(i, Run) else i for i in title)


def _table_style(headed: bool, scale: float, dense: bool) -> list[tuple[Any, ...]]:
    padding = (1.5 if dense else 2.4) * scale
    commands: list[tuple[Any, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), 4),
        ("TOPPADDING", (0, 0), (-1, -1), padding),
        ("BOTTOMPADDING", (0, 0), (-1, -1), padding),
        ("LINEBELOW", (0, 0), (-1, -1), 0.35, parts.LINE_COLOUR),
    ]
    if headed:
        commands += [("LINEBELOW", (0, 0), (-1, 0), 0.8, parts.SOFT_COLOUR), ("VALIGN", (0, 0), (-1, 0), "BOTTOM")]
    return commands


def _findings(block: Findings, page: _Page) -> list[Flowable]:
    labels = dict(block.labels)
    story: list[Flowable] = []
    for finding in block.findings:
        word, colour, thickness = _SEVERITY[finding.severity.value]
        about = f" · {labels.get(finding.about) or told(finding.about, labels).replace('_', ' ')}" if finding.about else ""
        text = (
            f'<font color="{colour}"><b>{word}</b></font>{parts.text_of(about)}<br/>{parts.text_of(told(finding.message, labels))}'
        )
        if finding.source:
            text += f' <font color="{parts.SOFT}">[{parts.text_of(finding.source)}]</font>'
        style = [
            ("LINEBEFORE", (0, 0), (0, 0), thickness, HexColor(colour)),
            ("LEFTPADDING", (0, 0), (-1, -1), 8),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ]
        story += [Grid([[Text(text, page.styles.cell)]], [COLUMN], style=style), Spacer(1, 3.5)]
    return story


def _picture_height(block: Figure) -> float:
    with PictureFile.open(io.BytesIO(block.png)) as picture:
        return float(COLUMN * picture.size[1] / picture.size[0])


def _figure(block: Figure, page: _Page) -> list[Flowable]:
    image = Image(io.BytesIO(block.png), COLUMN, _picture_height(block))
    return [KeepTogether([image, Spacer(1, 2), page.text(block.caption, page.styles.small), Spacer(1, 5)])]


def _chart(block: Chart, page: _Page) -> list[Flowable]:
    chart = parts.ChartDrawing(block.chart, COLUMN, page.chart_height)
    return [KeepTogether([chart, Spacer(1, 2), page.text(block.caption, page.styles.small), Spacer(1, 5)])]


def _signatures(block: Signatures, page: _Page) -> list[Flowable]:
    style = page.styles
    heads = [Text(text, style.head) for text in ("", "Name", "Date and time", "Signature")]
    rows: list[list[Any]] = [heads, *([Text(parts.text_of(role), style.dense), "", "", ""] for role in block.roles)]
    widths = [COLUMN * share for share in (0.36, 0.23, 0.17, 0.24)]
    commands: list[tuple[Any, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "BOTTOM"),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
    ]
    commands += [("LINEBELOW", (column, 1), (column, -1), 0.7, parts.INK_COLOUR) for column in (1, 2, 3)]
    commands += [("TOPPADDING", (0, 0), (-1, 0), 0)]
    heights = [9.0 * style.scale] + [8.6 * mm * style.scale] * len(block.roles)
    return [Grid(rows, widths, rowHeights=heights, style=commands, hAlign="LEFT")]


def _entries(block: Entries, page: _Page) -> list[Flowable]:
    story: list[Flowable] = []
    for entry in page.document.entries:
        value = f": {entry.value}" + (f" ({entry.interval})" if entry.interval else "") if entry.value else ""
        facts = parts.text_of(" · ".join(entry_facts(entry)))
        head = f'<bullet>{entry.number}</bullet><a name="{entry.anchor}"/><b>{parts.text_of(entry.label + value)}</b>'
        text = f'{head}<br/>{parts.text_of(entry.formula)}<br/><font color="{parts.SOFT}">{facts}</font>'
        story.append(Text(text, page.styles.entry))
    return story


def _one_page(block: OnePage, page: _Page) -> list[Flowable]:
    """The blocks in the largest size at which they fit one page; in the smallest, running on, where none fits."""
    story: list[Flowable] = []
    for scale in SCALES:
        smaller = _Page(page.document, page.by_key, parts.styles(scale))
        story = [flowable for flowable in _story(block.blocks, smaller) if not isinstance(flowable, CondPageBreak)]
        if _height(story) <= PAGE_ROOM - 2.0:
            break
    return [*story, NewPage()]


def _height(story: Sequence[Flowable]) -> float:
    """Height of flowables one below the other: of two neighbours the larger gap counts."""
    total, gap = 0.0, 0.0
    for place, flowable in enumerate(story):
        before = flowable.getSpaceBefore() if place else 0.0
        total += max(gap, before) + flowable.wrap(COLUMN, PAGE_ROOM)[1]
        gap = flowable.getSpaceAfter()
    return total


def _folded(block: Folded, page: _Page) -> list[Flowable]:
    smaller = _Page(page.document, page.by_key, page.styles, _SECOND_CHART)
    inner = _story(block.blocks, smaller)
    if any(isinstance(one, Chart | Figure) for one in block.blocks):
        return inner  # their captions say what they are
    return [CondPageBreak(_LEAST_BELOW_HEADING), Text(parts.text_of(block.summary), page.styles.headings[2]), *inner]


_RENDERERS: dict[type, Callable[[Any, _Page], list[Flowable]]] = {
    Paragraph: _paragraph,
    Bullets: _bullets,
    Table: _table,
    Findings: _findings,
    Figure: _figure,
    Chart: _chart,
    Signatures: _signatures,
    Entries: _entries,
    PageBreak: lambda block, page: [NewPage()],
    OnePage: _one_page,
    Folded: _folded,
}

"""What a PDF page is made of: fonts, styles, text with cross references, and drawings as vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib as mpl
from markupsafe import escape
from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable

from opensirt.reports.charts import INK, Area, Drawing, Line, LineChart, drawn
from opensirt.reports.document import Bar, Entry, Inline, LineEnd, Run, Sample, Shown, TickBox, Tone, Words

REGULAR, BOLD, MONO = "opensirt-sans", "opensirt-sans-bold", "opensirt-mono"
_FILES = {REGULAR: "DejaVuSans.ttf", BOLD: "DejaVuSans-Bold.ttf", MONO: "DejaVuSansMono.ttf"}
SOFT, LINE, ACCENT, SEVERE, MARK = "#4b5563", "#c4c9d1", "#0b5394", "#a61b1b", "#7a1f5c"
INK_COLOUR, SOFT_COLOUR, LINE_COLOUR = HexColor(INK), HexColor(SOFT), HexColor(LINE)
_THICK = 1.5
_LONG_DASH = 3.0
"""Points: a longer dash is written as a stroke, a shorter one as a dot, in the legend of contours."""


@lru_cache(maxsize=1)
def prepare() -> None:
    """Make the DejaVu fonts known, which come with matplotlib (free licence of Bitstream Vera); they are embedded as subsets.

    Streams are written as they are, not as letters: ReportLab's default costs a third of the time and a quarter of the size.
    """
    rl_config.useA85 = 0
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    for name, file in _FILES.items():
        pdfmetrics.registerFont(TTFont(name, str(folder / file)))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)


@dataclass(frozen=True)
class Styles:
    """Paragraph styles at one scale (1 is 8.6 point running text)."""

    body: ParagraphStyle
    small: ParagraphStyle
    cell: ParagraphStyle
    cell_right: ParagraphStyle
    dense: ParagraphStyle
    dense_right: ParagraphStyle
    head: ParagraphStyle
    head_right: ParagraphStyle
    entry: ParagraphStyle
    listed: ParagraphStyle
    headings: tuple[ParagraphStyle, ParagraphStyle, ParagraphStyle]
    scale: float


@lru_cache(maxsize=8)
def styles(scale: float) -> Styles:
    """The styles, every size multiplied by ``scale``."""

    def style(name: str, size: float, leading: float, **more: object) -> ParagraphStyle:
        return ParagraphStyle(
            name, fontName=REGULAR, fontSize=size * scale, leading=leading * scale, textColor=INK_COLOUR, bulletFontName=BOLD,
            bulletFontSize=size * scale, **more,
        )  # fmt: skip

    body = style("body", 8.6, 11.6, spaceAfter=3.0 * scale)
    cell, dense = style("cell", 8.2, 10.6), style("dense", 7.2, 9.2)
    head = style("head", 6.8, 8.4)
    head.textColor = SOFT_COLOUR
    headings = (
        style("h1", 14.5, 18.0, spaceAfter=2.0 * scale),
        style("h2", 11.0, 14.0, spaceBefore=9.0 * scale, spaceAfter=3.0 * scale),
        style("h3", 9.0, 12.0, spaceBefore=7.0 * scale, spaceAfter=2.0 * scale),
    )
    for heading in headings:
        heading.fontName = BOLD
    entry = style(
        "entry", 6.7, 8.5, spaceAfter=3.6 * scale, leftIndent=22.0 * scale, bulletIndent=0.0, allowWidows=0, allowOrphans=0
    )
    listed = style("listed", 7.6, 10.0, spaceAfter=2.0 * scale, leftIndent=10.0 * scale, bulletIndent=0.0)
    return Styles(
        body, style("small", 7.2, 9.6, spaceAfter=3.0 * scale), cell, _flush_right(cell), dense, _flush_right(dense), head,
        _flush_right(head), entry, listed, headings, scale,
    )  # fmt: skip


def _flush_right(style: ParagraphStyle) -> ParagraphStyle:
    return ParagraphStyle(style.name + "-right", parent=style, alignment=2)


def text_of(text: str) -> str:
    """Text for a paragraph: escaped, thin spaces that no line may break at."""
    return str(escape(text.replace("\u202f", "\u00a0")))


def _soft(text: str) -> str:
    return f'<font color="{SOFT}">{text}</font>'


def _run(run: Run) -> str:
    text = text_of(run.text)
    match run.tone:
        case Tone.STRONG:
            return f"<b>{text}</b>"
        case Tone.SOFT:
            return _soft(text)
        case Tone.CODE:
            return f'<font name="{MONO}">{text}</font>'
        case Tone.TAG:
            return _soft(f"[{text}]")
        case Tone.SEVERE:
            return f'<font color="{SEVERE}"><b>{text}</b></font>'
        case Tone.BINDING:
            return f'<font color="{ACCENT}"><b>▸ {text}</b></font>'
        case _:
            return text


def _shown(shown: Shown, entries: dict[str, Entry], stacked: bool) -> str:
    text = text_of(shown.text)
    text = f"<b>{text}</b>" if shown.strong else text
    entry = entries[shown.entry]
    mark = f'\u00a0<a href="#{entry.anchor}"><font color="{ACCENT}" size="5.6">[{entry.number}]</font></a>' if shown.marked else ""
    if not shown.interval:
        return text + mark
    interval = _soft(text_of(f"({shown.interval})").replace(" ", "\u00a0"))
    interval = f'<font size="6.2">{interval}</font>' if stacked else interval
    return f"{text}{mark}<br/>{interval}" if stacked else f"{text} {interval}{mark}"


def _sample(sample: Sample) -> str:
    solid = "━━━" if sample.width >= _THICK else "───"
    strokes = "".join("─" if length >= _LONG_DASH else "·" for length in sample.dashes[::2])
    text = " ".join([strokes] * (3 if len(strokes) == 1 else 2)) if sample.dashes else solid
    return f'<font color="{sample.colour}"><b>{text.replace(" ", chr(0xA0))}</b></font>'


def markup(words: Words, entries: dict[str, Entry], *, stacked: bool = False) -> str:
    """Words as the markup of a paragraph, numbers with their interval (``stacked``: below them) and the number of their entry."""
    return "".join(_piece(inline, entries, stacked) for inline in words)


def _piece(inline: Inline, entries: dict[str, Entry], stacked: bool) -> str:
    match inline:
        case Run():
            return _run(inline)
        case Shown():
            return _shown(inline, entries, stacked)
        case Sample():
            return _sample(inline)
        case LineEnd():
            return "<br/>"
        case Bar() | TickBox():
            return ""  # drawn, not written: see drawn_cell


def drawn_cell(words: Words, width: float, scale: float) -> Flowable | None:
    """The drawing of a cell that holds a bar or a box to tick; None for a cell of text."""
    for inline in words:
        if isinstance(inline, Bar):
            return BarDrawing(inline.share, width, 6.5 * scale)
        if isinstance(inline, TickBox):
            return BoxDrawing(7.5 * scale)
    return None


class BarDrawing(Flowable):  # type: ignore[misc]
    """A bar on a pale ground of the whole width."""

    def __init__(self, share: float, width: float, height: float) -> None:
        super().__init__()
        self.share, self.width, self.height = min(max(share, 0.0), 1.0), width, height

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:
        """Size on the page, points."""
        return self.width, self.height + 2.0

    def draw(self) -> None:
        """Paint onto the page."""
        self.canv.setFillColor(HexColor("#eceef2"))
        self.canv.rect(0.0, 0.0, self.width, self.height, stroke=0, fill=1)
        self.canv.setFillColor(HexColor("#0072b2"))
        self.canv.rect(0.0, 0.0, self.width * self.share, self.height, stroke=0, fill=1)


class BoxDrawing(Flowable):  # type: ignore[misc]
    """An empty square for a pen."""

    def __init__(self, side: float) -> None:
        super().__init__()
        self.side = side

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:
        """Size on the page, points."""
        return self.side, self.side + 1.0

    def draw(self) -> None:
        """Paint onto the page."""
        self.canv.setStrokeColor(INK_COLOUR)
        self.canv.setLineWidth(0.8)
        self.canv.rect(0.0, 0.0, self.side, self.side, stroke=1, fill=0)


class ChartDrawing(Flowable):  # type: ignore[misc]
    """A line chart as vectors, as wide as the column."""

    def __init__(self, chart: LineChart, width: float, height: float) -> None:
        super().__init__()
        self.drawing: Drawing = drawn(chart, width, height)

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:
        """Size on the page, points."""
        return self.drawing.width, self.drawing.height

    def draw(self) -> None:
        """Paint onto the page."""
        for shape in self.drawing.shapes:
            self.canv.saveState()
            if isinstance(shape, Line | Area):
                self._paint(shape)
            else:
                x, y = shape.at
                self.canv.setFont(REGULAR, shape.size)
                self.canv.setFillColor(INK_COLOUR)
                self.canv.translate(x, self.drawing.height - y)
                if shape.upright:
                    self.canv.rotate(90.0)
                write = {"start": self.canv.drawString, "middle": self.canv.drawCentredString, "end": self.canv.drawRightString}
                write[shape.align](0.0, 0.0, shape.text)
            self.canv.restoreState()

    def _paint(self, shape: Line | Area) -> None:
        path = self.canv.beginPath()
        for place, (x, y) in enumerate(shape.points):
            (path.lineTo if place else path.moveTo)(x, self.drawing.height - y)
        colour = HexColor(shape.colour)
        if isinstance(shape, Area):
            self.canv.setFillColor(colour)
            self.canv.setFillAlpha(shape.opacity)
            self.canv.drawPath(path, stroke=0, fill=1)
            return
        self.canv.setStrokeColor(colour)
        self.canv.setLineWidth(shape.width)
        self.canv.setLineJoin(1)
        if shape.dashes:
            self.canv.setDash(list(shape.dashes))
        self.canv.drawPath(path, stroke=1, fill=0)

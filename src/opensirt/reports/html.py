"""A report as one HTML file that needs nothing else: no script, no network; every number opens its own explanation."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from opensirt.reports.charts import drawn, svg
from opensirt.reports.document import (
    AnyBlock,
    Bar,
    Bullets,
    Chart,
    Entries,
    Entry,
    Figure,
    Findings,
    Folded,
    Heading,
    Inline,
    LineEnd,
    OnePage,
    PageBreak,
    Paragraph,
    ReportDocument,
    Run,
    Sample,
    Shown,
    Signatures,
    Table,
    TickBox,
    Tone,
    Words,
)
from opensirt.reports.explanations import entry_facts
from opensirt.reports.numbers import told
from opensirt.vocabulary.units import PERCENT

_TONES: dict[Tone, str] = {
    Tone.PLAIN: "{}",
    Tone.STRONG: "<strong>{}</strong>",
    Tone.SOFT: '<span class="soft">{}</span>',
    Tone.CODE: "<code>{}</code>",
    Tone.TAG: '<span class="tag">{}</span>',
    Tone.SEVERE: '<strong class="severe">{}</strong>',
    Tone.BINDING: '<span class="tag binding">{}</span>',
}


@dataclass(frozen=True)
class _Page:
    """What every block may need to know of the whole."""

    document: ReportDocument
    by_key: dict[str, Entry]


def render_html(document: ReportDocument) -> str:
    """The report as HTML text.

    Parameters
    ----------
    document : ReportDocument
        What is said.

    Returns
    -------
    str
        One self-contained HTML 5 document.
    """
    page = _Page(document, {entry.key: entry for entry in document.entries})
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files("opensirt.reports") / "templates" / "report.html.j2").read_text("utf-8"))
    text: str = template.render(
        report=document,
        body=Markup("\n").join(_block(block, page) for block in document.blocks),
        panels=Markup("\n").join(_panel(entry, page) for entry in document.entries),
        outline=[block for block in _flat(document.blocks) if isinstance(block, Heading) and block.level == 2],
    )
    return text


def _flat(blocks: Sequence[AnyBlock]) -> list[AnyBlock]:
    found: list[AnyBlock] = []
    for block in blocks:
        found += _flat(block.blocks) if isinstance(block, OnePage | Folded) else [block]
    return found


def _tag(template: str, *values: Any) -> Markup:
    return Markup(template).format(*values)


def _inline(inline: Inline, page: _Page) -> Markup:
    match inline:
        case Run(text, tone):
            return _tag(_TONES[tone], text)
        case Shown():
            return _number(inline, page)
        case Bar(share):
            return _tag('<span class="bar"><i style="width:{}%"></i></span>', f"{PERCENT * min(max(share, 0.0), 1.0):.1f}")
        case TickBox():
            return Markup('<span class="box" role="img" aria-label="box to tick"></span>')
        case Sample(colour, dashes, width):
            pattern = _tag(' stroke-dasharray="{}"', " ".join(f"{d:g}" for d in dashes)) if dashes else Markup("")
            line = '<svg class="sample" viewBox="0 0 26 6" aria-hidden="true"><path d="M0 3H26" stroke="{}" stroke-width="{}"{}/></svg>'
            return _tag(line, colour, f"{1.6 * width:g}", pattern)
        case LineEnd():
            return Markup("<br>")


def _number(shown: Shown, page: _Page) -> Markup:
    entry = page.by_key[shown.entry]
    button = '<button class="num" popovertarget="{}" title="explain this number">{}</button>'
    text: Markup = _tag(button, entry.anchor, _tag("<strong>{}</strong>", shown.text) if shown.strong else shown.text)
    if shown.interval:
        text += _tag(' <span class="iv">({})</span>', shown.interval)
    if shown.marked:
        text += _tag('<span class="ref"> [{}]</span>', entry.number)
    return text


def _words(words: Words, page: _Page) -> Markup:
    return Markup("").join(_inline(inline, page) for inline in words)


def _block(block: AnyBlock, page: _Page) -> Markup:
    render: Callable[[Any, _Page], Markup] = _RENDERERS[type(block)]
    return render(block, page)


def _heading(block: Heading, page: _Page) -> Markup:
    return _tag("<h{0} id={1!r}>{2}</h{0}>".replace("{1!r}", '"{1}"'), block.level, block.anchor, block.text)


def _paragraph(block: Paragraph, page: _Page) -> Markup:
    return _tag('<p class="small">{}</p>' if block.small else "<p>{}</p>", _words(block.words, page))


def _bullets(block: Bullets, page: _Page) -> Markup:
    return _tag('<ul class="small">{}</ul>', Markup("").join(_tag("<li>{}</li>", _words(item, page)) for item in block.items))


def _table(block: Table, page: _Page) -> Markup:
    numeric = [Markup(' class="n"') if column.right else Markup("") for column in block.columns]
    total = sum(column.width for column in block.columns)
    widths = Markup("").join(_tag('<col style="width:{}%">', f"{PERCENT * c.width / total:.1f}") for c in block.columns)
    heads = Markup("").join(
        _tag("<th{}>{}</th>", extra, _words(c.title, page)) for c, extra in zip(block.columns, numeric, strict=True)
    )
    rows = []
    for place, row in enumerate(block.rows):
        cells = Markup("").join(_tag("<td{}>{}</td>", extra, _words(cell, page)) for cell, extra in zip(row, numeric, strict=True))
        rows.append(_tag('<tr class="soft">{}</tr>' if place in block.quiet else "<tr>{}</tr>", cells))
    head = _tag("<thead><tr>{}</tr></thead>", heads) if any(column.title for column in block.columns) else Markup("")
    caption = _tag("<caption>{}</caption>", _words(block.caption, page)) if block.caption else Markup("")
    below = _tag('<p class="small under">{}</p>', _words(block.below, page)) if block.below else Markup("")
    return _tag(
        '<div class="wide"><table{}>{}<colgroup>{}</colgroup>{}<tbody>{}</tbody></table>{}</div>',
        Markup(' class="dense"') if block.dense else Markup(""), caption, widths, head, Markup("\n").join(rows), below,
    )  # fmt: skip


def _findings(block: Findings, page: _Page) -> Markup:
    labels = dict(block.labels)
    parts = []
    for finding in block.findings:
        about = f" · {labels.get(finding.about) or told(finding.about, labels).replace('_', ' ')}" if finding.about else ""
        source = _tag(' <span class="soft small">[{}]</span>', finding.source) if finding.source else Markup("")
        parts.append(
            _tag(
                '<div class="finding {0}"><b>{0}</b>{1}<br>{2}{3}</div>',
                finding.severity.value,
                about,
                told(finding.message, labels),
                source,
            )
        )
    return Markup("\n").join(parts)


def _figure(block: Figure, page: _Page) -> Markup:
    data = "data:image/png;base64," + base64.b64encode(block.png).decode("ascii")
    return _tag('<figure><img src="{}" alt="{}"><figcaption>{}</figcaption></figure>', data, block.alt, _words(block.caption, page))


def _chart(block: Chart, page: _Page) -> Markup:
    drawing = Markup(svg(drawn(block.chart), block.alt))
    return _tag('<figure class="chart">{}<figcaption>{}</figcaption></figure>', drawing, _words(block.caption, page))


def _signatures(block: Signatures, page: _Page) -> Markup:
    line = "<tr><td>{}</td><td></td><td></td><td></td></tr>"
    rows = Markup("").join(_tag(line, role) for role in block.roles)
    return _tag(
        '<table class="sign"><thead><tr><th></th><th>Name</th><th>Date and time</th><th>Signature</th></tr></thead><tbody>{}</tbody></table>',
        rows,
    )


def _entries(block: Entries, page: _Page) -> Markup:
    lines = Markup("\n").join(_entry_line(entry) for entry in page.document.entries)
    return _tag('<ol class="entries">{}</ol>', lines)


def _entry_line(entry: Entry) -> Markup:
    value = f": {entry.value} ({entry.interval})" if entry.interval else f": {entry.value}" if entry.value else ""
    text = '<li value="{}" id="a{}"><button class="num" popovertarget="{}">{}</button>{}<br><span class="soft">{} · {}</span></li>'
    return _tag(text, entry.number, entry.number, entry.anchor, entry.label, value, entry.formula, " · ".join(entry_facts(entry)))


def _panel(entry: Entry, page: _Page) -> Markup:
    parts = [_tag("<h3>{}</h3>", entry.label)]
    if entry.value:
        interval = f", 90 % interval {entry.interval}" if entry.budget else f", {entry.interval}" if entry.interval else ""
        spread = f" ({entry.spread})" if entry.spread else ""
        parts.append(_tag("<p><strong>{}</strong>{}{}</p>", entry.value, interval, spread))
    parts.append(_tag('<div class="formula">{}</div>', entry.formula))
    parts.append(_tag('<p class="small">Method: {}, version {}.</p>', entry.method, entry.version))
    if entry.inputs:
        rows = [(i.name, f"{i.value} {i.unit}".strip(), i.origin) for i in entry.inputs]
        parts.append(_small_table(("Input", "Value", "From"), rows))
    if entry.constants:
        constants = [(n, page.document.constants[n - 1]) for n in entry.constants]
        parts.append(_small_table(("Constant", "Value", "Source"), [
            (f"C{n} {c.key}", f"{c.value:.6g}{f' ± {c.standard_uncertainty:.2g}' if c.standard_uncertainty else ''} {'' if c.unit == '1' else c.unit}".strip(),
             _tag('{} <span class="tag">{}</span>', c.source, c.mark.value)) for n, c in constants
        ]))  # fmt: skip
    if entry.budget:
        shares = [(line.source, line.contribution, f"{PERCENT * line.share:.0f} %") for line in entry.budget]
        parts.append(_small_table(("Source of uncertainty", "Contribution", "Share of the variance"), shares))
    if entry.sources:
        parts.append(_tag('<p class="small">Literature: {}.</p>', "; ".join(entry.sources)))
    if entry.files:
        hashes = Markup(", ").join(_tag("{} <code>{}…</code>", role, digest[:16]) for role, digest in entry.files)
        parts.append(_tag('<p class="small">Inputs by hash: {}</p>', hashes))
    parts.append(_tag('<p class="small soft">Entry {} of <a href="#a{}">appendix A</a>.</p>', entry.number, entry.number))
    return _tag('<div popover id="{}">{}</div>', entry.anchor, Markup("\n").join(parts))


def _small_table(heads: tuple[str, str, str], rows: Sequence[tuple[str, str, Any]]) -> Markup:
    head = _tag('<thead><tr><th>{}</th><th class="n">{}</th><th>{}</th></tr></thead>', *heads)
    body = Markup("").join(_tag('<tr><td>{}</td><td class="n">{}</td><td class="small">{}</td></tr>', *row) for row in rows)
    return _tag("<table>{}<tbody>{}</tbody></table>", head, body)


def _one_page(block: OnePage, page: _Page) -> Markup:
    return _tag('<section class="decision">{}</section>', Markup("\n").join(_block(inner, page) for inner in block.blocks))


def _folded(block: Folded, page: _Page) -> Markup:
    inner = Markup("\n").join(_block(inner, page) for inner in block.blocks)
    return _tag("<details><summary>{}</summary>{}</details>", block.summary, inner)


_RENDERERS: dict[type, Callable[[Any, _Page], Markup]] = {
    Heading: _heading,
    Paragraph: _paragraph,
    Bullets: _bullets,
    Table: _table,
    Findings: _findings,
    Figure: _figure,
    Chart: _chart,
    Signatures: _signatures,
    Entries: _entries,
    PageBreak: lambda block, page: Markup('<div class="break"></div>'),
    OnePage: _one_page,
    Folded: _folded,
}

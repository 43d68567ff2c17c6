"""The report on screen: one file that asks nobody for anything, and explains every number on a click."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from opensirt.reports.html import render_html
from opensirt.reports.plan_content import plan_document
from opensirt.reports.plan_report import render_plan_report
from reports.plans import small_pictures, small_plan


@pytest.fixture(scope="module")
def html() -> str:
    return render_plan_report(small_plan(), small_pictures())


def test_it_needs_no_script_and_no_network(html):
    assert "<script" not in html and "javascript:" not in html and not re.search(r"\son[a-z]+=", html)
    assert re.findall(r"""(?:src|href|action)\s*=\s*["']?(?:https?:)?//""", html) == []
    assert "@import" not in html and not re.findall(r"url\(\s*['\"]?(?:https?:)?//", html)
    assert set(re.findall(r'<img src="([^"]{22})', html)) == {"data:image/png;base64,"}


def test_every_number_opens_its_own_explanation(html):
    panels = re.findall(r'<div popover id="([^"]+)"', html)
    assert len(panels) == len(set(panels))
    opened = set(re.findall(r'popovertarget="([^"]+)"', html))
    assert opened == set(panels)  # the appendix opens those that no page shows
    assert len(re.findall(r'<li value="\d+" id="a\d+">', html)) == len(panels)


def test_every_finding_is_there_and_escaped(html):
    assert "208 Gy to the &lt;duodenum&gt; · it lies outside · close the vessel" in html
    assert "<duodenum>" not in html
    assert "a scout is not the treatment · verify after it" in html
    assert "Rule &amp; source" in html


def test_nothing_in_a_plan_becomes_markup():
    plan = replace(small_plan(), case_id="<script>alert(1)</script>", intent="{{ 7 * 7 }} {0} <b>")
    html = render_plan_report(plan, small_pictures())
    assert "<script" not in html and "&lt;script&gt;" in html
    assert "{{ 7 * 7 }} {0} &lt;b&gt;" in html


def test_the_mark_stands_above_and_below(html):
    assert html.count("SYNTHETIC – NOT A PATIENT") == 2
    assert "SYNTHETIC" not in re.sub("SYNTHETIC-", "", render_plan_report(small_plan(synthetic=False), small_pictures()))


def test_tags_are_balanced(html):
    for tag in ("table", "tr", "td", "figure", "section", "details", "ol", "ul", "li", "div", "p", "button"):
        assert len(re.findall(rf"<{tag}[ >]", html)) == html.count(f"</{tag}>"), tag


def test_the_same_plan_gives_the_same_page():
    first, second = (render_html(plan_document(small_plan(), small_pictures())) for _ in range(2))
    assert first == second

"""The report in a real browser: it renders, asks nobody for anything, says what it is, and explains a number on a click."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run"]
QUIET += ["--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"]
BANNER_RGB = (122, 31, 92)
"""Colour of the synthetic banner in the report's style."""
COLOUR_STEP = 6
"""How far a browser's rendering of a plain colour may stray, of 255."""


@pytest.fixture
def chromium(program: Callable[[str], str]) -> str:
    return program("chromium")


def _run(chromium: str, home: Path, *words: str) -> str:
    done = subprocess.run(
        [chromium, *QUIET, f"--user-data-dir={home}", *words], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


def test_the_report_renders_whole(demo, chromium, tmp_path):
    page = demo / "plan" / "report.html"
    seen = _run(chromium, tmp_path / "home", "--dump-dom", page.as_uri())
    assert "<title>SYNTHETIC" in seen
    assert seen.count("SYNTHETIC – NOT A PATIENT") >= 2
    assert seen.rstrip().endswith("</html>")
    written = page.read_text("utf-8")
    for tag in ("h2", "table", "figure", "svg", "div popover"):
        wanted = len(re.findall(rf"<{tag}[ >]", written))
        assert wanted > 0
        found = len(re.findall(rf"<{tag.replace(' popover', '')}[^>]* popover" if "popover" in tag else rf"<{tag}[ >]", seen))
        assert found == wanted, tag  # the parser dropped and moved nothing


def test_pictures_load_and_nothing_else_is_asked_for(demo, chromium, tmp_path):
    """A script added to a copy reports what the browser loaded, and which picture has no pixels."""
    text = (demo / "plan" / "report.html").read_text("utf-8")
    ask = """<script>addEventListener('load', () => {
      const asked = performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith('data:'));
      const empty = [...document.images].filter(i => !i.complete || i.naturalWidth < 200).length;
      const first = document.querySelector('[popovertarget]'); first.click();
      const open = document.getElementById(first.getAttribute('popovertarget')).matches(':popover-open');
      const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
      document.title = JSON.stringify({asked, empty, pictures: document.images.length, open, wide});
    });</script>"""
    page = tmp_path / "asked.html"
    page.write_text(text.replace("</body>", ask + "</body>"), "utf-8")
    seen = _run(chromium, tmp_path / "home", "--virtual-time-budget=4000", "--dump-dom", page.as_uri())
    title = re.search(r"<title>(.*?)</title>", seen, re.S)
    assert title is not None
    said = title.group(1)
    assert '"asked":[]' in said, said
    assert '"empty":0' in said and '"open":true' in said, said
    assert int(re.search(r'"pictures":(\d+)', said).group(1)) >= 2
    assert int(re.search(r'"wide":(-?\d+)', said).group(1)) <= 0, said  # nothing hangs over the page's edge


def test_the_banner_is_seen(demo, chromium, tmp_path):
    from matplotlib.image import imread

    picture = tmp_path / "shot.png"
    page = demo / "plan" / "report.html"
    _run(chromium, tmp_path / "home", f"--screenshot={picture}", "--window-size=1200,900", page.as_uri())
    rgb = np.asarray(imread(picture))[:, :, :3] * 255.0
    banner = np.abs(rgb - np.array(BANNER_RGB)).max(axis=2) <= COLOUR_STEP
    rows = np.flatnonzero(banner.mean(axis=1) > 0.7)  # the words on it are white
    assert rows.size >= 15 and rows[0] <= 10
    assert rgb.std() > 20.0  # and there is something below it

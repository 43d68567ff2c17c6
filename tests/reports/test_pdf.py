"""The report on paper: the same bytes in every process, a mark, a foot and an explanation for every page and number."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.ft2font import FT2Font

from opensirt.reports import document as d
from opensirt.reports.pdf import SYNTHETIC, render_pdf
from opensirt.reports.plan_content import plan_document
from opensirt.reports.plan_report import write_plan_pdf
from opensirt.vocabulary.findings import Finding, Severity
from reports.plans import CREATED, flat, said, shown, small_pictures, small_plan

pytestmark = pytest.mark.slow

BUILD = "import hashlib, sys; sys.path.insert(0, sys.argv[1]); from reports.plans import *; from opensirt.reports.plan_content import plan_document; from opensirt.reports.pdf import render_pdf; print(hashlib.sha256(render_pdf(plan_document(small_plan(), small_pictures()))).hexdigest())"


@pytest.fixture(scope="module")
def report() -> d.ReportDocument:
    return plan_document(small_plan(), small_pictures())


@pytest.fixture(scope="module")
def written(report, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pdf") / "report.pdf"
    path.write_bytes(render_pdf(report))
    return path


def pages(path: Path, pdftotext: str) -> list[str]:
    text = subprocess.run([pdftotext, "-layout", str(path), "-"], capture_output=True, check=True).stdout.decode()
    return text.replace("\u00a0", " ").split("\f")[:-1]


def run_together(text: str) -> str:
    """Text without white space: line ends and columns of the layout do not matter."""
    return re.sub(r"\s", "", text.replace("\u202f", ""))


def test_the_same_plan_gives_the_same_bytes_in_two_processes():
    """Another day, another zone, another seed of hashes, another order of sets: nothing may show."""
    digests = set()
    for seed, zone in (("1", "UTC"), ("77", "Asia/Kathmandu")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone}
        words = [sys.executable, "-c", BUILD, str(Path(__file__).resolve().parents[1])]
        done = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
        digests.add(done.stdout.strip())
    assert len(digests) == 1 and len(digests.pop()) == 64


def test_twice_in_one_process_and_into_a_file(tmp_path, written):
    write_plan_pdf(small_plan(), small_pictures(), tmp_path / "again.pdf")
    assert hashlib.sha256((tmp_path / "again.pdf").read_bytes()).digest() == hashlib.sha256(written.read_bytes()).digest()


def test_another_plan_gives_other_bytes(written):
    plan = small_plan()
    other = replace(plan, vials=plan.vials[:1])
    assert render_pdf(plan_document(other, small_pictures())) != written.read_bytes()


def test_what_the_file_says_of_itself(written, program):
    facts = subprocess.run(
        [program("pdfinfo"), str(written)], capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"}
    ).stdout
    assert "SYNTHETIC – SIRT plan proposal CASE-0042" in facts
    assert re.search(r"Author:\s+opensirt\n", facts)
    assert f"{CREATED:%a %b} {CREATED.day:2d} {CREATED:%H:%M:%S %Y}" in facts  # the plan's instant, not today
    assert re.search(r"Page size:\s+595.\d+ x 841.\d+ pts \(A4\)", facts)
    assert re.search(r"JavaScript:\s+no", facts)
    data = written.read_bytes()
    assert b"/Lang (en-GB)" in data and b"/Outlines" in data


def test_every_page_bears_mark_foot_and_number(written, report, program):
    found = pages(written, program("pdftotext"))
    assert len(found) >= 5
    for place, page in enumerate(found, start=1):
        assert SYNTHETIC in page, place
        assert "CASE-0042" in page and report.plan_sha256 in page and "opensirt 9.8.7" in page, place
        assert re.search(rf"page\s+{place}\s+of\s+{len(found)}\b", page), place


def test_a_real_case_bears_no_mark(tmp_path, program):
    path = tmp_path / "real.pdf"
    path.write_bytes(render_pdf(plan_document(small_plan(synthetic=False), small_pictures())))
    assert all("SYNTHETIC" not in page for page in pages(path, program("pdftotext")))


def test_the_decision_is_one_page_with_lines_to_sign(written, program):
    found = pages(written, program("pdftotext"))
    for heading in ("What is proposed", "Doses against limits and targets", "What a person must weigh", "Signatures"):
        assert heading in found[0]
    assert "Findings in full" in found[1] and "Findings in full" not in found[0]


def test_every_finding_and_every_entry_is_printed(written, report, program):
    text = run_together("".join(pages(written, program("pdftotext"))))
    for finding in small_plan().findings:
        assert run_together(finding.message) in text
    for entry in report.entries:
        assert run_together(entry.label) in text, entry.key
    marks = set(re.findall(r"\[(\d+)\]", text))
    assert {str(report.entry(one.entry).number) for one in shown(report) if one.marked} <= marks


def test_more_findings_than_a_page_holds_are_all_printed(tmp_path, program):
    many = tuple(
        Finding(f"plan.many_{n:02d}", Severity.CRITICAL, f"grave thing number {n:02d} of sixty " + "and why it matters " * 6)
        for n in range(60)
    )
    path = tmp_path / "many.pdf"
    path.write_bytes(render_pdf(plan_document(small_plan(findings=many), small_pictures())))
    text = "".join(pages(path, program("pdftotext")))
    for n in range(60):
        assert text.count(f"grave thing number {n:02d} of sixty") == 2, n  # on the decision pages and in full


def test_every_letter_has_a_glyph(report):
    """A missing glyph would print as an empty box."""
    font = FT2Font(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"))
    known = set(font.get_charmap())
    text = said(report) + "".join(
        f.message + f.source for b in flat(report.blocks) if isinstance(b, d.Findings) for f in b.findings
    )
    text += "".join(e.label + e.formula + e.value + e.interval + e.method for e in report.entries)
    text += "·±–µ²≥≤Σ√∈∝⊗∫ρφλαβ½¾₀"
    assert {letter for letter in text if ord(letter) not in known and not letter.isspace()} == set()

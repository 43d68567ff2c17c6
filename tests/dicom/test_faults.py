"""The list of fault codes, the page that explains them, and the code that raises them are one list."""

from __future__ import annotations

import re

import pytest

from opensirt.dicom.faults import FAULTS, FaultBook, Refused, Tally


def test_the_page_lists_every_code_with_meaning_and_remedy(root):
    page = (root / "docs" / "reference" / "faults.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| (.*) \|$", page, re.MULTILINE))
    assert set(rows) == set(FAULTS)
    for code, kind in FAULTS.items():
        assert rows[code] == f"{kind.meaning} | {kind.refused or '–'} | {kind.remedy}"


def test_every_code_in_use_is_listed_and_every_listed_code_is_in_use(root):
    sources = "\n".join(
        path.read_text("utf-8") for path in (root / "src" / "opensirt" / "dicom").glob("*.py") if path.name != "faults.py"
    )
    groups = "|".join(sorted({code.split(".")[0] for code in FAULTS}))
    used = set(re.findall(rf'"((?:{groups})\.[a-z_]+)"', sources))
    used |= {"series.incomplete"}  # entered by the tally itself
    assert used == set(FAULTS)


def test_a_fault_says_what_and_whether_it_was_imported_and_what_to_do():
    book = FaultBook()
    book.add("series.gap", "about 1 of 6 slices", series_uid="1.2", instance="a.dcm")
    (fault,) = book.entries
    assert fault.message.startswith("about 1 of 6 slices · slices are missing; not imported: the series · fetch")
    assert (fault.series_uid, fault.instance) == ("1.2", "a.dcm")


def test_equal_faults_are_entered_once():
    book = FaultBook()
    for _ in range(3):
        book.add("file.not_dicom", "file a", instance="a")
    assert len(book.entries) == 1


def test_an_unknown_code_is_a_programming_error():
    with pytest.raises(KeyError):
        FaultBook().add("file.unheard_of", "")


def test_a_tally_names_each_image_and_then_refuses_the_series():
    book = FaultBook()
    tally = Tally(book, "1.2")
    for name in ("a", "b", "c"):
        with tally.image(name, f"uid-{name}"):
            if name != "b":
                raise Refused("pixels.kind", "colour")
    assert [fault.instance for fault in book.entries] == ["uid-a", "uid-c"]
    with pytest.raises(Refused, match="2 of 3"):
        tally.require_all(3)

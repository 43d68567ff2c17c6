"""The chain of events: published vectors, and every way to alter it is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from opensirt.encoding import canonical_json, parse_json, structure
from opensirt.record.events import FIRST, Artefact, Event, EventKind, Particulars, chain_sha256, next_event, verify_chain
from opensirt.vocabulary.errors import CaseError, InvalidValue

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def test_chain_hash_vectors():
    # computed by another program: SHA-256 over canonical JSON that includes the hash before
    first = {
        "seq": 1, "ts": "2026-01-05T09:00:00Z", "actor": "u1", "action": "create", "entity": "Patient/P001",
        "before": None, "after": {"sex": "F"}, "prev": FIRST,
    }  # fmt: skip
    one = "4046d32aa144783e2089b34aea9884246b0c0d72ed1df86dbef60dfe6e9e72fd"
    assert chain_sha256(first) == one
    second = {
        "seq": 2, "ts": "2026-01-05T09:05:00Z", "actor": "u2", "action": "update", "entity": "Patient/P001",
        "before": {"sex": "F"}, "after": {"sex": "M"}, "prev": one,
    }  # fmt: skip
    assert chain_sha256(second) == "084614c0a1de995d5e6884feca58f3b61d67c1e1e173bf70d8089eefec0e4b62"


def chain(case: str = "C-1", length: int = 4) -> list[Event]:
    events: list[Event] = []
    for number in range(length):
        artefacts = (Artefact("opensirt.plan", 1, f"{number:064d}"),)
        more = Particulars("why", artefacts, {"activity_gbq": 1 + number})
        events.append(next_event(case, events, list(EventKind)[number % 4], "operator", AT, more))
    return events


def test_a_chain_verifies_also_after_a_round_trip_through_text():
    events = chain()
    verify_chain(events, "C-1")
    back = [structure(parse_json(canonical_json(event)), Event) for event in events]  # numbers given as int too
    assert back == events
    verify_chain(back, "C-1")


@pytest.mark.parametrize(
    "change",
    [
        {"who": "somebody"},
        {"at": AT.replace(hour=10)},
        {"kind": EventKind.PLAN_COMPUTED},
        {"why": ""},
        {"numbers": {"activity_gbq": 2.0000001}},
        {"artefacts": ()},
        {"sha256": "0" * 64},
        {"previous": "0" * 64},
        {"seq": 3},
        {"case": "C-2"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_altered_field_is_found_at_its_event(change: dict[str, object]):
    events = chain()
    events[1] = replace(events[1], **change)  # type: ignore[arg-type]
    with pytest.raises(CaseError, match="event 2 "):
        verify_chain(events, "C-1")


def test_a_removed_a_doubled_and_a_swapped_event_are_found():
    one, two, three, four = chain()
    for altered in ([one, three, four], [one, two, two, three], [one, three, two, four], [two, three, four]):
        with pytest.raises(CaseError):
            verify_chain(altered, "C-1")


def test_an_event_that_is_altered_with_its_hash_breaks_the_next_link():
    events = chain()
    forged = next_event("C-1", events[:1], EventKind.PLAN_COMPUTED, "somebody", AT)
    with pytest.raises(CaseError, match="event 3 .*link"):
        verify_chain([events[0], forged, *events[2:]], "C-1")


def test_the_chain_of_another_case_is_no_chain_of_this_one():
    with pytest.raises(CaseError, match="event 1 .*case"):
        verify_chain(chain("C-2"), "C-1")


def test_an_event_needs_an_instant_with_offset_and_finite_numbers():
    with pytest.raises(InvalidValue):
        next_event("C-1", [], EventKind.CASE_CREATED, "operator", AT.replace(tzinfo=None))
    with pytest.raises(InvalidValue):
        next_event("C-1", [], EventKind.CASE_CREATED, "operator", AT, Particulars(numbers={"gbq": float("nan")}))


def test_an_empty_chain_is_a_chain():
    verify_chain([], "C-1")

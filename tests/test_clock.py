"""The clock gives instants with a time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from opensirt.clock import now

LONGEST_CALL = timedelta(seconds=5)
"""Generous for a loaded machine; a wrong zone would be off by a quarter of an hour at least."""


def test_now_is_an_instant_in_utc():
    before = datetime.now(UTC)
    asked = now()
    assert asked.utcoffset() == timedelta(0)
    assert timedelta(0) <= asked - before < LONGEST_CALL

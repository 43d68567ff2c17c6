"""Settings come from the environment, are checked, and have defaults."""

from __future__ import annotations

import os

import pytest

from opensirt.settings import Settings, read_settings
from opensirt.vocabulary.errors import InvalidValue


def test_a_stated_number_of_threads_is_taken():
    assert read_settings({"OPENSIRT_THREADS": "3"}) == Settings(threads=3)


def test_the_default_is_what_the_process_may_use():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert read_settings({}).threads == cores


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", " 2", "²"])
def test_nonsense_is_refused_by_name(text):
    with pytest.raises(InvalidValue, match="OPENSIRT_THREADS"):
        read_settings({"OPENSIRT_THREADS": text})

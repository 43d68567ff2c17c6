"""Work is shared out in one place, which ``OPENSIRT_THREADS`` governs."""

from __future__ import annotations

import re

from sources import PACKAGE, modules, place

POOLS = re.compile(r"ThreadPoolExecutor|ProcessPoolExecutor|multiprocessing|set_num_threads|parallel=True|prange")
WORKERS = re.compile(r"workers=(?!workers\b|threads\(\))")


def test_pools_are_made_in_one_module():
    found = [
        place(path) for path in modules() if path != PACKAGE / "vocabulary" / "threads.py" and POOLS.search(path.read_text("utf-8"))
    ]
    assert found == []


def test_transforms_take_their_threads_from_there():
    assert [place(path) for path in modules() if WORKERS.search(path.read_text("utf-8"))] == []

"""One number governs how work is shared out; what comes out does not depend on it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from opensirt.vocabulary.errors import InvalidValue
from opensirt.vocabulary.threads import each, on_threads, threads, use_threads


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    before = threads()
    yield
    use_threads(before)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_order_and_completeness(count: int):
    use_threads(count)
    assert threads() == count
    assert each(lambda n: n * n, range(11)) == [n * n for n in range(11)]
    seen: list[int] = []
    on_threads(seen.append, range(11))
    assert sorted(seen) == list(range(11))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_never_more_threads_than_allowed(count: int):
    use_threads(count)
    running, most, lock = 0, 0, threading.Lock()

    def task(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.01)
        with lock:
            running -= 1

    each(task, range(6))
    assert most == count
    on_threads(task, range(6))
    assert most == count


@pytest.mark.parametrize("count", [1, 2])
def test_the_first_error_is_raised(count: int):
    use_threads(count)

    def fail(n: int) -> None:
        if n:
            raise ZeroDivisionError(n)

    with pytest.raises(ZeroDivisionError):
        each(fail, range(3))
    with pytest.raises(ZeroDivisionError):
        on_threads(fail, range(3))


def test_nothing_to_do():
    assert each(str, []) == []
    on_threads(lambda _: None, [])


@pytest.mark.parametrize("count", [0, -1])
def test_less_than_one_thread_is_refused(count: int):
    with pytest.raises(InvalidValue, match="threads"):
        use_threads(count)

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import redis
from django.core.cache import caches

from dovetail.cache.valkey import ValkeyCache
from dovetail.cache.windows import count


@pytest.fixture
def server() -> Any:
    backend: Any = caches["default"]
    return backend._cache.get_client()  # noqa: SLF001


def ask(*limits: tuple[str, int], amount: int = 1) -> tuple[bool, list[int]]:
    """Count, and return whether it fits, and how far each limit has been used up."""
    fits, counts = count(limits, amount, seconds=60)
    assert all(0 < found.seconds <= 60 for found in counts)
    return fits, [found.used for found in counts]


def test_counts_up_to_the_limit() -> None:
    assert [ask(("a", 2)) for _ in range(3)] == [(True, [1]), (True, [2]), (False, [2])]


def test_what_does_not_fit_is_not_counted() -> None:
    ask(("a", 10), amount=8)

    assert ask(("a", 10), amount=3) == (False, [8])
    assert ask(("a", 10), amount=2) == (True, [10])


def test_several_limits_are_counted_together_or_not_at_all() -> None:
    ask(("a", 1))

    assert ask(("a", 1), ("b", 5)) == (False, [1, 0])
    assert ask(("b", 5)) == (True, [1])


def test_period_is_not_extended_by_what_is_counted_in_it(server: Any) -> None:
    ask(("a", 5))
    server.pexpire(caches["default"].make_key("a"), 30_000)
    _, [found] = count([("a", 5)], 1, seconds=60)

    assert found.used == 2
    assert 0 < found.seconds <= 30


def test_new_period_starts_at_nothing(server: Any) -> None:
    key = caches["default"].make_key("a")
    ask(("a", 1))
    server.delete(key)  # as the server does when the period ends

    assert ask(("a", 1)) == (True, [1])
    assert 0 < server.pttl(key) <= 60_000


@pytest.mark.parametrize("stored", [b"7", b"text"])
def test_key_without_an_end_blocks_no_one(server: Any, stored: bytes) -> None:
    """Kind: a counter that never goes away, so that someone is locked out for good."""
    server.set(caches["default"].make_key("a"), stored)

    assert ask(("a", 1)) == (True, [1])


def test_requests_at_the_same_time_do_not_slip_through() -> None:
    """Kind: check, then write. All of them would read the same number."""
    start = Barrier(4)

    def ask_often(_: int) -> int:
        start.wait()
        return sum(ask(("a", 17), ("b", 19))[0] for _ in range(10))

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(ask_often, range(4))) == 17


def test_unavailable_server_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    down = ValkeyCache("redis://127.0.0.1:1/0", {})  # a port on which no server listens
    monkeypatch.setattr(caches["default"], "run_script", down.run_script)

    with pytest.raises(redis.ConnectionError):
        count([("a", 1)], 1, seconds=60)

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.cache import caches
from django.db import transaction
from pytest_django.fixtures import Settings

from apps.articles.models import Article
from dovetail.cache import computed, valkey
from dovetail.cache.computed import cached, invalidate, invalidate_with
from dovetail.cache.values import UnsupportedValue
from dovetail.devtools.embedded.testing import free_port
from tests.factories import make_article, make_user

CALLERS = 200


class Source:
    """Computes 1, then 2 and so on, and waits each time until the test opens the gate."""

    def __init__(self) -> None:
        self.calls = 0
        self.started, self.gate = threading.Event(), threading.Event()
        self.gate.set()
        self.error: Exception | None = None

    def __call__(self) -> int:
        self.calls += 1
        number = self.calls
        self.started.set()
        assert self.gate.wait(60)
        if self.error:
            raise self.error
        return number

    def close(self) -> None:
        self.started.clear()
        self.gate.clear()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def _patient_cache(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the cache: one that takes longer than a second counts as unavailable otherwise."""
    monkeypatch.setattr(valkey, "WAIT", 60)
    default = settings.CACHES["default"]
    options = {"socket_connect_timeout": 60, "socket_timeout": 60}
    settings.CACHES = settings.CACHES | {"computed": default | {"OPTIONS": options}}


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CALLERS) as pool:
        yield pool


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that turns the clock of `cached` forward by some seconds."""
    passed = [0.0]

    def turn(seconds: float) -> None:
        passed[0] += seconds

    later = SimpleNamespace(
        time=lambda: time.time() + passed[0], monotonic=time.monotonic, sleep=time.sleep
    )
    monkeypatch.setattr(computed, "time", later)
    return turn


def test_value_is_computed_once(source: Source) -> None:
    assert [cached("a", source, ttl=60) for _ in range(3)] == [1, 1, 1]
    assert cached("b", source, ttl=60) == 2


def test_none_is_a_value() -> None:
    calls: list[None] = []

    for _ in range(2):
        assert cached("a", lambda: calls.append(None), ttl=60) is None
    assert len(calls) == 1


def test_another_version_is_another_value(source: Source) -> None:
    assert cached("a", source, ttl=60, version=1) == 1
    assert cached("a", source, ttl=60, version=2) == 2
    assert cached("a", source, ttl=60, version=1) == 1


def test_any_text_is_a_key(source: Source) -> None:
    key = "a b\n\0é" * 100

    assert [cached(key, source, ttl=60, tags=[key]) for _ in range(2)] == [1, 1]


def test_value_expires(source: Source, clock: Callable[[float], None]) -> None:
    assert cached("a", source, ttl=100) == 1
    clock(89)
    assert cached("a", source, ttl=100) == 1
    clock(22)
    assert cached("a", source, ttl=100) == 2


def test_values_do_not_expire_together(monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[float] = []
    cache = caches["computed"]
    monkeypatch.setattr(cache, "set", lambda *arguments: stored.append(arguments[2]))

    for number in range(30):
        cached(f"a{number}", lambda: 1, ttl=100)
    assert len(set(stored)) > 20
    assert all(90 <= ttl - computed.STALE <= 110 for ttl in stored)


def test_unsupported_value_is_refused_and_the_next_call_computes(source: Source) -> None:
    with pytest.raises(UnsupportedValue):
        cached("a", object, ttl=60)
    assert cached("a", source, ttl=60) == 1


@pytest.mark.usefixtures("_patient_cache")
class TestStampede:
    def test_simultaneous_misses_compute_once(
        self, source: Source, threads: ThreadPoolExecutor
    ) -> None:
        source.close()
        ready = threading.Barrier(CALLERS)

        def call() -> int:
            ready.wait(60)
            return cached("a", source, ttl=60)

        results = [threads.submit(call) for _ in range(CALLERS)]
        assert source.started.wait(60)
        source.gate.set()

        assert {result.result(60) for result in results} == {1}
        assert source.calls == 1

    def test_others_get_the_old_value_meanwhile(
        self, source: Source, threads: ThreadPoolExecutor, clock: Callable[[float], None]
    ) -> None:
        cached("a", source, ttl=10)
        clock(20)
        source.close()

        new = threads.submit(cached, "a", source, ttl=10)
        assert source.started.wait(60)
        assert [cached("a", source, ttl=10) for _ in range(5)] == [1] * 5
        source.gate.set()

        assert new.result(60) == 2
        assert cached("a", source, ttl=10) == 2

    def test_error_reaches_only_whoever_computes(
        self, source: Source, threads: ThreadPoolExecutor
    ) -> None:
        source.close()
        source.error = ValueError("no answer")

        first = threads.submit(cached, "a", source, ttl=60)
        assert source.started.wait(60)
        others = [threads.submit(cached, "a", lambda: 7, ttl=60) for _ in range(5)]
        source.gate.set()

        with pytest.raises(ValueError, match="no answer"):
            first.result(60)
        assert [other.result(60) for other in others] == [7] * 5

    def test_dead_process_delays_others_for_a_limited_time(self, source: Source) -> None:
        slot = computed._Slot[int]("a", None, [], 60, 0.1)  # noqa: SLF001 - as a killed process leaves it
        caches["computed"].add(slot.lock, 1, 600)

        assert cached("a", source, ttl=60, patience=0.1) == 1

    def test_one_takes_the_place_of_a_dead_process_and_the_others_wait_for_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Kind: all who waited compute at the same time, once the lock of a dead process goes."""
        slot = computed._Slot[int]("a", None, [], 60, 3)  # noqa: SLF001 - as a killed process leaves it
        cache, now = caches["computed"], [100.0]
        cache.set(slot.lock, "dead", 600)

        def sleep(seconds: float) -> None:
            now[0] += seconds
            if now[0] > 102.5:
                cache.set(slot.lock, "another one that waited", 600)
            if now[0] > 105:
                cache.set(slot.name, [7, time.time() + 60, []], 60)

        clock = SimpleNamespace(time=time.time, monotonic=lambda: now[0], sleep=sleep)
        monkeypatch.setattr(computed, "time", clock)

        assert cached("a", lambda: 1, ttl=60, patience=3) == 7

    def test_those_who_wait_do_not_wait_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        slot = computed._Slot[int]("a", None, [], 60, 3)  # noqa: SLF001 - as killed processes leave it
        cache, now = caches["computed"], [100.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds
            cache.set(slot.lock, f"killed at {now[0]}", 600)

        sleep(0)
        clock = SimpleNamespace(time=time.time, monotonic=lambda: now[0], sleep=sleep)
        monkeypatch.setattr(computed, "time", clock)

        assert cached("a", lambda: 1, ttl=60, patience=3) == 1
        assert now[0] < 107

    def test_lock_of_another_process_stays(self) -> None:
        """Kind: one that was slower than the others' patience lets more of them compute."""
        slot = computed._Slot[int]("a", None, [], 60, 3)  # noqa: SLF001 - for the name of the lock

        def compute() -> int:
            caches["computed"].set(slot.lock, "another", 60)
            return 1

        assert cached("a", compute, ttl=60, patience=3) == 1
        assert caches["computed"].get(slot.lock) == "another"

    @pytest.mark.parametrize("patience", [float("inf"), float("nan"), -1])
    def test_patience_without_an_end_is_refused(self, patience: float) -> None:
        with pytest.raises(ValueError, match="patience must be a number of seconds"):
            cached("a", lambda: 1, ttl=60, patience=patience)

    def test_patience_of_less_than_a_second_locks_others_out(self) -> None:
        """Kind: a time that the cache cuts to whole seconds, and a lock that goes at once."""
        slot = computed._Slot[bool]("a", None, [], 60, 0.5)  # noqa: SLF001 - for the name of the lock

        def is_free() -> bool:
            return bool(caches["computed"].add(slot.lock, 1, 60))

        assert cached("a", is_free, ttl=60, patience=0.5) is False


@pytest.mark.django_db(transaction=True)
class TestInvalidation:
    def test_takes_effect_on_commit(self, source: Source) -> None:
        cached("a", source, ttl=60, tags=["x", "y"])
        cached("b", source, ttl=60, tags=["z"])

        with transaction.atomic():
            invalidate("x")
            assert source.calls == 2
        assert cached("a", source, ttl=60, tags=["x", "y"]) == 3
        assert cached("b", source, ttl=60, tags=["z"]) == 2

    def test_has_no_effect_after_a_rollback(self, source: Source) -> None:
        cached("a", source, ttl=60, tags=["x"])

        with transaction.atomic():
            invalidate("x")
            transaction.set_rollback(True)
        assert cached("a", source, ttl=60, tags=["x"]) == 1

    def test_transaction_sees_its_own_changes_and_keeps_them_to_itself(
        self, source: Source
    ) -> None:
        cached("a", source, ttl=60, tags=["x"])

        with transaction.atomic():
            invalidate("x")
            assert cached("a", source, ttl=60, tags=["x"]) == 2
            transaction.set_rollback(True)
        assert cached("a", source, ttl=60, tags=["x"]) == 1

    def test_value_computed_before_it_and_stored_after_it_is_not_believed(
        self, source: Source, threads: ThreadPoolExecutor
    ) -> None:
        source.close()

        old = threads.submit(cached, "a", source, ttl=60, tags=["x"])
        assert source.started.wait(60)
        invalidate("x")
        source.gate.set()

        assert old.result(60) == 1
        assert cached("a", source, ttl=60, tags=["x"]) == 2

    def test_precedes_the_refresh_of_a_list(
        self, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Kind: a page that is told of a change and then shows what was before it."""
        seen: list[int] = []

        def look(streams: list[str], *_: object) -> None:
            if "articles" in streams:
                seen.append(cached("a", source, ttl=60, tags=["articles"]))

        cached("a", source, ttl=60, tags=["articles"])
        monkeypatch.setattr("dovetail.turbo.broadcasting.send_merged", look)

        make_article()
        with transaction.atomic():
            make_article()
            make_article()
        assert seen == [2, 3]  # one refresh for both

    def test_follows_models_that_refresh_no_pages(self, source: Source) -> None:
        def value() -> int:
            return cached("a", source, ttl=60, tags=["groups"])

        invalidate_with(Group, "groups")
        invalidate_with(Group, "groups")

        assert value() == 1
        group = Group.objects.create(name="a")
        assert value() == 2
        group.delete()
        assert value() == 3

    def test_follows_changes_of_fields_alone(self) -> None:
        source = Source()

        def value() -> int:
            return cached("a", source, ttl=60, tags=["permissions"])

        invalidate_with(Permission, "permissions", fields=["name"])
        permission = Permission.objects.get(codename="add_article")

        assert value() == 1
        permission.save(update_fields=["codename"])
        Permission.objects.create(
            codename="a", name="A", content_type=permission.content_type
        ).delete()
        assert value() == 2  # deleted
        permission.save(update_fields=["name", "codename"])
        assert value() == 3
        permission.save()
        assert value() == 4
        invalidate_with(Permission, "permissions", fields=["codename"])
        permission.save(update_fields=["codename"])
        assert value() == 5

    def test_follows_every_change_of_a_model_that_refreshes_pages(self) -> None:
        author = make_user()

        def count() -> int:
            return cached("n", Article.objects.published().count, ttl=60, tags=["articles"])

        def changes() -> Iterator[tuple[Callable[[], Any], int]]:
            article = make_article(author=author)
            yield (lambda: None), 1
            yield article.unpublish, 0
            yield article.publish, 1
            yield article.delete, 0
            yield Article.all_objects.deleted().restore, 1
            yield Article.objects.all().delete, 0
            yield (lambda: Article.all_objects.get().hard_delete()), 0

        assert count() == 0
        for change, expected in changes():
            change()
            assert count() == expected


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("backend", "scheme"),
    [("valkey.ValkeyCache", "redis://"), ("memcached.MemcachedCache", "")],
    ids=["valkey", "memcached"],
)
def test_unavailable_cache_makes_every_call_compute(
    backend: str, scheme: str, source: Source, settings: Settings
) -> None:
    down: dict[str, Any] = {
        "BACKEND": f"dovetail.cache.{backend}",
        "LOCATION": f"{scheme}127.0.0.1:{free_port()}",
    }
    if not scheme:
        down["OPTIONS"] = {"ignore_exc": True}
    settings.CACHES = settings.CACHES | {"computed": down}

    assert [cached("a", source, ttl=60, tags=["x"]) for _ in range(3)] == [1, 2, 3]
    invalidate("x")

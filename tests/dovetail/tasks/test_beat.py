"""Several schedulers, of which each counts from its own start and has a clock of its own."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import current_app, shared_task
from celery.beat import PersistentScheduler, ScheduleEntry, SchedulingError
from celery.schedules import crontab, schedule
from django.conf import settings
from django.db import OperationalError, connections, transaction
from django.utils import timezone

from dovetail.tasks import beat
from dovetail.tasks.beat import Scheduler, claim

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NIGHTLY = crontab(hour="3", minute="0")

sent: list[str] = []


@shared_task
def note(name: str) -> None:
    sent.append(name)


@pytest.fixture(autouse=True)
def _nothing_sent() -> None:
    sent.clear()


@pytest.fixture(autouse=True)
def _not_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beat, "_warned", -float(beat.QUIET))


@pytest.fixture
def schedulers(tmp_path: Path) -> Iterator[list[Any]]:
    app: Any = current_app
    app.finalize()
    started = [
        Scheduler(app=app, schedule_filename=str(tmp_path / name), lazy=True, max_interval=300)
        for name in "ab"
    ]
    yield started
    for one in started:
        one.close()


def entry(due: Any, last_run: datetime, name: str = "nightly") -> ScheduleEntry:
    return ScheduleEntry(name, note.name, last_run, schedule=due, args=(name,), app=current_app)


def at(hour: int, minute: int = 0) -> datetime:
    """Return a time of this day in the site's time zone, which a crontab means."""
    return datetime.combine(NOON, time(hour, minute), timezone.get_default_timezone())


def test_two_schedulers_send_each_run_once() -> None:
    for day in range(3):
        before, due = at(2) + timedelta(day), at(3) + timedelta(day)

        assert claim(entry(NIGHTLY, before), due)
        assert not claim(entry(NIGHTLY, before - timedelta(seconds=40)), due)


@pytest.mark.parametrize("skew", [-300, -1, 1, 300])
def test_clocks_may_differ(skew: int) -> None:
    early, late = sorted([at(3), at(3) + timedelta(seconds=skew)])

    assert claim(entry(NIGHTLY, at(2)), early)
    assert not claim(entry(NIGHTLY, at(1)), late)


def test_run_that_all_have_missed_is_sent_once() -> None:
    assert claim(entry(NIGHTLY, at(2) - timedelta(days=5)), at(8))
    assert not claim(entry(NIGHTLY, at(2) - timedelta(days=1)), at(8, 1))


def test_scheduler_that_takes_over_repeats_nothing() -> None:
    """Its own last run is from its start, days ago."""
    started = at(0) - timedelta(days=3)
    assert claim(entry(NIGHTLY, at(2)), at(3))

    assert not claim(entry(NIGHTLY, started), at(8))
    assert claim(entry(NIGHTLY, at(8)), at(3) + timedelta(days=1))


def test_intervals_do_not_depend_on_the_start() -> None:
    every = schedule(timedelta(seconds=30))
    seconds = [0, 7, 30, 37, 60, 67]

    claims = [claim(entry(every, NOON), NOON + timedelta(seconds=after)) for after in seconds]

    assert claims == [True, False] * 3


@pytest.mark.parametrize("days", [1, 1000])
def test_clock_that_was_ahead_once_stops_nothing(
    days: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: one wrong clock, after which nothing is sent, and nothing says so."""
    wrong = timedelta(days)
    for name in ("one", "two"):
        assert claim(entry(NIGHTLY, at(2) + wrong, name), at(3) + wrong)

    for name in ("one", "two"):
        assert claim(entry(NIGHTLY, at(2), name), at(3))
        assert not claim(entry(NIGHTLY, at(2), name), at(3))
    assert caplog.text.count("The clock of a scheduler was or is ahead") == 1


def test_schedulers_that_find_a_wrong_record_together_send_once() -> None:
    assert claim(entry(NIGHTLY, at(2) + timedelta(days=9)), at(3) + timedelta(days=9))
    with ThreadPoolExecutor(1) as pool:
        claimed = threading.Event()
        with transaction.atomic():
            assert claim(entry(NIGHTLY, at(2)), at(3))
            second = pool.submit(in_thread, claimed)
            assert claimed.wait(30)

        assert not second.result(30)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_scheduler_whose_own_clock_was_ahead_plans_anew(
    schedulers: list[Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, *, is_restarted: bool
) -> None:
    """Kind: what a process, or its file, keeps from a time with a wrong clock."""
    one, wrong = schedulers[0], timezone.now() + timedelta(days=2)
    one.setup_schedule()
    for planned in one.schedule.values():
        planned.last_run_at = wrong
    assert PersistentScheduler.tick(one) > 60  # it waits as long as it ever does
    if is_restarted:
        one.close()
        one = schedulers[0] = Scheduler(
            app=one.app, schedule_filename=str(tmp_path / "a"), lazy=True, max_interval=300
        )
        one.setup_schedule()

    assert one.tick() <= 60
    assert "clock was ahead" in caplog.text
    assert all(planned.last_run_at <= timezone.now() for planned in one.schedule.values())


def test_entries_do_not_disturb_each_other() -> None:
    assert claim(entry(NIGHTLY, at(2), "one"), at(3))
    assert claim(entry(NIGHTLY, at(2), "two"), at(3))


def test_second_scheduler_waits_and_sends_if_the_first_cannot() -> None:
    with ThreadPoolExecutor(1) as pool:
        claimed = threading.Event()
        with transaction.atomic():
            assert claim(entry(NIGHTLY, at(2)), at(3))
            second = pool.submit(in_thread, claimed)
            assert claimed.wait(30)
            transaction.set_rollback(True)

        assert second.result(30)


def in_thread(claimed: threading.Event) -> bool:
    try:
        claimed.set()
        return claim(entry(NIGHTLY, at(2)), at(3))
    finally:
        connections.close_all()


def test_due_task_is_sent_by_one_of_two(schedulers: list[Any]) -> None:
    now = timezone.now()

    for one in schedulers:
        one.apply_entry(entry(crontab(), now - timedelta(minutes=2), "minutely"))

    assert sent == ["minutely"]


def test_unavailable_database_does_not_end_the_scheduler(
    schedulers: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> bool:
        raise OperationalError("gone")

    monkeypatch.setattr(beat, "claim", refuse)
    schedulers[0].apply_entry(entry(crontab(), NOON, "minutely"))

    assert "minutely is not sent: the database is unavailable" in caplog.text
    assert sent == []


def test_second_scheduler_sends_if_the_first_has_no_broker(
    schedulers: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: a daily task that is skipped because of one machine."""

    def refuse(*_: object, **__: object) -> None:
        raise SchedulingError("no broker")

    due = entry(crontab(), timezone.now() - timedelta(minutes=2), "minutely")
    monkeypatch.setattr(schedulers[0], "apply_async", refuse)
    for one in schedulers:
        one.apply_entry(due)

    assert "minutely is not sent: the broker is unavailable" in caplog.text
    assert sent == ["minutely"]


def test_every_entry_of_the_settings_can_be_claimed(schedulers: list[Any]) -> None:
    schedulers[0].setup_schedule()
    found: dict[str, ScheduleEntry] = schedulers[0].schedule

    assert found.keys() >= settings.CELERY_BEAT_SCHEDULE.keys()
    for one in found.values():
        assert claim(one, timezone.now())

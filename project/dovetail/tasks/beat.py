"""A Celery scheduler of which several may run: each due task is sent once.

With one scheduler only, nothing is sent while it is moved to another machine. With two of Celery's
own, everything is sent twice. Own code because the packages for this keep the schedule in a
database or in Redis, where it is edited; here it is part of the settings.
"""

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry, SchedulingError
from celery.schedules import crontab
from django.db import Error, close_old_connections, connection, transaction
from django.utils import timezone

from dovetail.tasks import heartbeat
from dovetail.tasks.models import Done

SKEW = timedelta(minutes=10)  # by which the clocks of schedulers may differ
QUIET = 60  # seconds between two warnings about clocks

logger = logging.getLogger(__name__)
_warned = -float(QUIET)


class Scheduler(PersistentScheduler):
    """Sends a due task unless another scheduler has sent it, which the database records."""

    def tick(self, *args: Any, **options: Any) -> Any:
        heartbeat.beat()
        self._follow_clock(timezone.now())
        return super().tick(*args, **options)

    def _ensure_connected(self) -> Any:
        """Beat each second while the broker is away: a restart would not bring it back."""
        return self.connection.ensure_connection(
            tell_retry, self.app.conf.broker_connection_max_retries, callback=heartbeat.beat
        )

    def _follow_clock(self, now: datetime) -> None:
        """Forget what was planned by a clock that was ahead, or nothing is due until that time."""
        ahead = [one for one in self.schedule.values() if _is_ahead(one.last_run_at, now)]
        for one in ahead:
            one.last_run_at = now
        if ahead:
            self._heap = None  # Celery builds it again
            warn("This machine's clock was ahead: %s are planned anew", len(ahead))

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        close_old_connections()  # the last one may be from before the database was restarted
        try:
            with transaction.atomic():
                if claim(entry, timezone.now()):
                    logger.info("Sending %s (%s)", entry.name, entry.task)
                    # Not the method above it, which would hide that another should send it.
                    self.apply_async(entry, producer=producer, advance=False)
        except Error:
            logger.exception("%s is not sent: the database is unavailable", entry.name)
        except SchedulingError:
            logger.exception("%s is not sent: the broker is unavailable", entry.name)
        finally:
            close_old_connections()


def claim(entry: ScheduleEntry, now: datetime) -> bool:
    """Return whether no scheduler has sent the due run of a task, and record that this one does.

    A second scheduler waits until the transaction of the first ends.
    """
    due = due_since(entry, now)
    key = f"beat {entry.name}"
    # A scheduler whose clock was ahead has recorded a time until which the task would not be sent.
    if Done.objects.filter(key=key, created_at__gt=max(due, now) + SKEW).delete()[0]:
        warn("The clock of a scheduler was or is ahead: its record of %s is ignored", entry.name)
    table = connection.ops.quote_name(Done._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} AS done (key, created_at) VALUES (%s, %s)"  # noqa: S608 - the name of a table
            " ON CONFLICT (key) DO UPDATE SET created_at = EXCLUDED.created_at"
            " WHERE done.created_at < %s",
            [key, max(due, now), due],
        )
        return bool(cursor.rowcount == 1)


def due_since(entry: ScheduleEntry, now: datetime) -> datetime:
    """Return the time at which a task became due, which is the same on all schedulers.

    Each of them counts an interval from its own start, so intervals begin at multiples instead.
    """
    schedule: Any = entry.schedule
    if isinstance(schedule, crontab):
        last, delta, _ = schedule.remaining_delta(entry.last_run_at or now)
        due: datetime = last + delta
        return due
    period = schedule.run_every.total_seconds()
    return datetime.fromtimestamp(now.timestamp() // period * period, UTC)


def tell_retry(error: Exception, interval: float) -> None:
    logger.error("Cannot connect to the broker: %s. Trying again in %s seconds", error, interval)


def _is_ahead(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment > now + SKEW


def warn(text: str, *args: object) -> None:
    """Log a warning about clocks, unless this process did so in the last minute."""
    global _warned  # noqa: PLW0603 - the state of the process
    now = time.monotonic()
    if now - _warned >= QUIET:
        _warned = now
        logger.warning(text, *args)

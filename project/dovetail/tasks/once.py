"""Makes a second run of a task harmless.

A broker delivers a message again if a worker was killed before it acknowledged it, and the outbox
may send a call twice.

    @shared_task(bind=True)
    def grant_credit(self, account_id: str, amount: int) -> None:
        with once(f"credit {self.request.id}") as is_first:
            if is_first:
                Account.objects.filter(pk=account_id).update(credit=F("credit") + amount)
"""

from collections.abc import Iterator
from contextlib import contextmanager

from celery import shared_task
from django.db import connection, transaction
from django.utils import timezone

from dovetail.tasks.models import Done


@contextmanager
def once(key: str) -> Iterator[bool]:
    """Do something in a transaction that also records that it has been done.

    Whoever comes second waits for the first to commit. If the first fails, it is not recorded, and
    the second is told to do it. What has an effect outside of the database, such as a mail, is done
    again if the process is killed between that and the commit.

    Args:
        key: what is done, of up to 255 characters. It is kept for a week.

    Yields:
        Whether it has not been done yet.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        table = connection.ops.quote_name(Done._meta.db_table)
        cursor.execute(
            f"INSERT INTO {table} (key, created_at) VALUES (%s, %s) ON CONFLICT DO NOTHING",  # noqa: S608 - the name of a table
            [key, timezone.now()],
        )
        yield cursor.rowcount == 1


@shared_task(ignore_result=True)
def remove_old_records() -> None:
    """Delete the records of what was done more than a week ago."""
    Done.objects.expired().delete()

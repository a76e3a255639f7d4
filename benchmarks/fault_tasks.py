"""The task that faults.py runs, in the module that its worker loads."""

from typing import Any

from celery import Task, shared_task
from django.db import connection

from dovetail.tasks.once import once


@shared_task(bind=True, ignore_result=True)
def count(self: Task[Any, Any], number: int) -> None:
    """Note each run, and do the work once: to do it twice would be an error of the database."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO benchmark_run (number) VALUES (%s)", [number])
        with once(f"count {self.request.id}") as is_first:
            if is_first:
                cursor.execute("INSERT INTO benchmark_effect (number) VALUES (%s)", [number])

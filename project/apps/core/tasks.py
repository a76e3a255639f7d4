"""Tasks of the whole site. Celery finds the tasks of each app in its `tasks` module."""

from celery import shared_task
from django.core.management import call_command


@shared_task
def clear_expired_sessions() -> None:
    call_command("clearsessions")

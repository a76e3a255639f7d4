"""The base class of all Celery tasks, which `config/celery.py` names."""

from typing import Any

from celery.contrib.django.task import DjangoTask
from django.db import InterfaceError, OperationalError, transaction

DATABASE_IS_AWAY = (OperationalError, InterfaceError)
CONFIRMATION = 5  # seconds that RabbitMQ has to confirm a message; blocked, it never would


class KitTask(DjangoTask):  # type: ignore[type-arg] # not generic at runtime
    """A task that is tried again while the database is away.

    If the broker is unavailable at the commit, the loss is logged: what the request saved stays, so
    it must not fail, and what else waits for the commit is done.
    """

    Strategy = "dovetail.tasks.strategy:careful"
    # The message would be acknowledged, and nothing could be recorded: what has to be done is lost.
    autoretry_for = DATABASE_IS_AWAY
    retry_backoff = 5  # seconds, doubling
    retry_backoff_max = 600
    max_retries = 12  # about an hour and a half

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        return super().apply_async(args, kwargs, **{"confirm_timeout": CONFIRMATION} | options)

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        # Not a functools.partial: Django needs the function's name to log its error.
        transaction.on_commit(lambda: self.delay(*args, **kwargs), robust=True)

    def apply_async_on_commit(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        transaction.on_commit(lambda: self.apply_async(*args, **kwargs), robust=True)

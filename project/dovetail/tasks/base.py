"""The base class of all Celery tasks, which `config/celery.py` names."""

import logging
from datetime import timedelta
from typing import Any

from celery.contrib.django.task import DjangoTask
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

DATABASE_IS_AWAY = (OperationalError, InterfaceError)
CONFIRMATION = 5  # seconds that RabbitMQ has to confirm a message; blocked, it never would


logger = logging.getLogger(__name__)


class KitTask(DjangoTask):  # type: ignore[type-arg] # not generic at runtime
    """A task that is tried again while the database is away.

    If the broker does not take the next attempt, that waits in the outbox: Celery would drop it.

    If the broker is unavailable at the commit, the loss is logged: what the request saved stays, so
    it must not fail, and what else waits for the commit is done.
    """

    Request = "dovetail.tasks.deliveries:Request"
    # The message would be acknowledged, and nothing could be recorded: what has to be done is lost.
    autoretry_for = DATABASE_IS_AWAY
    retry_backoff = 5  # seconds, doubling
    retry_backoff_max = 600
    max_retries = 12  # about an hour and a half

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        try:
            return super().apply_async(args, kwargs, **{"confirm_timeout": CONFIRMATION} | options)
        except Exception as error:
            # `Task.retry` rejects its message at any of them.
            if not self._is_retry(options):
                raise
            logger.warning("The broker did not take the next attempt of %s: %r", self.name, error)
            self._keep_retry(args, kwargs, options)
            return self.AsyncResult(str(options["task_id"]))

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        # Not a functools.partial: Django needs the function's name to log its error.
        transaction.on_commit(lambda: self.delay(*args, **kwargs), robust=True)

    def apply_async_on_commit(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        transaction.on_commit(lambda: self.apply_async(*args, **kwargs), robust=True)

    def _is_retry(self, options: dict[str, Any]) -> bool:
        """Return whether a call is the next attempt of the one that runs."""
        return bool(options.get("retries")) and options.get("task_id") == self.request.id

    def _keep_retry(self, args: Any, kwargs: Any, options: dict[str, Any]) -> None:
        # Django's models cannot be imported before its apps are loaded.
        from dovetail.tasks import outbox  # noqa: PLC0415
        from dovetail.tasks.models import OutboxEntry  # noqa: PLC0415

        kept = {name: value for name, value in options.items() if value is not None}
        if (countdown := kept.pop("countdown", None)) is not None:
            kept["eta"] = timezone.now() + timedelta(seconds=countdown)
        outbox.put(OutboxEntry.of(self.name, args or (), kwargs or {}, **kept))

"""The kit's tables for background work."""

from datetime import timedelta
from typing import Any, Self
from uuid import uuid4

from celery import current_app
from django.db import models
from django.utils import timezone
from kombu.serialization import dumps, loads

from dovetail.models import BaseManager, BaseQuerySet
from dovetail.turbo.models import BroadcastsRefreshes

KEPT = timedelta(days=7)  # the records of what has been done
FAILURES_KEPT = timedelta(days=30)
LONGEST = 20_000  # characters of a traceback


class DoneQuerySet(models.QuerySet["Done"]):
    def expired(self) -> Self:
        """Limit to the records of calls that no broker delivers again."""
        return self.filter(created_at__lt=timezone.now() - KEPT)


class Done(models.Model):
    """The record that something has been done; see `dovetail.tasks.once`."""

    key = models.CharField(max_length=255, primary_key=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = DoneQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "done"

    def __str__(self) -> str:
        return self.key


class TaskFailureQuerySet(BaseQuerySet["TaskFailure"]):
    def retryable(self) -> Self:
        """Limit to the calls of which the arguments are known."""
        return self.exclude(arguments="")

    def expired(self) -> Self:
        return self.filter(failed_at__lt=timezone.now() - FAILURES_KEPT)


class TaskFailure(BroadcastsRefreshes):
    """A call of a task that failed for good.

    After its last retry, or for a reason without one; as a dead letter; or in the outbox, because
    there is no such task.

    Attributes:
        task: the name of the task.
        arguments: as Celery serializes them; empty if they are unknown. They may contain personal
            data; no page shows them.
        error: the type of the exception, and what it says.
    """

    refreshes = "jobs"

    task = models.CharField(max_length=255)
    task_id = models.CharField(max_length=255)
    arguments = models.TextField(blank=True)
    error = models.TextField()
    traceback = models.TextField(blank=True)
    failed_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = BaseManager.from_queryset(TaskFailureQuerySet)()

    class Meta:
        ordering = ("-failed_at", "-pk")

    def __str__(self) -> str:
        return f"{self.task} {self.task_id}"

    @property
    def is_retryable(self) -> bool:
        return self.arguments != ""

    @classmethod
    def of(
        cls, task: str, task_id: str, arguments: str, error: BaseException, traceback: str
    ) -> Self:
        """Return an unsaved record.

        Args:
            task: the name of the task.
            task_id: of the message.
            arguments: as Celery serializes them.
            error: why it failed.
            traceback: as text; its end is kept.
        """
        said = f"{type(error).__name__}: {error}".replace("\0", "")[:1000]
        shown = traceback.replace("\0", "")[-LONGEST:]
        return cls(task=task, task_id=task_id, arguments=arguments, error=said, traceback=shown)


class OutboxEntry(models.Model):
    """A call of a task that the broker does not have yet; see `dovetail.tasks.outbox`.

    The entries are sent in the order of their primary keys.

    Attributes:
        task: the name of the task.
        task_id: of the message, the same if it is sent twice.
        arguments: as Celery serializes them, so that dates and the like arrive as such. It is text,
            since PostgreSQL's JSON cannot hold each string that JSON can.
    """

    id = models.BigAutoField(primary_key=True)
    task = models.CharField(max_length=255)
    task_id = models.UUIDField(default=uuid4, editable=False)
    arguments = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("pk",)
        verbose_name = "outbox entry"
        verbose_name_plural = "outbox entries"

    def __str__(self) -> str:
        return f"{self.task} {self.task_id}"

    @classmethod
    def of(cls, task: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Self:
        """Return an unsaved entry.

        Raises:
            kombu.exceptions.EncodeError: an argument cannot be sent as JSON.
        """
        _, _, text = dumps((args, kwargs), serializer="json")
        return cls(task=task, arguments=text)

    def send(self) -> None:
        """Send the call to the broker.

        Raises:
            kombu.exceptions.OperationalError: the broker is unavailable.
            kombu.exceptions.DecodeError: the arguments are no JSON.
            celery.exceptions.NotRegistered: there is no such task any more.
        """
        args, kwargs = loads(self.arguments, "application/json", "utf-8")
        current_app.tasks[self.task].apply_async(args, kwargs, task_id=str(self.task_id))

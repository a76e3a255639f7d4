"""The kit's tables for background work."""

from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from typing import Any, Self
from uuid import UUID, uuid4

from celery import current_app
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from kombu.serialization import dumps, loads

from dovetail import telemetry
from dovetail.models import BaseManager, BaseQuerySet
from dovetail.models.conflicts import violated_constraint
from dovetail.storable import storable
from dovetail.turbo.models import BroadcastsRefreshes

KEPT = timedelta(days=7)  # the records of what has been done
FAILURES_KEPT = timedelta(days=30)
LONGEST = 20_000  # characters of a traceback
CUT = "\n[…]\n"
LONGEST_ID = 255  # characters of the id of a message, which anyone may give to it
UNIQUE_CALL = "task_failure_is_unique"


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

    def for_list(self) -> Self:
        """Load what a list shows, and not the arguments, which may be megabytes."""
        return self.defer("arguments").annotate(is_retryable=~models.Q(arguments=""))

    def expired(self) -> Self:
        return self.filter(failed_at__lt=timezone.now() - FAILURES_KEPT)


def shorten_id(task_id: str) -> str:
    """Return the id of a call as it is kept: its start and a hash if it is too long."""
    text = str(storable(task_id))
    if len(text) <= LONGEST_ID:
        return text
    digest = sha256(text.encode()).hexdigest()
    return f"{text[: LONGEST_ID - len(digest)]}{digest}"


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
    task_id = models.CharField(max_length=LONGEST_ID)
    arguments = models.TextField(blank=True)
    error = models.TextField()
    traceback = models.TextField(blank=True)
    failed_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = BaseManager.from_queryset(TaskFailureQuerySet)()

    class Meta:
        ordering = ("-failed_at", "-pk")
        constraints = [
            # A call that fails twice, as when its message was delivered twice, is to be done once.
            models.UniqueConstraint(
                fields=["task_id"], condition=~models.Q(task_id=""), name=UNIQUE_CALL
            )
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.task_id}"

    def keep(self) -> None:
        """Save the record, unless the same call has one."""
        try:
            with transaction.atomic():
                self.save(force_insert=True)
        except IntegrityError as error:
            if violated_constraint(error) != UNIQUE_CALL:
                raise

    def as_entry(self) -> "OutboxEntry":
        """Return the same call for the outbox, with its id, by which `once` knows it."""
        entry = OutboxEntry(task=self.task, arguments=self.arguments)
        with suppress(ValueError):  # the id of a message that someone has made by hand
            entry.task_id = UUID(self.task_id)
        return entry

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
        try:
            said = f"{type(error).__name__}: {error}"
        except Exception:  # noqa: BLE001 - whatever its __str__ does
            said = type(error).__name__
        return cls(
            task=storable(task)[:255],
            task_id=shorten_id(task_id),
            arguments=arguments,
            error=storable(said)[:1000],
            traceback=storable(_shortened(traceback)),
        )


def _shortened(text: str) -> str:
    """Return the start and the end of a traceback, of which the end may be one long message."""
    if len(text) <= LONGEST:
        return text
    half = (LONGEST - len(CUT)) // 2
    return text[:half] + CUT + text[-half:]


class OutboxEntry(models.Model):
    """A call of a task that the broker does not have yet; see `dovetail.tasks.outbox`.

    The entries are sent in the order of their primary keys.

    Attributes:
        task: the name of the task.
        task_id: of the message, the same if it is sent twice.
        arguments: as Celery serializes them, so that dates and the like arrive as such; after them,
            the options of the call, if it has any. It is text, since PostgreSQL's JSON cannot hold
            each string that JSON can.
        traceparent: of the request that made the call, whose trace the task belongs to; or "".
    """

    id = models.BigAutoField(primary_key=True)
    task = models.CharField(max_length=255)
    task_id = models.UUIDField(default=uuid4, editable=False)
    arguments = models.TextField()
    # The default is also the database's, for processes of the previous version during a rollout.
    traceparent = models.CharField(
        max_length=55, blank=True, default=telemetry.traceparent, db_default=""
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("pk",)
        verbose_name = "outbox entry"
        verbose_name_plural = "outbox entries"

    def __str__(self) -> str:
        return f"{self.task} {self.task_id}"

    @classmethod
    def of(cls, task: str, args: Collection[Any], kwargs: dict[str, Any], **options: Any) -> Self:
        """Return an unsaved entry.

        Args:
            task: the name of the task.
            args: its arguments.
            kwargs: likewise.
            options: of `apply_async`, such as `eta`.

        Raises:
            kombu.exceptions.EncodeError: an argument cannot be sent as JSON.
        """
        _, _, text = dumps((args, kwargs, options) if options else (args, kwargs), "json")
        return cls(task=task, arguments=text)

    def send(self) -> None:
        """Send the call to the broker.

        Raises:
            kombu.exceptions.OperationalError: the broker is unavailable.
            kombu.exceptions.DecodeError: the arguments are no JSON.
            celery.exceptions.NotRegistered: there is no such task any more.
        """
        args, kwargs, *rest = loads(self.arguments, "application/json", "utf-8")
        options = {"task_id": str(self.task_id)} | (rest[0] if rest else {})
        with telemetry.continued(self.traceparent):
            current_app.tasks[self.task].apply_async(args, kwargs, **options)

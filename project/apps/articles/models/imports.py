from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.utils import timezone

from apps.core.models import BaseManager, BaseModel, BaseQuerySet
from apps.users.models import User
from dovetail.cable.streams import Streamable
from dovetail.http.reverse import reverse
from dovetail.media.names import RandomName
from dovetail.turbo.models import BroadcastsRefreshes

KEPT = timedelta(days=7)  # since the last change


class ImportState(models.TextChoices):
    CHECKING = "checking", "Checking"
    CHECKED = "checked", "Ready"
    RUNNING = "running", "Importing"
    CANCELED = "canceled", "Canceled"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


GOING = [ImportState.CHECKING, ImportState.RUNNING]  # a task is at work
STOPPED = [ImportState.CANCELED, ImportState.FAILED]  # and gone on with, if it had been started


class ArticleImportQuerySet(BaseQuerySet["ArticleImport"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Limit to the imports of this user, who alone sees them and their files."""
        return self.filter(user=user) if user.is_authenticated else self.none()

    def stalled(self, seconds: float) -> Self:
        """Limit to those that should be going, but have not moved for so many seconds."""
        since = timezone.now() - timedelta(seconds=seconds)
        return self.filter(state__in=GOING, updated_at__lte=since)

    def expired(self) -> Self:
        return self.filter(updated_at__lt=timezone.now() - KEPT)


class ArticleImport(BroadcastsRefreshes, BaseModel):
    """A CSV file of articles: first checked, then imported when its owner says so.

    Attributes:
        rows: the number of rows that have been checked so far.
        errors: how many of them cannot be imported.
        samples: the first errors, as lists of a line, a column and a message.
        done: the rows from the start that have been imported, or left out for their errors.
        done_before: how many there were when it was started the last time.
        attempts: how many tasks have begun since it last got on.
        call: the number of the message that may go on with it; those before it do nothing.
        waits: whether this message is in the queue, and no task has begun with it.
        problem: why the file cannot be read, or not to its end; or that no task gets on.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="article_imports"
    )
    file = models.FileField(upload_to=RandomName("imports"))
    name = models.CharField(max_length=100, editable=False)
    state = models.CharField(
        max_length=10, choices=ImportState, default=ImportState.CHECKING, editable=False
    )
    rows = models.PositiveIntegerField(default=0, editable=False)
    errors = models.PositiveIntegerField(default=0, editable=False)
    samples = models.JSONField(default=list, editable=False)
    done = models.PositiveIntegerField(default=0, editable=False)
    done_before = models.PositiveIntegerField(default=0, editable=False)
    # With defaults of the database, for processes of the version before, which don't know them.
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    call = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    waits = models.BooleanField(default=False, db_default=False, editable=False)
    problem = models.CharField(max_length=300, blank=True, editable=False)
    started_at = models.DateTimeField(null=True, editable=False)

    objects = BaseManager.from_queryset(ArticleImportQuerySet)()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["file"], name="article_import_file")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("articles:import", self.pk)

    def refreshed_streams(self) -> list[Streamable]:
        return [self]

    @property
    def is_going(self) -> bool:
        return self.state in GOING

    @property
    def is_startable(self) -> bool:
        was_checked = self.state in STOPPED and self.started_at is not None
        return self.state == ImportState.CHECKED or (was_checked and self.done < self.rows)

    @property
    def valid(self) -> int:
        """Return the number of rows without errors."""
        return self.rows - self.errors

    @property
    def ends_at(self) -> datetime | None:
        """Return when the import will probably be done, None if there is no telling."""
        done = self.done - self.done_before
        if self.started_at is None or done <= 0:
            return None
        now = timezone.now()
        return now + (now - self.started_at) / done * (self.rows - self.done)

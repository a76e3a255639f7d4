"""What a person may do with their imports of articles."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, islice

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.articles.importing import COLUMNS, article_of, errors_of, rows_of
from apps.articles.models import ArticleImport, ImportState
from apps.articles.models.imports import GOING, STOPPED
from apps.articles.tasks import call_task
from dovetail.csv_files import CSVError


def begin(job: ArticleImport) -> ArticleImport:
    """Save an import and have its rows checked."""
    with transaction.atomic():
        job.save()
        call_task(job)
    return job


def start(job: ArticleImport) -> bool:
    """Start an import that has been checked, or go on with one that was canceled or failed."""
    was_checked = Q(state__in=STOPPED, started_at__isnull=False, done__lt=F("rows"))
    ready = Q(state=ImportState.CHECKED) | was_checked
    with transaction.atomic():
        started = ArticleImport.objects.filter(ready, pk=job.pk).update(
            state=ImportState.RUNNING,
            started_at=timezone.now(),
            done_before=F("done"),
            attempts=0,
            problem="",
            updated_at=timezone.now(),
        )
        if started:
            call_task(ArticleImport.objects.get(pk=job.pk))
    return bool(started)


def cancel(job: ArticleImport) -> bool:
    """Stop an import after the current chunk. What has been imported stays."""
    going = ArticleImport.objects.filter(pk=job.pk, state__in=GOING)
    return bool(going.update(state=ImportState.CANCELED, updated_at=timezone.now()))


def error_lines(job: ArticleImport) -> Iterator[list[str]]:
    """Return the rows that cannot be imported, with their errors.

    Raises:
        OSError: the file cannot be read. Once this has returned, it is open and, if it comes from
            another machine, here.
    """
    lines = _error_lines(job)
    next(lines, None)
    return lines


def _error_lines(job: ArticleImport) -> Iterator[list[str]]:
    with suppress(CSVError), rows_of(job) as found:
        first = list(islice(found, 1))
        yield []  # for `error_lines`
        for _, row in chain(first, found):
            try:
                article_of(row, job.user)
            except ValidationError as error:
                said = [f"{column}: {message}" for _, column, message in errors_of(0, error)]
                yield [*(row[column] for column in COLUMNS), " ".join(said)]

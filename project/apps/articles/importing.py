"""Imports articles from a CSV file: first a dry run over all rows, then chunk by chunk.

A chunk is one transaction with the place in the file that it ends at. So a worker that is killed
leaves whole chunks behind, and whoever takes over goes on after the last one; a second worker that
gets the same message finds that the place has moved, and stops. The dry run keeps its place, too.

A message has the number of its call. The row has that of the last one, and a task with an earlier
number does nothing, or stops before its next chunk: so an import has one task at a time, however
often someone goes on with it.

Each task that begins is an attempt, and the next chunk sets their number back to zero. After some
without a chunk, no more are made: it is the file or the storage, and no worker that was killed.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.text import Truncator, slugify

from apps.articles.models import Article, Category, Status
from apps.articles.models.article import RESERVED_SLUGS, UNIQUE_SLUG
from apps.articles.models.imports import ArticleImport, ImportState
from apps.users.models import User
from dovetail.csv_files import CSVError, read
from dovetail.models.conflicts import retry_on_conflict
from dovetail.storable import is_storable

ADD = "articles.add_articleimport"
COLUMNS = ["title", "summary", "category", "body", "status"]
READ = [*COLUMNS, "error"]  # as the files of rows with errors have it; it is not looked at
REQUIRED = ["title", "body"]
FROM_ROWS = {"author", "slug", "cover", "published_at", "deleted_by", "deleted_at"}  # not from rows
LONGEST = Article._meta.get_field("body").max_length or 0  # characters
CHUNK = 1000  # rows
SLICE = 60  # seconds of a task, far below its limit; then another one goes on
ATTEMPTS = 5  # without getting on
SAMPLES = 100  # errors that are kept
MESSAGE = 300  # characters of an error, which may quote a field
UNCHECKED = (
    f"Its rows could not be checked, in {ATTEMPTS} attempts. Choose it again; if that does not "
    "help, tell the people who run this site."
)
UNFINISHED = (
    f"The next rows could not be imported, in {ATTEMPTS} attempts. Go on in a while; if that does "
    "not help, tell the people who run this site."
)

Row = tuple[int, dict[str, str]]
RowError = tuple[int, str, str]  # line, column, message


def article_of(row: dict[str, str], author: User) -> Article:
    """Return an unsaved article without a slug.

    Raises:
        ValidationError: with the messages of the fields.
    """
    status = row["status"].strip().lower() or Status.DRAFT
    body = row["body"].replace("\r\n", "\n")
    article = Article(
        author=author,
        title=row["title"].strip(),
        summary=row["summary"].strip(),
        body=body if body.strip() else "",  # which a form would refuse as well
        category=row["category"].strip().lower() or Category.ENGINEERING,
        status=status,
        published_at=timezone.now() if status == Status.PUBLISHED else None,
    )
    errors = {
        name: "It contains a character that cannot be stored."
        for name, text in row.items()
        if not is_storable(text)
    }
    # Django leaves these two to forms.
    if len(article.body) > LONGEST:
        errors.setdefault("body", f"It has more than {LONGEST:,} characters.")
    if status not in Status.values:
        errors.setdefault("status", f"“{status}” is none of {', '.join(Status.values)}.")
    if errors:
        raise ValidationError(errors)
    article.clean_fields(exclude=FROM_ROWS)
    return article


@contextmanager
def rows_of(job: ArticleImport) -> Iterator[Iterator[Row]]:
    """Open the file of an import, and yield its rows."""
    with job.file.open() as file, closing(read(file, READ, REQUIRED)) as found:
        yield found


def errors_of(line: int, error: ValidationError) -> Iterator[RowError]:
    for column, messages in error.message_dict.items():
        yield line, column, Truncator(" ".join(messages)).chars(MESSAGE)


def begin_attempt(import_id: str, state: ImportState, call: int) -> ArticleImport | None:
    """Return an import for a task to go on with, None if there is nothing to do.

    Args:
        import_id: its primary key.
        state: the one in which the task has something to do.
        call: the number of its message.
    """
    going = ArticleImport.objects.filter(pk=import_id, state=state, call=call)
    begun = going.filter(attempts__lt=ATTEMPTS).update(
        attempts=F("attempts") + 1, waits=False, updated_at=timezone.now()
    )
    return going.first() if begun else None


def give_up(job: ArticleImport) -> None:
    """End an import with which no attempt got on."""
    job.problem = UNCHECKED if job.state == ImportState.CHECKING else UNFINISHED
    job.state = ImportState.FAILED
    job.save(update_fields=["state", "problem", "updated_at"])


def check(job: ArticleImport) -> bool:
    """Look at the next rows for a while without importing any, and return whether there are more.

    Notes the errors and the number of rows.
    """
    began = time.monotonic()
    try:
        with rows_of(job) as found:
            for chunk in chunks(islice(found, job.rows, None), CHUNK):
                if not _check(job, chunk):
                    return False
                if time.monotonic() - began > SLICE:
                    return True
    except CSVError as error:
        _note(job, state=ImportState.FAILED, problem=str(error)[:300])
    else:
        _note(job, state=ImportState.CHECKED)
    return False


def _check(job: ArticleImport, chunk: Sequence[Row]) -> bool:
    """Look at a chunk, and return whether to go on with the next one."""
    errors, samples = job.errors, list(job.samples)
    for line, row in chunk:
        try:
            article_of(row, job.user)
        except ValidationError as error:
            errors += 1
            samples += errors_of(line, error)
    return _note(job, rows=job.rows + len(chunk), errors=errors, samples=samples[:SAMPLES])


def _note(job: ArticleImport, **values: object) -> bool:
    """Update an import that is being checked, and return whether it still is, and by this task."""
    here = ArticleImport.objects.filter(
        pk=job.pk, state=ImportState.CHECKING, call=job.call, rows=job.rows
    )
    if not here.update(updated_at=timezone.now(), attempts=0, **values):
        return False  # deleted, canceled, or another worker has taken over
    for name, value in values.items():
        setattr(job, name, value)
    return True


def run(job: ArticleImport) -> bool:
    """Import the next chunks for a while, and return whether there are more."""
    began = time.monotonic()
    with rows_of(job) as found:
        for chunk in chunks(islice(found, job.done, None), CHUNK):
            if not _import(job, chunk):
                return False
            if time.monotonic() - began > SLICE:
                return True
    done = ArticleImport.objects.filter(pk=job.pk, state=ImportState.RUNNING, call=job.call)
    done.update(state=ImportState.DONE, updated_at=timezone.now())
    return False


def _import(job: ArticleImport, chunk: Sequence[Row]) -> bool:
    """Import a chunk, and return whether to go on with the next one."""
    articles = []
    for _, row in chunk:
        try:
            articles.append(article_of(row, job.user))
        except ValidationError:
            continue  # the dry run has counted it
    with transaction.atomic():
        current = ArticleImport.objects.select_for_update().filter(pk=job.pk).first()
        if current is None or current.state != ImportState.RUNNING:
            return False  # deleted or canceled
        if (current.call, current.done) != (job.call, job.done):
            return False  # another worker has taken over
        if not current.user.has_perm(ADD):
            current.state = ImportState.CANCELED
            current.save(update_fields=["state", "updated_at"])
            return False

        def insert(_attempt: int) -> None:
            give_slugs(articles)
            Article.objects.bulk_create(articles)

        retry_on_conflict(insert, using=None, constraint=UNIQUE_SLUG)
        current.done = job.done = job.done + len(chunk)
        current.attempts = 0
        current.save(update_fields=["done", "attempts", "updated_at"])
    return True


def give_slugs(articles: Sequence[Article]) -> None:
    """Give each article a slug that is free, with one query: the title, or with random letters."""
    wanted = [
        slugify(article.title, allow_unicode=True)[:140].strip("-") or "article"
        for article in articles
    ]
    taken = RESERVED_SLUGS | set(
        Article.objects.filter(slug__in=set(wanted)).values_list("slug", flat=True)
    )
    for article, slug in zip(articles, wanted, strict=True):
        article.slug = slug if slug not in taken else f"{slug}-{get_random_string(8).lower()}"
        taken.add(article.slug)


def chunks(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, size)):
        yield chunk

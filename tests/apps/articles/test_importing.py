"""Importing articles: what a row may contain, and what a killed worker leaves behind."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.db.models import F
from django.utils import timezone

from apps.articles import importing
from apps.articles.importing import (
    ATTEMPTS,
    COLUMNS,
    MESSAGE,
    UNCHECKED,
    UNFINISHED,
    article_of,
    check,
    run,
)
from apps.articles.models import Article, ArticleImport, ImportState, Status
from apps.articles.models.imports import KEPT
from apps.articles.tasks import (
    IDLE,
    LOST,
    call_again,
    call_task,
    check_import,
    remove_old_imports,
    resume_imports,
    run_import,
)
from apps.users.models import User
from dovetail.csv_files import write
from dovetail.tasks.models import OutboxEntry
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db

ROW = {"title": "Joints", "summary": "", "category": "", "body": "Wood.", "status": ""}

MakeImport = Callable[..., ArticleImport]


@pytest.fixture
def user() -> User:
    user = make_user()
    user.user_permissions.add(Permission.objects.get(codename="add_articleimport"))
    return user


@pytest.fixture
def make_import(user: User) -> MakeImport:
    def make_import(
        rows: Sequence[Sequence[object]], state: str = ImportState.RUNNING
    ) -> ArticleImport:
        lines = "".join(write(COLUMNS, rows))
        checked = 0 if state == ImportState.CHECKING else len(rows)
        job = ArticleImport(user=user, name="articles.csv", state=state, rows=checked)
        job.file.save("articles.csv", ContentFile(lines.encode()))
        return job

    return make_import


def titled(count: int, start: int = 0) -> list[list[str]]:
    return [[f"Title {number}", "", "", "Wood.", ""] for number in range(start, start + count)]


def test_row_becomes_an_article(user: User) -> None:
    row = {"title": " Joints ", "summary": "S", "category": "Design", "body": "a\r\nb"}
    article = article_of(row | {"status": "Published"}, user)

    assert (article.title, article.summary, article.body) == ("Joints", "S", "a\nb")
    assert (article.category, article.status) == ("design", "published")
    assert article.published_at is not None


def test_row_is_a_draft_by_default(user: User) -> None:
    article = article_of(ROW, user)

    assert (article.category, article.status) == ("engineering", "draft")
    assert article.published_at is None


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"title": ""}, "title"),
        ({"title": "  "}, "title"),
        ({"title": "x" * 141}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"body": ""}, "body"),
        ({"body": " \r\n\t"}, "body"),
        ({"body": "x" * 100_001}, "body"),
        ({"summary": "x" * 301}, "summary"),
        ({"category": "none"}, "category"),
        ({"status": "deleted"}, "status"),
        ({"status": "dr\0aft"}, "status"),
        ({"title": "a\nb"}, "title"),
        ({"title": "a\u202eb"}, "title"),
    ],
)
def test_row_with_an_error_names_its_column(
    user: User, change: dict[str, str], column: str
) -> None:
    with pytest.raises(ValidationError) as error:
        article_of(ROW | change, user)

    assert list(error.value.message_dict) == [column]


def test_check_counts_rows_and_errors_and_imports_nothing(make_import: MakeImport) -> None:
    job = make_import([*titled(2), ["", "", "", "", ""], ["", "x", "none", "b", ""]], "checking")

    check(job)

    job.refresh_from_db()
    assert (job.state, job.rows, job.errors) == ("checked", 3, 1)
    assert [(line, column) for line, column, _ in job.samples] == [(5, "title"), (5, "category")]
    assert not Article.objects.exists()


def test_check_of_an_unreadable_file_says_why(make_import: MakeImport) -> None:
    job = make_import([], "checking")
    job.file.save("a.csv", ContentFile(b"title,text\na,b\n"))

    check_import(str(job.pk))

    job.refresh_from_db()
    assert job.state == ImportState.FAILED
    assert job.problem.startswith("Line 1: There is no column 'text'")


def test_check_keeps_the_first_errors_only(make_import: MakeImport) -> None:
    job = make_import([["", "", "", "b", ""]] * 150, "checking")

    check(job)

    job.refresh_from_db()
    assert (job.errors, len(job.samples)) == (150, importing.SAMPLES)


def test_check_stops_when_it_is_canceled(make_import: MakeImport) -> None:
    job = make_import(titled(3), "checking")
    ArticleImport.objects.update(state=ImportState.CANCELED, rows=0)

    check(job)

    job.refresh_from_db()
    assert (job.state, job.rows) == ("canceled", 0)


def test_long_check_goes_on_in_another_task(
    make_import: MakeImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: a task that needs longer than its time limit, and begins again from the start."""
    monkeypatch.setattr(importing, "CHUNK", 10)
    monkeypatch.setattr(importing, "SLICE", -1)
    wrong = ["", "", "", "b", ""]
    job = make_import([*titled(5), wrong, *titled(10), wrong, *titled(5)], "checking")

    check_import.run(str(job.pk))

    job.refresh_from_db()
    assert (job.state, job.rows, job.errors) == ("checking", 10, 1)
    while do_what_waits() or OutboxEntry.objects.exists():
        pass
    job.refresh_from_db()
    assert (job.state, job.rows, job.errors) == ("checked", 22, 2)
    assert [(line, column) for line, column, _ in job.samples] == [(7, "title"), (18, "title")]


def test_second_worker_that_checks_the_same_file_stops(
    make_import: MakeImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: rows and errors that are counted twice."""
    monkeypatch.setattr(importing, "CHUNK", 10)
    monkeypatch.setattr(importing, "SLICE", -1)
    job = make_import([["", "", "", "b", ""]] * 30, "checking")
    late = ArticleImport.objects.get()  # has read its place before the first began

    assert check(job)
    assert not check(late)

    job.refresh_from_db()
    assert (job.rows, job.errors) == (10, 10)


def test_rows_without_errors_are_imported(make_import: MakeImport, user: User) -> None:
    job = make_import([*titled(2), ["", "", "", "b", ""], ["Last", "", "", "b", "published"]])

    run_import(str(job.pk))

    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 4)
    assert [article.title for article in Article.objects.order_by("id")] == [
        *("Title 0", "Title 1", "Last")
    ]
    assert Article.objects.filter(author=user).count() == 3
    assert Article.objects.get(title="Last").status == Status.PUBLISHED


def test_equal_titles_get_slugs_of_their_own(make_import: MakeImport) -> None:
    make_article(title="Joints")
    run(make_import([["Joints", "", "", "b", ""]] * 3 + [["Mine", "", "", "b", ""]]))

    slugs = list(Article.objects.values_list("slug", flat=True))
    assert len(set(slugs)) == 5
    assert sum(slug.startswith("joints") for slug in slugs) == 4
    assert "mine" not in slugs  # the address of another page


def test_killed_worker_leaves_whole_chunks_and_the_next_goes_on(
    make_import: MakeImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: rows that are imported twice, or not at all."""
    monkeypatch.setattr(importing, "CHUNK", 10)
    job = make_import(titled(45))
    insert = Article.objects.bulk_create
    calls = 0

    def die(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        result = insert(*args)
        if calls == 3:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(type(Article.objects), "bulk_create", lambda _, rows: die(rows))
    with pytest.raises(KeyboardInterrupt):
        run(job)
    job.refresh_from_db()
    assert (job.state, job.done, Article.objects.count()) == ("running", 20, 20)

    run_import(str(job.pk))

    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 45)
    assert sorted(Article.objects.values_list("title", flat=True)) == sorted(
        title for title, *_ in titled(45)
    )


def test_second_worker_with_the_same_message_stops(
    make_import: MakeImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "CHUNK", 10)
    job = make_import(titled(30))
    late = ArticleImport.objects.get()  # has read its place before the first began

    run(job)
    assert not run(late)

    assert Article.objects.count() == 30


def test_canceled_import_stops_after_a_chunk(
    make_import: MakeImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "CHUNK", 10)
    job = make_import(titled(30))
    ArticleImport.objects.update(state=ImportState.CANCELED)

    assert not run(job)

    job.refresh_from_db()
    assert (job.state, job.done, Article.objects.count()) == ("canceled", 0, 0)


def test_long_import_goes_on_in_another_task(
    make_import: MakeImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: a task that is killed at its time limit."""
    monkeypatch.setattr(importing, "CHUNK", 10)
    monkeypatch.setattr(importing, "SLICE", -1)
    job = make_import(titled(30))

    run_import.run(str(job.pk))

    job.refresh_from_db()
    assert (job.state, job.done) == ("running", 10)
    assert OutboxEntry.objects.get().task == run_import.name


@pytest.mark.parametrize("task", [check_import, run_import])
def test_task_for_a_deleted_import_does_nothing(make_import: MakeImport, task: Any) -> None:
    job = make_import(titled(1))
    pk = str(job.pk)
    job.delete()

    task(pk)

    assert not Article.objects.exists()


def test_import_that_is_deleted_while_it_runs_ends(
    make_import: MakeImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "CHUNK", 10)
    job = make_import(titled(30))

    def delete(row: dict[str, str], author: User) -> Article:
        ArticleImport.objects.filter(pk=job.pk).delete()
        return article_of(row, author)

    monkeypatch.setattr(importing, "article_of", delete)

    assert not run(job)


@pytest.mark.parametrize("loss", ["permission", "account"])
def test_import_ends_with_the_right_to_it(
    make_import: MakeImport, user: User, monkeypatch: pytest.MonkeyPatch, loss: str
) -> None:
    """Kind: work that goes on for someone who was shut out."""
    monkeypatch.setattr(importing, "CHUNK", 10)
    monkeypatch.setattr(importing, "SLICE", -1)
    job = make_import(titled(30))
    assert run(job)
    if loss == "permission":
        user.user_permissions.clear()
    else:
        User.objects.filter(pk=user.pk).update(is_active=False)

    run_import.run(str(job.pk))

    job.refresh_from_db()
    assert (job.state, job.done) == ("canceled", 10)


def test_long_field_is_not_quoted_whole(make_import: MakeImport) -> None:
    job = make_import([["T", "", "c" * 50_000, "B", "s" * 50_000]], state=ImportState.CHECKING)

    check(job)

    job.refresh_from_db()
    assert job.samples
    assert all(len(message) <= MESSAGE for _, _, message in job.samples)


def test_old_imports_are_removed_with_their_files(make_import: MakeImport) -> None:
    old, new = make_import(titled(1)), make_import(titled(1))
    ArticleImport.objects.filter(pk=old.pk).update(updated_at=timezone.now() - KEPT * 1.1)

    remove_old_imports()

    assert ArticleImport.objects.get() == new


def test_import_of_many_rows_sends_few_messages(
    make_import: MakeImport, django_capture_on_commit_callbacks: Any
) -> None:
    """Kind: a bulk operation that broadcasts each row."""
    job = make_import(titled(200))

    with django_capture_on_commit_callbacks() as callbacks:
        run(job)

    assert len(callbacks) < 10


@pytest.mark.parametrize(
    ("state", "task"),
    [(ImportState.RUNNING, run_import), (ImportState.CHECKING, check_import)],
)
def test_import_of_a_killed_worker_goes_on(make_import: MakeImport, state: str, task: Any) -> None:
    """Kind: a broker that delivers the message of a killed worker after an hour."""
    make_import(titled(1), state=state)

    resume_imports()
    assert not OutboxEntry.objects.exists()  # it may be at work

    resume_imports(idle=0)  # as at the start of a worker
    assert OutboxEntry.objects.get().task == task.name

    OutboxEntry.objects.all().delete()
    ArticleImport.objects.update(attempts=1, waits=False)
    let_pass(IDLE + 1)
    for _ in range(2):
        resume_imports()
    assert OutboxEntry.objects.get().task == task.name


def let_pass(seconds: float) -> None:
    """Let time pass in which no import gets on."""
    ArticleImport.objects.update(updated_at=F("updated_at") - timedelta(seconds=seconds))


def do_what_waits() -> int:
    """Do what is in the outbox as a worker does, once, and return how many tasks have failed."""
    failed = 0
    for entry in OutboxEntry.objects.all():
        try:
            do(entry)
        except (OSError, SoftTimeLimitExceeded):
            failed += 1
    return failed


def do(entry: OutboxEntry) -> None:
    """Do a task of the outbox as a worker does."""
    arguments, _ = json.loads(entry.arguments)
    entry.delete()
    current_app.tasks[entry.task].run(*arguments)


@pytest.mark.parametrize(("state", "problem"), [("running", UNFINISHED), ("checking", UNCHECKED)])
@pytest.mark.parametrize("fault", ["file is gone", "task takes too long"])
def test_import_that_does_not_get_on_ends(
    make_import: MakeImport, monkeypatch: pytest.MonkeyPatch, state: str, problem: str, fault: str
) -> None:
    """Kind: a task that fails, and is called again for ever."""
    job = make_import(titled(1), state=state)
    if fault == "file is gone":
        Path(job.file.path).unlink()
    else:
        monkeypatch.setattr(importing, "article_of", Mock(side_effect=SoftTimeLimitExceeded))

    failed = 0
    for _ in range(2 * ATTEMPTS):
        let_pass(ATTEMPTS * IDLE)
        resume_imports()
        failed += do_what_waits()

    assert failed == ATTEMPTS
    job.refresh_from_db()
    assert (job.state, job.problem) == ("failed", problem)
    assert ArticleImport.objects.expired().count() == 0
    ArticleImport.objects.update(updated_at=timezone.now() - KEPT * 1.1)
    resume_imports()
    assert ArticleImport.objects.expired().count() == 1


@pytest.mark.parametrize(("state", "end"), [("running", "done"), ("checking", "checked")])
def test_attempts_that_get_on_do_not_count(
    make_import: MakeImport, monkeypatch: pytest.MonkeyPatch, state: str, end: str
) -> None:
    """Kind: a long import that is given up because its workers are replaced often."""
    monkeypatch.setattr(importing, "CHUNK", 1)
    job = make_import(titled(2 * ATTEMPTS), state=state)
    seen: set[str] = set()

    def die(row: dict[str, str], author: User) -> Article:
        """Die at each row, when it is seen for the first time."""
        if row["title"] not in seen:
            seen.add(row["title"])
            raise SoftTimeLimitExceeded
        return article_of(row, author)

    monkeypatch.setattr(importing, "article_of", die)
    for _ in range(2 * ATTEMPTS + 1):
        let_pass(IDLE + 1)
        resume_imports()
        do_what_waits()

    job.refresh_from_db()
    assert (job.state, job.problem, job.rows) == (end, "", 2 * ATTEMPTS)


@pytest.mark.parametrize("state", [ImportState.RUNNING, ImportState.CHECKING])
def test_storage_that_is_away_for_ten_minutes_ends_no_import(
    make_import: MakeImport, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """Kind: attempts that are used up while the fault is being mended."""
    job = make_import(titled(1), state=state)
    let_pass(IDLE + 1)
    with monkeypatch.context() as away:
        away.setattr(importing, "rows_of", Mock(side_effect=OSError("away")))
        begun = []
        for minute in range(30):
            resume_imports()
            if do_what_waits():
                begun.append(minute)
            if minute == 10:
                job.refresh_from_db()
                assert job.is_going
            let_pass(60)

    job.refresh_from_db()
    assert begun == [0, 2, 6, 12, 20]
    assert job.state == ImportState.FAILED


def test_start_of_many_workers_uses_up_no_attempts(
    make_import: MakeImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "rows_of", Mock(side_effect=OSError("away")))
    make_import(titled(1))

    failed = 0
    for _ in range(2 * ATTEMPTS):
        resume_imports(idle=0)
        failed += do_what_waits()

    assert failed == 1


@pytest.mark.parametrize(
    ("state", "end"), [(ImportState.RUNNING, "done"), (ImportState.CHECKING, "checked")]
)
def test_imports_that_wait_for_their_turn_are_called_once(
    make_import: MakeImport, monkeypatch: pytest.MonkeyPatch, state: str, end: str
) -> None:
    """Kind: a queue that grows by itself, because what waits looks like what was killed."""
    monkeypatch.setattr(importing, "CHUNK", 1)
    monkeypatch.setattr(importing, "SLICE", -1)
    for _ in range(3):
        call_task(make_import(titled(10), state=state))

    seen = []
    for _minute in range(40):
        entry = OutboxEntry.objects.order_by("pk").first()
        if entry:
            do(entry)
        let_pass(60)
        resume_imports()
        resume_imports(idle=0)  # as a worker that starts
        seen.append(OutboxEntry.objects.count())

    assert max(seen) == 3
    assert seen[-1] == 0
    assert set(ArticleImport.objects.values_list("state", "rows")) == {(end, 10)}


def test_message_that_was_replaced_does_nothing(make_import: MakeImport) -> None:
    job = make_import(titled(1))
    for _ in range(2):
        call_task(job)
    old, new = OutboxEntry.objects.order_by("pk")

    do(old)
    assert not Article.objects.exists()
    job.refresh_from_db()
    assert (job.attempts, job.waits) == (0, True)

    do(new)
    assert Article.objects.count() == 1


@pytest.mark.parametrize(("state", "task"), [("running", run_import), ("checking", check_import)])
def test_task_that_was_replaced_stops_and_calls_none(
    make_import: MakeImport, monkeypatch: pytest.MonkeyPatch, state: str, task: Any
) -> None:
    """Kind: two tasks for an import, each of which calls itself for ever."""
    monkeypatch.setattr(importing, "CHUNK", 1)
    monkeypatch.setattr(importing, "SLICE", -1)
    job = make_import(titled(3), state=state)

    def replace(row: dict[str, str], author: User) -> Article:
        call_task(ArticleImport.objects.get())
        return article_of(row, author)

    monkeypatch.setattr(importing, "article_of", replace)
    task.run(str(job.pk))

    job.refresh_from_db()
    assert (job.done, job.rows) == (0, 0 if state == "checking" else 3)
    assert json.loads(OutboxEntry.objects.get().arguments) == [[str(job.pk), 1], {}]


def test_task_that_was_replaced_after_its_last_chunk_calls_none(make_import: MakeImport) -> None:
    job = make_import(titled(3))
    late = ArticleImport.objects.get()
    call_task(job)

    call_again(late)

    assert OutboxEntry.objects.count() == 1


def test_message_that_the_broker_has_lost_is_sent_again(make_import: MakeImport) -> None:
    call_task(make_import(titled(3)))
    sent = OutboxEntry.objects.get()
    let_pass(LOST + 1)

    for _ in range(2):
        resume_imports()

    first, again = OutboxEntry.objects.order_by("pk")
    assert (first, again.arguments) == (sent, sent.arguments)
    do(again)
    do(first)
    assert Article.objects.count() == 3


@pytest.mark.parametrize(("state", "task"), [("running", run_import), ("checking", check_import)])
def test_message_of_the_version_before_is_understood(
    make_import: MakeImport, state: str, task: Any
) -> None:
    """It has no number, as its import has none. Once a new one is called, it does nothing."""
    job = make_import(titled(1), state=state)
    task.run(str(job.pk))
    job.refresh_from_db()
    assert not job.is_going

    ArticleImport.objects.update(state=state, done=0, rows=0)
    job.refresh_from_db()
    call_task(job)
    task.run(str(job.pk))
    job.refresh_from_db()
    assert job.waits


def test_last_attempt_is_not_disturbed_by_the_start_of_a_worker(make_import: MakeImport) -> None:
    job = make_import(titled(1))
    ArticleImport.objects.update(attempts=ATTEMPTS)

    resume_imports(idle=0)
    run_import(str(job.pk))  # as a broker does that delivers a message twice

    job.refresh_from_db()
    assert (job.state, job.done) == ("running", 0)
    assert not OutboxEntry.objects.exists()


@pytest.mark.parametrize("state", ["checked", "canceled", "done", "failed"])
def test_import_that_has_ended_does_not_go_on(make_import: MakeImport, state: str) -> None:
    make_import(titled(1), state=state)

    resume_imports(idle=0)

    assert not OutboxEntry.objects.exists()

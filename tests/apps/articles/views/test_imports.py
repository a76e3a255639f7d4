"""The pages of imports and the export."""

import io
import time
import tracemalloc
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import AsyncClient, Client
from django.utils.html import escape
from pytest_django.fixtures import Settings

from apps.articles.forms import UNAVAILABLE
from apps.articles.importing import ATTEMPTS, LONGEST, READ, UNCHECKED, UNFINISHED
from apps.articles.models import Article, ArticleImport, ImportState
from apps.articles.tasks import resume_imports
from apps.articles.views import imports as views
from apps.articles.views.imports import UNREADABLE
from apps.users.models import User
from dovetail.csv_files import FIELD, read
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db(transaction=True)

IMPORTS = "/articles/imports/"
NOT_STARTABLE = ["checking", "running", "done", "failed"]
NOT_GOING = ["checked", "done", "failed", "canceled"]
FILE = b"title,body\nFirst,Wood.\n,Wood.\nSecond,Wood.\n"


@pytest.fixture
def editor(client: Client) -> User:
    user = make_user()
    user.user_permissions.add(Permission.objects.get(codename="add_articleimport"))
    client.force_login(user)
    return user


def upload(client: Client, content: bytes = FILE, name: str = "articles.csv") -> Any:
    return client.post(IMPORTS, {"file": SimpleUploadedFile(name, content)})


def content(response: Any) -> bytes:
    return b"".join(response)


@pytest.mark.usefixtures("editor")
def test_file_is_checked_started_and_imported(client: Client) -> None:
    url = upload(client).headers["Location"]
    page = client.get(url).text
    assert "2 of 3 rows can be imported. The other will be left out." in page
    assert "Import 2 articles" in page
    assert "This field cannot be blank." in page
    assert not Article.objects.exists()

    client.post(f"{url}start/")

    page = client.get(url).text
    assert "Done: 3 of 3 rows." in page
    assert {article.title for article in Article.objects.all()} == {"First", "Second"}


@pytest.mark.usefixtures("editor")
def test_rows_with_errors_can_be_corrected_and_uploaded_again(client: Client) -> None:
    url = upload(client).headers["Location"]

    errors = client.get(f"{url}errors/")
    ((_, row),) = read(
        io.BytesIO(content(errors)), ["title", "summary", "category", "body", "status", "error"]
    )

    assert errors.headers["Content-Disposition"] == 'attachment; filename="errors.csv"'
    assert row["body"] == "Wood."
    assert row["error"] == "title: This field cannot be blank."
    again = upload(client, content(client.get(f"{url}errors/")).replace(b'\r\n""', b'\r\n"Third"'))
    client.post(f"{again.headers['Location']}start/")
    assert [article.title for article in Article.objects.all()] == ["Third"]


@pytest.mark.usefixtures("editor")
@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"title,text\na,b\n", "There is no column &#x27;text&#x27;"),
        ("title,body\nKäse,b\n".encode("cp1252"), "Save it as “CSV UTF-8”"),
        (b"\x00" * 100, "There is no column"),
    ],
)
def test_unreadable_file_says_what_to_do(client: Client, file: bytes, message: str) -> None:
    page = client.get(upload(client, file).headers["Location"]).text

    assert "be imported." in page
    assert message in page
    assert "Choose another file" in page


@pytest.mark.usefixtures("editor")
def test_empty_upload_is_refused_at_once(client: Client) -> None:
    for answer in (client.post(IMPORTS), upload(client, b"")):
        assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not ArticleImport.objects.exists()


@pytest.mark.usefixtures("editor")
def test_file_that_cannot_be_stored_is_an_error_of_the_form(
    client: Client, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MEDIA_ROOT = tmp_path / "no folder"
    settings.MEDIA_ROOT.touch()

    answer = upload(client)

    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert escape(UNAVAILABLE) in answer.text
    assert "An upload for articles.ArticleImport.file could not be stored" in caplog.text
    assert not ArticleImport.objects.exists()


@pytest.mark.usefixtures("editor")
def test_errors_of_a_file_that_cannot_be_read_are_a_message(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Kind: a download that breaks off, of which its reader learns nothing."""
    url = upload(client).headers["Location"]
    Path(ArticleImport.objects.get().file.path).unlink()

    answer = client.get(f"{url}errors/", follow=True)

    assert answer.redirect_chain == [(url, HTTPStatus.FOUND)]
    assert escape(UNREADABLE) in answer.text
    assert "could not be read" in caplog.text


@pytest.mark.usefixtures("editor")
def test_page_of_an_unreadable_file_has_no_errors_to_download(client: Client) -> None:
    url = upload(client, b"title,text\na,b\n").headers["Location"]

    lines = content(client.get(f"{url}errors/")).decode().splitlines()

    assert len(lines) == 1


@pytest.mark.usefixtures("editor")
@pytest.mark.parametrize("name", ["x" * 300 + ".csv", "<b>.csv", "../../etc/passwd", "日本.csv"])
def test_any_name_of_a_file_is_taken(client: Client, name: str) -> None:
    answer = upload(client, name=name)

    page = client.get(answer.headers["Location"])
    assert page.status_code == HTTPStatus.OK
    assert "<b>" not in page.text


def test_others_do_not_see_an_import(client: Client, editor: User) -> None:
    url = upload(client).headers["Location"]
    file = ArticleImport.objects.get().file
    other = make_user(is_superuser=True)
    client.force_login(other)

    for path in (url, f"{url}errors/", file.url):
        assert client.get(path).status_code == HTTPStatus.NOT_FOUND
    for path in (f"{url}start/", f"{url}cancel/"):
        assert client.post(path).status_code == HTTPStatus.NOT_FOUND
    client.force_login(editor)
    assert client.get(url).status_code == HTTPStatus.OK


@pytest.mark.usefixtures("editor")
def test_canceled_import_goes_on(client: Client) -> None:
    url = upload(client).headers["Location"]
    ArticleImport.objects.update(state=ImportState.RUNNING, started_at="2026-01-02T03:04Z", done=1)
    assert "Importing: 1 of 3 rows. Done" in client.get(url).text

    client.post(f"{url}cancel/")
    assert "Canceled: 1 of 3 rows." in client.get(url).text
    client.post(f"{url}start/")

    assert "Done: 3 of 3 rows." in client.get(url).text
    assert [article.title for article in Article.objects.all()] == ["Second"]


@pytest.mark.usefixtures("editor")
def test_import_that_failed_on_its_way_goes_on(client: Client) -> None:
    """Kind: rows that can be imported only together with those that are there already."""
    url = upload(client).headers["Location"]
    started = ArticleImport.objects.filter(state=ImportState.CHECKED)
    started.update(state=ImportState.RUNNING, started_at="2026-01-02T03:04Z", done=1)
    ArticleImport.objects.update(attempts=ATTEMPTS, updated_at="2026-01-02T03:04Z")
    resume_imports()
    page = client.get(url).text
    assert f"Stopped: 1 of 3 rows. {UNFINISHED}" in page
    assert "Go on" in page

    client.post(f"{url}start/")

    page = client.get(url).text
    assert "Done: 3 of 3 rows." in page
    assert UNFINISHED not in page
    assert [article.title for article in Article.objects.all()] == ["Second"]


@pytest.mark.usefixtures("editor")
def test_check_that_failed_asks_for_the_file_again(client: Client) -> None:
    url = upload(client).headers["Location"]
    ArticleImport.objects.update(
        state=ImportState.CHECKING, attempts=ATTEMPTS, updated_at="2026-01-02T03:04Z"
    )
    resume_imports()

    page = client.get(url).text

    assert UNCHECKED in page
    assert "Choose another file" in page


@pytest.mark.usefixtures("editor")
@pytest.mark.parametrize(
    ("state", "action", "message"),
    [
        *(
            (state, "start", "cannot be started")
            for state in ("checking", "running", "done", "failed")
        ),
        *(
            (state, "cancel", "has ended already")
            for state in ("checked", "done", "failed", "canceled")
        ),
    ],
)
def test_action_that_comes_too_late_changes_nothing(
    client: Client, state: str, action: str, message: str
) -> None:
    url = upload(client).headers["Location"]
    ArticleImport.objects.update(state=state)

    answer = client.post(f"{url}{action}/", follow=True)

    assert message in answer.text
    assert ArticleImport.objects.get().state == state
    assert not Article.objects.exists()


@pytest.mark.usefixtures("editor")
def test_import_that_was_canceled_while_it_was_checked_cannot_be_started(client: Client) -> None:
    url = upload(client).headers["Location"]
    ArticleImport.objects.update(state=ImportState.CANCELED)

    client.post(f"{url}start/")

    assert not Article.objects.exists()


@pytest.mark.usefixtures("editor")
def test_recent_imports_are_listed(client: Client) -> None:
    url = upload(client, name="mine.csv").headers["Location"]

    assert f'href="{url}"' in client.get(IMPORTS).text


def test_export_has_what_the_person_may_edit(client: Client) -> None:
    author = make_user()
    make_article(author, title="=1+1", body="Line\nand line")
    make_article(title="Of another")
    client.force_login(author)

    answer = client.get("/articles/export/")
    exported = content(answer)

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert b"'=1+1" in exported
    ((_, row),) = read(io.BytesIO(exported), READ)
    assert (row["title"], row["body"], row["status"]) == ("=1+1", "Line\nand line", "published")


async def test_slow_reader_of_an_export_holds_no_connection(
    async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: a few slow downloads that take all connections of the pool."""
    monkeypatch.setattr(views, "BATCH", 2)
    monkeypatch.setattr(views, "PART", 50)

    def prepare() -> User:
        author = make_user()
        for number in range(7):
            make_article(author, title=f"Title {number}")
        return author

    def idle() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND query LIKE '%articles_article%'"
            )
            return int(cursor.fetchone()[0])

    def wait() -> None:
        while idle() > before:  # PostgreSQL takes a moment to end a session
            time.sleep(0.01)

    await async_client.aforce_login(await sync_to_async(prepare)())
    before = await sync_to_async(idle)()
    answer: Any = await async_client.get("/articles/export/")
    parts = aiter(answer.streaming_content)
    first = [await anext(parts) for _ in range(2)]

    await sync_to_async(wait)()
    rest = [part async for part in parts]
    exported = b"".join(first + rest)
    assert len(list(read(io.BytesIO(exported), READ))) == 7


def test_longest_article_can_be_exported_and_imported(client: Client, editor: User) -> None:
    """Kind: a file of many that is refused for one, because of what the export has added."""
    body = "a" + "\n-" * (LONGEST // 2 - 1) + "b"
    make_article(editor, title="Long", body=body)
    exported = content(client.get("/articles/export/"))
    Article.all_objects.all().hard_delete()

    # As some spreadsheets save it.
    url = upload(client, exported.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    client.post(f"{url.headers['Location']}start/")

    assert Article.objects.get().body == body


@pytest.mark.usefixtures("editor")
def test_errors_of_the_longest_field_can_be_uploaded_again(client: Client) -> None:
    body = "\n-" * (FIELD // 2)
    url = upload(client, f'title,body\na,"{body}"\n'.encode()).headers["Location"]
    assert "It has more than 100,000 characters." in client.get(url).text

    again = upload(client, content(client.get(f"{url}errors/"))).headers["Location"]

    assert "It has more than 100,000 characters." in client.get(again).text


async def test_export_of_long_articles_needs_little_memory(async_client: AsyncClient) -> None:
    """Kind: parts and queries that are bounded by rows, however long a row may be."""

    def prepare() -> User:
        author = make_user()
        Article.objects.bulk_create(
            Article(author=author, title="Long", slug=f"long-{number}", body="x" * LONGEST)
            for number in range(4 * views.BATCH)
        )
        return author

    await async_client.aforce_login(await sync_to_async(prepare)())
    answer: Any = await async_client.get("/articles/export/")
    tracemalloc.start()
    sizes = [len(part) async for part in answer.streaming_content]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sum(sizes) > 4 * views.BATCH * LONGEST
    assert max(sizes) < views.PART + 2 * LONGEST
    assert peak < 3 * views.BATCH * LONGEST  # the query has its answer twice for a moment


def test_export_can_be_imported(client: Client, editor: User) -> None:
    for number in range(3):
        make_article(editor, title=f"-{number}", body="\"quoted\", 'and'\n= b")
    exported = content(client.get("/articles/export/"))
    before = sorted(Article.objects.values_list("title", "body", "status"))
    Article.all_objects.all().hard_delete()

    url = upload(client, exported).headers["Location"]
    client.post(f"{url}start/")

    assert sorted(Article.objects.values_list("title", "body", "status")) == before

"""A POST that is sent twice with one key is carried out once."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from http import HTTPStatus
from threading import Barrier, Event
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import Group
from django.db import connection, connections
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings
from rest_framework.parsers import MultiPartParser
from rest_framework.test import APIClient

from apps.api.viewsets.articles import ArticleViewSet
from apps.articles.models import Article
from apps.users.models import User
from dovetail.api import idempotency
from dovetail.api.models import StoredAnswer
from dovetail.api.tasks import delete_expired_answers
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db

LIST = "/api/v1/articles/"
BODY = {"title": "New", "body": "Text"}
KEY = "01936c2e-0000-7000-8000-000000000001"


def send(client: APIClient, key: str = KEY, url: str = LIST, body: Any = BODY) -> Any:
    return client.post(url, body, headers={"idempotency-key": key})


def test_replay_is_the_first_answer(as_author: APIClient) -> None:
    first = send(as_author)
    article = Article.objects.get()
    article.title = "Changed since"
    article.save()
    again = send(as_author)

    assert first.status_code == again.status_code == HTTPStatus.CREATED
    assert first.content == again.content
    for name in ("Content-Type", "ETag", "Location"):
        assert first[name] == again[name]
    assert "Idempotency-Replayed" not in first.headers
    assert again["Idempotency-Replayed"] == "true"
    assert Article.objects.count() == 1


def test_key_may_be_quoted_as_the_draft_demands(as_author: APIClient) -> None:
    send(as_author, 'a"\\')
    again = send(as_author, '"a\\"\\\\"')

    assert again["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    "key", ["", " ", '""', '"a', '"a"b', '"a";b=1', '"\\a"', "x" * 256, "é", "a\tb"]
)
def test_malformed_key_is_refused(as_author: APIClient, key: str) -> None:
    answer = send(as_author, key)

    assert answer.status_code == HTTPStatus.BAD_REQUEST
    [fault] = answer.json()["errors"]
    assert fault["header"] == "Idempotency-Key"
    assert "1 to 255 printable ASCII characters" in fault["detail"]
    assert not Article.objects.exists()


def test_key_of_another_request_is_refused(as_author: APIClient, author: User) -> None:
    send(as_author)
    other_body = send(as_author, body=BODY | {"title": "Other"})
    articles = [make_article(author), make_article(author)]
    for article in articles:
        article.delete(by=author)
    other_address = [
        send(as_author, "b", f"{LIST}{article.pk}/restoration/", None) for article in articles
    ]

    assert other_body.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert other_body.json()["code"] == "idempotency_key_reused"
    assert [answer.status_code for answer in other_address] == [200, 422]
    assert Article.objects.count() == 2


def test_key_is_of_one_person_one_token_and_one_endpoint(author: User) -> None:
    clients = [APIClient() for _ in range(4)]
    clients[0].force_login(author)
    clients[1].force_login(make_user())
    for client, name in zip(clients[2:], "ab", strict=True):
        token: Any = Group.objects.create(name=name)  # a row, as tokens are
        client.force_authenticate(author, token=token)
    answers = [send(client) for client in clients]
    answers.append(
        send(
            clients[0],
            url=f"{LIST}bulk/",
            body={"operations": [{"method": "create", "fields": BODY}]},
        )
    )

    assert all("Idempotency-Replayed" not in answer.headers for answer in answers)
    assert Article.objects.count() == 5


def test_refused_request_can_be_corrected(as_author: APIClient) -> None:
    refused = send(as_author, body={"title": "New"})
    taken = send(as_author)

    assert (refused.status_code, taken.status_code) == (400, 201)
    assert StoredAnswer.objects.count() == 1


def test_failed_request_can_be_repeated(
    as_author: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: an effect without its answer, or an answer without its effect."""
    as_author.raise_request_exception = False
    with monkeypatch.context() as patch:

        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError

        patch.setattr(type(StoredAnswer.objects), "bulk_create", fail)
        failed = send(as_author)

    assert failed.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert not Article.objects.exists()
    assert not StoredAnswer.objects.exists()
    assert send(as_author).status_code == HTTPStatus.CREATED


def test_answer_that_is_too_large_to_keep_is_not_given_again(
    as_author: APIClient, settings: Settings
) -> None:
    settings.IDEMPOTENCY_MAX_BYTES = 10
    send(as_author)
    again = send(as_author)

    assert again.status_code == HTTPStatus.CONFLICT
    assert again.json()["code"] == "answer_not_kept"
    assert Article.objects.count() == 1


def test_key_is_free_again_after_a_day(as_author: APIClient) -> None:
    first = send(as_author)
    day = timedelta(hours=configured.IDEMPOTENCY_HOURS)
    StoredAnswer.objects.update(created_at=timezone.now() - day)
    second = send(as_author)
    third = send(as_author)

    assert first["Location"] != second["Location"] == third["Location"]
    assert StoredAnswer.objects.count() == 1


def test_expired_answers_are_deleted(as_author: APIClient) -> None:
    send(as_author, "old")
    StoredAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    send(as_author, "new")
    delete_expired_answers()

    assert send(as_author, "new")["Idempotency-Replayed"] == "true"
    assert StoredAnswer.objects.count() == 1


def test_expired_answers_are_deleted_every_hour() -> None:
    scheduled = configured.CELERY_BEAT_SCHEDULE["delete-expired-answers"]
    assert scheduled["task"] == delete_expired_answers.name


def test_answers_go_with_their_account(as_author: APIClient, author: User) -> None:
    send(as_author)
    author.delete()

    assert not StoredAnswer.objects.exists()


def test_anonymous_request_has_no_key(api: APIClient) -> None:
    assert send(api).status_code == HTTPStatus.UNAUTHORIZED


def test_form_can_have_a_key(author: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind: a body that has been read already, by the check of the CSRF token."""
    monkeypatch.setattr(ArticleViewSet, "parser_classes", [MultiPartParser])
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(author)
    client.cookies[configured.CSRF_COOKIE_NAME] = "a" * 32
    headers = {"idempotency-key": KEY, "x-csrf-token": "a" * 32}

    for _ in range(2):
        answer = client.post(LIST, BODY, format="multipart", headers=headers)

        assert answer.status_code == HTTPStatus.CREATED
    assert Article.objects.count() == 1


def test_key_means_nothing_to_other_methods(as_author: APIClient) -> None:
    headers = {"idempotency-key": KEY}
    assert as_author.get(LIST, headers=headers).status_code == HTTPStatus.OK


def test_post_that_takes_no_key_refuses_it(
    as_author: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: a client that believes it can send its request again."""
    monkeypatch.delattr(ArticleViewSet.create, idempotency.MARK)
    answer = send(as_author)

    assert answer.status_code == HTTPStatus.BAD_REQUEST
    [fault] = answer.json()["errors"]
    assert (fault["header"], fault["code"]) == ("Idempotency-Key", "unknown")
    assert not Article.objects.exists()


def test_schema_names_the_header_where_it_is_taken(api: APIClient) -> None:
    schema = api.get("/api/v1/schema/?format=json", headers={"accept": "application/json"}).json()
    taking = {
        (path, method)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if "Idempotency-Key" in {found.get("name") for found in operation.get("parameters", ())}
    }

    assert taking == {
        (LIST, "post"),
        (f"{LIST}bulk/", "post"),
        (f"{LIST}{{article_id}}/comments/", "post"),
        (f"{LIST}{{id}}/restoration/", "post"),
        ("/api/v1/users/me/exports/", "post"),
    }


def test_costs_three_queries(
    as_author: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(8) as without:
        as_author.post(LIST, BODY)
    with django_assert_num_queries(len(without) + 3 + 2):  # and two for the savepoint of a test
        send(as_author)
    with django_assert_num_queries(5):
        assert send(as_author)["Idempotency-Replayed"] == "true"


class TestAtTheSameTime:
    """Two requests with one key, on connections of their own."""

    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture
    def threads(self) -> Iterator[ThreadPoolExecutor]:
        with ThreadPoolExecutor(5) as threads:
            yield threads

    def start(self, threads: ThreadPoolExecutor, author: User) -> "Future[Any]":
        client = APIClient(raise_request_exception=False)
        client.force_login(author)

        def call() -> Any:
            try:
                return send(client)
            finally:
                connections.close_all()

        return threads.submit(call)

    @pytest.fixture
    def held(self, monkeypatch: pytest.MonkeyPatch) -> "Held":
        return Held(monkeypatch)

    def test_second_is_told_to_come_back(
        self, threads: ThreadPoolExecutor, author: User, as_author: APIClient, held: "Held"
    ) -> None:
        first = self.start(threads, author)
        assert held.entered.wait(30)
        second = send(as_author)
        other_key = send(as_author, "other")
        held.release.set()

        assert first.result().status_code == HTTPStatus.CREATED
        assert second.status_code == HTTPStatus.CONFLICT
        assert second["Retry-After"] == "1"
        assert second.json()["code"] == "in_progress"
        assert other_key.status_code == HTTPStatus.CREATED
        assert send(as_author)["Idempotency-Replayed"] == "true"
        assert Article.objects.count() == 2

    def test_crashed_request_does_not_block_its_key(
        self, threads: ThreadPoolExecutor, author: User, as_author: APIClient, held: "Held"
    ) -> None:
        first = self.start(threads, author)
        assert held.entered.wait(30)
        with connection.cursor() as cursor:  # what PostgreSQL does when a process is gone
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [held.backend])
        again = send(as_author)
        held.release.set()

        assert first.result().status_code == HTTPStatus.INTERNAL_SERVER_ERROR
        assert again.status_code == HTTPStatus.CREATED
        assert "Idempotency-Replayed" not in again.headers
        assert Article.objects.count() == 1

    def test_of_many_one_is_carried_out(self, threads: ThreadPoolExecutor, author: User) -> None:
        start = Barrier(5)

        def call(client: APIClient) -> Any:
            try:
                start.wait()
                return send(client)
            finally:
                connections.close_all()

        clients = [APIClient() for _ in range(5)]
        for client in clients:
            client.force_login(author)
        answers = list(threads.map(call, clients))

        assert {answer.status_code for answer in answers} <= {201, 409}
        carried_out = [
            answer
            for answer in answers
            if answer.status_code == HTTPStatus.CREATED
            and "Idempotency-Replayed" not in answer.headers
        ]
        assert len(carried_out) == 1
        assert Article.objects.count() == 1


class Held:
    """Holds up the first article that is saved, in the middle of its request.

    Attributes:
        entered: set when the request has come that far.
        release: lets it go on.
        backend: the process of PostgreSQL that serves it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered, self.release = Event(), Event()
        self.backend = 0
        save = Article.save

        def hold(article: Article, *args: Any, **kwargs: Any) -> None:
            if not self.entered.is_set():
                self.backend = connection.connection.info.backend_pid
                self.entered.set()
                assert self.release.wait(30)
            save(article, *args, **kwargs)

        monkeypatch.setattr(Article, "save", hold)

"""Many changes in one request, by the rules of the single ones."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from apps.articles.models import Article
from apps.users.models import User
from tests.factories import make_article, make_user

pytestmark = pytest.mark.django_db

LIST = "/api/v1/articles/"
BULK = f"{LIST}bulk/"
FIELDS = {"title": "New", "body": "Text"}


def send(client: APIClient, *operations: dict[str, Any], **options: Any) -> Any:
    return client.post(BULK, {"operations": operations, **options})


def create(**fields: Any) -> dict[str, Any]:
    return {"method": "create", "fields": FIELDS | fields}


def update(article: Article, etag: str = "*", **fields: Any) -> dict[str, Any]:
    return {"method": "update", "id": str(article.pk), "if_match": etag, "fields": fields}


def delete(article: Article, etag: str = "*") -> dict[str, Any]:
    return {"method": "delete", "id": str(article.pk), "if_match": etag}


def etag_of(client: APIClient, article: Article) -> str:
    etag: str = client.get(f"{LIST}{article.pk}/")["ETag"]
    return etag


def test_each_operation_has_its_result_in_order(as_author: APIClient, author: User) -> None:
    changed, deleted = make_article(author), make_article(author)
    answer = send(
        as_author,
        update(changed, etag_of(as_author, changed), title="Changed"),
        create(title="First"),
        delete(deleted, etag_of(as_author, deleted)),
        create(title="Second"),
    )

    assert answer.status_code == HTTPStatus.OK, answer.content
    results = answer.json()["results"]
    assert [result["status"] for result in results] == [200, 201, 204, 201]
    assert [result.get("body", {}).get("title") for result in results] == [
        *("Changed", "First", None, "Second"),
    ]
    for result in (results[0], results[1], results[3]):
        single = as_author.get(f"{LIST}{result['body']['id']}/")
        assert result["etag"] == single["ETag"]
        body = single.json()
        del body["body"]  # the text may be long
        assert result["body"] == body
    assert as_author.get(results[1]["location"]).json()["title"] == "First"
    assert set(Article.objects.values_list("title", flat=True)) == {"Changed", "First", "Second"}
    assert Article.all_objects.get(pk=deleted.pk).deleted_by == author


def test_failures_are_those_of_single_requests(as_author: APIClient, author: User) -> None:
    article, foreign = make_article(author), make_article()
    draft, deleted = make_article(published=False), make_article(author)
    deleted.delete(by=author)
    etag = etag_of(as_author, article)
    article.save()
    missing = Article(pk=uuid4())
    unread = {
        key: value for key, value in delete(make_article(author)).items() if key != "if_match"
    }
    singles: list[tuple[dict[str, Any], Callable[[], Any]]] = [
        (create(title=""), lambda: as_author.post(LIST, FIELDS | {"title": ""})),
        (create(slug="x"), lambda: as_author.post(LIST, FIELDS | {"slug": "x"})),
        *(
            (
                update(row, tag, title="Mine"),
                lambda row=row, tag=tag: as_author.patch(
                    f"{LIST}{row.pk}/", {"title": "Mine"}, headers={"if-match": tag}
                ),
            )
            for row, tag in [
                (article, etag),
                (foreign, "*"),
                (draft, "*"),
                (deleted, "*"),
                (missing, "*"),
            ]
        ),
        (unread, lambda: as_author.delete(f"{LIST}{unread['id']}/")),
    ]

    results = send(as_author, *(operation for operation, _ in singles)).json()["results"]

    for index, (result, (_, ask)) in enumerate(zip(results, singles, strict=True)):
        answer = ask()
        expected = answer.json()
        for fault in expected.get("errors", ()):
            fault["pointer"] = fault["pointer"].replace("#", f"#/operations/{index}/fields")
        assert result == {"status": answer.status_code, "problem": expected}
    assert [result["status"] for result in results] == [400, 400, 412, 403, 404, 404, 404, 428]
    assert results[0]["problem"]["errors"][0]["pointer"] == "#/operations/0/fields/title"


def test_what_can_be_saved_is_saved(as_author: APIClient, author: User) -> None:
    article = make_article(author)
    send(as_author, create(), create(title=""), update(article, title="Changed"))

    assert set(Article.objects.values_list("title", flat=True)) == {"New", "Changed"}


def test_atomic_request_saves_all_or_nothing(
    as_author: APIClient,
    author: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    article, kept = make_article(author), make_article(author)
    with django_capture_on_commit_callbacks() as callbacks:
        answer = send(
            as_author,
            create(),
            update(article, title=""),
            update(kept, title="Changed"),
            atomic=True,
        )

    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer["Content-Type"] == "application/problem+json"
    members = answer.json()
    assert members["code"] == "operations_failed"
    assert members["detail"] == "Nothing was saved, because 1 of 3 operations failed."
    assert [result["status"] for result in members["results"]] == [424, 400, 424]
    [fault] = members["results"][1]["problem"]["errors"]
    assert fault["pointer"] == "#/operations/1/fields/title"
    assert set(Article.objects.values_list("title", flat=True)) == {"On joints"}
    assert callbacks == []  # no page is told of what did not happen

    whole = send(as_author, create(), update(kept, title="Changed"), atomic=True)
    assert [result["status"] for result in whole.json()["results"]] == [201, 200]


@pytest.mark.parametrize(
    ("operations", "pointer", "code"),
    [
        ([], "#/operations", "empty"),
        ([create()] * 101, "#/operations", "max_length"),
        ("x", "#/operations", "not_a_list"),
        (["x"], "#/operations/0", "invalid"),
        ([{}], "#/operations/0/method", "required"),
        ([{"method": "publish"}], "#/operations/0/method", "invalid_choice"),
        ([create(), {"method": "create"}], "#/operations/1/fields", "required"),
        ([{"method": "create", "fields": []}], "#/operations/0/fields", "not_a_dict"),
        ([create() | {"id": str(uuid4())}], "#/operations/0/id", "unknown"),
        ([create() | {"if_match": "*"}], "#/operations/0/if_match", "unknown"),
        ([create() | {"ifmatch": "*"}], "#/operations/0/ifmatch", "unknown"),
        ([{"method": "delete"}], "#/operations/0/id", "required"),
        ([{"method": "delete", "id": "1"}], "#/operations/0/id", "invalid"),
        (
            [{"method": "delete", "id": str(uuid4()), "if_match": "x" * 201}],
            "#/operations/0/if_match",
            "max_length",
        ),
        ([delete(Article()) | {"fields": {}}], "#/operations/0/fields", "unknown"),
        (
            [{"method": "delete", "id": str(pk), "if_match": "*"} for pk in [uuid4()] * 2],
            "#/operations/1/id",
            "invalid",
        ),
    ],
)
def test_malformed_request_changes_nothing(
    as_author: APIClient, operations: Any, pointer: str, code: str
) -> None:
    answer = as_author.post(BULK, {"operations": operations})

    assert answer.status_code == HTTPStatus.BAD_REQUEST, answer.content
    assert {"pointer": pointer, "code": code} in [
        {"pointer": fault["pointer"], "code": fault["code"]} for fault in answer.json()["errors"]
    ]
    assert not Article.objects.exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/operations"),
        ({"operations": [create()], "atomic": "perhaps"}, "#/atomic"),
        ({"operations": [create()], "Atomic": True}, "#/Atomic"),
        ([], "#"),
    ],
)
def test_malformed_envelope_is_named(as_author: APIClient, body: Any, pointer: str) -> None:
    answer = as_author.post(BULK, body)

    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        ("reader", [403, 403, 404]),
        ("author", [200, 204, 200]),
        ("editor", [200, 403, 200]),
        ("staff_without_factor", [403, 403, 404]),
        ("admin", [200, 204, 200]),
    ],
)
def test_rights_are_those_of_single_requests(
    author: User, settings: Settings, kind: str, statuses: list[int]
) -> None:
    settings.MFA_REQUIRED_FOR_STAFF = kind == "staff_without_factor"
    rights = kind in {"staff_without_factor", "admin"}
    person = author if kind == "author" else make_user(is_staff=rights, is_superuser=rights)
    if kind == "editor":
        person.user_permissions.set(Permission.objects.filter(codename="change_article"))
    client = APIClient()
    client.force_login(person)
    answer = send(
        client,
        update(make_article(author), title="Changed"),
        delete(make_article(author)),
        update(make_article(author, published=False), title="Changed"),
    )

    assert [result["status"] for result in answer.json()["results"]] == statuses


def test_number_of_queries_is_bounded(as_author: APIClient, author: User) -> None:
    """The rows are locked together; each change then takes what it takes alone, and no more."""

    def queries_for(number: int, make: Callable[[], dict[str, Any]]) -> int:
        operations = [make() for _ in range(number)]
        with CaptureQueriesContext(connection) as queries:
            answer = send(as_author, *operations)
        assert {result["status"] for result in answer.json()["results"]} <= {200, 201, 204}
        return len(queries)

    kinds: dict[str, Callable[[], dict[str, Any]]] = {
        "create": create,
        "update": lambda: update(make_article(author), title="Changed"),
        "delete": lambda: delete(make_article(author)),
    }
    few = {name: queries_for(2, make) for name, make in kinds.items()}
    many = {name: queries_for(12, make) for name, make in kinds.items()}

    each = {name: (many[name] - few[name]) / 10 for name in kinds}
    assert each == {"create": 9, "update": 8, "delete": 11}
    assert {name: few[name] - 2 * each[name] for name in kinds} == {
        "create": 3,  # the session and the transaction
        "update": 5,  # and the permissions, and the lock of all rows
        "delete": 5,
    }


def test_each_operation_counts_as_a_request(as_author: APIClient, settings: Settings) -> None:
    """Kind: a way around the limits."""
    settings.API_RATES = settings.API_RATES | {"write": {"person": 5}}
    refused = send(as_author, *[create()] * 6)
    taken = send(as_author, *[create()] * 4)

    assert refused.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert refused.json()["violated-policies"] == ["write-person"]
    assert taken.status_code == HTTPStatus.OK
    assert taken["RateLimit"].startswith('"write-person";r=0;t=')
    assert Article.objects.count() == 4


def test_repeated_request_is_carried_out_once(as_author: APIClient) -> None:
    body = {"operations": [create(), create(title="")]}
    headers = {"idempotency-key": "a"}
    first, again = (as_author.post(BULK, body, headers=headers) for _ in range(2))

    assert first.content == again.content
    assert again["Idempotency-Replayed"] == "true"
    assert Article.objects.count() == 1


def test_atomic_request_that_failed_can_be_corrected(as_author: APIClient) -> None:
    headers = {"idempotency-key": "a"}
    bodies = [
        {"operations": [create(), create(title=title)], "atomic": True} for title in ("", "B")
    ]
    failed, done = (as_author.post(BULK, body, headers=headers) for body in bodies)

    assert (failed.status_code, done.status_code) == (422, 200)
    assert Article.objects.count() == 2


def test_request_that_changes_rows_locks_them_in_one_order(
    as_author: APIClient, author: User
) -> None:
    """Kind: two requests that wait for each other."""
    articles = [make_article(author) for _ in range(3)]
    with CaptureQueriesContext(connection) as queries:
        send(as_author, *(update(article, title="New") for article in reversed(articles)))

    [locking] = [query["sql"] for query in queries if "FOR UPDATE" in query["sql"]]
    assert 'ORDER BY "articles_article"."id" ASC' in locking

import re
from base64 import b64encode
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from apps.articles.models import Article
from apps.users.models import User
from tests.factories import make_article, make_comment, make_token, make_user

pytestmark = pytest.mark.django_db

LIST = "/api/v1/articles/"
VARIANTS = {"file": "avatars/ada.webp", "width": 512, "height": 512, "made": {"small": 96}}


def url(article: Article, part: str = "") -> str:
    return f"{LIST}{article.pk}/{part}"


class TestList:
    def test_shows_what_the_page_shows(self, api: APIClient, author: User) -> None:
        article = make_article(author, summary="Short.")
        make_article(author, published=False)
        make_comment(article)
        make_comment(article).delete()

        answer = api.get(LIST)

        [row] = answer.json()["results"]
        assert row == {
            "id": str(article.pk),
            "title": "On joints",
            "slug": "on-joints",
            "summary": "Short.",
            "category": "design",
            "status": "published",
            "cover": None,
            "cover_variants": [],
            "author": str(author.pk),
            "comment_count": 1,
            "page": "/articles/on-joints/",
            "published_at": row["published_at"],
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
        }
        assert row["published_at"].endswith("Z")
        assert parse_datetime(row["published_at"]) == article.published_at

    def test_pages_have_links_and_no_gaps(self, api: APIClient, author: User) -> None:
        articles = [make_article(author, title=f"Part {number}") for number in range(7)]
        found, address = [], f"{LIST}?page_size=3"
        while address:
            answer = api.get(address)
            found += [row["title"] for row in answer.json()["results"]]
            address = answer.json()["next"]
            if address:
                assert f'<{address}>; rel="next"' in answer["Link"]
        assert found == [article.title for article in reversed(articles)]

        before = api.get(answer.json()["previous"])
        assert [row["title"] for row in before.json()["results"]] == ["Part 3", "Part 2", "Part 1"]

    def test_takes_one_query_for_any_number(
        self,
        api: APIClient,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for _ in range(20):
            make_comment(make_article())
        with django_assert_num_queries(1):
            answer = api.get(f"{LIST}?expand=author&page_size=20")
        assert len(answer.json()["results"]) == 20

    def test_takes_three_queries_with_a_token(
        self, author: User, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _ in range(20):
            make_comment(make_article())
        _, token = make_token(author, last_used_at=timezone.now())
        client = APIClient(headers={"authorization": f"Bearer {token}"})
        with django_assert_num_queries(3):  # the token with its owner, their permissions, the list
            answer = client.get(f"{LIST}?expand=author&page_size=20")
        assert len(answer.json()["results"]) == 20

    @pytest.mark.parametrize(
        ("query", "titles"),
        [
            ("category=design", ["B", "A"]),
            ("category=design&category=culture", ["C", "B", "A"]),
            ("ordering=title", ["A", "B", "C"]),
            ("ordering=-title", ["C", "B", "A"]),
            ("status=draft", []),
            ("published_before=2020-01-01T00:00:00Z", []),
            ("published_after=2020-01-01T00:00:00%2B02:00", ["C", "B", "A"]),
        ],
    )
    def test_is_filtered_and_ordered(self, api: APIClient, query: str, titles: list[str]) -> None:
        for title, category in (("A", "design"), ("B", "design"), ("C", "culture")):
            make_article(title=title, category=category)

        answer = api.get(f"{LIST}?{query}")

        assert [row["title"] for row in answer.json()["results"]] == titles

    def test_is_limited_to_an_author(self, api: APIClient, author: User) -> None:
        make_article(author, title="Hers")
        make_article(title="Another's")

        answer = api.get(f"{LIST}?author={author.pk}")

        assert [row["title"] for row in answer.json()["results"]] == ["Hers"]

    @pytest.mark.parametrize(
        ("query", "parameter", "told"),
        [
            ("ordering=body", "ordering", "Must be one of created_at, -created_at"),
            ("categroy=design", "categroy", "Is unknown. Known here: author, category,"),
            ("category=none", "category", "none is not one of the available choices"),
            ("status=gone", "status", "gone is not one of the available choices"),
            ("author=ada", "author", "Enter a valid UUID"),
            ("published_after=yesterday", "published_after", "Enter a valid date/time"),
            ("page_size=0", "page_size", "Must be a whole number from 1 to 100."),
            ("page_size=101", "page_size", "Must be a whole number from 1 to 100."),
            ("page_size=٣", "page_size", "Must be a whole number from 1 to 100."),
            ("cursor=x", "cursor", "Is not one that this list has given out."),
            ("cursor=cD14", "cursor", "Is not one that this list has given out."),  # p=x
            ("cursor=cD0lMDA=", "cursor", "Is not one that this list has given out."),  # p=NUL
            ("fields=id,secret", "fields", "secret: unknown. Known here: id, title,"),
            ("expand=comments", "expand", "comments: unknown. Known here: author."),
            ("tokens=abc", "tokens", "Is unknown."),
        ],
    )
    def test_names_the_wrong_parameter(
        self, api: APIClient, query: str, parameter: str, told: str
    ) -> None:
        make_article()

        answer = api.get(f"{LIST}?{query}")

        assert answer.status_code == HTTPStatus.BAD_REQUEST, answer.content
        assert answer["Content-Type"] == "application/problem+json"
        [fault] = answer.json()["errors"]
        assert fault["parameter"] == parameter
        assert told in fault["detail"]

    def test_has_the_fields_that_are_asked_for(self, api: APIClient, author: User) -> None:
        article = make_article(author)

        answer = api.get(f"{LIST}?fields=title,author&expand=author")

        assert answer.json()["results"] == [
            {
                "title": article.title,
                "author": {"id": str(author.pk), "name": "Ada Lovelace", "avatar": None},
            }
        ]


class TestDetail:
    def test_has_the_text(self, api: APIClient) -> None:
        article = make_article(body="Wood holds wood.")
        assert api.get(url(article)).json()["body"] == "Wood holds wood."

    def test_unchanged_article_is_not_sent_again(
        self, api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        article = make_article()
        with django_assert_num_queries(1):
            etag = api.get(url(article))["ETag"]
        with django_assert_num_queries(1):
            answer = api.get(url(article), headers={"if-none-match": etag})
        assert answer.status_code == HTTPStatus.NOT_MODIFIED
        assert answer["ETag"] == etag
        assert not answer.content

    def test_etag_changes_with_all_that_is_shown(self, api: APIClient, author: User) -> None:
        article = make_article(author)
        tags = [api.get(url(article))["ETag"], api.get(url(article) + "?expand=author")["ETag"]]
        author.display_name = "Countess"
        author.save()
        tags.append(api.get(url(article))["ETag"])
        make_comment(article)
        tags.append(api.get(url(article))["ETag"])
        article.save()
        tags.append(api.get(url(article))["ETag"])

        assert len(set(tags)) == len(tags)

    @pytest.mark.parametrize(
        "change", [{"email": "countess@example.org"}, {"avatar_variants": VARIANTS}]
    )
    def test_etag_changes_with_what_is_shown_of_the_author(
        self, api: APIClient, author: User, change: dict[str, Any]
    ) -> None:
        author.display_name, author.avatar = "", "avatars/ada.webp"
        author.save()
        address = url(make_article(author)) + "?expand=author"
        before = api.get(address)

        User.objects.filter(pk=author.pk).update(**change)

        after = api.get(address, headers={"if-none-match": before["ETag"]})
        assert after.status_code == HTTPStatus.OK
        assert after.json()["author"] != before.json()["author"]

    def test_etag_tells_no_one_of_what_they_do_not_see(
        self, api: APIClient, as_author: APIClient, author: User
    ) -> None:
        """Kind: a short way to an answer, which leaves out who may have it."""
        draft, deleted = make_article(author, published=False), make_article(author)
        deleted.delete(by=author)
        anything = {"if-none-match": "*"}

        assert api.get(url(draft), headers=anything).status_code == HTTPStatus.NOT_FOUND
        assert as_author.get(url(draft), headers=anything).status_code == HTTPStatus.NOT_MODIFIED
        assert as_author.get(url(deleted), headers=anything).status_code == HTTPStatus.NOT_FOUND

    def test_etags_of_a_query_and_of_a_row_are_the_same(self, api: APIClient, author: User) -> None:
        address = url(make_article(author))
        User.objects.filter(pk=author.pk).update(avatar_variants=VARIANTS)

        etag = api.get(address)["ETag"]

        answer = api.get(address, headers={"if-none-match": etag})
        assert answer.status_code == HTTPStatus.NOT_MODIFIED


class TestCreate:
    def test_makes_a_draft(self, as_author: APIClient, author: User) -> None:
        answer = as_author.post(LIST, {"title": "New", "body": "Text", "category": "culture"})

        assert answer.status_code == HTTPStatus.CREATED, answer.content
        article = Article.objects.get()
        assert (article.author, article.status, article.category) == (author, "draft", "culture")
        assert answer["Location"] == f"http://testserver{url(article)}"
        assert answer["ETag"] == as_author.get(url(article))["ETag"]
        assert answer.json() == as_author.get(url(article)).json()

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"title": "", "body": "Text"},
            {"title": "  ", "body": "Text"},
            {"title": "x" * 141, "body": "Text"},
            {"title": "x" * 140, "body": "Text"},
            {"title": "New", "body": "x" * 100_001},
            {"title": "New", "body": "Text", "summary": "x" * 301},
            {
                "title": "New",
                "body": "Text",
                "summary": "x" * 300 + "\x1d" * 9,
                "category": "culture",
            },
            {"title": "New", "body": "Text", "category": "none"},
            {"title": "New", "body": "Text", "category": "culture"},
        ],
    )
    def test_takes_what_the_page_takes(
        self, as_author: APIClient, author: User, fields: dict[str, str]
    ) -> None:
        """Kind: two ways to the same rows, with two sets of rules."""
        page = Client()
        page.force_login(author)
        on_page = page.post("/articles/new/", {"category": "engineering"} | fields)

        answer = as_author.post(LIST, fields)

        taken = on_page.status_code in {HTTPStatus.FOUND, HTTPStatus.SEE_OTHER}
        assert (answer.status_code == HTTPStatus.CREATED) == taken, answer.content
        if not taken:
            named = set(on_page.context["form"].errors)
            assert {fault["pointer"] for fault in answer.json()["errors"]} == {
                f"#/{name}" for name in named
            }

    @pytest.mark.parametrize(
        ("name", "code"), [("status", "read_only"), ("author", "read_only"), ("titel", "unknown")]
    )
    def test_ignores_nothing(self, as_author: APIClient, name: str, code: str) -> None:
        answer = as_author.post(LIST, {"title": "New", "body": "Text", name: "published"})

        assert answer.status_code == HTTPStatus.BAD_REQUEST
        [fault] = answer.json()["errors"]
        assert (fault["pointer"], fault["code"]) == (f"#/{name}", code)
        assert not Article.objects.exists()


class TestUpdate:
    def change(self, client: APIClient, article: Article, etag: str = "", **fields: Any) -> Any:
        headers = {"if-match": etag} if etag else {}
        return client.patch(url(article), fields, headers=headers)

    def test_needs_the_version_that_was_read(self, as_author: APIClient, author: User) -> None:
        article = make_article(author)
        first = as_author.get(url(article))["ETag"]

        without = self.change(as_author, article, title="Unread")
        answer = self.change(as_author, article, first, title="Changed")
        late = self.change(as_author, article, first, title="Overwritten")

        assert without.status_code == HTTPStatus.PRECONDITION_REQUIRED
        assert answer.status_code == HTTPStatus.OK
        assert answer.json()["title"] == "Changed"
        assert answer["ETag"] == as_author.get(url(article))["ETag"]
        assert late.status_code == HTTPStatus.PRECONDITION_FAILED
        assert "has changed since" in late.json()["detail"]
        article.refresh_from_db()
        assert article.title == "Changed"

    def test_takes_an_etag_of_any_form_of_the_article(
        self, as_author: APIClient, author: User
    ) -> None:
        article = make_article(author)
        etag = as_author.get(url(article) + "?fields=title&expand=author")["ETag"]

        assert self.change(as_author, article, etag, title="A").status_code == HTTPStatus.OK
        assert self.change(as_author, article, "*", title="B").status_code == HTTPStatus.OK

    def test_replaces_with_put(self, as_author: APIClient, author: User) -> None:
        article = make_article(author)
        etag = {"if-match": as_author.get(url(article))["ETag"]}

        partly = as_author.put(url(article), {"title": "Only"}, headers=etag)
        whole = as_author.put(url(article), {"title": "New", "body": "All"}, headers=etag)

        assert partly.status_code == HTTPStatus.BAD_REQUEST
        assert whole.status_code == HTTPStatus.OK


class TestPublication:
    def test_is_put_and_deleted(self, as_author: APIClient, api: APIClient, author: User) -> None:
        article = make_article(author, published=False)
        assert api.get(url(article)).status_code == HTTPStatus.NOT_FOUND

        answer = as_author.put(url(article, "publication/"))

        assert answer.json()["status"] == "published"
        assert answer["ETag"] == as_author.get(url(article))["ETag"]
        assert api.get(url(article)).status_code == HTTPStatus.OK
        assert as_author.put(url(article, "publication/")).status_code == HTTPStatus.OK
        assert as_author.delete(url(article, "publication/")).json()["status"] == "draft"
        assert api.get(url(article)).status_code == HTTPStatus.NOT_FOUND


class TestDeletion:
    def test_can_be_undone(self, as_author: APIClient, author: User) -> None:
        article = make_article(author)
        etag = {"if-match": as_author.get(url(article))["ETag"]}

        assert as_author.delete(url(article)).status_code == HTTPStatus.PRECONDITION_REQUIRED
        assert as_author.delete(url(article), headers=etag).status_code == HTTPStatus.NO_CONTENT
        assert as_author.get(url(article)).status_code == HTTPStatus.NOT_FOUND
        [row] = as_author.get(f"{LIST}trash/").json()["results"]
        assert row["id"] == str(article.pk)

        answer = as_author.post(url(article, "restoration/"))

        assert answer.status_code == HTTPStatus.OK, answer.content
        assert answer["ETag"] == as_author.get(url(article))["ETag"]
        assert as_author.get(f"{LIST}trash/").json()["results"] == []

    def test_by_a_moderator_cannot(self, as_author: APIClient, author: User) -> None:
        article = make_article(author)
        article.delete(by=make_user())

        answer = as_author.post(url(article, "restoration/"))

        assert answer.status_code == HTTPStatus.FORBIDDEN
        assert answer.json()["detail"] == "This article was removed by a moderator."


class TestSession:
    def test_needs_the_token_of_a_form(self, author: User) -> None:
        client = APIClient(enforce_csrf_checks=True)
        client.force_login(author)

        refused = client.post(LIST, {"title": "New", "body": "Text"})
        page = client.get("/articles/new/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token
        taken = client.post(
            LIST, {"title": "New", "body": "Text"}, headers={"x-csrf-token": token[1]}
        )

        assert refused.status_code == HTTPStatus.FORBIDDEN
        assert refused["Content-Type"] == "application/problem+json"
        assert taken.status_code == HTTPStatus.CREATED

    def test_rights_need_a_second_factor(self, settings: Settings) -> None:
        settings.MFA_REQUIRED_FOR_STAFF = True
        editor = make_user(is_staff=True)
        editor.user_permissions.set(Permission.objects.filter(codename="change_article"))
        draft, client = make_article(published=False), APIClient()
        client.force_login(editor)

        assert client.get(url(draft)).status_code == HTTPStatus.NOT_FOUND
        settings.MFA_REQUIRED_FOR_STAFF = False
        assert client.get(url(draft)).status_code == HTTPStatus.OK


class TestPages:
    """Kind: rows that are alike in what they are ordered by."""

    def test_have_every_row_once(self, api: APIClient, author: User) -> None:
        made = {str(make_article(author, title="Same").pk) for _ in range(7)}
        seen: list[str] = []
        url: str | None = f"{LIST}?ordering=-title&page_size=2&fields=id"
        while url:
            page = api.get(url).json()
            seen += [row["id"] for row in page["results"]]
            url = page["next"]

        assert len(seen) == 7
        assert set(seen) == made

    def test_are_not_moved_by_new_rows(self, api: APIClient, author: User) -> None:
        for _ in range(4):
            make_article(author, title="Same")
        first = api.get(f"{LIST}?ordering=-title&page_size=2&fields=id").json()
        make_article(author, title="Same")
        second = api.get(first["next"]).json()
        back = api.get(second["previous"]).json()

        assert not {row["id"] for row in first["results"]} & {
            row["id"] for row in second["results"]
        }
        assert back["results"] == first["results"]

    @pytest.mark.parametrize(
        "position",
        ["[]", "{", "[1, 2]", "1", '["a"]', '["a", "b"]', '["0001-01-01T00:00:00+23:59", "x"]'],
    )
    def test_refuse_a_cursor_that_is_made_up(self, api: APIClient, position: str) -> None:
        cursor = b64encode(urlencode({"p": position}).encode()).decode()
        answer = api.get(LIST, {"ordering": "created_at", "cursor": cursor})

        assert answer.status_code == HTTPStatus.BAD_REQUEST


class TestParameters:
    @pytest.mark.parametrize(
        ("query", "parameter", "code"),
        [
            ("author=", "author", "blank"),
            ("published_after=", "published_after", "blank"),
            ("category=design&category=", "category", "blank"),
            ("fields=id&fields=title", "fields", "repeated"),
            ("ordering=title&ordering=-title", "ordering", "repeated"),
        ],
    )
    def test_never_return_more_by_mistake(
        self, api: APIClient, query: str, parameter: str, code: str
    ) -> None:
        answer = api.get(f"{LIST}?{query}")

        assert answer.status_code == HTTPStatus.BAD_REQUEST
        [fault] = answer.json()["errors"]
        assert (fault["parameter"], fault["code"]) == (parameter, code)

    def test_may_come_several_times_where_each_counts(self, api: APIClient) -> None:
        assert api.get(f"{LIST}?category=design&category=culture").status_code == HTTPStatus.OK

    @pytest.mark.parametrize("value", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
    def test_time_that_its_offset_takes_out_of_range_is_bad_input(
        self, api: APIClient, value: str
    ) -> None:
        answer = api.get(LIST, {"published_after": value})

        assert answer.status_code == HTTPStatus.BAD_REQUEST
        [fault] = answer.json()["errors"]
        assert (fault["parameter"], fault["code"]) == ("published_after", "overflow")

    @pytest.mark.parametrize("offset", ["-18:48", "+23:59"])
    def test_time_may_have_any_offset(self, api: APIClient, offset: str) -> None:
        """Kind: PostgreSQL refuses offsets of 16 hours and more."""
        make_article(title="A")

        answer = api.get(LIST, {"published_after": f"2020-01-01T00:00:00{offset}"})

        assert [row["title"] for row in answer.json()["results"]] == ["A"]


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_address_without_its_slash_loses_no_body(as_author: APIClient, method: str) -> None:
    """Kind: a redirect, after which clients send a GET without what was to be saved."""
    answer = getattr(as_author, method)(LIST.rstrip("/"), secure=True)

    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert answer.json()["code"] == "no_slash"


def test_address_without_its_slash_needs_the_right_host(as_author: APIClient) -> None:
    """Kind: an answer before the host and HTTPS are checked, and without their headers."""
    answer = as_author.get(LIST.rstrip("/"), headers={"host": "evil.example"})

    assert answer.status_code == HTTPStatus.BAD_REQUEST

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.test import APIClient

from apps.api.viewsets.me import DataExportViewSet
from apps.users.models import DataExport, SecurityEvent, User
from tests.apps.users.conftest import PASSWORD, reauthenticate
from tests.factories import make_user

pytestmark = pytest.mark.django_db

URL = "/api/v1/users/me/"
EXPORTS = f"{URL}exports/"


class TestProfile:
    def test_shows_what_only_one_sees_oneself(
        self,
        as_author: APIClient,
        author: User,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        with django_assert_num_queries(2):  # one of them for the session
            answer = as_author.get(URL)
        row = answer.json()
        assert row == {
            "id": str(author.pk),
            "email": "ada@example.org",
            "name": "Ada Lovelace",
            "display_name": "Ada Lovelace",
            "biography": "",
            "avatar": None,
            "page": f"/people/{author.pk}/",
            "joined_at": row["joined_at"],
            "updated_at": row["updated_at"],
        }
        with django_assert_num_queries(2):
            same = as_author.get(URL, headers={"if-none-match": answer["ETag"]})
        assert same.status_code == HTTPStatus.NOT_MODIFIED
        assert as_author.get(f"{URL}?fields=email").json() == {"email": "ada@example.org"}

    def test_needs_the_version_that_was_read(self, as_author: APIClient, author: User) -> None:
        etag = {"if-match": as_author.get(URL)["ETag"]}

        without = as_author.patch(URL, {"biography": "Unread"})
        answer = as_author.patch(URL, {"biography": "Joins wood."}, headers=etag)
        late = as_author.patch(URL, {"biography": "Overwritten"}, headers=etag)

        assert without.status_code == HTTPStatus.PRECONDITION_REQUIRED
        assert answer.status_code == HTTPStatus.OK
        assert answer["ETag"] == as_author.get(URL)["ETag"]
        assert late.status_code == HTTPStatus.PRECONDITION_FAILED
        author.refresh_from_db()
        assert author.biography == "Joins wood."

    @pytest.mark.parametrize(
        "fields",
        [
            {"display_name": "", "biography": ""},
            {"display_name": "x" * 80, "biography": "x" * 600},
            {"display_name": "x" * 81},
            {"biography": "x" * 601},
            {"display_name": "  Ada  "},
        ],
    )
    def test_takes_what_the_page_takes(
        self, as_author: APIClient, author: User, fields: dict[str, str]
    ) -> None:
        """Kind: two ways to the same row, with two sets of rules."""
        page = Client()
        page.force_login(author)
        on_page = page.post("/people/me/edit/", fields)
        taken = on_page.status_code in {HTTPStatus.FOUND, HTTPStatus.SEE_OTHER}
        stored = User.objects.values(*fields).get(pk=author.pk)
        User.objects.filter(pk=author.pk).update(display_name="Before", biography="Before")

        answer = as_author.patch(URL, fields, headers={"if-match": "*"})

        assert (answer.status_code == HTTPStatus.OK) == taken, answer.content
        if taken:
            assert User.objects.values(*fields).get(pk=author.pk) == stored
        else:
            named = set(on_page.context["form"].errors)
            assert {fault["pointer"] for fault in answer.json()["errors"]} == {
                f"#/{name}" for name in named
            }

    @pytest.mark.parametrize(
        ("name", "code"),
        [("email", "read_only"), ("avatar", "read_only"), ("is_staff", "unknown")],
    )
    def test_ignores_nothing(self, as_author: APIClient, name: str, code: str) -> None:
        answer = as_author.patch(URL, {name: "x"}, headers={"if-match": "*"})

        [fault] = answer.json()["errors"]
        assert (fault["pointer"], fault["code"]) == (f"#/{name}", code)


@pytest.mark.parametrize("url", [URL, EXPORTS, f"{URL}email-addresses/", "/api/v1/notifications/"])
def test_answers_are_stored_nowhere(as_author: APIClient, url: str) -> None:
    assert "no-store" in as_author.get(url)["Cache-Control"]


class TestEmailAddresses:
    def test_are_listed_with_their_state(
        self,
        as_author: APIClient,
        author: User,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for email, primary in (("b@example.org", True), ("a@example.org", False)):
            EmailAddress.objects.create(user=author, email=email, verified=primary, primary=primary)
        EmailAddress.objects.create(user=make_user(), email="other@example.org")

        with django_assert_num_queries(2):
            answer = as_author.get(f"{URL}email-addresses/")

        assert answer.json()["results"] == [
            {"email": "a@example.org", "is_verified": False, "is_primary": False},
            {"email": "b@example.org", "is_verified": True, "is_primary": True},
        ]

    @pytest.mark.parametrize("method", ["post", "put", "delete"])
    def test_cannot_be_changed(self, as_author: APIClient, method: str) -> None:
        answer = getattr(as_author, method)(f"{URL}email-addresses/")
        assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED


@pytest.fixture
def member(author: User) -> User:
    """Return the author, with a password and a confirmed address."""
    author.set_password(PASSWORD)
    author.save()
    EmailAddress.objects.create(user=author, email=author.email, verified=True, primary=True)
    return author


@pytest.fixture
def proven(member: User) -> APIClient:
    """Return a client whose session has a recent proof of who it is."""
    client = APIClient()
    client.force_login(member)
    reauthenticate(pages_of(client))
    return client


def pages_of(client: APIClient) -> Client:
    """Return a browser with the session of a client."""
    browser = Client()
    browser.cookies = client.cookies
    return browser


class TestExports:
    def test_are_collected_after_a_proof(
        self,
        proven: APIClient,
        member: User,
        mailoutbox: list[EmailMessage],
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            answer = proven.post(EXPORTS)

        assert answer.status_code == HTTPStatus.CREATED, answer.content
        assert answer.json()["is_ready"] is False
        assert mailoutbox[-1].to == [member.email]
        assert SecurityEvent.objects.filter(kind=SecurityEvent.Kind.DATA_REQUESTED).exists()
        export = proven.get(answer["Location"]).json()
        assert export["is_ready"] is True
        assert proven.get(EXPORTS).json()["results"] == [export]

        content = proven.get(f"{answer['Location']}content/")

        assert content.status_code == HTTPStatus.OK
        assert content["Content-Disposition"].startswith("attachment")
        assert "no-store" in content["Cache-Control"]
        assert content.json()["account"]["email"] == member.email
        assert SecurityEvent.objects.filter(kind=SecurityEvent.Kind.DATA_DOWNLOADED).exists()
        page = pages_of(proven)
        assert page.get(f"/people/me/data/exports/{export['id']}/").content == content.content

    def test_need_a_proof(self, as_author: APIClient, author: User) -> None:
        """Kind: a session that someone has left open, which gives away all there is."""
        export = DataExport.objects.create(user=author, content={"secret": "plan"})

        for answer in (as_author.post(EXPORTS), as_author.get(f"{EXPORTS}{export.pk}/content/")):
            assert answer.status_code == HTTPStatus.FORBIDDEN
            assert answer.json()["code"] == "reauthentication_required"
        assert DataExport.objects.count() == 1

    def test_need_a_proof_of_the_last_minutes(self, proven: APIClient) -> None:
        session = proven.session
        for record in session["account_authentication_methods"]:
            record["at"] -= 301
        session.save()

        assert proven.post(EXPORTS).json()["code"] == "reauthentication_required"

    def test_need_a_session(self, proven: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
        """Kind: a token that is sent along with a session's cookie, and gets what only it may."""

        class ByToken(BaseAuthentication):
            def authenticate(self, request: Request) -> tuple[User, str]:
                del request
                return User.objects.get(email="ada@example.org"), "token"

        monkeypatch.setattr(DataExportViewSet, "authentication_classes", (ByToken,))

        assert proven.post(EXPORTS).json()["code"] == "reauthentication_required"

    def test_have_the_limit_of_the_page(self, proven: APIClient, member: User) -> None:
        pages_of(proven).post("/people/me/data/exports/")
        ago = timezone.now() - timedelta(minutes=50)
        DataExport.objects.update(created_at=ago)

        answer = proven.post(EXPORTS)

        assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
        assert answer.json()["code"] == "flood"
        assert 9 * 60 < int(answer["Retry-After"]) <= 10 * 60
        assert member.exports.count() == 1

    @pytest.mark.parametrize(
        "change", [{"content": None}, {"created_at": "old"}, {"user": "other"}]
    )
    def test_can_be_downloaded_as_from_the_page(
        self, proven: APIClient, member: User, change: dict[str, Any]
    ) -> None:
        """Kind: two ways to the same rows, with two ideas of who gets them, and how long."""
        values: dict[str, Any] = {"user": member, "content": {"secret": "plan"}} | change
        if values["user"] == "other":
            values["user"] = make_user()
        is_old = values.pop("created_at", "")
        export = DataExport.objects.create(**values)
        if is_old:
            DataExport.objects.update(created_at=timezone.now() - timedelta(days=8))
        answer = proven.get(f"{EXPORTS}{export.pk}/content/")

        assert answer.status_code == HTTPStatus.NOT_FOUND
        on_page = pages_of(proven).get(f"/people/me/data/exports/{export.pk}/")
        assert on_page.status_code == HTTPStatus.NOT_FOUND

    def test_take_two_queries_for_any_number(
        self,
        as_author: APIClient,
        author: User,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for _ in range(5):
            DataExport.objects.create(user=author, content={"large": "x" * 1000})
        with django_assert_num_queries(2) as queries:
            answer = as_author.get(EXPORTS)
        assert len(answer.json()["results"]) == 5
        assert '"content" IS NOT NULL' in queries[-1]["sql"]
        assert '"content",' not in queries[-1]["sql"]

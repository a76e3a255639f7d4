"""Apps: how they sign in, and that the rules of the pages hold for them."""

import time
from http import HTTPStatus
from threading import Barrier, Thread
from typing import Any
from unittest.mock import ANY

import jwt
import pytest
from allauth.account.models import EmailAddress
from allauth.headless.tokens.strategies.jwt import internal
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient
from zeal import zeal_ignore

from apps.users import app_sessions
from apps.users.models import SecurityEvent, User
from apps.users.sessions import SessionStore, end_sessions
from tests.apps.users.conftest import add_totp, reauthenticate, recovery_codes, totp_code
from tests.apps.users.sso.conftest import configure
from tests.factories import make_member, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "a-joint-of-wood-29"
SESSION = "/api/v1/auth/session/"
SECOND = "/api/v1/auth/second-factor/"
TOKENS = "/api/v1/auth/tokens/"
PRIVATE = "/api/v1/articles/trash/"  # needs a person
AGENT = "Joiner/2.1 (iPhone; iOS 18.0)"


@pytest.fixture(autouse=True)
def member() -> User:
    return make_member("ada@example.org", password=PASSWORD)


@pytest.fixture
def app() -> APIClient:
    return APIClient(headers={"user-agent": AGENT})


def sign_in(app: APIClient, email: str = "ada@example.org", password: str = PASSWORD) -> Any:
    return app.post(SESSION, {"email": email, "password": password})


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def status(app: APIClient, token: str) -> int:
    """Return how the API answers a request that needs a person."""
    return int(app.get(PRIVATE, headers=bearer(token)).status_code)


def assert_is_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    members: dict[str, Any] = answer.json()
    codes = [members["code"], *(fault["code"] for fault in members.get("errors", []))]
    assert code in codes, members
    return members


class TestSignIn:
    def test_password_gives_tokens(self, app: APIClient) -> None:
        answer = sign_in(app)

        assert answer.status_code == HTTPStatus.OK, answer.content
        tokens = answer.json()
        assert tokens == {"access_token": ANY, "refresh_token": ANY, "expires_in": 300}
        assert "no-store" in answer["Cache-Control"]
        assert status(app, tokens["access_token"]) == HTTPStatus.OK

    def test_leaves_no_cookie_but_that_of_the_device(self, app: APIClient) -> None:
        assert set(sign_in(app).cookies) == {"device"}

    def test_expired_token_is_no_obstacle(self, app: APIClient) -> None:
        app.credentials(HTTP_AUTHORIZATION="Bearer a.b.c")
        tokens = sign_in(app).json()
        answer = app.post(TOKENS, {"refresh_token": tokens["refresh_token"]})
        assert answer.status_code == HTTPStatus.OK

    def test_tokens_do_not_contain_the_key_of_the_session(
        self,
        app: APIClient,
    ) -> None:
        """Kind: whoever reads it would sign in a browser with it."""
        tokens = sign_in(app).json()
        key = Session.objects.get().session_key
        for token in (tokens["access_token"], tokens["refresh_token"]):
            assert key not in str(jwt.decode(token, options={"verify_signature": False}))

    def test_session_is_listed_with_the_name_of_the_app(
        self, app: APIClient, client: Client, member: User
    ) -> None:
        sign_in(app)
        client.force_login(member)
        assert "Joiner on iPhone" in client.get("/accounts/sessions/").content.decode()

    def test_is_recorded(self, app: APIClient, member: User) -> None:
        sign_in(app)
        event = SecurityEvent.objects.get(user=member, kind="signed_in")
        assert (event.detail, event.user_agent) == ("password", AGENT)

    def test_new_device_is_told(self, app: APIClient) -> None:
        sign_in(app)
        sign_in(app)  # with the cookie of the device
        [message] = mail.outbox
        assert "Joiner on iPhone" in message.body

    def test_wrong_password_is_like_an_unknown_address(self, app: APIClient) -> None:
        wrong = sign_in(app, password="guessed-by-someone")
        unknown = sign_in(app, "nobody@example.org")

        assert_is_problem(wrong, 400, "email_password_mismatch")
        assert wrong.json() == unknown.json()
        assert not UserSession.objects.exists()

    def test_guesses_are_limited(self, app: APIClient) -> None:
        answers = [sign_in(app, password=f"guess number {n}") for n in range(6)]

        assert [answer.status_code for answer in answers[:5]] == [400] * 5
        assert_is_problem(answers[5], 429, "throttled")
        assert answers[5]["Retry-After"] == "300"
        assert sign_in(app).status_code == HTTPStatus.TOO_MANY_REQUESTS

    def test_guesses_count_for_the_page_too(
        self, app: APIClient, client: Client, member: User
    ) -> None:
        for number in range(5):
            sign_in(app, password=f"guess number {number}")
        client.post("/accounts/login/", {"login": member.email, "password": PASSWORD})
        assert "_auth_user_id" not in client.session

    def test_attempts_of_one_address_are_limited(self, app: APIClient, settings: Settings) -> None:
        settings.ACCOUNT_RATE_LIMITS = {"login_failed": None, "login": "1/m/ip"}
        sign_in(app)
        assert_is_problem(sign_in(app), 429, "throttled")

    @pytest.mark.parametrize(
        ("body", "pointer", "code"),
        [
            ({}, "#/email", "required"),
            ({"email": "ada", "password": "x"}, "#/email", "invalid"),
            ({"email": "ada@example.org", "password": "x" * 1025}, "#/password", "max_length"),
            ({"email": "ada@example.org", "password": 1, "extra": 1}, "#/extra", "unknown"),
            ({"email": "ada@example.org", "password": "\0"}, "#/password", "unstorable"),
            ({"email": ["x"], "password": "x"}, "#/email", "invalid"),
        ],
    )
    def test_names_what_is_wrong(
        self, app: APIClient, body: dict[str, Any], pointer: str, code: str
    ) -> None:
        members = assert_is_problem(app.post(SESSION, body), 400, code)
        assert pointer in [fault["pointer"] for fault in members["errors"]]

    def test_unconfirmed_address_cannot_sign_in(self, app: APIClient) -> None:
        make_user("grace@example.org", password=PASSWORD)
        assert_is_problem(sign_in(app, "grace@example.org"), 400, "email_password_mismatch")

    def test_banned_account_cannot_sign_in(self, app: APIClient, member: User) -> None:
        member.ban(by=make_user())
        assert sign_in(app).status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}
        assert not UserSession.objects.exists()

    def test_deleted_account_is_restored(self, app: APIClient, member: User) -> None:
        member.request_deletion()
        assert sign_in(app).status_code == HTTPStatus.OK
        member.refresh_from_db()
        assert member.deleted_at is None

    @pytest.mark.parametrize(
        ("email", "refusal"),
        [("ada@example.org", (400, "invalid")), ("private@example.net", (403, "use_site"))],
    )
    def test_person_of_a_provider_signs_in_there(
        self,
        app: APIClient,
        settings: Settings,
        email: str,
        refusal: tuple[int, str],
    ) -> None:
        """Also by another address of the account, as on the page."""
        member = User.objects.get()
        EmailAddress.objects.create(user=member, email="private@example.net", verified=True)
        entry = {"id": "test", "name": "Company", "issuer": "http://127.0.0.1:9"}
        client = {"client_id": "site", "client_secret": "s", "trusted": True}
        configure(settings, {**entry, **client, "exclusive_domains": ["example.org"]})

        assert_is_problem(sign_in(app, email), *refusal)
        assert not UserSession.objects.exists()

    def test_without_a_key_there_are_no_apps(self, app: APIClient, settings: Settings) -> None:
        tokens = sign_in(app).json()
        settings.HEADLESS_JWT_PRIVATE_KEY = ""
        assert_is_problem(sign_in(app), 404, "not_found")
        assert status(app, tokens["access_token"]) == HTTPStatus.UNAUTHORIZED

    @pytest.mark.parametrize(
        "path",
        [
            "/_allauth/app/v1/auth/login",
            "/_allauth/app/v1/auth/signup",
            "/_allauth/app/v1/account/password/change",
            "/_allauth/browser/v1/auth/login",
            "/accounts/_allauth/app/v1/config",
        ],
    )
    def test_views_of_allauth_do_not_exist(self, app: APIClient, path: str) -> None:
        assert app.get(path).status_code == HTTPStatus.NOT_FOUND


class TestSecondFactor:
    @pytest.fixture
    def started(self, app: APIClient, member: User) -> dict[str, Any]:
        """Return the answer to the right password of a person with an app for codes."""
        add_totp(member)
        answer = sign_in(app)
        assert answer.status_code == HTTPStatus.ACCEPTED
        found: dict[str, Any] = answer.json()
        return found

    def test_password_is_not_enough(self, app: APIClient, started: dict[str, Any]) -> None:
        assert started == {"sign_in_token": ANY, "types": ["totp", "recovery_codes"]}
        assert not UserSession.objects.exists()
        token = started["sign_in_token"]
        assert status(app, token) == HTTPStatus.UNAUTHORIZED
        assert app.post(TOKENS, {"refresh_token": token}).status_code == HTTPStatus.UNAUTHORIZED

    def test_code_of_an_app_completes_it(self, app: APIClient, started: dict[str, Any]) -> None:
        answer = app.post(SECOND, {**started_token(started), "code": totp_code()})

        assert answer.status_code == HTTPStatus.OK, answer.content
        assert status(app, answer.json()["access_token"]) == HTTPStatus.OK
        assert set(answer.cookies) <= {"device"}

    def test_recovery_code_completes_it_once(
        self, app: APIClient, member: User, started: dict[str, Any]
    ) -> None:
        code = recovery_codes(member)[0]
        first = app.post(SECOND, {**started_token(started), "code": code})
        again = app.post(SECOND, {**started_token(sign_in(app).json()), "code": code})

        assert first.status_code == HTTPStatus.OK
        assert_is_problem(again, 400, "incorrect_code")

    def test_completed_sign_in_is_over(
        self, app: APIClient, member: User, started: dict[str, Any]
    ) -> None:
        codes = recovery_codes(member)
        app.post(SECOND, {**started_token(started), "code": codes[0]})
        again = app.post(SECOND, {**started_token(started), "code": codes[1]})
        assert_is_problem(again, 401, "invalid_token")

    def test_guesses_are_limited(
        self, app: APIClient, member: User, started: dict[str, Any]
    ) -> None:
        guess = {**started_token(started), "code": "000000"}
        answers = [app.post(SECOND, guess) for _ in range(6)]

        assert_is_problem(answers[0], 400, "incorrect_code")
        assert_is_problem(answers[5], 429, "throttled")
        right = {**started_token(started), "code": recovery_codes(member)[0]}
        assert app.post(SECOND, right).status_code == HTTPStatus.TOO_MANY_REQUESTS
        assert SecurityEvent.objects.filter(user=member, kind="factor_failed").exists()

    def test_sessions_ended_meanwhile_end_it_too(
        self, app: APIClient, member: User, started: dict[str, Any]
    ) -> None:
        end_sessions(member)
        answer = app.post(SECOND, {**started_token(started), "code": recovery_codes(member)[0]})
        assert answer.status_code == HTTPStatus.FORBIDDEN
        assert not UserSession.objects.exists()

    def test_takes_only_tokens_of_a_sign_in(self, app: APIClient) -> None:
        tokens = sign_in(app).json()
        for token in (tokens["access_token"], tokens["refresh_token"], "x"):
            answer = app.post(SECOND, {"sign_in_token": token, "code": "000000"})
            assert_is_problem(answer, 401, "invalid_token")
            assert answer["WWW-Authenticate"] == 'Bearer realm="api"'

    def test_banned_meanwhile(self, app: APIClient, member: User, started: dict[str, Any]) -> None:
        member.ban(by=make_user())
        answer = app.post(SECOND, {**started_token(started), "code": recovery_codes(member)[0]})
        assert_is_problem(answer, 403, "use_site")
        assert not UserSession.objects.exists()

    def test_expired_sign_in(self, app: APIClient, member: User, settings: Settings) -> None:
        add_totp(member)
        token = started_token(sign_in(app).json())
        settings.ACCOUNT_LOGIN_TIMEOUT = -1
        answer = app.post(SECOND, {**token, "code": recovery_codes(member)[0]})
        assert_is_problem(answer, 401, "invalid_token")

    def test_person_with_passkeys_only_signs_in_on_the_site(
        self, app: APIClient, member: User
    ) -> None:
        Authenticator.objects.create(user=member, type="webauthn", data={})
        assert_is_problem(sign_in(app), 403, "use_site")


def started_token(started: dict[str, Any]) -> dict[str, str]:
    return {"sign_in_token": started["sign_in_token"]}


class TestAccess:
    def test_takes_one_query_and_writes_nothing(
        self,
        app: APIClient,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        token = sign_in(app).json()["access_token"]
        UserSession.objects.update(last_seen_at="2020-01-01T00:00Z")
        with django_assert_num_queries(1) as queries:
            assert app_sessions.find(token)
        assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)

        with django_assert_num_queries(2):  # and the list
            assert status(app, token) == HTTPStatus.OK

    def test_every_bad_token_gets_the_same_answer(self, app: APIClient, settings: Settings) -> None:
        good = sign_in(app).json()["access_token"]
        claims = jwt.decode(good, options={"verify_signature": False})
        key = settings.HEADLESS_JWT_PRIVATE_KEY
        past = {"exp": int(time.time()) - 1}
        head, body, signature = good.split(".")
        other = internal.session_key_to_sid("a" * 32)
        tokens = {
            "expired": jwt.encode(claims | past, key, "HS256"),
            "forged": jwt.encode(claims, "k" * 64, "HS256"),
            "unsigned": jwt.encode(claims, "", "none"),
            "other algorithm": jwt.encode(claims, key.ljust(64, "x"), "HS512"),
            "by SECRET_KEY": jwt.encode(claims, settings.SECRET_KEY.ljust(32), "HS256"),
            "foreign": jwt.encode(claims | {"sub": str(make_user().pk)}, key, "HS256"),
            "of no session": jwt.encode(claims | {"sid": other}, key, "HS256"),
            "garbled session": jwt.encode(claims | {"sid": "é"}, key, "HS256"),
            "refresh": sign_in(app).json()["refresh_token"],
            "cut": f"{head}.{body}.{signature[:-4]}",
            "empty": "..",
            "long": f"{head}.{body}.{'x' * 3000}",
            "deep": f"{internal.base64.b64encode(b'[' * 1400).decode()}.x.x",
        }
        signed_out = sign_in(app).json()["access_token"]
        app.delete(SESSION, headers=bearer(signed_out))

        answers = {
            name: app.get(PRIVATE, headers=bearer(token))
            for name, token in (tokens | {"signed out": signed_out}).items()
        }

        for name, answer in answers.items():
            assert answer.status_code == HTTPStatus.UNAUTHORIZED, name
            assert answer["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"', name
        assert len({answer.content for answer in answers.values()}) == 1
        assert status(app, good) == HTTPStatus.OK

    def test_bad_token_is_refused_where_none_is_needed(self, app: APIClient) -> None:
        answer = app.get("/api/v1/articles/", headers=bearer("a.b.c"))
        assert_is_problem(answer, 401, "invalid_token")

    def test_bad_token_is_refused_with_a_session(self, app: APIClient, member: User) -> None:
        app.force_login(member)
        assert status(app, "a.b.c") == HTTPStatus.UNAUTHORIZED

    @pytest.mark.parametrize("value", ["", "Basic a.b.c", "Token a.b.c", "a.b.c"])
    def test_other_credentials_are_left_to_others(self, app: APIClient, value: str) -> None:
        answer = app.get("/api/v1/articles/", headers={"authorization": value})
        assert answer.status_code == HTTPStatus.OK

    def test_tries_are_counted(self, app: APIClient, settings: Settings) -> None:
        limit = settings.API_RATES["auth"]["address"]
        answers = [app.delete(SESSION, headers=bearer("a.b.c")) for _ in range(limit + 1)]
        assert [answer.status_code for answer in answers] == [*[401] * limit, 429]

    def test_key_to_send_it_again_is_refused(self, app: APIClient) -> None:
        body = {"email": "ada@example.org", "password": PASSWORD}
        answer = app.post(SESSION, body, headers={"idempotency-key": "1"})
        assert answer.json()["errors"][0]["header"] == "Idempotency-Key"

    def test_scheme_is_case_insensitive(self, app: APIClient) -> None:
        token = sign_in(app).json()["access_token"]
        answer = app.get(PRIVATE, headers={"authorization": f"bearer {token}"})
        assert answer.status_code == HTTPStatus.OK

    def test_changes_need_no_csrf_token(self) -> None:
        app = APIClient(enforce_csrf_checks=True)
        token = sign_in(app).json()["access_token"]
        body = {"title": "New", "body": "Text", "category": "culture"}
        answer = app.post("/api/v1/articles/", body, headers=bearer(token))
        assert answer.status_code == HTTPStatus.CREATED, answer.content

    def test_token_in_the_query_string_is_refused(self, app: APIClient) -> None:
        token = sign_in(app).json()["access_token"]
        answer = app.get(f"/api/v1/articles/?access_token={token}")
        assert answer.status_code == HTTPStatus.BAD_REQUEST

    @pytest.mark.parametrize("has_factor", [True, False])
    def test_rights_wait_for_a_second_factor(
        self, app: APIClient, member: User, settings: Settings, *, has_factor: bool
    ) -> None:
        settings.MFA_REQUIRED_FOR_STAFF = True
        member.user_permissions.set(Permission.objects.filter(codename="change_article"))
        if has_factor:
            add_totp(member)
            code = {"code": recovery_codes(member)[0]}
            tokens = app.post(SECOND, started_token(sign_in(app).json()) | code).json()
        else:
            tokens = sign_in(app).json()
        row = app_sessions.find(tokens["access_token"])
        assert row is not None
        assert row.user.has_perm("articles.change_article") is has_factor


class TestEnd:
    """Whatever ends a session ends its tokens at once."""

    @pytest.fixture
    def tokens(self, app: APIClient) -> dict[str, str]:
        found: dict[str, str] = sign_in(app).json()
        return found

    def assert_ended(self, app: APIClient, tokens: dict[str, str]) -> None:
        assert status(app, tokens["access_token"]) == HTTPStatus.UNAUTHORIZED
        answer = app.post(TOKENS, {"refresh_token": tokens["refresh_token"]})
        assert_is_problem(answer, 401, "invalid_token")

    def test_sign_out(self, app: APIClient, member: User, tokens: dict[str, str]) -> None:
        answer = app.delete(SESSION, headers=bearer(tokens["access_token"]))

        assert (answer.status_code, answer.content) == (HTTPStatus.NO_CONTENT, b"")
        assert "Clear-Site-Data" not in answer
        assert not answer.cookies
        self.assert_ended(app, tokens)
        assert not Session.objects.exists()
        assert SecurityEvent.objects.filter(user=member, kind="signed_out").exists()

    def test_sign_out_leaves_other_sessions(
        self, app: APIClient, client: Client, member: User, tokens: dict[str, str]
    ) -> None:
        client.force_login(member)
        app.cookies = client.cookies
        app.delete(SESSION, headers=bearer(tokens["access_token"]))
        assert client.get("/people/me/edit/").status_code == HTTPStatus.OK

    def test_cookie_of_a_session_is_no_sign_out(self, app: APIClient, member: User) -> None:
        app.force_login(member)
        assert app.delete(SESSION).status_code == HTTPStatus.UNAUTHORIZED

    def test_new_password(self, app: APIClient, client: Client, tokens: dict[str, str]) -> None:
        login = {"login": "ada@example.org", "password": PASSWORD}
        client.post("/accounts/login/", login)
        new = "another-joint-of-oak-31"
        fields = {"oldpassword": PASSWORD, "password1": new, "password2": new}
        client.post("/accounts/password/change/", fields)
        self.assert_ended(app, tokens)

    def test_password_set_elsewhere(
        self, app: APIClient, member: User, tokens: dict[str, str]
    ) -> None:
        member.set_password("another-joint-of-oak-31")
        member.save()
        self.assert_ended(app, tokens)

    def test_sign_out_everywhere(
        self, app: APIClient, member: User, tokens: dict[str, str]
    ) -> None:
        end_sessions(member)
        self.assert_ended(app, tokens)

    def test_row_deleted_in_the_list(self, app: APIClient, tokens: dict[str, str]) -> None:
        UserSession.objects.get().delete()
        self.assert_ended(app, tokens)

    def test_ban(self, app: APIClient, member: User, tokens: dict[str, str]) -> None:
        member.ban(by=make_user())
        self.assert_ended(app, tokens)

    def test_deletion(self, app: APIClient, client: Client, tokens: dict[str, str]) -> None:
        login = {"login": "ada@example.org", "password": PASSWORD}
        client.post("/accounts/login/", login)
        reauthenticate(client)
        with zeal_ignore([{"model": "sessions.Session", "field": "*"}]):  # one for each session
            client.post("/people/me/deletion/")
        self.assert_ended(app, tokens)

    def test_lifetime(self, app: APIClient, tokens: dict[str, str]) -> None:
        session = SessionStore(Session.objects.get().session_key)
        session["signed_in_at"] -= 31 * 24 * 3600
        session.save()
        Session.objects.update(expire_date="2100-01-01T00:00Z")
        self.assert_ended(app, tokens)


class TestRefresh:
    def test_rotates(self, app: APIClient) -> None:
        first = sign_in(app).json()
        UserSession.objects.update(last_seen_at="2020-01-01T00:00Z")
        answer = app.post(TOKENS, {"refresh_token": first["refresh_token"]})
        second = answer.json()

        assert answer.status_code == HTTPStatus.OK, second
        assert "no-store" in answer["Cache-Control"]
        assert second["refresh_token"] != first["refresh_token"]
        assert status(app, second["access_token"]) == HTTPStatus.OK
        row = UserSession.objects.get()
        assert (timezone.now() - row.last_seen_at).total_seconds() < 60
        assert row.user_agent == AGENT
        third = app.post(TOKENS, {"refresh_token": second["refresh_token"]})
        assert third.status_code == HTTPStatus.OK

    def test_second_use_ends_the_session(self, app: APIClient, member: User) -> None:
        first = sign_in(app).json()
        second = app.post(TOKENS, {"refresh_token": first["refresh_token"]}).json()
        others = sign_in(app).json()

        again = app.post(TOKENS, {"refresh_token": first["refresh_token"]})

        assert_is_problem(again, 401, "invalid_token")
        assert again["WWW-Authenticate"] == 'Bearer realm="api"'
        assert status(app, second["access_token"]) == HTTPStatus.UNAUTHORIZED
        last = app.post(TOKENS, {"refresh_token": second["refresh_token"]})
        assert last.status_code == HTTPStatus.UNAUTHORIZED
        event = SecurityEvent.objects.get(user=member, kind="sessions_ended")
        assert event.detail == "refresh token used twice"
        assert status(app, others["access_token"]) == HTTPStatus.OK  # on another device

    def test_access_token_is_no_refresh_token(self, app: APIClient) -> None:
        tokens = sign_in(app).json()
        answer = app.post(TOKENS, {"refresh_token": tokens["access_token"]})
        assert_is_problem(answer, 401, "invalid_token")
        assert status(app, tokens["access_token"]) == HTTPStatus.OK

    def test_parameters_are_refused(self, app: APIClient) -> None:
        token = sign_in(app).json()["refresh_token"]
        answer = app.post(f"{TOKENS}?refresh_token={token}", {"refresh_token": token})
        assert answer.status_code == HTTPStatus.BAD_REQUEST


@pytest.mark.django_db(transaction=True)
def test_of_two_refreshes_at_once_one_ends_the_session(app: APIClient) -> None:
    """Kind: both read the session before either wrote it, and both got tokens."""
    token = sign_in(app).json()["refresh_token"]
    barrier, answers = Barrier(2), []

    def refresh() -> None:
        try:
            barrier.wait(60)
            answers.append(APIClient().post(TOKENS, {"refresh_token": token}).status_code)
        finally:
            connection.close()

    threads = [Thread(target=refresh) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [HTTPStatus.OK, HTTPStatus.UNAUTHORIZED]
    assert not UserSession.objects.exists()

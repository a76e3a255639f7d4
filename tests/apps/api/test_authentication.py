"""What a token opens, and what everything else that is sent as one gets."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings as django_settings
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.urls import URLPattern, get_resolver
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from apps.api.authentication import TokenAuthentication
from apps.users import access_tokens
from apps.users.models import PersonalAccessToken, User
from tests.factories import make_article, make_token, make_user

pytestmark = pytest.mark.django_db

LIST = "/api/v1/articles/"
TRASH = f"{LIST}trash/"  # needs a person


def with_token(text: str, scheme: str = "Bearer") -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"{scheme} {text}")
    return client


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_token_stands_for_its_owner(author: User, scheme: str) -> None:
    _, text = make_token(author)

    answer = with_token(text, scheme).post(LIST, {"title": "New", "body": "Text"})

    assert answer.status_code == HTTPStatus.CREATED
    assert answer.json()["author"] == str(author.pk)


def test_token_needs_no_csrf_token(author: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(author)[1]}")

    answer = client.post(LIST, {"title": "New", "body": "Text"})

    assert answer.status_code == HTTPStatus.CREATED


def not_valid(author: User) -> dict[str, str]:
    """Return what is sent as a token, by why it is none."""
    revoked, revoked_text = make_token(author)
    revoked.delete()
    _, valid = make_token(author)
    other = "A" if valid[10] != "A" else "B"
    banned, closed = make_user(), make_user()
    texts = {
        "unknown": access_tokens.generate(user=author)[1],
        "expired": make_token(author, expires_at=timezone.now() - timedelta(seconds=1))[1],
        "revoked": revoked_text,
        "of a banned person": make_token(banned)[1],
        "of a closed account": make_token(closed)[1],
        "with a wrong checksum": valid[:10] + other + valid[11:],
        "cut off": valid[:-1],
        "too long": f"{valid}0",
        "with another prefix": f"ghp_{valid[4:]}",
        "without a prefix": valid[4:],
        "empty": "",
        "two": f"{valid} {valid}",
        "not ASCII": f"{valid[:-1]}é",
        "a JWT": "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        "the digest": make_token(author)[0].digest,
        "long": "x" * 8000,
    }
    banned.ban(by=author)
    User.objects.filter(pk=closed.pk).update(deleted_at=timezone.now())
    return texts


@pytest.mark.parametrize("path", [TRASH, LIST])
def test_all_tokens_that_are_not_valid_get_the_same_answer(author: User, path: str) -> None:
    """Kind: an answer that tells a thief which of the tokens had been one."""
    answers: dict[str, Any] = {}
    for why, text in not_valid(author).items():
        cache.clear()  # an address has few attempts in a minute
        answers[why] = with_token(text).get(path)

    for why, answer in answers.items():
        assert answer.status_code == HTTPStatus.UNAUTHORIZED, why
        del answer["RateLimit"]  # it names the seconds until the minute is over
        del answer["X-Request-ID"]
    assert len({(answer.content, str(answer.headers)) for answer in answers.values()}) == 1
    answer = answers["expired"]
    assert answer["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_token"


@pytest.mark.parametrize(
    ("why", "queries"), [("unknown", 1), ("expired", 1), ("revoked", 1), ("cut off", 0)]
)
def test_refusal_takes_the_same_work(
    author: User, why: str, queries: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = with_token(not_valid(author)[why])

    with django_assert_num_queries(queries):
        client.get(LIST)


def test_token_takes_one_query(
    author: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, text = make_token(author, last_used_at=timezone.now())
    request = Request(APIRequestFactory().get(LIST, headers={"authorization": f"Bearer {text}"}))

    with django_assert_num_queries(1):
        found = TokenAuthentication().authenticate(request)
        assert found
        assert found[0].email == author.email


def test_session_does_not_replace_an_invalid_token(author: User) -> None:
    client = with_token("dvt_x")
    client.force_login(author)

    assert client.get(TRASH).status_code == HTTPStatus.UNAUTHORIZED


def test_other_schemes_leave_the_session_alone(author: User) -> None:
    """Such as the Basic authentication of a proxy in front of a test site."""
    client = with_token("YTpi", "Basic")
    assert client.get(TRASH)["WWW-Authenticate"] == 'Bearer realm="api"'

    client.force_login(author)

    assert client.get(TRASH).status_code == HTTPStatus.OK


@pytest.mark.parametrize("name", ["access_token", "token", "Access_Token"])
def test_token_in_the_address_is_refused(author: User, name: str) -> None:
    _, text = make_token(author)

    for client in (APIClient(), with_token(text)):
        answer = client.get(f"{LIST}?{name}={text}")

        assert answer.status_code == HTTPStatus.BAD_REQUEST
        [fault] = answer.json()["errors"]
        assert (fault["parameter"], fault["code"]) == (name, "token_in_address")
        assert text not in answer.text


def test_missing_scope_is_named(author: User) -> None:
    client = with_token(make_token(author, ["articles:read", "comments:write"])[1])
    assert client.get(LIST).status_code == HTTPStatus.OK

    answer = client.post(LIST, {"title": "New", "body": "Text"})

    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert answer.json()["code"] == "insufficient_scope"
    expected = 'Bearer error="insufficient_scope", scope="articles:write"'
    assert answer["WWW-Authenticate"] == expected
    assert with_token(make_token(author, ["articles:write"])[1]).get(LIST).status_code == 403


def test_rights_need_a_second_factor(settings: Settings) -> None:
    settings.MFA_REQUIRED_FOR_STAFF = True
    for is_superuser in (False, True):
        editor = make_user(is_staff=True, is_superuser=is_superuser)
        editor.user_permissions.set(Permission.objects.filter(codename="change_article"))
        url = f"{LIST}{make_article(published=False).pk}/"
        client = with_token(make_token(editor)[1])

        assert client.get(url).status_code == HTTPStatus.NOT_FOUND
        Authenticator.objects.create(user=editor, type=Authenticator.Type.TOTP, data={})
        assert client.get(url).status_code == HTTPStatus.OK


def test_rights_mapped_by_a_provider_expire_with_a_token_too(author: User) -> None:
    """Kind: someone has left the provider, and no session of theirs is there to notice."""
    author.mapped_rights.create(
        provider="corp", is_staff=True, confirmed_at=timezone.now() - timedelta(days=400)
    )
    User.objects.filter(pk=author.pk).update(is_staff=True, mapped_rights_expire_at=timezone.now())

    with_token(make_token(author)[1]).get(LIST)

    author.refresh_from_db()
    assert not author.is_staff


def views(patterns: list[Any]) -> list[Any]:
    found = []
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            view: Any = pattern.callback
            found += [view.cls] if hasattr(view, "cls") else []  # the others are pages
        else:
            found += views(pattern.url_patterns)
    return found


def test_every_viewset_names_a_group_that_tokens_can_be_for() -> None:
    patterns: list[Any] = get_resolver().url_patterns
    [resolver] = [found for found in patterns if getattr(found, "namespace", "") == "api"]
    ours = {view for view in views(resolver.url_patterns) if view.__module__.startswith("apps.")}
    groups = {scope.partition(":")[0] for scope in django_settings.API_SCOPES}

    ours = {view for view in ours if TokenAuthentication in view.authentication_classes}
    assert ours
    assert {view.__name__ for view in ours if getattr(view, "scope", "") not in groups} == set()
    both = {f"{group}:{right}" for group in groups for right in ("read", "write")}
    assert both == django_settings.API_SCOPES.keys()


def test_schema_names_the_scope_of_each_operation() -> None:
    generator: Any = SchemaGenerator
    schema = generator().get_schema(request=None, public=True)

    scheme = schema["components"]["securitySchemes"]["accessToken"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    of_list = schema["paths"][LIST]
    assert {"accessToken": ["articles:read"]} in of_list["get"]["security"]
    assert {"accessToken": ["articles:write"]} in of_list["post"]["security"]


def test_use_is_recorded_once_a_minute(author: User, monkeypatch: pytest.MonkeyPatch) -> None:
    token, text = make_token(author)
    now = timezone.now()
    seen = []
    for seconds in (0, 59, 61):
        with monkeypatch.context() as patch:
            patch.setattr(timezone, "now", lambda at=now + timedelta(seconds=seconds): at)
            with_token(text).get(LIST)
        seen.append(PersonalAccessToken.objects.get(pk=token.pk).last_used_at)

    assert seen == [now, now, now + timedelta(seconds=61)]

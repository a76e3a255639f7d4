"""Who may do what by the API: every endpoint, asked as each kind of person.

A new endpoint fails the first test until its row is here and in docs/api.md.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from apps.users import app_sessions
from apps.users.models import DataExport, User
from apps.users.sessions import SessionStore
from config.settings.parts.api import API_SCOPES
from tests.apps.test_files import picture
from tests.factories import make_article, make_comment, make_token, make_user

pytestmark = pytest.mark.django_db

# Staff have the rights of an admin, which count for nothing without a second factor.
KINDS = ("anonymous", "reader", "author", "editor", "staff_without_factor", "admin")
# The author's access tokens, and the token of their app. Their answers follow from the author's,
# unless the row says otherwise.
TOKENS = ("read_token", "write_token", "app")
Row = tuple[int, ...]
ANYONE: Row = (200,) * 6
MEMBERS: Row = (401, 200, 200, 200, 200, 200)
ENDPOINTS: dict[tuple[str, str], dict[str, Row]] = {
    ("article-list", "get"): {"": ANYONE},
    ("article-list", "post"): {"": (401, 201, 201, 201, 201, 201)},
    # The rights of each operation are those above and below: test_bulk.py.
    ("article-bulk", "post"): {"": (401, 200, 200, 200, 200, 200)},
    ("article-detail", "get"): {
        "published": ANYONE,
        "draft": (404, 404, 200, 200, 404, 200),
        "deleted": (404, 404, 404, 404, 404, 404),
    },
    ("article-detail", "put"): {
        "published": (401, 403, 200, 200, 403, 200),
        "draft": (401, 404, 200, 200, 404, 200),
    },
    ("article-detail", "patch"): {
        "published": (401, 403, 200, 200, 403, 200),
        "draft": (401, 404, 200, 200, 404, 200),
    },
    ("article-detail", "delete"): {
        "published": (401, 403, 204, 403, 403, 204),
        "draft": (401, 404, 204, 403, 404, 204),
    },
    ("article-publication", "put"): {
        "published": (401, 403, 200, 200, 403, 200),
        "draft": (401, 404, 200, 200, 404, 200),
    },
    ("article-publication", "delete"): {
        "published": (401, 403, 200, 200, 403, 200),
        "draft": (401, 404, 200, 200, 404, 200),
    },
    ("article-trash", "get"): {"": (401, 200, 200, 200, 200, 200)},
    ("article-restoration", "post"): {
        "published": (401, 404, 404, 404, 404, 404),
        "deleted": (401, 404, 200, 404, 404, 404),
    },
    ("article-comment-list", "get"): {
        "published": ANYONE,
        "draft": (404, 404, 200, 200, 404, 200),
    },
    ("article-comment-list", "post"): {
        "published": (401, 201, 201, 201, 201, 201),
        "draft": (401, 404, 201, 201, 404, 201),
    },
    ("comment-detail", "get"): {
        "published": ANYONE,
        "draft": (404, 404, 200, 200, 404, 200),
    },
    ("comment-detail", "patch"): {
        "published": (401, 403, 200, 200, 403, 200),
        "draft": (401, 404, 200, 200, 404, 200),
    },
    ("comment-detail", "delete"): {
        "published": (401, 403, 204, 403, 403, 204),
        "draft": (401, 404, 204, 403, 404, 204),
    },
    ("article-cover", "put"): {
        "published": (401, 403, 200, 200, 403, 200),
        "draft": (401, 404, 200, 200, 404, 200),
    },
    ("article-cover", "delete"): {
        "published": (401, 403, 200, 200, 403, 200),
        "draft": (401, 404, 200, 200, 404, 200),
    },
    ("category-list", "get"): {"": ANYONE},
    ("article-search", "get"): {"": ANYONE},
    ("article-analytics", "get"): {"": ANYONE},
    ("person-detail", "get"): {
        "open": ANYONE,
        # Their own tokens are none any more.
        "closed": (404,) * 6 + (401,) * 3,
        "banned": (404,) * 6 + (401,) * 3,
    },
    ("notification-list", "get"): {"": MEMBERS},
    ("notification-reading", "post"): {"": (401, 204, 204, 204, 204, 204)},
    ("me", "get"): {"": MEMBERS},
    ("me", "patch"): {"": MEMBERS},
    ("avatar", "put"): {"": MEMBERS},
    ("avatar", "delete"): {"": MEMBERS},
    ("email-address-list", "get"): {"": MEMBERS},
    ("export-list", "get"): {"": MEMBERS},
    # Without a recent proof of who they are; see test_me.py for those with one.
    ("export-list", "post"): {"": (401, 403, 403, 403, 403, 403)},
    ("export-detail", "get"): {"export": (401, 404, 200, 404, 404, 404)},
    ("export-content", "get"): {"export": (401, 403, 403, 403, 403, 403)},
    ("access-token-list", "get"): {"": (401, 200, 200, 200, 200, 200)},
    # A session needs a recent proof of who it is; see test_tokens.py for those with one.
    ("access-token-list", "post"): {"": (401, 403, 403, 403, 403, 403, 403, 201, 403)},
    ("access-token-detail", "delete"): {"token": (401, 403, 403, 403, 403, 403, 403, 204, 403)},
    # Without a body. Sign-ins of apps are for everyone; only the app's own token signs it out.
    ("app-session", "post"): {"": (400,) * 9},
    ("app-session", "delete"): {"": (401,) * 8 + (204,)},
    ("app-second-factor", "post"): {"": (400,) * 9},
    ("app-tokens", "post"): {"": (400,) * 9},
    ("schema", "get"): {"": ANYONE},
    ("docs", "get"): {"": ANYONE},
    ("reference", "get"): {"": ANYONE},
}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("article-list", "post"): {"title": "New", "body": "Text"},
    ("article-bulk", "post"): {
        "operations": [{"method": "create", "fields": {"title": "New", "body": "Text"}}]
    },
    ("article-detail", "put"): {"title": "New", "body": "Text"},
    ("article-detail", "patch"): {"title": "New", "body": "Text"},
    ("article-comment-list", "post"): {"body": "Text"},
    ("comment-detail", "patch"): {"body": "Text"},
    ("me", "patch"): {"biography": "Text"},
}


def endpoints() -> Iterator[tuple[str, str]]:
    """Yield the name and the method of all endpoints."""
    found: list[Any] = list(get_resolver().url_patterns)
    [resolver] = [one for one in found if getattr(one, "namespace", "") == "api"]
    patterns: list[Any] = list(resolver.url_patterns)
    while patterns:
        pattern = patterns.pop()
        if not isinstance(pattern, URLPattern):
            patterns += pattern.url_patterns
            continue
        methods = getattr(pattern.callback, "actions", None) or {"get": ""}
        for method in methods:
            if method != "head":
                yield str(pattern.name), method


def test_every_endpoint_has_a_row() -> None:
    assert set(endpoints()) == set(ENDPOINTS)


def person(kind: str, author: User) -> User | None:
    if kind == "anonymous":
        return None
    if kind in {"author", *TOKENS}:
        return author
    if kind == "editor":
        editor = make_user()
        rights = Permission.objects.filter(codename__in=["change_article", "change_comment"])
        editor.user_permissions.set(rights)
        return editor
    has_rights = kind in {"staff_without_factor", "admin"}
    return make_user(is_staff=has_rights, is_superuser=has_rights)


def sign_in(client: APIClient, user: User, kind: str) -> None:
    if kind not in TOKENS:
        client.force_login(user)
        return
    if kind == "app":
        text = token_of_app(user)
    else:
        endings = (":read",) if kind == "read_token" else (":read", ":write")
        _, text = make_token(user, [scope for scope in API_SCOPES if scope.endswith(endings)])
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")


def token_of_app(user: User) -> str:
    browser = APIClient()
    browser.force_login(user)
    tokens = app_sessions.start(SessionStore(browser.session.session_key))
    assert tokens
    return tokens.access_token


def with_tokens(row: Row, method: str) -> Row:
    """Return the answers to all kinds: a token may what its owner may, within its scopes."""
    if len(row) > len(KINDS):
        return row
    author = row[KINDS.index("author")]
    return (*row, author if method == "get" else 403, author, author)


def address(name: str, state: str, author: User) -> str:
    """Return the URL of something of an author in a state."""
    if not state:
        return reverse(f"api:{name}")
    if name == "person-detail":
        if state == "closed":
            author.request_deletion()
        if state == "banned":
            author.ban(by=make_user())
        return reverse(f"api:{name}", args=[author.pk])
    if state == "export":
        export = DataExport.objects.create(user=author, content={})
        return reverse(f"api:{name}", args=[export.pk])
    if state == "token":
        return reverse(f"api:{name}", args=[make_token(author)[0].pk])
    article = make_article(author, published=state != "draft")
    if state == "deleted":
        article.delete(by=author)
    of_comment = name == "comment-detail"
    row = make_comment(article, author) if of_comment else article
    return reverse(f"api:{name}", args=[row.pk])


def sent(name: str, method: str) -> dict[str, Any]:
    """Return what a request sends, as the test client takes it."""
    if method == "put" and name == "article-cover":
        return {"data": {"cover": picture()}, "format": "multipart"}
    if method == "put" and name == "avatar":
        return {"data": {"avatar": picture()}, "format": "multipart"}
    if method == "post" and name == "access-token-list":
        tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
        return {"data": {"name": "Script", "scopes": ["articles:read"], "expires_at": tomorrow}}
    return {"data": BODIES.get((name, method))}


@pytest.mark.parametrize(
    ("name", "method", "state"),
    [(*endpoint, state) for endpoint, states in ENDPOINTS.items() for state in states],
)
def test_each_kind_of_person(name: str, method: str, state: str, settings: Settings) -> None:
    answers = []
    for kind in (*KINDS, *TOKENS):
        author = make_user()
        settings.MFA_REQUIRED_FOR_STAFF = kind == "staff_without_factor"
        client, user = APIClient(), person(kind, author)
        if user:
            sign_in(client, user, kind)
        url, call = address(name, state, author), getattr(client, method)
        answer = call(url, headers={"if-match": "*"}, **sent(name, method))
        answers.append(answer.status_code)

    assert tuple(answers) == with_tokens(ENDPOINTS[name, method][state], method)

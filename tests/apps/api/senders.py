"""Who sends the cases of the contract, and the rows that they find.

Apart from contract.py, so that a site can have them without loading Schemathesis.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from django.conf import settings
from django.middleware.csrf import get_token
from django.test import Client
from django.utils import timezone

from apps.users.models import DataExport, User
from tests.apps.users.conftest import PASSWORD, reauthenticate
from tests.factories import make_article, make_comment, make_member, make_token

HOST = "localhost"
ORIGIN = f"https://{HOST}"  # the host for which the client of Schemathesis has cookies
ADDRESS = "203.0.113.9"


def _id(number: int) -> UUID:
    return UUID(f"01890000-0000-7000-8000-{number:012}")


# By the path before the parameter: the rows that there are, and one that does not exist.
NONE = _id(0)
PUBLISHED, DRAFT, DELETED, OTHERS = map(_id, range(10, 14))
OWN_COMMENT, OTHERS_COMMENT = map(_id, range(20, 22))
ADA, BOB = map(_id, range(30, 32))
READY, PENDING = map(_id, range(40, 42))
SPARE_TOKEN = _id(50)
IDS = {
    "articles": [PUBLISHED, DRAFT, DELETED, OTHERS, NONE],
    "comments": [OWN_COMMENT, OTHERS_COMMENT, NONE],
    "users": [ADA, BOB, NONE],
    "exports": [READY, PENDING, NONE],
    "tokens": [SPARE_TOKEN, NONE],
}


@dataclass
class Sender:
    """Who sends requests, by what every one of them has."""

    headers: dict[str, str]
    cookies: dict[str, str]


def make_rows() -> User:
    """Make the rows of `IDS`, and return who asks: the author of most of them."""
    ada = make_member("ada@example.org", id=ADA, password=PASSWORD, display_name="Ada Lovelace")
    bob = make_member("bob@example.org", id=BOB)
    published = make_article(ada, id=PUBLISHED)
    make_article(ada, id=DRAFT, published=False)
    make_article(ada, id=DELETED).delete(by=ada)
    others = make_article(bob, id=OTHERS, title="On glue")
    make_comment(others, ada, id=OWN_COMMENT)
    make_comment(published, bob, id=OTHERS_COMMENT)  # of which Ada is notified
    for pk, content in ((READY, {"profile": {}}), (PENDING, None)):
        DataExport.objects.create(id=pk, user=ada, content=content)
    # So long ago that another one can be requested.
    DataExport.objects.update(created_at=timezone.now() - timedelta(hours=2))
    make_token(ada, id=SPARE_TOKEN)
    return ada


def anonymous(_: User) -> Sender:
    return Sender({}, {})


class Browser(Client):
    """A client that sends all of its requests by HTTPS, to the host of the site."""

    def __init__(self) -> None:
        super().__init__(headers={"host": HOST, "origin": ORIGIN})

    def request(self, **request: Any) -> Any:
        return super().request(**request | {"wsgi.url_scheme": "https"})


def session(user: User) -> Sender:
    """Return a browser whose session has a recent proof of who it is, with its CSRF token."""
    browser = Browser()
    browser.force_login(user)
    reauthenticate(browser)
    assert browser.session[AUTHENTICATION_METHODS_SESSION_KEY]
    page = browser.get("/accounts/email/")
    cookies = {name: cookie.value for name, cookie in browser.cookies.items()}
    return Sender({"Origin": ORIGIN, "X-CSRF-Token": get_token(page.wsgi_request)}, cookies)


def read_token(user: User) -> Sender:
    return _with_token(user, [scope for scope in settings.API_SCOPES if scope.endswith(":read")])


def write_token(user: User) -> Sender:
    return _with_token(user, list(settings.API_SCOPES))


def _with_token(user: User, scopes: list[str]) -> Sender:
    return _bearer(make_token(user, scopes)[1])


def jwt(user: User) -> Sender:
    body = {"email": user.email, "password": PASSWORD}
    answer = Browser().post("/api/v1/auth/session/", body, "application/json")
    return _bearer(answer.json()["access_token"])


def _bearer(token: str) -> Sender:
    return Sender({"Authorization": f"Bearer {token}"}, {})


SENDERS: dict[str, Callable[[User], Sender]] = {
    sender.__name__: sender for sender in (anonymous, session, read_token, write_token, jwt)
}


def as_json() -> str:
    """Make the rows, and return all senders."""
    user = make_rows()
    return json.dumps({name: asdict(sender(user)) for name, sender in SENDERS.items()})

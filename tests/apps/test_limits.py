"""Each class of requests is limited, by network or person, as the table in docs/security.md says.

Comments, guesses, data exports and sockets have tests of their own, where their limits are.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from pytest_django.fixtures import Settings

from config.settings.parts.http import RATE_LIMITS
from dovetail.http import csp_reports
from tests.factories import make_user

pytestmark = pytest.mark.django_db

MOST = 2  # of each class, here
CLASSES: dict[str, Callable[..., Any]] = {
    "Sign-in": lambda client, **more: client.post(
        "/accounts/login/", {"login": "a@b.example", "password": "x"}, **more
    ),
    "Sign-up": lambda client, **more: client.post("/accounts/signup/", {}, **more),
    "Password reset": lambda client, **more: client.post(
        "/accounts/password/reset/", {"email": "a@b.example"}, **more
    ),
    "API": lambda client, **more: client.get("/api/v1/articles/", **more),
    "API, sign-in": lambda client, **more: client.get(
        "/api/v1/articles/", **more | {"headers": more["headers"] | {"authorization": "Bearer x"}}
    ),
    "Search": lambda client, **more: client.get("/articles/?q=oak", **more),
    "Forms": lambda client, **more: client.post("/articles/new/", **more),
    "Reports of the policy": lambda client, **more: client.post(
        "/csp-reports/", "{}", csp_reports.OLD, **more
    ),
}
OF_PEOPLE: dict[str, Callable[..., Any]] = {
    "Uploads": lambda client, **more: client.post(
        "/uploads/", {"name": "a.png", "size": "9", "type": "image/png"}, **more
    ),
    "Exports": lambda client, **more: client.get("/articles/export/", **more),
    "Forms": CLASSES["Forms"],
    "Search": CLASSES["Search"],
}


@pytest.fixture(autouse=True)
def few(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RATE_LIMITS = dict.fromkeys(RATE_LIMITS, MOST)
    settings.API_RATES = {
        scope: dict.fromkeys(rates, MOST) for scope, rates in settings.API_RATES.items()
    }
    limits = dict.fromkeys(("login", "signup", "reset_password"), f"{MOST}/m/ip")
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | limits
    settings.UPLOADS_PER_MINUTE = MOST
    monkeypatch.setattr(csp_reports, "PER_NETWORK", MOST)


def statuses(ask: Callable[..., Any], client: Client, forwarded: list[str]) -> list[int]:
    answers = [ask(client, headers={"x-forwarded-for": value}) for value in forwarded]
    if answers[-1].status_code == 429:
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    return [answer.status_code for answer in answers]


@pytest.mark.parametrize("name", CLASSES)
def test_network_is_limited_whatever_it_forges(name: str, settings: Settings) -> None:
    """Kinds: a limit per address where a line has 2⁶⁴ of them; one that a header evades."""
    settings.TRUSTED_PROXY_COUNT = 1
    if name != "Forms":
        settings.RATE_LIMITS = settings.RATE_LIMITS | {"writes": 1000}
    forged = [f"198.51.100.{n}, unknown, 2001:db8:0:1::{n}" for n in range(1, MOST + 2)]

    found = statuses(CLASSES[name], Client(), forged)

    assert found[-1] == 429
    assert 429 not in found[:-1]
    assert statuses(CLASSES[name], Client(), ["2001:db8:0:2::1"]) != [429]


@pytest.mark.parametrize("name", ["Sign-in", "API", "Search"])
def test_without_a_proxy_the_header_counts_for_nothing(name: str, settings: Settings) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"writes": 1000}

    found = statuses(CLASSES[name], Client(), [f"198.51.100.{n}" for n in range(MOST + 1)])

    assert found.count(429) == 1


@pytest.mark.parametrize("name", OF_PEOPLE)
def test_person_is_limited_from_all_networks(name: str, settings: Settings) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    if name == "Uploads":
        settings.RATE_LIMITS = settings.RATE_LIMITS | {"writes": 1000}
    one, other = make_user(), make_user()
    for person, most in ((one, MOST), (other, 0)):
        found = []
        for n in range(most + 1):
            client = Client()  # another session, too
            client.force_login(person)
            found += statuses(OF_PEOPLE[name], client, [f"198.51.100.{n}"])

        assert (found[-1] == 429) == (person == one)
        assert 429 not in found[:-1]


def test_page_says_what_to_do(client: Client) -> None:
    for _ in range(MOST + 1):
        answer = client.get("/articles/?q=oak")

    assert answer.status_code == 429
    assert "go back and try again" in answer.content.decode()
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.get("/articles/").status_code == 200  # only searches are counted


async def test_forms_are_counted_under_asgi(async_client: Any) -> None:
    answers = [await async_client.post("/nothing/") for _ in range(MOST + 1)]

    assert [answer.status_code for answer in answers] == [404] * MOST + [429]


def test_without_a_cache_people_may_go_on(client: Client, settings: Settings) -> None:
    settings.CACHES = settings.CACHES | {
        "default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}
    }

    assert {client.post("/articles/new/").status_code for _ in range(MOST + 2)} == {303}


def test_every_class_is_documented() -> None:
    text = (django_settings.BASE_DIR / "docs" / "security.md").read_text(encoding="utf-8")
    section = text.partition("## Limits")[2].partition("\n## ")[0]

    documented = {line.split("|")[1].strip() for line in section.splitlines() if line[:1] == "|"}
    assert set(CLASSES) | set(OF_PEOPLE) <= documented

"""What the pages about the API say is true, and their commands work as they are printed."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.urls import clear_url_caches, get_resolver, include, path
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIClient

from apps.api import urls
from apps.articles.models import Article
from tests.apps.api.test_rights import ENDPOINTS, KINDS
from tests.apps.test_files import picture
from tests.apps.users.conftest import PASSWORD
from tests.factories import make_article, make_member, make_token, make_user
from tests.repository import ROOT

PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
CONVENTIONS = (ROOT / "docs/api-conventions.md").read_text(encoding="utf-8")
APPS = (ROOT / "docs/api-apps.md").read_text(encoding="utf-8")
LIST = "/api/v1/articles/"
# The columns of the table, by the kinds of test_rights.py. Staff without a factor are members.
COLUMNS = {
    "anonymous": "Anyone",
    "reader": "Members",
    "staff_without_factor": "Members",
    "author": "The author",
    "editor": "Editors",
    "admin": "Admins",
}
STATES = {"draft", "deleted", "closed", "banned"}  # that have rows of their own


@pytest.mark.parametrize("address", ["/api/v1/docs/", "/api/v1/docs/reference/"])
def test_pages_are_only_read(address: str) -> None:
    answer = APIClient(enforce_csrf_checks=True).post(address)

    assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def table(page: str, heading: str) -> list[dict[str, str]]:
    """Return the rows of the first table below a heading, by the names of the columns."""
    lines = page.partition(f"\n{heading}\n")[2].splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("|"))
    cells = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        cells.append([cell.strip() for cell in line.strip("|").split("|")])
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def run(commands: str, folder: Path, **environment: str) -> str:
    result = subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


class TestSession:
    @pytest.mark.django_db(transaction=True)
    def test_runs_as_it_is_printed(self, live_server: LiveServer, tmp_path: Path) -> None:
        author = make_user("ada@example.org", display_name="Ada Lovelace")
        _, token = make_token(author, ["articles:read", "articles:write"])
        session, cover, *_ = blocks(PAGE, "sh")
        [printed, *_] = blocks(PAGE, "text")
        (tmp_path / "joint.jpg").write_bytes(picture().read())

        told = run(session + cover, tmp_path, TOKEN=token, SITE=live_server.url)

        assert told.startswith(printed)
        article = Article.objects.get()
        assert (article.title, article.status) == ("On dovetails", "published")
        assert json.loads(told.removeprefix(printed))["cover"].endswith(article.cover.name)

    @pytest.mark.django_db(transaction=True)
    def test_reader_replaces_the_token_only(self, live_server: LiveServer, tmp_path: Path) -> None:
        session = blocks(PAGE, "sh")[0].replace("dvt_…", make_token()[1])
        told = run(session, tmp_path, SITE=live_server.url)
        assert told == blocks(PAGE, "text")[0]

    def test_sites_own_address_is_the_default(self) -> None:
        assert f"SITE=${{SITE:-{settings.SITE_URL}}}" in blocks(PAGE, "sh")[0]


@pytest.mark.django_db
def test_added_resource_has_what_is_promised(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = SimpleRouter(use_regex_path=False)
    monkeypatch.setattr(urls, "router", router)
    code = blocks(PAGE, "python")[0]
    exec(compile(code, "docs/api.md", "exec"), {"__name__": "example"})  # noqa: S102 - our own page
    routes: Any = ModuleType("example_urls")
    routes.urlpatterns = [path("api/v1/", include(router.urls))]
    settings.ROOT_URLCONF = routes
    clear_url_caches()
    article, api = make_article(), APIClient()
    make_article(published=False)
    _, token = make_token(scopes=["comments:read"])

    [row] = api.get("/api/v1/headlines/?page_size=5").json()["results"]
    one = api.get(f"/api/v1/headlines/{article.pk}/?fields=title")
    etag = {"if-none-match": one["ETag"]}
    again = api.get(f"/api/v1/headlines/{article.pk}/?fields=title", headers=etag)
    wrong = {"authorization": f"Bearer {token}"}

    assert set(row) == {"id", "title", "published_at"}
    assert one.json() == {"title": article.title}
    assert again.status_code == HTTPStatus.NOT_MODIFIED
    assert "RateLimit" in one
    assert api.get("/api/v1/headlines/?sort=x").json()["errors"][0]["parameter"] == "sort"
    assert api.get("/api/v1/headlines/", headers=wrong).json()["code"] == "insufficient_scope"


def test_added_resource_has_ten_lines() -> None:
    lines = blocks(PAGE, "python")[0].splitlines()
    assert len([line for line in lines if line and "import" not in line]) == 10


class TestRights:
    """The table "Who may do what" says what test_rights.py proves."""

    ROWS = table(PAGE, "## Who may do what")

    def rows(self) -> Iterator[tuple[set[str], set[str], dict[str, str]]]:
        """Yield the requests of each row, the states that it is for, and its cells."""
        requests: set[str] = set()
        for row in self.ROWS:
            cell = row["Request, below `/api/v1`"]
            requests = set(re.findall(r"`([^`]+)`", cell)) or requests  # "the same"
            words = set(re.findall(r"\w+", re.sub(r"`[^`]+`", "", cell)))
            yield requests, set() if "not" in words else words & STATES, row

    def paths(self) -> dict[str, str]:
        """Return the paths of all endpoints below /api/v1/, by their names."""
        resolver: Any = next(
            one for one in get_resolver().url_patterns if getattr(one, "namespace", "") == "api"
        )
        found: dict[str, str] = {}
        patterns = list(resolver.url_patterns)
        while patterns:
            pattern = patterns.pop()
            patterns += getattr(pattern, "url_patterns", [])
            if not hasattr(pattern, "url_patterns"):
                route = str(pattern.pattern).replace("<uuid:pk>", "{id}")
                found[pattern.name] = route.replace("<uuid:article_id>", "{article_id}")
        return found

    @pytest.mark.parametrize(
        ("name", "method", "state"),
        [(*endpoint, state) for endpoint, states in ENDPOINTS.items() for state in states],
    )
    def test_row_is_true(self, name: str, method: str, state: str) -> None:
        request = f"{method.upper()} /{self.paths()[name]}"
        wanted = {state} & STATES
        found = [row for requests, states, row in self.rows() if request in requests
                 and (wanted <= states if wanted else not states)]  # fmt: skip
        assert len(found) == 1, request

        for kind, status in zip(KINDS, ENDPOINTS[name, method][state], strict=False):
            cell = found[0][COLUMNS[kind]]
            if cell == "yes":  # a sign-in without a body is 400 to everyone
                assert status < (401 if name.startswith("app-") else 400), kind
            else:
                assert status == (403 if cell == "proof" else int(cell)), kind

    def test_rows_are_of_requests(self) -> None:
        known = {f"{method.upper()} /{self.paths()[name]}" for name, method in ENDPOINTS}
        assert {request for requests, _, _ in self.rows() for request in requests} == known

    def test_scopes(self) -> None:
        text = (ROOT / "docs/openapi.yaml").read_text(encoding="utf-8")
        schema = yaml.safe_load(text)["paths"]
        for requests, _, row in self.rows():
            for request in requests:
                method, route = request.split()
                operation = schema.get(f"/api/v1{route}", {}).get(method.lower(), {})
                ways = operation.get("security", [])
                scopes = [scope for way in ways for scope in way.get("accessToken", [])]
                assert row["Scope of a token"].strip("`") == ", ".join(scopes), request


@pytest.mark.django_db(transaction=True)
def test_request_is_sent_again_as_it_is_printed(live_server: LiveServer, tmp_path: Path) -> None:
    [commands] = blocks(CONVENTIONS, "sh")
    told = run(commands, tmp_path, TOKEN=make_token()[1], SITE=live_server.url)

    first, second = told.splitlines()
    assert f"prints `{first.strip()}` and then `{second}`" in CONVENTIONS
    assert Article.objects.get().title == "Once"


@pytest.mark.django_db
def test_bulk_request_has_the_results_that_are_printed() -> None:
    author = make_user()
    client = APIClient()
    client.force_login(author)
    sent, printed = (json.loads(block) for block in blocks(CONVENTIONS, "json"))
    changed, deleted = make_article(author), make_article(author)
    sent["operations"][1]["id"] = str(changed.pk)  # with the ETag of before
    sent["operations"][2]["id"] = str(deleted.pk)
    sent["operations"][2]["if_match"] = client.get(f"{LIST}{deleted.pk}/")["ETag"]

    results = client.post(f"{LIST}bulk/", sent).json()["results"]

    expected = printed["results"]
    assert [result["status"] for result in results] == [result["status"] for result in expected]
    for result, example in zip(results, expected, strict=True):
        assert result.keys() == example.keys()
        for member in ("body", "problem"):
            assert example.get(member, {}).keys() <= result.get(member, {}).keys()
    assert results[1]["problem"]["code"] == expected[1]["problem"]["code"]


def test_limits_are_those_of_the_settings() -> None:
    rows = table(CONVENTIONS, "## Limits")
    names = ["of a person, with all tokens", "of each token", "of a network, not signed in"]
    printed = {
        row["Requests per minute"].split("`")[1]: [int(row[name]) for name in names] for row in rows
    }
    factor = settings.API_RATE_FACTOR
    assert printed == {
        scope: [limits[kind] // factor for kind in ("person", "token", "address")]
        for scope, limits in settings.API_RATES.items()
    }


@pytest.mark.django_db
def test_printed_limits_are_those_of_an_answer() -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token()[1]}")

    answer = client.get(LIST)

    [printed] = [block for block in blocks(CONVENTIONS, "text") if "RateLimit-Policy" in block]
    headers = dict(line.split(": ", 1) for line in printed.splitlines())
    assert answer["RateLimit-Policy"] == headers["RateLimit-Policy"]
    form = re.compile(r"(?<=[rt]=)\d+")
    assert form.sub("", answer["RateLimit"]) == form.sub("", headers["RateLimit"])


class TestApps:
    @pytest.mark.django_db(transaction=True)
    def test_session_runs_as_it_is_printed(self, live_server: LiveServer, tmp_path: Path) -> None:
        make_member("ada@example.org", password=PASSWORD)
        [commands] = blocks(APPS, "sh")

        told = run(commands, tmp_path, SITE=live_server.url, PASSWORD=PASSWORD)

        assert told == blocks(APPS, "text")[0]

    @pytest.mark.django_db
    def test_printed_tokens_are_those_of_an_answer(self) -> None:
        make_member("ada@example.org", password=PASSWORD)
        body = {"email": "ada@example.org", "password": PASSWORD}

        tokens = APIClient().post("/api/v1/auth/session/", body).json()

        [printed] = [json.loads(block) for block in blocks(APPS, "json")]
        assert tokens.keys() == printed.keys()
        assert tokens["expires_in"] == printed["expires_in"]

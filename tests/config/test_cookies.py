"""In development, cookie names carry the port: browsers send cookies to every port of a host.

The kind: state of two checkouts on one host. The second one's sign-in ended the first one's.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from pytest_django.fixtures import Settings

from config import env
from dovetail.http.messages import NamedCookieStorage
from tests.apps.users.conftest import PASSWORD, add_totp, totp_code
from tests.config.test_headers import cookie_faults
from tests.config.test_settings import MORE, PRODUCTION
from tests.factories import make_user
from tests.processes import bare_environment

COOKIES = """
import django; django.setup()
import json
from django.conf import settings
values = {name: getattr(settings, name) for name in dir(settings) if "_COOKIE_" in name}
print(json.dumps(values, default=lambda value: value.total_seconds()))
"""
NAMES = """
import django; django.setup()
import json
from django.conf import settings
from django.contrib.messages.storage import default_storage
from django.http import HttpRequest
names = {name: getattr(settings, name) for name in dir(settings) if name.endswith("COOKIE_NAME")}
request = HttpRequest()
request.session = {}
names["messages"] = default_storage(request).storages[0].cookie_name
print(json.dumps(names))
"""


def cookie_names(module: str, **environment: str) -> dict[str, str]:
    names: dict[str, str] = printed_by(NAMES, module, **environment)
    return names


def printed_by(code: str, module: str, **environment: str) -> Any:
    fixed = {"PYTHONPATH": "project", "DJANGO_SETTINGS_MODULE": module, "ENV_FILE": os.devnull}
    environment = bare_environment() | fixed | environment
    output = subprocess.check_output(
        [sys.executable, "-c", code], cwd=env.BASE_DIR, env=environment, text=True
    )
    return json.loads(output)


@pytest.mark.parametrize("by", [pytest.param("PORT", marks=MORE), "up.json"])
def test_every_cookie_of_development_is_named_after_the_port(tmp_path: Path, by: str) -> None:
    """`up --port N` hands PORT to its processes, and to other commands by its up.json."""
    if by == "up.json":
        (tmp_path / "up.json").write_text(json.dumps({"environment": {"PORT": "8123"}}))
        names = cookie_names("config.settings.dev", DATA_DIR=str(tmp_path))
    else:
        names = cookie_names("config.settings.dev", DATA_DIR=str(tmp_path), PORT="8123")
    assert len(names) >= 7
    assert {name: cookie for name, cookie in names.items() if not cookie.endswith("_8123")} == {}
    assert len(set(names.values())) == len(names) - 1  # messages is there twice


def test_every_cookie_of_production_belongs_to_its_host() -> None:
    """Kind: a cookie that a neighboring subdomain, or plain HTTP, can set for this site."""
    names = cookie_names("config.settings.production", **PRODUCTION)

    assert len(names) >= 7
    assert {name: cookie for name, cookie in names.items() if cookie[:7] != "__Host-"} == {}


@pytest.mark.django_db
def test_cookies_that_production_sets(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    """Every cookie of every step of a sign-in, and of a sign-out, with a second factor.

    `test_web_rules` looks at those that other pages set.
    """
    production = printed_by(COOKIES, "config.settings.production", **PRODUCTION)
    for name, value in production.items():
        setattr(settings, name, value)
    monkeypatch.setattr(NamedCookieStorage, "cookie_name", production["MESSAGE_COOKIE_NAME"])
    client.defaults["wsgi.url_scheme"] = "https"
    user = make_user("ada@example.org", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    add_totp(user)

    answers = [
        client.get("/accounts/login/"),
        client.post("/accounts/login/", {"login": user.email, "password": PASSWORD}),
        client.post("/accounts/2fa/authenticate/", {"code": totp_code()}),
        client.post("/accounts/2fa/trust/", {"action": "trust"}),
        client.post("/accounts/logout/"),
    ]

    cookies = {name: cookie for answer in answers for name, cookie in answer.cookies.items()}
    words = {"sessionid", "csrftoken", "messages", "device", "mfa_trusted"}
    assert cookies.keys() == {f"__Host-{word}" for word in words}
    for name, cookie in cookies.items():
        assert cookie_faults(name, cookie, production["CSRF_COOKIE_NAME"]) == [], name
        assert cookie["secure"] or not cookie.value, name  # or it is deleted, which needs no more
    # The other two are set by scripts and by Django's page for languages.
    assert production["THEME_COOKIE_NAME"] == "__Host-theme"
    assert production["LANGUAGE_COOKIE_NAME"] == "__Host-language"
    assert production["LANGUAGE_COOKIE_SECURE"]
    assert production["LANGUAGE_COOKIE_HTTPONLY"]


def test_no_cookie_is_written_by_a_fixed_name() -> None:
    """A cookie that code names itself would be shared by all ports."""
    fixed = re.compile(
        r"""set_cookie\(\s*["']|COOKIES(\.get\(|\[)\s*["']|document\.cookie = [`"']\w"""
    )
    sources = [
        *(env.BASE_DIR / "project").rglob("*.py"),
        *(path for path in (env.BASE_DIR / "frontend" / "src").rglob("*.ts")),
    ]
    found = [
        str(path.relative_to(env.BASE_DIR))
        for path in sources
        if ".test." not in path.name and fixed.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []

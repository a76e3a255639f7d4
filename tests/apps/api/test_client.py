"""The TypeScript client, generated from docs/openapi.yaml, against the running app."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from tests.factories import make_article, make_token, make_user
from tests.frontend import build_frontend, locked_frontend
from tests.repository import ROOT

SUITE = "src/js/api/client.test.ts"


@pytest.mark.skipif(not shutil.which("uv"), reason="needs uv, which runs bin/npm")
@pytest.mark.django_db(transaction=True)
def test_client_works_against_the_app(live_server: LiveServer, tmp_path: Path) -> None:
    author = make_user("ada@example.org", display_name="Ada Lovelace")
    for title in ("On joints", "On pegs"):
        make_article(author, title=title)
    browser = Client()
    browser.force_login(author)
    page = browser.get("/articles/new/")
    cookies = {name: cookie.value for name, cookie in browser.cookies.items()}
    environment = {
        "API_URL": live_server.url,
        "API_TOKEN": make_token(author, ["articles:read", "articles:write"])[1],
        "API_COOKIE": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "API_CSRF": str(page.context["csrf_token"]),
        "DATA_DIR": str(settings.DATA_DIR),
    }

    build_frontend(tmp_path)  # in a fresh clone, it may not be installed yet
    with locked_frontend():
        result = subprocess.run(
            ["bin/npm", "test", "--", "--reporter=verbose", SUITE],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    told = result.stdout + result.stderr
    assert result.returncode == 0, told
    assert "skipped" not in told, told

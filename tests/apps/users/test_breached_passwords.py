"""Breached passwords are rejected, checked against a server that speaks the range protocol.

The server is on this machine. django-pwned has no setting for its address, so a test changes the
constant in its module.
"""

import hashlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django_pwned import api
from pytest_django.fixtures import Settings

from apps.users.validators import BreachedPasswordValidator
from config import env

BREACHED = "a-leaked-mortise-41"
UNKNOWN = "an-unheard-of-tenon-42"
NAME = "apps.users.validators.BreachedPasswordValidator"


def sha1(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


class Ranges(BaseHTTPRequestHandler):
    """Answers as Pwned Passwords does: `SUFFIX:COUNT` lines that end in CRLF, with padding."""

    def do_GET(self) -> None:
        service: Service = self.server  # type: ignore[assignment]
        service.paths.append(self.path)
        prefix = self.path.removeprefix("/range/")
        lines = [f"{'0' * 34}A:3", f"{sha1(UNKNOWN)[5:]}:0"]  # entries with 0 are padding
        if sha1(BREACHED).startswith(prefix):
            lines.append(f"{sha1(BREACHED)[5:]}:1234")
        body = "\r\n".join(lines) if service.body is None else service.body
        self.send_response(service.status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Print nothing."""


class Service(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Ranges)
        self.paths: list[str] = []
        self.status = 200
        self.body: str | None = None


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/range/{{}}"
        monkeypatch.setattr(api, "API_ENDPOINT", url)
        yield server
        server.shutdown()
        thread.join()


def test_breached_password_is_rejected(service: Service) -> None:
    with pytest.raises(ValidationError, match="has appeared in a data breach"):
        BreachedPasswordValidator().validate(BREACHED)

    assert service.paths == [f"/range/{sha1(BREACHED)[:5]}"]


def test_unknown_password_is_accepted(service: Service) -> None:
    """The service pads its answers with entries whose count is 0."""
    BreachedPasswordValidator().validate(UNKNOWN)

    assert service.paths == [f"/range/{sha1(UNKNOWN)[:5]}"]


@pytest.mark.parametrize(
    ("status", "body"),
    [(503, ""), (429, ""), (200, "<h1>Sign in to the network</h1>"), (200, "A:b")],
)
def test_password_is_accepted_if_the_answer_is_unusable(
    service: Service, caplog: pytest.LogCaptureFixture, status: int, body: str
) -> None:
    """Kind: another service's fault that becomes an error page, or keeps people out."""
    service.status, service.body = status, body

    BreachedPasswordValidator().validate(BREACHED)

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message.startswith("A password was accepted without looking it up")
    assert sha1(BREACHED)[:5] not in record.message
    assert BREACHED not in record.message


@pytest.mark.parametrize("fault", ["refuses", "hangs"])
@pytest.mark.timeout(60)
def test_password_is_accepted_if_the_service_is_away(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if fault == "hangs":
            listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/range/{{}}"
        monkeypatch.setattr(api, "API_ENDPOINT", url)

        BreachedPasswordValidator(timeout=0.1).validate(BREACHED)

    assert [record.name for record in caplog.records] == ["apps.users.validators"]


@pytest.mark.django_db
def test_breached_password_is_rejected_at_sign_up(
    client: Client, service: Service, settings: Settings
) -> None:
    settings.AUTH_PASSWORD_VALIDATORS = [*settings.AUTH_PASSWORD_VALIDATORS, {"NAME": NAME}]
    data = {"email": "eve@example.org", "password1": BREACHED, "password2": BREACHED}

    page = client.post("/accounts/signup/", data)

    assert "has appeared in a data breach" in page.text
    answer = client.post("/accounts/signup/", data | {"password1": UNKNOWN, "password2": UNKNOWN})
    assert answer["Location"] == "/accounts/signup/confirm/"
    assert len(service.paths) == 2


@pytest.mark.parametrize(("value", "used"), [("true", True), ("", False)])
def test_network_is_asked_only_if_the_setting_says_so(value: str, *, used: bool) -> None:
    code = (
        "import json; from config.settings.dev import AUTH_PASSWORD_VALIDATORS as all;"
        "print(json.dumps([one['NAME'] for one in all]))"
    )
    environment = {"PYTHONPATH": "project", "ENV_FILE": os.devnull, "PWNED_PASSWORDS": value}

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=env.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert (NAME in json.loads(done.stdout)) is used

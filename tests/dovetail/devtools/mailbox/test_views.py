from pathlib import Path

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection
from django.test import Client
from pytest_django import Settings

from dovetail.devtools.mailbox import messages

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_debug(settings: Settings, tmp_path: Path) -> None:
    settings.DEBUG = True
    settings.MAIL_DIR = tmp_path / "mail"


def catch(subject: str = "Welcome", html: str = "<p>Hello <b>there</b></p>") -> str:
    mail = EmailMultiAlternatives(
        subject, "Open https://example.org/?a=1&b=2 now", "me@example.org", ["ada@example.org"]
    )
    mail.attach_alternative(html, "text/html")
    mail.attach("<notes>.txt", "1234", "text/plain")
    get_connection("dovetail.devtools.mailbox.backend.EmailBackend").send_messages([mail])
    return messages.all_keys()[0]


def test_empty_mailbox_shows_empty_state(client: Client) -> None:
    response = client.get("/dev/mailbox/")
    assert "No email yet" in response.text


def test_list_shows_newest_first(client: Client) -> None:
    catch("Older")
    catch("Newer")
    page = client.get("/dev/mailbox/").text
    assert page.index("Newer") < page.index("Older")
    assert "To ada@example.org" in page


def test_long_list_is_paginated(client: Client) -> None:
    for number in range(51):
        messages.save(f"Subject: Number {number}\n\n".encode())
    assert "Page 1 of 2" in client.get("/dev/mailbox/").text
    assert "Number 0<" in client.get("/dev/mailbox/?page=2").text


def test_message_shows_text_with_links_headers_and_attachments(client: Client) -> None:
    page = client.get(f"/dev/mailbox/{catch()}/").text
    assert 'href="https://example.org/?a=1&amp;b=2"' in page
    assert "X-Envelope-To" in page
    assert "&lt;notes&gt;.txt" in page
    assert "text/plain, 4\xa0bytes" in page


def test_html_body_is_shown_in_a_sandboxed_frame(client: Client) -> None:
    key = catch(html="<script>alert(1)</script><p>Hello</p>")
    page = client.get(f"/dev/mailbox/{key}/").text
    assert f'<iframe sandbox src="/dev/mailbox/{key}/html/"' in page
    assert "alert(1)" not in page

    body = client.get(f"/dev/mailbox/{key}/html/")
    assert "<p>Hello</p>" in body.text
    assert body["Content-Security-Policy"] == (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    )
    assert body["X-Frame-Options"] == "SAMEORIGIN"


def test_mailbox_can_be_emptied(client: Client) -> None:
    catch()
    response = client.post("/dev/mailbox/emptying/", follow=True)
    assert response.redirect_chain == [("/dev/mailbox/", 303)]
    assert "Deleted 1 message." in response.text
    assert messages.all_keys() == []


def test_emptying_requires_post(client: Client) -> None:
    catch()
    assert client.get("/dev/mailbox/emptying/").status_code == 405
    assert len(messages.all_keys()) == 1


@pytest.mark.parametrize("key", ["1700000000000000000-00000000", "nonsense"])
def test_missing_message_is_404(client: Client, key: str) -> None:
    assert client.get(f"/dev/mailbox/{key}/").status_code == 404
    assert client.get(f"/dev/mailbox/{key}/html/").status_code == 404


def test_mailbox_is_404_without_debug(client: Client, settings: Settings) -> None:
    key = catch()
    settings.DEBUG = False
    for path in ("", f"{key}/", f"{key}/html/"):
        assert client.get(f"/dev/mailbox/{path}").status_code == 404
    assert client.post("/dev/mailbox/emptying/").status_code == 404
    assert messages.all_keys() == [key]

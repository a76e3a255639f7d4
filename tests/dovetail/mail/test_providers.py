"""Mail through a provider's API: what is sent, what is tried again, and what is recorded."""

import json
import os
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import pytest
from anymail.signals import post_send
from celery.exceptions import Retry
from django.core.mail import EmailMultiAlternatives
from pytest_django.fixtures import Settings

from dovetail.mail.errors import MailRefusedError, MailUnavailableError, MailUnconfirmedError
from dovetail.mail.payload import as_payload
from dovetail.mail.tasks import deliver_mail
from dovetail.mail.transport import send
from dovetail.tasks.models import TaskFailure
from tests.dovetail.mail import provider, smtp_server
from tests.dovetail.mail.certificate import self_signed
from tests.dovetail.mail.provider import INACTIVE, MAILGUN, POSTMARK, REFUSED, SES, serve
from tests.dovetail.mail.retried import retried

pytestmark = pytest.mark.django_db
ONE = UUID(int=1)
UNREADABLE: list[Any] = [b"", b'{"To": "a', None, [], {"x": 1}]


def message() -> EmailMultiAlternatives:
    email = EmailMultiAlternatives(
        "Grüße", "Hello", "Site <us@site.example>", ["ada@example.org"], headers={"X-Kind": "test"}
    )
    email.attach_alternative("<p>Hello</p>", "text/html")
    return email


def use(settings: Settings, name: str, api: provider.Provider, *, timeout: float = 10) -> None:
    settings.MAIL_TRANSPORT = f"anymail.backends.{name}.EmailBackend"
    settings.ANYMAIL = {
        "REQUESTS_TIMEOUT": timeout,
        "POSTMARK_SERVER_TOKEN": "token",
        "POSTMARK_API_URL": api.url,
        "MAILGUN_API_KEY": "key",
        "MAILGUN_API_URL": f"{api.url}v3",
        "MANDRILL_API_KEY": "key",
        "MANDRILL_API_URL": api.url,
        "POSTAL_API_KEY": "key",
        "POSTAL_API_URL": api.url,
        "SPARKPOST_API_KEY": "key",
        "SPARKPOST_API_URL": api.url,
        "AMAZON_SES_CLIENT_PARAMS": {
            "region_name": "eu-central-1",
            "aws_access_key_id": "key",
            "aws_secret_access_key": "secret",
            "endpoint_url": api.url,
            "config": {"read_timeout": timeout, "retries": {"total_max_attempts": 1}},
        },
    }


def test_postmark_gets_the_message(settings: Settings) -> None:
    with serve((200, POSTMARK)) as api:
        use(settings, "postmark", api)
        send(message())

    (request,) = api.requests
    sent = json.loads(request.body)
    assert request.headers["X-Postmark-Server-Token"] == "token"
    assert (sent["Subject"], sent["To"]) == ("Grüße", "ada@example.org")
    assert (sent["TextBody"], sent["HtmlBody"]) == ("Hello", "<p>Hello</p>")
    assert {"Name": "X-Kind", "Value": "test"} in sent["Headers"]


def test_mailgun_gets_the_message(settings: Settings) -> None:
    with serve((200, MAILGUN)) as api:
        use(settings, "mailgun", api)
        send(message())

    (request,) = api.requests
    sent = parse_qs(request.body.decode())
    assert request.path == "/v3/site.example/messages"
    assert sent["subject"] == ["Grüße"]
    assert sent["h:X-Kind"] == ["test"]


def test_amazon_ses_gets_the_message(settings: Settings) -> None:
    with serve((200, SES)) as api:
        use(settings, "amazon_ses", api)
        send(message())

    (request,) = api.requests
    assert request.path == "/v2/email/outbound-emails"
    assert request.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=key/")


@pytest.mark.parametrize(
    ("name", "status", "answer"),
    [
        ("postmark", 429, {"ErrorCode": 429, "Message": "Rate limit exceeded"}),
        ("postmark", 500, {"ErrorCode": 500, "Message": "Internal server error"}),
        ("mailgun", 503, {"message": "Try later"}),
        ("amazon_ses", 400, {"__type": "ThrottlingException", "message": "Too fast"}),
        ("amazon_ses", 429, {"__type": "TooManyRequestsException", "message": "Too fast"}),
    ],
)
def test_what_passes_is_tried_again(
    settings: Settings, name: str, status: int, answer: Any
) -> None:
    with serve((status, answer)) as api:
        use(settings, name, api)
        with pytest.raises(MailUnavailableError):
            send(message())


@pytest.mark.parametrize(
    ("name", "status", "answer"),
    [
        ("postmark", 422, REFUSED),
        ("postmark", 422, INACTIVE),
        ("postal", 200, {"status": "error", "data": {"code": "NoRecipients"}}),
        ("postmark", 401, {"ErrorCode": 10, "Message": "No such token"}),
        ("mailgun", 400, {"message": "to parameter is not a valid address"}),
        ("amazon_ses", 400, {"__type": "MessageRejected", "message": "Not verified"}),
    ],
)
def test_what_is_refused_is_not(settings: Settings, name: str, status: int, answer: Any) -> None:
    """Kind: anymail's errors are an `OSError` each, for which the task would try again."""
    with serve((status, answer)) as api:
        use(settings, name, api)
        with pytest.raises(MailRefusedError):
            send(message())


@pytest.mark.parametrize(
    ("name", "status", "answer"),
    [
        ("postmark", 0, None),
        ("postmark", -1, None),
        ("mailgun", 504, {"message": "Gateway timeout"}),
        *[("postmark", status, b"<html>") for status in (200, 408, 502, 520, 522, 524)],
        *[("postmark", 200, answer) for answer in UNREADABLE],
        ("postmark", 200, b"[" * 99_999),
        ("mailgun", 200, {}),
        ("mandrill", 200, []),
        ("postal", 200, [1]),
        ("postal", 200, {"status": "success"}),
        ("sparkpost", 200, {"results": {}}),
        ("amazon_ses", 200, b"<html>"),
        ("amazon_ses", 0, None),
        ("amazon_ses", -1, None),
        ("amazon_ses", 504, {"message": "Gateway timeout"}),
        ("amazon_ses", 200, {}),
    ],
)
def test_what_is_not_confirmed_may_have_arrived(
    settings: Settings, name: str, status: int, answer: Any
) -> None:
    with serve((status, answer)) as api:
        use(settings, name, api, timeout=0.2)
        with pytest.raises(MailUnconfirmedError, match="may have arrived"):
            send(message())

    assert len(api.requests) == 1


@pytest.mark.parametrize("name", ["postmark", "amazon_ses"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_was_not_sent_has_not_arrived(settings: Settings, name: str, scheme: str) -> None:
    """Nobody listens, or not to TLS."""
    with serve((200, POSTMARK)) as api:
        if scheme == "https":
            api.url = api.url.replace("http:", "https:")
            use(settings, name, api)
            with pytest.raises(MailUnavailableError):
                send(message())
    if scheme == "http":
        use(settings, name, api)
        with pytest.raises(MailUnavailableError):
            send(message())

    assert api.requests == []


@pytest.mark.parametrize("name", ["postmark", "amazon_ses"])
def test_certificate_that_is_refused_has_stopped_the_message(
    settings: Settings, name: str, tmp_path: Path
) -> None:
    certificate = tmp_path / "server.pem"
    certificate.write_bytes(self_signed())
    with smtp_server.serve(smtp_server.Server(), str(certificate)) as server:
        use(settings, name, provider.Provider(f"https://localhost:{server.port}/", []))
        with pytest.raises(MailUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            send(message())


def test_tls_that_fails_after_the_message_leaves_it_unconfirmed(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind: an error that is the same before and after, and of which only one is harmless."""
    certificate = tmp_path / "server.pem"
    certificate.write_bytes(self_signed())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def break_after_the_request() -> None:
            raw, _ = listener.accept()
            with context.wrap_socket(raw, server_side=True) as secure:
                head, _, body = secure.recv(65_536).partition(b"\r\n\r\n")
                missing = int(head.lower().partition(b"content-length: ")[2].split()[0]) - len(body)
                while missing > 0:  # a socket that is closed with unread data is reset
                    missing -= len(secure.recv(65_536))
                os.write(secure.fileno(), b"\x17\x03\x03\x00\x20" + b"x" * 32)

        broken = pool.submit(break_after_the_request)
        port = listener.getsockname()[1]
        use(settings, "postmark", provider.Provider(f"https://localhost:{port}/", []))
        with pytest.raises(MailUnconfirmedError, match="SSLError"):
            send(message())
        broken.result(30)


def test_answer_that_cannot_be_unpacked_leaves_it_unconfirmed(settings: Settings) -> None:
    with serve((200, POSTMARK)) as api:
        api.headers = {"Content-Encoding": "gzip"}
        use(settings, "postmark", api)
        with pytest.raises(MailUnconfirmedError, match="ContentDecodingError"):
            send(message())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["/elsewhere", ""])
def test_redirect_is_refused_and_names_the_setting(
    settings: Settings, status: int, target: str
) -> None:
    """Kind: a message that is sent thirty times in a circle, or gets lost as a GET."""
    with serve((status, {})) as api:
        api.headers = {"Location": target} if target else {}
        use(settings, "postmark", api)
        with pytest.raises(MailRefusedError, match=rf"{target or 'nowhere'}, .*POSTMARK_API_URL"):
            send(message())

    assert len(api.requests) == 1


def test_url_that_is_none_is_refused(settings: Settings) -> None:
    use(settings, "postmark", provider.Provider("htp://api.example/", []))

    with pytest.raises(MailRefusedError, match="Invalid URL"):
        send(message())


MANDRILL = [
    {"email": "ada@example.org", "status": "sent", "_id": "1"},
    {"email": "bob@example.org", "status": "rejected", "reject_reason": "hard-bounce", "_id": "2"},
]
SOME_INACTIVE = {
    "To": "ada@example.org, bob@example.org",
    "MessageID": "b7",
    "ErrorCode": 0,
    "Message": "Message OK, but will not deliver to these inactive addresses: bob@example.org. "
    "Inactive recipients are ones that have generated a hard bounce or a spam complaint.",
}


@pytest.mark.parametrize(
    ("name", "answer", "again"),
    [("mandrill", MANDRILL, [MANDRILL[1]]), ("postmark", SOME_INACTIVE, INACTIVE)],
)
def test_recipient_whom_the_provider_refuses_is_recorded(
    settings: Settings, name: str, answer: Any, again: Any
) -> None:
    """Kind: mail that is lost for some, since it was sent to others."""
    email = message()
    email.to = ["Ada <ada@example.org>", "Bob <Bob@example.org>"]
    with serve((200, answer), (200, again)) as api:
        use(settings, name, api)
        for _ in range(2):
            deliver_mail.apply((as_payload(email),), task_id=str(ONE), throw=True)
        failure = TaskFailure.objects.get()
        assert len(api.requests) == 1
        (payload,), _ = json.loads(failure.arguments)
        deliver_mail.apply((payload,), task_id=failure.task_id, throw=False)

    assert failure.error.casefold().startswith("mailrefusederror: refused: bob@example.org")
    assert b"ada@example.org" not in api.requests[1].body.lower()
    assert b"bob@example.org" in api.requests[1].body.lower()


def test_provider_that_does_not_say_whom_it_refused_has_all_recorded(settings: Settings) -> None:
    results = {"total_rejected_recipients": 1, "total_accepted_recipients": 1, "id": "1"}
    email = message()
    email.to = ["ada@example.org", "bob@example.org"]
    with serve((200, {"results": results})) as api:
        use(settings, "sparkpost", api)
        deliver_mail.apply((as_payload(email),), task_id=str(ONE), throw=True)

    error = TaskFailure.objects.get().error
    assert "ada@example.org (perhaps: 1 of 2 were, and it is not said which)" in error
    assert "bob@example.org" in error


def test_mail_is_not_sent_again_because_a_receiver_of_post_send_fails(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: Any) -> None:
        raise OSError("of the project")

    post_send.connect(fail)
    try:
        with serve((200, POSTMARK)) as api:
            use(settings, "postmark", api)
            send(message())
    finally:
        post_send.disconnect(fail)

    assert len(api.requests) == 1
    assert "Mail was sent, and a receiver of post_send failed" in caplog.text


def test_attempts_have_one_message_id(settings: Settings) -> None:
    with serve((0, None), (200, POSTMARK)) as api:
        use(settings, "postmark", api)
        with pytest.raises(Retry) as first:
            deliver_mail.apply((as_payload(message()),), task_id="one")
        deliver_mail.apply(retried(first.value), task_id="one")

    ids = [
        header["Value"]
        for request in api.requests
        for header in json.loads(request.body)["Headers"]
        if header["Name"] == "Message-ID"
    ]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_provider_that_refuses_a_message_id_gets_none(settings: Settings) -> None:
    """Kind: a header for which all mail is refused."""
    with serve((202, {})) as api:
        settings.MAIL_TRANSPORT = "anymail.backends.mailersend.EmailBackend"
        settings.ANYMAIL = {"MAILERSEND_API_TOKEN": "token", "MAILERSEND_API_URL": api.url}
        email = message()
        email.extra_headers = {}
        with suppress(
            MailUnconfirmedError, MailRefusedError
        ):  # for the answer lacks what anymail reads
            send(email, "<one@site.example>")

    assert "headers" not in json.loads(api.requests[0].body)


def test_task_sends_again_what_the_provider_could_not_take(settings: Settings) -> None:
    payload = as_payload(message())
    with serve((429, {"ErrorCode": 429, "Message": "Slow down"}), (200, POSTMARK)) as api:
        use(settings, "postmark", api)
        with pytest.raises(Retry):
            deliver_mail.apply((payload,), task_id="one")
        for _ in range(2):
            deliver_mail.apply((payload,), task_id="one")

    assert len(api.requests) == 2
    assert not TaskFailure.objects.exists()


def test_refusal_is_recorded_without_another_attempt(settings: Settings) -> None:
    with serve((422, REFUSED)) as api:
        use(settings, "postmark", api)
        deliver_mail.apply((as_payload(message()),), task_id="one", throw=False)

    assert len(api.requests) == 1
    failure = TaskFailure.objects.get()
    assert failure.task == "dovetail.mail.tasks.deliver_mail"
    assert "MailRefusedError" in failure.error
    assert failure.arguments

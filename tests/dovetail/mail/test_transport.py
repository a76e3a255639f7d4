"""Mail through a provider's API: what is sent, what is tried again, and what is recorded."""

import json
from contextlib import suppress
from smtplib import SMTPDataError, SMTPRecipientsRefused
from typing import Any
from urllib.parse import parse_qs

import pytest
from celery.exceptions import Retry
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.locmem import EmailBackend
from pytest_django.fixtures import Settings

from dovetail.mail.errors import MailRefusedError, MailUnavailableError, MailUnconfirmedError
from dovetail.mail.payload import as_payload
from dovetail.mail.tasks import deliver_mail
from dovetail.mail.transport import send
from dovetail.tasks.models import TaskFailure
from tests.dovetail.mail import provider
from tests.dovetail.mail.provider import INACTIVE, MAILGUN, POSTMARK, REFUSED, SES, serve
from tests.dovetail.mail.retried import retried

pytestmark = pytest.mark.django_db


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
        with suppress(MailRefusedError):  # for the answer lacks what anymail reads
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


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SMTPRecipientsRefused({"ada@example.org": (550, b"No such user")}), MailRefusedError),
        (SMTPRecipientsRefused({"ada@example.org": (450, b"Busy")}), SMTPRecipientsRefused),
        (SMTPDataError(554, b"Spam"), MailRefusedError),
        (SMTPDataError(451, b"Try again"), SMTPDataError),
    ],
)
def test_smtp_servers_answers_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[Exception]
) -> None:
    def refuse(*_: Any) -> int:
        raise error

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    with pytest.raises(expected):
        send(message())

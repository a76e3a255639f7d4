from email.mime.text import MIMEText
from typing import Any

import pytest
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from dovetail.mail.backend import QueueBackend
from dovetail.mail.payload import as_payload, from_payload
from dovetail.tasks import outbox
from tests.queueing import queue_tasks

pytestmark = pytest.mark.django_db


def message() -> EmailMultiAlternatives:
    email = EmailMultiAlternatives(
        "Grüße",
        "Hello",
        "us@example.org",
        ["you@example.org"],
        bcc=["boss@example.org"],
        reply_to=["help@example.org"],
        headers={"X-Kind": "greeting"},
    )
    email.attach_alternative("<p>Hello</p>", "text/html")
    email.attach("photo.png", b"\x89PNG", "image/png")
    email.attach("note.txt", "ä", "text/plain")
    return email


def test_message_is_unchanged_by_the_queue() -> None:
    sent: Any = from_payload(as_payload(message())).message()
    expected: Any = message().message()

    for part in (sent, expected):
        part.set_boundary("same")
        part.get_payload()[0].set_boundary("inner")
        for header in ("Message-ID", "Date"):
            del part[header]
    assert sent.as_string() == expected.as_string()


def test_message_is_sent_after_the_commit(
    mailoutbox: list[EmailMessage],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert QueueBackend().send_messages([message()]) == 1
        assert mailoutbox == []

    assert [sent.subject for sent in mailoutbox] == ["Grüße"]


def test_message_is_not_sent_after_a_rollback(
    mailoutbox: list[EmailMessage],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        QueueBackend().send_messages([message()])
        transaction.set_rollback(True)

    assert mailoutbox == []


@pytest.mark.django_db(transaction=True)
def test_message_waits_while_the_broker_is_unavailable(
    mailoutbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        queue_tasks(patch, "redis://127.0.0.1:9/0")
        QueueBackend().send_messages([message()])
    assert mailoutbox == []

    outbox.drain()

    assert [sent.subject for sent in mailoutbox] == ["Grüße"]


def test_message_without_recipients_is_not_queued() -> None:
    assert QueueBackend().send_messages([EmailMessage("Hello", "", "us@example.org", [])]) == 0


def test_mime_part_as_attachment_is_rejected() -> None:
    email = message()
    email.attach(MIMEText("note"))

    with pytest.raises(TypeError, match="Attach a file with"):
        as_payload(email)

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from email import message_from_bytes
from email.charset import Charset
from email.mime.text import MIMEText
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import pytest
from anymail.backends.base import BasePayload
from anymail.message import AnymailMessage
from celery.exceptions import Retry
from django.core import mail
from django.core.mail import BadHeaderError, EmailMessage, EmailMultiAlternatives
from django.db import transaction
from django.utils.translation import gettext_lazy
from kombu.serialization import dumps, loads
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from dovetail.devtools.mailbox import backend as mailbox
from dovetail.mail.backend import QueueBackend
from dovetail.mail.payload import MAKING, as_payload, from_payload
from dovetail.mail.tasks import deliver_mail
from dovetail.tasks import outbox
from tests.dovetail.mail.retried import retried
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


def through_the_outbox(email: EmailMessage) -> EmailMultiAlternatives:
    """Return what the task gets."""
    kind, encoding, text = dumps(as_payload(email), serializer="json")
    return from_payload(loads(text, kind, encoding))


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


def test_message_id_is_made_when_it_is_queued(settings: Settings, tmp_path: Path) -> None:
    settings.MAIL_TRANSPORT, settings.MAIL_DIR = f"{mailbox.__name__}.EmailBackend", tmp_path
    payload = as_payload(message())
    for attempt in ("one", "two"):
        deliver_mail.apply((payload,), task_id=attempt)

    caught = [message_from_bytes(path.read_bytes()) for path in tmp_path.glob("*.eml")]
    assert [email["Message-ID"] for email in caught] == [payload["message_id"]] * 2
    assert as_payload(message())["message_id"] != payload["message_id"]


def test_message_id_of_the_sender_stays() -> None:
    email = message()
    email.extra_headers["message-ID"] = "<mine@example.org>"

    assert as_payload(email)["message_id"] == ""


SET = {
    "tags": ["receipt", gettext_lazy("Yes")],
    "metadata": {"order": 17, "total": Decimal("9.90")},
    "esp_extra": {"MessageStream": "broadcast", "nested": {"a": [1, None, b"raw"]}},
    "track_opens": False,
    "track_clicks": True,
    "template_id": "welcome",
    "merge_data": {"you@example.org": {"name": "Ada"}},
    "merge_global_data": {"site": "Example"},
    "merge_headers": {"you@example.org": {"X-Kind": "one"}},
    "merge_metadata": {"you@example.org": {"number": 1}},
    "send_at": datetime(2026, 11, 28, 12, 30, 1, 5, tzinfo=UTC),
    "envelope_sender": "bounces@example.org",
    "encoding": "iso-8859-1",
    "mixed_subtype": "related",
    "alternative_subtype": "x-choice",
    "of_the_project": "for a receiver of anymail's pre_send",
}


@pytest.mark.parametrize("name", SET)
def test_what_is_set_on_a_message_is_kept(name: str) -> None:
    email = message()
    setattr(email, name, SET[name])

    found = getattr(through_the_outbox(email), name)

    assert found == SET[name]
    assert type(found) is type(SET[name])


def test_all_that_anymail_reads_is_tested() -> None:
    assert {name for name, *_ in BasePayload.anymail_message_attrs} <= {*SET}


def test_what_a_class_sets_is_kept() -> None:
    class Receipt(EmailMessage):
        tags = ("receipt",)

    email = through_the_outbox(Receipt("Receipt", to=["you@example.org"]))

    assert vars(email)["tags"] == ["receipt"]


def test_what_is_not_set_stays_so() -> None:
    email = through_the_outbox(AnymailMessage("Receipt", to=["you@example.org"], tags=["one"]))

    assert vars(email)["tags"] == ["one"]
    assert not {"metadata", "send_at", "anymail_status"} & vars(email).keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metadata", {"user": object()}),
        ("metadata", {1: "one"}),
        ("metadata", {"limit": float("nan")}),
        ("esp_extra", {"file": Path("a.txt")}),
        ("tags", {"a", "set"}),
        ("encoding", Charset("utf-8")),
        ("of_the_project", lambda: None),
    ],
)
def test_what_would_be_lost_is_refused(name: str, value: Any) -> None:
    """Kind: what someone set on a message, and what no one gets."""
    email = message()
    setattr(email, name, value)

    with pytest.raises(TypeError, match=f"cannot carry the attribute '{name}' of a message"):
        QueueBackend().send_messages([email])


class Encrypted(EmailMessage):
    def message(self, *args: Any, **kwargs: Any) -> Any:
        return super().message(*args, **kwargs)


class Archived(AnymailMessage):  # type: ignore[misc] # it has no types
    def recipients(self) -> list[str]:
        return [*super().recipients(), "archive@example.org"]


class Inline(EmailMultiAlternatives):
    def _create_attachment(self, *args: Any) -> Any:
        return args


class Signed(EmailMultiAlternatives):
    def _create_message(self, msg: Any) -> Any:
        return msg


class SignedReceipt(Signed):
    pass


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Encrypted, r"Encrypted has a message\(\)"),
        (Archived, r"Archived has a recipients\(\)"),
        (Inline, r"Inline has a _create_attachment\(\)"),
        (SignedReceipt, r"Signed has a _create_message\(\)"),
    ],
)
def test_message_that_makes_itself_is_refused(kind: type[EmailMessage], words: str) -> None:
    """Kind: what a class does when a message is sent, and what no one gets."""
    with pytest.raises(TypeError, match=words):
        as_payload(kind("Secret", to=["you@example.org"]))


def test_all_that_makes_a_message_is_known() -> None:
    assert {"message", "recipients", "_create_message", "_create_attachment"} <= MAKING
    assert not {"attach", "send", "attach_inline_image"} & MAKING


def test_what_a_property_says_is_kept() -> None:
    class Receipt(AnymailMessage):  # type: ignore[misc] # it has no types
        number = 17

        @property
        def metadata(self) -> dict[str, int]:
            return {"number": self.number}

        @metadata.setter
        def metadata(self, value: Any) -> None: ...

        @cached_property
        def of_the_project(self) -> list[str]:
            return ["receipt"]

    email = through_the_outbox(Receipt("Receipt", to=["you@example.org"]))

    assert vars(email)["metadata"] == {"number": 17}
    assert vars(email)["of_the_project"] == ["receipt"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"subject": "one\ntwo"}, BadHeaderError),
        ({"to": ["you@example.org\nBcc: all@example.org"]}, BadHeaderError),
        ({"extra_headers": {"X-Größe": "1"}}, UnicodeEncodeError),
        ({"extra_headers": {"X-Kind": "a\r\nb"}}, BadHeaderError),
        ({"body": "\ud83d"}, UnicodeEncodeError),
    ],
)
def test_mail_that_cannot_be_made_is_refused_at_once(
    change: dict[str, Any], error: type[Exception]
) -> None:
    """Kind: an error that only a worker meets, when no one is there to be told."""
    email = message()
    vars(email).update(change)

    with pytest.raises(error):
        QueueBackend().send_messages([email])


def test_message_is_not_changed_by_being_queued() -> None:
    email = message()
    as_payload(email)

    assert email.extra_headers == {"X-Kind": "greeting"}


def test_message_of_a_later_version_waits_for_its_worker() -> None:
    """Kind: mail that is lost during a rollout, or of which a part is."""
    payload = {**as_payload(message()), "of_the_future": True}

    with pytest.raises(Retry) as retry:
        deliver_mail.apply((payload,), task_id="one")

    assert retried(retry.value) == (payload,)
    assert mail.outbox == []


@pytest.mark.parametrize("form", ["django", "email", "text", "bytes"])
def test_message_is_attached(form: str) -> None:
    inner = EmailMessage(
        "Grüße", "ä", "us@example.org", ["me@example.org"], headers={"Message-ID": "<i@x>"}
    )
    mime: Any = inner.message()
    forms = {"django": inner, "email": mime, "text": mime.as_string(), "bytes": mime.as_bytes()}
    email = message()
    email.attach("inner.eml", forms[form], "message/rfc822")

    sent: Any = through_the_outbox(email).message()

    (attached,) = [part for part in sent.walk() if part.get_content_type() == "message/rfc822"]
    assert attached.get_filename() == "inner.eml"
    assert attached.get_payload(0).as_bytes() == mime.as_bytes()


def test_alternative_of_bytes_is_kept() -> None:
    email, lazy = message(), cast("str", gettext_lazy("Yes"))
    email.attach_alternative(b"\x00\xff", "application/octet-stream")
    email.attach_alternative(lazy, "text/x-answer")

    found = through_the_outbox(email).alternatives

    assert [tuple(item) for item in found[1:]] == [
        (b"\x00\xff", "application/octet-stream"),
        ("Yes", "text/x-answer"),
    ]


@pytest.mark.parametrize(
    ("attach", "words"),
    [
        (lambda email: email.attach("a.bin", 7, "image/png"), "The attachment 'a.bin' is a int"),
        (lambda email: email.attach_alternative(b"<p>", "text/html"), "must be a str, not bytes"),
        (lambda email: email.attach_alternative(7, "image/png"), "of the type image/png is a int"),
    ],
)
def test_content_that_no_mail_has_is_refused(
    attach: Callable[[EmailMessage], None], words: str
) -> None:
    email = message()
    attach(email)

    with pytest.raises(TypeError, match=words):
        as_payload(email)


def test_message_of_an_earlier_version_is_sent() -> None:
    """Kind: what waits in the queue, or among the failures, while the kit is updated."""
    payload = as_payload(message())
    del payload["attributes"], payload["message_id"]

    deliver_mail.apply((payload,), task_id="one", throw=True)

    assert [email.subject for email in mail.outbox] == ["Grüße"]


def test_mime_part_as_attachment_is_rejected() -> None:
    email = message()
    email.attach(MIMEText("note"))

    with pytest.raises(TypeError, match="Attach a file with"):
        as_payload(email)

from pathlib import Path

import pytest
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from pytest_django import Settings

from dovetail.devtools.mailbox import messages

BACKEND = "dovetail.devtools.mailbox.backend.EmailBackend"


@pytest.fixture(autouse=True)
def _mail_dir(settings: Settings, tmp_path: Path) -> None:
    settings.MAIL_DIR = tmp_path / "mail"


def send(message: EmailMessage) -> int:
    return get_connection(BACKEND).send_messages([message])


def test_each_message_is_saved_to_a_private_file(tmp_path: Path) -> None:
    assert send(EmailMessage("One", "first", to=["a@example.org"])) == 1
    assert send(EmailMessage("Two", "second", to=["b@example.org"])) == 1

    assert (tmp_path / "mail").stat().st_mode & 0o777 == 0o700
    assert len(list((tmp_path / "mail").glob("*.eml"))) == 2
    found = [messages.find(key) for key in messages.all_keys()]
    assert [message.subject for message in found if message] == ["Two", "One"]


def test_every_part_of_a_message_is_saved() -> None:
    mail = EmailMultiAlternatives(
        "Grüße ✂", "Plain é", "Me <me@example.org>", ["you@example.org"], bcc=["quiet@example.org"]
    )
    mail.attach_alternative("<p>Rich é</p>", "text/html")
    mail.attach("notes.txt", "1234", "text/plain")
    send(mail)

    message = messages.find(messages.all_keys()[0])
    assert message
    assert message.subject == "Grüße ✂"
    assert message.sender == "Me <me@example.org>"
    assert message.recipients == "you@example.org, quiet@example.org"
    assert message.text.strip() == "Plain é"
    assert message.html.strip() == "<p>Rich é</p>"
    assert message.attachments == [messages.Attachment("notes.txt", "text/plain", 4)]
    assert ("To", "you@example.org") in message.headers


def test_message_without_recipients_is_not_saved() -> None:
    assert send(EmailMessage("To whom", "it concerns")) == 0
    assert messages.all_keys() == []


def test_write_error_is_raised_unless_fail_silently_is_set(
    settings: Settings, tmp_path: Path
) -> None:
    settings.MAIL_DIR = tmp_path / "file"
    settings.MAIL_DIR.write_text("not a folder")
    with pytest.raises(OSError, match="file"):
        send(EmailMessage("Lost", "mail", to=["a@example.org"]))
    quiet = get_connection(BACKEND, fail_silently=True)
    assert quiet.send_messages([EmailMessage("Lost", "mail", to=["a@example.org"])]) == 0


def test_unfinished_file_is_not_listed(tmp_path: Path) -> None:
    key = messages.save(b"Subject: Done\n\nbody")
    (tmp_path / "mail" / ".1700000000000000000-00000000").write_bytes(b"Subject: Half")
    (tmp_path / "mail" / "notes.eml").write_bytes(b"Subject: Not ours")
    assert messages.all_keys() == [key]


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "1", "1700000000000000000-0000000g"])
def test_malformed_key_finds_nothing(key: str) -> None:
    assert messages.find(key) is None


def test_unknown_charset_is_read_as_utf8() -> None:
    content = b"Subject: Odd\nContent-Type: text/plain; charset=klingon\n\nqapl\xc3\xa0"
    message = messages.find(messages.save(content))
    assert message
    assert message.text == "qaplà"

"""Caught email: one file per message in `settings.MAIL_DIR`, named after the time it was caught."""

import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from functools import cached_property
from pathlib import Path

from django.conf import settings

KEY = re.compile(r"\d{19}-[0-9a-f]{8}")


def save(content: bytes) -> str:
    """Save a message atomically and return its key.

    Args:
        content: the message in MIME format.

    Raises:
        OSError: the file could not be written.
    """
    directory: Path = settings.MAIL_DIR
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = f"{time.time_ns():019d}-{secrets.token_hex(4)}"
    unfinished = directory / f".{key}"
    try:
        unfinished.write_bytes(content)
        unfinished.rename(directory / f"{key}.eml")
    finally:
        unfinished.unlink(missing_ok=True)
    return key


def all_keys() -> list[str]:
    """Return the keys of all messages, newest first."""
    found = (path.stem for path in settings.MAIL_DIR.glob("*.eml"))
    return sorted((key for key in found if KEY.fullmatch(key)), reverse=True)


def find(key: str) -> "Message | None":
    """Return the message with a key, or `None`."""
    if not KEY.fullmatch(key):
        return None
    try:
        return Message(key, (settings.MAIL_DIR / f"{key}.eml").read_bytes())
    except FileNotFoundError:
        return None


def empty() -> int:
    """Delete all messages and return how many there were."""
    removed = all_keys()
    for key in removed:
        (settings.MAIL_DIR / f"{key}.eml").unlink(missing_ok=True)
    return len(removed)


@dataclass(frozen=True)
class Attachment:
    name: str
    content_type: str
    size: int  # bytes


@dataclass(frozen=True)
class Message:
    """A caught message, parsed on first access."""

    key: str
    content: bytes

    @cached_property
    def parsed(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def caught_at(self) -> datetime:
        return datetime.fromtimestamp(int(self.key[:19]) / 1e9, UTC)

    @property
    def subject(self) -> str:
        return str(self.parsed["Subject"] or "").strip()

    @property
    def sender(self) -> str:
        return str(self.parsed["From"] or "")

    @property
    def recipients(self) -> str:
        return str(self.parsed["X-Envelope-To"] or self.parsed["To"] or "")

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [(name, str(value)) for name, value in self.parsed.items()]

    @property
    def text(self) -> str:
        return self._body("plain")

    @property
    def html(self) -> str:
        return self._body("html")

    @property
    def attachments(self) -> list[Attachment]:
        return [
            Attachment(part.get_filename() or "unnamed", part.get_content_type(), len(_bytes(part)))
            for part in self.parsed.iter_attachments()
        ]

    def _body(self, kind: str) -> str:
        part = self.parsed.get_body((kind,))
        if part is None:
            return ""
        charset = part.get_content_charset("utf-8")
        try:
            return _bytes(part).decode(charset, "replace")
        except LookupError:  # a charset unknown to Python
            return _bytes(part).decode("utf-8", "replace")


def _bytes(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    # An attached message has parts instead of bytes.
    return payload if isinstance(payload, bytes) else part.as_bytes()

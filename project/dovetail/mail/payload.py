"""Messages as data for the queue, and back.

Whatever is set on a message gets there, such as the `tags` and `metadata` that django-anymail
reads, or the message is refused with the name of what does not.
"""

import base64
from email.message import Message
from email.utils import make_msgid
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from anymail.utils import UNSET
from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.utils import functional
from kombu.utils import json

from dovetail.mail.errors import MailUnavailableError

# Attributes that have a key of their own.
NAMED = {
    *("subject", "body", "from_email", "to", "cc", "bcc", "reply_to", "extra_headers"),
    *("content_subtype", "alternatives", "attachments", "optional"),
}
PROPERTIES = (property, cached_property, functional.cached_property)
# Methods that run before a message is queued. All others make what is sent, or say to whom.
BEFORE = {
    *("__init__", "attach", "attach_alternative", "attach_file", "body_contains"),
    *("get_connection", "send"),
}
MAKING = {
    name
    for kind in (EmailMessage, EmailMultiAlternatives)
    for name, value in vars(kind).items()
    if callable(value) and name not in BEFORE and not name.startswith("__")
}
# Those that say how the message gets to the queue, or what became of it.
LEFT_OUT = {"connection", "anymail_status"}
FOR_THE_TASK = {"optional", "message_id", "is_unconfirmed", "only"}
FIELDS = NAMED - {"extra_headers", "optional"} | {"headers", "attributes"}  # of the payload


def as_payload(message: EmailMessage) -> dict[str, Any]:
    """Return a message as JSON-serializable data, for `from_payload`.

    Raises:
        TypeError: a part of the message cannot be carried; the error names it.
        ValueError: no mail can be made of it, as with a line break in a header.
    """
    _refuse_own_methods(type(message))
    payload = {
        "subject": str(message.subject),
        "body": str(message.body),
        "from_email": message.from_email,
        "to": list(message.to),
        "cc": list(message.cc),
        "bcc": list(message.bcc),
        "reply_to": list(message.reply_to),
        "headers": {name: str(value) for name, value in message.extra_headers.items()},
        "content_subtype": message.content_subtype,
        "alternatives": [
            _alternative(content, kind) for content, kind in getattr(message, "alternatives", [])
        ],
        "optional": getattr(message, "optional", None),
        "attachments": [_attachment(item) for item in message.attachments],
        "attributes": {name: _plain(name, value) for name, value in _attributes(message).items()},
        "message_id": "" if _has_message_id(message) else _new_message_id(),
    }
    _compose(payload)
    return payload


def from_payload(payload: dict[str, Any]) -> EmailMultiAlternatives:
    """Return the message that `as_payload` was given.

    Raises:
        MailUnavailableError: a later version of the kit has queued it, with what is unknown here,
            and may matter.
    """
    if unknown := payload.keys() - FIELDS - FOR_THE_TASK:
        raise MailUnavailableError(
            f"A later version of the kit has queued this message, with {', '.join(sorted(unknown))}"
            ": it is tried again until a worker of that version gets it."
        )
    fields = {name: value for name, value in payload.items() if name not in FOR_THE_TASK}
    # Without the latter, it was queued by a version of the kit that had none.
    subtype, attributes = fields.pop("content_subtype"), fields.pop("attributes", {})
    fields["attachments"] = [
        (name, base64.b64decode(content), kind) for name, content, kind in fields["attachments"]
    ]
    fields["alternatives"] = [
        (base64.b64decode(content["base64"]) if isinstance(content, dict) else content, kind)
        for content, kind in fields["alternatives"]
    ]
    message = EmailMultiAlternatives(**fields)
    message.content_subtype = subtype
    for name, value in attributes.items():
        setattr(message, name, value)
    return message


def _refuse_own_methods(kind: type[EmailMessage]) -> None:
    for base in kind.__mro__:
        if base in {EmailMessage, EmailMultiAlternatives} or base.__module__ == "anymail.message":
            continue
        if own := sorted(MAKING & vars(base).keys()):
            raise TypeError(
                f"{base.__name__} has a {own[0]}() of its own, which the mail queue cannot carry: "
                "set attributes of EmailMultiAlternatives, or send the message through a "
                "connection of its own."
            )


def _compose(payload: dict[str, Any]) -> None:
    """Make a mail, to learn that it cannot be made while someone is there to be told.

    Without the attachments, which may be large.
    """
    message = from_payload({**payload, "attachments": []})
    if payload["message_id"]:  # Django would ask for the name of this machine
        message.extra_headers = {**message.extra_headers, "Message-ID": payload["message_id"]}
    message.message().as_bytes()


def _new_message_id() -> str:
    # Not with the name of this machine, as Django does, for which it may have to ask a slow server.
    return make_msgid(domain=urlsplit(settings.SITE_URL).hostname)


def _has_message_id(message: EmailMessage) -> bool:
    return any(name.lower() == "message-id" for name in message.extra_headers)


def _attributes(message: EmailMessage) -> dict[str, Any]:
    """Return what is set on a message, or on its class, and has no key of its own."""
    found: dict[str, Any] = {}
    for kind in reversed(type(message).__mro__):
        for name, value in vars(kind).items():
            if isinstance(value, PROPERTIES):
                found[name] = getattr(message, name)
            elif not name.startswith("__") and not hasattr(value, "__get__"):  # no method
                found[name] = value
    found |= vars(message)
    return {
        name: value
        for name, value in found.items()
        if value is not UNSET and name not in NAMED | LEFT_OUT
    }


def _plain(name: str, value: Any) -> Any:
    """Return a value that the task gets as it is here."""
    plain = _without_lazy(value)
    try:
        is_kept = json.loads(json.dumps(plain)) == plain
    except (TypeError, ValueError, RecursionError):
        is_kept = False
    if not is_kept:
        raise TypeError(
            f"The mail queue cannot carry the attribute {name!r} of a message: set it to text, "
            "numbers, dates, and lists and dictionaries of them with keys of text."
        )
    return plain


def _without_lazy(value: Any) -> Any:
    if isinstance(value, functional.Promise):  # in the language of whoever sends it
        return str(value)
    if isinstance(value, list | tuple):
        return [_without_lazy(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_lazy(item) for key, item in value.items()}
    return value


def _alternative(content: Any, kind: str) -> list[Any]:
    if isinstance(content, str | functional.Promise):
        return [str(content), kind]
    if kind.startswith("text/"):  # Django would fail when the task composes the message
        raise TypeError(f"The alternative of the type {kind} must be a str, not bytes.")
    return [{"base64": _base64(f"The alternative of the type {kind}", content)}, kind]


def _attachment(attachment: Any) -> list[str | None]:
    if not isinstance(attachment, tuple):
        raise TypeError("Attach a file with message.attach(name, content, mimetype).")
    name, content, kind = (*attachment, None)[:3]
    return [name, _base64(f"The attachment {name!r}", content), kind]


def _base64(what: str, content: Any) -> str:
    if isinstance(content, EmailMessage):
        content = content.message()
    if isinstance(content, Message):
        content = content.as_bytes()
    if isinstance(content, str | functional.Promise):
        content = str(content).encode()
    if not isinstance(content, bytes | bytearray | memoryview):
        raise TypeError(
            f"{what} is a {type(content).__name__}, which the mail queue cannot carry: use text, "
            "bytes or a message."
        )
    return base64.b64encode(content).decode()

import base64
from typing import Any

from django.core.mail import EmailMessage, EmailMultiAlternatives


def as_payload(message: EmailMessage) -> dict[str, Any]:
    """Return a message as JSON-serializable data, for `from_payload`."""
    return {
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
            [str(content), kind] for content, kind in getattr(message, "alternatives", [])
        ],
        "optional": getattr(message, "optional", None),
        "attachments": [_encode(attachment) for attachment in message.attachments],
    }


def from_payload(payload: dict[str, Any]) -> EmailMultiAlternatives:
    """Return the message that `as_payload` was given."""
    fields = dict(payload)
    fields.pop("optional", None)  # for the task
    subtype = fields.pop("content_subtype")
    fields["attachments"] = [
        (name, base64.b64decode(content), kind) for name, content, kind in fields["attachments"]
    ]
    message = EmailMultiAlternatives(**fields)
    message.content_subtype = subtype
    return message


def _encode(attachment: Any) -> list[str | None]:
    if not isinstance(attachment, tuple):
        raise TypeError("Attach a file with message.attach(name, content, mimetype).")
    name, content, kind = attachment
    raw = content.encode() if isinstance(content, str) else content
    return [name, base64.b64encode(raw).decode(), kind]

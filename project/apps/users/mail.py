"""Sends account email that allauth does not send, in the same layout.

    mail.send("account/email/data_export", user, {"url": url})

The example renders three templates, such as `account/email/data_export_subject.txt`.
"""

from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from apps.users.models import User


def send(prefix: str, user: User, context: dict[str, Any], *, to: str = "") -> None:
    """Send an email as plain text and HTML.

    Args:
        prefix: path prefix of the templates, such as `account/email/data_export`; the suffixes are
            `_subject.txt`, `_message.txt` and `_message.html`.
        user: the recipient.
        context: template context, added to `user` and `site_name`.
        to: the address, if not the user's present one.
    """
    context = {"user": user, "site_name": settings.SITE_NAME, **context}
    subject, text, page = (
        render_to_string(f"{prefix}_{part}", context)
        for part in ("subject.txt", "message.txt", "message.html")
    )
    message = EmailMultiAlternatives(subject.strip(), text.strip(), to=[to or user.email])
    message.attach_alternative(page.strip(), "text/html")
    message.send()

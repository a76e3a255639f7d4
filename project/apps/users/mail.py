"""Mail about an account that no request causes; the other is allauth's."""

from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from apps.users.models import User


def send(prefix: str, user: User, context: dict[str, Any]) -> None:
    """Send a mail in both forms.

    Args:
        prefix: of its templates, as `account/email/data_export`, followed by `_subject.txt`,
            `_message.txt` and `_message.html`.
        user: whose address gets it.
        context: for the templates, besides `user` and `site_name`.
    """
    context = {"user": user, "site_name": settings.SITE_NAME, **context}
    subject, text, page = (
        render_to_string(f"{prefix}_{part}", context)
        for part in ("subject.txt", "message.txt", "message.html")
    )
    message = EmailMultiAlternatives(subject.strip(), text.strip(), to=[user.email])
    message.attach_alternative(page.strip(), "text/html")
    message.send()

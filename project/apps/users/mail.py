"""Sends mail about an account that allauth does not send.

    mail.send("account/email/data_export", user, {"url": url})

The example renders three templates, such as `account/email/data_export_subject.txt`.
"""

from typing import Any

from allauth.account.models import EmailAddress

from apps.users.models import User
from dovetail.mail import optional
from dovetail.mail.messages import compose
from dovetail.mail.topics import Topic


def send(prefix: str, user: User, context: dict[str, Any], *, to: str = "") -> None:
    """Send mail that someone cannot turn off, even if mail to their address bounces.

    Args:
        prefix: path prefix of the templates, such as `account/email/data_export`; the suffixes are
            `_subject.txt`, `_message.txt` and, if there is one, `_message.html`.
        user: the recipient.
        context: template context, added to `user` and `site_name`.
        to: the address, if not the user's present one.
    """
    compose(prefix, {"user": user, **context}, to=[to or user.email]).send()


def send_optional(topic: Topic, prefix: str, user: User, context: dict[str, Any]) -> bool:
    """Send mail that someone can turn off, if their present address is confirmed.

    Args:
        topic: the kind of mail.
        prefix: as for `send`.
        user: the recipient.
        context: template context, added to `user` and `site_name`.

    Returns:
        Whether it was sent.
    """
    confirmed = EmailAddress.objects.filter(user=user, email=user.email, verified=True)
    if not user.is_active or not confirmed.exists():
        return False
    return optional.send(topic, user, prefix, {"user": user, **context}, to=user.email)

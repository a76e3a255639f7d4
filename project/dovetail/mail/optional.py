"""Mail that people can turn off, kind by kind, from the mail itself or in their settings.

    optional.send(COMMENTS, user, "articles/email/new_comment", {"comment": comment}, to=user.email)

Each carries a link that turns its topic off without signing in, for people and, as RFC 8058 has it,
for mail programs. The link is signed and does not expire; after SECRET_KEY has changed, it works as
long as the former key is in SECRET_KEY_FALLBACKS.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.db import models
from django.urls import reverse

from dovetail.mail import messages, topics
from dovetail.mail.models import OptOut, Suppression
from dovetail.mail.topics import Topic

SALT = "dovetail.mail.unsubscribe"
LONGEST_TOKEN = 300  # characters


def send(
    topic: Topic, user: models.Model, prefix: str, context: dict[str, Any], *, to: str
) -> bool:
    """Send mail of a topic, unless the person has turned it off or the address is suppressed.

    Args:
        topic: the kind of mail.
        user: the recipient.
        prefix: path prefix of the templates, as for `messages.compose`.
        context: for the templates.
        to: an address that the person has confirmed.

    Returns:
        Whether it was sent, that is, put into the outbox.
    """
    if not may_send(topic.name, user.pk, [to]):
        return False
    compose(topic, user, prefix, context, to=to).send()
    return True


def may_send(topic: str, user_id: Any, to: Sequence[str]) -> bool:
    """Return whether someone wants mail of a topic, and none of the addresses is suppressed."""
    return not (
        OptOut.objects.filter(user_id=user_id, topic=topic).exists()
        or any(Suppression.objects.for_address(address).exists() for address in to)
    )


def compose(
    topic: Topic, user: models.Model, prefix: str, context: dict[str, Any], *, to: str
) -> EmailMultiAlternatives:
    """Return a message with a link to unsubscribe, without asking whether it may be sent."""
    message = messages.compose(
        prefix, context, to=[to], topic=topic, unsubscribe_url=unsubscribe_url(user, topic)
    )
    # They may turn it off until it is delivered, which may take an hour (dovetail.mail.tasks).
    message.optional = [topic.name, str(user.pk)]  # type: ignore[attr-defined]
    return message


def unsubscribe_url(user: models.Model, topic: Topic) -> str:
    """Return the address that turns a topic off for a person."""
    token = signing.Signer(salt=SALT).sign_object([str(user.pk), topic.name])
    return settings.SITE_URL + reverse("mail:unsubscribe", args=[token])


def read(token: str) -> tuple[str, Topic] | None:
    """Return the primary key of a person and a topic, None if the token is not one of this site."""
    if len(token) > LONGEST_TOKEN:
        return None
    try:
        pk, name = signing.Signer(salt=SALT).unsign_object(token)
    except signing.BadSignature:
        return None
    topic = topics.find(name)
    return (pk, topic) if topic else None

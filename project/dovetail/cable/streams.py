"""Stream names and their signatures: browsers may follow only streams that a page offered them."""

import hashlib
import time

from django.core.signing import BadSignature, Signer
from django.db.models import Model

SALT = "cable.streams"
DAY = 24 * 3600  # seconds
VALID_DAYS = 14  # the lifetime of a Django session

Streamable = Model | str


def stream_name(*streamables: Streamable) -> str:
    """Return a stream's name: `stream_name(article, "comments")`.

    Args:
        streamables: saved models and non-empty strings, at least one.

    Raises:
        ValueError: there are none, a model is not saved or a string is empty.
    """
    if not streamables:
        raise ValueError("A stream needs a name. Pass one or more models or strings.")
    return ":".join(_part(streamable) for streamable in streamables)


def _part(streamable: Streamable) -> str:
    if isinstance(streamable, Model):
        if streamable.pk is None:
            raise ValueError(f"{streamable!r} has no stream yet. Save it first.")
        return f"{streamable._meta.label_lower}:{streamable.pk}"
    if not streamable:
        raise ValueError("A stream name can't contain an empty string.")
    return streamable


def sign(channel: str, stream: str, user_id: str | None) -> str:
    """Return a signed name that only this user can use, and only on this channel.

    It is the same all day, so that refreshing a page does not renew its subscriptions.

    Args:
        channel: the channel's class name.
        stream: the stream, as `stream_name` returns it.
        user_id: the user's primary key, None for a name that everyone can use.
    """
    return Signer(salt=SALT).sign_object([channel, stream, user_id, today()])


def verify(channel: str, signed: str, user_id: str | None) -> str | None:
    """Return the stream of a signed name, None if it is forged, expired or for someone else."""
    try:
        value = Signer(salt=SALT).unsign_object(signed)
    except (BadSignature, ValueError):
        return None
    for_channel, stream, for_user, day = value
    if for_channel != channel or for_user not in (None, user_id):
        return None
    if not 0 <= today() - day <= VALID_DAYS:
        return None
    return str(stream)


def today() -> int:
    """Return the number of days since 1970."""
    return int(time.time() // DAY)


def group_name(stream: str) -> str:
    """Return the layer's group for a stream; Channels allows fewer than 100 ASCII characters."""
    return f"cable.{hashlib.sha256(stream.encode()).hexdigest()[:40]}"

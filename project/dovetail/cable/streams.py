"""Names of streams, and their signatures: a browser follows only what a page of ours named."""

import hashlib
import time

from django.core.signing import BadSignature, Signer
from django.db.models import Model

SALT = "cable.streams"
DAY = 24 * 3600  # seconds
VALID_DAYS = 14  # as long as Django keeps a session

Streamable = Model | str


def stream_name(*streamables: Streamable) -> str:
    """Return the name of the stream of these things: `stream_name(article, "comments")`.

    Args:
        streamables: saved models, and words.

    Raises:
        ValueError: there are none, or one is not saved or empty.
    """
    if not streamables:
        raise ValueError("A stream needs a name: give a model, a word, or several.")
    return ":".join(_part(streamable) for streamable in streamables)


def _part(streamable: Streamable) -> str:
    if isinstance(streamable, Model):
        if streamable.pk is None:
            raise ValueError(f"{streamable!r} has no stream before it is saved.")
        return f"{streamable._meta.label_lower}:{streamable.pk}"
    if not streamable:
        raise ValueError("An empty word names no stream.")
    return streamable


def sign(channel: str, stream: str, user_id: str | None) -> str:
    """Return a name that only this person can use, and only on this channel.

    The text is the same all day, or else every refresh of a page would subscribe anew.

    Args:
        channel: the class name of the channel.
        stream: as `stream_name` returns it.
        user_id: whose name it is; None for everybody's.
    """
    return Signer(salt=SALT).sign_object([channel, stream, user_id, today()])


def verify(channel: str, signed: str, user_id: str | None) -> str | None:
    """Return the stream that `sign` named; None if it is forged, foreign or expired."""
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
    """The number of days since 1970."""
    return int(time.time() // DAY)


def group_name(stream: str) -> str:
    """Return the layer's name for a stream; Channels allows fewer than 100 ASCII characters."""
    return f"cable.{hashlib.sha256(stream.encode()).hexdigest()[:40]}"

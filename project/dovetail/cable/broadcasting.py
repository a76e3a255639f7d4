"""Saying something to everybody who follows a stream: from a request, a task or a shell.

What is said inside a transaction goes out when it commits, and not at all when it fails. A layer
that is away is logged; it never breaks the request that spoke.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from dovetail.cable import protocol
from dovetail.cable.hub import CONTROL
from dovetail.cable.identity import session_digest
from dovetail.cable.streams import Streamable, group_name, stream_name

logger = logging.getLogger(__name__)


def broadcast(*streamables: Streamable, message: Any) -> None:
    """Send JSON to a stream on commit.

    Args:
        streamables: what names the stream, as for `stream_name`.
        message: what each follower receives, encoded once for all.
    """
    name = stream_name(*streamables)
    payload = protocol.encode(message)
    # Not a functools.partial: Django could not log the error of one.
    transaction.on_commit(lambda: send_now(name, payload), robust=True)


async def abroadcast(*streamables: Streamable, message: Any) -> None:
    """Send JSON to a stream at once, from asynchronous code."""
    name = stream_name(*streamables)
    await _send((group_name(name), _message(name, protocol.encode(message))))


async def abroadcast_merged(name: str, kind: str, message: Any) -> None:
    """Send JSON at once, but of several of one kind within a moment only the last.

    Args:
        name: as `stream_name` returns it.
        kind: what is merged with what.
        message: what each follower receives.
    """
    payload = protocol.encode(message)
    await _send((group_name(name), _message(name, payload) | {"kind": kind, "merged": payload}))


def send_now(name: str, payload: str) -> None:
    """Send encoded JSON to a stream at once; a layer that is away is logged."""
    _publish([(group_name(name), _message(name, payload))], name)


def send_merged(names: Sequence[str], kind: str, payload: str, merged: str) -> None:
    """Do as `send_now` to several streams, but merge what follows within a short time.

    Args:
        names: the streams, as `stream_name` returns them.
        kind: what is merged with what.
        payload: what is sent when nothing else of this kind follows.
        merged: what is sent once, in place of several.
    """
    extra = {"kind": kind, "merged": merged}
    messages = [(group_name(name), _message(name, payload) | extra) for name in names]
    _publish(messages, names[0] if len(names) == 1 else f"{len(names)} streams")


def disconnect(users: Iterable[AbstractBaseUser] = (), *, session_keys: Iterable[str] = ()) -> None:
    """Close the sockets of these people and sessions, on commit.

    Their browsers connect anew as who they are then, and are refused what they may no longer see.
    """
    message = {
        "type": "cable.disconnect",
        "users": [str(user.pk) for user in users],
        "sessions": [session_digest(key) for key in session_keys],
    }
    transaction.on_commit(lambda: _publish([(CONTROL, message)], "disconnect"), robust=True)


def reauthorize(*streamables: Streamable) -> None:
    """Ask everybody's channel anew whether they may follow a stream, on commit."""
    name = stream_name(*streamables)
    message = {"type": "cable.reauthorize", "stream": name}
    transaction.on_commit(lambda: _publish([(CONTROL, message)], name), robust=True)


def _message(name: str, payload: str) -> dict[str, Any]:
    return {"type": "cable.message", "stream": name, "payload": payload}


def _publish(messages: Sequence[tuple[str, dict[str, Any]]], what: str) -> None:
    try:
        async_to_sync(_send)(*messages)
    except Exception as error:  # noqa: BLE001 - each layer raises its own when its server is away
        logger.warning("The channel layer is unavailable; broadcast to %s lost: %s", what, error)


async def _send(*messages: tuple[str, dict[str, Any]]) -> None:
    layer: Any = get_channel_layer()
    for group, message in messages:
        await layer.group_send(group, message)

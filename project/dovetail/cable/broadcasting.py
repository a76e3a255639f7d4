"""Sends messages to everyone who follows a stream, from a request, a task or a shell.

Inside a transaction, messages are sent on commit, and never if it rolls back. If the channel layer
is unavailable, the lost broadcast is logged and the caller continues.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from dovetail import telemetry
from dovetail.cable import protocol
from dovetail.cable.hub import CONTROL
from dovetail.cable.identity import session_digest
from dovetail.cable.streams import Streamable, group_name, stream_name
from dovetail.database.commit import RECHECK, on_commit_together

logger = logging.getLogger(__name__)


def broadcast(*streamables: Streamable, message: Any) -> None:
    """Send JSON to a stream on commit.

    Args:
        streamables: name the stream, as for `stream_name`.
        message: JSON-serializable data.
    """
    name = stream_name(*streamables)
    payload = protocol.encode(message)
    # Not a functools.partial: Django needs the function's name to log its error.
    transaction.on_commit(lambda: send_now(name, payload), robust=True)


async def abroadcast(*streamables: Streamable, message: Any) -> None:
    """Send JSON to a stream immediately, from asynchronous code."""
    name = stream_name(*streamables)
    await _send((group_name(name), _message(name, protocol.encode(message))))


async def abroadcast_merged(name: str, kind: str, message: Any) -> None:
    """Send JSON immediately; of several messages of one kind in quick succession, only the last.

    Args:
        name: the stream, as `stream_name` returns it.
        kind: messages of the same kind are merged.
        message: JSON-serializable data.
    """
    payload = protocol.encode(message)
    await _send((group_name(name), _message(name, payload) | {"kind": kind, "merged": payload}))


def send_now(name: str, payload: str) -> None:
    """Send encoded JSON to a stream immediately; if the channel layer is unavailable, log it."""
    _publish([(group_name(name), _message(name, payload))], name)


def send_merged(names: Sequence[str], kind: str, payload: str, merged: str) -> None:
    """Send encoded JSON to several streams, merging messages in quick succession.

    Args:
        names: the streams, as `stream_name` returns them.
        kind: messages of the same kind are merged.
        payload: sent if no other message of this kind follows.
        merged: sent once in place of several different messages.
    """
    extra = {"kind": kind, "merged": merged}
    messages = [(group_name(name), _message(name, payload) | extra) for name in names]
    _publish(messages, names[0] if len(names) == 1 else f"{len(names)} streams")


def disconnect(users: Iterable[AbstractBaseUser] = (), *, session_keys: Iterable[str] = ()) -> None:
    """Close the sockets of these users and sessions, on commit.

    Their browsers reconnect with their current session and rights.
    """
    message = {
        "type": "cable.disconnect",
        "users": [str(user.pk) for user in users],
        "sessions": [session_digest(key) for key in session_keys],
    }
    transaction.on_commit(lambda: _publish_control([message]), robust=True)


def reauthorize(*streamables: Streamable) -> None:
    """Recheck each follower's access to a stream (`Channel.is_allowed`), on commit."""
    on_commit_together(_reauthorize, [stream_name(*streamables)], order=RECHECK)


def _message(name: str, payload: str) -> dict[str, Any]:
    return {"type": "cable.message", "stream": name, "payload": payload}


def _publish(messages: Sequence[tuple[str, dict[str, Any]]], name: str) -> None:
    try:
        async_to_sync(_send)(*messages)
    except Exception as error:  # noqa: BLE001 - each layer raises its own connection errors
        logger.warning("The channel layer is unavailable; broadcast to %s lost: %s", name, error)


def _reauthorize(names: list[str]) -> None:
    _publish_control([{"type": "cable.reauthorize", "stream": name} for name in names])


def _publish_control(messages: Sequence[dict[str, Any]]) -> None:
    try:
        async_to_sync(_send)(*((CONTROL, message) for message in messages))
    except Exception as error:  # noqa: BLE001 - as above
        logger.warning(
            "The channel layer is unavailable; %s not sent, sockets will be rechecked later: %s",
            messages[0]["type"], error,
        )  # fmt: skip


async def _send(*messages: tuple[str, dict[str, Any]]) -> None:
    """Send messages, each even if the layer has lost another, and raise its first error."""
    layer: Any = get_channel_layer()
    failure: Exception | None = None
    with telemetry.span("broadcast"):
        traced = {"traceparent": parent} if (parent := telemetry.traceparent()) else {}
        for group, message in messages:
            try:
                await layer.group_send(group, message | traced)
            except Exception as error:  # noqa: BLE001 - each layer raises its own
                failure = failure or error
    if failure:
        raise failure

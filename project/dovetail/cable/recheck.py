"""Rechecks whether open sockets still have a valid session and access to their streams.

`reauthorize` rechecks one stream immediately. Everything is rechecked when the channel layer comes
back, since a revocation may have been lost, and at intervals, since sessions expire and a
revocation may never have reached the layer.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable

from dovetail.cable import protocol
from dovetail.cable.channel import Channel, Socket
from dovetail.cable.database import in_thread
from dovetail.cable.hub import Hub, Stream
from dovetail.cable.identity import valid

logger = logging.getLogger(__name__)

# Seconds between periodic rechecks. For 1,000 users, rechecking sessions takes 45 ms of CPU time,
# and rechecking access, with two queries each, 4 s.
SESSIONS_INTERVAL = 60.0
RIGHTS_INTERVAL = 600.0
NEVER = float("-inf")  # as the time of the last check, makes the next one due


async def reauthorize(hub: Hub, name: str) -> None:
    """End the subscriptions of users who have lost access to a stream.

    Messages are held back until all are checked; if any came, the remaining pages catch up.
    """
    stream = hub.streams.get(name)
    if stream is None:
        return
    stream.rechecks += 1
    try:
        await _recheck_stream(hub, stream)
    finally:
        stream.rechecks -= 1
    if stream.missed and not stream.rechecks:
        stream.missed = False
        for channel in list(stream.channels):
            channel.catch_up()


async def recheck_on_heartbeat(hub: Hub) -> None:
    now = time.monotonic()
    if now - hub.rights_checked_at > RIGHTS_INTERVAL:
        recheck_soon(hub)
    elif now - hub.sessions_checked_at > SESSIONS_INTERVAL:
        recheck_soon(hub, sessions_only=True)


def recheck_soon(hub: Hub, *, sessions_only: bool = False) -> None:
    """Recheck all sockets in the background; if that fails, the next heartbeat tries again."""
    hub.sessions_checked_at = time.monotonic()
    if not sessions_only:
        hub.rights_checked_at = hub.sessions_checked_at
    hub.in_background(_recheck(hub, sessions_only=sessions_only))


async def _recheck(hub: Hub, *, sessions_only: bool) -> None:
    try:
        await end_lost_sessions(hub.connections)
    except Exception as error:  # noqa: BLE001 - each database raises its own connection errors
        logger.warning(
            "Could not recheck cable sessions; trying again on the next heartbeat: %s", error
        )
        hub.sessions_checked_at = NEVER
        if not sessions_only:
            hub.rights_checked_at = NEVER
        return
    if not sessions_only:
        streams = list(hub.streams.values())
        await asyncio.gather(*(_recheck_stream(hub, stream) for stream in streams))


async def end_lost_sessions(connections: Iterable[Socket]) -> None:
    """Close the sockets whose session has ended or whose user may no longer sign in."""
    signed_in = [connection for connection in connections if connection.user_id]
    if not signed_in:
        return
    remaining = await in_thread(valid, {connection.identity for connection in signed_in})
    for connection in signed_in:
        if connection.identity not in remaining:
            connection.close(protocol.REMOTE, reconnect=True)


async def _recheck_stream(hub: Hub, stream: Stream) -> None:
    """Recheck each user once, however many pages they have open."""
    by_user: dict[tuple[type[Channel], str | None], list[Channel]] = defaultdict(list)
    for channel in stream.channels:
        by_user[type(channel), channel.user_id].append(channel)
    await asyncio.gather(*(_recheck_user(hub, channels) for channels in by_user.values()))


async def _recheck_user(hub: Hub, channels: list[Channel]) -> None:
    """Recheck one user's access to a stream, on all of their channels of one class."""
    async with hub.query_slots:
        try:
            is_allowed = await channels[0].is_allowed()
        except Exception:
            # Their clients reconnect and are checked when they subscribe.
            names = ", ".join(channels[0].streams)
            logger.exception("Authorization check failed for stream %s; closing its sockets", names)
            for channel in channels:
                channel.connection.close(protocol.REMOTE, reconnect=True)
            return
    if not is_allowed:
        for channel in channels:
            channel.connection.reject(channel)


Hub.on_heartbeat.insert(0, recheck_on_heartbeat)
Hub.on_recovery.append(recheck_soon)
Hub.on_reauthorize.append(reauthorize)

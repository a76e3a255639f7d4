"""Asking anew who may follow what, and whose session still lives.

At once where a right was taken away (`reauthorize`). Besides, all of it when the layer comes back,
which may have lost word of a revocation, and now and then: also who could not reach the layer to
say so, and the time, end what they must.
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

# Seconds between two of those that nobody asked for. For 1,000 people the first takes 45 ms of the
# processor; the second, with two queries each, 4 s.
SESSIONS_INTERVAL = 60.0
RIGHTS_INTERVAL = 600.0
DUE = float("-inf")


async def reauthorize(hub: Hub, name: str) -> None:
    """End the subscriptions to a stream whose people may not follow it any more.

    Nobody is told anything before all are asked: what comes meanwhile is made up for afterwards.
    """
    stream = hub.streams.get(name)
    if stream is None:
        return
    stream.asking += 1
    try:
        await _ask(hub, stream)
    finally:
        stream.asking -= 1
    if stream.missed and not stream.asking:
        stream.missed = False
        for channel in list(stream.channels):
            channel.catch_up()


async def recheck_on_beat(hub: Hub) -> None:
    now = time.monotonic()
    if now - hub.rights_asked_at > RIGHTS_INTERVAL:
        recheck_soon(hub)
    elif now - hub.sessions_asked_at > SESSIONS_INTERVAL:
        recheck_soon(hub, sessions_only=True)


def recheck_soon(hub: Hub, *, sessions_only: bool = False) -> None:
    """Ask everything anew, in the background; what cannot be answered is asked on the next beat."""
    hub.sessions_asked_at = time.monotonic()
    if not sessions_only:
        hub.rights_asked_at = hub.sessions_asked_at
    hub.in_background(_recheck(hub, sessions_only=sessions_only))


async def _recheck(hub: Hub, *, sessions_only: bool) -> None:
    try:
        await end_lost_sessions(hub.connections)
    except Exception as error:  # noqa: BLE001 - each database has its own for one that is away
        logger.warning("nobody could say whose session lives (%s): asking again", error)
        hub.sessions_asked_at = DUE
        if not sessions_only:
            hub.rights_asked_at = DUE
        return
    if not sessions_only:
        await asyncio.gather(*(_ask(hub, stream) for stream in list(hub.streams.values())))


async def end_lost_sessions(connections: Iterable[Socket]) -> None:
    """Close the sockets whose session, or whose person's access, has ended."""
    signed_in = [connection for connection in connections if connection.user_id]
    if not signed_in:
        return
    living = await in_thread(valid, {connection.identity for connection in signed_in})
    for connection in signed_in:
        if connection.identity not in living:
            connection.close(protocol.REMOTE, reconnect=True)


async def _ask(hub: Hub, stream: Stream) -> None:
    """Ask each person once, however many pages they have open."""
    people: dict[tuple[type[Channel], str | None], list[Channel]] = defaultdict(list)
    for channel in stream.channels:
        people[type(channel), channel.user_id].append(channel)
    await asyncio.gather(*(_ask_one(hub, channels) for channels in people.values()))


async def _ask_one(hub: Hub, channels: list[Channel]) -> None:
    async with hub.questions:
        try:
            is_allowed = await channels[0].is_allowed()
        except Exception:
            # They come back, and are asked when the answer is known.
            logger.exception("nobody could say who may follow a stream: its sockets are closed")
            for channel in channels:
                channel.connection.close(protocol.REMOTE, reconnect=True)
            return
    if not is_allowed:
        for channel in channels:
            channel.connection.reject(channel)


Hub.on_beat.insert(0, recheck_on_beat)
Hub.on_recovery.append(recheck_soon)
Hub.on_reauthorize.append(reauthorize)

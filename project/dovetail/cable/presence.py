"""Counts how many people follow a stream, across all processes.

    presence.enter(self.stream, self.user_id, show_count)  # in `subscribed` of a channel
    presence.leave(self.stream, self.user_id)  # in `unsubscribed`

Valkey holds a sorted set per stream, of people and processes scored by their expiry time. Each
process renews its entries, so those of a crashed process expire. A person with two windows, or on
two processes, counts once.
"""

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ValkeyConnectionError, RedisError

from dovetail.cable.broadcasting import abroadcast_merged
from dovetail.cable.hub import Hub
from dovetail.cable.streams import group_name

logger = logging.getLogger(__name__)

LIFETIME = 30.0  # seconds that an entry counts without being renewed
REFRESH = 10.0  # seconds between renewals
DELAY = 0.1  # seconds in which arrivals and departures are published together
TIMEOUT = 2  # seconds the server has to answer
CONNECTIONS = 4

Show = Callable[[int], Any]  # returns the message that shows a count


def server_at(url: str) -> Redis:
    """Return a client that retries once without delay and then gives up.

    It does not retry after a timeout: a server that hangs would be waited for twice.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        socket_connect_timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 1, (ValkeyConnectionError,)),
    )
    return Redis.from_pool(pool)


@dataclass
class Room:
    """The people in this process who follow one stream.

    Attributes:
        stream: its name.
        show: returns the message that shows a count.
        people: the number of windows per person.
        changed: people who have entered or left since the last update.
        is_publishing: whether a task is about to publish the changes.
        published: the count that all pages show, None if another process may have changed it.
    """

    stream: str
    show: Show
    people: "Counter[str]" = field(default_factory=Counter)
    changed: set[str] = field(default_factory=set)
    is_publishing: bool = False
    published: int | None = None


class Rooms:
    """The rooms of one event loop."""

    _all: "WeakKeyDictionary[asyncio.AbstractEventLoop, Rooms]" = WeakKeyDictionary()

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.process = secrets.token_hex(4)
        self.refreshed_at = time.monotonic()
        self.server = server_at(str(settings.CACHES["default"]["LOCATION"]))

    @classmethod
    def current(cls) -> "Rooms":
        loop = asyncio.get_running_loop()
        if loop not in cls._all:
            cls._all[loop] = cls()
        return cls._all[loop]

    def change(self, room: Room, person: str) -> None:
        room.changed.add(person)
        if not room.is_publishing:
            room.is_publishing = True
            task = asyncio.create_task(_publish_changes(self, room))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)


def enter(stream: str, person: str, show: Show) -> None:
    """Count a person, and publish the new count to the stream shortly after.

    Args:
        stream: its name.
        person: an identifier, the same for all of this person's windows.
        show: returns the message that shows a count. It outlives the caller's subscription, so
            don't pass a method of a channel.
    """
    rooms = Rooms.current()
    room = rooms.rooms.setdefault(stream, Room(stream, show))
    room.people[person] += 1
    rooms.change(room, person)


def leave(stream: str, person: str) -> None:
    """Stop counting a person, unless they have another window open."""
    rooms = Rooms.current()
    room = rooms.rooms.get(stream)
    if room is None or not room.people[person]:
        return
    room.people[person] -= 1
    if not room.people[person]:
        del room.people[person]
        rooms.change(room, person)


async def refresh(_hub: Hub) -> None:
    """Renew this process's entries, and publish counts that changed by expiry."""
    rooms = Rooms.current()
    if time.monotonic() - rooms.refreshed_at < REFRESH:
        return
    rooms.refreshed_at = time.monotonic()
    # At once, so that a room whose answer takes long does not delay the others.
    await asyncio.gather(*(_refresh_room(rooms, room) for room in list(rooms.rooms.values())))


async def _refresh_room(rooms: Rooms, room: Room) -> None:
    with _logged(room):
        count = await _update(rooms, room, set(room.people))
        if count != room.published:
            await _publish(room, count)


Hub.on_heartbeat.append(refresh)


def _key(stream: str) -> str:
    return f"{settings.PROJECT_NAME}:presence:{group_name(stream)}"


async def _update(rooms: Rooms, room: Room, people: set[str]) -> int:
    """Add or remove the entries of these people, and return the count over all processes."""
    here = {person for person in people if room.people[person]}
    key, now = _key(room.stream), time.time()
    async with rooms.server.pipeline() as pipe:
        if here:
            entries = [f"{person} {rooms.process}" for person in here]
            pipe.zadd(key, dict.fromkeys(entries, now + LIFETIME))
        if gone := people - here:
            pipe.zrem(key, *(f"{person} {rooms.process}" for person in gone))
        pipe.zremrangebyscore(key, 0, now)
        pipe.expire(key, int(2 * LIFETIME) + 1)
        pipe.zrange(key, 0, -1)
        all_entries: list[bytes] = (await pipe.execute())[-1]
    return len({entry.rpartition(b" ")[0] for entry in all_entries})


async def _publish_changes(rooms: Rooms, room: Room) -> None:
    try:
        while room.changed:
            await asyncio.sleep(DELAY)
            changed, room.changed = room.changed, set()
            with _logged(room):
                await _publish(room, await _update(rooms, room, changed))
            room.published = None  # another process may have published a different count meanwhile
    finally:
        room.is_publishing = False  # or no later change would ever be published
        if not room.people:
            rooms.rooms.pop(room.stream, None)
    if not rooms.rooms:
        await rooms.server.aclose()  # it reconnects when needed


async def _publish(room: Room, count: int) -> None:
    await abroadcast_merged(room.stream, "presence", room.show(count))
    room.published = count


@contextmanager
def _logged(room: Room) -> Iterator[None]:
    """Log whatever goes wrong with one room, which must affect neither its future nor the others.

    The count is published again at the next change or refresh.
    """
    try:
        yield
    except (RedisError, OSError) as error:
        logger.warning("Could not update presence for %s: %s", room.stream, error)
    except Exception:
        logger.exception(
            "Could not show presence for %s; trying again when it is refreshed", room.stream
        )

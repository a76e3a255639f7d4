"""How many people follow a stream at this moment, over all processes.

Kept in Valkey: a sorted set a stream, of people by the time until which they count. A process says
now and then that its people are still there, so those of one that died are forgotten. The same
person in two windows counts once.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from apps.core.cable import protocol
from apps.core.cable.broadcasting import abroadcast_merged
from apps.core.cable.hub import Hub
from apps.core.cable.streams import group_name

logger = logging.getLogger(__name__)

LIFETIME = 30.0  # seconds that a person counts without another sign
REFRESH = 10.0  # seconds between two signs
TIMEOUT = 2  # seconds that the server has to answer

Show = Callable[[int], Any]  # the message that tells a stream how many there are


def server_at(url: str) -> Redis:
    """Return a client that tries once more at once, and then lets the page go on without it."""
    return Redis.from_url(
        url,
        socket_connect_timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 1),
    )


@dataclass
class Room:
    """The people of this process who follow one stream.

    Attributes:
        people: with the number of their windows.
        show: makes the message.
        told: the number that this process has sent last.
    """

    show: Show
    people: "Counter[str]" = field(default_factory=Counter)
    told: int | None = None


class Rooms:
    """The rooms of one event loop."""

    _all: "WeakKeyDictionary[asyncio.AbstractEventLoop, Rooms]" = WeakKeyDictionary()

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}
        self.refreshed_at = time.monotonic()
        self.server = server_at(str(settings.CACHES["default"]["LOCATION"]))

    @classmethod
    def current(cls) -> "Rooms":
        loop = asyncio.get_running_loop()
        if loop not in cls._all:
            cls._all[loop] = cls()
        return cls._all[loop]


async def enter(stream: str, person: str, show: Show) -> None:
    """Count a person, and tell everybody who follows the stream.

    Args:
        stream: its name.
        person: the same text for the same person.
        show: makes the message from the number of people.
    """
    rooms = Rooms.current()
    room = rooms.rooms.setdefault(stream, Room(show))
    room.people[person] += 1
    await _try(_sign(rooms, stream, [person]), stream)
    await _tell(rooms, stream, room)


async def leave(stream: str, person: str) -> None:
    """Count a person no more, unless another window of theirs is open in this process."""
    rooms = Rooms.current()
    room = rooms.rooms.get(stream)
    if room is None or not room.people[person]:
        return
    room.people[person] -= 1
    if room.people[person]:
        return
    del room.people[person]
    if not room.people:
        del rooms.rooms[stream]
    await _try(rooms.server.zrem(_key(stream), person), stream)
    await _tell(rooms, stream, room)
    if not rooms.rooms:
        await rooms.server.aclose()  # connects again when it is needed


async def keep(hub: Hub) -> None:
    """Say on the beat that our people are still there, and notice who is not any more."""
    rooms = Rooms.current()
    if time.monotonic() - rooms.refreshed_at < REFRESH:
        return
    rooms.refreshed_at = time.monotonic()
    for stream, room in list(rooms.rooms.items()):
        await _try(_sign(rooms, stream, list(room.people)), stream)
        count = await _try(_count(rooms, stream), stream)
        if count is not None and count != room.told:
            room.told = count
            hub.deliver_here(stream, protocol.encode(room.show(count)))


Hub.on_beat.append(keep)


def _key(stream: str) -> str:
    return f"dovetail:presence:{group_name(stream)}"


async def _sign(rooms: Rooms, stream: str, people: list[str]) -> None:
    until = time.time() + LIFETIME
    async with rooms.server.pipeline() as pipe:
        pipe.zadd(_key(stream), dict.fromkeys(people, until))
        pipe.expire(_key(stream), int(2 * LIFETIME) + 1)
        await pipe.execute()


async def _count(rooms: Rooms, stream: str) -> int:
    async with rooms.server.pipeline() as pipe:
        pipe.zremrangebyscore(_key(stream), 0, time.time())
        pipe.zcard(_key(stream))
        count: int = (await pipe.execute())[1]
    return count


async def _tell(rooms: Rooms, stream: str, room: Room) -> None:
    count = await _try(_count(rooms, stream), stream)
    if count is None:
        return
    room.told = count
    await _try(abroadcast_merged(stream, "presence", room.show(count)), stream)


async def _try(work: Any, stream: str) -> Any:
    """Return what the server answers; None, and a line in the log, when it does not."""
    try:
        return await work
    except (RedisError, OSError) as error:
        logger.warning("nobody knows who follows %s (%s)", stream, error)
        return None

"""How many people follow a stream at this moment, over all processes.

Kept in Valkey: a sorted set a stream, of people and processes by the time until which they count. A
process says now and then that its people are still there, so those of one that died are forgotten.
The same person in two windows, or in two processes, counts once.
"""

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from dovetail.cable.broadcasting import abroadcast_merged
from dovetail.cable.hub import Hub
from dovetail.cable.streams import group_name

logger = logging.getLogger(__name__)

LIFETIME = 30.0  # seconds that a person counts without another sign
REFRESH = 10.0  # seconds between two signs
DELAY = 0.1  # seconds in which those who come and go are told of together
TIMEOUT = 2  # seconds that the server has to answer
CONNECTIONS = 4

Show = Callable[[int], Any]  # the message that tells a stream how many there are


def server_at(url: str) -> Redis:
    """Return a client that tries once more at once, and then lets the page go on without it."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        socket_connect_timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 1),
    )
    return Redis.from_pool(pool)


@dataclass
class Room:
    """The people of this process who follow one stream.

    Attributes:
        stream: its name.
        show: makes the message.
        people: with the number of their windows.
        changed: who has come or gone since it was last told.
        is_telling: whether it is about to be told.
        told: the number that all pages have heard, as far as this process knows.
    """

    stream: str
    show: Show
    people: "Counter[str]" = field(default_factory=Counter)
    changed: set[str] = field(default_factory=set)
    is_telling: bool = False
    told: int | None = None


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
        if not room.is_telling:
            room.is_telling = True
            task = asyncio.create_task(_tell(self, room))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)


def enter(stream: str, person: str, show: Show) -> None:
    """Count a person, and tell everybody who follows the stream in a moment.

    Args:
        stream: its name.
        person: the same text for the same person.
        show: makes the message from the number of people. It is kept as long as somebody is there,
            so it is no method of one's channel.
    """
    rooms = Rooms.current()
    room = rooms.rooms.setdefault(stream, Room(stream, show))
    room.people[person] += 1
    rooms.change(room, person)


def leave(stream: str, person: str) -> None:
    """Count a person no more, unless another window of theirs is open."""
    rooms = Rooms.current()
    room = rooms.rooms.get(stream)
    if room is None or not room.people[person]:
        return
    room.people[person] -= 1
    if not room.people[person]:
        del room.people[person]
        rooms.change(room, person)


async def keep(_hub: Hub) -> None:
    """Say on the beat that our people are still there, and notice who is not any more."""
    rooms = Rooms.current()
    if time.monotonic() - rooms.refreshed_at < REFRESH:
        return
    rooms.refreshed_at = time.monotonic()
    for room in list(rooms.rooms.values()):
        count = await _try(_sign(rooms, room, set(room.people)), room.stream)
        if count is not None and count != room.told:
            await _say(room, count)


Hub.on_beat.append(keep)


def _key(stream: str) -> str:
    return f"{settings.PROJECT_NAME}:presence:{group_name(stream)}"


async def _sign(rooms: Rooms, room: Room, people: set[str]) -> int:
    """Say which of these people are here and which are not; return how many there are in all."""
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
        everybody: list[bytes] = (await pipe.execute())[-1]
    return len({entry.rpartition(b" ")[0] for entry in everybody})


async def _tell(rooms: Rooms, room: Room) -> None:
    while room.changed:
        await asyncio.sleep(DELAY)
        changed, room.changed = room.changed, set()
        count = await _try(_sign(rooms, room, changed), room.stream)
        if count is not None:
            await _say(room, count)
            room.told = None  # another process may have said another number in this very moment
    room.is_telling = False
    if not room.people:
        del rooms.rooms[room.stream]
    if not rooms.rooms:
        await rooms.server.aclose()  # connects again when it is needed


async def _say(room: Room, count: int) -> None:
    room.told = count
    await _try(abroadcast_merged(room.stream, "presence", room.show(count)), room.stream)


async def _try(work: Any, stream: str) -> Any:
    """Return what the server answers; None, and a line in the log, when it does not."""
    try:
        return await work
    except (RedisError, OSError) as error:
        logger.warning("nobody knows who follows %s (%s)", stream, error)
        return None

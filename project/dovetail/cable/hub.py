"""The hub that the sockets of an event loop share: one layer channel and one heartbeat.

A broadcast reaches a process once, is decoded once, and goes from here to every socket that follows
its stream. Own code because Channels' consumers have a channel, a queue and a task each, and pass
every message of every socket through one thread.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer

from dovetail import telemetry
from dovetail.cable import protocol
from dovetail.cable.channel import Channel, Socket
from dovetail.cable.database import THREADS
from dovetail.cable.streams import group_name

logger = logging.getLogger(__name__)

CONTROL = "cable.control"  # the group of all hubs
SEND_TIMEOUT = 10.0  # seconds a client has to take one frame
MERGE_DELAY = 0.1  # seconds in which messages of one kind to one stream are merged
JOIN_TIMEOUT = 5.0  # seconds the layer has to add a stream
CATCH_UP_SPREAD = 3.0  # seconds over which pages refresh after messages may have been lost
RETRY = 1.0  # seconds until a failed layer is tried again


class LayerUnavailable(Exception):  # noqa: N818 - a temporary state
    """The channel layer did not answer."""


class Stream:
    """The followers of one stream in this process.

    Attributes:
        channels: the subscriptions that follow it.
        joined: done when the layer delivers the stream's messages to the hub.
        rechecks: the number of running rechecks of its followers; messages are held back meanwhile.
        missed: whether a message was held back.
    """

    __slots__ = ("channels", "joined", "missed", "rechecks")

    def __init__(self, joined: "asyncio.Task[None]") -> None:
        self.channels: set[Channel] = set()
        self.joined = joined
        self.rechecks = 0
        self.missed = False


class Hub:
    """Delivers broadcasts to the sockets of one event loop; exists while there are any.

    Attributes:
        connections: all sockets of this loop.
        sockets_by_holder: the number of sockets per session, or per address for anonymous visitors.
        revocations: counts events that may have ended a session, so that a handshake can notice
            one before its socket is added.
        query_slots: limits concurrent rechecks, so that one thread stays free for new sockets.
        sessions_checked_at, rights_checked_at: when all were last rechecked, in `time.monotonic()`.
    """

    revocations: ClassVar[int] = 0

    _hubs: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, "Hub"]] = WeakKeyDictionary()
    # Hooks, called with the hub: on every heartbeat while sockets are open; after messages may have
    # been lost; and, with the stream's name, when access to a stream may have changed.
    on_heartbeat: ClassVar[list[Callable[["Hub"], Coroutine[Any, Any, None]]]] = []
    on_recovery: ClassVar[list[Callable[["Hub"], None]]] = []
    on_reauthorize: ClassVar[list[Callable[["Hub", str], Coroutine[Any, Any, None]]]] = []

    def __init__(self) -> None:
        self.connections: set[Socket] = set()
        self.sockets_by_holder: Counter[str] = Counter()
        self.streams: dict[str, Stream] = {}
        self.query_slots = asyncio.Semaphore(THREADS - 1)
        self.sessions_checked_at = self.rights_checked_at = time.monotonic()
        self.layer: Any = get_channel_layer()
        self._channel: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._beat())]
        self._merging: dict[tuple[str, str], str] = {}
        self._tidying: asyncio.Task[None] | None = None
        self.background: set[asyncio.Task[None]] = set()

    @classmethod
    def current(cls) -> "Hub":
        """Return the running loop's hub, creating it if needed."""
        loop = asyncio.get_running_loop()
        if loop not in cls._hubs:
            cls._hubs[loop] = cls()
        return cls._hubs[loop]

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> "Hub | None":
        """Return a loop's hub, None if the loop has no sockets."""
        return cls._hubs.get(loop)

    @classmethod
    def count_sockets(cls) -> int:
        """Return the number of sockets of this process; from any thread."""
        # Not by `values()`, which cannot be walked while a loop adds its hub.
        loops = [loop for reference in cls._hubs.keyrefs() if (loop := reference()) is not None]
        return sum(len(hub.connections) for loop in loops if (hub := cls.of(loop)))

    def add(self, connection: Socket) -> None:
        self.connections.add(connection)
        self.sockets_by_holder[connection.identity.holder] += 1

    def remove(self, connection: Socket) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
            self.sockets_by_holder.subtract([holder := connection.identity.holder])
            if not self.sockets_by_holder[holder]:
                del self.sockets_by_holder[holder]
        if not self.connections and self._hubs.get(asyncio.get_running_loop()) is self:
            del self._hubs[asyncio.get_running_loop()]
            for task in (*self._tasks, self._tidying):
                if task is not None:
                    task.cancel()

    # Streams

    async def join(self, name: str, channel: Channel) -> None:
        """Start delivering a stream's broadcasts to this channel.

        Raises:
            LayerUnavailable: the layer does not answer.
        """
        stream = self.streams.get(name)
        if stream is None or (stream.joined.done() and _failed(stream.joined)):
            stream = Stream(asyncio.create_task(self._add_to_layer(name)))
            self.streams[name] = stream
        stream.channels.add(channel)
        try:
            # Shielded: other sockets wait for this task, and half a command would break the layer.
            await asyncio.wait_for(asyncio.shield(stream.joined), JOIN_TIMEOUT)
        except Exception as error:
            stream.channels.discard(channel)
            raise LayerUnavailable(str(error) or type(error).__name__) from error

    def leave(self, channel: Channel) -> None:
        """Stop delivering to this channel; the next heartbeat removes streams without followers."""
        for name in channel.streams:
            if stream := self.streams.get(name):
                stream.channels.discard(channel)
        channel.streams.clear()

    async def _add_to_layer(self, name: str) -> None:
        channel = await asyncio.shield(self._channel)
        await self.layer.group_add(group_name(name), channel)

    async def _prune(self) -> None:
        empty = [name for name, stream in self.streams.items() if not stream.channels]
        for name in empty:
            stream = self.streams.get(name)
            if stream is None or stream.channels or not stream.joined.done():
                continue
            del self.streams[name]
            if not _failed(stream.joined):
                await self.layer.group_discard(group_name(name), self._channel.result())

    # Messages

    async def _listen(self) -> None:
        channel = ""
        try:
            while not channel:
                try:
                    channel = await self._open()
                except Exception as error:  # noqa: BLE001 - each layer raises its own
                    logger.warning("The channel layer is unavailable; trying again: %s", error)
                    await asyncio.sleep(RETRY)
            self._channel.set_result(channel)
            self._recover()  # sockets opened before may have missed a revocation
            while True:
                if message := await self._receive(channel):
                    self._deliver(message)
        finally:
            if channel:
                await self._close(channel)

    async def _receive(self, channel: str) -> dict[str, Any] | None:
        try:
            message: dict[str, Any] = await self.layer.receive(channel)
        except Exception:
            # Wait, in case it is not one bad message but a broken layer: this must not spin.
            logger.exception("Could not read a message from the channel layer; skipping it")
            await asyncio.sleep(RETRY)
            return None
        return message

    async def _open(self) -> str:
        channel: str = await self.layer.new_channel()
        await self.layer.group_add(CONTROL, channel)
        return channel

    async def _close(self, channel: str) -> None:
        groups = [CONTROL, *(group_name(name) for name in self.streams)]
        for group in groups:
            try:
                await self.layer.group_discard(group, channel)
            except Exception as error:  # noqa: BLE001 - a layer that is down has no groups to leave
                logger.info("Could not leave group %s of the channel layer: %s", group, error)

    def _deliver(self, message: dict[str, Any]) -> None:
        try:
            match message["type"]:
                case "cable.message":
                    with telemetry.continued(message.get("traceparent", "")):
                        self._deliver_or_merge(message)
                case "cable.disconnect":
                    self._disconnect(message)
                case "cable.reauthorize":
                    for check in self.on_reauthorize:
                        self.in_background(check(self, message["stream"]))
        except Exception:
            logger.exception("Could not deliver a broadcast; skipping it")

    def deliver_here(self, name: str, payload: str) -> None:
        """Send encoded JSON to the followers of a stream in this process."""
        stream = self.streams.get(name)
        if stream and stream.rechecks:
            stream.missed = True
            return
        with telemetry.span("deliver"):
            for channel in list(stream.channels) if stream else ():
                channel.deliver(payload)

    def _deliver_or_merge(self, message: dict[str, Any]) -> None:
        if "kind" in message:
            self._merge(message)
        else:
            self.deliver_here(message["stream"], message["payload"])

    def _merge(self, message: dict[str, Any]) -> None:
        """Wait a moment for more messages of this kind, and deliver a single message instead."""
        name = message["stream"]
        key = name, message["kind"]
        if key in self._merging:
            if self._merging[key] != message["payload"]:
                self._merging[key] = message["merged"]
            return
        self._merging[key] = message["payload"]
        loop = asyncio.get_running_loop()
        loop.call_later(MERGE_DELAY, lambda: self.deliver_here(name, self._merging.pop(key)))

    def _disconnect(self, message: dict[str, Any]) -> None:
        Hub.revocations += 1
        users, sessions = set(message["users"]), set(message["sessions"])
        for connection in list(self.connections):
            identity = connection.identity
            if identity.user_id in users or identity.session in sessions:
                connection.close(protocol.REMOTE, reconnect=True)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine without waiting for it, keeping a reference until it ends."""
        task = asyncio.create_task(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    # Time

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(protocol.BEAT_INTERVAL)
            ping, now = protocol.ping(time.time()), time.monotonic()
            for connection in list(self.connections):
                if connection.is_stuck(now, SEND_TIMEOUT):
                    connection.drop("the client stopped reading")
                else:
                    connection.push(ping)
            if not self._tidying or self._tidying.done():
                self._tidying = asyncio.create_task(self.tidy())

    async def tidy(self) -> None:
        """Do the work of a heartbeat that must not delay the pings."""
        for work in (Hub._prune, *self.on_heartbeat):
            try:
                await work(self)
            except Exception as error:  # noqa: BLE001 - the next heartbeat tries again
                name = getattr(work, "__qualname__", work)
                logger.warning("%s failed; trying again on the next heartbeat: %s", name, error)

    def announce_restart(self) -> None:
        """Tell every browser to reconnect, which it does after a random delay, and close."""
        for connection in list(self.connections):
            connection.close(protocol.SERVER_RESTART, reconnect=True)

    def catch_up(self) -> None:
        """Make up for lost messages: recheck all sockets, and let every channel catch up.

        Catching up is spread over some seconds, since pages fetch themselves.
        """
        self._recover()
        loop = asyncio.get_running_loop()
        for connection in list(self.connections):
            loop.call_later(random.uniform(0, CATCH_UP_SPREAD), connection.catch_up)  # noqa: S311

    def _recover(self) -> None:
        Hub.revocations += 1
        for recover in self.on_recovery:
            recover(self)


def _failed(task: "asyncio.Task[None]") -> bool:
    return task.cancelled() or task.exception() is not None

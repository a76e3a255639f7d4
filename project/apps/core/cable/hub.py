"""What an event loop's sockets share: one channel of the layer, one beat.

A broadcast reaches a process once, is decoded once, and goes from here to every socket that follows
its stream. Channels' consumers instead have a channel, a queue and a task each, and pass every
message of every socket through one thread.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer

from apps.core.cable import protocol
from apps.core.cable.streams import group_name

if TYPE_CHECKING:
    from apps.core.cable.channel import Channel
    from apps.core.cable.connection import Connection

logger = logging.getLogger(__name__)

CONTROL = "cable.control"  # the group of all hubs
SEND_TIMEOUT = 10.0  # seconds a browser has to take one frame
MERGE_DELAY = 0.1  # seconds in which several refreshes of one stream become one
JOIN_TIMEOUT = 5.0  # seconds the layer has to add a stream
CATCH_UP_SPREAD = 3.0  # seconds over which pages fetch anew what they may have missed


class LayerDown(Exception):  # noqa: N818 - a state that passes
    """The channel layer did not answer."""


class Stream:
    """Who follows one stream here. `joined` is done when the layer sends its messages to us."""

    __slots__ = ("channels", "joined")

    def __init__(self, joined: "asyncio.Task[None]") -> None:
        self.channels: set[Channel] = set()
        self.joined = joined


class Hub:
    """Lives while there are sockets.

    Attributes:
        connections: all sockets of this loop.
    """

    _hubs: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, "Hub"]] = WeakKeyDictionary()
    # Called on every beat, with the hub: what else has to happen regularly while sockets are open.
    on_beat: ClassVar[list[Callable[["Hub"], Coroutine[Any, Any, None]]]] = []

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self.streams: dict[str, Stream] = {}
        self.layer: Any = get_channel_layer()
        self._channel: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._beat())]
        self._merging: dict[tuple[str, str], str] = {}
        self._tidying: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()

    @classmethod
    def current(cls) -> "Hub":
        """Return the running loop's hub, a new one when there is none."""
        loop = asyncio.get_running_loop()
        if loop not in cls._hubs:
            cls._hubs[loop] = cls()
        return cls._hubs[loop]

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> "Hub | None":
        """Return a loop's hub if it has sockets."""
        return cls._hubs.get(loop)

    def add(self, connection: "Connection") -> None:
        self.connections.add(connection)

    def remove(self, connection: "Connection") -> None:
        self.connections.discard(connection)
        if not self.connections and self._hubs.get(asyncio.get_running_loop()) is self:
            del self._hubs[asyncio.get_running_loop()]
            for task in (*self._tasks, self._tidying):
                if task is not None:
                    task.cancel()

    # Streams

    async def join(self, name: str, channel: "Channel") -> None:
        """Deliver what is broadcast to a stream to this channel too.

        Raises:
            LayerDown: the layer does not answer.
        """
        stream = self.streams.get(name)
        if stream is None or (stream.joined.done() and _failed(stream.joined)):
            stream = Stream(asyncio.create_task(self._add_to_layer(name)))
            self.streams[name] = stream
        stream.channels.add(channel)
        try:
            # Shielded: others wait for the same answer, and half a command would break the layer.
            await asyncio.wait_for(asyncio.shield(stream.joined), JOIN_TIMEOUT)
        except Exception as error:
            stream.channels.discard(channel)
            raise LayerDown(str(error) or type(error).__name__) from error

    def leave(self, channel: "Channel") -> None:
        """Deliver nothing more to this channel; the beat gives the empty streams back."""
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
                except Exception as error:  # noqa: BLE001 - whatever it is, the layer is away
                    logger.warning("the channel layer does not answer (%s)", error)
                    await asyncio.sleep(1)
            self._channel.set_result(channel)
            while True:
                message = await self.layer.receive(channel)
                try:
                    self._deliver(message)
                except Exception:
                    logger.exception("a broadcast could not be delivered")
        finally:
            if channel:
                await self._close(channel)

    async def _open(self) -> str:
        channel: str = await self.layer.new_channel()
        await self.layer.group_add(CONTROL, channel)
        return channel

    async def _close(self, channel: str) -> None:
        groups = [CONTROL, *(group_name(name) for name in self.streams)]
        for group in groups:
            try:
                await self.layer.group_discard(group, channel)
            except Exception as error:  # noqa: BLE001 - then the layer has forgotten it already
                logger.info("the channel layer does not answer (%s)", error)

    def _deliver(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "cable.message" if "kind" in message:
                self._merge(message)
            case "cable.message":
                self.deliver_here(message["stream"], message["payload"])
            case "cable.disconnect":
                self._disconnect(message)
            case "cable.reauthorize":
                self.in_background(self.reauthorize(message["stream"]))

    def deliver_here(self, name: str, payload: str) -> None:
        """Send encoded JSON to the followers of a stream in this process."""
        stream = self.streams.get(name)
        for channel in list(stream.channels) if stream else ():
            if channel.is_live:
                channel.connection.push(protocol.message(channel.prefix, payload))

    def _merge(self, message: dict[str, Any]) -> None:
        """Wait a moment for more of the same kind, and send one for all."""
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
        users, sessions = set(message["users"]), set(message["sessions"])
        for connection in list(self.connections):
            identity = connection.identity
            if identity.user_id in users or identity.session in sessions:
                connection.close(protocol.REMOTE, reconnect=True)

    async def reauthorize(self, name: str) -> None:
        """Ask anew whether those who follow a stream may; end the subscriptions that may not."""
        stream = self.streams.get(name)
        answers: dict[tuple[type[Channel], str | None], bool] = {}
        for channel in list(stream.channels) if stream else []:
            key = type(channel), channel.user_id
            if key not in answers:
                try:
                    answers[key] = await channel.is_allowed()
                except Exception:
                    logger.exception("nobody could say who may follow %s: nobody may", name)
                    answers[key] = False
            if not answers[key]:
                await channel.connection.reject(channel)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something to its end without waiting for it."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # Time

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(protocol.BEAT_INTERVAL)
            ping, now = protocol.ping(time.time()), time.monotonic()
            for connection in list(self.connections):
                if connection.is_stuck(now, SEND_TIMEOUT):
                    connection.drop("it has stopped reading")
                else:
                    connection.push(ping)
            if not self._tidying or self._tidying.done():
                self._tidying = asyncio.create_task(self.tidy())

    async def tidy(self) -> None:
        """Do what the pings must not wait for."""
        for work in (Hub._prune, *self.on_beat):
            try:
                await work(self)
            except Exception as error:  # noqa: BLE001 - the next beat tries again
                logger.warning("a beat of the cable failed: %s", error)

    def say_goodbye(self) -> None:
        """Tell every browser that the server stops and will be back.

        Their clients come back at a moment of their own within six seconds.
        """
        for connection in list(self.connections):
            connection.close(protocol.SERVER_RESTART, reconnect=True)

    def catch_up(self) -> None:
        """Tell every channel that messages may have been lost, spread over some seconds."""
        loop = asyncio.get_running_loop()
        for connection in list(self.connections):
            loop.call_later(random.uniform(0, CATCH_UP_SPREAD), connection.catch_up)  # noqa: S311


def _failed(task: "asyncio.Task[None]") -> bool:
    return task.cancelled() or task.exception() is not None

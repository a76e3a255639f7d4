"""One socket that was let in, and its subscriptions.

It reads commands one after the other and never writes by itself: what it says goes through
`push`, into a queue with an end. A reader too slow for it is dropped, not waited for.
"""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dovetail.cable import protocol
from dovetail.cable.channel import Channel, Rejected
from dovetail.cable.hub import Hub, LayerDown
from dovetail.cable.identity import Identity

logger = logging.getLogger(__name__)

MAX_MESSAGE = 16 * 1024  # characters a browser may send at once
MAX_IDENTIFIER = 1024  # characters: it is kept as long as the subscription, and sent with each word
MAX_SUBSCRIPTIONS = 100
MAX_BURST = 250  # messages at once: a page that subscribes to all of its streams, twice over
MAX_RATE = 20  # messages a second in the long run
MAX_QUEUE = 256  # frames that wait for a slow reader
MAX_QUEUE_SIZE = 1024 * 1024  # characters that wait for a slow reader
CLOSE_TIMEOUT = 5.0  # seconds a closed socket has to be gone

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class InvalidRequest(Exception):  # noqa: N818 - an answer, not an error
    """The browser broke a rule: the socket is closed, not to come back."""


class Connection:
    """A browser's socket and its subscriptions.

    Attributes:
        hub: what delivers broadcasts to it.
        identity: who opened it, fixed for its life.
        subscriptions: by identifier, byte for byte as the browser wrote it.
        token: names this socket among those of all processes.
    """

    __slots__ = (
        "_closing", "_dropped", "_queue", "_queue_size", "_send", "_sender", "_sending_since",
        "_task", "_tokens", "_tokens_at", "hub", "identity", "subscriptions", "token",
    )  # fmt: skip

    def __init__(self, hub: Hub, identity: Identity, send: Send) -> None:
        self.hub = hub
        self.identity = identity
        self.subscriptions: dict[str, Channel] = {}
        self.token = secrets.token_urlsafe(12)
        self._send = send
        self._task = asyncio.current_task()
        self._queue: list[str] = []  # an empty deque takes ten times the memory
        self._queue_size = 0
        self._sender: asyncio.Task[None] | None = None
        self._sending_since = 0.0
        self._closing = False
        self._dropped = False
        self._tokens = float(MAX_BURST)
        self._tokens_at = time.monotonic()

    @property
    def user_id(self) -> str | None:
        return self.identity.user_id

    async def run(self, receive: Receive) -> None:
        """Greet the browser and do as it says until it is gone."""
        self.hub.add(self)
        try:
            self.push(protocol.WELCOME)
            while (event := await receive())["type"] == "websocket.receive":
                if not self._closing:
                    await self._take(event)
                del event  # or else it stays until the next one, for hours
        except asyncio.CancelledError:
            if not self._dropped:
                raise
        finally:
            self.hub.remove(self)
            if self._sender is not None:
                self._sender.cancel()
            await self._unsubscribe_all()

    async def follow(self, stream: str, channel: Channel) -> None:
        await self.hub.join(stream, channel)

    # Outgoing

    def push(self, frame: str) -> None:
        """Queue a frame; a reader that lets too much pile up is dropped."""
        if self._closing:
            return
        self._queue_size += len(frame)
        if len(self._queue) >= MAX_QUEUE or self._queue_size > MAX_QUEUE_SIZE:
            self.drop("it reads too slowly")
            return
        self._queue.append(frame)
        if self._sender is None:
            self._sending_since = time.monotonic()
            self._sender = asyncio.create_task(self._send_queue())

    def close(self, reason: str, *, reconnect: bool) -> None:
        """Tell the browser to go, and whether it may come back; then close."""
        if self._closing:
            return
        self.push(protocol.disconnect(reason, reconnect=reconnect))
        self._closing = True
        asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self.drop, "it does not close")

    def catch_up(self) -> None:
        for channel in self.subscriptions.values():
            channel.catch_up()

    def drop(self, reason: str) -> None:
        """End without another word: the browser does not listen."""
        task = self._task
        if self._dropped or task is None or task.done():
            return
        logger.info("a cable connection is dropped: %s", reason)
        self._closing = self._dropped = True
        self._queue.clear()
        task.cancel()

    def is_stuck(self, now: float, timeout: float) -> bool:
        """Tell whether one frame has waited so many seconds for the browser to take it."""
        return self._sender is not None and now - self._sending_since > timeout

    async def _send_queue(self) -> None:
        try:
            while self._queue:
                frame = self._queue.pop(0)
                self._queue_size -= len(frame)
                self._sending_since = time.monotonic()
                await self._send({"type": "websocket.send", "text": frame})
            if self._closing:
                await self._send({"type": "websocket.close", "code": 1000})
        except Exception as error:  # noqa: BLE001 - each server has its own for a lost socket
            self.drop(f"it is gone ({type(error).__name__})")
        finally:
            self._sender = None

    # Incoming

    async def _take(self, event: Mapping[str, Any]) -> None:
        """Carry out one message. An error in it is logged: the other subscriptions live on."""
        try:
            await self._command(event)
        except InvalidRequest as error:
            logger.warning("a cable connection is closed: %s", error)
            self.close(protocol.INVALID_REQUEST, reconnect=False)
        except LayerDown as error:
            # Unanswered, the browser asks again twice a second until it works.
            logger.warning("the channel layer does not answer (%s): a subscription waits", error)
        except Exception:
            logger.exception("a cable command failed")

    async def _command(self, event: Mapping[str, Any]) -> None:
        self._count_message()
        text = event.get("text")
        if text is None:
            raise InvalidRequest("it sent a binary frame")
        if len(text) > MAX_MESSAGE:
            raise InvalidRequest(f"it sent a message of {len(text)} characters")
        data = _json_object(text)
        identifier = data.get("identifier")
        if not isinstance(identifier, str):
            raise InvalidRequest("it sent a command without an identifier")
        match data.get("command"):
            case "subscribe":
                await self._subscribe(identifier)
            case "unsubscribe":
                if channel := self.subscriptions.pop(identifier, None):
                    await self._end(channel)
            case "message":
                await self._perform(identifier, data.get("data"))
            case command:
                logger.info("an unknown cable command is ignored: %.40r", command)

    def _count_message(self) -> None:
        now = time.monotonic()
        self._tokens = min(MAX_BURST, self._tokens + (now - self._tokens_at) * MAX_RATE) - 1
        self._tokens_at = now
        if self._tokens < 0:
            raise InvalidRequest("it sends too many messages")

    async def _subscribe(self, identifier: str) -> None:
        if identifier not in self.subscriptions:
            channel = self._build(identifier)
            if channel is None:
                self.push(protocol.rejection(identifier))
                return
            self.subscriptions[identifier] = channel
            try:
                await channel.subscribed()
                # Not there any more: its person lost the right to it meanwhile.
                channel.is_live = self.subscriptions.get(identifier) is channel
            except Rejected:
                self.reject(channel)
            finally:
                if not channel.is_live:
                    self.subscriptions.pop(identifier, None)
                    await self._end(channel)
            if not channel.is_live:
                return
        # Also for a second time: without an answer the browser would ask for ever.
        self.push(protocol.confirmation(identifier))

    def _build(self, identifier: str) -> Channel | None:
        if len(identifier) > MAX_IDENTIFIER:
            return None
        if len(self.subscriptions) >= MAX_SUBSCRIPTIONS:
            logger.warning("a cable connection wants more than %d streams", MAX_SUBSCRIPTIONS)
            return None
        try:
            params = _json_object(identifier)
        except InvalidRequest:
            return None
        name = params.pop("channel", None)
        kind = Channel.registry.get(name) if isinstance(name, str) else None
        return kind(self, identifier, params) if kind else None

    async def _perform(self, identifier: str, text: Any) -> None:
        channel = self.subscriptions.get(identifier)
        if channel is None:
            return  # it was rejected, or has just ended
        data = _json_object(text) if isinstance(text, str) else {}
        name = data.pop("action", "receive")
        if not isinstance(name, str) or name not in channel.actions:
            logger.info("%s has no action %.40r", type(channel).__name__, name)
            return
        await getattr(channel, name)(data)

    # Endings

    def reject(self, channel: Channel) -> None:
        """End a subscription whose person may no longer follow it; the browser forgets it."""
        if self.subscriptions.get(channel.identifier) is not channel:
            return
        del self.subscriptions[channel.identifier]
        self.hub.leave(channel)
        self.push(protocol.rejection(channel.identifier))
        if channel.is_live:  # or else it is still being subscribed, and cleaned up there
            self.hub.in_background(self._end(channel))

    async def _unsubscribe_all(self) -> None:
        channels = list(self.subscriptions.values())
        self.subscriptions.clear()
        for channel in channels:
            await self._end(channel)

    async def _end(self, channel: Channel) -> None:
        self.hub.leave(channel)
        try:
            await channel.unsubscribed()
        except Exception:
            logger.exception("%s could not clean up", type(channel).__name__)


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("it sent text that is no JSON") from error
    if not isinstance(value, dict):
        raise InvalidRequest("it sent JSON that is no object")
    return value

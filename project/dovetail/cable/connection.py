"""One accepted socket and its subscriptions.

It handles commands one at a time. Outgoing frames go through `push` into a bounded queue; a client
that reads too slowly is dropped rather than waited for.
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
from dovetail.cable.hub import Hub, LayerUnavailable
from dovetail.cable.identity import Identity

logger = logging.getLogger(__name__)

MAX_MESSAGE = 16 * 1024  # characters in one message from a browser
MAX_IDENTIFIER = 1024  # characters; kept with the subscription and sent with each of its messages
MAX_SUBSCRIPTIONS = 100
MAX_BURST = 250  # messages at once: enough for a page to subscribe to all of its streams twice
MAX_RATE = 20  # messages per second in the long run
MAX_QUEUE = 256  # frames queued for a slow reader
MAX_QUEUE_SIZE = 1024 * 1024  # characters queued for a slow reader
CLOSE_TIMEOUT = 5.0  # seconds until a client that was told to close is dropped

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class InvalidRequest(Exception):  # noqa: N818 - an answer, not an error
    """The browser violated the protocol or a limit; its socket is closed for good."""


class Connection:
    """A browser's socket and its subscriptions.

    Attributes:
        hub: delivers broadcasts to it.
        identity: who opened it; never changes.
        subscriptions: by identifier, byte for byte as the browser sent it.
        token: unique among the sockets of all processes.
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
        self._queue: list[str] = []  # an empty deque takes ten times as much memory
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
        """Welcome the browser and handle its messages until it disconnects."""
        self.hub.add(self)
        try:
            self.push(protocol.WELCOME)
            while (event := await receive())["type"] == "websocket.receive":
                if not self._closing:
                    await self._handle(event)
                del event  # otherwise it stays in memory until the next one, perhaps for hours
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
        """Queue a frame, or drop the socket if its queue is full."""
        if self._closing:
            return
        self._queue_size += len(frame)
        if len(self._queue) >= MAX_QUEUE or self._queue_size > MAX_QUEUE_SIZE:
            self.drop("the client reads too slowly")
            return
        self._queue.append(frame)
        if self._sender is None:
            self._sending_since = time.monotonic()
            self._sender = asyncio.create_task(self._send_queue())

    def close(self, reason: str, *, reconnect: bool) -> None:
        """Tell the browser to disconnect and whether to reconnect, then close."""
        if self._closing:
            return
        self.push(protocol.disconnect(reason, reconnect=reconnect))
        self._closing = True
        asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self.drop, "the client did not close")

    def catch_up(self) -> None:
        for channel in self.subscriptions.values():
            channel.catch_up()

    def drop(self, reason: str) -> None:
        """End the socket without a closing message, for a client that does not read."""
        task = self._task
        if self._dropped or task is None or task.done():
            return
        logger.info("Dropped cable connection: %s", reason)
        self._closing = self._dropped = True
        self._queue.clear()
        task.cancel()

    def is_stuck(self, now: float, timeout: float) -> bool:
        """Return whether the client has not taken a frame for more than `timeout` seconds."""
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
        except Exception as error:  # noqa: BLE001 - each server raises its own for a lost socket
            self.drop(f"sending failed with {type(error).__name__}")
        finally:
            self._sender = None

    # Incoming

    async def _handle(self, event: Mapping[str, Any]) -> None:
        """Execute one message. Errors are logged and leave the other subscriptions open."""
        try:
            await self._execute(event)
        except InvalidRequest as error:
            logger.warning("Closing cable connection for good: %s", error)
            self.close(protocol.INVALID_REQUEST, reconnect=False)
        except LayerUnavailable as error:
            # Without an answer, the client asks again twice a second until it gets one.
            logger.warning(
                "The channel layer is unavailable; the client will retry its subscription: %s",
                error,
            )
        except Exception:
            logger.exception("Cable command failed; the connection stays open")

    async def _execute(self, event: Mapping[str, Any]) -> None:
        self._count_message()
        text = event.get("text")
        if text is None:
            raise InvalidRequest("received a binary frame")
        if len(text) > MAX_MESSAGE:
            raise InvalidRequest(f"received {len(text)} characters, the limit is {MAX_MESSAGE}")
        data = _json_object(text)
        identifier = data.get("identifier")
        if not isinstance(identifier, str):
            raise InvalidRequest("received a command without an identifier")
        match data.get("command"):
            case "subscribe":
                await self._subscribe(identifier)
            case "unsubscribe":
                if channel := self.subscriptions.pop(identifier, None):
                    await self._end(channel)
            case "message":
                await self._perform(identifier, data.get("data"))
            case command:
                logger.info("Ignored unknown cable command %.40r", command)

    def _count_message(self) -> None:
        now = time.monotonic()
        self._tokens = min(MAX_BURST, self._tokens + (now - self._tokens_at) * MAX_RATE) - 1
        self._tokens_at = now
        if self._tokens < 0:
            raise InvalidRequest("received too many messages")

    async def _subscribe(self, identifier: str) -> None:
        if identifier not in self.subscriptions:
            channel = self._build(identifier)
            if channel is None:
                self.push(protocol.rejection(identifier))
                return
            self.subscriptions[identifier] = channel
            try:
                await channel.subscribed()
                # A recheck may have removed it in the meantime.
                channel.is_confirmed = self.subscriptions.get(identifier) is channel
            except Rejected:
                self.reject(channel)
            finally:
                if not channel.is_confirmed:
                    self.subscriptions.pop(identifier, None)
                    await self._end(channel)
            if not channel.is_confirmed:
                return
        # Confirm a repeated subscribe too: without an answer, the client keeps asking.
        self.push(protocol.confirmation(identifier))
        channel = self.subscriptions[identifier]
        if channel.is_behind:
            channel.is_behind = False
            channel.catch_up()

    def _build(self, identifier: str) -> Channel | None:
        if len(identifier) > MAX_IDENTIFIER:
            return None
        if len(self.subscriptions) >= MAX_SUBSCRIPTIONS:
            logger.warning("Rejected cable subscription: limit of %d reached", MAX_SUBSCRIPTIONS)
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
            return  # rejected or just ended
        data = _json_object(text) if isinstance(text, str) else {}
        name = data.pop("action", "receive")
        if not isinstance(name, str) or name not in channel.actions:
            logger.info("Ignored call: %s has no action %.40r", type(channel).__name__, name)
            return
        await getattr(channel, name)(data)

    # Endings

    def reject(self, channel: Channel) -> None:
        """End a subscription whose user lost access; the client does not try it again."""
        if self.subscriptions.get(channel.identifier) is not channel:
            return
        del self.subscriptions[channel.identifier]
        self.hub.leave(channel)
        self.push(protocol.rejection(channel.identifier))
        if channel.is_confirmed:  # otherwise `_subscribe` is still running and cleans up
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
            logger.exception(
                "%s.unsubscribed failed; the subscription ended anyway", type(channel).__name__
            )


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("received invalid JSON") from error
    if not isinstance(value, dict):
        raise InvalidRequest("received JSON that is not an object")
    return value

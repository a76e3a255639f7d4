"""The base class of channels, to which browsers subscribe by class name.

    class ScoreChannel(Channel):
        async def subscribed(self) -> None:
            await self.stream_from(f"scores:{self.params['match']}")

Channels are found in the `cable_channels.py` of each app.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Protocol, TypeVar

from dovetail.cable import protocol
from dovetail.cable.database import in_thread
from dovetail.cable.identity import Identity, Person, load_user

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[None]])


class Rejected(Exception):  # noqa: N818 - an answer, not an error
    """Raised in `subscribed` to reject the subscription."""


def action(handler: Handler) -> Handler:
    """Let the browser call this method: `subscription.perform("name", {…})`."""
    handler.is_action = True  # type: ignore[attr-defined]
    return handler


class Socket(Protocol):
    """The part of `Connection` that channels and the hub use."""

    identity: Identity
    token: str

    @property
    def user_id(self) -> str | None: ...

    def push(self, frame: str) -> None: ...

    def close(self, reason: str, *, reconnect: bool) -> None: ...

    def drop(self, reason: str) -> None: ...

    def catch_up(self) -> None: ...

    def is_stuck(self, now: float, timeout: float) -> bool: ...

    async def follow(self, stream: str, channel: "Channel") -> None: ...

    def reject(self, channel: "Channel") -> None: ...


class Channel:
    """One subscription of one socket.

    Override `subscribed` to follow streams or raise `Rejected`; define actions and override
    `unsubscribed` as needed.

    Attributes:
        params: what the browser sent besides the channel's name.
        is_confirmed: whether the subscription is confirmed; before that, it receives nothing.
        is_behind: whether to `catch_up` once it is confirmed.
    """

    registry: ClassVar[dict[str, type["Channel"]]] = {}
    actions: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, connection: Socket, identifier: str, params: dict[str, Any]) -> None:
        self.connection = connection
        self.identifier = identifier
        self.params = params
        self.prefix = protocol.message_prefix(identifier)
        self.streams: list[str] = []
        self.is_confirmed = False
        self.is_behind = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        Channel.registry[cls.__name__] = cls
        members = inspect.getmembers(cls, inspect.iscoroutinefunction)
        cls.actions = frozenset(
            name for name, member in members if getattr(member, "is_action", False)
        )

    @property
    def user_id(self) -> str | None:
        return self.connection.user_id

    async def subscribed(self) -> None:
        """Call `self.stream_from(name)`, or raise `Rejected`."""
        raise Rejected

    async def unsubscribed(self) -> None:
        """Clean up after the subscription ends."""

    def catch_up(self) -> None:
        """Make up for messages lost while subscribing or while the layer was unavailable."""

    async def is_allowed(self) -> bool:
        """Return whether the user may follow the stream; `reauthorize` checks this again."""
        return True

    async def stream_from(self, stream: str) -> None:
        """Follow a stream, so that what is broadcast after this returns is delivered."""
        self.streams.append(stream)  # first, so that `Hub.leave` removes it if joining fails
        await self.connection.follow(stream, self)

    def transmit(self, message: Any) -> None:
        """Send JSON to this subscription only."""
        self.connection.push(protocol.message(self.prefix, protocol.encode(message)))

    def deliver(self, payload: str) -> None:
        """Send encoded JSON that was broadcast to a followed stream."""
        if self.is_confirmed:
            self.connection.push(protocol.message(self.prefix, payload))
        else:
            self.is_behind = True

    async def ask(self, question: Callable[[Person], bool]) -> bool:
        """Return the answer to a question about the current user, which may query the database."""
        return await in_thread(lambda: question(load_user(self.user_id)))

"""What a browser can subscribe to: `class ArticleChannel(Channel)`, found by its name."""

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from apps.core.cable import protocol
from apps.core.cable.database import in_thread

if TYPE_CHECKING:
    from apps.core.cable.connection import Connection

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[None]])
Person = AbstractBaseUser | AnonymousUser


class Rejected(Exception):  # noqa: N818 - an answer, not an error
    """Raised in `subscribed` to refuse the subscription."""


def action(handler: Handler) -> Handler:
    """Let the browser call this method: `subscription.perform("name", {…})`."""
    handler.is_action = True  # type: ignore[attr-defined]
    return handler


class Channel:
    """One subscription of one socket.

    A channel overrides `subscribed`, which names the streams or raises `Rejected`. It may have
    actions, and override `unsubscribed`.

    Attributes:
        params: what the browser gave beside the name of the channel.
    """

    registry: ClassVar[dict[str, type["Channel"]]] = {}
    actions: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, connection: "Connection", identifier: str, params: dict[str, Any]) -> None:
        self.connection = connection
        self.identifier = identifier
        self.params = params
        self.prefix = protocol.message_prefix(identifier)
        self.streams: list[str] = []
        self.is_live = False  # receives nothing before it is confirmed

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
        """Clean up, when the page or the socket is gone."""

    def catch_up(self) -> None:
        """Make up for messages that may have been lost: the layer was away for a moment."""

    async def is_allowed(self) -> bool:
        """Tell whether this person may still follow; asked again by `reauthorize`."""
        return True

    async def stream_from(self, stream: str) -> None:
        """Receive what is broadcast to a stream; returns when nothing can be missed any more."""
        self.streams.append(stream)  # first: whatever happens while joining, `leave` knows of it
        await self.connection.hub.join(stream, self)

    def transmit(self, message: Any) -> None:
        """Send JSON to this one subscription."""
        self.connection.push(protocol.message(self.prefix, protocol.encode(message)))

    async def ask(self, question: Callable[[Person], bool]) -> bool:
        """Answer a question that takes a person and asks the database."""
        return await in_thread(lambda: question(load_user(self.user_id)))


def load_user(user_id: str | None) -> Person:
    """Return the active user as the database has it now, or an anonymous one."""
    if user_id is not None:
        user = get_user_model()._default_manager.filter(pk=user_id, is_active=True).first()
        if user is not None:
            return user
    return AnonymousUser()

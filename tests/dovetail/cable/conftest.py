"""A simulated browser that speaks the protocol to the application in process."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.layers import channel_layers
from django.conf import settings
from django.test import Client

from apps.users.models import User
from dovetail.cable import presence
from dovetail.cable.asgi import with_cable
from dovetail.cable.presence import Rooms
from dovetail.cable.streams import sign

ORIGIN = "http://testserver"
LIMIT = 60  # seconds; generous, for a busy machine
Communicator: Any = ApplicationCommunicator  # asgiref gives it no types


async def _no_http(*_: Any) -> None:
    raise AssertionError("Only WebSockets are expected here")


application = with_cable(_no_http)


class Browser:
    """One socket, used as Rails' client would."""

    def __init__(self, session: str | None = None, **headers: str) -> None:
        values = {"origin": ORIGIN, "host": "testserver"} | headers
        if session:
            values["cookie"] = f"{settings.SESSION_COOKIE_NAME}={session}"
        self.scope: dict[str, Any] = {
            "type": "websocket",
            "path": "/cable",
            "client": ("192.0.2.1", 50000),
            "headers": [(name.encode(), value.encode()) for name, value in values.items()],
            "subprotocols": ["actioncable-v1-json", "actioncable-unsupported"],
        }

    async def open(self) -> bool:
        """Shake hands, and return whether the server accepted."""
        self.socket = Communicator(application, self.scope)
        await self.socket.send_input({"type": "websocket.connect"})
        answer = await self.socket.receive_output(timeout=LIMIT)
        accepted = {"type": "websocket.accept", "subprotocol": "actioncable-v1-json"}
        assert answer == accepted or answer["type"] == "websocket.close"
        return bool(answer == accepted)

    async def connect(self) -> "Browser":
        assert await self.open()
        assert await self.receive() == {"type": "welcome"}
        return self

    async def close(self) -> None:
        """Disconnect without a closing message, as a closed tab does."""
        await self.socket.send_input({"type": "websocket.disconnect", "code": 1005})
        await self.socket.wait(timeout=LIMIT)

    async def receive(self) -> dict[str, Any]:
        """Return the next frame that is not a ping."""
        deadline = time.monotonic() + LIMIT
        while True:
            event = await self.socket.receive_output(timeout=deadline - time.monotonic())
            assert event["type"] == "websocket.send", event
            frame: dict[str, Any] = json.loads(event["text"])
            if frame.get("type") != "ping":
                return frame

    async def receives_nothing(self) -> bool:
        """Return whether no frame but pings comes for a while."""
        deadline = time.monotonic() + 0.3
        while (remaining := deadline - time.monotonic()) > 0:
            if await self.socket.receive_nothing(timeout=remaining):
                return True
            event = await self.socket.receive_output(timeout=LIMIT)
            if json.loads(event.get("text", "{}")).get("type") != "ping":
                return False
        return True

    async def send_frame(self, **frame: Any) -> None:
        await self.socket.send_input({"type": "websocket.receive"} | frame)

    async def send(self, **command: Any) -> None:
        await self.send_frame(text=json.dumps(command))

    async def subscribe(self, identifier: str) -> dict[str, Any]:
        await self.send(command="subscribe", identifier=identifier)
        return await self.receive()

    async def is_closed(self) -> bool:
        event = await self.socket.receive_output(timeout=LIMIT)
        return bool(event["type"] == "websocket.close")


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"not fulfilled within {LIMIT} seconds"
        await asyncio.sleep(0.01)


Connect = Callable[..., Awaitable[Browser]]


@pytest.fixture(autouse=True)
def _fresh_layer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    channel_layers.backends.clear()
    # The tests' Valkey server is written in Python and may be slow.
    monkeypatch.setattr(presence, "TIMEOUT", LIMIT)
    yield
    channel_layers.backends.clear()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Return a function that opens a socket; all are closed after the test."""
    browsers: list[Browser] = []

    async def connect(session: str | None = None, **headers: str) -> Browser:
        browsers.append(Browser(session, **headers))
        return await browsers[-1].connect()

    yield connect
    for browser in browsers:
        await browser.close()
    await until(lambda: not Rooms.current().tasks)


def log_in(user: User) -> str:
    """Return the key of a new session of this user."""
    client = Client()
    client.force_login(user)
    assert client.session.session_key
    return client.session.session_key


def turbo_identifier(
    stream: str, user: User | None = None, channel: str = "TurboStreamsChannel"
) -> str:
    signed = sign(channel, stream, str(user.pk) if user else None)
    return json.dumps({"channel": channel, "signed_stream_name": signed})

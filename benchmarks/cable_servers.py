"""The servers that cable.py compares the cable with: a plain Channels consumer, and an echo."""

import os
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

from django.core.asgi import get_asgi_application

get_asgi_application()

from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402 - needs Django

GROUP = "benchmark"


class PlainConsumer(AsyncJsonWebsocketConsumer):
    """A consumer as in the Channels documentation: a group and a handler for its messages."""

    groups = [GROUP]

    async def connect(self) -> None:
        await self.accept()
        await self.send_json({"type": "ready"})

    async def say(self, event: Mapping[str, Any]) -> None:
        await self.send_json({"message": event["message"]})


plain = PlainConsumer.as_asgi()


async def echo(_scope: Any, receive: Any, send: Any) -> None:
    """Accept the connection and send back each message."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": '{"type":"ready"}'})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event.get("text") or ""})

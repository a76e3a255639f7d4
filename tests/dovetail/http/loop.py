"""Asks an application that answers some requests on the event loop, before Django."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from django.core.asgi import get_asgi_application

from dovetail.http.lifespan import Application


class Loop:
    """A site, and what it leaves to Django.

    Attributes:
        left: the number of requests that Django has answered.
        identifiers: the `X-Request-ID` of each answer.
    """

    def __init__(self, wrap: Callable[[Application], Application]) -> None:
        self.left = 0
        self.identifiers: list[bytes | None] = []
        self.django = cast("Application", get_asgi_application())
        self.application = wrap(self.count)

    async def count(self, scope: Any, receive: Any, send: Any) -> None:
        self.left += 1
        await self.django(scope, receive, send)

    async def get(self, path: str, headers: dict[str, str], *, on_loop: bool = True) -> Any:
        """Return status, headers, body and the path of a file that the server is to send."""
        values = {"host": "testserver", "x_forwarded_proto": "https"} | headers
        address, _, query = path.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": values.pop("method", "GET"),
            "scheme": "http",
            "path": address,
            "query_string": query.encode(),
            "headers": [
                (name.replace("_", "-").encode(), value.encode())
                for name, value in values.items()
                if value
            ],
            "extensions": {"http.response.pathsend": {}},
        }
        sent: list[Any] = []
        ask = self.application if on_loop else self.django
        await ask(scope, _receive([{"type": "http.request"}]), _send(sent))
        found = sorted((name.lower(), value) for name, value in sent[0]["headers"])
        self.identifiers.append(dict(found).get(b"x-request-id"))
        found = [header for header in found if header[0] != b"x-request-id"]
        content = b"".join(message.get("body", b"") for message in sent)
        file = next((message["path"] for message in sent if "path" in message), None)
        return sent[0]["status"], found, content, file


def _receive(messages: list[Any]) -> Any:
    async def receive() -> Any:
        return messages.pop() if messages else await asyncio.Event().wait()

    return receive


def _send(sent: list[Any]) -> Any:
    async def send(message: Any) -> None:
        sent.append(message)

    return send

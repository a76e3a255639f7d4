"""A process that is about to stop asks clients to close their connections."""

from typing import Any

import pytest

from dovetail.http import closing
from dovetail.http.lifespan import Receive, Scope, Send

START = {"type": "http.response.start", "status": 200, "headers": [(b"x-kept", b"1")]}


async def site(scope: Scope, receive: Receive, send: Send) -> None:
    del scope
    await send(START)
    await receive()  # in the middle of which the process is told
    await send({"type": "http.response.body", "body": b"done"})


@pytest.mark.parametrize("told", [False, True])
async def test_answers_close_their_connections(monkeypatch: pytest.MonkeyPatch, told: bool) -> None:
    monkeypatch.setattr(closing, "_is_closing", False)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, str]:
        return {"type": "http.request"}

    if told:
        closing.start()
    await closing.with_closing(site)({"type": "http"}, receive, send)

    expected = [(b"x-kept", b"1"), *([(b"connection", b"close")] if told else [])]
    assert sent[0]["headers"] == expected
    assert sent[1]["body"] == b"done"

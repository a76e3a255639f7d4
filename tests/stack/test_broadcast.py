"""From a task through RabbitMQ, the worker and Valkey to what is open on two web servers."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.cable.websocket import RawSocket
from tests.stack.conftest import Eventually
from tests.stack.stack import ROOT, Stack, is_open

SIGN = """
from apps.core.cable.streams import sign
print(sign("TurboStreamsChannel", "stack", None))
"""
SEND = """
from apps.core.turbo.tasks import render_broadcast
context = {"icon": "page", "title": "From a task"}
render_broadcast.delay("stack", "append", "list", "components/empty_state.html", context)
"""


@pytest.fixture
def second_web(stack: Stack, eventually: type[Eventually]) -> Iterator[str]:
    """Start another server beside that of the stack, on the same services."""
    port = stack.ports["PORT"] + 10
    process = subprocess.Popen(
        [
            *("granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)),
            *("--workers-kill-timeout", "5s", "config.asgi:application"),
        ],
        cwd=ROOT / "project",
        env=stack.environment | {"DJANGO_SETTINGS_MODULE": "config.settings.dev"},
    )
    try:
        for _ in eventually():
            if is_open(port):
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def test_a_task_reaches_the_pages_of_two_servers(stack: Stack, second_web: str) -> None:
    signed = stack.manage("shell", "--no-imports", "--command", SIGN).strip()
    identifier = json.dumps({"channel": "TurboStreamsChannel", "signed_stream_name": signed})
    first_web = f"http://127.0.0.1:{stack.ports['PORT']}"
    with closing(RawSocket(first_web)) as one, closing(RawSocket(second_web)) as two:
        for socket in (one, two):
            assert socket.receive() == {"type": "welcome"}
            socket.command("subscribe", identifier)
            confirmed = {"identifier": identifier, "type": "confirm_subscription"}
            assert socket.receive() == confirmed

        stack.manage("shell", "--no-imports", "--command", SEND)

        for socket in (one, two):
            message = socket.receive()
            assert message
            assert message["message"].startswith('<turbo-stream action="append" target="list">')
            assert "From a task" in message["message"]

"""Every message of the protocol, and the ways to misuse it."""

import asyncio
import json
from typing import Any, ClassVar

import pytest

from dovetail.cable import connection, protocol
from dovetail.cable.broadcasting import abroadcast
from dovetail.cable.channel import Channel, Rejected, action
from dovetail.cable.hub import Hub
from dovetail.cable.identity import Identity
from dovetail.http.headers import MAX_HEADER
from tests.dovetail.cable.conftest import LIMIT, Browser, Connect, turbo_identifier


class EchoChannel(Channel):
    """Echoes what it receives; rejects the room "closed" and fails in "broken"."""

    cleaned: ClassVar[list[str]] = []

    async def subscribed(self) -> None:
        if self.params.get("room") == "closed":
            raise Rejected
        if self.params.get("room") == "broken":
            raise RuntimeError("no such room")
        await self.stream_from(f"echo:{self.params.get('room')}")

    async def unsubscribed(self) -> None:
        self.cleaned.append(str(self.params.get("room")))

    @action
    async def receive(self, data: dict[str, Any]) -> None:
        self.transmit({"received": data})

    @action
    async def speak(self, data: dict[str, Any]) -> None:
        self.transmit({"spoken": data["text"]})

    async def secret(self, _data: dict[str, Any]) -> None:
        self.transmit("not for browsers")


ECHO = json.dumps({"channel": "EchoChannel", "room": "blue"})


async def test_subscribe_broadcast_unsubscribe(connect: Connect) -> None:
    browser = await connect()
    assert await browser.subscribe(ECHO) == {"identifier": ECHO, "type": "confirm_subscription"}

    await abroadcast("echo:blue", message={"html": "<b>木</b>"})
    assert await browser.receive() == {"identifier": ECHO, "message": {"html": "<b>木</b>"}}

    await browser.send(command="unsubscribe", identifier=ECHO)
    await asyncio.sleep(0.05)
    await abroadcast("echo:blue", message="too late")
    assert await browser.receives_nothing()


@pytest.mark.parametrize(
    "identifier",
    [
        '{"room":"blue","channel":"EchoChannel"}',
        '{"channel": "EchoChannel",  "room": "木"}',
        '{"channel":"EchoChannel","room":"\\u6728"}',
    ],
)
async def test_identifier_is_returned_byte_for_byte(connect: Connect, identifier: str) -> None:
    browser = await connect()

    assert (await browser.subscribe(identifier))["identifier"] == identifier


async def test_repeated_subscribe_is_confirmed_but_delivers_once(connect: Connect) -> None:
    browser = await connect()
    await browser.subscribe(ECHO)

    assert (await browser.subscribe(ECHO))["type"] == "confirm_subscription"
    await abroadcast("echo:blue", message=1)
    assert (await browser.receive())["message"] == 1
    assert await browser.receives_nothing()


async def test_actions_are_performed(connect: Connect) -> None:
    browser = await connect()
    await browser.subscribe(ECHO)

    data = json.dumps({"action": "speak", "text": "hello"})
    await browser.send(command="message", identifier=ECHO, data=data)
    assert (await browser.receive())["message"] == {"spoken": "hello"}

    await browser.send(command="message", identifier=ECHO, data=json.dumps({"n": 1}))
    assert (await browser.receive())["message"] == {"received": {"n": 1}}


@pytest.mark.parametrize("name", ["secret", "unsubscribed", "__init__", "nothing", 5, None])
async def test_only_actions_can_be_called(connect: Connect, name: Any) -> None:
    browser = await connect()
    await browser.subscribe(ECHO)

    await browser.send(command="message", identifier=ECHO, data=json.dumps({"action": name}))

    assert await browser.receives_nothing()


async def test_failing_action_leaves_the_connection_open(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    browser = await connect()
    await browser.subscribe(ECHO)

    await browser.send(command="message", identifier=ECHO, data='{"action": "speak"}')
    await browser.send(command="message", identifier=ECHO, data='{"action": "speak", "text": 1}')

    assert (await browser.receive())["message"] == {"spoken": 1}
    assert "Cable command failed; the connection stays open" in caplog.text


@pytest.mark.parametrize(
    "identifier",
    [
        '{"channel": "NoSuchChannel"}',
        '{"channel": ["EchoChannel"]}',
        '{"channel": "EchoChannel", "room": "closed"}',
        '{"channel": "Channel"}',
        "[]",
        "no json",
        "[" * 10_000,
    ],
)
async def test_invalid_subscription_is_rejected(connect: Connect, identifier: str) -> None:
    browser = await connect()

    answer = await browser.subscribe(identifier)

    assert answer == {"identifier": identifier, "type": "reject_subscription"}
    assert (await browser.subscribe(ECHO))["type"] == "confirm_subscription"


async def test_failing_channel_does_not_affect_others(connect: Connect) -> None:
    browser = await connect()
    await browser.subscribe(ECHO)

    broken = '{"channel": "EchoChannel", "room": "broken"}'
    await browser.send(command="subscribe", identifier=broken)
    await abroadcast("echo:blue", message="still here")

    assert (await browser.receive())["message"] == "still here"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"subscribe"',
        "[" * 10_000,
        "{}",
        '{"command": "subscribe"}',
        '{"command": "subscribe", "identifier": 5}',
        json.dumps({"command": "subscribe", "identifier": "x" * connection.MAX_MESSAGE}),
        "x" * 10_000_000,
    ],
)
async def test_malformed_message_closes_the_socket_for_good(connect: Connect, text: str) -> None:
    browser = await connect()

    await browser.send_frame(text=text)

    assert await browser.receive() == {
        "type": "disconnect",
        "reason": "invalid_request",
        "reconnect": False,
    }
    assert await browser.is_closed()


async def test_binary_frame_closes_the_socket_for_good(connect: Connect) -> None:
    browser = await connect()

    await browser.send_frame(bytes=b"\0" * 100)

    assert (await browser.receive())["reason"] == "invalid_request"
    assert await browser.is_closed()


async def test_unknown_command_is_ignored(connect: Connect) -> None:
    browser = await connect()

    await browser.send(command="dance", identifier=ECHO)

    assert (await browser.subscribe(ECHO))["type"] == "confirm_subscription"


async def test_subscriptions_are_limited(connect: Connect) -> None:
    browser = await connect()
    identifiers = [
        json.dumps({"channel": "EchoChannel", "room": number})
        for number in range(connection.MAX_SUBSCRIPTIONS + 1)
    ]

    answers = [(await browser.subscribe(identifier))["type"] for identifier in identifiers]

    assert answers[:-1] == ["confirm_subscription"] * connection.MAX_SUBSCRIPTIONS
    assert answers[-1] == "reject_subscription"


async def test_flood_of_messages_closes_the_socket_for_good(connect: Connect) -> None:
    browser = await connect()

    for _ in range(connection.MAX_BURST * 2):
        await browser.send(command="unsubscribe", identifier=ECHO)

    assert await browser.receive() == {
        "type": "disconnect",
        "reason": "invalid_request",
        "reconnect": False,
    }


async def test_pings_are_sent_regularly(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BEAT_INTERVAL", 0.01)
    browser = await connect()

    for _ in range(2):
        frame = json.loads((await browser.socket.receive_output(timeout=LIMIT))["text"])
        assert frame["type"] == "ping"
        assert isinstance(frame["message"], int)


async def test_stopping_server_asks_clients_to_reconnect(connect: Connect) -> None:
    browser = await connect()

    Hub.current().announce_restart()

    assert await browser.receive() == {
        "type": "disconnect",
        "reason": "server_restart",
        "reconnect": True,
    }
    assert await browser.is_closed()


async def test_channels_are_unsubscribed_when_the_socket_closes(connect: Connect) -> None:
    EchoChannel.cleaned.clear()
    browser = await connect()
    for room in ("one", "two"):
        await browser.subscribe(json.dumps({"channel": "EchoChannel", "room": room}))
    hub = Hub.current()

    await browser.close()

    assert sorted(EchoChannel.cleaned) == ["one", "two"]
    assert not hub.connections
    assert not any(stream.channels for stream in hub.streams.values())


async def test_pages_refresh_after_messages_may_have_been_lost(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dovetail.cable.hub.CATCH_UP_SPREAD", 0)
    browser = await connect()
    identifier = turbo_identifier("news")
    await browser.subscribe(identifier)

    Hub.current().catch_up()

    assert (await browser.receive())["message"] == '<turbo-stream action="refresh"></turbo-stream>'


class StuckReader:
    """A socket whose client has stopped reading: the server's `send` never returns."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.stopped = asyncio.Event()

    async def send(self, _event: Any) -> None:
        self.stopped.set()
        await asyncio.Event().wait()


async def open_stuck_connection() -> "tuple[connection.Connection, asyncio.Task[None]]":
    reader = StuckReader()
    opened: list[connection.Connection] = []

    async def run() -> None:
        opened.append(connection.Connection(Hub.current(), Identity(), reader.send))
        await opened[0].run(reader.incoming.get)

    task = asyncio.create_task(run())
    await reader.stopped.wait()
    return opened[0], task


@pytest.mark.parametrize("size", [1, 100_000])
async def test_slow_reader_is_dropped(size: int) -> None:
    slow, task = await open_stuck_connection()

    for _ in range(connection.MAX_QUEUE + 1):
        slow.push("x" * size)

    await asyncio.wait_for(task, 10)
    assert Hub.of(asyncio.get_running_loop()) is None


async def test_stuck_reader_is_dropped_by_the_beat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "BEAT_INTERVAL", 0.01)
    monkeypatch.setattr("dovetail.cable.hub.SEND_TIMEOUT", 0.05)
    _, task = await open_stuck_connection()

    await asyncio.wait_for(task, 10)


async def test_client_that_does_not_close_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT", 0.05)
    stuck, task = await open_stuck_connection()

    stuck.close(protocol.REMOTE, reconnect=True)

    await asyncio.wait_for(task, 10)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": ""},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": "http://testserver:81"},
        {"origin": "http://testserver.evil.example"},
        {"origin": "ftp://testserver"},
        {"origin": "http://unlisted.example", "host": "unlisted.example"},
        {"host": ""},
        {"host": "unlisted.example"},
        {"origin": "http://["},
        {"origin": "http://testserver, http://evil.example"},
    ],
)
async def test_page_of_another_origin_is_rejected(headers: dict[str, str]) -> None:
    assert not await Browser(**headers).open()


@pytest.mark.parametrize("name", ["cookie", "origin", "x-forwarded-for"])
async def test_overlong_header_is_rejected(name: str) -> None:
    assert not await Browser(**{name: "a" * (MAX_HEADER + 1)}).open()


async def test_http_origin_is_rejected_on_an_https_site(settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True

    assert not await Browser().open()
    assert await Browser(origin="https://testserver").open()


@pytest.mark.parametrize(
    "host",
    [
        *("site.example:1", "site.example:8000", "Site.example", "site.example.", "site.example:"),
        *("ada@site.example", "site.example,site.example", "evil.example", "a..site.example"),
    ],
)
async def test_host_must_be_spelled_as_for_pages(settings: Any, host: str) -> None:
    settings.SITE_URL = "https://site.example"
    settings.CSRF_TRUSTED_ORIGINS = ["https://site.example"]
    settings.ALLOWED_HOSTS = ["site.example", ".site.example"]
    settings.SESSION_COOKIE_SECURE = True

    for origin in ("https://site.example", f"https://{host}"):
        assert not await Browser(origin=origin, host=host).open()
    for own in ("site.example", "site.example:443"):
        assert await Browser(origin="https://site.example", host=own).open()


@pytest.mark.parametrize("name", [b"host", b"origin"])
async def test_second_line_of_a_header_is_rejected(name: bytes) -> None:
    """Kind: only the first line of a header is looked at, and something else takes the last."""
    browser = Browser()
    value = dict(browser.scope["headers"])[name]
    browser.scope["headers"].append((name, value))

    assert not await browser.open()


async def test_trusted_origin_may_connect(settings: Any) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://app.example"]

    assert await Browser(origin="https://app.example").open()


@pytest.mark.parametrize("offered", [[], ["graphql-ws"], ["actioncable-unsupported"]])
async def test_other_subprotocols_are_rejected(offered: list[str]) -> None:
    browser = Browser()
    browser.scope["subprotocols"] = offered

    assert not await browser.open()


async def test_subprotocols_in_one_header_value_are_split() -> None:
    browser = Browser()
    browser.scope["subprotocols"] = ["actioncable-v1-json, actioncable-unsupported"]

    assert await browser.open()


async def test_other_paths_are_rejected() -> None:
    browser = Browser()
    browser.scope["path"] = "/other"

    assert not await browser.open()

"""Users who lost access receive nothing more, even if the revocation was not delivered."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ClassVar

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers, get_channel_layer
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from apps.users.models import User
from dovetail.cable import asgi, recheck
from dovetail.cable.broadcasting import abroadcast, reauthorize
from dovetail.cable.channel import Channel
from dovetail.cable.connection import Connection
from dovetail.cable.database import THREADS
from dovetail.cable.handshake import identify
from dovetail.cable.hub import CONTROL, Hub
from dovetail.cable.identity import Identity
from dovetail.turbo.streams import refresh
from tests.dovetail.cable.conftest import Connect, log_in, turbo_identifier, until
from tests.dovetail.cable.test_access import REMOTE, StaffChannel
from tests.dovetail.cable.test_broadcasting import Layer
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)
assert StaffChannel.registry  # used by its class name

PEOPLE = 300


class CrowdChannel(Channel):
    """Allows every user but those in `refused`. Checks wait until `answer` is set."""

    refused: ClassVar[set[str]] = set()
    checked: ClassVar[list[str]] = []
    running = most_running = 0
    answer = asyncio.Event()

    async def subscribed(self) -> None:
        await self.stream_from("crowd")

    def catch_up(self) -> None:
        self.transmit("catch up")

    async def is_allowed(self) -> bool:
        kind = CrowdChannel
        kind.checked.append(str(self.user_id))
        kind.running += 1
        kind.most_running = max(kind.most_running, kind.running)
        await kind.answer.wait()
        kind.running -= 1
        return self.user_id not in kind.refused


class Page:
    """One socket without its handshake."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.frames: list[dict[str, Any]] = []
        self.incoming: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        identity = Identity(self.user_id, session=self.user_id)
        await Connection(Hub.current(), identity, self.take).run(self.incoming.get)

    async def take(self, event: Mapping[str, Any]) -> None:
        self.frames.append(json.loads(event["text"]))

    @property
    def received(self) -> list[Any]:
        return [frame.get("message", frame.get("type")) for frame in self.frames]


@pytest.fixture
async def crowd() -> AsyncIterator[list[Page]]:
    """Return two pages of each of 300 users."""
    CrowdChannel.refused, CrowdChannel.checked = set(), []
    CrowdChannel.running = CrowdChannel.most_running = 0
    CrowdChannel.answer = asyncio.Event()
    pages = [Page(str(number)) for number in range(PEOPLE) for _ in range(2)]
    command = {"command": "subscribe", "identifier": '{"channel": "CrowdChannel"}'}
    for page in pages:
        page.incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(command)})
    await until(lambda: all("confirm_subscription" in page.received for page in pages))
    yield pages
    for page in pages:
        page.incoming.put_nowait({"type": "websocket.disconnect"})
    await asyncio.gather(*(page.task for page in pages))


async def test_messages_are_held_back_until_every_user_is_checked(crowd: list[Page]) -> None:
    CrowdChannel.refused = {str(number) for number in range(0, PEOPLE, 2)}

    await sync_to_async(reauthorize)("crowd")
    await until(lambda: CrowdChannel.checked)
    await abroadcast("crowd", message="private")
    await asyncio.sleep(0.2)
    assert not any("private" in page.received for page in crowd)
    CrowdChannel.answer.set()
    await until(lambda: all(len(page.received) == 3 for page in crowd))
    await abroadcast("crowd", message="more")
    await until(lambda: sum("more" in page.received for page in crowd) >= PEOPLE)

    for page in crowd:
        expected = ["reject_subscription"] if page.user_id in CrowdChannel.refused else [
            "catch up", "more",
        ]  # fmt: skip
        assert page.received[2:] == expected
    assert sorted(CrowdChannel.checked) == sorted({page.user_id for page in crowd})
    assert CrowdChannel.most_running == THREADS - 1  # one thread stays free for new sockets


async def test_rejected_subscriptions_are_removed(crowd: list[Page]) -> None:
    CrowdChannel.refused = {page.user_id for page in crowd}
    CrowdChannel.answer.set()

    await sync_to_async(reauthorize)("crowd")

    await until(lambda: all("reject_subscription" in page.received for page in crowd))
    assert not Hub.current().streams["crowd"].channels


async def test_losing_access_while_subscribing_rejects_once(connect: Connect) -> None:
    CrowdChannel.answer = asyncio.Event()

    class SlowChannel(CrowdChannel):
        async def subscribed(self) -> None:
            await super().subscribed()
            await self.is_allowed()

    browser = await connect()
    identifier = '{"channel": "SlowChannel"}'
    await browser.send(command="subscribe", identifier=identifier)
    await until(lambda: "crowd" in Hub.current().streams)
    (channel,) = Hub.current().streams["crowd"].channels
    channel.connection.reject(channel)
    CrowdChannel.answer.set()

    assert await browser.receive() == {"identifier": identifier, "type": "reject_subscription"}
    assert await browser.receives_nothing()
    assert not Hub.current().streams["crowd"].channels


# Revocations that are not broadcast


async def _delete_session(user: User, session: str) -> None:
    del user
    await sync_to_async(SessionStore(session).delete)()


async def _delete_row_of_session(user: User, session: str) -> None:
    await sync_to_async(_execute)(
        "DELETE FROM usersessions_usersession WHERE session_key = %s", [session]
    )
    del user


def _execute(sql: str, params: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


async def _let_session_expire(user: User, session: str) -> None:
    del user
    await Session.objects.filter(pk=session).aupdate(expire_date=timezone.now())


async def _deactivate(user: User, session: str) -> None:
    del session
    await User.objects.filter(pk=user.pk).aupdate(is_active=False)


async def _change_password(user: User, session: str) -> None:
    del session
    user.set_password("another")
    await user.asave()


ENDINGS = [
    _delete_session,
    _delete_row_of_session,
    _let_session_expire,
    _deactivate,
    _change_password,
]
Ending = Callable[[User, str], Awaitable[None]]


async def layer_recovers() -> None:
    Hub.current().catch_up()


async def recheck_is_due() -> None:
    hub = Hub.current()
    hub.sessions_checked_at = hub.rights_checked_at = recheck.NEVER
    await hub.tidy()


async def initial_recheck() -> None:
    """Wait until the recheck on startup has finished."""
    await asyncio.sleep(0)
    await until(lambda: not Hub.current().background)


@pytest.fixture
def layer() -> Layer:
    """Return a channel layer that can be made unavailable."""
    layer = Layer()
    channel_layers.set("default", layer)
    return layer


@pytest.mark.xdist_group("waits")
@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.parametrize("occasion", [layer_recovers, recheck_is_due])
async def test_lost_revocation_is_noticed_by_a_recheck(
    connect: Connect, layer: Layer, end: Ending, occasion: Callable[[], Awaitable[None]]
) -> None:
    user, other = [await sync_to_async(make_user)() for _ in range(2)]
    session = await sync_to_async(log_in)(user)
    browser = await connect(session)
    stays = await connect(await sync_to_async(log_in)(other))
    visitor = await connect()
    await initial_recheck()
    layer.is_down = True
    await end(user, session)
    assert await browser.receives_nothing()
    layer.is_down = False

    await occasion()

    assert await browser.receive() == REMOTE
    assert await stays.receives_nothing()
    assert await visitor.receives_nothing()


@pytest.mark.parametrize("occasion", [layer_recovers, recheck_is_due])
async def test_lost_reauthorization_is_noticed_by_a_recheck(
    connect: Connect, layer: Layer, occasion: Callable[[], Awaitable[None]]
) -> None:
    user = await sync_to_async(make_user)(is_staff=True)
    browser = await connect(await sync_to_async(log_in)(user))
    await browser.subscribe(turbo_identifier("secrets", user, "StaffChannel"))
    await initial_recheck()
    layer.is_down = True
    await User.objects.filter(pk=user.pk).aupdate(is_staff=False)
    await sync_to_async(reauthorize)("secrets")
    layer.is_down = False

    await occasion()

    while (frame := await browser.receive()).get("message") == refresh():
        pass  # it has no content, so it need not wait for the recheck
    assert frame["type"] == "reject_subscription"


async def test_failed_recheck_is_repeated(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await sync_to_async(make_user)()
    session = await sync_to_async(log_in)(user)
    browser = await connect(session)
    await initial_recheck()

    def fail(_: object) -> None:
        raise ConnectionError("no database")

    with monkeypatch.context() as patch:
        patch.setattr(recheck, "valid", fail)
        await _let_session_expire(user, session)
        await recheck_is_due()
        assert await browser.receives_nothing()
    await Hub.current().tidy()  # the next heartbeat

    assert await browser.receive() == REMOTE


@pytest.mark.parametrize("is_first", [True, False])
async def test_logout_during_the_handshake_ends_the_socket(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    if not is_first:
        await connect()
        await initial_recheck()
    session = await sync_to_async(log_in)(await sync_to_async(make_user)())

    def identify_and_log_out(scope: dict[str, Any]) -> Identity:
        identity = identify(scope)
        SessionStore(session).delete()
        return identity

    monkeypatch.setattr(asgi, "identify", identify_and_log_out)
    browser = await connect(session)

    assert await browser.receive() == REMOTE


async def test_failed_authorization_check_closes_the_socket(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    browser = await connect()
    await browser.subscribe('{"channel": "CrowdChannel"}')

    async def fail(_: Channel) -> bool:
        raise ConnectionError("no database")

    monkeypatch.setattr(CrowdChannel, "is_allowed", fail)
    layer: Any = get_channel_layer()
    await layer.group_send(CONTROL, {"type": "cable.reauthorize", "stream": "crowd"})

    assert await browser.receive() == REMOTE
    assert "Authorization check failed for stream crowd; closing its sockets" in caplog.text

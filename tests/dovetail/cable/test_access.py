"""Who may follow which stream, and when access ends."""

import asyncio
import json
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.signing import Signer
from django.test import AsyncClient
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.users.models import User
from dovetail.cable import streams
from dovetail.cable.broadcasting import abroadcast, reauthorize
from dovetail.cable.hub import CONTROL
from dovetail.cable.identity import Person
from dovetail.cable.streams import sign, verify
from dovetail.cable_channels import TurboStreamsChannel
from tests.dovetail.cable.conftest import Connect, log_in, turbo_identifier
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)

REMOTE = {"type": "disconnect", "reason": "remote", "reconnect": True}


class StaffChannel(TurboStreamsChannel):
    async def is_allowed(self) -> bool:
        return await self.ask(is_staff)


def is_staff(person: Person) -> bool:
    return not isinstance(person, AnonymousUser) and bool(getattr(person, "is_staff", False))


@pytest.fixture
async def ada() -> User:
    return await sync_to_async(make_user)(is_staff=True)


@pytest.fixture
async def bob() -> User:
    return await sync_to_async(make_user)()


async def session_of(user: User) -> str:
    return await sync_to_async(log_in)(user)


async def answer(connect: Connect, identifier: str, user: User | None = None) -> str:
    browser = await connect(await session_of(user) if user else None)
    kind: str = (await browser.subscribe(identifier))["type"]
    return kind


class TestNames:
    async def test_anyone_may_use_a_public_name(self, connect: Connect, bob: User) -> None:
        assert await answer(connect, turbo_identifier("news")) == "confirm_subscription"
        assert await answer(connect, turbo_identifier("news"), bob) == "confirm_subscription"

    async def test_personal_name_is_limited_to_its_owner(
        self, connect: Connect, ada: User, bob: User
    ) -> None:
        identifier = turbo_identifier("news", ada)

        assert await answer(connect, identifier, ada) == "confirm_subscription"
        assert await answer(connect, identifier, bob) == "reject_subscription"
        assert await answer(connect, identifier) == "reject_subscription"

    @pytest.mark.parametrize(
        "signed",
        [
            None,
            "",
            "news",
            5,
            "news:forged",
            sign("TurboStreamsChannel", "news", None)[:-1],
            Signer(salt="other").sign_object(["TurboStreamsChannel", "news", None, 1]),
        ],
    )
    async def test_forged_name_is_rejected(self, connect: Connect, signed: object) -> None:
        identifier = json.dumps({"channel": "TurboStreamsChannel", "signed_stream_name": signed})

        assert await answer(connect, identifier) == "reject_subscription"

    async def test_name_is_rejected_on_another_channel(self, connect: Connect, ada: User) -> None:
        signed = sign("StaffChannel", "secrets", str(ada.pk))
        replayed = json.dumps({"channel": "TurboStreamsChannel", "signed_stream_name": signed})

        assert await answer(connect, replayed, ada) == "reject_subscription"

    async def test_expired_name_is_rejected(
        self, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        identifier = turbo_identifier("news")
        today = streams.today()

        monkeypatch.setattr(streams, "today", lambda: today + streams.VALID_DAYS)
        assert await answer(connect, identifier) == "confirm_subscription"
        monkeypatch.setattr(streams, "today", lambda: today + streams.VALID_DAYS + 1)
        assert await answer(connect, identifier) == "reject_subscription"

    def test_name_stays_the_same_all_day(self) -> None:
        assert sign("C", "news", "1") == sign("C", "news", "1")

    def test_retired_secret_key_invalidates_all_names(
        self, settings: pytest.FixtureRequest
    ) -> None:
        signed = sign("C", "news", None)
        settings.SECRET_KEY = "another"  # type: ignore[attr-defined]

        assert verify("C", signed, None) is None

    @pytest.mark.parametrize("streamables", [(), ("",), (User(pk=None),)])
    def test_stream_needs_a_name(self, streamables: tuple[str, ...]) -> None:
        with pytest.raises(ValueError, match=r"stream|name"):
            streams.stream_name(*streamables)

    def test_models_and_strings_make_a_name(self) -> None:
        user = User()

        assert streams.stream_name(user, "inbox") == f"users.user:{user.pk}:inbox"


class TestIdentity:
    async def test_session_without_user_is_anonymous(self, connect: Connect) -> None:
        browser = await connect("no-such-session")

        assert (await browser.subscribe(turbo_identifier("news")))["type"] == "confirm_subscription"

    async def test_open_socket_keeps_no_cookie_in_memory(self, connect: Connect, ada: User) -> None:
        browser = await connect(await session_of(ada))

        assert browser.scope["headers"] == []

    async def test_session_that_no_list_shows_is_anonymous(
        self, connect: Connect, ada: User, settings: Settings
    ) -> None:
        """Kind: a session that its owner cannot end, as it is in no list."""
        sessions = [await session_of(ada) for _ in range(2)]
        rows = UserSession.objects.filter(session_key=sessions[0])
        await sync_to_async(lambda: rows._raw_delete("default"))()  # noqa: SLF001 - no signal

        unlisted, listed = [await connect(session) for session in sessions]

        identifier = turbo_identifier("mine", ada)
        assert (await unlisted.subscribe(identifier))["type"] == "reject_subscription"
        assert (await listed.subscribe(identifier))["type"] == "confirm_subscription"

        settings.CABLE_SESSION_MODEL = ""  # a site without such a list
        browser = await connect(sessions[0])
        assert (await browser.subscribe(identifier))["type"] == "confirm_subscription"

    async def test_session_from_before_a_password_change_is_anonymous(
        self, connect: Connect, ada: User
    ) -> None:
        session = await session_of(ada)
        ada.set_password("another")
        await ada.asave()

        browser = await connect(session)
        identifier = turbo_identifier("news", ada)

        assert (await browser.subscribe(identifier))["type"] == "reject_subscription"


def _granted_by_group(user: User, group: Group, permission: Permission) -> None:
    user.groups.add(group)
    group.permissions.add(permission)


def _granted_directly(user: User, _group: Group, permission: Permission) -> None:
    user.user_permissions.add(permission)


def _granted_to_group_without_user(_user: User, group: Group, permission: Permission) -> None:
    group.permissions.add(permission)


GRANTS_AND_REVOCATIONS: dict[str, tuple[Any, Any]] = {
    "user.groups.add": (_granted_to_group_without_user, lambda u, g, _: u.groups.add(g)),
    "user.groups.remove": (_granted_by_group, lambda u, g, _: u.groups.remove(g)),
    "user.groups.clear": (_granted_by_group, lambda u, _g, _p: u.groups.clear()),
    "user.groups.set": (_granted_by_group, lambda u, _g, _p: u.groups.set([])),
    "group.user_set.add": (_granted_to_group_without_user, lambda u, g, _: g.user_set.add(u)),
    "group.user_set.remove": (_granted_by_group, lambda u, g, _: g.user_set.remove(u)),
    "group.user_set.clear": (_granted_by_group, lambda _u, g, _p: g.user_set.clear()),
    "group.delete": (_granted_by_group, lambda _u, g, _p: g.delete()),
    "group.permissions.remove": (_granted_by_group, lambda _u, g, p: g.permissions.remove(p)),
    "group.permissions.clear": (_granted_by_group, lambda _u, g, _p: g.permissions.clear()),
    "permission.group_set.remove": (_granted_by_group, lambda _u, g, p: p.group_set.remove(g)),
    "permission.group_set.clear": (_granted_by_group, lambda _u, _g, p: p.group_set.clear()),
    "user.user_permissions.remove": (
        _granted_directly,
        lambda u, _, p: u.user_permissions.remove(p),
    ),
    "user.user_permissions.clear": (
        _granted_directly,
        lambda u, _g, _p: u.user_permissions.clear(),
    ),
    "permission.user_set.remove": (_granted_directly, lambda u, _, p: p.user_set.remove(u)),
    "permission.user_set.clear": (_granted_directly, lambda _u, _g, p: p.user_set.clear()),
    "permission.delete": (_granted_directly, lambda _u, _g, p: p.delete()),
    "permission.delete of a group's": (_granted_by_group, lambda _u, _g, p: p.delete()),
}


@pytest.mark.xdist_group("waits")
@pytest.mark.parametrize("call", GRANTS_AND_REVOCATIONS)
async def test_changed_permission_closes_only_the_sockets_of_affected_users(
    connect: Connect, ada: User, bob: User, call: str
) -> None:
    prepare, change = GRANTS_AND_REVOCATIONS[call]

    def make() -> tuple[Group, Permission]:
        group = Group.objects.create(name="editors")
        kind = ContentType.objects.get_for_model(User)
        permission = Permission.objects.create(codename="edit", name="Edit", content_type=kind)
        prepare(ada, group, permission)
        return group, permission

    group, permission = await sync_to_async(make)()
    before = await sync_to_async(ada.has_perm)("users.edit")
    browser, other = [await connect(await session_of(user)) for user in (ada, bob)]

    await sync_to_async(change)(ada, group, permission)

    assert await browser.receive() == REMOTE
    assert await other.receives_nothing()
    now = await User.objects.aget(pk=ada.pk)
    assert await sync_to_async(now.has_perm)("users.edit") is not before


class TestRevocation:
    async def test_logout_closes_only_the_sockets_of_its_session(
        self, connect: Connect, ada: User
    ) -> None:
        client = AsyncClient()
        await client.aforce_login(ada)
        here = await connect(client.cookies["sessionid"].value)
        elsewhere = await connect(await session_of(ada))

        await client.post("/accounts/logout/")

        assert await here.receive() == REMOTE
        assert await here.is_closed()
        assert await elsewhere.receives_nothing()

    async def test_session_ended_elsewhere_closes_its_sockets(
        self, connect: Connect, ada: User
    ) -> None:
        session = await session_of(ada)
        browser = await connect(session)

        await sync_to_async(SessionStore(session).delete)()

        assert await browser.receive() == REMOTE

    async def test_deactivation_closes_the_sockets_of_all_sessions(
        self, connect: Connect, ada: User
    ) -> None:
        sessions = [await session_of(ada), await session_of(ada)]
        browsers = [await connect(session) for session in sessions]

        ada.is_active = False
        await ada.asave()

        assert [await browser.receive() for browser in browsers] == [REMOTE, REMOTE]
        again = await connect(sessions[0])
        answered = await again.subscribe(turbo_identifier("news", ada))
        assert answered["type"] == "reject_subscription"

    async def test_deleting_a_user_closes_their_sockets(self, connect: Connect, ada: User) -> None:
        browser = await connect(await session_of(ada))

        await ada.adelete()

        assert await browser.receive() == REMOTE

    @pytest.mark.parametrize(
        "fields", [None, ["last_login"], ["display_name"], ["avatar", "avatar_variants"]]
    )
    async def test_saving_unrelated_fields_closes_nothing(
        self, connect: Connect, ada: User, fields: list[str] | None
    ) -> None:
        browser = await connect(await session_of(ada))

        ada.display_name = "Ada"
        await ada.asave(update_fields=fields)

        assert await browser.receives_nothing()

    @pytest.mark.parametrize("right", ["is_staff", "is_superuser"])
    async def test_changed_flag_closes_sockets_even_if_the_loaded_user_is_stale(
        self, connect: Connect, ada: User, right: str
    ) -> None:
        old = await User.objects.aget(pk=ada.pk)
        await User.objects.filter(pk=ada.pk).aupdate(**{right: not getattr(ada, right)})
        browser = await connect(await session_of(ada))

        await old.asave()  # puts the flag back

        assert await browser.receive() == REMOTE

    @pytest.mark.parametrize("right", ["is_active", "is_staff", "is_superuser", "password"])
    async def test_rights_changed_in_bulk_close_sockets(
        self, connect: Connect, ada: User, right: str
    ) -> None:
        """Bulk operations send no `post_save`."""
        browser = await connect(await session_of(ada))
        await User.objects.filter(pk=ada.pk).aupdate(display_name="Ada")
        assert await browser.receives_nothing()
        value = "!" if right == "password" else not getattr(ada, right)

        await User.objects.filter(pk=ada.pk).aupdate(**{right: value})

        assert await browser.receive() == REMOTE

    async def test_bulk_update_and_bulk_deletion_of_users_close_sockets(
        self, connect: Connect, ada: User, bob: User
    ) -> None:
        browsers = [await connect(await session_of(user)) for user in (ada, bob)]

        ada.is_active = False
        await User.objects.abulk_update([ada], ["is_active"])
        assert await browsers[0].receive() == REMOTE
        await User.objects.filter(pk=bob.pk).adelete()
        assert await browsers[1].receive() == REMOTE

    async def test_bulk_deletion_of_sessions_closes_their_sockets(
        self, connect: Connect, ada: User, bob: User
    ) -> None:
        sessions = [await session_of(user) for user in (ada, bob)]
        browsers = [await connect(session) for session in sessions]

        await Session.objects.filter(pk__in=sessions).adelete()

        assert [await browser.receive() for browser in browsers] == [REMOTE, REMOTE]

    async def test_bulk_deletion_of_groups_closes_their_members_sockets(
        self, connect: Connect, ada: User
    ) -> None:
        group = await Group.objects.acreate(name="Editors")
        await ada.groups.aadd(group)
        browser = await connect(await session_of(ada))

        await Group.objects.filter(pk=group.pk).adelete()

        assert await browser.receive() == REMOTE

    async def test_clearing_expired_sessions_broadcasts_nothing(self, ada: User) -> None:
        session = await session_of(ada)
        layer: Any = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(CONTROL, channel)
        await Session.objects.filter(pk=session).aupdate(expire_date=timezone.now())

        await sync_to_async(SessionStore.clear_expired)()

        assert not await Session.objects.filter(pk=session).aexists()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(layer.receive(channel), 0.3)

    async def test_lost_right_ends_only_the_subscriptions_that_need_it(
        self, connect: Connect, ada: User
    ) -> None:
        browser = await connect(await session_of(ada))
        secret = turbo_identifier("secrets", ada, "StaffChannel")
        public = turbo_identifier("secrets")
        assert (await browser.subscribe(secret))["type"] == "confirm_subscription"
        assert (await browser.subscribe(public))["type"] == "confirm_subscription"

        await User._base_manager.filter(pk=ada.pk).aupdate(is_staff=False)  # no signal
        await sync_to_async(reauthorize)("secrets")

        assert await browser.receive() == {"identifier": secret, "type": "reject_subscription"}
        await abroadcast("secrets", message="for the public")
        assert (await browser.receive())["identifier"] == public
        assert await browser.receives_nothing()

    async def test_recheck_does_not_disturb_users_with_access(
        self, connect: Connect, ada: User
    ) -> None:
        browser = await connect(await session_of(ada))
        await browser.subscribe(turbo_identifier("secrets", ada, "StaffChannel"))

        await sync_to_async(reauthorize)("secrets")

        assert await browser.receives_nothing()

    async def test_signed_name_without_the_right_is_rejected(
        self, connect: Connect, bob: User
    ) -> None:
        identifier = turbo_identifier("secrets", bob, "StaffChannel")

        assert await answer(connect, identifier, bob) == "reject_subscription"

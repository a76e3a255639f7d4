"""Broadcasts of rendered templates, as followers receive them."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from apps.users.models import User
from dovetail.turbo import broadcasting, tasks
from dovetail.turbo.request import current_request_id
from tests.dovetail.cable.conftest import Browser, Connect, _fresh_layer, connect, turbo_identifier
from tests.factories import make_user

__all__ = ["_fresh_layer", "connect"]
pytestmark = pytest.mark.django_db(transaction=True)

TEMPLATE = "components/empty_state.html"


@pytest.fixture
async def follower(connect: Connect) -> Browser:
    browser = await connect()
    await browser.subscribe(turbo_identifier("news"))
    return browser


async def call(function: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    await sync_to_async(function)(*args, **kwargs)


@pytest.mark.parametrize("action", ["append", "prepend", "replace", "update", "before", "after"])
async def test_template_is_rendered_into_the_action(follower: Browser, action: str) -> None:
    broadcast = getattr(broadcasting, f"broadcast_{action}_to")

    await call(broadcast, "news", target="list", template=TEMPLATE, title="<New>", icon="page")

    html = (await follower.receive())["message"]
    assert html.startswith(f'<turbo-stream action="{action}" target="list"><template>')
    assert "&lt;New&gt;" in html


@pytest.mark.parametrize("action", ["replace", "update"])
async def test_action_can_morph(follower: Browser, action: str) -> None:
    broadcast = getattr(broadcasting, f"broadcast_{action}_to")

    await call(broadcast, "news", target="list", template=TEMPLATE, method="morph", title="New")

    html = (await follower.receive())["message"]
    assert html.startswith(f'<turbo-stream action="{action}" method="morph" target="list">')


async def test_remove_has_no_template(follower: Browser) -> None:
    await call(broadcasting.broadcast_remove_to, "news", target="x")

    html = (await follower.receive())["message"]
    assert html == '<turbo-stream action="remove" target="x"></turbo-stream>'


async def test_refresh_names_the_request_that_caused_it(follower: Browser) -> None:
    current_request_id.set("abc")

    await call(broadcasting.broadcast_refresh_to, "news")

    html = (await follower.receive())["message"]
    assert html == '<turbo-stream action="refresh" request-id="abc"></turbo-stream>'


async def test_refreshes_in_quick_succession_are_merged(follower: Browser) -> None:
    for request_id in ("a", "b", "b"):
        current_request_id.set(request_id)
        await call(broadcasting.broadcast_refresh_to, "news")

    assert (await follower.receive())["message"] == '<turbo-stream action="refresh"></turbo-stream>'
    assert await follower.receives_nothing()


async def test_refreshes_further_apart_are_not_merged(follower: Browser) -> None:
    await call(broadcasting.broadcast_refresh_to, "news")
    await follower.receive()
    await call(broadcasting.broadcast_refresh_to, "news")

    await follower.receive()


async def test_failing_template_is_logged_with_its_stream(
    follower: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    def save() -> None:
        with transaction.atomic():
            make_user("saved@example.org")
            broadcasting.broadcast_append_to("news", target="x", template="no/such.html")
            broadcasting.broadcast_append_to(
                "news", target="x", template=TEMPLATE, title="after it", icon="page"
            )

    await call(save)

    assert "Could not render no/such.html; nothing was broadcast to news" in caplog.text
    assert await User.objects.filter(email="saved@example.org").aexists()
    assert "after it" in (await follower.receive())["message"]


async def test_broadcast_later_renders_the_row_as_stored_when_the_task_runs(
    follower: Browser,
) -> None:
    def save() -> None:
        user = make_user(display_name="Ada")
        with transaction.atomic():
            broadcasting.broadcast_later_to(
                "news", action="append", target="people", template="components/avatar.html",
                context={"person": user, "size": 32},
            )  # fmt: skip
            User.objects.filter(pk=user.pk).update(display_name="Zora")

    await call(save)

    html = (await follower.receive())["message"]
    assert 'width="32"' in html
    assert ">Z</text>" in html


async def test_deleted_row_is_not_broadcast(follower: Browser) -> None:
    context = {"person": {"model": "users.user", "pk": "0190aaaa-0000-7000-8000-000000000000"}}

    await call(tasks.render_broadcast, "news", "append", "people", TEMPLATE, context)

    assert await follower.receives_nothing()


def test_unsaved_row_cannot_be_sent_to_a_task() -> None:
    with pytest.raises(ValueError, match="is not saved"):
        tasks.pack({"person": User(email="ada@example.org")})

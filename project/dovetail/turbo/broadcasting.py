"""Broadcasts to every open page that follows a stream: `broadcast_append_to(article, …)`.

The functions are named as in turbo-rails. A template is rendered once for all pages, after the
commit and without a request, so it has neither `user` nor `csrf_token`. If it fails, the error is
logged and the request that broadcast it is not affected.
"""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import Model

from dovetail.cable import protocol
from dovetail.cable.broadcasting import send_merged
from dovetail.cable.streams import Streamable, stream_name
from dovetail.turbo import streams
from dovetail.turbo.rendering import render_and_send
from dovetail.turbo.request import current_request_id
from dovetail.turbo.tasks import pack, render_broadcast


def broadcast_refresh_to(*streamables: Streamable) -> None:
    """Have the pages that follow a stream fetch themselves and morph, on commit.

    The page that sent the current request is left out, since it shows the answer. Refreshes of one
    stream within a short time are merged into one (`dovetail.cable.hub`).
    """
    broadcast_refreshes_to([stream_name(*streamables)])


def broadcast_refreshes_to(streamables: Iterable[Streamable]) -> None:
    """Do as `broadcast_refresh_to` for several streams at once, each named by one streamable."""
    names = list(dict.fromkeys(map(stream_name, streamables)))
    own = protocol.encode(streams.refresh(request_id=current_request_id.get()))
    merged = protocol.encode(streams.refresh())
    transaction.on_commit(lambda: send_merged(names, "refresh", own, merged), robust=True)


def broadcast_append_to(
    *streamables: Streamable, target: Model | str, template: str, **context: Any
) -> None:
    """Add a rendered template at the end of an element.

    Args:
        streamables: what names the stream.
        target: the id of the element, or the model that `dom_id` names it by.
        template: its name.
        context: what it shows.
    """
    broadcast_action_to(
        *streamables, action="append", target=target, template=template, context=context
    )


def broadcast_prepend_to(
    *streamables: Streamable, target: Model | str, template: str, **context: Any
) -> None:
    broadcast_action_to(
        *streamables, action="prepend", target=target, template=template, context=context
    )


def broadcast_replace_to(
    *streamables: Streamable,
    target: Model | str,
    template: str,
    method: str | None = None,
    **context: Any,
) -> None:
    broadcast_action_to(
        *streamables,
        action="replace",
        target=target,
        template=template,
        method=method,
        context=context,
    )


def broadcast_update_to(
    *streamables: Streamable,
    target: Model | str,
    template: str,
    method: str | None = None,
    **context: Any,
) -> None:
    broadcast_action_to(
        *streamables,
        action="update",
        target=target,
        template=template,
        method=method,
        context=context,
    )


def broadcast_before_to(
    *streamables: Streamable, target: Model | str, template: str, **context: Any
) -> None:
    broadcast_action_to(
        *streamables, action="before", target=target, template=template, context=context
    )


def broadcast_after_to(
    *streamables: Streamable, target: Model | str, template: str, **context: Any
) -> None:
    broadcast_action_to(
        *streamables, action="after", target=target, template=template, context=context
    )


def broadcast_remove_to(*streamables: Streamable, target: Model | str) -> None:
    """Take an element out of the pages."""
    broadcast_action_to(*streamables, action="remove", target=target)


def broadcast_action_to(
    *streamables: Streamable,
    action: str,
    target: Model | str,
    template: str = "",
    method: str | None = None,
    context: dict[str, Any] | None = None,
) -> None:
    """Carry out one action of Turbo Streams on commit; the functions above name each of them.

    Args:
        streamables: what names the stream.
        action: one of `dovetail.turbo.streams.ACTIONS`.
        target: the id of the element, or the model that `dom_id` names it by.
        template: its name; "" for an action without content.
        method: "morph" to change only what differs, so that what somebody types there stays.
        context: what the template shows; what can be called is called when it is rendered.
    """
    name, element = stream_name(*streamables), streams.dom_id(target)
    transaction.on_commit(
        lambda: render_and_send(name, action, element, template, context or {}, method=method),
        robust=True,
    )


def broadcast_later_to(
    *streamables: Streamable,
    action: str,
    target: Model | str,
    template: str,
    context: dict[str, Any],
) -> None:
    """Do as `broadcast_action_to` in a task: for what takes long to render.

    Args:
        streamables: what names the stream.
        action: append, prepend, replace, update, before or after.
        target: the id of the element, or the model that `dom_id` names it by.
        template: its name.
        context: saved models, which the task fetches anew, and what JSON knows.
    """
    task: Any = render_broadcast  # celery-types does not know the task class for Django
    task.delay_on_commit(
        stream_name(*streamables), action, streams.dom_id(target), template, pack(context)
    )

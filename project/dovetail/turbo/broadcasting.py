"""Broadcasts Turbo Streams to every open page that follows a stream.

    broadcast_append_to(article, target="comments", template="articles/_comment.html", comment=self)

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
from dovetail.database.commit import REFRESH, expire_first, on_commit_together
from dovetail.turbo import recency, streams
from dovetail.turbo.rendering import render_and_send
from dovetail.turbo.request import current_request_id
from dovetail.turbo.tasks import pack, render_broadcast


def broadcast_refresh_to(*streamables: Streamable) -> None:
    """Make the pages that follow a stream fetch themselves and morph, on commit.

    The page that made the current request is skipped, since it shows the response. Refreshes of one
    stream in quick succession are merged (`dovetail.cable.hub`).
    """
    broadcast_refreshes_to([stream_name(*streamables)])


def broadcast_refreshes_to(streamables: Iterable[Streamable]) -> None:
    """Like `broadcast_refresh_to`, for several streams at once, each named by one streamable."""
    names = list(dict.fromkeys(map(stream_name, streamables)))
    request_id = current_request_id.get()
    on_commit_together(_refresh, [(name, request_id) for name in names], order=REFRESH)


def _refresh(refreshes: list[tuple[str, str | None]]) -> None:
    recency.record(name for name, _ in refreshes)
    merged = protocol.encode(streams.refresh())
    for request_id in dict.fromkeys(request_id for _, request_id in refreshes):
        names = [name for name, cause in refreshes if cause == request_id]
        send_merged(
            names, "refresh", protocol.encode(streams.refresh(request_id=request_id)), merged
        )


def broadcast_append_to(
    *streamables: Streamable, target: Model | str, template: str, **context: Any
) -> None:
    """Append a rendered template to an element, on commit.

    Args:
        streamables: name the stream, as for `stream_name`.
        target: the element's id, or a model, which stands for its `dom_id`.
        template: the template's name.
        context: the template's context.
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
    """Remove an element, on commit."""
    broadcast_action_to(*streamables, action="remove", target=target)


def broadcast_action_to(
    *streamables: Streamable,
    action: str,
    target: Model | str,
    template: str = "",
    method: str | None = None,
    context: dict[str, Any] | None = None,
) -> None:
    """Perform a Turbo Streams action on commit; the functions above are shorthands for each.

    Args:
        streamables: name the stream, as for `stream_name`.
        action: one of `dovetail.turbo.streams.ACTIONS`.
        target: the element's id, or a model, which stands for its `dom_id`.
        template: the template's name; "" for an action without content.
        method: "morph" to change only what differs, which keeps what the user is typing.
        context: the template's context; callables are called when it is rendered.
    """
    name, element = stream_name(*streamables), streams.dom_id(target)
    expire_first()  # the template may have fragments
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
    """Like `broadcast_action_to`, but rendered in a Celery task. For slow templates.

    Args:
        streamables: name the stream, as for `stream_name`.
        action: append, prepend, replace, update, before or after.
        target: the element's id, or a model, which stands for its `dom_id`.
        template: the template's name.
        context: JSON-serializable values, and saved models, which the task reloads.
    """
    expire_first()
    task: Any = render_broadcast  # celery-types does not know the task class for Django
    task.delay_on_commit(
        stream_name(*streamables), action, streams.dom_id(target), template, pack(context)
    )

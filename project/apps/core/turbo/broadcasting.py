"""Changes of every open page that follows a stream: `broadcast_append_to(article, …)`.

Names as in turbo-rails. A template is rendered once for all followers, after the commit and without
a request: it knows no user and no csrf_token. One that fails is logged, and nobody's request is.
"""

import logging
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.template.loader import render_to_string

from apps.core.cable import protocol
from apps.core.cable.broadcasting import send_merged, send_now
from apps.core.cable.streams import Streamable, stream_name
from apps.core.turbo import streams
from apps.core.turbo.request import current_request_id

logger = logging.getLogger(__name__)


def broadcast_refresh_to(*streamables: Streamable) -> None:
    """Have the pages fetch themselves anew and morph; the page whose request this is has done so.

    Many refreshes of one stream within a moment become one (`apps.core.cable.hub`).
    """
    name = stream_name(*streamables)
    own = protocol.encode(streams.refresh(request_id=current_request_id.get()))
    everybody = protocol.encode(streams.refresh())
    transaction.on_commit(lambda: send_merged(name, "refresh", own, everybody), robust=True)


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
        action: one of `apps.core.turbo.streams.ACTIONS`.
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
    from apps.core.turbo.tasks import pack, render_broadcast  # noqa: PLC0415 - it uses this module

    task: Any = render_broadcast  # celery-types does not know the task class for Django
    task.delay_on_commit(
        stream_name(*streamables), action, streams.dom_id(target), template, pack(context)
    )


def render_and_send(
    name: str,
    action: str,
    target: str,
    template: str,
    context: dict[str, Any],
    *,
    method: str | None = None,
) -> None:
    """Render and send at once. What goes wrong is logged with the stream, not raised."""
    try:
        content = render_to_string(template, context) if template else ""
        html = streams.stream(action, target, content, method=method)
    except Exception:
        logger.exception("the broadcast of %s to %s could not be rendered", template, name)
        return
    send_now(name, protocol.encode(html))

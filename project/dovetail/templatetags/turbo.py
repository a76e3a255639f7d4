"""`{% load turbo %}`: tags for frames, streams and subscriptions. See docs/turbo.md."""

from typing import Any

from django import template
from django.db.models import Model
from django.template import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dovetail.cable.streams import Streamable, sign, stream_name
from dovetail.templatetags.fragments import refuse_in_fragment
from dovetail.turbo import recency, streams

register = template.Library()

register.simple_tag(streams.dom_id, name="dom_id")


@register.simple_block_tag
def turbo_frame(content: str, id: Model | str, **attributes: Any) -> SafeString:  # noqa: A002
    """Render a part of the page that Turbo loads and replaces independently.

    Args:
        content: the initial content.
        id: the frame's id, the same in every page that fills it; or a model, for its `dom_id`.
        attributes: such as `src`, `loading="lazy"`, `target="_top"`, `class`; `_` stands for `-`.
            True gives an attribute without a value, False and None omit it.
    """
    given = {"id": streams.dom_id(id)} | {
        name.replace("_", "-"): "" if value is True else value
        for name, value in attributes.items()
        if value is not None and value is not False
    }
    return format_html(
        "<turbo-frame{}>{}</turbo-frame>",
        format_html_join("", ' {}="{}"', given.items()),
        content,
    )


@register.simple_block_tag
def turbo_stream(
    content: str, action: str, target: Model | str | None = None, **attributes: Any
) -> SafeString:
    """Render a change to the page: `{% turbo_stream "append" "comments" %}…`.

    See `dovetail.turbo.streams.stream` for `targets`, `method` and `request_id`.
    """
    return streams.stream(action, target, content, **attributes)


@register.simple_tag(takes_context=True)
def turbo_stream_from(
    context: Context, *streamables: Streamable, channel: str = "TurboStreamsChannel"
) -> SafeString:
    """Follow a stream while the page is open: `{% turbo_stream_from article %}`.

    The signed name is bound to the current user, so keep the tag out of fragments.
    The time tells the server whether the page has missed something until it follows the stream.
    """
    refuse_in_fragment(context)
    user = context.get("user")
    user_id = str(user.pk) if user is not None and user.is_authenticated else None
    return format_html(
        '<turbo-cable-stream-source channel="{}" signed-stream-name="{}" rendered-at="{}">'
        "</turbo-cable-stream-source>",
        channel,
        sign(channel, stream_name(*streamables), user_id),
        recency.rendering_time(context.get("request")),
    )

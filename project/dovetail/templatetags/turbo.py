"""`{% load turbo %}`: frames, streams and subscriptions. docs/turbo.md shows each in use."""

from typing import Any

from django import template
from django.db.models import Model
from django.template import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dovetail.cable.streams import Streamable, sign, stream_name
from dovetail.turbo import streams

register = template.Library()

register.simple_tag(streams.dom_id, name="dom_id")


@register.simple_block_tag
def turbo_frame(content: str, id: Model | str, **attributes: Any) -> SafeString:  # noqa: A002
    """Render a part of the page that is loaded and replaced on its own.

    Args:
        content: what it shows at first.
        id: the same in every page that fills the frame; or a model, for its `dom_id`.
        attributes: such as `src`, `loading="lazy"`, `target="_top"`, `class`; `_` stands for `-`.
            True is an attribute without a value, False and None are none.
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
    """Render one change of the page: `{% turbo_stream "append" "comments" %}…`.

    `targets`, `method` and `request_id` are those of `dovetail.turbo.streams.stream`.
    """
    return streams.stream(action, target, content, **attributes)


@register.simple_tag(takes_context=True)
def turbo_stream_from(
    context: Context, *streamables: Streamable, channel: str = "TurboStreamsChannel"
) -> SafeString:
    """Follow a stream for as long as the page is open: `{% turbo_stream_from article %}`.

    The name is bound to who is signed in: keep the tag out of `{% cache %}` fragments.
    """
    user = context.get("user")
    user_id = str(user.pk) if user is not None and user.is_authenticated else None
    return format_html(
        '<turbo-cable-stream-source channel="{}" signed-stream-name="{}">'
        "</turbo-cable-stream-source>",
        channel,
        sign(channel, stream_name(*streamables), user_id),
    )

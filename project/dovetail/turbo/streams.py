"""`<turbo-stream>` elements and the response that carries them.

    TurboStreamResponse(
        streams.append("comments", render_to_string("…", {"comment": comment})),
        streams.replace(dom_id(article, "form"), form_html),
    )

Source of the actions: https://turbo.hotwired.dev/reference/streams
"""

from typing import Any

from django.db.models import Model
from django.http import HttpResponse
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from dovetail.turbo.request import STREAM_TYPE

WITH_CONTENT = {"append", "prepend", "replace", "update", "before", "after"}
ACTIONS = WITH_CONTENT | {"remove", "refresh"}
METHODS = {"replace", "update", "refresh"}  # the actions that can morph


def dom_id(thing: Model | str, prefix: str = "") -> str:
    """Return the id of a model's element: `article_0190…`, `comments_article_0190…`.

    Args:
        thing: a model, saved (the id contains its key) or not (`new_article`); or an id.
        prefix: distinguishes several elements of one model.
    """
    if isinstance(thing, Model):
        name = str(thing._meta.model_name)
        thing = f"new_{name}" if thing._state.adding else f"{name}_{thing.pk}"
    return f"{prefix}_{thing}" if prefix else thing


def stream(
    action: str,
    target: Model | str | None = None,
    content: str = "",
    *,
    targets: str | None = None,
    method: str | None = None,
    request_id: str | None = None,
) -> SafeString:
    """Return a `<turbo-stream>` element; content that is not marked safe is escaped.

    Args:
        action: one of `ACTIONS`.
        target: an element's id, or a model, which stands for its `dom_id`.
        content: the HTML that the action inserts.
        targets: a CSS selector, in place of `target`.
        method: "morph" to change only what differs.
        request_id: for a refresh, the request whose page need not refresh.

    Raises:
        ValueError: the action is unknown, lacks a target or does not support the method.
    """
    if action not in ACTIONS:
        raise ValueError(
            f"Turbo has no action {action!r}. Use one of {', '.join(sorted(ACTIONS))}."
        )
    if (action != "refresh") != ((target is None) != (targets is None)):
        raise ValueError(f"{action} needs either a target or targets." if action != "refresh"
                         else "refresh is for the whole page and has no target.")  # fmt: skip
    if method is not None and (action not in METHODS or method != "morph"):
        raise ValueError(
            f'{action} has no method {method!r}. Use "morph" with {", ".join(sorted(METHODS))}.'
        )
    attributes = {
        "action": action,
        "method": method,
        "target": None if target is None else dom_id(target),
        "targets": targets,
        "request-id": request_id,
    }
    given = ((name, value) for name, value in attributes.items() if value is not None)
    inner = (
        format_html("<template>{}</template>", conditional_escape(content))
        if action in WITH_CONTENT
        else ""
    )
    return format_html(
        "<turbo-stream{}>{}</turbo-stream>", format_html_join("", ' {}="{}"', given), inner
    )


def append(target: Model | str, content: str) -> SafeString:
    return stream("append", target, content)


def prepend(target: Model | str, content: str) -> SafeString:
    return stream("prepend", target, content)


def replace(target: Model | str, content: str, *, method: str | None = None) -> SafeString:
    return stream("replace", target, content, method=method)


def update(target: Model | str, content: str, *, method: str | None = None) -> SafeString:
    return stream("update", target, content, method=method)


def before(target: Model | str, content: str) -> SafeString:
    return stream("before", target, content)


def after(target: Model | str, content: str) -> SafeString:
    return stream("after", target, content)


def remove(target: Model | str) -> SafeString:
    return stream("remove", target)


def refresh(*, request_id: str | None = None) -> SafeString:
    return stream("refresh", request_id=request_id)


class TurboStreamResponse(HttpResponse):
    """Changes the requesting page; the middleware adds pending messages as toasts."""

    def __init__(self, *streams: str, **kwargs: Any) -> None:
        kwargs.setdefault("content_type", f"{STREAM_TYPE}; charset=utf-8")
        super().__init__(mark_safe("".join(streams)), **kwargs)  # noqa: S308 - made by stream()

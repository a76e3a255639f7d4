"""Keeps pending messages for a response that the user will see."""

from collections.abc import Iterator
from typing import Any

from django.contrib.messages import get_messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from dovetail.turbo import streams
from dovetail.turbo.request import TurboRequest
from dovetail.turbo.streams import TurboStreamResponse


class DeferredMessages:
    """A message storage that accepts messages but yields none.

    A prefetched page may never be shown, and of a frame response only the frame is shown, so
    messages rendered there would be lost.
    """

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)


def defer_messages(request: HttpRequest, turbo: TurboRequest) -> None:
    """Keep the messages for a later response if this one may not be shown in full."""
    storage = getattr(request, "_messages", None)
    if storage is not None and (turbo.is_prefetch or "HTTP_TURBO_FRAME" in request.META):
        request._messages = DeferredMessages(storage)  # type: ignore[attr-defined] # noqa: SLF001


def add_toasts(request: HttpRequest, response: HttpResponseBase) -> None:
    """Append the messages to a stream response as toasts, since no page follows to show them."""
    if not isinstance(response, TurboStreamResponse):
        return
    storage = getattr(request, "_messages", None)
    if isinstance(storage, DeferredMessages):
        request._messages = storage._storage  # type: ignore[attr-defined] # noqa: SLF001
    for message in get_messages(request):
        toast = render_to_string("components/toast.html", {"message": message})
        response.write(streams.append("toasts", toast))

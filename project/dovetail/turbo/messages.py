"""Pending messages: shown by the answer that puts them before somebody's eyes, and by no other."""

from collections.abc import Iterator
from typing import Any

from django.contrib.messages import get_messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from dovetail.turbo import streams
from dovetail.turbo.request import TurboRequest
from dovetail.turbo.streams import TurboStreamResponse


class HeldBack:
    """A message storage that takes messages and shows none.

    A prefetched page may never be seen, and of a page that answers a frame only the frame is: what
    they rendered of the messages would be lost.
    """

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)


def hold_back(request: HttpRequest, turbo: TurboRequest) -> None:
    """Keep the messages for a later answer, if this one is not shown whole."""
    storage = getattr(request, "_messages", None)
    if storage is not None and (turbo.is_prefetch or "Turbo-Frame" in request.headers):
        request._messages = HeldBack(storage)  # type: ignore[attr-defined] # noqa: SLF001


def add_toasts(request: HttpRequest, response: HttpResponseBase) -> None:
    """Let a stream response bring the messages along: no page will follow it to show them."""
    if not isinstance(response, TurboStreamResponse):
        return
    storage = getattr(request, "_messages", None)
    if isinstance(storage, HeldBack):
        request._messages = storage._storage  # type: ignore[attr-defined] # noqa: SLF001
    for message in get_messages(request):
        toast = render_to_string("components/toast.html", {"message": message})
        response.write(streams.append("toasts", toast))

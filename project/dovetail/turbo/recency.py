"""Tells whether a page may have missed a broadcast between its rendering and its subscription.

Each broadcast leaves its time in the cache. `{% turbo_stream_from %}` says when the page's request
began, which is before the page has read anything, and a page that subscribes later than the last
broadcast fetches itself again. Without a cache, or for as long as the clocks of two hosts differ,
such a change is shown with the next one.
"""

import time
from collections.abc import Iterable

from django.core.cache import cache
from django.http import HttpRequest

from dovetail.cable.streams import group_name

KEPT = 600  # seconds; older pages are always taken to have missed something
DIGITS = 15  # of a time in milliseconds; more are not from us


def record(names: Iterable[str]) -> None:
    """Note that something is about to be broadcast to these streams.

    It is to be called before, since whoever subscribes in between asks afterwards.
    """
    now = now_in_milliseconds()
    cache.set_many({_key(name): now for name in names}, timeout=KEPT)


def may_have_missed(name: str, rendered_at: object) -> bool:
    """Return whether something was broadcast to a stream since a page was rendered.

    Args:
        name: the stream.
        rendered_at: what the page was given by `rendering_time`. False for anything else, such as
            None from a client that shows no page.
    """
    if not isinstance(rendered_at, str) or len(rendered_at) > DIGITS:
        return False
    if not (rendered_at.isascii() and rendered_at.isdecimal()):
        return False
    since = int(rendered_at)
    if since < now_in_milliseconds() - KEPT * 1000:
        return True
    last = cache.get(_key(name))
    return last is not None and last >= since


def rendering_time(request: HttpRequest | None) -> int:
    """Return when a request began, in milliseconds since 1970; now if there is none."""
    turbo = getattr(request, "turbo", None)
    return now_in_milliseconds() if turbo is None else int(turbo.began_at * 1000)


def now_in_milliseconds() -> int:
    return int(time.time() * 1000)


def _key(name: str) -> str:
    return f"last:{group_name(name)}"

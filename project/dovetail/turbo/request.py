"""`request.turbo`: what Turbo's headers say about a request."""

import time
from contextvars import ContextVar

from django.http import HttpRequest

STREAM_TYPE = "text/vnd.turbo-stream.html"

# The current request, whose own page need not refresh for the broadcasts that it causes.
current_request_id: ContextVar[str | None] = ContextVar("turbo_request_id", default=None)


class TurboRequest:
    """Truthy for a request made by Turbo.

    Attributes:
        began_at: when the request arrived, in seconds since 1970.
        vary: the headers that the response depends on: those that were read through this object.
    """

    def __init__(self, request: HttpRequest) -> None:
        self.began_at = time.time()
        self._meta = request.META  # `request.headers` would copy all of it for each request
        self.vary: set[str] = set()

    def __bool__(self) -> bool:
        return self.request_id is not None

    @property
    def request_id(self) -> str | None:
        """The id that Turbo gave the request; its page skips refreshes with this id."""
        return self._meta.get("HTTP_X_TURBO_REQUEST_ID")

    @property
    def frame(self) -> str | None:
        """The id of the requesting frame, None for a full page."""
        self.vary.add("Turbo-Frame")
        return self._meta.get("HTTP_TURBO_FRAME")

    @property
    def accepts_stream(self) -> bool:
        """Whether the client accepts a `TurboStreamResponse`."""
        self.vary.add("Accept")
        return STREAM_TYPE in self._meta.get("HTTP_ACCEPT", "")

    @property
    def is_prefetch(self) -> bool:
        """Whether the page is only being prefetched on hover and may never be shown."""
        return str(self._meta.get("HTTP_X_SEC_PURPOSE")) == "prefetch"

    @property
    def is_native(self) -> bool:
        """Whether the client is a Hotwire Native app."""
        self.vary.add("User-Agent")
        return "Hotwire Native" in self._meta.get("HTTP_USER_AGENT", "")


def turbo_of(request: HttpRequest) -> TurboRequest:
    """Return `request.turbo`, which `TurboMiddleware` has set, typed."""
    turbo: TurboRequest = request.turbo  # type: ignore[attr-defined]
    return turbo

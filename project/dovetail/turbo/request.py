"""`request.turbo`: what Turbo's headers say about a request."""

from contextvars import ContextVar

from django.http import HttpRequest

STREAM_TYPE = "text/vnd.turbo-stream.html"

# The current request, whose own page need not refresh for the broadcasts that it causes.
current_request_id: ContextVar[str | None] = ContextVar("turbo_request_id", default=None)


class TurboRequest:
    """Truthy for a request made by Turbo.

    Attributes:
        vary: the headers that the response depends on: those that were read through this object.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._headers = request.headers
        self.vary: set[str] = set()

    def __bool__(self) -> bool:
        return self.request_id is not None

    @property
    def request_id(self) -> str | None:
        """The id that Turbo gave the request; its page skips refreshes with this id."""
        return self._headers.get("X-Turbo-Request-Id")

    @property
    def frame(self) -> str | None:
        """The id of the requesting frame, None for a full page."""
        self.vary.add("Turbo-Frame")
        return self._headers.get("Turbo-Frame")

    @property
    def accepts_stream(self) -> bool:
        """Whether the client accepts a `TurboStreamResponse`."""
        self.vary.add("Accept")
        return STREAM_TYPE in self._headers.get("Accept", "")

    @property
    def is_prefetch(self) -> bool:
        """Whether the page is only being prefetched on hover and may never be shown."""
        return self._headers.get("X-Sec-Purpose", "") == "prefetch"

    @property
    def is_native(self) -> bool:
        """Whether the client is a Hotwire Native app."""
        self.vary.add("User-Agent")
        return "Hotwire Native" in self._headers.get("User-Agent", "")


def turbo_of(request: HttpRequest) -> TurboRequest:
    """Return `request.turbo`, which `TurboMiddleware` has set, typed."""
    turbo: TurboRequest = request.turbo  # type: ignore[attr-defined]
    return turbo

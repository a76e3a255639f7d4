"""What Turbo says about a request: `request.turbo`."""

from contextvars import ContextVar

from django.http import HttpRequest

STREAM_TYPE = "text/vnd.turbo-stream.html"

# The request in whose course something is broadcast, so that its own page need not refresh for it.
current_request_id: ContextVar[str | None] = ContextVar("turbo_request_id", default=None)


class TurboRequest:
    """Truthy for a request that Turbo made.

    Attributes:
        vary: the request headers that the answer depends on, by what was asked of this object.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._headers = request.headers
        self.vary: set[str] = set()

    def __bool__(self) -> bool:
        return self.request_id is not None

    @property
    def request_id(self) -> str | None:
        """The identifier that Turbo gave the request; a refresh for it is skipped by its page."""
        return self._headers.get("X-Turbo-Request-Id")

    @property
    def frame(self) -> str | None:
        """The id of the frame that waits for the answer; None for a whole page."""
        self.vary.add("Turbo-Frame")
        return self._headers.get("Turbo-Frame")

    @property
    def accepts_stream(self) -> bool:
        """Whether a `TurboStreamResponse` will be understood."""
        self.vary.add("Accept")
        return STREAM_TYPE in self._headers.get("Accept", "")

    @property
    def is_prefetch(self) -> bool:
        """Whether nobody may ever see the answer: the pointer only hovers over a link."""
        return self._headers.get("X-Sec-Purpose", "") == "prefetch"

    @property
    def is_native(self) -> bool:
        """Whether an app made with Hotwire Native asks."""
        self.vary.add("User-Agent")
        return "Hotwire Native" in self._headers.get("User-Agent", "")


def turbo_of(request: HttpRequest) -> TurboRequest:
    """Return `request.turbo`, as `TurboMiddleware` has set it, with its type."""
    turbo: TurboRequest = request.turbo  # type: ignore[attr-defined]
    return turbo

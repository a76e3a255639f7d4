"""The request that runs here, for what knows no request: spans, events and measurements."""

from contextvars import ContextVar

from django.http import HttpRequest
from django.urls import Resolver404, resolve

from dovetail.telemetry import scrubbing


class Exchange:
    """A request and the names that telemetry has for it.

    Django's handler sets the request, perhaps in another thread with a copy of the context, which
    is why this is an object and no plain context variable.
    """

    __slots__ = ("path", "request")

    def __init__(self, path: str) -> None:
        """Args: path: of the URL, for what is answered without Django."""
        self.path = path
        self.request: HttpRequest | None = None

    @property
    def route(self) -> str:
        """The pattern of the URL, such as `/articles/<slug:slug>/`; "" if there is none.

        There are as many as the site has patterns, whatever paths visitors make up.
        """
        match = self.request.resolver_match if self.request else None
        if match is None:  # answered before Django looked for the view
            try:
                match = resolve(self.path)
            except Resolver404:
                return ""
        return f"/{match.route}"

    @property
    def user_id(self) -> str:
        """The key of the signed-in user, if a view has asked for the user; otherwise ""."""
        user = getattr(self.request, "_cached_user", None)
        return scrubbing.key(getattr(user, "pk", None))


current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)

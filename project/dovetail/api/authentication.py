"""How the API knows who asks."""

from typing import Any

from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from rest_framework import authentication
from rest_framework.request import Request


class SessionAuthentication(authentication.SessionAuthentication):
    """The session of the site's own pages, with their CSRF token in its header.

    Without a session, an action that asks for a person is answered with 401, which names the
    scheme.
    """

    def authenticate_header(self, request: Request) -> str:
        del request
        return 'Session realm="api"'

    def enforce_csrf(self, request: Request) -> None:
        """Look for the token without reading the body, whose format may turn out to be refused."""
        page: Any = request._request  # noqa: SLF001 - it has no public name
        page._post, page._files = QueryDict(), MultiValueDict()  # noqa: SLF001 - as if read
        super().enforce_csrf(page)

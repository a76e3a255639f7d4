"""The way to a provider's site.

A login starts with a POST, and `form-action 'self'` forbids a form to end on another site, through
redirects too. A page of ours that moves on by itself does, and the policy stays as it is.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render


def leave(request: HttpRequest, url: str, provider: Any) -> HttpResponse:
    """Return the page that goes on to `url`, on the site of `provider`."""
    context = {"redirect_to": url, "provider": provider}
    return render(request, "socialaccount/login_redirect.html", context)


class LeavingMixin:
    """For allauth's providers: leave by a page instead of a redirect."""

    def redirect(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().redirect(request, *args, **kwargs)  # type: ignore[misc]
        if isinstance(response, HttpResponseRedirect):
            return leave(request, response.url, self)
        return response

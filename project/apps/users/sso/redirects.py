"""Redirects to an identity provider, by a page instead of a status code.

A login starts with a POST, and `form-action 'self'` stops a form submission from ending up on
another site, even through redirects. A page that refreshes to the provider works under that policy.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render


def redirect_page(request: HttpRequest, url: str, provider: Any) -> HttpResponse:
    """Return a page that sends the browser on to `url`, at the site of `provider`."""
    context = {"redirect_to": url, "provider": provider}
    return render(request, "socialaccount/login_redirect.html", context)


class RedirectPageMixin:
    """For allauth's providers: sends people there by a page instead of a redirect."""

    def redirect(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().redirect(request, *args, **kwargs)  # type: ignore[misc]
        if isinstance(response, HttpResponseRedirect):
            return redirect_page(request, response.url, self)
        return response

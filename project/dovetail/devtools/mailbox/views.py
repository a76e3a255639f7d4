"""Shows caught email in the browser. Every view returns 404 unless DEBUG is on."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.contrib import messages as flash
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from dovetail.devtools.mailbox import messages

P = ParamSpec("P")

# The HTML of a message is untrusted: it must not run scripts or load anything. Its opaque origin
# keeps it from reading this site's cookies.
HTML_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def only_in_debug(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not settings.DEBUG:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@only_in_debug
@require_safe
def mailbox(request: HttpRequest) -> HttpResponse:
    page = Paginator(messages.all_keys(), 50).get_page(request.GET.get("page"))
    caught = [found for key in page if (found := messages.find(key))]
    return render(request, "devtools/mailbox.html", {"page_obj": page, "caught": caught})


@only_in_debug
@require_safe
def message(request: HttpRequest, key: str) -> HttpResponse:
    return render(request, "devtools/message.html", {"message": _find(key)})


@only_in_debug
@require_safe
def message_html(_request: HttpRequest, key: str) -> HttpResponse:
    response = HttpResponse(_find(key).html, content_type="text/html; charset=utf-8")
    response["Content-Security-Policy"] = HTML_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response


@only_in_debug
@require_POST
def emptying(request: HttpRequest) -> HttpResponse:
    count = messages.empty()
    flash.success(request, f"Deleted {count} message{'' if count == 1 else 's'}.")
    response = redirect("devtools:mailbox")
    response.status_code = 303  # so that Turbo follows it with a GET
    return response


def _find(key: str) -> messages.Message:
    if found := messages.find(key):
        return found
    raise Http404

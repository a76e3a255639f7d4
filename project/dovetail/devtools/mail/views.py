"""Shows previews of mail. Every view returns 404 unless DEBUG is on."""

from itertools import groupby

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dovetail.devtools.mailbox.views import HTML_POLICY, only_in_debug
from dovetail.mail import previews

CLIPPED = 100 * 1024  # bytes of HTML, of which Gmail shows a little more


@only_in_debug
@require_safe
def mail(request: HttpRequest) -> HttpResponse:
    found = groupby(previews.all_previews(), key=lambda preview: preview.group)
    groups = [(name, [(preview, preview.make()) for preview in members]) for name, members in found]
    return render(request, "devtools/mail.html", {"groups": groups})


@only_in_debug
@require_safe
def preview(request: HttpRequest, key: str) -> HttpResponse:
    found = _find(key)
    message = found.make()
    size = len(previews.html(message, "light").encode())
    context = {
        "preview": found,
        "message": message,
        "headers": message.extra_headers,
        "size": size,
        "is_clipped": size > CLIPPED,
        "schemes": previews.SCHEMES,
    }
    return render(request, "devtools/mail_preview.html", context)


@only_in_debug
@require_safe
def preview_html(_request: HttpRequest, key: str, scheme: str) -> HttpResponse:
    if scheme not in previews.SCHEMES:
        raise Http404
    content = previews.html(_find(key).make(), scheme)
    response = HttpResponse(content, content_type="text/html; charset=utf-8")
    response["Content-Security-Policy"] = HTML_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response


def _find(key: str) -> previews.Preview:
    if found := previews.find(key):
        return found
    raise Http404

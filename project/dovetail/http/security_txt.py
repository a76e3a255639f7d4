"""Tells researchers where to report vulnerabilities, at `/.well-known/security.txt` (RFC 9116).

urlpatterns += security_txt_urls()  # none without SECURITY_CONTACT
"""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_safe

PATH = ".well-known/security.txt"
# How long a copy counts. The site itself always serves a fresh one.
LIFETIME = timedelta(days=30)


def security_txt_urls() -> list[URLPattern]:
    """Return the URL of the file, or nothing if there is nobody to contact."""
    return [path(PATH, security_txt, name="security_txt")] if settings.SECURITY_CONTACT else []


@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Return the contacts in their order of preference."""
    del request
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    lines = [
        *(f"Contact: {contact}" for contact in settings.SECURITY_CONTACT),
        f"Expires: {today + LIFETIME:%Y-%m-%dT%H:%M:%SZ}",
        f"Canonical: {settings.SITE_URL}/{PATH}",
    ]
    return HttpResponse(
        "".join(f"{line}\n" for line in lines),
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "max-age=86400"},
    )

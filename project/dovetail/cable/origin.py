"""Which origins may open a socket.

Browsers send a site's cookies with a WebSocket that any other site opens, so the origin must be
checked. Own code because Channels' validator compares host names only, not schemes and ports.
"""

from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host


def is_allowed(origin: str | None, host: str) -> bool:
    """Return whether a page of this origin may connect.

    Args:
        origin: the `Origin` header, which browsers always send; "null" from a sandbox.
        host: the `Host` header.
    """
    if not origin or origin == "null":
        return False
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    # With secure cookies, the site is served over HTTPS only.
    schemes = {"https"} if settings.SESSION_COOKIE_SECURE else {"https", "http"}
    parts = urlsplit(origin)
    return parts.scheme in schemes and parts.netloc.lower() == host.lower()

"""Which pages may open a socket.

A browser sends the cookies with a socket that any page opens, so the page's origin must be ours.
Channels' own validator compares host names only, without scheme and port.
"""

from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host


def is_allowed(origin: str | None, host: str) -> bool:
    """Tell whether a page of this origin may connect.

    Args:
        origin: the header `Origin`; browsers always send it, "null" from a sandbox.
        host: the header `Host`.
    """
    if not origin or origin == "null":
        return False
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    # Where cookies are for HTTPS alone, a page over HTTP is not one of ours.
    schemes = {"https"} if settings.SESSION_COOKIE_SECURE else {"https", "http"}
    parts = urlsplit(origin)
    return parts.scheme in schemes and parts.netloc.lower() == host.lower()

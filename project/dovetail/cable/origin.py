"""Which origins may open a socket.

Browsers send a site's cookies with a WebSocket that any other site opens, so the origin must be
checked. Own code because Channels' validator compares host names only, not schemes and ports.
"""

from django.conf import settings

from dovetail.http.hosts import accepted


def is_allowed(origin: str | None, host: str) -> bool:
    """Return whether a page of this origin may connect.

    Args:
        origin: the `Origin` header, which browsers always send; "null" from a sandbox.
        host: the `Host` header, which must be spelled as for pages.
    """
    name = accepted(host)
    if name is None or not origin:
        return False
    # With secure cookies, the site is served over HTTPS only.
    schemes = ["https"] if settings.SESSION_COOKIE_SECURE else ["https", "http"]
    return origin in {*settings.CSRF_TRUSTED_ORIGINS, *(f"{scheme}://{name}" for scheme in schemes)}

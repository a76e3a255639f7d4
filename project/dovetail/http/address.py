"""The address of a client behind trusted proxies."""

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the IP address that a request came from, "" if the server does not know it.

    Each of the `TRUSTED_PROXY_COUNT` proxies appends the address it was called from to
    `X-Forwarded-For`, so the client's is that many places from the end. What comes before may be
    forged.
    """
    count = settings.TRUSTED_PROXY_COUNT
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    if count and len(forwarded) >= count:
        return forwarded[-count].strip()
    return str(request.META.get("REMOTE_ADDR", ""))

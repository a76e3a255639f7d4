"""The IP address of a client behind trusted proxies."""

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the IP address that a request came from, "" if the server does not know it.

    Each of the `TRUSTED_PROXY_COUNT` proxies appends the address that it was called from to
    `X-Forwarded-For`, so the client's is that many places from the end. Earlier entries may be
    forged.
    """
    count = settings.TRUSTED_PROXY_COUNT
    forwarded = request.headers.get("X-Forwarded-For")
    if count and forwarded and len(addresses := forwarded.split(",")) >= count:
        return addresses[-count].strip()
    return str(request.META.get("REMOTE_ADDR", ""))

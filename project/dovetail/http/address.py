"""The IP address of a client, also behind trusted proxies.

Everything that counts, limits, logs or shows addresses takes them from here.
"""

import ipaddress
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

IPV6_PREFIX = 64  # bits; the smallest network that a line or a machine gets (RFC 6177)


def client_address(request: HttpRequest) -> str:
    """Return the IP address that a request came from, "" if the server does not know it."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    return address_of(request.META.get("REMOTE_ADDR"), forwarded)


def address_of(peer: str | None, forwarded: str) -> str:
    """Return the IP address of a client, "" if it is not known.

    Each of the `TRUSTED_PROXY_COUNT` proxies appends the address that it was called from to
    `X-Forwarded-For`, so the client's is that many places from the end. Earlier entries may be
    forged. With fewer entries, or with something else than an address there, such as `unknown`, the
    request did not come through all of the proxies, and it has the address of its peer.

    Args:
        peer: the address of the connection; None or "" for a Unix socket.
        forwarded: the `X-Forwarded-For` header, with several lines joined by commas in their order.
    """
    count = settings.TRUSTED_PROXY_COUNT
    hops = forwarded.rsplit(",", count)[-count:] if count else []
    return (_normalized(hops[0]) if len(hops) == count > 0 else "") or _normalized(peer or "")


def network_of(address: str) -> str:
    """Return what to count an address by: IPv4 as it is, IPv6 by its network of `IPV6_PREFIX` bits.

    Whoever has one IPv6 address has the whole network, and could send each request from another.
    """
    if ":" not in address:
        return address
    return str(ipaddress.IPv6Network((address, IPV6_PREFIX), strict=False).network_address)


@lru_cache(maxsize=1024)
def _normalized(text: str) -> str:
    """Return an address in its shortest spelling, without port and zone; "" if it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    # A socket that listens on both versions shows IPv4 clients as ::ffff:192.0.2.1.
    return str(getattr(address, "ipv4_mapped", None) or address)

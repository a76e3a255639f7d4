"""URLs of servers for the Valkey protocol."""

# redis-py and kombu know the protocol only by its older name.
SCHEMES = {"valkey": "redis", "valkeys": "rediss"}


def client_url(url: str) -> str:
    """Return a URL with a scheme that clients accept; nothing but the scheme is changed."""
    scheme, separator, rest = url.partition("://")
    return f"{SCHEMES.get(scheme, scheme)}{separator}{rest}"

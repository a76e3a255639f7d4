"""Splits URLs strictly: what would be misread is refused.

Errors are one sentence that names the setting and the remedy. It never contains a part of the
value, which may be a piece of a password.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote

from django.core.exceptions import ImproperlyConfigured

HOST = re.compile(r"(\[[^\[\]]+\]|[\w.%~-]*)(?::([0-9]{0,5}))?")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)
MAX_NAME = 253  # characters of a host (RFC 1035)
MAX_PORT = 65535


@dataclass(frozen=True)
class Url:
    """The parts of a URL. They are percent-encoded, except the user and the password.

    Attributes:
        scheme: in lowercase.
        user: "" if there is none.
        password: "" if there is none.
        hosts: pairs of a host, without brackets and "" if there is none, and a port.
        tail: everything after the authority.
        text: the whole URL, with its scheme in lowercase.
    """

    scheme: str
    user: str
    password: str
    hosts: list[tuple[str, int | None]]
    tail: str
    text: str

    @property
    def path(self) -> str:
        return self.tail.partition("?")[0]

    @property
    def query(self) -> str:
        return self.tail.partition("?")[2]

    @property
    def host(self) -> str:
        return self.hosts[0][0]

    @property
    def port(self) -> int | None:
        return self.hosts[0][1]

    @property
    def has_credentials(self) -> bool:
        return bool(self.user or self.password)


def split(name: str, value: str, *schemes: str, example: str = "") -> Url:
    """Return the parts of a URL that may lack a host.

    `urllib.parse.urlsplit` is not used: with a raw `/`, `?` or `#` in the password it takes a part
    of the password for the host, and it drops line breaks.

    Args:
        name: the setting.
        value: the URL.
        schemes: those that are accepted.
        example: a URL as it should be, for the error.
    """
    value = value.strip()
    scheme, separator, rest = value.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in schemes:
        raise malformed(name, *schemes, example=example)
    _reject_raw(name, rest)
    match = re.fullmatch(r"(?:([^/?]*)@)?([^/?]*)(.*)", rest, re.DOTALL)
    if not match:
        raise malformed(name, *schemes, example=example)
    hosts = [_host(item) for item in match[2].split(",")]
    if None in hosts:
        raise malformed(name, *schemes, example=example)
    user, _, password = (match[1] or "").partition(":")
    return Url(
        scheme,
        unquote(user),
        unquote(password),
        [host for host in hosts if host],
        match[3],
        f"{scheme}://{rest}",
    )


def malformed(name: str, *schemes: str, example: str = "") -> ImproperlyConfigured:
    example = example or f"{schemes[0]}://host:port/…"
    shown = example.partition("://")[0]
    names = [f"{scheme}://" for scheme in schemes if scheme != shown]
    others = f" (or {', '.join(names)})" if names else ""
    return ImproperlyConfigured(f"{name} is malformed: it must look like {example}{others}.")


def with_host(name: str, value: str, *schemes: str, example: str = "") -> Url:
    """Return the parts of a URL that has exactly one host."""
    url = split(name, value, *schemes, example=example)
    if len(url.hosts) != 1 or not url.host:
        raise malformed(name, *schemes, example=example)
    return url


def is_host(text: str) -> bool:
    """Return whether browsers and clients take a host: an address, or a name as DNS has it.

    A dot at the end is not taken, and no name whose last part is a number, which is read as an
    address.
    """
    try:
        ipaddress.ip_address(text)
    except ValueError:
        labels = text.split(".")
        return (
            len(text) <= MAX_NAME
            and all(map(LABEL.fullmatch, labels))
            and not labels[-1].isdecimal()
        )
    return "%" not in text  # the zone of an address of IPv6, which means nothing elsewhere


def is_loopback(host: str) -> bool:
    """Return whether a host, without brackets, is this machine, to which no network leads."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f".{host.lower()}".endswith(".localhost")  # RFC 6761
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _reject_raw(name: str, rest: str) -> None:
    """Refuse characters that must be percent-encoded, most likely in a password."""
    if match := re.search(r"[\s\x00-\x1f\x7f]", rest):
        what = "a space" if match[0] == " " else "a line break or control character"
        raise ImproperlyConfigured(
            f"{name} contains {what}: remove it, or write a space as %20 and a line break as %0A."
        )
    if re.search(r"%(?![0-9A-Fa-f]{2})", rest):
        raise _raw(name, "%", "%25")
    try:
        decoded = unquote(rest, errors="strict")
    except UnicodeDecodeError:
        decoded = "\0"
    if "\0" in decoded:
        raise ImproperlyConfigured(
            f"{name} contains percent-encoded bytes that are not UTF-8 text: encode it as UTF-8."
        )
    if "#" in rest:
        raise _raw(name, "#", "%23")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    tail = rest[len(authority) :]
    if "@" in tail:
        code = {"/": "%2F", "?": "%3F"}[tail[0]]
        raise ImproperlyConfigured(
            f"{name} contains a {tail[0]} before an @: in the user name and the password write "
            f"{code} for {tail[0]}; if the @ belongs after the host, write %40 for it."
        )
    credentials = authority.rpartition("@")[0]
    for character, code in {"@": "%40", "[": "%5B", "]": "%5D"}.items():
        if character in credentials:
            raise _raw(name, character, code)


def _raw(name: str, character: str, code: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"{name} contains a {character} that is not percent-encoded: write {code} for "
        f"{character}, most likely in the user name or the password."
    )


def _host(text: str) -> tuple[str, int | None] | None:
    """Return a host and its port, or None if they are malformed."""
    match = HOST.fullmatch(text)
    if not match:
        return None
    host = match[1]
    if host.startswith("["):
        host = host[1:-1]
        try:
            ipaddress.IPv6Address(unquote(host))
        except ValueError:
            return None
    port = int(match[2]) if match[2] else None
    return (host, port) if port is None or 0 < port <= MAX_PORT else None

"""Requests to other servers, which cannot be led to the networks that only this server reaches.

    with outgoing.Session() as session:
        answer = session.get("https://login.example/.well-known/openid-configuration")

A URL that comes from outside, or a redirect, or a name whose address changes between its check and
its use, could make the site ask its own database, the metadata of a cloud or a printer. So each
connection resolves the name once, refuses addresses that are not public, and connects to one of
those that were checked, whichever request or redirect it is for. `OUTGOING_PRIVATE_HOSTS` names
hosts and networks that may be private.

If the environment names a proxy (`HTTPS_PROXY`), that resolves and connects. Here only the scheme
is checked then, and the size and the time: let the proxy refuse private addresses itself.

Own code because requests-hardened 1.3, which checks in the same way, tries the first address of a
name only, can allow no internal host, and limits neither size nor time; advocate is unmaintained,
and ssrfguard is new and forty times as long.
"""

import ipaddress
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from io import BytesIO
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

logger = logging.getLogger(__name__)

TIMEOUT = 5  # seconds to connect, and for each part of the answer
TOTAL = 20  # seconds for a request with its redirects, without the resolver's
MOST = 1024 * 1024  # bytes of an answer, decompressed
REDIRECTS = 3
ATTEMPTS = 4  # addresses of one name to try
CHUNK = 64 * 1024  # bytes

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_network = ipaddress.ip_network
NAT64 = _network("64:ff9b::/96")  # an IPv4 address in its last bits (RFC 6052)
PUBLIC_IPV6 = _network("2000::/3")
# Inside of what `is_global` takes for public, in some versions of Python or in all.
NOT_PUBLIC = [
    *(_network(text) for text in ("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24")),
    *(_network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")),
]
# Where clouds tell a machine its secrets, and what is no address of one host. A name that may be
# private may not lead there; only a network of the setting may.
METADATA = [
    *(_network(text) for text in ("169.254.0.0/16", "fe80::/10")),  # also most clouds' metadata
    *(_network(text) for text in ("168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32")),
    _network("fd00:ec2::/32"),
]


class RefusedError(requests.ConnectionError):
    """The request was for a server, or in a form, that is not allowed."""


class TooSlowError(requests.Timeout):
    """The whole answer did not arrive in time."""


class TooLargeError(requests.ConnectionError):
    """The answer is larger than it may be."""


class _Refused(Exception):  # noqa: N818 - becomes a RefusedError
    """A `RefusedError` on its way through urllib3, which would hide an OSError in others."""


def is_public(address: Address) -> bool:
    """Return whether anyone on the internet can reach an address."""
    address = _unwrapped(address)
    if any(address in network for network in [*NOT_PUBLIC, *METADATA]):
        return False
    if address.version == 6 and address not in PUBLIC_IPV6:  # noqa: PLR2004 - of IP
        return False
    return address.is_global and not address.is_multicast


def is_allowed(host: str, address: Address) -> bool:
    """Return whether to connect to an address that a host has.

    Args:
        host: a name or an address, as in a URL.
        address: one that it resolves to.
    """
    if is_public(address):
        return True
    address = _unwrapped(address)
    names, networks = _private_hosts()
    if any(address in network for network in networks):
        return True
    is_special = address.is_multicast or address.is_unspecified
    is_metadata = any(address in network for network in METADATA)
    return host.lower() in names and not is_special and not is_metadata


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, in the order in which to try them.

    Raises:
        OSError: it has none, or the resolver is unavailable.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def _unwrapped(address: Address) -> Address:
    """Return the IPv4 address in an IPv6 address that stands for one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _private_hosts() -> tuple[set[str], list[Any]]:
    names, networks = set(), []
    for item in settings.OUTGOING_PRIVATE_HOSTS:
        try:
            networks.append(ipaddress.ip_network(item))
        except ValueError:
            names.add(item.lower())
    return names, networks


def _checked_addresses(host: str, port: int) -> list[str]:
    """Return the addresses to connect to. One that is not allowed spoils the others."""
    found = resolve(host, port)
    for text in found:
        address = ipaddress.ip_address(text.partition("%")[0])
        if not is_allowed(host, address):
            logger.warning(
                "Refused a request to %r, which has the private address %s. If it should be "
                "asked, add its name or network to OUTGOING_PRIVATE_HOSTS.",
                host,
                address,
            )
            raise _Refused(f"{host} has a private address")
    return found[:ATTEMPTS]


class Deadline:
    """Ends the connections that are watched when a time is over, whatever they wait for.

    A timeout of a socket starts again with each byte, of headers and of TLS too.
    """

    def __init__(self, seconds: float) -> None:
        self.has_passed = False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for watched in self._sockets:
                watched.close()
            self._sockets.clear()

    def watch(self, connected: socket.socket) -> None:
        """End this connection, too. TLS takes the socket away, so this keeps a copy."""
        with self._lock:
            self._sockets.append(connected.dup())
        if self.has_passed:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self.has_passed = True
            for watched in self._sockets:
                with suppress(OSError):
                    watched.shutdown(socket.SHUT_RDWR)


_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def _connect(connection: Any) -> socket.socket:
    """Return a socket to one of the checked addresses of a connection's host."""
    host, deadline = connection.host.strip("[]"), _deadline.get()
    try:
        addresses = _checked_addresses(host, connection.port)
    except UnicodeError as error:  # such as a label of more than 63 characters
        raise NameResolutionError(host, connection, socket.gaierror(str(error))) from error
    except OSError as error:
        raise NameResolutionError(host, connection, socket.gaierror(*error.args)) from error
    failure: OSError | None = None
    for address in addresses:
        if deadline and deadline.has_passed:
            break
        try:
            connected = create_connection(
                (address, connection.port),
                connection.timeout,
                source_address=connection.source_address,
                socket_options=connection.socket_options,
            )
        except OSError as error:
            failure = error
            continue
        if deadline:
            deadline.watch(connected)
        return connected
    raise NewConnectionError(connection, f"Could not connect to {host}: {failure}") from failure


class CheckedHTTPConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)


class CheckedHTTPSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)


class CheckedHTTPPool(HTTPConnectionPool):
    ConnectionCls = CheckedHTTPConnection


class CheckedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = CheckedHTTPSConnection


class Adapter(HTTPAdapter):
    """Connects to checked addresses only, and reads no more than `MOST` bytes."""

    def __init__(self, timeout: float = TIMEOUT, most: int = MOST) -> None:
        self.timeout = timeout
        self.most = most
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": CheckedHTTPPool,
            "https": CheckedHTTPSPool,
        }

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        """Send one request, without redirects, and read the whole answer.

        Raises:
            RefusedError: the server or the scheme is not allowed.
            TooLargeError: the answer is.
            TooSlowError: the answer is.
            requests.RequestException: it failed.
        """
        _check_scheme(request.url or "")
        kwargs["timeout"] = kwargs.get("timeout") or self.timeout
        try:
            response = super().send(request, *args, **kwargs | {"stream": True})
            response.raw = BytesIO(self._read(response.raw))
        except _Refused as error:
            raise RefusedError(str(error), request=request) from error
        except HTTPError as error:  # while the body was read
            _check_time()
            raise requests.ConnectionError(error, request=request) from error
        except requests.ConnectionError:
            _check_time()
            raise
        finally:
            self.poolmanager.clear()  # the next request checks the address again
        _check_time()
        return response

    def _read(self, raw: Any) -> bytes:
        body = bytearray()
        with closing(raw):
            for chunk in raw.stream(CHUNK, decode_content=True):
                body += chunk
                if len(body) > self.most:
                    raise TooLargeError(f"The answer has more than {self.most:,} bytes")
        return bytes(body)


def _check_scheme(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return
    if parts.scheme == "http" and settings.OUTGOING_PLAIN_HTTP and parts.hostname:
        names, networks = _private_hosts()
        if parts.hostname in names:
            return
        with suppress(ValueError):
            address = ipaddress.ip_address(parts.hostname)
            if any(address in network for network in networks):
                return
    raise RefusedError(f"{parts.scheme}://{parts.hostname} is not allowed: use https")


def _check_time() -> None:
    deadline = _deadline.get()
    if deadline and deadline.has_passed:
        raise TooSlowError("The server took too long to answer")


class Session(requests.Session):
    """A session of requests to other servers, which follows few redirects, and none of a body."""

    def __init__(self, *, timeout: float = TIMEOUT, total: float = TOTAL, most: int = MOST) -> None:
        """Prepare a session.

        Args:
            timeout: seconds to connect, and for each part of the answer.
            total: seconds for a request with its redirects.
            most: bytes of an answer, decompressed.
        """
        super().__init__()
        self.total = total
        self.max_redirects = REDIRECTS
        for scheme in ("https://", "http://"):
            self.mount(scheme, Adapter(timeout, most))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request, and follow its redirects.

        Raises:
            requests.RequestException: as `Adapter.send`, or a redirect makes no sense.
        """
        if _deadline.get():  # this is a redirect
            return super().send(request, **kwargs)
        with _within(self.total):
            try:
                return super().send(request, **kwargs)
            except requests.RequestException:
                raise
            except ValueError as error:  # of an address that the server has sent
                raise requests.exceptions.InvalidURL(str(error), request=request) from error

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where to go next: nowhere with a body, which may contain a secret."""
        return None if resp.request.body else super().get_redirect_target(resp)


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    with Deadline(seconds) as deadline:
        token = _deadline.set(deadline)
        try:
            yield
        finally:
            _deadline.reset(token)

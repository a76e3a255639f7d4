"""The address that limits, logs and pages take for the client's."""

import re
from pathlib import Path

import pytest
from allauth.account.adapter import get_adapter
from allauth.core.internal.ratelimit import get_ip
from django.conf import settings as project
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from dovetail.cable.handshake import identify
from dovetail.http.address import client_address, network_of

PEER = "10.0.0.9"


def request_from(peer: str, forwarded: str | None) -> HttpRequest:
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = peer
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    return request


def address_of_socket(peer: str, *forwarded: str) -> str:
    """Return the address of a socket, whose handshake has one line for each entry."""
    lines = [(b"x-forwarded-for", line.encode("latin-1")) for line in forwarded]
    return identify({"headers": lines, "client": (peer, "50000") if peer else None}).address


CASES = [
    (0, None, PEER),
    (0, "203.0.113.1", PEER),
    (1, "203.0.113.1", "203.0.113.1"),
    (1, "6.6.6.6, 203.0.113.1", "203.0.113.1"),
    (2, "203.0.113.1, 10.0.0.1", "203.0.113.1"),
    (2, "6.6.6.6,203.0.113.1,10.0.0.1", "203.0.113.1"),
    (1, "6.6.6.6,,203.0.113.1", "203.0.113.1"),
    (1, "x" * 100_000 + ",203.0.113.1", "203.0.113.1"),
    (1, "," * 100_000 + "203.0.113.1", "203.0.113.1"),
    (1, None, PEER),
    # As Azure's gateway writes it.
    (1, "203.0.113.1:4711", "203.0.113.1"),
    (1, "2001:db8::1", "2001:db8::1"),
    (1, "2001:DB8:0:0:0::1", "2001:db8::1"),
    (1, "[2001:db8::1]:4711", "2001:db8::1"),
    (1, "[2001:db8::1]", "2001:db8::1"),
    (1, "fe80::1%eth0", "fe80::1"),
    (1, "::ffff:203.0.113.1", "203.0.113.1"),
    # Nothing that can be trusted: the peer is known, at least.
    (1, "6.6.6.6, unknown", PEER),
    (1, "6.6.6.6, _hidden", PEER),
    (1, "6.6.6.6, unix:", PEER),
    (1, "6.6.6.6,", PEER),
    (1, "6.6.6.6, 203.0.113.999", PEER),
    (1, "6.6.6.6, 203.0.113.01", PEER),
    (1, "6.6.6.6, 1:2:3", PEER),
    (1, "6.6.6.6, [::1", "::1"),
    (1, "6.6.6.6, \xb2.0.0.1", PEER),
    (1, "", PEER),
    # The request did not come through all of the proxies.
    (2, "6.6.6.6", PEER),
    (3, "6.6.6.6, 203.0.113.1", PEER),
]


@pytest.mark.parametrize(("proxies", "forwarded", "expected"), CASES)
def test_address_is_the_one_that_the_outermost_trusted_proxy_saw(
    settings: Settings, proxies: int, forwarded: str | None, expected: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies
    request = request_from(PEER, forwarded)

    assert client_address(request) == expected
    assert get_adapter().get_client_ip(request) == expected, "limits count another address"
    assert get_ip(request) == network_of(expected), "limits count another network"
    assert address_of_socket(PEER, *([] if forwarded is None else [forwarded])) == expected


@pytest.mark.parametrize(
    "lines",
    [
        ["6.6.6.6", "203.0.113.1"],
        ["6.6.6.6, 7.7.7.7", "203.0.113.1"],
        ["6.6.6.6", "7.7.7.7, 203.0.113.1"],
    ],
)
def test_several_lines_of_the_header_are_joined(settings: Settings, lines: list[str]) -> None:
    """Kind: some proxies add a line of their own, after that which the visitor forged."""
    settings.TRUSTED_PROXY_COUNT = 1

    assert address_of_socket(PEER, *lines) == "203.0.113.1"


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("", ""),
        ("::ffff:10.0.0.9", PEER),
        ("unix:/run/web.sock", ""),
        ("2001:DB8::9", "2001:db8::9"),
    ],
)
def test_address_of_a_peer_is_normalized(settings: Settings, peer: str, expected: str) -> None:
    settings.TRUSTED_PROXY_COUNT = 0

    assert client_address(request_from(peer, None)) == expected
    assert address_of_socket(peer) == expected


def test_accounts_refuse_clients_without_an_address(settings: Settings) -> None:
    settings.TRUSTED_PROXY_COUNT = 0

    with pytest.raises(PermissionDenied, match="set TRUSTED_PROXY_COUNT"):
        get_adapter().get_client_ip(request_from("", None))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
        ("2001:db8:1:3::", "2001:db8:1:3::"),
        ("", ""),
    ],
)
def test_ipv6_is_counted_by_network(address: str, expected: str) -> None:
    assert network_of(address) == expected


def test_nothing_else_reads_the_address() -> None:
    """Kind: a second reader of the header, which trusts another entry of it."""
    reads = re.compile(r"REMOTE_ADDR|X[-_]FORWARDED[-_]FOR|get_client_ip_from_xff", re.IGNORECASE)
    readers = {
        path.relative_to(project.PROJECT_DIR).as_posix()
        for path in Path(project.PROJECT_DIR).rglob("*.py")
        if reads.search(path.read_text())
    }

    assert readers == {
        "dovetail/http/address.py",
        "dovetail/cable/handshake.py",  # hands it to that
        "dovetail/http/access_log.py",  # as well
        "dovetail/http/environ.py",  # sets it, as a server does
        "dovetail/http/proxy.py",  # looks only whether it is there
    }

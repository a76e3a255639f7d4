import pytest
from allauth.core.internal.httpkit import get_client_ip
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from dovetail.http.address import client_address


def request_from(peer: str, forwarded: str | None) -> HttpRequest:
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = peer
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    return request


CASES = [
    (0, None, "10.0.0.9"),
    (0, "203.0.113.1", "10.0.0.9"),
    (1, "203.0.113.1", "203.0.113.1"),
    (1, "6.6.6.6, 203.0.113.1", "203.0.113.1"),
    (2, "203.0.113.1, 10.0.0.1", "203.0.113.1"),
    (2, "6.6.6.6,203.0.113.1,10.0.0.1", "203.0.113.1"),
    (1, None, "10.0.0.9"),
    (1, "2001:db8::1", "2001:db8::1"),
]


@pytest.mark.parametrize(("proxies", "forwarded", "expected"), CASES)
def test_address_is_the_one_that_the_outermost_trusted_proxy_saw(
    settings: Settings, proxies: int, forwarded: str | None, expected: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    request = request_from("10.0.0.9", forwarded)

    assert client_address(request) == expected
    assert get_client_ip(request) == expected, "sign-in limits count another address"


def test_request_that_bypassed_a_proxy_has_the_address_of_its_peer(settings: Settings) -> None:
    settings.TRUSTED_PROXY_COUNT = 2

    assert client_address(request_from("10.0.0.9", "6.6.6.6")) == "10.0.0.9"


def test_address_of_a_socket_without_a_peer_is_empty(settings: Settings) -> None:
    settings.TRUSTED_PROXY_COUNT = 0

    assert client_address(request_from("", None)) == ""

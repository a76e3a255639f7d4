import os
import socket
from collections.abc import Iterator

import pytest

from config import env
from dovetail.devtools.embedded.testing import free_port
from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack import ports
from dovetail.devtools.stack.ports import Ports


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "VITE_PORT", "POSTGRES_PORT", "VALKEY_PORT", "OTLP_PORT", "S3_PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", free_port()))
        listener.listen()
        yield listener


def test_other_ports_follow_the_web_port() -> None:
    assert ports.choose(None) == Ports(8000, 8001, 8002, 8003, 8018, 8020)
    assert ports.choose(18210) == Ports(18210, 18211, 18212, 18213, 18228, 18230)


def test_configured_port_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("POSTGRES_PORT", "7000")
    assert ports.choose(None) == Ports(9000, 9001, 7000, 9003, 9018, 9020)
    assert ports.choose(9100) == Ports(9100, 9101, 7000, 9103, 9118, 9120)


def test_duplicate_ports_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALKEY_PORT", "8000")
    with pytest.raises(SetupError, match="PORT and VALKEY_PORT are both 8000"):
        ports.choose(None)


@pytest.mark.parametrize("port", [0, -1, 65_534, 70_000])
def test_port_out_of_range_is_refused(port: int) -> None:
    with pytest.raises(SetupError, match=r"PORT would be -?[0-9]+, but ports go from 1 to 65535"):
        ports.choose(port)


def test_busy_port_is_reported_with_its_process(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(SetupError) as error:
        ports.ensure_free([(port, "Vite")])
    message = str(error.value)
    assert message.startswith(f"Port {port}, for Vite, is in use by ")
    assert f"(process {os.getpid()})" in message
    assert "`up --port N`" in message


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1"])  # noqa: S104 - what is tested
def test_shareable_port_counts_as_busy(address: str) -> None:
    with socket.socket() as sharing:
        sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sharing.bind((address, free_port()))
        sharing.listen()
        with pytest.raises(SetupError, match="is in use"):
            ports.ensure_free([(sharing.getsockname()[1], "the web server")])


def test_port_in_use_on_ipv6_localhost_is_busy() -> None:
    with socket.socket(socket.AF_INET6) as other:
        try:
            # Not port 0: an outgoing connection could be using the same port on 127.0.0.1.
            other.bind(("::1", free_port()))
        except OSError:  # this machine has no IPv6
            return
        other.listen()
        with pytest.raises(SetupError, match="is in use on ::1"):
            ports.ensure_free([(other.getsockname()[1], "the web server")])


def test_port_of_a_just_stopped_server_is_free(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)):
        accepted, _ = listener.accept()
        accepted.close()  # the side that closes first keeps the port in TIME_WAIT
    assert ports.answers(port)
    listener.close()
    ports.ensure_free([(port, "the web server")])
    assert not ports.answers(port)


def test_port_in_the_description_of_an_earlier_up_is_not_taken_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A killed `up` leaves its up.json, whose PORT is a default for other commands."""
    monkeypatch.setitem(env._defaults, "PORT", "8100")  # noqa: SLF001 - as use_defaults does
    assert ports.choose(None) == Ports(8000, 8001, 8002, 8003, 8018, 8020)

import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import redis

from dovetail.devtools.embedded import valkey
from dovetail.devtools.embedded.testing import embedded_valkey

LIMIT = 60  # seconds, for a busy machine


@pytest.fixture(scope="module")
def url() -> object:
    with embedded_valkey() as url:
        yield url


def test_values_are_shared_between_connections(url: str) -> None:
    with redis.Redis.from_url(f"{url}/3") as one, redis.Redis.from_url(f"{url}/3") as two:
        one.set("key", b"\r\n\x00 value", ex=100)
        assert two.get("key") == b"\r\n\x00 value"


def test_error_reply_keeps_the_connection_open(url: str) -> None:
    with redis.Redis.from_url(url, single_connection_client=True) as client:
        number = client.client_id()
        client.set("text", "value")
        with pytest.raises(redis.ResponseError):
            client.lpush("text", 1)
        assert client.client_id() == number


def test_registered_scripts_run(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.set("scripted", "value")
        script = client.register_script("return redis.call('GET', KEYS[1])")
        assert script(keys=["scripted"]) == b"value"


def test_published_message_reaches_the_subscriber(url: str) -> None:
    with redis.Redis.from_url(url) as client, client.pubsub() as subscription:
        subscription.subscribe("news")
        assert subscription.get_message(timeout=LIMIT)
        client.publish("news", "hello")
        message = subscription.get_message(timeout=LIMIT)
        assert message
        assert message["data"] == b"hello"


def test_published_message_is_not_delayed(url: str) -> None:
    """Kind: looking for events at intervals, which also uses a processor while nothing happens."""
    with redis.Redis.from_url(url) as client, client.pubsub() as subscription:
        subscription.subscribe("news")
        assert subscription.get_message(timeout=LIMIT)

        def publish() -> None:
            client.publish("news", "hello")
            assert subscription.get_message(timeout=LIMIT)

        delivery, answer = ([], [])
        for _ in range(30):
            delivery.append(timed(publish))
            answer.append(timed(client.ping))

    assert statistics.median(delivery) < 20 * statistics.median(answer)  # once more than 100


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def test_all_of_many_commands_at_once_are_answered(url: str) -> None:
    with redis.Redis.from_url(url) as client, client.pipeline(transaction=False) as pipeline:
        for number in range(5000):
            pipeline.set(f"key:{number}", "x" * 50)
        assert pipeline.execute() == [True] * 5000


def test_waiting_client_gets_what_another_adds(url: str) -> None:
    with redis.Redis.from_url(url) as client, redis.Redis.from_url(url) as waiting:
        with ThreadPoolExecutor(1) as pool:
            popped = pool.submit(waiting.blpop, ["tasks"], 10)
            client.rpush("tasks", "one")
        assert popped.result() == (b"tasks", b"one")


@pytest.mark.parametrize("sent", [b"PING\r\n", b"\0\xff\r\n"])
def test_what_is_no_command_is_answered_with_an_error(url: str, sent: bytes) -> None:
    parts = urlsplit(url)
    password = str(parts.password).encode()
    with socket.create_connection(("127.0.0.1", parts.port or 0), timeout=10) as client:
        client.sendall(b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%b\r\n" % (len(password), password) + sent)
        answers = client.makefile("rb").read()
    assert answers.startswith(b"+OK\r\n-ERR unknown command")


@pytest.mark.parametrize("protocol", [2, 3])  # AUTH and HELLO
@pytest.mark.parametrize("credentials", ["", ":wrong@", "default:wrong@", "other:{password}@"])
def test_password_is_required(url: str, credentials: str, protocol: int) -> None:
    """Kind: a port on the machine that every one of its users can reach."""
    parts = urlsplit(url)
    given = credentials.format(password=parts.password)
    location = f"redis://{given}127.0.0.1:{parts.port}"

    with (
        redis.Redis.from_url(location, protocol=protocol) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.set("planted", "value")

    with redis.Redis.from_url(url) as client:
        assert client.get("planted") is None


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("user", ["", "default"])
def test_both_forms_of_the_password_are_accepted(url: str, user: str, protocol: int) -> None:
    location = url.replace("redis://:", f"redis://{user}:")
    options = {"protocol": protocol, "client_name": "me", "single_connection_client": True}

    with redis.Redis.from_url(location, **options) as client:
        assert client.ping()
        assert client.client_getname() in {"me", b"me"}
        assert client.execute_command("AUTH", urlsplit(url).password)


@pytest.mark.parametrize(
    "sent",
    [
        b"SET planted value\r\n",
        b"*3\r\n$3\r\nSET\r\n$7\r\nplanted\r\n$5\r\nvalue\r\n",
        b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*3\r\n$3\r\nSET\r\n$7\r\nplanted\r\n$5\r\nvalue\r\n",
        b"*2\r\n$4\r\nAUTH\r\n$0\r\n\r\n*3\r\n$3\r\nSET\r\n$7\r\nplanted\r\n$5\r\nvalue\r\n",
        b"*99999999\r\n",
        b"*1\r\n$99999999\r\n",
        b"*1\r\n$-1\r\n",
        b"*0\r\n",
        b"\r\n",
        b"x" * 100_000,
    ],
)
def test_stranger_gets_an_error_or_is_disconnected(url: str, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=30) as stranger:
        answer = b""
        try:
            stranger.sendall(sent)
            stranger.shutdown(socket.SHUT_WR)
            while data := stranger.recv(4096):
                answer += data
        except OSError:  # it did not wait for the rest; some of these are no ConnectionError
            pass

    assert all(line.startswith((b"-NOAUTH ", b"-WRONGPASS ")) for line in answer.splitlines())
    with redis.Redis.from_url(url) as client:
        assert client.get("planted") is None


def test_server_does_not_start_without_a_password() -> None:
    """Kind: a protection that a forgotten variable switches off."""
    command = valkey.command(0)
    environment = valkey.environment("")

    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=60
    )

    assert command[0] == sys.executable
    assert result.returncode == 1
    assert result.stderr.startswith("error: VALKEY_SERVER_PASSWORD is not set")

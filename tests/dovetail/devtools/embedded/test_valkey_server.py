import pytest
import redis

from dovetail.devtools.embedded.testing import throwaway_valkey


@pytest.fixture(scope="module")
def url() -> object:
    with throwaway_valkey() as url:
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
        assert subscription.get_message(timeout=5)
        client.publish("news", "hello")
        message = subscription.get_message(timeout=5)
        assert message
        assert message["data"] == b"hello"

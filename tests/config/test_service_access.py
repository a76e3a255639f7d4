"""Which servers production accepts without a password."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import service_urls
from config.service_access import check_broker, check_memcached, check_valkey

HERE = ("127.0.0.1", "127.0.0.2", "localhost", "LOCALHOST", "[::1]")
ELSEWHERE = (
    *("valkey", "10.0.0.1", "localhost.example", "127.0.0.1.example", "[2001:db8::1]", "0.0.0.0"),  # noqa: S104
    *("host.docker.internal", "[::ffff:10.0.0.1]", "127.1"),
)
CERTIFICATE = "ssl_certfile=/c.pem&ssl_keyfile=/k.pem"


def refused(name: str, value: str) -> str:
    """Return the error about a value of a setting, "" if it is accepted."""
    try:
        match name:
            case "VALKEY_URL":
                check_valkey(name, service_urls.valkey(name, value))
            case "CELERY_BROKER_URL":
                check_broker(name, service_urls.broker(name, value))
            case _:
                check_memcached(name, service_urls.memcached(name, value))
    except ImproperlyConfigured as error:
        sentence = str(error)
        assert sentence.startswith(f"{name} ")
        assert "ALLOW_UNAUTHENTICATED_SERVICES=true" in sentence
        assert sentence.endswith(".")
        assert ". " not in sentence
        assert "\n" not in sentence
        return sentence
    return ""


@pytest.mark.parametrize("name", ["VALKEY_URL", "CELERY_BROKER_URL"])
@pytest.mark.parametrize("scheme", ["redis", "rediss", "valkey", "valkeys"])
class TestValkey:
    @pytest.mark.parametrize("host", HERE)
    def test_server_on_this_host_needs_no_password(self, name: str, scheme: str, host: str) -> None:
        assert not refused(name, f"{scheme}://{host}:6379/0")

    @pytest.mark.parametrize("host", ELSEWHERE)
    def test_server_elsewhere_needs_a_password(self, name: str, scheme: str, host: str) -> None:
        """Kind: a default that is safe only where it was written."""
        assert "add the password, as in valkey://" in refused(name, f"{scheme}://{host}:6379/0")
        assert refused(name, f"{scheme}://site@{host}:6379/0")
        assert refused(name, f"{scheme}://site:@{host}:6379/0")
        assert not refused(name, f"{scheme}://:secret@{host}:6379/0")
        assert not refused(name, f"{scheme}://site:secret@{host}:6379/0")

    def test_client_certificate_is_enough(self, name: str, scheme: str) -> None:
        url = f"{scheme}://valkey:6379/0?{CERTIFICATE}"
        if scheme in {"rediss", "valkeys"}:
            assert not refused(name, url)
        assert refused(name, "rediss://valkey:6379/0?ssl_cert_reqs=required")


@pytest.mark.parametrize("name", ["VALKEY_URL", "CELERY_BROKER_URL"])
def test_socket_needs_no_password(name: str) -> None:
    assert not refused(name, "unix:///run/valkey/valkey.sock?db=0")


def test_password_may_be_an_option_of_valkey() -> None:
    assert not refused("VALKEY_URL", "redis://valkey:6379/0?password=secret")


@pytest.mark.parametrize("scheme", ["amqp", "amqps"])
class TestRabbitMQ:
    @pytest.mark.parametrize("host", HERE)
    def test_server_on_this_host_may_have_its_default_user(self, scheme: str, host: str) -> None:
        assert not refused("CELERY_BROKER_URL", f"{scheme}://guest:guest@{host}:5672//")
        assert not refused("CELERY_BROKER_URL", f"{scheme}://{host}:5672//")

    @pytest.mark.parametrize("host", ELSEWHERE)
    def test_server_elsewhere_needs_a_user_of_its_own(self, scheme: str, host: str) -> None:
        for user in ("", "site@", "site:@"):
            assert "add the password" in refused("CELERY_BROKER_URL", f"{scheme}://{user}{host}//")
        guest = refused("CELERY_BROKER_URL", f"{scheme}://guest:guest@{host}//")
        assert "create a user for this site" in guest
        assert not refused("CELERY_BROKER_URL", f"{scheme}://site:secret@{host}//")

    def test_login_without_a_password_is_refused(self, scheme: str) -> None:
        """The client takes no certificate from a URL, so that nothing else is left."""
        assert refused("CELERY_BROKER_URL", f"{scheme}://rabbitmq//?login_method=EXTERNAL")


@pytest.mark.parametrize(
    ("urls", "accepted"),
    [
        ("amqp://a:b@one//;amqp://a:b@two//", True),
        ("amqp://a:b@one//;amqp://two//", False),
        ("amqp://127.0.0.1//;redis://valkey/1", False),
        ("amqp://a:b@one//;redis://:b@valkey/1", True),
    ],
)
def test_each_broker_is_checked(urls: str, *, accepted: bool) -> None:
    """Kind: a list of which only the first item is looked at."""
    assert bool(refused("CELERY_BROKER_URL", urls)) != accepted


@pytest.mark.parametrize("host", HERE)
def test_memcached_may_be_on_this_host(host: str) -> None:
    assert not refused("MEMCACHED_URL", f"memcached://{host}:11211,{host}:11212")


@pytest.mark.parametrize("host", ELSEWHERE)
def test_memcached_elsewhere_is_refused(host: str) -> None:
    assert "use a Unix socket" in refused("MEMCACHED_URL", f"memcached://{host}:11211")
    assert refused("MEMCACHED_URL", f"memcached://127.0.0.1,{host}")


def test_socket_of_memcached_is_accepted() -> None:
    assert not refused("MEMCACHED_URL", "memcached:///run/memcached/memcached.sock")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VALKEY_URL", "redis://site@valkey-of-secret"),
        ("CELERY_BROKER_URL", "amqp://guest:guest@rabbitmq-of-secret"),
        ("MEMCACHED_URL", "memcached://memcached-of-secret"),
    ],
)
def test_error_contains_no_part_of_the_value(name: str, value: str) -> None:
    assert "secret" not in refused(name, value)

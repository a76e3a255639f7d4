from pathlib import Path

import pytest
from pytest_django import Settings

from dovetail.devtools.embedded import seaweedfs
from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack.ports import Ports
from dovetail.devtools.stack.services import (
    Services,
    describe_broker,
    describe_cache,
    describe_database,
)

PORTS = Ports(8000, 8001, 8002, 8003, 8018, 8020)
NAMES = ("DATABASE_URL", "VALKEY_URL", "CELERY_BROKER_URL")


def test_unset_services_are_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    embedded = Services.from_settings(PORTS, s3=False)
    assert embedded.database
    assert embedded.valkey
    password = embedded.password
    assert embedded.environment(None, None) == {
        "VALKEY_URL": f"redis://:{password}@127.0.0.1:8003/0",
        "CELERY_BROKER_URL": f"redis://:{password}@127.0.0.1:8003/1",
    }
    assert password not in {"", Services.from_settings(PORTS, s3=False).password}
    assert password not in repr(embedded)
    program = embedded.program({"HOME": "/"})
    assert password in program.environment.values()
    assert not any(password in argument for argument in program.command)

    monkeypatch.setenv("VALKEY_URL", "redis://elsewhere")
    assert Services.from_settings(PORTS, s3=False).valkey  # it is still the broker
    assert Services.from_settings(PORTS, s3=False).environment(None, None).keys() == {
        "CELERY_BROKER_URL"
    }

    monkeypatch.setenv("CELERY_BROKER_URL_FILE", "/run/secrets/broker")
    assert not Services.from_settings(PORTS, s3=False).valkey
    monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/app")
    assert not Services.from_settings(PORTS, s3=False).database


def test_s3_server_is_embedded_if_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S3_BUCKET", raising=False)
    services = Services.from_settings(PORTS, s3=True)
    server = seaweedfs.Server(Path("weed"), Path("s3"), PORTS.s3)

    found = services.environment(None, server)
    assert found["S3_BUCKET"] == "uploads"
    assert found["S3_ENDPOINT_URL"] == "http://127.0.0.1:8020"
    assert found["S3_SECRET_ACCESS_KEY"] == server.secret
    assert server.secret not in repr(server)
    assert not any(server.secret in argument for argument in server.command())

    monkeypatch.setenv("S3_BUCKET", "another")
    with pytest.raises(SetupError, match="S3_BUCKET is set"):
        Services.from_settings(PORTS, s3=True)


@pytest.mark.django_db
def test_reachable_services_are_described() -> None:
    assert describe_database().startswith("PostgreSQL ")
    assert describe_cache().startswith("Valkey at 127.0.0.1:")
    assert describe_broker().startswith("redis at 127.0.0.1:")


def test_unreachable_cache_is_reported_without_its_password(settings: Settings) -> None:
    settings.VALKEY_URL = "redis://user:secret@127.0.0.1:9/0"
    with pytest.raises(SetupError, match=r"at 127\.0\.0\.1:9 from VALKEY_URL") as error:
        describe_cache()
    assert "secret" not in str(error.value)


def test_cache_at_a_valkey_url_is_reached(settings: Settings) -> None:
    address = str(settings.CACHES["default"]["LOCATION"]).partition("://")[2]
    settings.VALKEY_URL = f"valkey://{address}"

    assert describe_cache().startswith("Valkey at 127.0.0.1:")


@pytest.mark.parametrize(
    ("urls", "where"),
    [
        ("amqp://u:secret@127.0.0.1:9;amqp://u:secret@[::1]:9", r"127\.0\.0\.1:9 or ::1:9"),
        ("redis+socket:///no/v.sock;amqp://u:secret@127.0.0.1:9//", r"/no/v\.sock or 127"),
    ],
)
def test_unreachable_brokers_are_all_named(settings: Settings, urls: str, where: str) -> None:
    settings.CELERY_BROKER_URL = urls
    with pytest.raises(SetupError, match=f"at {where}") as error:
        describe_broker()
    assert "secret" not in str(error.value)


@pytest.mark.xdist_group("waits")
@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_unreachable_broker_is_reported_without_its_password(
    settings: Settings, scheme: str
) -> None:
    settings.CELERY_BROKER_URL = f"{scheme}://user:secret@127.0.0.1:9//"
    with pytest.raises(SetupError, match=r"at 127\.0\.0\.1:9 from CELERY_BROKER_URL") as error:
        describe_broker()
    assert "secret" not in str(error.value)

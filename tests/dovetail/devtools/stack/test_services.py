import pytest
from pytest_django import Settings

from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack.ports import Ports
from dovetail.devtools.stack.services import (
    Services,
    describe_broker,
    describe_cache,
    describe_database,
)

PORTS = Ports(8000, 8001, 8002, 8003)
NAMES = ("DATABASE_URL", "VALKEY_URL", "CELERY_BROKER_URL")


def test_what_no_setting_names_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    ours = Services.wanted(PORTS)
    assert ours.database
    assert ours.valkey
    assert ours.environment(None) == {
        "VALKEY_URL": "redis://127.0.0.1:8003/0",
        "CELERY_BROKER_URL": "redis://127.0.0.1:8003/1",
    }

    monkeypatch.setenv("VALKEY_URL", "redis://elsewhere")
    assert Services.wanted(PORTS).valkey  # it is still the broker
    assert Services.wanted(PORTS).environment(None).keys() == {"CELERY_BROKER_URL"}

    monkeypatch.setenv("CELERY_BROKER_URL_FILE", "/run/secrets/broker")
    assert not Services.wanted(PORTS).valkey
    monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/app")
    assert not Services.wanted(PORTS).database


@pytest.mark.django_db
def test_services_that_answer_are_described() -> None:
    assert describe_database().startswith("PostgreSQL ")
    assert describe_cache().startswith("Valkey at 127.0.0.1:")
    assert describe_broker().startswith("redis at 127.0.0.1:")


def test_a_cache_that_does_not_answer_is_named_without_its_password(settings: Settings) -> None:
    settings.VALKEY_URL = "redis://user:secret@127.0.0.1:9/0"
    with pytest.raises(SetupError, match=r"VALKEY_URL names a server at 127\.0\.0\.1:9") as error:
        describe_cache()
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_does_not_answer_is_named_without_its_password(
    settings: Settings, scheme: str
) -> None:
    settings.CELERY_BROKER_URL = f"{scheme}://user:secret@127.0.0.1:9//"
    with pytest.raises(SetupError, match=r"CELERY_BROKER_URL names a broker at 127\.0") as error:
        describe_broker()
    assert "secret" not in str(error.value)

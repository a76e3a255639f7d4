from collections.abc import Callable
from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import telemetry
from tests.config.test_settings import load

__all__ = ["load"]

SECRET = "planted"
MALFORMED = {
    "SENTRY_DSN": [
        f"{SECRET}@o1.ingest.sentry.io/1",
        f"https://{SECRET}.example/1",  # without a key
        f"https://{SECRET}@sentry.example/",
        f"https://{SECRET}@sentry.example/project",
        f"https://{SECRET}@sentry.example/٣",
        f"ftp://{SECRET}@sentry.example/1",
    ],
    "OTEL_EXPORTER_OTLP_ENDPOINT": [
        f"{SECRET}:4318",
        f"grpc://{SECRET}:4317",
        f"https://user:{SECRET}@collector:4318",
        f"https://collector:4318/?key={SECRET}",
        f"http://{SECRET}:4318/v1/traces",
        f"http://{SECRET}:99999",
    ],
    "OTEL_EXPORTER_OTLP_HEADERS": [SECRET, f"a b={SECRET}", f"key={SECRET}%0Aevil: 1", "=x"],
    "OTEL_TRACES_SAMPLER_ARG": ["1.5", "-1", "nan", "10%", "", "٣"],
    "METRICS_HOST": [SECRET, "127.0.0.1:9464", ""],
    "METRICS_PORT": ["65536", "-1", "http"],
}
CASES = [(name, value) for name, values in MALFORMED.items() for value in values]


@pytest.mark.parametrize(("name", "value"), CASES)
def test_malformed_setting_is_named_without_its_value(name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        check(name, value)

    assert str(error.value).startswith(f"{name} ")
    assert str(error.value).endswith(".")
    assert SECRET not in str(error.value)


def check(name: str, value: str) -> object:
    match name:
        case "SENTRY_DSN":
            return telemetry.dsn(name, value)
        case "OTEL_EXPORTER_OTLP_ENDPOINT":
            return telemetry.endpoint(name, value)
        case "OTEL_EXPORTER_OTLP_HEADERS":
            return telemetry.headers(name, value)
        case "METRICS_HOST":
            return telemetry.address(name, value)
        case "OTEL_TRACES_SAMPLER_ARG":
            return telemetry.share(name, value)
    if not value.isdecimal():
        raise ImproperlyConfigured(f"{name} must be a whole number of at least 0.")  # as env.int
    return telemetry.port(name, int(value))


def test_headers_are_percent_decoded() -> None:
    found = telemetry.headers("NAME", "Authorization=Bearer%20a%2Cb, x-scope = team ,")

    assert found == {"authorization": "Bearer a,b", "x-scope": "team"}


def test_endpoint_may_have_a_path() -> None:
    url = "https://api.example/otlp/"

    assert telemetry.endpoint("NAME", url) == "https://api.example/otlp"
    assert telemetry.dsn("NAME", "https://key@sentry.example/path/7") == (
        "https://key@sentry.example/path/7"
    )


def test_telemetry_is_off_by_default(load: Callable[..., ModuleType]) -> None:
    production = load()

    assert not production.TRACES_FROM_BROWSERS
    assert not [name for name in production.MIDDLEWARE if "telemetry" in name]
    assert not [cache for cache in production.CACHES.values() if "telemetry" in cache["BACKEND"]]


def test_settings_turn_it_on(load: Callable[..., ModuleType]) -> None:
    production = load(OTEL_EXPORTER_OTLP_ENDPOINT="http://collector:4318", METRICS_PORT="9464")

    assert production.TRACES_FROM_BROWSERS
    assert production.MIDDLEWARE[0] == "dovetail.telemetry.middleware.TelemetryMiddleware"
    assert {cache["BACKEND"] for cache in production.CACHES.values()} == {
        "dovetail.telemetry.caches.CountedValkeyCache"
    }


@pytest.mark.parametrize("name", ["SENTRY_DSN", "OTEL_EXPORTER_OTLP_ENDPOINT", "METRICS_PORT"])
def test_missing_extra_is_named(
    load: Callable[..., ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    values = {
        "SENTRY_DSN": "https://key@sentry.example/1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "METRICS_PORT": "9464",
    }
    missing = {"sentry_sdk", "opentelemetry", "prometheus_client"}
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda package: None if package in missing else package
    )

    with pytest.raises(ImproperlyConfigured, match=rf"^{name} is set.*`uv sync --extra telemetry`"):
        load(**{name: values[name]})

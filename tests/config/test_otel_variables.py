"""What OpenTelemetry's packages would raise, or log with a traceback, is one sentence."""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import otel_variables
from config.otel_variables import CHECKS
from dovetail.telemetry import tracing
from tests.config.test_settings import MORE, load, run
from tests.dovetail.telemetry.conftest import site_environment
from tests.dovetail.telemetry.receiver import receiver

__all__ = ["load", "site_environment"]

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
MALFORMED = {
    "OTEL_RESOURCE_ATTRIBUTES": ["planted", "=planted", "a=b,planted"],
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": ["planted"],
    "OTEL_PROPAGATORS": ["tracecontext,planted"],
    "OTEL_PYTHON_CONTEXT": ["planted"],
    "OTEL_PYTHON_URLLIB3_EXCLUDED_URLS": ["planted("],
    "OTEL_BSP_SCHEDULE_DELAY": ["planted", "0", "-1", "1.5", "9" * 10],
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": ["2049", "0"],
    "OTEL_SPAN_EVENT_COUNT_LIMIT": ["planted", "-1"],
    "OTEL_METRIC_EXPORT_INTERVAL": ["-1", "0", "0.0", "nan", "inf"],
    "OTEL_METRICS_EXEMPLAR_FILTER": ["planted", "ALWAYS_ON"],
    "OTEL_EXPORTER_OTLP_COMPRESSION": ["planted"],
    "OTEL_EXPORTER_OTLP_CERTIFICATE": ["/planted"],
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": ["planted"],
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER": ["planted"],
}
VALID = {
    "OTEL_RESOURCE_ATTRIBUTES": "team=a,zone=b%2Cc",
    "OTEL_PROPAGATORS": "tracecontext, baggage",
    "OTEL_PYTHON_EXCLUDED_URLS": "healthz,.*/info",
    "OTEL_BSP_SCHEDULE_DELAY": "1000",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2048",
    "OTEL_SPAN_EVENT_COUNT_LIMIT": "0",
    "OTEL_ATTRIBUTE_COUNT_LIMIT": "",
    "OTEL_METRIC_EXPORT_INTERVAL": "30000.0",
    "OTEL_METRICS_EXEMPLAR_FILTER": "always_off",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "GZIP",
    "OTEL_EXPORTER_OTLP_CERTIFICATE": "",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "key=a%20b",
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in MALFORMED.items() for value in values]
)
def test_malformed_variable_is_named_without_its_value(
    load: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ImproperlyConfigured) as error:
        load(**ENDPOINT)

    assert str(error.value).startswith(f"{name} ")
    assert str(error.value).endswith(".")
    assert "planted" not in str(error.value)


def test_valid_variables_are_taken(
    load: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in VALID.items():
        monkeypatch.setenv(name, value)

    assert load(**ENDPOINT).TRACES_FROM_BROWSERS


@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize("name", CHECKS)
def test_variable_that_is_set_to_nothing_is_not_set(
    load: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Kind: what Compose passes on of a variable that nobody has set."""
    monkeypatch.setenv(name, value)

    assert load(**ENDPOINT).TRACES_FROM_BROWSERS
    assert name not in os.environ


@pytest.mark.parametrize("value", ["a=b,", ",a=b", "a=b, ,c=d"])
def test_stray_comma_is_no_attribute(value: str) -> None:
    otel_variables.attributes("THING", value)


def test_folder_of_certificates_is_taken(tmp_path: Path) -> None:
    CHECKS["OTEL_EXPORTER_OTLP_CERTIFICATE"]("THING", str(tmp_path))
    with pytest.raises(ImproperlyConfigured):
        CHECKS["OTEL_EXPORTER_OTLP_CLIENT_KEY"]("THING", str(tmp_path))


def test_variable_of_others_is_no_concern_without_telemetry(
    load: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "planted")

    assert not load().TRACES_FROM_BROWSERS


def test_one_export_is_no_longer_than_the_queue() -> None:
    assert otel_variables.MOST_SPANS == tracing.MAX_WAITING


@MORE
@pytest.mark.usefixtures("transactional_db")
def test_packages_take_what_is_valid(site_environment: dict[str, str]) -> None:
    """Kind: a value that passes here, and that they refuse."""
    with receiver() as collector:
        done = run(
            *("-c", "import django; django.setup()"),
            **site_environment | VALID | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url},
        )

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_every_variable_has_a_name_of_the_packages() -> None:
    """Kind: a misspelled name, whose check never runs."""
    assert all(name.startswith("OTEL_") for name in CHECKS)

"""The variables that OpenTelemetry's packages read themselves, and what is wrong with them.

They are no settings of the project, but what the packages do with a malformed one is: some raise an
error as the site starts, others log a traceback and go on without it.
"""

import re
from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config import telemetry

Check = Callable[[str, str], object]

compiled = re.compile  # what the operator has written: the packages match with it, not the site
MOST_SPANS = 2048  # in one export; as many wait at most: dovetail.telemetry.tracing.MAX_WAITING


def number(name: str, value: str, *, least: int = 1, most: int = 999_999_999) -> None:
    if not re.fullmatch(r"[0-9]{1,9}", value.strip()) or not least <= int(value) <= most:
        raise ImproperlyConfigured(f"{name} must be a whole number from {least} to {most}.")


def milliseconds(name: str, value: str) -> None:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value.strip()) or not float(value):
        raise ImproperlyConfigured(f"{name} must be a number of milliseconds above 0.")


def limit(name: str, value: str) -> None:
    """Refuse what is neither a number nor empty, which is no limit."""
    if value.strip():
        number(name, value, least=0)


def word(name: str, value: str, *, words: tuple[str, ...], any_case: bool = True) -> None:
    if (value.strip().lower() if any_case else value) not in words:
        raise ImproperlyConfigured(f"{name} must be one of these: {', '.join(words)}.")


def compression(name: str, value: str) -> None:
    if value:
        word(name, value, words=("none", "gzip", "deflate"))


def attributes(name: str, value: str) -> None:
    for item in filter(None, map(str.strip, value.split(","))):
        key, separator, _ = item.partition("=")
        if not key.strip() or not separator:
            raise ImproperlyConfigured(
                f"{name} is malformed: it must look like name=value,name=value, with %2C for a "
                "comma."
            )


def certificates(name: str, value: str) -> None:
    """Refuse what is neither a file nor a folder of authorities' certificates."""
    if not Path(value).is_dir():
        file(name, value)


def file(name: str, value: str) -> None:
    if not value:
        return
    try:
        Path(value).open("rb").close()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name} must be the path of a file, which cannot be read: {error.strerror}."
        ) from None


def patterns(name: str, value: str) -> None:
    try:
        compiled("|".join(value.split(",")))
    except re.error as error:
        raise ImproperlyConfigured(
            f"{name} must be regular expressions, comma-separated: {error.msg}."
        ) from None


def plugins(name: str, value: str, *, group: str, also: tuple[str, ...] = ()) -> None:
    """Refuse a list of names that no installed package has."""
    for item in filter(None, (part.strip() for part in value.split(","))):
        if item.lower() not in also and not entry_points(group=group, name=item):
            known = sorted({*entry_points(group=group).names, *also})
            names = f"of these: {', '.join(known)}" if known else "that an installed package has"
            raise ImproperlyConfigured(f"{name} has a name that is unknown: it must be {names}.")


_SIGNALS = ("", "TRACES_", "METRICS_")  # OTEL_EXPORTER_OTLP_CERTIFICATE is for all, and so on
_SESSION = partial(plugins, group="opentelemetry_otlp_credential_provider")

CHECKS: dict[str, Check] = {
    "OTEL_RESOURCE_ATTRIBUTES": attributes,
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": partial(
        plugins, group="opentelemetry_resource_detector", also=("*",)
    ),
    "OTEL_PROPAGATORS": partial(plugins, group="opentelemetry_propagator", also=("none",)),
    "OTEL_PYTHON_CONTEXT": partial(plugins, group="opentelemetry_context"),
    "OTEL_PYTHON_EXCLUDED_URLS": patterns,
    "OTEL_PYTHON_URLLIB3_EXCLUDED_URLS": patterns,
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS": patterns,
    "OTEL_BSP_SCHEDULE_DELAY": number,
    "OTEL_BSP_EXPORT_TIMEOUT": number,
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": partial(number, most=MOST_SPANS),
    "OTEL_ATTRIBUTE_COUNT_LIMIT": limit,
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": limit,
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": limit,
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": limit,
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": limit,
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": limit,
    "OTEL_SPAN_EVENT_COUNT_LIMIT": limit,
    "OTEL_SPAN_LINK_COUNT_LIMIT": limit,
    "OTEL_METRIC_EXPORT_INTERVAL": milliseconds,
    "OTEL_METRIC_EXPORT_TIMEOUT": milliseconds,
    "OTEL_METRICS_EXEMPLAR_FILTER": partial(
        word, words=("trace_based", "always_on", "always_off"), any_case=False
    ),
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": partial(
        word, words=("cumulative", "delta", "lowmemory")
    ),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": partial(
        word,
        words=("explicit_bucket_histogram", "base2_exponential_bucket_histogram"),
        any_case=False,
    ),
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": telemetry.headers,
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS": telemetry.headers,
    **{f"OTEL_EXPORTER_OTLP_{signal}COMPRESSION": compression for signal in _SIGNALS},
    **{f"OTEL_EXPORTER_OTLP_{signal}CERTIFICATE": certificates for signal in _SIGNALS},
    **{f"OTEL_EXPORTER_OTLP_{signal}CLIENT_KEY": file for signal in _SIGNALS},
    **{f"OTEL_EXPORTER_OTLP_{signal}CLIENT_CERTIFICATE": file for signal in _SIGNALS},
    **{
        f"OTEL_PYTHON_EXPORTER_OTLP_HTTP_{signal}CREDENTIAL_PROVIDER": _SESSION
        for signal in _SIGNALS
    },
}

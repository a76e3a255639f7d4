"""Traces, metrics and errors. See docs/observe.md."""

from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured

from config import env, otel_variables, telemetry
from config.settings.parts.cache import CACHES
from config.settings.parts.http import MIDDLEWARE
from config.settings.parts.names import PROJECT_NAME

SENTRY_DSN = telemetry.dsn("SENTRY_DSN", env.str("SENTRY_DSN", ""))
SENTRY_ENVIRONMENT = env.str("SENTRY_ENVIRONMENT", "production")
SENTRY_RELEASE = env.str("SENTRY_RELEASE", "")
# Whether what errors say is sent, too. It may quote what a person typed.
SENTRY_MESSAGES = env.bool("SENTRY_MESSAGES")
OTEL_EXPORTER_OTLP_ENDPOINT = telemetry.endpoint(
    "OTEL_EXPORTER_OTLP_ENDPOINT", env.str("OTEL_EXPORTER_OTLP_ENDPOINT", "")
)
OTEL_EXPORTER_OTLP_HEADERS = telemetry.headers(
    "OTEL_EXPORTER_OTLP_HEADERS", env.str("OTEL_EXPORTER_OTLP_HEADERS", "")
)
OTEL_SERVICE_NAME = env.str("OTEL_SERVICE_NAME", PROJECT_NAME)
OTEL_TRACES_SAMPLER_ARG = telemetry.share(
    "OTEL_TRACES_SAMPLER_ARG", env.str("OTEL_TRACES_SAMPLER_ARG", "1")
)
if SENTRY_DSN or OTEL_EXPORTER_OTLP_ENDPOINT:
    for _name, _check in otel_variables.CHECKS.items():
        if (_text := env.foreign(_name)) is not None:
            _check(_name, _text)
METRICS_PORT = telemetry.port("METRICS_PORT", env.int("METRICS_PORT", 0))
METRICS_HOST = telemetry.address("METRICS_HOST", env.str("METRICS_HOST", "127.0.0.1"))

_PACKAGES = {
    "SENTRY_DSN": (SENTRY_DSN, "sentry_sdk"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": (OTEL_EXPORTER_OTLP_ENDPOINT, "opentelemetry"),
    "METRICS_PORT": (METRICS_PORT, "prometheus_client"),
}
for _name, (_value, _package) in _PACKAGES.items():
    if _value and not find_spec(_package):
        raise ImproperlyConfigured(
            f"{_name} is set, but what it needs is not installed: install the extra with `uv sync "
            f"--extra telemetry`, or unset {_name}."
        )

# Whether pages load the script that begins a trace in the browser.
TRACES_FROM_BROWSERS = bool(SENTRY_DSN or OTEL_EXPORTER_OTLP_ENDPOINT)
if TRACES_FROM_BROWSERS or METRICS_PORT:
    MIDDLEWARE.insert(0, "dovetail.telemetry.middleware.TelemetryMiddleware")
_COUNTED = {
    "dovetail.cache.valkey.ValkeyCache": "dovetail.telemetry.caches.CountedValkeyCache",
    "dovetail.cache.memcached.MemcachedCache": "dovetail.telemetry.memcached.CountedCache",
}
if OTEL_EXPORTER_OTLP_ENDPOINT or METRICS_PORT:
    for _cache in CACHES.values():
        _cache["BACKEND"] = _COUNTED.get(str(_cache["BACKEND"]), _cache["BACKEND"])

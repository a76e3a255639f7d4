"""The collector of traces, which `up --telemetry` runs."""

import secrets
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

from dovetail.devtools.errors import SetupError
from dovetail.devtools.stack.ports import connects
from dovetail.devtools.supervisor.program import Program
from dovetail.devtools.traces import collector


@dataclass(frozen=True)
class Collector:
    """The collector of one `up`.

    Attributes:
        port: on 127.0.0.1.
        key: what clients send, since other users of the machine reach the port, too.
    """

    port: int
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def environment(self) -> dict[str, str]:
        """Return the settings with which the site sends its traces there, within a second."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{self.key}",
            "OTEL_BSP_SCHEDULE_DELAY": "1000",  # milliseconds
        }

    def program(self, data_dir: Path, environment: dict[str, str]) -> Program:
        return Program(
            name="collector",
            command=[
                *(sys.executable, "-P", collector.__file__),
                *(str(self.port), str(data_dir / "traces")),
            ],
            cwd=data_dir,
            environment=environment | {collector.KEY: self.key},
            is_ready=lambda: connects(self.port),
        )


def wanted(port: int) -> Collector:
    """Return the collector.

    Raises:
        SetupError: the settings name another place, or the extra is not installed.
    """
    if settings.ENV.is_set("OTEL_EXPORTER_OTLP_ENDPOINT"):
        raise SetupError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, so that traces go there: unset it to see them at "
            "/dev/traces/, or leave out --telemetry."
        )
    if not find_spec("opentelemetry"):
        raise SetupError(
            "--telemetry needs packages that are not installed: run `uv sync --extra telemetry`."
        )
    return Collector(port)

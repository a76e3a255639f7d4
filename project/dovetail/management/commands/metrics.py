import sys
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Serve the page of metrics for Prometheus, for all processes of this user here."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.METRICS_PORT:
            sys.exit("error: METRICS_PORT is not set: set it to the port of the page.")
        from dovetail.telemetry import prometheus  # noqa: PLC0415 - may not be installed

        try:
            prometheus.serve()
        except OSError as error:
            sys.exit(
                "error: The page cannot be served at METRICS_HOST and METRICS_PORT "
                f"({error.strerror}). {prometheus.remedy(error)}"
            )
        threading.Event().wait()

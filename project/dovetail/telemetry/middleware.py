from django.http import HttpRequest

from dovetail.http.middleware import Middleware
from dovetail.telemetry.exchange import current


class TelemetryMiddleware(Middleware):
    """Tells telemetry which request runs. Place it first; the settings do, if telemetry is on."""

    def process_request(self, request: HttpRequest) -> None:
        if exchange := current.get():
            exchange.request = request

from django.apps import AppConfig


class TelemetrySiteConfig(AppConfig):
    name = "tests.dovetail.telemetry.site"
    label = "telemetry_site"

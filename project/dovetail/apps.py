from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class DovetailConfig(AppConfig):
    name = "dovetail"

    def ready(self) -> None:
        from dovetail.cable import revocation  # noqa: PLC0415 - needs the models

        revocation.connect()
        autodiscover_modules("cable_channels")

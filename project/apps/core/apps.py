from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    name = "apps.core"

    def ready(self) -> None:
        from apps.core.cable import revocation  # noqa: PLC0415 - it needs the models

        revocation.connect()
        autodiscover_modules("cable_channels")

from django.apps import AppConfig
from django.core.checks import register
from django.utils.module_loading import autodiscover_modules


class DovetailConfig(AppConfig):
    name = "dovetail"

    def ready(self) -> None:
        from dovetail import checks, storable  # noqa: PLC0415 - needs the models
        from dovetail.cable import revocation  # noqa: PLC0415 - needs the models
        from dovetail.media import access, cleanup  # noqa: PLC0415 - needs the models

        checks.register()
        register(access.check_indexes)
        revocation.connect()
        storable.connect()
        cleanup.connect()
        autodiscover_modules("cable_channels")

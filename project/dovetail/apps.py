from django.apps import AppConfig
from django.core.checks import register
from django.utils.module_loading import autodiscover_modules


class DovetailConfig(AppConfig):
    name = "dovetail"

    def ready(self) -> None:
        from dovetail import checks, service_checks, storable  # noqa: PLC0415 - needs the models
        from dovetail.backups import checks as backup_checks  # noqa: PLC0415 - as above
        from dovetail.cable import revocation  # noqa: PLC0415 - needs the models
        from dovetail.media import (  # noqa: PLC0415 - needs the models
            access,
            checks as media_checks,
            cleanup,
            tasks,
        )
        from dovetail.telemetry.start import start  # noqa: PLC0415 - as above

        checks.register()
        service_checks.register()
        register(access.check_indexes)
        register(media_checks.check_s3, deploy=True)
        register(backup_checks.check_recipients)
        register(backup_checks.check_folder, deploy=True)
        revocation.connect()
        storable.connect()
        cleanup.connect()
        tasks.connect()
        autodiscover_modules("cable_channels")
        start()

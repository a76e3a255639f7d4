from django.apps import AppConfig
from django.contrib.admin import apps as admin


class UsersConfig(AppConfig):
    name = "apps.users"
    default = True

    def ready(self) -> None:
        from apps.users import security_log, signals  # noqa: PLC0415 - they need the models

        signals.connect()
        security_log.connect()


class AdminConfig(admin.AdminConfig):
    default = False
    default_site = "apps.users.site.AdminSite"

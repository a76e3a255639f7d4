from django.apps import AppConfig
from django.core import checks


class DovetailMailConfig(AppConfig):
    name = "dovetail.mail"
    label = "dovetail_mail"
    verbose_name = "Mail"

    def ready(self) -> None:
        from anymail.signals import tracking  # noqa: PLC0415 - needs the settings

        from dovetail.mail import webhook  # noqa: PLC0415 - needs the models

        tracking.connect(webhook.record)
        checks.register(webhook.check, deploy=True)

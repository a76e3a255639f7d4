from django.apps import AppConfig


class DevtoolsConfig(AppConfig):
    name = "dovetail.devtools"
    verbose_name = "Development tools"

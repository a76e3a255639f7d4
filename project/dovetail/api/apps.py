from django.apps import AppConfig


class DovetailApiConfig(AppConfig):
    name = "dovetail.api"
    label = "dovetail_api"
    verbose_name = "API conventions"

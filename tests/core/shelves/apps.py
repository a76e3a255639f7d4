from django.apps import AppConfig


class ShelvesConfig(AppConfig):
    name = "tests.core.shelves"

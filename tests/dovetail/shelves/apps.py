from django.apps import AppConfig


class ShelvesConfig(AppConfig):
    name = "tests.dovetail.shelves"

from django.apps import AppConfig


class CableTestsConfig(AppConfig):
    name = "tests.cable"
    label = "cable_tests"

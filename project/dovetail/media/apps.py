from django.apps import AppConfig


class DovetailMediaConfig(AppConfig):
    name = "dovetail.media"
    label = "dovetail_media"
    verbose_name = "Media"

import os

from celery import Celery

from config.startup import refuse_in_one_sentence

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

with refuse_in_one_sentence():
    app = Celery("config", task_cls="celery.contrib.django.task:DjangoTask")
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.autodiscover_tasks()

import os

from celery import Celery

from config.startup import one_line_errors

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

with one_line_errors():
    app = Celery("config", task_cls="dovetail.tasks.base:KitTask")
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.autodiscover_tasks()

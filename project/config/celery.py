import os

from config.startup import one_line_errors
from dovetail.tasks.app import KitCelery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

with one_line_errors():
    app = KitCelery("config", task_cls="dovetail.tasks.base:KitTask")
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.autodiscover_tasks()

"""The settings of a worker of the tests, which is killed."""

from config.settings import test
from config.settings.test import *  # noqa: F403 - as the settings modules themselves do
from dovetail.tasks.queues import queue

CELERY_TASK_ALWAYS_EAGER = False
CELERY_IMPORTS = ["tests.dovetail.tasks.killers"]
CELERY_TASK_QUEUES = [*test.CELERY_TASK_QUEUES, queue("seldom", delivery_limit=1)]

"""The test settings, with a real server for the channel layer."""

from config.settings import test
from config.settings.parts.channels import CHANNEL_LAYERS as LAYERS
from config.settings.test import *  # noqa: F403 - as the settings modules themselves do

INSTALLED_APPS = [*test.INSTALLED_APPS, "tests.cable"]
CHANNEL_LAYERS = LAYERS
CELERY_TASK_ALWAYS_EAGER = False
MIDDLEWARE = [name for name in test.MIDDLEWARE if "zeal" not in name]

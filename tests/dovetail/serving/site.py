"""The test settings as a site of `manage.py serve`."""

import os

from config.settings import test
from config.settings.test import *  # noqa: F403 - as the settings modules themselves do

ROOT_URLCONF = "tests.dovetail.serving.urls"
ACCESS_LOG = True
WEB_DRAIN_SECONDS = int(os.environ.get("DRAIN", "600"))  # the tests end it with a second signal
WEB_STOP_SECONDS = 30
LOGGING = test.LOGGING | {
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}}
}
MIDDLEWARE = [name for name in test.MIDDLEWARE if "zeal" not in name]
HOSTS_ON_ANY_PORT = [*test.HOSTS_ON_ANY_PORT, "127.0.0.1"]

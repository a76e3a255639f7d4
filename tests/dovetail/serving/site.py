"""The test settings as a site of `manage.py serve`."""

import errno
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
# The tests send more from one address than people do.
RATE_LIMITS = test.RATE_LIMITS | {"writes": 1_000_000}
MIDDLEWARE = [name for name in test.MIDDLEWARE if "zeal" not in name]
HOSTS_ON_ANY_PORT = [*test.HOSTS_ON_ANY_PORT, "127.0.0.1"]


def limit_forks(left: int) -> None:
    """Let the system refuse to start processes after so many, as beyond a limit of processes."""
    fork = os.fork

    def limited() -> int:
        nonlocal left
        if not left:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        left -= 1
        return fork()

    os.fork = limited


if "FORKS" in os.environ:
    limit_forks(int(os.environ["FORKS"]))

"""The heartbeat of a worker or scheduler: a file with the time at which its main loop last ran.

A platform reads the file to find a process that hangs. Own code because `celery inspect ping` costs
seconds of the processor each time and fails with the broker, so that a probe would restart every
worker while the broker is away, and with it the tasks that run. This beats while the process waits
for its broker.
"""

import logging
import time
from pathlib import Path

from django.conf import settings

INTERVAL = 5  # seconds between two beats at least
_last = -float(INTERVAL)

logger = logging.getLogger(__name__)


def beat() -> None:
    """Write the monotonic time to `HEARTBEAT_PATH`, if it is set, and not written just now.

    The clock counts from the start of the machine, so that all its containers read the same time
    and a change of the date is no missed beat. An error is logged: a full disk must not end a
    worker.
    """
    global _last  # noqa: PLW0603 - the state of the process
    now = time.monotonic()
    if not settings.HEARTBEAT_PATH or now - _last < INTERVAL:
        return
    _last = now
    path = Path(settings.HEARTBEAT_PATH)
    new = path.with_name(f"{path.name}.new")  # so that no reader finds half of it
    try:
        new.write_text(f"{now:.3f}\n", encoding="ascii")
        new.replace(path)
    except OSError as error:
        logger.warning("HEARTBEAT_PATH cannot be written, so this process seems to hang: %s", error)

"""Celery's programs, `celery worker` and `celery beat`, whose lines look like those of the site.

Own code because Celery logs by itself: in its own format, without the filters of `LOGGING`, and
with banners and notes that are no log lines at all.
"""

import logging
import os
import sys
from logging.handlers import WatchedFileHandler
from typing import Any

from celery.app import log
from celery.apps import beat, worker
from celery.utils.log import get_multiprocessing_logger, mlevel
from celery.utils.nodenames import node_format
from celery.worker.state import task_ready
from django.conf import settings

from dovetail.tasks.consumer import MALFORMED

logger = logging.getLogger(__name__)


class Logging(log.Logging):
    """Leaves the loggers as Django has set them up, except for `--loglevel` and `--logfile`."""

    def setup_logging_subsystem(  # type: ignore[override]
        self, loglevel: Any = None, logfile: str | None = None, **options: Any
    ) -> None:
        """Return None, which says to Celery that it may redirect what is printed to a logger."""
        if self.already_setup:
            return
        self.already_setup = True  # type: ignore[misc] # a property of Celery's own
        root = logging.getLogger()
        root.setLevel(mlevel(loglevel or self.loglevel))
        if logfile:
            name = options.get("hostname")
            write_to(node_format(logfile, name) if name else logfile, root)
        # What the pool says of its processes. It has no handler, and does not go to the root.
        if pool := get_multiprocessing_logger():
            pool.propagate = True
            pool.setLevel(logging.ERROR)


def write_to(path: str, root: logging.Logger) -> None:
    """Have those handlers that write to standard error write to a file instead.

    Also those that this has given a file, which the pool's processes each replace by their own.
    """
    for handler in list(root.handlers):
        if isinstance(handler, LogFile) or (
            isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr
        ):
            file = LogFile(path, encoding="utf-8")
            file.setLevel(handler.level)
            file.setFormatter(handler.formatter)
            for one in handler.filters:
                file.addFilter(one)
            root.removeHandler(handler)
            root.addHandler(file)
            if isinstance(handler, LogFile):
                handler.close()


class LogFile(WatchedFileHandler):
    """The file of `--logfile`."""


class Worker(worker.Worker):
    """`celery worker`, whose banner only people get, and which no message ends."""

    def on_before_init(self, quiet: bool = False, **options: Any) -> None:
        logging.captureWarnings(True)  # Celery does so later, and its first one comes now
        super().on_before_init(quiet=quiet or settings.LOG_FORMAT == "json", **options)

    def _process_task(self, req: Any) -> None:
        # When a place in the pool is free, or it is time: the consumer is not asked any more.
        try:
            super()._process_task(req)  # type: ignore[misc] # celery-types lacks it
        except MALFORMED:
            logger.exception("%s[%s] is refused: it cannot be given to the pool", req.name, req.id)
            if release := getattr(self, "_quick_release", None):  # not in a pool without places
                release()
            task_ready(req)
            req.reject(requeue=False)

    def install_platform_tweaks(self, worker_: Any) -> None:
        # Celery writes what its signal handlers say to the terminal, and has no setting for it.
        worker.safe_say = say  # type: ignore[attr-defined]
        super().install_platform_tweaks(worker_)


class Beat(beat.Beat):
    """`celery beat`, whose banner only people get."""

    def __init__(self, quiet: bool = False, **options: Any) -> None:
        super().__init__(quiet=quiet or settings.LOG_FORMAT == "json", **options)


def say(message: str, _stream: object = None) -> None:
    """Write a line as the root's handlers would, from within a handler of a signal.

    They themselves may be in the middle of a line, which the signal has interrupted.
    """
    record = logger.makeRecord(logger.name, logging.INFO, __file__, 0, message, (), None)
    root = logging.getLogger()
    formatter = next((one.formatter for one in root.handlers if one.formatter), None)
    line = (formatter or logging.Formatter()).format(record)
    stream = sys.__stderr__
    if stream is None:  # it was closed before the start, and its number may be that of a connection
        return
    try:
        os.write(stream.fileno(), f"{line}\n".encode(errors="replace"))
    except (OSError, RuntimeError, ValueError):  # closed since; the signal counts all the same
        return

"""The page of metrics for Prometheus, on a port of its own.

Each process writes what it measures into a file of its own in one folder
(https://prometheus.github.io/client_python/multiprocess/), and one process on the machine adds them
up and serves the page: whichever gets the port first, and another one when that ends.
"""

import errno
import logging
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

INTERVAL = 5.0  # seconds between two measurements of a gauge, and between attempts to get the port

logger = logging.getLogger(__name__)


def folder() -> Path:
    """Return the folder that the processes share, which only this user can write.

    Raises:
        ImproperlyConfigured: someone else has created it.
    """
    name = f"{settings.PROJECT_NAME}-metrics-{settings.METRICS_PORT}-{os.getuid()}"
    path = Path(tempfile.gettempdir()) / name
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise ImproperlyConfigured(
            f"{path}, where METRICS_PORT keeps measurements, belongs to another user, or others "
            "may write to it: remove it."
        )
    return path


# Read by the package when it is imported.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder())

from prometheus_client import (  # noqa: E402
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily, Metric  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead  # noqa: E402
from prometheus_client.registry import Collector  # noqa: E402

from dovetail.telemetry import metrics  # noqa: E402


class PrometheusSink:
    """Writes measurements to the shared folder."""

    def __init__(self) -> None:
        self._requests = Histogram(
            "http_server_request_duration_seconds",
            "Time to answer requests, by route.",
            ["http_request_method", "http_route", "http_response_status_code"],
            buckets=metrics.BUCKETS,
        )
        self._lookups = Counter("cache_lookups", "Values asked of the cache.", ["result"])
        self._gauges = {
            name: Gauge(
                name.replace(".", "_"),
                f"{name} of all processes.",
                [label] if label else [],
                multiprocess_mode="livesum",
            )
            for name, (label, _) in metrics.GAUGES.items()
        }
        self._measuring = threading.Lock()
        self._measure_on()
        # Not in the middle of a measurement, or the new process would never get prometheus_client's
        # lock.
        os.register_at_fork(
            before=self._measuring.acquire,
            after_in_parent=self._measuring.release,
            after_in_child=self._measure_in_child,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).observe(seconds)

    def lookups(self, hits: int, misses: int) -> None:
        self._lookups.labels("hit").inc(hits)
        self._lookups.labels("miss").inc(misses)

    def measure(self) -> None:
        """Write the current values of the gauges."""
        for name, (label, measure) in metrics.GAUGES.items():
            for value, labels in metrics.labelled(label, measure()):
                gauge = self._gauges[name]
                (gauge.labels(**labels) if labels else gauge).set(value)

    def _measure_in_child(self) -> None:
        self._measuring.release()
        self._measure_on()

    def _measure_on(self) -> None:
        threading.Thread(target=self._measure_forever, name="metrics", daemon=True).start()

    def _measure_forever(self) -> None:
        wait = threading.Event().wait
        has_failed = False
        while True:
            try:
                with self._measuring:
                    self.measure()
            except Exception:
                if not has_failed:  # and not each time, while a disk is full
                    logger.exception("The gauges cannot be measured now, but it tries again")
                has_failed = True
            else:
                has_failed = False
            wait(INTERVAL)


class Living(Collector):
    """What the processes have measured, without the gauges of those that have ended."""

    def collect(self) -> Iterator[Metric]:
        path = folder()
        for file in path.glob("gauge_live*_*.db"):
            if not _is_used(file):
                mark_process_dead(_writer(file), str(path))  # type: ignore[no-untyped-call]
        # It accepts no registry here, since it is not to register itself.
        yield from MultiProcessCollector(None, str(path)).collect()  # type: ignore[no-untyped-call]
        for name, (label, measure) in metrics.SHARED_GAUGES.items():
            family = GaugeMetricFamily(name.replace(".", "_"), name, labels=[label])
            for text, value in measure().items():
                family.add_metric([text], value)
            yield family


def start_metrics_server() -> None:
    """Serve the page from a thread, as soon as no other process has the port."""
    threading.Thread(target=_serve, name="metrics-page", daemon=True).start()


def _serve() -> None:
    wait = threading.Event().wait
    is_logged = False
    while True:
        try:
            serve()
        except OSError as error:
            if not is_logged:
                if error.errno == errno.EADDRINUSE:  # as in all processes but one
                    logger.info("Does not serve the metrics now, but tries again: %s", error)
                else:
                    logger.warning("The metrics cannot be served: %s. %s", error, remedy(error))
            is_logged = True
            wait(INTERVAL)
        except Exception:  # such as a thread more than the system allows
            if not is_logged:
                logger.exception("The metrics cannot be served now, but it tries again")
            is_logged = True
            wait(INTERVAL)
        else:
            return


def serve() -> None:
    """Serve the page from a thread.

    Raises:
        OSError: the port is in use, by another process that serves it or by another program.
    """
    registry = CollectorRegistry()
    registry.register(Living())
    start_http_server(settings.METRICS_PORT, settings.METRICS_HOST, registry)
    where = f"{settings.METRICS_HOST}:{settings.METRICS_PORT}"
    logger.info("Metrics are served at http://%s/metrics", where)


def remedy(error: OSError) -> str:
    """Return what to do if the page cannot be served."""
    match error.errno:
        case errno.EADDRINUSE:
            return (
                "Another process may serve it already; otherwise, set METRICS_PORT to a free one."
            )
        case errno.EACCES:
            return "Set METRICS_PORT to a port above 1023."
        case _:
            return "Set METRICS_HOST to an address of this machine."


def remove_old() -> None:
    """Empty the folder unless a process that wrote to it runs.

    The counters of a site begin at 0 when it starts, but not when one of its processes does.
    """
    files = list(folder().glob("*.db"))
    if not any(map(_is_used, files)):
        for file in files:
            file.unlink(missing_ok=True)


def _writer(file: Path) -> str:
    """Return the id of the process that writes to a file, with which its name ends."""
    return file.stem.rpartition("_")[2]


def _is_used(file: Path) -> bool:
    if not _writer(file).isdecimal():
        return False
    try:
        os.kill(int(_writer(file)), 0)
    except (OSError, OverflowError):  # it has ended; another user may have a process with its id
        return False
    return True

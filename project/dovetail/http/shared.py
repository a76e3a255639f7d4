"""Checks that run once at a time: probes that come while one runs share it and its result."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

logger = logging.getLogger(__name__)

GIVEN_UP_AFTER = 30  # seconds; after that the next probe starts another: the service may be back


class SharedCheck:
    """Runs a check in a thread of its own, and at most one at a time.

    However many probes ask, they cost one check. No result is kept: the next probe after the end
    of a check starts another.
    """

    def __init__(self, name: str, check: Callable[[], None], *, consequence: str) -> None:
        """Create a check.

        Args:
            name: the name of the service, for the log.
            check: raises an exception if the service is unavailable.
            consequence: what follows from a failure, for the log.
        """
        self.name = name
        self.check = check
        self.consequence = consequence
        self._lock = threading.Lock()
        self._running: Future[None] | None = None
        self._started = 0.0

    def result(self) -> Future[None]:
        """Return the result of the running check, or of one that is started now.

        It has the check's exception if the service is unavailable.
        """
        with self._lock:
            if not (running := self._running) or running.done() or self._hangs():
                running = self._running = Future()
                running.set_running_or_notify_cancel()  # no probe can cancel it for the others
                self._started = time.monotonic()
                # A daemon, so that a check that hangs does not hold up the end of the process.
                threading.Thread(
                    target=self._run, args=[running], name=f"check-{self.name}", daemon=True
                ).start()
            return running

    def _hangs(self) -> bool:
        return time.monotonic() - self._started > GIVEN_UP_AFTER

    def _run(self, running: Future[None]) -> None:
        try:
            self.check()
        except Exception as error:  # noqa: BLE001 - whatever the error, the service is unavailable
            # It may contain hosts and user names, so it is logged but not returned.
            reason = str(error) or type(error).__name__
            logger.warning(
                "Readiness check failed for %s; %s: %s", self.name, self.consequence, reason
            )
            running.set_exception(error)
        else:
            running.set_result(None)

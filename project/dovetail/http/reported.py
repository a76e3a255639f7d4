"""Checks of services that pages can do without: they never hold up or fail an answer."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

logger = logging.getLogger(__name__)

PATIENCE = 0.8  # seconds; orchestrators give a probe one second by default
FIRST_PATIENCE = 3  # seconds, while no result is known


class ReportedCheck:
    """Runs a check in a thread, one at a time, and remembers its last result.

    A service that accepts connections and never answers would otherwise keep one more thread with
    each probe, until none is left for the database.
    """

    def __init__(self, name: str, check: Callable[[], None]) -> None:
        """Create a check.

        Args:
            name: the name of the service, for the log.
            check: raises an exception if the service is unavailable.
        """
        self.name = name
        self.check = check
        self.passed: bool | None = None  # not known yet
        self.running: Future[None] | None = None

    async def passes(self) -> bool:
        """Return whether the service is available, or was when it last answered in time."""
        if self.running is None or self.running.done():
            self.running = Future()
            # A daemon, so that a check that hangs does not hold up the end of the process.
            threading.Thread(
                target=self._run, args=[self.running], name=f"check-{self.name}", daemon=True
            ).start()
        finished = asyncio.wrap_future(self.running)
        patience = FIRST_PATIENCE if self.passed is None else PATIENCE
        await asyncio.wait({finished}, timeout=patience)
        finished.cancel()  # lets go of this loop
        return bool(self.passed)

    def _run(self, running: Future[None]) -> None:
        running.set_running_or_notify_cancel()
        try:
            self.check()
        except Exception as error:  # noqa: BLE001 - whatever the error, the service is unavailable
            reason = str(error) or type(error).__name__
            logger.warning(
                "Readiness check failed for %s; reporting it, but it does not affect readiness "
                "because pages work without it: %s",
                self.name,
                reason,
            )
            self.passed = False
        else:
            self.passed = True
        running.set_result(None)

"""Checks of services that pages can do without: they never hold up or fail an answer."""

import asyncio
from collections.abc import Callable

from dovetail.http.shared import SharedCheck

PATIENCE = 0.8  # seconds; orchestrators give a probe one second by default
FIRST_PATIENCE = 3  # seconds, while no result is known


class ReportedCheck:
    """Runs a check once at a time, and remembers its last result.

    A service that accepts connections and never answers would otherwise keep one more thread with
    each probe, until none is left for the database.
    """

    def __init__(self, name: str, check: Callable[[], None]) -> None:
        """Create a check.

        Args:
            name: the name of the service, for the log.
            check: raises an exception if the service is unavailable.
        """
        self.passed: bool | None = None  # not known yet
        self._check = check
        self._shared = SharedCheck(
            name,
            self._remember,
            consequence="reporting it, but it does not affect readiness because pages work "
            "without it",
        )

    async def passes(self) -> bool:
        """Return whether the service is available, or was when it last answered in time."""
        finished = asyncio.wrap_future(self._shared.result())
        patience = FIRST_PATIENCE if self.passed is None else PATIENCE
        await asyncio.wait({finished}, timeout=patience)
        if not finished.cancel():  # lets go of this loop
            finished.exception()  # it has been logged
        return bool(self.passed)

    def _remember(self) -> None:
        try:
            self._check()
        except Exception:
            self.passed = False
            raise
        self.passed = True

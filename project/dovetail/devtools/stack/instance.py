"""Ensures that a checkout runs one `up` at a time, and records its address and services.

The operating system releases the lock however the process ends, so a stale file never blocks. The
guard holds the lock too: the next `up` waits until the processes of a killed one have been stopped.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dovetail.devtools.errors import SetupError

LOCK_TIMEOUT = 10.0  # seconds to wait for the guard of a killed run


class Instance:
    """The running `up` of a `DATA_DIR`.

    Attributes:
        lock: the file descriptor that holds the lock.
    """

    def __init__(self, data_dir: Path) -> None:
        """Take the lock.

        Raises:
            SetupError: another process holds it.
        """
        self.file = data_dir / "up.json"
        self.lock = os.open(data_dir / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                running = self._read()
                if _is_alive(running.get("pid")):
                    raise SetupError(
                        f"`up` is already running here (process {running['pid']}) at "
                        f"{running.get('url', 'an address it has not chosen yet')}: use that one, "
                        "or stop it with Ctrl-C."
                    ) from None
                if time.monotonic() > deadline:
                    raise SetupError(
                        f"Another process holds {data_dir / 'up.lock'}: stop it and try again."
                    ) from None
                time.sleep(0.1)
            else:
                return

    def describe(self, port: int, url: str, environment: Mapping[str, str]) -> None:
        """Record the address and the services, for other commands to use.

        Args:
            port: the port of the web server.
            url: the URL to open in a browser.
            environment: the settings other commands need to share; they contain passwords.
        """
        content = {
            "pid": os.getpid(),
            "port": port,
            "url": url,
            "environment": dict(environment),
        }
        unfinished = self.file.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(content, indent=2), encoding="utf-8")
        unfinished.replace(self.file)

    def close(self) -> None:
        """Release the lock."""
        self.file.unlink(missing_ok=True)
        os.close(self.lock)

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            content: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
            return content
        return {}


def _is_alive(pid: int | None) -> bool:
    try:
        os.kill(pid or 0, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid is not None

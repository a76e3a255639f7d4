"""The front end's packages and assets, which `up` may be replacing for another test."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

FRONTEND = settings.BASE_DIR / "frontend"


@contextmanager
def locked_frontend() -> Iterator[Path]:
    """Wait until no `up` installs packages or builds assets, and let none begin meanwhile.

    `up` takes this lock, too. It installs what anything else than `up` has installed or built
    again, and then every file is gone for a while.

    Yields:
        The folder of the front end. It may have no packages.
    """
    with (FRONTEND / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield FRONTEND

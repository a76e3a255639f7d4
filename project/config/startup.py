"""Ends a process with one sentence instead of a traceback when its configuration is wrong."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import ENVIRONMENT_VARIABLE, settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError

PAGE_THREADS = 4  # of a web process, by default: WEB_THREADS
MOST_THREADS = 256  # beyond which they only wait for each other, and for connections
SOCKET_THREADS = 4  # of a web process, which use its database as well: dovetail.cable.database


@contextmanager
def one_line_errors(*, is_web: bool = False) -> Iterator[None]:
    """Load the settings, and turn an error in them or an unavailable database into one line.

    Args:
        is_web: whether this process serves requests. Then it has a pool of database connections,
            because under ASGI requests share no thread to keep one in, by default with one for
            each of its threads, so that none of them waits for another.

    Raises:
        SystemExit: with the line, which Python prints on standard error, and exit status 1.
    """
    try:
        from config import env  # noqa: PLC0415 - it reads .env, whose errors are caught here

        if is_web:
            # Here, because later would be too late: see `env.use_defaults`.
            pool = env.int("WEB_THREADS", PAGE_THREADS, least=1, most=MOST_THREADS)
            pool += SOCKET_THREADS
            env.use_defaults({"DATABASE_POOL_SIZE": str(pool)})
        # Read here, because Django would delay the error and show it as a traceback.
        _ = settings.INSTALLED_APPS
        yield
    except ImproperlyConfigured as error:
        sys.exit(f"error: {error}")
    except ModuleNotFoundError as error:
        module = os.environ.get(ENVIRONMENT_VARIABLE, "")
        if settings.configured or not f"{module}.".startswith(f"{error.name}."):
            raise
        sys.exit(
            f"error: {ENVIRONMENT_VARIABLE} in the environment names {module}, which does not "
            f"exist. Unset it, or set it to a module of config.settings."
        )
    except OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        sys.exit(
            f"error: The database is unavailable ({reason}). "
            "Start it with `uv run project/manage.py up`, or set DATABASE_URL to a running one."
        )

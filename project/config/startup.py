"""Ends a process with one sentence instead of a traceback when its configuration is wrong."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import ENVIRONMENT_VARIABLE, settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError


@contextmanager
def one_line_errors(**defaults: str) -> Iterator[None]:
    """Load the settings, and turn an error in them or an unavailable database into one line.

    Args:
        **defaults: defaults for this kind of process. They are taken here, because later would be
            too late: see `env.use_defaults`.

    Raises:
        SystemExit: with the line, which Python prints on standard error, and exit status 1.
    """
    try:
        from config import env  # noqa: PLC0415 - it reads .env, whose errors are caught here

        env.use_defaults(defaults)
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

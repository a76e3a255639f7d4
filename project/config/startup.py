"""How a process ends when its settings are wrong: one sentence, no traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError


@contextmanager
def refuse_in_one_sentence() -> Iterator[None]:
    """Turn a wrong setting, or a database that does not answer, into one line and status 1.

    Raises:
        SystemExit: with the sentence, which Python prints on standard error.
    """
    try:
        # Django would keep this error for later and show it as a traceback.
        _ = settings.INSTALLED_APPS
        yield
    except ImproperlyConfigured as error:
        sys.exit(f"error: {error}")
    except OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        sys.exit(
            f"error: the database does not answer ({reason}). "
            "Start it with `uv run project/manage.py up`, or set DATABASE_URL to one that runs."
        )

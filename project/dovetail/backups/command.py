"""What the commands have in common: errors are sentences, and signals end them cleanly."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.core.exceptions import SuspiciousOperation
from django.core.management.base import CommandError

from dovetail.backups.database import one_line
from dovetail.backups.errors import BackupError, Stopped, explain

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def sentences() -> Iterator[None]:
    """Turn errors into those of a command, whose status is 1; SIGTERM and Ctrl-C clean up.

    Raises:
        CommandError: a backup failed, or was stopped.
    """
    # What is ignored stays so, such as the end of the terminal under nohup.
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, _stop) for number in heard}
    try:
        yield
    except BackupError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(str(explain(error, "The backup failed"))) from error
    except psycopg.Error as error:
        raise CommandError(f"The database failed: {one_line(error)}") from error
    except SuspiciousOperation as error:
        raise CommandError(
            f"The backup must be forged, restore another one: {one_line(error)}"
        ) from error
    except Stopped as error:
        raise CommandError(f"Stopped by {error}; nothing is left half-written.") from error
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: Any) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # let nothing interrupt the cleaning up
    raise Stopped(signal.Signals(number).name)

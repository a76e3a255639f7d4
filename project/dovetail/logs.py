"""How log lines look: text for people, JSON for programs. Both have the request's identifier."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

import orjson
from celery import current_task
from django.conf import settings

from dovetail import telemetry
from dovetail.http.request_id import current

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
LEFT_OUT = STANDARD | {"request", "server_time"}  # Django's request has the query string


class RefusedRequestFilter(logging.Filter):
    """Makes Django's errors about requests that it refuses warnings without a traceback.

    Anyone can send such a request: each would be an error in which nothing has failed, and thirty
    lines of code that did its duty.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security."):
            record.exc_info = record.exc_text = None
            record.levelno = min(record.levelno, logging.WARNING)
            record.levelname = logging.getLevelName(record.levelno)
        return True


class SecretPathFilter(logging.Filter):
    """Leaves the secrets of `SECRET_PATHS` out of what Django logs about requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.") and isinstance(record.args, tuple):
            record.args = tuple(
                without_secret(item) if isinstance(item, str) else item for item in record.args
            )
        return True


def without_secret(path: str) -> str:
    """Return a path as a log gets it, without what makes its link a secret."""
    for prefix in settings.SECRET_PATHS:
        before, found, _ = path.partition(prefix)
        if found:
            return f"{before}{prefix}…"
    return path


def task_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return the task that a line of the log is of; {} if it is of none.

    Celery adds to its lines, as `data`, which task they are about. The arguments are in it, too,
    and the traceback again: no log gets those.
    """
    data = getattr(record, "data", None)
    if record.name.startswith("celery.") and isinstance(data, dict) and "id" in data:
        return {"task_id": data["id"], "task": data.get("name")}
    task: Any = current_task
    if task:
        return {"task_id": task.request.id, "task": task.name}
    return {}


class LineFormatter(logging.Formatter):
    """One line of text, with the request's identifier at its end."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        line = super().formatMessage(record)
        identifier = getattr(record, "request_id", "") or current.get()
        return f"{line} [{identifier}]" if identifier else line


class JsonFormatter(logging.Formatter):
    """One JSON object in a line: `time`, `level`, `logger`, `message`, and what there is of these:

    `request_id`, `trace_id`, `span_id`, `task_id` and `task` of what runs here, `exception` with
    its traceback, and what the call has put into `extra`.
    """  # noqa: D415 - the list follows

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if identifier := current.get():
            fields["request_id"] = identifier
        fields |= telemetry.ids() | task_of(record)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = self.formatStack(record.stack_info)
        left_out = LEFT_OUT | {"data"} if record.name.startswith("celery.") else LEFT_OUT
        fields |= {k: v for k, v in record.__dict__.items() if k not in left_out}
        try:
            return orjson.dumps(fields, default=str).decode()
        except TypeError:  # text that is not UTF-8, numbers beyond 64 bits, keys that are no text
            return json.dumps(fields, default=str, skipkeys=True)

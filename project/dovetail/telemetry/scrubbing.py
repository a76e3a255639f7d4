"""Keeps personal data and secrets out of everything that is exported.

By lists of what may leave, not of what may not: an attribute or a field that a new version of a
package adds is dropped until it is listed here. Paths have secrets in them (to reset a password, to
unsubscribe), and so have query strings, headers, bodies, arguments of tasks and what errors say. So
none of these leave; the route, the type of the error, its place in the code, and the ids by which
the site's own log has the rest, do.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

ATTRIBUTES = frozenset(
    {
        "http.method",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "http.status_code",
        "error.type",
        "db.name",
        "db.namespace",
        "db.operation",
        "db.operation.name",
        "db.query.text",
        "db.statement",
        "db.system",
        "db.system.name",
        "messaging.destination",
        "messaging.message.id",
        "messaging.system",
        "celery.action",
        "celery.retries",
        "celery.state",
        "celery.task_name",
        "net.peer.name",
        "net.peer.port",
        "server.address",
        "server.port",
        "exception.type",
    }
)
STATEMENTS = frozenset({"db.statement", "db.query.text"})
# Of a request, these say what the client claims the host to be.
OF_CLIENTS = frozenset({"net.peer.name", "net.peer.port", "server.address", "server.port"})

LONGEST = 2000  # characters of a statement
LITERAL = re.compile(r"'[^']*'?|\$(\w*)\$.*", re.DOTALL)
NUMBER = re.compile(r"(?<![\w$\"])\d[\w.]*")


def statement(sql: str) -> str:
    """Return a statement without the values in it. Django sends values apart; raw SQL may not."""
    before, backslash, _ = sql[:LONGEST].partition("\\")
    if backslash:
        # It may escape a quotation mark or not, so that a literal may end anywhere behind it.
        before = before.partition("'")[0]
    return NUMBER.sub("?", LITERAL.sub("?", before))


def attributes(items: Mapping[str, Any] | None, *, of_request: bool = False) -> dict[str, Any]:
    """Return those attributes of a span that may leave.

    Args:
        items: all attributes.
        of_request: whether a client has caused the span, which then says where it wanted to go.
    """
    allowed = ATTRIBUTES - OF_CLIENTS if of_request else ATTRIBUTES
    return {
        name: statement(str(value)) if name in STATEMENTS else value
        for name, value in (items or {}).items()
        if name in allowed
    }


def method(name: str) -> str:
    """Return the method of a request, `HTTP` if it is made up."""
    return name if name in METHODS else "HTTP"


def key(value: object) -> str:
    """Return the primary key of a user, "" if it is neither a number nor a UUID."""
    return str(value) if isinstance(value, int | uuid.UUID) else ""


TAGS = frozenset({"celery_task_id", "request_id", "route"})
EVENT = frozenset(
    {
        "event_id",
        "timestamp",
        "level",
        "platform",
        "logger",
        "transaction",
        "release",
        "environment",
        "server_name",
        "sdk",
        "modules",
    }
)
FRAME = frozenset(
    {
        "filename",
        "abs_path",
        "function",
        "module",
        "lineno",
        "pre_context",
        "context_line",
        "post_context",
        "in_app",
    }
)
TRACE = frozenset({"trace_id", "span_id", "parent_span_id", "op"})


def event(found: Mapping[str, Any], *, messages: bool) -> dict[str, Any]:
    """Return those parts of an event of Sentry's SDK that may leave.

    Args:
        found: the event.
        messages: whether what exceptions say may leave.
    """
    kept = {name: found[name] for name in EVENT if name in found}
    kept["tags"] = {name: text for name, text in _pairs(found.get("tags")) if name in TAGS}
    if trace := (found.get("contexts") or {}).get("trace"):
        kept["contexts"] = {"trace": {name: trace[name] for name in TRACE if name in trace}}
    if said := (found.get("logentry") or {}).get("message"):
        kept["logentry"] = {"message": str(said)}  # the text in the code, without its values
    for group in ("exception", "threads"):
        if values := (found.get(group) or {}).get("values"):
            kept[group] = {"values": [_exception(value, messages=messages) for value in values]}
    return kept


def _exception(found: Mapping[str, Any], *, messages: bool) -> dict[str, Any]:
    kept = {name: found[name] for name in ("type", "module", "thread_id") if name in found}
    if messages and found.get("value"):
        kept["value"] = str(found["value"])
    if mechanism := found.get("mechanism"):
        kept["mechanism"] = {
            name: mechanism[name] for name in ("type", "handled") if name in mechanism
        }
    if frames := (found.get("stacktrace") or {}).get("frames"):
        kept["stacktrace"] = {
            "frames": [{name: frame[name] for name in FRAME if name in frame} for frame in frames]
        }
    return kept


def _pairs(tags: Any) -> list[tuple[str, Any]]:
    return list(tags.items()) if isinstance(tags, dict) else [tuple(tag) for tag in tags or ()]

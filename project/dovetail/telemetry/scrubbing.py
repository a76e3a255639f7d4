"""Keeps personal data and secrets out of everything that is exported.

By lists of what may leave, not of what may not: an attribute or a field that a new version of a
package adds is dropped until it is listed here. Paths have secrets in them (to reset a password, to
unsubscribe), and so have query strings, headers, bodies, arguments of tasks and what errors say. So
none of these leave; the route, the type of the error, its place in the code, and the ids by which
the site's own log has the rest, do.
"""

import ast
import re
import uuid
from collections.abc import Mapping
from functools import lru_cache
from logging import LogRecord
from pathlib import Path
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
# What PostgreSQL reads as one piece, as far as values can be in it or be mistaken for one. Each is
# found in linear time: none can begin within itself, and a quotation mark without its end is the
# last piece.
PIECE = re.compile(
    r"""--[^\n\r]*         # a comment
    | /\*                # the beginning of a comment, in which others may be
    | "[^"]*"            # a name
    | '[^'\\]*'          # a value; a doubled mark in it makes it two of them
    | (?<![\w$])\d[\w.]* # a number
    | \$\w*\$ | ['"]    # what has no end, or may have it anywhere
    """,
    re.VERBOSE,
)
NESTED = re.compile(r"/\*|\*/")


def statement(sql: str) -> str:
    """Return a statement without the values in it. Django sends values apart; raw SQL may not.

    Comments are left out: anything can be in them. It ends where it is not sure what is a value: at
    a quotation mark without its end, at a value with a backslash, which may escape a mark or not,
    and at a value between dollars.
    """
    sql = sql[:LONGEST]
    kept: list[str] = []
    at = 0
    while found := PIECE.search(sql, at):
        kept.append(sql[at : found.start()])
        piece, at = found[0], found.end()
        if piece == "/*":
            kept.append(" ")
            at = _end_of_comment(sql, at)
        elif piece.startswith('"') and len(piece) > 1:
            kept.append(piece)
        elif not piece.startswith("--"):
            kept.append("?")
            if piece in {"'", '"'} or piece.startswith("$"):
                return "".join(kept)
    return "".join([*kept, sql[at:]])


def _end_of_comment(sql: str, at: int) -> int:
    """Return where a comment ends whose beginning is before `at`."""
    depth = 1
    while found := NESTED.search(sql, at):
        at = found.end()
        depth += 1 if found[0] == "/*" else -1
        if not depth:
            return at
    return len(sql)


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


def event(
    found: Mapping[str, Any], *, messages: bool, record: LogRecord | None = None
) -> dict[str, Any]:
    """Return those parts of an event of Sentry's SDK that may leave.

    Args:
        found: the event.
        messages: whether what exceptions say may leave.
        record: the line of the log that the event is of.
    """
    kept = {name: found[name] for name in EVENT if name in found}
    kept["tags"] = {name: text for name, text in _pairs(found.get("tags")) if name in TAGS}
    if trace := (found.get("contexts") or {}).get("trace"):
        kept["contexts"] = {"trace": {name: trace[name] for name in TRACE if name in trace}}
    if said := (found.get("logentry") or {}).get("message"):
        kept["logentry"] = {"message": str(said) if messages else text(record)}
    for group in ("exception", "threads"):
        if values := (found.get(group) or {}).get("values"):
            kept[group] = {"values": [_exception(value, messages=messages) for value in values]}
    return kept


def text(record: LogRecord | None) -> str:
    """Return what a line of the log says, without the values in it, or its place in the code.

    Values that are arguments of the call are not in the text. Many write them into the text before,
    as asyncio does with exceptions: so it leaves only if it is in the code just as it is.
    """
    if record is None:
        return "(without its text)"
    if isinstance(record.msg, str) and record.msg in texts_in(record.pathname):
        return record.msg
    return f"{record.name}: {record.funcName}, line {record.lineno} of {record.filename}"


@lru_cache(maxsize=100)  # the files that log errors are few
def texts_in(path: str) -> frozenset[str]:
    """Return all texts in the code of a file; none if it cannot be read."""
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return frozenset()
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return frozenset(value for value in constants if isinstance(value, str))


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

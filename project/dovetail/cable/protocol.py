"""The messages of the subprotocol `actioncable-v1-json`.

Source: rails/rails, actioncable/lib/action_cable.rb (INTERNAL) and the client's src/internal.js.
"""

import json
from typing import Any

SUBPROTOCOL = "actioncable-v1-json"
BEAT_INTERVAL = 3.0  # seconds between pings; the client gives up on a silent server after 6

UNAUTHORIZED = "unauthorized"
INVALID_REQUEST = "invalid_request"
SERVER_RESTART = "server_restart"
REMOTE = "remote"

WELCOME = '{"type":"welcome"}'


def encode(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def ping(now: float) -> str:
    return encode({"type": "ping", "message": int(now)})


def disconnect(reason: str, *, reconnect: bool) -> str:
    return encode({"type": "disconnect", "reason": reason, "reconnect": reconnect})


def confirmation(identifier: str) -> str:
    return encode({"identifier": identifier, "type": "confirm_subscription"})


def rejection(identifier: str) -> str:
    return encode({"identifier": identifier, "type": "reject_subscription"})


def message_prefix(identifier: str) -> str:
    """Return the text before a message's JSON, so that the JSON is encoded once for all sockets."""
    return f'{{"identifier":{encode(identifier)},"message":'


def message(prefix: str, payload: str) -> str:
    return f"{prefix}{payload}}}"

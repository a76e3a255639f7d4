"""What carries broadcasts from process to process."""

from typing import Any

from redis.exceptions import ConnectionError as ServerIsGone

from config.settings.parts.cache import CACHES
from config.settings.parts.names import PROJECT_NAME

CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "dovetail.cable.layer.ValkeyChannelLayer",
        "CONFIG": {
            "prefix": f"{PROJECT_NAME}.",
            "hosts": [
                {
                    "address": CACHES["default"]["LOCATION"],
                    # Seconds. A server that hangs must not hang what broadcasts.
                    "socket_connect_timeout": 1,
                    "socket_timeout": 2,
                    # Once more, when a connection turns out to be stale.
                    "retry_on_error": [ServerIsGone],
                    "health_check_interval": 15,
                }
            ],
        },
    },
}

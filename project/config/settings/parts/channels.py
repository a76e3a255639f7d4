"""The channel layer, which carries broadcasts between processes."""

from typing import Any

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ValkeyConnectionError

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
                    # In seconds, so that a hanging server does not hang the sender.
                    "socket_connect_timeout": 1,
                    "socket_timeout": 2,
                    # Retries once, in case the connection was stale. Not after a timeout, as
                    # redis-py does by default, both when it connects and when it sends.
                    "retry": Retry(NoBackoff(), 1, (ValkeyConnectionError,)),
                    "health_check_interval": 15,
                }
            ],
        },
    },
}

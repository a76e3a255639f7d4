"""JSON by orjson, which takes about a tenth of the time of Python's own."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None  # JSON is UTF-8

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return data as JSON; nothing for None, such as the body of a 204."""
        del accepted_media_type, renderer_context
        if data is None:
            return b""
        return orjson.dumps(data, default=_plain, option=orjson.OPT_UTC_Z)


def _plain(value: object) -> str:
    """Return what orjson does not know as text: translations, and decimals without rounding."""
    if isinstance(value, Promise | Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON.")

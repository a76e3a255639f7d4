import logging
from typing import Any

from django.template.loader import render_to_string

from dovetail.cable import protocol
from dovetail.cable.broadcasting import send_now
from dovetail.turbo import recency, streams

logger = logging.getLogger(__name__)


def render_and_send(
    name: str,
    action: str,
    target: str,
    template: str,
    context: dict[str, Any],
    *,
    method: str | None = None,
) -> None:
    """Render a Turbo Streams action and send it immediately. Errors are logged, not raised."""
    try:
        content = render_to_string(template, context) if template else ""
        html = streams.stream(action, target, content, method=method)
    except Exception:
        logger.exception("Could not render %s; nothing was broadcast to %s", template, name)
        return
    recency.record([name])
    send_now(name, protocol.encode(html))

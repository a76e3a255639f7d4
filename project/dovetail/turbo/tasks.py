import logging
from typing import Any

from celery import shared_task
from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model

from dovetail.turbo.rendering import render_and_send

logger = logging.getLogger(__name__)

MODEL = "model"  # the key that tells a packed model from a dictionary
KEYS = {MODEL, "pk"}


def pack(context: dict[str, Any]) -> dict[str, Any]:
    """Return a template's context in words that JSON knows; a model becomes its name and key.

    Raises:
        ValueError: a model is not saved, so no task could find it.
    """
    return {name: _pack(value) for name, value in context.items()}


def _pack(value: Any) -> Any:
    if not isinstance(value, Model):
        return value
    if value.pk is None or value._state.adding:
        raise ValueError(f"{value!r} is not saved: a task could not find it.")
    return {MODEL: value._meta.label_lower, "pk": str(value.pk)}


def unpack(context: dict[str, Any]) -> dict[str, Any]:
    """Return the context that `pack` described, with the models as they are now.

    Raises:
        ObjectDoesNotExist: one of them is gone.
    """
    return {name: _unpack(value) for name, value in context.items()}


def _unpack(value: Any) -> Any:
    if not isinstance(value, dict) or set(value) != KEYS:
        return value
    return apps.get_model(value[MODEL])._default_manager.get(pk=value["pk"])


@shared_task
def render_broadcast(
    name: str, action: str, target: str, template: str, context: dict[str, Any]
) -> None:
    """Render and send what `broadcast_later_to` asked for; nothing, when a row is gone."""
    try:
        values = unpack(context)
    except ObjectDoesNotExist as error:
        logger.info("nothing to broadcast to %s: %s", name, error)
        return
    render_and_send(name, action, target, template, values)

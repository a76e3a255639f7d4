import logging
from typing import Any

from celery import shared_task
from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model

from dovetail.turbo.rendering import render_and_send

logger = logging.getLogger(__name__)

MODEL = "model"  # together with "pk", distinguishes a packed model from an ordinary dictionary
KEYS = {MODEL, "pk"}


def pack(context: dict[str, Any]) -> dict[str, Any]:
    """Return a template context as JSON-serializable data, with models as their label and key.

    Raises:
        ValueError: a model is not saved, so the task could not load it.
    """
    return {name: _pack(value) for name, value in context.items()}


def _pack(value: Any) -> Any:
    if not isinstance(value, Model):
        return value
    if value.pk is None or value._state.adding:
        raise ValueError(f"{value!r} is not saved, so the task could not load it. Save it first.")
    return {MODEL: value._meta.label_lower, "pk": str(value.pk)}


def unpack(context: dict[str, Any]) -> dict[str, Any]:
    """Return the context that `pack` was given, with the models reloaded.

    Raises:
        ObjectDoesNotExist: a row has been deleted.
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
    """Render and send a broadcast of `broadcast_later_to`, unless one of its rows was deleted."""
    try:
        values = unpack(context)
    except ObjectDoesNotExist as error:
        logger.info("Skipped broadcast to %s; a row was deleted: %s", name, error)
        return
    render_and_send(name, action, target, template, values)

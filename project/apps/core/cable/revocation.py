"""What ends a session, a person's rights or a person's access also ends their open sockets.

By signals, so that no view that logs somebody out has to think of it. What changes users or
sessions past the signals (`QuerySet.update`, SQL) calls `broadcasting.disconnect` itself.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db.models.signals import m2m_changed, post_delete, post_save

from apps.core.cable.broadcasting import disconnect

HARMLESS = {"last_login"}  # written at each login


def on_session_deleted(instance: Session, **_: Any) -> None:
    """Cover logout, a change of password, and sessions ended from elsewhere."""
    disconnect(session_keys=[instance.session_key])


def on_user_saved(
    instance: Any, created: bool, update_fields: frozenset[str] | None, **_: Any
) -> None:
    """Cover deactivation, a new password, and rights given by flags."""
    if not created and not (update_fields and set(update_fields) <= HARMLESS):
        disconnect([instance])


def on_user_deleted(instance: Any, **_: Any) -> None:
    disconnect([instance])


def on_rights_changed(action: str, instance: Any, **_: Any) -> None:
    """Cover a person's groups and permissions, and a group's permissions."""
    if not action.startswith("post_"):
        return
    if isinstance(instance, Group):
        disconnect(get_user_model()._default_manager.filter(groups=instance))
    elif isinstance(instance, get_user_model()):
        disconnect([instance])


def connect() -> None:
    """Start listening; called once, when the applications are ready."""
    user = get_user_model()
    post_delete.connect(on_session_deleted, sender=Session, dispatch_uid="cable.session")
    post_save.connect(on_user_saved, sender=settings.AUTH_USER_MODEL, dispatch_uid="cable.user")
    post_delete.connect(on_user_deleted, sender=settings.AUTH_USER_MODEL, dispatch_uid="cable.gone")
    for through in (
        user.groups.through,
        user.user_permissions.through,
        Group.permissions.through,
    ):
        m2m_changed.connect(
            on_rights_changed, sender=through, dispatch_uid=f"cable.{through.__name__}"
        )

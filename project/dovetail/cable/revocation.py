"""Closes sockets when their session ends or their user's rights change.

It listens to signals, so views that sign users out need no code for it, and neither do bulk
operations on users. After changes that send no signal (SQL, bulk operations on the rows of
`User.groups.through`), call `broadcasting.disconnect` yourself.
"""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save
from django.utils import timezone

from dovetail.cable.broadcasting import disconnect
from dovetail.models.signals import rows_changed

RIGHTS = ("is_active", "is_staff", "is_superuser", "password")


def on_session_deleted(instance: Session, **_: Any) -> None:
    """Handle logout, password changes, and sessions ended from another device.

    Expired sessions are ignored: `recheck` closes their sockets, and cleaning up thousands of rows
    must not broadcast for each one.
    """
    if instance.expire_date > timezone.now():
        disconnect(session_keys=[instance.session_key])


def before_user_saved(instance: Any, update_fields: frozenset[str] | None, **_: Any) -> None:
    """Remember the user's rights as stored in the database, if this save can change them."""
    instance.rights_before_save = None
    if instance._state.adding or (update_fields and update_fields.isdisjoint(RIGHTS)):
        return
    stored = get_user_model()._default_manager.filter(pk=instance.pk)
    instance.rights_before_save = stored.values_list(*RIGHTS).first()


def on_user_saved(instance: Any, **_: Any) -> None:
    """Handle deactivation, a new password, and changed staff or superuser flags."""
    before = instance.rights_before_save
    if before and before != tuple(getattr(instance, name) for name in RIGHTS):
        disconnect([instance])


def on_users_changed(
    sender: Any, *, pks: list[Any], using: str, fields: frozenset[str], **_: Any
) -> None:
    """Handle the same changes by `QuerySet.update` and `bulk_update`, which send no `post_save`.

    The user model needs the kit's `BaseManager` for it.
    """
    if not fields.isdisjoint(RIGHTS):
        disconnect(sender._base_manager.using(using).filter(pk__in=pks))


def on_user_deleted(instance: Any, **_: Any) -> None:
    disconnect([instance])


def on_rights_changed(
    sender: Any, action: str, instance: Any, reverse: bool, pk_set: set[Any] | None, **_: Any
) -> None:
    """Handle groups and permissions granted or revoked, from either side of the relation.

    Args:
        sender: the intermediate model.
        action: `clear` is handled beforehand, since the affected rows are unknown afterwards.
        instance: the object whose relation was changed, as in `instance.groups.add(…)`.
        reverse: whether `instance` is on the side that does not declare the relation.
        pk_set: the keys of the other side, None for `clear`.
    """
    if action not in ("post_add", "post_remove", "pre_clear"):
        return
    if sender is Group.permissions.through:
        groups = [instance.pk] if not reverse else pk_set
        if groups is None:
            groups = instance.group_set.all()
        disconnect(_users(groups__in=groups))
    elif not reverse:
        disconnect([instance])
    else:
        disconnect(instance.user_set.all() if pk_set is None else _users(pk__in=pk_set))


def before_group_deleted(instance: Group, **_: Any) -> None:
    disconnect(_users(groups=instance))


def before_permission_deleted(instance: Permission, **_: Any) -> None:
    disconnect(_users(Q(user_permissions=instance) | Q(groups__permissions=instance)))


def _users(*conditions: Q, **lookups: Any) -> Iterable[Any]:
    return get_user_model()._default_manager.filter(*conditions, **lookups).distinct()


def connect() -> None:
    """Connect the signals. Called once, when the apps are ready."""
    user = get_user_model()
    model = settings.AUTH_USER_MODEL
    post_delete.connect(on_session_deleted, sender=Session, dispatch_uid="cable.session")
    pre_save.connect(before_user_saved, sender=model, dispatch_uid="cable.user")
    post_save.connect(on_user_saved, sender=model, dispatch_uid="cable.user")
    rows_changed.connect(on_users_changed, sender=user, dispatch_uid="cable.users")
    post_delete.connect(on_user_deleted, sender=model, dispatch_uid="cable.gone")
    pre_delete.connect(before_group_deleted, sender=Group, dispatch_uid="cable.group")
    pre_delete.connect(
        before_permission_deleted, sender=Permission, dispatch_uid="cable.permission"
    )
    for through in (
        user.groups.through,
        user.user_permissions.through,
        Group.permissions.through,
    ):
        m2m_changed.connect(
            on_rights_changed, sender=through, dispatch_uid=f"cable.{through.__name__}"
        )

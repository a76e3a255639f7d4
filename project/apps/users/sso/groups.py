"""What the groups that a provider names mean here."""

from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from apps.users.models import User


def apply_groups(user: User, claimed: Any, *, groups: dict[str, str], staff: list[str]) -> None:
    """Give a person the groups that their provider's ones stand for, and take the others.

    Only groups that the mapping names are touched, and staff status only when it names any group
    for it. An unmapped or malformed claim gives nothing.

    Args:
        user: the person, saved.
        claimed: the claim, a list of texts.
        groups: a provider's group to the name of ours, made when missing.
        staff: the provider's groups whose members are staff.
    """
    listed = claimed if isinstance(claimed, list) else []
    theirs = {name for name in listed if isinstance(name, str)}
    wanted = {groups[name] for name in theirs & groups.keys()}
    with transaction.atomic():
        Group.objects.bulk_create([Group(name=name) for name in wanted], ignore_conflicts=True)
        user.groups.remove(*Group.objects.filter(name__in=set(groups.values()) - wanted))
        user.groups.add(*Group.objects.filter(name__in=wanted))
        is_staff = bool(theirs & set(staff))
        if staff and user.is_staff != is_staff:
            user.is_staff = is_staff
            user.save(update_fields=["is_staff", "updated_at"])

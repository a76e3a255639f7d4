"""Maps the groups in a provider's claims to the site's groups and staff status."""

from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from apps.users.models import User


def sync_groups(user: User, claimed: Any, *, groups: dict[str, str], staff: list[str]) -> None:
    """Make the user a member of exactly those mapped groups that their claim names.

    Groups outside the mapping are left alone, and so is staff status if `staff` is empty. A missing
    or malformed claim counts as an empty list.

    Args:
        user: the user, already saved.
        claimed: the provider's groups, a list of strings if the claim is well-formed.
        groups: maps each of the provider's groups to one of the site's, created if missing.
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

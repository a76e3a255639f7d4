"""Maps the groups in a provider's claims to the site's groups and staff status, for a time.

What was mapped is recorded in `MappedRights`, so it can be taken back without touching what an
administrator gave by hand. It ends when the account is disconnected, and SSO_LIFETIME after the
last sign-in with the provider: whoever has left it keeps no rights by staying signed in here.
"""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from apps.users.models import MappedRights, User


def map_claim(
    user: User, provider: str, claimed: Any, *, groups: dict[str, str], staff: list[str]
) -> None:
    """Give a person exactly the rights that the provider's claim maps to, besides those by hand.

    A missing or malformed claim counts as an empty list.

    Args:
        user: the user, already saved.
        provider: the provider's ID.
        claimed: the provider's groups, a list of strings if the claim is well-formed.
        groups: maps each of the provider's groups to one of the site's, created if missing.
        staff: the provider's groups whose members are staff.
    """
    listed = claimed if isinstance(claimed, list) else []
    theirs = {name for name in listed if isinstance(name, str)}
    wanted = {groups[name] for name in theirs & groups.keys()}
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        user.refresh_from_db(fields=["is_staff"])
        Group.objects.bulk_create([Group(name=name) for name in wanted], ignore_conflicts=True)
        mapped = set(Group.objects.filter(name__in=wanted))
        _replace(user, provider, mapped, is_staff=bool(theirs & set(staff)))


def revoke(user: User, providers: Iterable[str]) -> None:
    """Take from a person what these providers' groups have given them."""
    with transaction.atomic():
        if User.objects.select_for_update().filter(pk=user.pk).first() is None:
            return
        user.refresh_from_db(fields=["is_staff"])
        for provider in providers:
            _replace(user, provider, set(), is_staff=False)


def revoke_expired(user: User) -> None:
    """Take from a person what no sign-in with the provider has confirmed for SSO_LIFETIME."""
    now = timezone.now()
    if user.mapped_rights_expire_at is None or user.mapped_rights_expire_at > now:
        return
    with transaction.atomic():
        # Locked first: a sign-in with the provider may be confirming them.
        User.objects.select_for_update().filter(pk=user.pk).first()
        expired = user.mapped_rights.filter(confirmed_at__lte=now - settings.SSO_LIFETIME)
        revoke(user, list(expired.values_list("provider", flat=True)))


def _replace(user: User, provider: str, groups: set[Group], *, is_staff: bool) -> None:
    """Make these the rights that a provider gives, and give the user what follows from that."""
    rows = {row.provider: row for row in user.mapped_rights.prefetch_related("groups")}
    others = [row for name, row in rows.items() if name != provider]
    mine = rows.get(provider) or MappedRights(user=user, provider=provider)
    before = set(mine.groups.all()) if provider in rows else set()
    by_others = {group for row in others for group in row.groups.all()}
    by_hand = set(user.groups.all()) - before - by_others
    staff_by_others = any(row.is_staff for row in others)
    staff_by_hand = user.is_staff and not mine.is_staff and not staff_by_others

    groups = groups - by_hand
    user.groups.remove(*(before - groups - by_others))
    user.groups.add(*groups)
    mine.is_staff = is_staff and not staff_by_hand
    user.is_staff = staff_by_hand or staff_by_others or mine.is_staff
    mine.confirmed_at = timezone.now()
    if groups or mine.is_staff:
        mine.save()
        mine.groups.set(groups)
        others.append(mine)
    elif provider in rows:
        mine.delete()
    oldest = min((row.confirmed_at for row in others), default=None)
    user.mapped_rights_expire_at = oldest and oldest + settings.SSO_LIFETIME
    user.save(update_fields=["is_staff", "mapped_rights_expire_at", "updated_at"])

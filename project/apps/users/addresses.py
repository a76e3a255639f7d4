"""Who owns an email address: only the account for which it is confirmed.

Sign-in, password reset, sign-up and linking ask `owner`, so an address that was only typed blocks
nothing and leads nowhere. When someone confirms it, `claim` takes it from accounts that never did:
an attacker may have created one of them for its owner to use.
"""

from allauth.account.models import EmailAddress
from django.db import transaction

from apps.users.models import User
from apps.users.personal_data import owned

# Reserved by RFC 2606: no mail can ever reach it.
RELEASED = "released.invalid"


def owner(email: str) -> User | None:
    """Return the account for which the address is confirmed."""
    addresses = EmailAddress.objects.filter(email=email.lower(), verified=True)
    address = addresses.select_related("user").first()
    return address.user if address else None


def confirmed(user: User) -> list[str]:
    """Return the account's confirmed addresses, the primary one first."""
    addresses = EmailAddress.objects.filter(user=user, verified=True).order_by("-primary", "pk")
    return list(addresses.values_list("email", flat=True))


def claim(email: str, *, user: User | None = None) -> None:
    """Take an address from all accounts for which it is not confirmed.

    A sign-up that never confirmed any address ends with everything in it: password, second factors,
    connected accounts and sessions. Accounts that are in use keep all of that and lose the address.

    Args:
        email: an address whose owner has just proved that they receive its mail.
        user: the account of its owner, if there is one yet.
    """
    email = email.lower()
    with transaction.atomic():
        others = EmailAddress.objects.filter(email=email, verified=False)
        others.exclude(user=user).delete()
        for holder in User.objects.select_for_update().filter(email=email):
            if holder != user:
                _release(holder)


def vouch(user: User) -> None:
    """Confirm the address that an administrator gave an account, and make it the primary one.

    It replaces the primary address from before; others stay.

    Raises:
        IntegrityError: the address is confirmed for another account.
    """
    with transaction.atomic():
        claim(user.email, user=user)
        EmailAddress.objects.filter(user=user, primary=True).exclude(email=user.email).delete()
        EmailAddress.objects.update_or_create(
            user=user, email=user.email, defaults={"verified": True, "primary": True}
        )


def _release(holder: User) -> None:
    left = confirmed(holder)
    if holder.email in left:
        return
    if not left and not _is_in_use(holder):
        holder.delete()
        return
    holder.email = left[0] if left else f"{holder.pk.hex}@{RELEASED}"
    holder.save(update_fields=["email", "updated_at"])


def _is_in_use(holder: User) -> bool:
    """Return whether the account is more than a sign-up that was never completed."""
    was_used = holder.last_login or holder.is_staff or holder.is_superuser or holder.deleted_at
    return bool(was_used) or any(rows.exists() for rows in owned(holder))

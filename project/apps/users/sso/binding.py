"""Email domains that belong to one identity provider, by `exclusive_domains` in OIDC_PROVIDERS.

Whoever has an address there signs in with that provider only. All other ways are closed: passwords,
password resets, passkeys and other providers would outlive the person's account at the provider.
"""

from typing import Any, NamedTuple

from allauth.socialaccount.models import SocialAccount
from django.conf import settings

from apps.users import addresses
from apps.users.models import User


class Bound(NamedTuple):
    """The provider that an email domain belongs to."""

    provider: str
    name: str
    domain: str

    def __str__(self) -> str:
        return f"People at {self.domain} sign in with {self.name}."


def provider_of(email: str) -> Bound | None:
    """Return the only provider that may sign in people with this address, if there is one."""
    domain = _domain(email)
    for app in _apps():
        if domain in app["settings"]["exclusive_domains"]:
            return Bound(app["provider_id"], app["name"], domain)
    return None


def may_sign_in(provider: str, email: str) -> bool:
    """Return whether a provider's `email_domains` let people with this address sign in."""
    for app in _apps():
        if app["provider_id"] == provider and app["settings"]["email_domains"]:
            return _domain(email) in app["settings"]["email_domains"]
    return True


def provider_for(user: User) -> Bound | None:
    """Return the only provider that may sign this person in, if there is one.

    One of their confirmed addresses is at its domain, or the address that it knows them by.
    """
    if not any(app["settings"]["exclusive_domains"] for app in _apps()):
        return None
    for email in [*addresses.confirmed(user), *_claimed(user)]:
        if bound := provider_of(email):
            return bound
    return None


def is_exclusive(provider: str) -> bool:
    """Return whether email domains belong to the provider with this ID."""
    return any(
        app["provider_id"] == provider and app["settings"]["exclusive_domains"] for app in _apps()
    )


def _apps() -> list[dict[str, Any]]:
    apps: list[dict[str, Any]] = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    return apps


def _claimed(user: User) -> list[str]:
    """Return the addresses that the providers with exclusive domains gave for the user."""
    claims = {
        app["provider_id"]: app["settings"]["claims"]["email"]
        for app in _apps()
        if app["settings"]["exclusive_domains"]
    }
    found = []
    for account in SocialAccount.objects.filter(user=user, provider__in=claims):
        for part in ("userinfo", "id_token"):
            email = account.extra_data.get(part, {}).get(claims[account.provider])
            if isinstance(email, str):
                found.append(email)
    return found


def _domain(email: str) -> str:
    domain = email.rpartition("@")[2].strip().rstrip(".").lower()
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain

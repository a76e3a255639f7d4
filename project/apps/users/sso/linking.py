"""Decides which account a sign-in at another site leads to, and who may make one.

A provider's word for an address opens no account that its owner protects in another way: whoever
runs or breaks into one provider would speak for the people of all others. They sign in first, and
connect the provider under Settings. A provider speaks alone only for its `exclusive_domains`.
"""

from allauth.account.internal.flows.email_verification import (
    consume_email_verification_rate_limit,
)
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.internal.flows.signup import redirect_to_signup
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.users import addresses, signup
from apps.users.models import User
from apps.users.sso import binding


def may_link(user: User, provider: str, email: str) -> bool:
    """Return whether a provider's word for an address is enough to sign this person in.

    It is for an account that nobody could sign in to otherwise, and for an address that belongs to
    the provider; never if the provider knows the account under another subject, because addresses
    are given to new people.
    """
    connected = set(SocialAccount.objects.filter(user=user).values_list("provider", flat=True))
    bound = binding.provider_of(email)
    if bound is not None:
        return bound.provider == provider and provider not in connected
    return not (connected or user.has_usable_password() or user.is_mfa_enabled)


def account_for(sociallogin: SocialLogin, emails: list[str]) -> tuple[User, str] | None:
    """Return the account to link, and its address, if one of the confirmed addresses leads to one.

    Args:
        sociallogin: the login, whose subject no account is connected to.
        emails: addresses that the provider has confirmed and is trusted for.
    """
    for email in emails:
        user = addresses.owner(email)
        if user is not None and may_link(user, sociallogin.account.provider, email):
            return user, email
    return None


def check_new(request: HttpRequest, sociallogin: SocialLogin) -> None:
    """Check the address of a person who has no account yet.

    Raises:
        ImmediateHttpResponse: with the page that they get instead of a new account.
    """
    if not sociallogin.email_addresses:
        return  # allauth asks for one
    address = sociallogin.email_addresses[0]
    bound = binding.provider_of(address.email)
    if bound is not None and bound.provider != sociallogin.account.provider:
        raise ImmediateHttpResponse(other_provider(request, bound))
    if not address.verified:
        if not consume_email_verification_rate_limit(request, address.email):
            messages.info(request, signup.TOO_SOON)
            raise ImmediateHttpResponse(redirect_to_signup(request, sociallogin))
        raise ImmediateHttpResponse(signup.start(request, address.email, sociallogin=sociallogin))
    if addresses.owner(address.email) is not None:
        # The visitor owns the address, so this tells nobody else that there is an account.
        page = {"provider": sociallogin.provider, "email": address.email}
        raise ImmediateHttpResponse(
            render(request, "socialaccount/sign_in_to_connect.html", page, status=403)
        )
    addresses.claim(address.email)


def keep_confirmed(request: HttpRequest, sociallogin: SocialLogin) -> None:
    """Leave only the addresses that a new account may have: confirmed, and nobody else's.

    Raises:
        ImmediateHttpResponse: none is left, because somebody has just confirmed it elsewhere.
    """
    kept = []
    provider = sociallogin.account.provider
    for address in sociallogin.email_addresses:
        bound = binding.provider_of(address.email)
        is_foreign = bound is not None and bound.provider != provider
        is_allowed = not is_foreign and binding.may_sign_in(provider, address.email)
        if address.verified and is_allowed and addresses.owner(address.email) is None:
            addresses.claim(address.email)
            kept.append(address)
    if not kept:
        messages.info(request, "Your account has just been created. Please sign in.")
        raise ImmediateHttpResponse(redirect("account_login"))
    sociallogin.email_addresses = kept
    sociallogin.user.email = kept[0].email


def other_provider(request: HttpRequest, bound: binding.Bound) -> HttpResponse:
    """Return the page for people whose address belongs to a provider, with the way there."""
    return render(request, "socialaccount/other_provider.html", {"bound": bound}, status=403)

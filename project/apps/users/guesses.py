"""Limits how often an account's password and codes can be guessed, without locking its owner out.

A limit per IP address does not stop someone with many of them, and a limit per account lets anyone
lock the account. So guesses are counted per account, and separately for browsers in which its owner
has signed in before: guesses from elsewhere do not use those up. This is the scheme of "Slow Down
Online Guessing Attacks with Device Cookies" by OWASP:
https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies

Own code because allauth has one counter per address that is typed, whose key contains the `Host`
header, and because a right code resets its counter for the IP address, which an attacker's own
account provides. It counts with allauth's limiter, in the cache.
"""

from collections.abc import Iterable
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.userkit import filter_users_by_email
from allauth.account.models import EmailAddress
from allauth.core.internal import ratelimit
from django.conf import settings
from django.http import HttpRequest

from apps.users import devices
from apps.users.models import User


class LimitReached(Exception):  # noqa: N818 - an answer, not an error
    """There were too many guesses for this account, which must not be told to strangers."""


class Attempt:
    """A guess that has been counted.

    Attributes:
        usage: one for each counter.
    """

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.usage: list[ratelimit.RateLimitUsage] = []

    def count(self, limit: str, *key: str) -> bool:
        """Count it, and return whether `GUESS_LIMITS` allows it.

        Args:
            limit: the name of the limit.
            key: what to count, for limits that are not per IP address.
        """
        usage = ratelimit.consume(
            self.request,
            app="apps.users.guesses",
            action=limit,
            config=settings.GUESS_LIMITS,
            key=":".join(key),
        )
        if usage:
            self.usage.append(usage)
        return usage is not None

    def count_for(self, user: User, secret: str) -> bool:
        """Count it for an account, and return whether `GUESS_LIMITS` allows it."""
        account = secret, str(user.pk)
        if browser := devices.browser_of(self.request, user):
            return self.count("known_browser", *account, browser) and self.count(
                "known_browsers", *account
            )
        return self.count("unknown_browsers", *account)

    def rollback(self) -> None:
        """Take it back, because it was right."""
        for usage in self.usage:
            usage.rollback()


def count_password(request: HttpRequest, email: str) -> Attempt:
    """Count an attempt to sign in with a password, before the password is looked at.

    Args:
        request: the request.
        email: what was typed, in any case.

    Raises:
        ValidationError: too many, from this IP address or for what was typed.
        LimitReached: too many for the account, of which this may be another address. Respond as to
            a wrong password, or the difference would reveal which addresses belong together.
    """
    attempt = Attempt(request)
    users: Iterable[User] = filter_users_by_email(email, prefer_verified=True, for_login=True)
    users = sorted(users, key=lambda user: user.pk)
    known = any(devices.browser_of(request, user) for user in users)
    if not attempt.count("ip_address") or not (
        known or attempt.count("unknown_browsers", "password", email.lower())
    ):
        raise get_adapter().validation_error("too_many_login_attempts")
    for user in users:
        if not attempt.count_for(user, "password"):
            if known:
                raise get_adapter().validation_error("too_many_login_attempts")
            raise LimitReached
    return attempt


def count(request: HttpRequest, user: User, secret: str) -> Attempt:
    """Count an attempt by someone who has signed in or has given the password.

    Args:
        request: the request.
        user: the account.
        secret: what is guessed. Each kind has counters of its own.

    Raises:
        ValidationError: too many.
    """
    attempt = Attempt(request)
    if not attempt.count("ip_address") or not attempt.count_for(user, secret):
        raise get_adapter().validation_error("too_many_login_attempts")
    return attempt


def forget(request: HttpRequest, user: User, **_: Any) -> None:
    """Let the owner of an account sign in at once after they have reset its password."""
    if not request.user.is_authenticated:  # otherwise the session has just ended with all others
        request.session[devices.RESET_KEY] = str(user.pk)
    emails = EmailAddress.objects.filter(user=user).values_list("email", flat=True)
    for account in (str(user.pk), *emails):
        ratelimit.clear(
            request,
            app="apps.users.guesses",
            action="unknown_browsers",
            config=settings.GUESS_LIMITS,
            key=f"password:{account}",
        )

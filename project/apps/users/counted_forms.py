"""allauth's forms for a password or a code of a person that it knows, with guesses counted."""

from typing import Any

from allauth.account import forms as account
from allauth.core import context
from allauth.mfa.base import forms as mfa

from apps.users import guesses
from apps.users.models import User
from apps.users.passwords import PasswordForm


class SecondFactor:
    """A form for a code of an authenticator app or a recovery code."""

    user: User

    def clean_code(self) -> Any:
        attempt = guesses.count(context.request, self.user, "second factor")
        code = super().clean_code()  # type: ignore[misc]
        attempt.rollback()
        return code


class AuthenticateForm(SecondFactor, mfa.AuthenticateForm):  # type: ignore[misc]
    pass


class ReauthenticateForm(SecondFactor, mfa.ReauthenticateForm):  # type: ignore[misc]
    pass


class MailedCodeForm(account.ConfirmReauthenticationCodeForm):  # type: ignore[misc]
    def clean_code(self) -> Any:
        attempt = guesses.count(context.request, context.request.user, "mailed code")
        code = super().clean_code()
        attempt.rollback()
        return code


class ChangePasswordForm(PasswordForm, account.ChangePasswordForm):  # type: ignore[misc]
    def clean_oldpassword(self) -> Any:
        attempt = guesses.count(context.request, self.user, "password")
        password = super().clean_oldpassword()
        attempt.rollback()
        return password

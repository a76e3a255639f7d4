from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import (
    AddEmailForm as AllauthAddEmailForm,
    LoginForm as AllauthLoginForm,
    ResetPasswordForm as AllauthResetPasswordForm,
)
from django import forms
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    AdminUserCreationForm,
    UserChangeForm as DjangoUserChangeForm,
)
from django.core.exceptions import ValidationError

from apps.users import addresses, mail
from apps.users.models import User
from apps.users.passwords import PasswordForm
from apps.users.security_log import Kind, record
from apps.users.signals import end_all_sessions
from apps.users.sso import binding
from dovetail.models.versions import VersionedModelForm


class ProfileForm(VersionedModelForm[User]):
    class Meta:
        model = User
        fields = ["display_name", "biography", "avatar"]
        widgets = {"biography": forms.Textarea(attrs={"rows": 4})}
        help_texts = {
            "avatar": "JPEG, PNG, WebP or GIF, up to 5 MB. It will be cropped to a centered square."
        }


def refuse_bound(email: str) -> None:
    """Refuse an address that belongs to an identity provider.

    Raises:
        ValidationError: it names the provider. It depends on the domain alone, so it reveals no
            accounts.
    """
    if bound := binding.provider_of(email):
        raise ValidationError(str(bound))


class LoginForm(PasswordForm, AllauthLoginForm):  # type: ignore[misc]
    def clean_login(self) -> str:
        login = str(super().clean_login())
        refuse_bound(login)
        return login


class AddEmailForm(AllauthAddEmailForm):  # type: ignore[misc]
    def clean_email(self) -> str:
        email = str(super().clean_email())
        refuse_bound(email)
        return email


class ResetPasswordForm(AllauthResetPasswordForm):  # type: ignore[misc]
    """Resets the password of the account for which the address is confirmed."""

    users: list[User]

    def clean_email(self) -> str:
        email = str(get_adapter().clean_email(self.cleaned_data["email"].lower()))
        refuse_bound(email)
        user = addresses.owner(email)
        self.users = [user] if user is not None and user.is_active else []
        return email


class _FreeAddressMixin:
    """Refuses an address that another account has confirmed."""

    cleaned_data: dict[str, Any]
    instance: User

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"])
        owner = addresses.owner(email)
        if owner is not None and owner != self.instance:
            raise ValidationError("This address is confirmed for another account.", code="taken")
        return email


class UserCreationForm(_FreeAddressMixin, PasswordForm, AdminUserCreationForm[User]):
    """Adds a user in the admin."""


class UserChangeForm(_FreeAddressMixin, DjangoUserChangeForm[User]):
    """Changes a user in the admin."""


class UserPasswordForm(PasswordForm, AdminPasswordChangeForm):  # type: ignore[type-arg] # not at run time
    """Sets another person's password in the admin, which ends their sessions and tells them."""

    def save(self, commit: bool = True) -> User:
        user: User = super().save(commit)
        end_all_sessions(user)
        verb = "changed" if user.has_usable_password() else "removed"
        change = f"{verb} your password"
        record(Kind.CHANGED_BY_STAFF, user, detail=change)
        mail.send("account/email/changed_by_administrator", user, {"change": change})
        return user

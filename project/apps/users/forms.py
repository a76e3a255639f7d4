from datetime import datetime, timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import (
    AddEmailForm as AllauthAddEmailForm,
    LoginForm as AllauthLoginForm,
    ResetPasswordForm as AllauthResetPasswordForm,
)
from django import forms
from django.conf import settings
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    AdminUserCreationForm,
    UserChangeForm as DjangoUserChangeForm,
)
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.users import access_tokens, addresses, mail
from apps.users.models import User
from apps.users.models.personal_access_token import NAME
from apps.users.passwords import PasswordForm
from apps.users.security_log import Kind, record
from apps.users.signals import end_all_sessions
from apps.users.sso import binding
from dovetail.models.versions import VersionedModelForm

LIVES = (1, 7, 30, 90, 365)  # days that a new access token can be valid
USUAL_LIFE = 30


class ProfileForm(VersionedModelForm[User]):
    class Meta:
        model = User
        fields = ["display_name", "biography", "avatar"]
        widgets = {"biography": forms.Textarea(attrs={"rows": 4})}
        help_texts = {
            "avatar": "JPEG, PNG, WebP or GIF, up to 5 MB. It will be cropped to a centered square."
        }


def expiry(days: str) -> datetime:
    return timezone.now() + timedelta(days=int(days))


def scope_choices() -> list[tuple[str, SafeString]]:
    """Return what a token may be used for, with the names that its list and the API's docs use."""
    label = '{} <code class="text-sm text-base-content/75">{}</code>'
    return [(name, format_html(label, told, name)) for name, told in settings.API_SCOPES.items()]


class AccessTokenForm(forms.Form):
    """What a person says about a new access token, named as `access_tokens.create` takes it."""

    name = forms.CharField(max_length=NAME, help_text="What will use it, such as “Backup script”.")
    scopes = forms.MultipleChoiceField(
        label="Permissions", choices=scope_choices, widget=forms.CheckboxSelectMultiple
    )
    expires_at = forms.TypedChoiceField(label="Expires after", coerce=expiry)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        longest = access_tokens.longest_life(user)
        lives = [days for days in LIVES if timedelta(days=days) <= longest] or LIVES[:1]
        field = self.fields["expires_at"]
        field.choices = [(days, "1 day" if days == 1 else f"{days} days") for days in lives]  # type: ignore[attr-defined]
        field.initial = USUAL_LIFE if USUAL_LIFE in lives else lives[-1]


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

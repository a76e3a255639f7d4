from typing import Any

from allauth.account.models import EmailAddress
from django import forms
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    AdminUserCreationForm,
    UserChangeForm as DjangoUserChangeForm,
)

from apps.users import mail
from apps.users.models import User
from apps.users.passwords import PasswordForm
from apps.users.signals import end_all_sessions
from dovetail.models.versions import VersionedModelForm


class ProfileForm(VersionedModelForm[User]):
    class Meta:
        model = User
        fields = ["display_name", "biography", "avatar"]
        widgets = {"biography": forms.Textarea(attrs={"rows": 4})}
        help_texts = {
            "avatar": "JPEG, PNG, WebP or GIF, up to 5 MB. It will be cropped to a centered square."
        }


class _FreeAddressMixin:
    """Refuses an address that another account has confirmed."""

    cleaned_data: dict[str, Any]
    instance: User

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        others = EmailAddress.objects.exclude(user=self.instance.pk)
        if others.filter(email__iexact=email, verified=True).exists():
            raise forms.ValidationError(
                "This address is confirmed for another account.", code="taken"
            )
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
        mail.send(
            "account/email/changed_by_administrator", user, {"change": f"{verb} your password"}
        )
        return user

"""The forms with a password: one that is too long is refused before anything looks at it.

Hashing, matching and estimating a password take longer the longer it is. The limit is not in the
HTML, because browsers cut what is pasted into a field with a `maxlength`, and do not say so.
"""

from typing import Any

from allauth.account import forms
from django.core.validators import MaxLengthValidator
from django.forms import PasswordInput

from apps.users.models.user import MAX_PASSWORD

too_long = MaxLengthValidator(MAX_PASSWORD, f"Use at most {MAX_PASSWORD:,} characters.")


class PasswordForm:
    """Limits the password fields of a form. Put it before the form's class."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields  # type: ignore[attr-defined]
        for field in fields.values():
            if isinstance(field.widget, PasswordInput):
                field.validators.append(too_long)


class ReauthenticateForm(PasswordForm, forms.ReauthenticateForm):  # type: ignore[misc]
    pass


class ResetPasswordKeyForm(PasswordForm, forms.ResetPasswordKeyForm):  # type: ignore[misc]
    pass


class SetPasswordForm(PasswordForm, forms.SetPasswordForm):  # type: ignore[misc]
    pass

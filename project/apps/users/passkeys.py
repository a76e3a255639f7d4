"""allauth's passkey forms, with malformed credentials as form errors instead of server errors."""

import struct
from collections.abc import Callable
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn import forms
from django.core.exceptions import ValidationError

# Raised by fido2.
MALFORMED = (
    *(AttributeError, LookupError, RecursionError, TypeError, ValueError),
    struct.error,
)


class PasskeyForm:
    def clean(self) -> Any:
        return self._checked(super().clean)  # type: ignore[misc]

    def clean_credential(self) -> Any:
        return self._checked(super().clean_credential)  # type: ignore[misc]

    def _checked(self, check: Callable[[], Any]) -> Any:
        try:
            return check()
        except ValidationError:
            self._forget_credential()
            raise
        except MALFORMED as error:
            self._forget_credential()
            raise get_adapter().validation_error("incorrect_code") from error

    def _forget_credential(self) -> None:
        """Leave it out when the form is shown again: it may not even be text that can be sent."""
        form: Any = self
        form.data = form.data.copy()
        form.data.pop(form.add_prefix("credential"), None)


class AddForm(PasskeyForm, forms.AddWebAuthnForm):  # type: ignore[misc]
    def clean_credential(self) -> Any:
        return self.cleaned_data["credential"]


class AuthenticateForm(PasskeyForm, forms.AuthenticateWebAuthnForm):  # type: ignore[misc]
    pass


class LoginForm(PasskeyForm, forms.LoginWebAuthnForm):  # type: ignore[misc]
    pass


class ReauthenticateForm(PasskeyForm, forms.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    pass

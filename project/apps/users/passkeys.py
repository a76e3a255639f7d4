"""allauth's passkey forms, with malformed credentials as form errors instead of server errors."""

from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn import forms

MALFORMED = (AttributeError, KeyError, TypeError, ValueError)  # raised by fido2


class AddForm(forms.AddWebAuthnForm):  # type: ignore[misc]
    def clean(self) -> Any:
        try:
            return super().clean()
        except MALFORMED as error:
            raise get_adapter().validation_error("incorrect_code") from error


class CredentialMixin:
    def clean_credential(self) -> Any:
        try:
            return super().clean_credential()  # type: ignore[misc]
        except MALFORMED as error:
            raise get_adapter().validation_error("incorrect_code") from error


class AuthenticateForm(CredentialMixin, forms.AuthenticateWebAuthnForm):  # type: ignore[misc]
    pass


class LoginForm(CredentialMixin, forms.LoginWebAuthnForm):  # type: ignore[misc]
    pass


class ReauthenticateForm(CredentialMixin, forms.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    pass

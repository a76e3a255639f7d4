"""What identity providers claim about people, before it reaches the database."""

from typing import Any

from allauth.socialaccount.models import SocialLogin
from django.http import HttpRequest

from dovetail.storable import storable


class StorableClaimsMixin:
    """For allauth's providers: replaces the characters in claims that cannot be stored."""

    def sociallogin_from_response(self, request: HttpRequest, response: Any) -> SocialLogin:
        return super().sociallogin_from_response(request, storable(response))  # type: ignore[misc]

from http import HTTPStatus
from typing import Any

from allauth.mfa.models import Authenticator
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from apps.api.examples import (
    REFRESH,
    SECOND_FACTOR,
    SECOND_FACTOR_NEEDED,
    SIGN_IN,
    TOKENS,
    answered,
    sent,
)
from apps.users.app_sessions import MAX_TOKEN
from apps.users.models.user import MAX_PASSWORD
from dovetail.api.serializers import StrictMixin

MAX_CODE = 100  # characters
TYPES = [Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES]


@extend_schema_serializer(examples=[sent("A person", SIGN_IN)])
class SignInSerializer(StrictMixin, serializers.Serializer[Any]):
    """A person who signs in."""

    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=MAX_PASSWORD, trim_whitespace=False)


@extend_schema_serializer(examples=[sent("A code", SECOND_FACTOR)])
class SecondFactorSerializer(StrictMixin, serializers.Serializer[Any]):
    """The second step of a sign-in."""

    sign_in_token = serializers.CharField(max_length=MAX_TOKEN)
    code = serializers.CharField(
        max_length=MAX_CODE, help_text="Of an authenticator app, or a recovery code."
    )


@extend_schema_serializer(examples=[sent("A token", REFRESH)])
class RefreshSerializer(StrictMixin, serializers.Serializer[Any]):
    """A refresh token to exchange for new tokens."""

    refresh_token = serializers.CharField(max_length=MAX_TOKEN)


@extend_schema_serializer(examples=[answered("Tokens", TOKENS)])
class TokensSerializer(serializers.Serializer[Any]):
    """The tokens of an app."""

    access_token = serializers.CharField()
    refresh_token = serializers.CharField(help_text="Use it once: twice ends the session.")
    expires_in = serializers.IntegerField(help_text="Seconds that the access token works for.")


@extend_schema_serializer(
    examples=[answered("A second factor", SECOND_FACTOR_NEEDED, HTTPStatus.ACCEPTED)]
)
class SecondFactorNeededSerializer(serializers.Serializer[Any]):
    """A sign-in that waits for a second factor."""

    sign_in_token = serializers.CharField(help_text="Send it with the code.")
    types = serializers.ListField(child=serializers.ChoiceField(choices=[str(t) for t in TYPES]))

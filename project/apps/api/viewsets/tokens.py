from http import HTTPStatus
from typing import Any, cast

from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.mixins import ListModelMixin
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api.examples import CREATED_TOKEN, NEW_TOKEN, TOKEN, answered, sent
from apps.api.permissions import HasRecentProof
from apps.users import access_tokens
from apps.users.models import PersonalAccessToken, User
from dovetail.api.serializers import ModelSerializer
from dovetail.api.viewsets import GenericViewSet


@extend_schema_serializer(
    examples=[sent("A token to read with", NEW_TOKEN), answered("A token", TOKEN)]
)
class AccessTokenSerializer(ModelSerializer[PersonalAccessToken]):
    """An access token, of which only the first characters can be read."""

    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=list(settings.API_SCOPES.items())),
        allow_empty=False,
        max_length=len(settings.API_SCOPES),
    )

    class Meta:
        model = PersonalAccessToken
        fields = ["id", "name", "scopes", "start", "expires_at", "last_used_at", "created_at"]
        extra_kwargs = {
            "name": {"help_text": "Of your choice, to recognize it."},
            "start": {"help_text": "Its first characters."},
            "expires_at": {"help_text": "When it stops working: within a year."},
            "last_used_at": {"help_text": "To the minute."},
        }


@extend_schema_serializer(examples=[answered("A new token", CREATED_TOKEN)])
class NewAccessTokenSerializer(AccessTokenSerializer):
    """A new access token, which is shown this once."""

    token = serializers.CharField(read_only=True, help_text="Save it: it is not shown again.")

    class Meta(AccessTokenSerializer.Meta):
        fields = [*AccessTokenSerializer.Meta.fields, "token"]


class AccessTokenPermission(HasRecentProof):
    """Asks sessions for a recent proof before changes, as the pages do.

    A token needs none: it can only pass on a part of what it has, and what it creates ends with it.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.method in SAFE_METHODS or token_of(request):
            return bool(request.user.is_authenticated)
        return super().has_permission(request, view)


def token_of(request: Request) -> PersonalAccessToken | None:
    """Return the token with which a request was sent, None for a session."""
    return request.auth if isinstance(request.auth, PersonalAccessToken) else None


class AccessTokenViewSet(ListModelMixin, GenericViewSet[PersonalAccessToken]):
    """Your access tokens, the newest first. None shows more than its first characters."""

    scope = "account"
    queryset = PersonalAccessToken.objects.none()
    permission_classes = (AccessTokenPermission,)
    serializer_class = AccessTokenSerializer

    def get_queryset(self) -> QuerySet[PersonalAccessToken]:
        return PersonalAccessToken.objects.filter(user=cast("User", self.request.user))

    @extend_schema(responses={HTTPStatus.CREATED: NewAccessTokenSerializer})
    def create(self, request: Request) -> Response:
        """Create an access token. It is returned only this once.

        With a token, you create others with some of its scopes and no later end; they are revoked
        with it. With a session, you must have just proved who you are.
        """
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        token, text = access_tokens.create(
            cast("User", request.user), parent=token_of(request), **serializer.validated_data
        )
        row = {**self.get_serializer(token).data, "token": text}
        return Response(row, HTTPStatus.CREATED, headers={"Cache-Control": "no-store"})

    @extend_schema(responses={HTTPStatus.NO_CONTENT: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Revoke an access token. Those that were created with it are revoked, too."""
        del request, kwargs
        access_tokens.revoke(self.get_object())
        return Response(status=HTTPStatus.NO_CONTENT)

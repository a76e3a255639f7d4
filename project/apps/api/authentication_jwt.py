"""Access tokens of apps: `Authorization: Bearer <token>`.

Own code because allauth's class records the use of the session at every request, and does not look
whether the person's list of sessions shows it.
"""

from typing import Any

from allauth.usersessions.models import UserSession
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.api.authentication import InvalidToken, bearer, challenge
from apps.users import app_sessions
from apps.users.models import User


class JWTAuthentication(BaseAuthentication):
    """Signs in whoever sends a valid access token.

    `request.auth` is the `UserSession`. Bearer tokens of other forms are left to other classes.
    """

    def authenticate(self, request: Request) -> tuple[User, UserSession] | None:
        token = bearer(request)
        if token is None or token.count(".") != app_sessions.PARTS - 1:
            return None
        row = app_sessions.find(token)
        if row is None:
            raise InvalidToken
        return row.user, row

    def authenticate_header(self, request: Request) -> str:
        return challenge(request)


class JWTScheme(OpenApiAuthenticationExtension):
    target_class = JWTAuthentication
    name = "jwt"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        del auto_schema
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The access token of an app. It works for minutes; then refresh it.",
        }

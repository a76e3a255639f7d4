"""Knows a person by the access token that a program sends: `Authorization: Bearer dvt_…`.

Own code because REST framework's knows one token for each person, without scopes and expiry, and
says "Token" where the standard (RFC 6750) says "Bearer".
"""

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.users import access_tokens
from apps.users.models import PersonalAccessToken, User
from dovetail.api.faults import BadInput, Fault

IN_QUERY = {"access_token", "token"}


class InvalidToken(AuthenticationFailed):
    """Raised alike for every token that is not valid: the answer must not tell why."""

    default_code = "invalid_token"
    default_detail = "The token is unknown, has expired or was revoked."


class TokenAuthentication(BaseAuthentication):
    """Takes the token of an active account, with which `request.auth` is its row.

    Its owner's rights are asked of the backend, as for sessions, so they need a second factor here
    too. Without the header, other classes are asked; a token of another scheme is refused, so place
    classes that know one, such as JWT, before this one.
    """

    def authenticate(self, request: Request) -> tuple[User, PersonalAccessToken] | None:
        _refuse_tokens_in_query(request)
        given = bearer(request)
        if given is None:
            return None
        token = access_tokens.find(given)
        if token is None:
            raise InvalidToken
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return challenge(request)


def challenge(request: Request) -> str:
    """Return the `WWW-Authenticate` of a request without a valid token (RFC 6750, section 3)."""
    error = "" if bearer(request) is None else ', error="invalid_token"'
    return f'Bearer realm="api"{error}'


def bearer(request: Request) -> str | None:
    """Return the token in the Authorization header; None if it has no token, or another scheme."""
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _refuse_tokens_in_query(request: Request) -> None:
    """Raise `BadInput` for a token in the address, which logs and histories keep."""
    if given := [name for name in request.query_params if name.lower() in IN_QUERY]:
        told = (
            "Send a token in the Authorization header: an address is logged on its way. Revoke "
            "this one."
        )
        raise BadInput(*(Fault(told, "token_in_address", parameter=name) for name in given))

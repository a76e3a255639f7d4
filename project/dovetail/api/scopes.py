"""What a token may be used for: a viewset names its group of resources, a token has scopes.

    class ReceiptViewSet(GenericViewSet[Receipt]):
        scope = "receipts"

Safe methods then need the scope `receipts:read`, all others `receipts:write`; neither includes the
other. Scopes only ever take away: what its owner may not do, a token may not do either. A session
has all of them, as does everything else that authenticates without `scopes`.
"""

from http import HTTPStatus
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import APIException
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:  # it loads the default permissions, of which this module has one
    from rest_framework.views import APIView


class InsufficientScope(APIException):
    """A token lacks the scope that a request needs (RFC 6750, section 3.1)."""

    status_code = HTTPStatus.FORBIDDEN
    default_code = "insufficient_scope"

    def __init__(self, scope: str) -> None:
        super().__init__(f"This token may not be used for it: it lacks the scope {scope}.")
        # Sent as WWW-Authenticate by REST framework.
        self.auth_header = f'Bearer error="insufficient_scope", scope="{scope}"'


class ScopePermission(BasePermission):
    """Refuses requests with a token that lacks the view's scope.

    `GenericViewSet` always asks it; as one of DEFAULT_PERMISSION_CLASSES, it guards other views.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Return True.

        Raises:
            InsufficientScope: the token has other scopes only.
        """
        scopes = getattr(request.auth, "scopes", None)
        if scopes is not None:
            needed = needed_scope(view, request.method or "")
            if needed not in scopes:
                raise InsufficientScope(needed)
        return True


def needed_scope(view: object, method: str) -> str:
    """Return the scope that a view asks for.

    Raises:
        ImproperlyConfigured: the view names none.
    """
    group = getattr(view, "scope", "")
    if not group:
        raise ImproperlyConfigured(
            f"{type(view).__name__} has no `scope`, so no token can be used with it."
        )
    return f"{group}:{'read' if method in SAFE_METHODS else 'write'}"

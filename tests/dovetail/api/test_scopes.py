"""A token may be used for what it was made for, and each viewset says what that is."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from dovetail.api.scopes import InsufficientScope, ScopePermission
from dovetail.api.viewsets import GenericViewSet


class Receipts(GenericViewSet[Any]):
    scope = "receipts"
    permission_classes = ()


def ask(method: str, auth: Any, view: Any = None) -> None:
    request = APIRequestFactory().generic(method, "/")
    request.auth = auth
    (view or Receipts()).check_permissions(request)


@pytest.mark.parametrize(
    ("method", "needed"),
    [
        *[(method, "receipts:read") for method in ("GET", "HEAD", "OPTIONS")],
        *[(method, "receipts:write") for method in ("POST", "PUT", "PATCH", "DELETE")],
    ],
)
def test_method_needs_its_scope(method: str, needed: str) -> None:
    """Kind: a viewset with its own `permission_classes` that forgets this one."""
    ask(method, SimpleNamespace(scopes=[needed]))

    others = {"receipts:read", "receipts:write", "articles:read", "articles:write"} - {needed}
    for scopes in ([], sorted(others)):
        with pytest.raises(InsufficientScope) as caught:
            ask(method, SimpleNamespace(scopes=scopes))
        assert caught.value.auth_header == f'Bearer error="insufficient_scope", scope="{needed}"'


def test_session_has_all_scopes() -> None:
    ask("DELETE", None)


def test_view_without_a_scope_takes_no_token() -> None:
    request = SimpleNamespace(auth=SimpleNamespace(scopes=["receipts:read"]), method="GET")

    with pytest.raises(ImproperlyConfigured, match="APIView has no `scope`"):
        ScopePermission().has_permission(cast("Any", request), APIView())

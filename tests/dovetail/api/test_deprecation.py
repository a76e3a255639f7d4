from datetime import date
from typing import Any

import pytest
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.test import APIRequestFactory

from dovetail.api.deprecation import Deprecation, deprecated
from dovetail.api.viewsets import GenericViewSet

LINK = '<https://site.example/news>; rel="deprecation"; type="text/html"'


class OldViewSet(GenericViewSet[Any]):
    permission_classes = (AllowAny,)
    serializer_class = Serializer
    pagination_class = None
    filter_backends: Any = ()

    @deprecated(since=date(2027, 1, 1), sunset=date(2028, 1, 1), link="https://site.example/news")
    def list(self, request: Request) -> Response:
        del request
        return Response([], headers={"Link": '<https://site.example/?page=2>; rel="next"'})

    @deprecated(since=date(2027, 1, 1))
    @action(detail=False)
    def old(self, request: Request) -> Response:
        del request
        return Response()

    @action(detail=False)
    def new(self, request: Request) -> Response:
        del request
        return Response()


@deprecated(since=date(2027, 1, 1))
class OldestViewSet(OldViewSet):
    pass


def ask(viewset: type[OldViewSet], name: str, query: str = "") -> Any:
    return viewset.as_view({"get": name})(APIRequestFactory().get(f"/{query}"))


def test_answers_of_an_endpoint_that_is_to_go_say_so() -> None:
    answer = ask(OldViewSet, "list")

    assert answer["Deprecation"] == "@1798761600"
    assert answer["Sunset"] == "Sat, 01 Jan 2028 00:00:00 GMT"
    assert answer["Link"] == f'<https://site.example/?page=2>; rel="next", {LINK}'


def test_errors_say_so_too() -> None:
    answer = ask(OldViewSet, "list", "?none=1")

    assert answer.status_code == 400
    assert answer["Deprecation"] == "@1798761600"
    assert answer["Link"] == LINK


def test_what_is_not_known_is_left_out() -> None:
    answer = ask(OldViewSet, "old")

    assert answer["Deprecation"] == "@1798761600"
    assert "Sunset" not in answer.headers
    assert "Link" not in answer.headers


def test_other_endpoints_say_nothing() -> None:
    assert "Deprecation" not in ask(OldViewSet, "new").headers


def test_whole_viewset_can_be_deprecated() -> None:
    assert ask(OldestViewSet, "new")["Deprecation"] == "@1798761600"
    assert "Sunset" in ask(OldestViewSet, "list").headers  # its own says more


def test_schema_says_so() -> None:
    patterns = [
        path(f"api/v1/{name}/", OldViewSet.as_view({"get": name}))
        for name in ("list", "old", "new")
    ]
    generator: Any = SchemaGenerator
    schema = generator(patterns=patterns).get_schema(request=None, public=True)

    told = {
        address: endpoint["get"].get("deprecated", False)
        for address, endpoint in schema["paths"].items()
    }
    assert told == {"/api/v1/list/": True, "/api/v1/old/": True, "/api/v1/new/": False}


def test_end_before_the_deprecation_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot go before"):
        Deprecation(date(2028, 1, 1), date(2027, 1, 1))

from typing import Any

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from apps.users.models import User
from dovetail.api.pagination import NumberPagination, SinglePagePagination
from tests.factories import make_user

pytestmark = pytest.mark.django_db


class Short(NumberPagination):
    max_rows = 4
    page_size = 2


def page(paginator: Any, query: str = "") -> dict[str, Any]:
    request = Request(APIRequestFactory().get(f"/people/?a=1{query}"))
    rows = paginator.paginate_queryset(User.objects.order_by("pk"), request)
    answer: dict[str, Any] = paginator.get_paginated_response([row.email for row in rows]).data
    return answer


class TestNumberPagination:
    def test_ends_at_its_limit(self) -> None:
        """Kind: a link to a page that is refused."""
        people = [make_user().email for _ in range(6)]

        first, last = page(Short()), page(Short(), "&page=2")

        assert first == {
            "count": 6,
            "next": "http://testserver/people/?a=1&page=2",
            "previous": None,
            "results": people[:2],
        }
        assert last == {
            "count": 6,
            "next": None,
            "previous": "http://testserver/people/?a=1",
            "results": people[2:4],
        }

    def test_page_after_the_last_is_empty(self) -> None:
        make_user()
        assert page(NumberPagination(), "&page=3") == {
            "count": 1,
            "next": None,
            "previous": "http://testserver/people/?a=1&page=2",
            "results": [],
        }


def test_single_page_has_the_form_of_the_others() -> None:
    people = [make_user().email for _ in range(30)]
    assert page(SinglePagePagination()) == {"next": None, "previous": None, "results": people}

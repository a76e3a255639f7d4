from typing import Any
from uuid import UUID

import pytest
from django import urls
from django.urls import NoReverseMatch, set_script_prefix

from dovetail.http.reverse import reverse

PK = UUID("0190c7a0-0000-7000-8000-000000000001")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("articles:list", []),
        ("articles:detail", ["on-joints"]),
        ("articles:detail", ["über-fugen"]),
        ("articles:detail", ["100% wood? #1 [~:@+&=]"]),
        ("articles:comment", ["on-joints", PK]),
        ("users:profile", [PK]),
    ],
)
def test_is_what_django_returns(name: str, values: list[Any]) -> None:
    for _ in range(2):  # the second answer comes from the cache
        assert reverse(name, *values) == urls.reverse(name, args=values)


def test_follows_the_prefix_of_the_site() -> None:
    before = reverse("users:profile", PK)
    set_script_prefix("/beta/")
    try:
        assert reverse("users:profile", PK) == f"/beta{before}"
    finally:
        set_script_prefix("/")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("articles:detail", [""]),
        ("articles:detail", ["a/b"]),
        ("articles:detail", []),
        ("articles:none", ["a"]),
    ],
)
def test_refuses_what_django_refuses(name: str, values: list[Any]) -> None:
    with pytest.raises(NoReverseMatch):
        reverse(name, *values)

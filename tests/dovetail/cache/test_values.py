from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import RequestFactory
from django.utils.functional import lazystr
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import cache_page
from hypothesis import given, strategies as st

from apps.users.models import User
from dovetail.cache.values import MISSING, UnsupportedValue, decode, encode
from tests.dovetail.cache.planted import garbage

BERLIN = ZoneInfo("Europe/Berlin")


class Color(StrEnum):
    RED = "red"


class Point(NamedTuple):
    x: int
    y: int


def types(value: Any) -> Any:
    """Return the types of a value and of everything in it."""
    match value:
        case dict():
            return dict, [(types(key), types(item)) for key, item in value.items()]
        case list() | tuple():
            return type(value), [types(item) for item in value]
        case set() | frozenset():
            return type(value), sorted(str(types(item)) for item in value)
    return type(value)


def stored(value: Any) -> Any:
    return decode("key", encode("key", value))


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters())
    | st.text().map(mark_safe)
    | st.binary()
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.none() | st.timezones() | st.just(UTC))
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
)
hashable = scalars | st.tuples(scalars, scalars) | st.frozensets(scalars)
values = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(hashable, inner)
        | st.sets(hashable)
    ),
)


@given(values)
def test_value_comes_back_with_its_types(value: Any) -> None:
    assert stored(value) == value
    assert types(stored(value)) == types(value)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        2**63 - 1,
        -(2**63),
        2**63,
        10**40,
        "\ud800",
        mark_safe("<b>bold</b>"),
        {1: {(2, "b"): [None, {"c"}]}},
        datetime(2025, 10, 26, 2, 30, tzinfo=BERLIN, fold=1),
        datetime(2025, 3, 30, 2, 30, tzinfo=BERLIN),  # it does not exist
        datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        Decimal("1.10"),
        UUID(int=5),
        date(2025, 1, 1),
        time(1, 2, fold=1),
    ],
)
def test_special_values_come_back(value: Any) -> None:
    found = stored(value)

    assert (found, type(found), repr(found)) == (value, type(value), repr(value))
    assert str(found) == str(value)
    assert getattr(found, "fold", 0) == getattr(value, "fold", 0)


def test_fragment_of_a_template_stays_safe() -> None:
    assert isinstance(stored(mark_safe("<b>")), SafeString)
    assert type(stored("<b>")) is str


recursive: list[Any] = []
recursive.append(recursive)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        Color.RED,
        Point(1, 2),
        User(),
        gettext_lazy("Home"),
        lazystr("text"),
        {"inside": [gettext_lazy("Home")]},
        ("inside", Color.RED),
        len,
        Exception(),
        recursive,
        time(1, tzinfo=UTC),
        lambda: None,
    ],
)
def test_other_value_is_refused_in_one_sentence(value: Any) -> None:
    """Kind: a value that silently becomes another one, as a tuple in JSON becomes a list."""
    with pytest.raises(UnsupportedValue, match=r"^The cache cannot store ") as raised:
        cache.set("key", value)

    assert "\n" not in str(raised.value)
    assert cache.get("key") is None


def test_nothing_but_what_was_stored_is_read(tmp_path: Path) -> None:
    """Kind: data of a shared store that is believed, or run, because it is there."""
    file = tmp_path / "created"

    for data in garbage(file):
        assert decode("key", data) is MISSING, data

    assert not file.exists()


def test_value_for_one_key_is_not_read_under_another() -> None:
    assert decode("theirs", encode("mine", {"user": 1})) is MISSING


def test_number_of_a_server_is_read() -> None:
    assert decode("key", b"12") == 12
    assert decode("key", b"-12") == -12
    assert decode("key", b"9 ") == 9  # memcached, after decrementing 10


def test_response_comes_back_with_headers_and_cookies() -> None:
    response = JsonResponse({"a": 1}, status=202, reason="Later", headers={"X-Kind": "first"})
    response.set_cookie("theme", "a b", max_age=60, httponly=True, samesite="Lax")

    found = stored(response)

    assert type(found) is HttpResponse
    assert (found.content, found.status_code, found.reason_phrase) == (b'{"a": 1}', 202, "Later")
    assert found.headers == response.headers
    assert found.cookies.output() == response.cookies.output()


def test_cached_page_is_served(rf: RequestFactory) -> None:
    seen = []

    @cache_page(60)
    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse("<p>Hello</p>", headers={"Vary": "Accept"})

    answers = [view(rf.get("/page")) for _ in range(2)]

    assert [answer.content for answer in answers] == [b"<p>Hello</p>"] * 2
    assert len(seen) == 1

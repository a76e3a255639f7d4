"""Text from outside that cannot be stored: bad input, never a server error."""

import json
from datetime import datetime
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import SuspiciousOperation
from django.db import DataError, connection, transaction
from django.db.models.expressions import RawSQL

from apps.users.models import User
from dovetail.storable import UnstorableText, guard, is_storable, storable
from tests.dovetail.shelves.models import Shelf
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("text", ["a\0", "\0", "a\ud800", "x" * 21])
def test_any_query_with_unstorable_text_is_suspicious(text: str) -> None:
    with pytest.raises(UnstorableText) as error, transaction.atomic():
        Shelf.objects.create(name=text)

    assert isinstance(error.value, SuspiciousOperation)
    if not is_storable(text):
        with pytest.raises(UnstorableText), transaction.atomic():
            Shelf.objects.filter(name=text).exists()


@pytest.mark.parametrize("text", ["a\0", "a\ud800"])
def test_json_with_unstorable_text_is_suspicious(text: str) -> None:
    user = make_user()

    with pytest.raises(UnstorableText), transaction.atomic():
        SocialAccount.objects.create(user=user, provider="p", uid="1", extra_data={"name": text})


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_time_that_its_offset_takes_out_of_range_is_suspicious(value: str) -> None:
    at = datetime.fromisoformat(value)

    with pytest.raises(UnstorableText), transaction.atomic():
        User.objects.filter(created_at__gt=at).exists()


def test_other_faulty_queries_stay_errors() -> None:
    Shelf.objects.create(name="A")

    with pytest.raises(DataError, match="division by zero") as error, transaction.atomic():
        list(Shelf.objects.annotate(quotient=RawSQL("1 / 0", [])))

    assert not isinstance(error.value, SuspiciousOperation)


def test_guard_stays_on_a_connection_that_was_opened_in_a_wrapper() -> None:
    def wrapper(execute: Any, *args: Any) -> Any:
        return execute(*args)

    fresh = connection.copy()
    with fresh.execute_wrapper(wrapper):
        guard(fresh)
        guard(fresh)

    assert len(fresh.execute_wrappers) == 1
    assert wrapper not in fresh.execute_wrappers


def test_values_become_storable_without_becoming_other_values() -> None:
    claims = {"na\0me": ["a\0b", {"x": "\ud800"}], "count": 1, "on": None, "fine": "é🪵"}

    cleaned = storable(claims)

    assert cleaned == {
        "na\ufffdme": ["a\ufffdb", {"x": "\ufffd"}], "count": 1, "on": None, "fine": "é🪵"
    }  # fmt: skip
    assert is_storable(json.dumps(cleaned, ensure_ascii=False))

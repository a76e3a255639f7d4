from typing import Any

import pytest
from rest_framework import serializers

from dovetail.api.serializers import StrictMixin


class PlankSerializer(StrictMixin, serializers.Serializer[Any]):
    name = serializers.CharField(required=False)
    is_dry = serializers.BooleanField(required=False, allow_null=True)
    length = serializers.IntegerField(required=False)
    batch = serializers.UUIDField(required=False)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": 0}, "Must be a string."),
        ({"is_dry": "yes"}, "Must be true or false."),
        ({"is_dry": 1}, "Must be true or false."),
        ({"length": "7"}, "Must be a whole number."),
        ({"length": True}, "Must be a whole number."),
        ({"batch": 7}, "Must be a string."),
    ],
)
def test_value_of_another_type_is_refused(given: dict[str, Any], told: str) -> None:
    """Kind: a client's mistake that is accepted as some other value."""
    serializer = PlankSerializer(data=given)

    assert not serializer.is_valid()
    [(name, [error])] = serializer.errors.items()
    assert (name, str(error), error.code) == (next(iter(given)), told, "invalid")


def test_null_is_up_to_the_field() -> None:
    assert PlankSerializer(data={"is_dry": None}).is_valid()
    serializer = PlankSerializer(data={"length": None})
    assert not serializer.is_valid()
    assert serializer.errors["length"][0].code == "null"

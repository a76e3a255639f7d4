"""Kind: JSON that two parsers read differently, or that takes the server long."""

import io
import json
from typing import Any

import pytest
from rest_framework.exceptions import APIException, UnsupportedMediaType

from dovetail.api.faults import BadInput
from dovetail.api.parsers import MAX_DEPTH, StrictJSONParser


def parse(body: bytes, media_type: str = "application/json") -> Any:
    return StrictJSONParser().parse(io.BytesIO(body), media_type)


def test_json_is_read() -> None:
    value = {"a": [1, -2.5, True, None, "é🜁"], "b": {}}
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value).encode(), 'application/json; charset="UTF-8"') == value
    assert parse(b"9007199254740991") == 2**53 - 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xef\xbb\xbf{}", "begins with a byte order mark"),
        (b'{"a": 1} x', "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b'{"a": NaN}', "NaN is no number"),
        (b"-Infinity", "-Infinity is no number"),
        (b"1e999", "a number is too large"),
        (b"9007199254740992", "a number is too large"),
        (b"9" * 100_000, "a number is too large"),
        (b'{"a": 1, "b": 2, "a": 3}', 'the key "a" comes twice'),
        (b'[{"a": {"x": 1, "x": 1}}]', 'the key "x" comes twice'),
        (b"\xff", "not valid UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not valid UTF-8"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested more than"),
        (b"[" * 100_000, "nested more than"),
        (b'{"a":' * 50_000, "nested more than"),
    ],
)
def test_other_bodies_are_refused_with_the_reason(body: bytes, told: str) -> None:
    with pytest.raises(APIException, match=told) as caught:
        parse(body)
    assert caught.value.status_code == 400


@pytest.mark.parametrize("text", [r'"\u0000"', r'"\ud800"', r'"a\udfffb"', '"\\ud800x"'])
def test_text_that_cannot_be_stored_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(b'{"rows": [{}, {"a/b": %s}]}' % text.encode())
    [fault] = caught.value.faults
    assert fault.as_member() == {
        "pointer": "#/rows/1/a~1b",
        "code": "unstorable",
        "detail": "Contains a character that cannot be stored.",
    }


def test_key_that_cannot_be_stored_is_refused() -> None:
    with pytest.raises(BadInput):
        parse(b'{"\\u0000": 1}')


def test_deepest_json_is_read() -> None:
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "base64", "zip", "x"])
def test_other_encodings_are_refused(charset: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        parse(b"{}", f"application/json; charset={charset}")

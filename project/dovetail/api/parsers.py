"""JSON as strict as its standards allow (RFC 8259, and I-JSON, RFC 7493).

Refused, with the place and the reason: NaN and Infinity, numbers beyond a double or of more digits
than one has, a key that comes twice, text that the database cannot store, nesting that no resource
has, and any encoding but UTF-8.
"""

import json
import math
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import IO, Any, NoReturn

from django.utils.http import parse_header_parameters
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser

from dovetail.api.faults import BadInput, Fault
from dovetail.storable import is_storable

MAX_DEPTH = 20
MAX_INTEGER = 2**53 - 1  # the largest that every client can represent; RFC 7493, 2.2

Place = tuple[str | int, ...]


class StrictJSONParser(BaseParser):
    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the value that a body contains.

        Raises:
            BadInput: what is wrong, and where.
            ParseError: it is no JSON.
            UnsupportedMediaType: it is not said to be in UTF-8.
        """
        del parser_context
        charset = parse_header_parameters(media_type or "")[1].get("charset", "utf-8")
        if charset.lower() not in {"utf-8", "utf8"}:
            raise UnsupportedMediaType(media_type or "", "Send JSON as UTF-8.")
        body = stream.read()
        if body.startswith(BOM_UTF8):
            raise ParseError("The body begins with a byte order mark, which JSON must not have.")
        try:
            value = json.loads(
                body.decode(),
                object_pairs_hook=_unique,
                parse_constant=_refuse_constant,
                parse_float=_finite,
                parse_int=_exact,
            )
        except UnicodeDecodeError as error:
            raise ParseError("The body is not valid UTF-8.") from error
        except RecursionError as error:
            raise ParseError(f"The JSON is nested more than {MAX_DEPTH} levels deep.") from error
        except ValueError as error:
            raise ParseError(f"The body is not valid JSON: {error}.") from error
        if faults := list(_faults(value, ())):
            raise BadInput(*faults[:100])
        return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {json.dumps(twice[:50])} comes twice")
    return row


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _exact(text: str) -> int:
    # Python itself refuses to read very long ones, with advice about its settings.
    if len(text) > len(str(MAX_INTEGER)) + 1 or abs(number := int(text)) > MAX_INTEGER:
        raise ValueError("a number is too large")
    return number


def _faults(value: Any, place: Place) -> Iterator[Fault]:
    if isinstance(value, list | dict) and len(place) >= MAX_DEPTH:
        raise ParseError(f"The JSON is nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, str):
        if not is_storable(value):
            yield Fault("Contains a character that cannot be stored.", "unstorable", place)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _faults(item, (*place, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            if not is_storable(key):
                told = "A key contains a character that cannot be stored."
                yield Fault(told, "unstorable", place)
            yield from _faults(item, (*place, key))

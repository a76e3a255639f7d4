"""How a value is stored in a cache: as MessagePack, signed, and never as a pickle.

Whoever can write to the cache of a Django site by default runs code in it, because reading a value
unpickles it, and puts HTML on its pages, because `{% cache %}` trusts what it finds. So here, a
value is data only, and is believed only if this site has signed it for this key. What has another
form, such as a pickle of an earlier release, reads as missing.

A value comes back as it was, with its types, or is refused when it is stored:

- None, bool, int, float, str and `SafeString`; bytes, also from a bytearray or a memoryview
- list, tuple, dict, set and frozenset of these
- date, time, datetime with no time zone, a fixed one or a `ZoneInfo`, timedelta, Decimal and UUID
- `HttpResponse` with its headers and cookies, for `cache_page`; a subclass comes back as that

Models, enumerations and lazy translations are refused: store a key, a value or a text instead. An
int by itself is stored as the server's number, so that it can count (`incr`), and is not signed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgpack
from django.http import HttpResponse
from django.utils.safestring import SafeString

from dovetail.signed import sign, unsign

PURPOSE = "cache"
COUNTABLE = range(-(2**63), 2**63)  # the numbers that both servers can count with
DIGITS = 20  # of the longest of them, with its sign
MISSING = object()


class UnsupportedValue(TypeError):  # noqa: N818 - named like msgpack's and Django's own
    """The cache cannot store this value."""


def encode(key: str, value: Any) -> bytes:
    """Return a value as it is stored under a key.

    Raises:
        UnsupportedValue: it would not come back as it is.
    """
    if type(value) is int and value in COUNTABLE:
        return b"%d" % value
    return sign(PURPOSE, key, dumps(value))


def decode(key: str, stored: bytes) -> Any:
    """Return the value that `encode` was given, or `MISSING` if this site has not stored it."""
    number = stored.rstrip(b" ")  # memcached fills up a number that has become shorter
    if number.removeprefix(b"-").isdigit() and len(number) <= DIGITS:
        return int(number)
    data = unsign(PURPOSE, key, stored)
    if data is None:
        return MISSING
    try:
        return loads(data)
    except Exception:  # noqa: BLE001 - whatever another release of this site has stored
        return MISSING


def dumps(value: Any) -> bytes:
    """Return a value as MessagePack.

    Raises:
        UnsupportedValue: it would not come back as it is.
    """
    try:
        data: bytes = msgpack.packb(
            value, default=_pack, strict_types=True, unicode_errors="surrogatepass"
        )
    except (ValueError, RecursionError) as error:
        raise UnsupportedValue(f"The cache cannot store this value: {error}") from error
    return data


def loads(data: bytes) -> Any:
    """Return the value that `dumps` was given."""
    return msgpack.unpackb(
        data, ext_hook=_unpack, strict_map_key=False, unicode_errors="surrogatepass"
    )


@dataclass(frozen=True)
class Kind:
    """A type that MessagePack does not know.

    Attributes:
        type: the type itself; its subclasses are others.
        take: returns what a value consists of.
        make: returns the value that consists of it.
    """

    type: type
    take: Callable[[Any], Any]
    make: Callable[[Any], Any]


def _moment(value: datetime) -> list[Any]:
    zone: str | float | None
    match value.tzinfo:
        case None:
            zone = None
        case ZoneInfo(key=str(name)):
            zone = name
        case timezone():
            zone = value.tzinfo.utcoffset(None).total_seconds()
        case other:
            raise UnsupportedValue(
                f"The cache cannot store a datetime with a {type(other).__qualname__}: convert it "
                "to UTC."
            )
    return [value.replace(tzinfo=None, fold=0).isoformat(), value.fold, zone]


def _make_moment(parts: list[Any]) -> datetime:
    text, fold, zone = parts
    tzinfo = ZoneInfo(zone) if isinstance(zone, str) else zone
    if isinstance(tzinfo, float):
        tzinfo = timezone(timedelta(seconds=tzinfo))
    return datetime.fromisoformat(text).replace(tzinfo=tzinfo, fold=fold)


def _time(value: time) -> list[Any]:
    if value.tzinfo is not None:
        raise UnsupportedValue("The cache cannot store a time with a time zone: store a datetime.")
    return [value.isoformat(), value.fold]


def _response(value: HttpResponse) -> list[Any]:
    cookies = [morsel.OutputString() for morsel in value.cookies.values()]
    headers = [list(header) for header in value.items()]
    return [value.content, value.status_code, value.reason_phrase, headers, cookies]


def _make_response(parts: list[Any]) -> HttpResponse:
    content, status, reason, headers, cookies = parts
    response = HttpResponse(content, status=status, reason=reason, headers=dict(headers))
    for cookie in cookies:
        response.cookies.load(cookie)
    return response


# The place of a type in this list is its number in what is stored: append new ones.
KINDS = [
    Kind(tuple, list, tuple),
    Kind(set, list, set),
    Kind(frozenset, list, frozenset),
    Kind(int, str, int),  # beyond 64 bits
    Kind(SafeString, lambda value: value[:], SafeString),  # a slice is a plain str
    Kind(date, date.isoformat, date.fromisoformat),
    Kind(time, _time, lambda parts: time.fromisoformat(parts[0]).replace(fold=parts[1])),
    Kind(datetime, _moment, _make_moment),
    Kind(
        timedelta,
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda parts: timedelta(*parts),
    ),
    Kind(Decimal, str, Decimal),
    Kind(UUID, lambda value: value.bytes, lambda data: UUID(bytes=data)),
    Kind(HttpResponse, _response, _make_response),
]
NUMBERS = {kind.type: number for number, kind in enumerate(KINDS)}


def _pack(value: Any) -> msgpack.ExtType:
    known = HttpResponse if isinstance(value, HttpResponse) else type(value)
    number = NUMBERS.get(known)
    if number is None:
        raise UnsupportedValue(
            f"The cache cannot store a {known.__module__}.{known.__qualname__}: store what it "
            "consists of, such as a key, numbers and text. dovetail.cache.values lists the types."
        )
    return msgpack.ExtType(number, dumps(KINDS[number].take(value)))


def _unpack(number: int, data: bytes) -> Any:
    return KINDS[number].make(loads(data))
